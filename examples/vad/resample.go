package main

import "math"

// resampled is audio at another rate. Each sample is the sum of the input's samples
// around it, weighted by a windowed sinc:
//
//	y(t) = Σ_i x_i s·sinc(s·(t-i)) cos²(π s (t-i) / 2 zeros)       |s·(t-i)| < zeros
//
// t counts samples of the input, and s = 0.99·min(1, to/from) puts the filter's edge
// below the lower of both Nyquist frequencies. Window and edge are those of
// torchaudio.transforms.Resample, which Silero's read_audio calls.
type resampled struct {
	*filter
	src    reader
	buf    []float32 // samples of the input
	at     int       // where the next sample's weights begin in buf
	phase  int       // of the next sample
	centre int64     // the input's sample at or before the next one
	got    int64     // samples of the input in all
	end    error     // of src
}

// A filter holds the weights of resampling. Streams of one rate share it.
type filter struct {
	up, down int         // to / from, reduced
	half     int         // samples of the input on each side
	phases   [][]float32 // [up], the weights of each place between two samples of the input
}

const (
	zeros = 6 // of the sinc, on each side
	edge  = 0.99
)

func newFilter(from, to int) *filter {
	g := gcd(from, to)
	f := &filter{up: to / g, down: from / g}
	s := edge * min(1, float64(to)/float64(from))
	f.half = int(math.Ceil(zeros / s))
	taps := 2*f.half + 1
	weights := make([]float32, f.up*taps)
	for p := range f.up {
		h := weights[p*taps:][:taps]
		f.phases = append(f.phases, h)
		for i := range h {
			// The input's sample i-half lies that far from the place of the phase.
			if x := s * (float64(p)/float64(f.up) - float64(i-f.half)); math.Abs(x) < zeros {
				w := math.Cos(math.Pi * x / (2 * zeros))
				h[i] = float32(s * sinc(x) * w * w)
			}
		}
	}
	return f
}

func resample(src reader, f *filter) *resampled {
	// Before the first sample is silence.
	return &resampled{filter: f, src: src, buf: make([]float32, f.half, 4*f.half+1024)}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (r *resampled) read(dst []float32) (n int, err error) {
	taps := 2*r.half + 1
	whole, part := r.down/r.up, r.down%r.up // of a step
	for n < len(dst) {
		last := r.at + (r.phase+(len(dst)-n-1)*r.down)/r.up // at, for the last sample of dst
		r.fill(taps, last+taps)
		for n < len(dst) && r.at+taps <= len(r.buf) {
			if r.end != nil && r.centre >= r.got {
				return n, r.end
			}
			var sum float32
			in := r.buf[r.at:][:taps]
			for i, w := range r.phases[r.phase] {
				sum += w * in[i]
			}
			dst[n] = sum
			n++
			step := whole
			if r.phase += part; r.phase >= r.up {
				r.phase -= r.up
				step++
			}
			r.at += step
			r.centre += int64(step)
		}
	}
	return n, nil
}

// fill reads no more than buf[:want] needs, so that a live stream isn't waited for. It
// reads less if buf has no room, but at least the taps of the next sample.
func (r *resampled) fill(taps, want int) {
	if want > cap(r.buf) {
		gone := min(r.at, len(r.buf))
		r.buf = r.buf[:copy(r.buf, r.buf[gone:])]
		r.at, want = r.at-gone, want-gone
	}
	have := len(r.buf)
	r.buf = r.buf[:max(have, min(want, cap(r.buf)))]
	fresh := r.buf[have:]
	if r.end == nil {
		var n int
		n, r.end = r.src.read(fresh)
		r.got += int64(n)
		fresh = fresh[n:]
	}
	clear(fresh) // silence after the last sample
}
