package main

import (
	"io"
	"math"
	"slices"
	"testing"
)

// samples is audio in memory. end comes with its last samples or after them.
type samples struct {
	x    []float32
	with bool
	end  error
}

func (s *samples) read(dst []float32) (int, error) {
	n := copy(dst, s.x)
	s.x = s.x[n:]
	if len(s.x) == 0 && (s.with || n < len(dst)) {
		return n, s.end
	}
	return n, nil
}

func tone(hz float64, rate, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(2 * math.Pi * hz * float64(i) / float64(rate)))
	}
	return x
}

// all reads a reader by pieces of some length.
func all(t *testing.T, r reader, piece int) (x []float32, err error) {
	t.Helper()
	buf := make([]float32, piece)
	for err == nil {
		var n int
		n, err = r.read(buf)
		if x = append(x, buf[:n]...); err == nil && n < piece {
			t.Fatalf("%d samples of %d without an error", n, piece)
		}
	}
	return x, err
}

func TestResampledTones(t *testing.T) {
	for _, c := range []struct {
		from, to int
		hz, want float64 // want: the amplitude
	}{
		{44100, 16000, 440, 1}, {44100, 16000, 5000, 1}, {44100, 16000, 12000, 0},
		{48000, 16000, 440, 1}, {48000, 16000, 5000, 1}, {48000, 16000, 12000, 0},
		{22050, 16000, 3000, 1}, {11025, 16000, 3000, 1}, {8000, 16000, 2000, 1},
		{16001, 16000, 3000, 1}, {192000, 16000, 3000, 1}, {192000, 16000, 50000, 0},
	} {
		n := c.from / 2
		got, err := all(t, resample(&samples{x: tone(c.hz, c.from, n), end: io.EOF}, newFilter(c.from, c.to)), 512)
		if want := (n*c.to + c.from - 1) / c.from; err != io.EOF || len(got) != want {
			t.Errorf("%d to %d: %d samples and %v, want %d", c.from, c.to, len(got), err, want)
		}
		want := tone(c.hz, c.to, len(got))
		for i := 100; i < len(got)-100; i++ {
			if diff := math.Abs(float64(got[i]) - c.want*float64(want[i])); !(diff < 0.01) {
				t.Errorf("%d to %d, %v Hz: sample %d is %v, want %v", c.from, c.to, c.hz, i, got[i], c.want*float64(want[i]))
				break
			}
		}
	}
}

func TestResampledByPieces(t *testing.T) {
	x := tone(300, 44100, 9000)
	want, _ := all(t, resample(&samples{x: x, end: io.EOF}, newFilter(44100, 16000)), 1<<16)
	for _, piece := range []int{1, 7, 512, 3000} {
		for _, with := range []bool{false, true} {
			got, err := all(t, resample(&samples{x: x, with: with, end: io.EOF}, newFilter(44100, 16000)), piece)
			if err != io.EOF || !slices.Equal(got, want) {
				t.Errorf("pieces of %d: other samples, or %v", piece, err)
			}
		}
	}
}

// Resampling waits for no more than half a filter of audio that is to come.
func TestResampledIsLive(t *testing.T) {
	src := &samples{x: tone(300, 44100, 44100), end: io.EOF}
	r := resample(src, newFilter(44100, 16000))
	if n, err := r.read(make([]float32, 512)); n != 512 || err != nil {
		t.Fatal(n, err)
	}
	if read := 44100 - len(src.x); read > 512*441/160+r.half+1 {
		t.Errorf("512 samples took %d of the input", read)
	}
}

func TestResampledKeepsError(t *testing.T) {
	got, err := all(t, resample(&samples{x: make([]float32, 441), end: io.ErrClosedPipe}, newFilter(44100, 16000)), 512)
	if err != io.ErrClosedPipe || len(got) != 160 {
		t.Errorf("%d samples and %v, want 160 and the error of the source", len(got), err)
	}
}
