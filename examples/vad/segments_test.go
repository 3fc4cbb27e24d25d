package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var silero = Rule{Threshold: 0.5, Release: 0.35,
	MinSpeech: 250 * time.Millisecond, MinSilence: 100 * time.Millisecond, Pad: 30 * time.Millisecond}

// segment returns the segments of probabilities at 16 kHz.
func segment(r Rule, p []float32, total int64) (found []Segment) {
	s := newSegmenter(r, 16000, 512, func(g Segment) { found = append(found, g) })
	for _, p := range p {
		s.next(p)
	}
	s.end(total)
	return found
}

func TestSegments(t *testing.T) {
	const n, y, m = 0.1, 0.9, 0.4 // silence, speech, between release and threshold
	repeat := func(p float32, n int) []float32 { return slices.Repeat([]float32{p}, n) }
	noPad, greedy := silero, silero
	noPad.Pad = 0
	greedy.Pad = 200 * time.Millisecond
	for _, c := range []struct {
		name  string
		rule  Rule
		p     [][]float32
		total int64
		want  []Segment
	}{
		{"no audio", silero, nil, 0, nil},
		{"silence", silero, [][]float32{repeat(n, 20)}, 10240, nil},
		{"speech", silero, [][]float32{repeat(y, 20)}, 10000, []Segment{{0, 10000}}},
		{"in the middle", silero, [][]float32{repeat(n, 10), repeat(y, 10), repeat(n, 10)}, 15360, []Segment{{5120 - 480, 10240 + 480}}},
		{"as long as the minimum is too short", noPad, [][]float32{repeat(y, 7), repeat(n, 9)}, 8192, nil}, // 3584 of 4000
		{"one frame longer", noPad, [][]float32{repeat(y, 8), repeat(n, 9)}, 8704, []Segment{{0, 4096}}},
		{"a short gap", noPad, [][]float32{repeat(y, 8), repeat(n, 3), repeat(y, 8)}, 19 * 512, []Segment{{0, 19 * 512}}},
		{"a gap of just enough", noPad, [][]float32{repeat(y, 8), repeat(n, 5), repeat(y, 9)}, 22 * 512, []Segment{{0, 8 * 512}, {13 * 512, 22 * 512}}},
		{"doubt doesn't end speech", noPad, [][]float32{repeat(y, 8), repeat(m, 30), repeat(y, 1)}, 39 * 512, []Segment{{0, 39 * 512}}},
		{"doubt doesn't end silence", noPad, [][]float32{repeat(y, 8), {n}, repeat(m, 30), {n}, repeat(m, 30)}, 70 * 512, []Segment{{0, 8 * 512}}},
		{"padding meets in the middle", greedy, [][]float32{repeat(y, 8), repeat(n, 5), repeat(y, 9), repeat(n, 20)}, 42 * 512,
			[]Segment{{0, 10*512 + 256}, {10*512 + 256, 22*512 + 3200}}},
		{"padding stops at the end", greedy, [][]float32{repeat(n, 8), repeat(y, 9), repeat(n, 5)}, 22 * 512, []Segment{{8*512 - 3200, 22 * 512}}},
	} {
		if got := segment(c.rule, slices.Concat(c.p...), c.total); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A segment comes as soon as no later frame can move its end.
func TestSegmentsComeEarly(t *testing.T) {
	var at []int
	s := newSegmenter(silero, 16000, 512, func(Segment) { at = append(at, -1) })
	for i := range 40 {
		p := float32(0.9)
		if i >= 10 {
			p = 0
		}
		s.next(p)
		if len(at) == 1 && at[0] < 0 {
			at[0] = i
		}
	}
	// Silence of 100 ms has begun with frame 10, and frame 14 begins 128 ms later.
	if !slices.Equal(at, []int{14}) {
		t.Errorf("segments come with frames %d, want 14", at)
	}
}

// Random probabilities, against the rule on all frames at once.
func TestSegmentsOfAllAtOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		p := make([]float32, rng.IntN(200))
		level := rng.Float32()
		for i := range p {
			if rng.IntN(6) == 0 {
				level = rng.Float32()
			}
			p[i] = level
		}
		total := int64(0)
		if len(p) > 0 {
			total = int64(len(p)*512 - rng.IntN(512))
		}
		ms := func(most int) time.Duration { return time.Duration(rng.IntN(most)) * time.Millisecond }
		r := Rule{Threshold: 0.3 + rng.Float32()/2, MinSpeech: ms(400), MinSilence: ms(300), Pad: ms(200)}
		r.Release = r.Threshold * (0.5 + rng.Float32()/2)
		if got, want := segment(r, p, total), atOnce(r, p, total); !slices.Equal(got, want) {
			t.Fatalf("%+v, total %d, %.2f: %v, want %v", r, total, p, got, want)
		}
	}
}

// atOnce finds the segments with all frames in sight.
func atOnce(r Rule, p []float32, total int64) (all []Segment) {
	const frame = 512
	ms := func(d time.Duration) int64 { return d.Milliseconds() * 16 }
	for i := 0; i < len(p); i++ {
		if p[i] < r.Threshold {
			continue
		}
		start, end := i, -1
		for ; i < len(p) && end < 0; i++ {
			if p[i] >= r.Release {
				continue
			}
			// Silence begins at the first low frame behind the latest high one.
			began := i
			for j := i - 1; j >= 0 && p[j] < r.Threshold; j-- {
				if p[j] < r.Release {
					began = j
				}
			}
			if int64(i-began)*frame >= ms(r.MinSilence) {
				end = began
			}
		}
		g := Segment{int64(start) * frame, int64(end) * frame}
		if end < 0 {
			g.End = total
		} else {
			i-- // the frame that has ended it
		}
		if g.End-g.Start > ms(r.MinSpeech) {
			all = append(all, g)
		}
	}
	padded := slices.Clone(all)
	for i := range all {
		before, after := ms(r.Pad), ms(r.Pad)
		if i > 0 {
			before = min(before, (all[i].Start-all[i-1].End)/2)
		}
		if i+1 < len(all) {
			after = min(after, (all[i+1].Start-all[i].End)/2)
		}
		padded[i] = Segment{max(0, all[i].Start-before), min(total, all[i].End+after)}
	}
	return padded
}
