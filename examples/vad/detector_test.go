package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"batchrnn/internal/ort"
	"batchrnn/kernels"
	"batchrnn/rnn/onnx"
)

var models = []string{"silero_vad_legacy.onnx", "silero_vad_v5.onnx", "silero_vad_v6.onnx"}

// tolerance of a probability beside ONNX Runtime's.
const tolerance = 1e-4

func newDetector(t testing.TB, path string, rate, streams int) *Detector {
	t.Helper()
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	m, err := load(e, path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDetector(m, rate, streams)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Every frame has the probability that ONNX Runtime gives it: ten minutes with
// BATCHRNN_LONG=1, otherwise 20 seconds.
func TestProbabilitiesOfONNXRuntime(t *testing.T) {
	seconds := 20
	if os.Getenv("BATCHRNN_LONG") != "" && !slow {
		seconds = 600
	}
	rt := ort.Start(t)
	wide, spoken := recording(t, seconds)
	narrow := make([]float32, 0, len(wide)/2)
	for i := range cap(narrow) {
		narrow = append(narrow, (wide[2*i]+wide[2*i+1])/2)
	}
	for _, name := range models {
		for _, rate := range []int{16000, 8000} {
			t.Run(fmt.Sprintf("%s/%d", name, rate), func(t *testing.T) {
				audio := wide
				if rate == 8000 {
					audio = narrow[:min(len(narrow), 60*rate)]
				}
				path := ort.File(t, name)
				d := newDetector(t, path, rate, 1)
				want := reference(t, rt, path, rate, audio)
				worst, at, speech, right := 0.0, 0, 0, 0
				for f := range want {
					p := d.Next(audio[f*d.Frame():][:d.Frame()])
					diff := math.Abs(float64(p) - float64(want[f]))
					if !(diff <= tolerance) {
						t.Fatalf("frame %d: probability %v, and ONNX Runtime has %v", f, p, want[f])
					}
					if diff > worst {
						worst, at = diff, f
					}
					if p >= 0.5 {
						speech++
					}
					if middle := (2*f + 1) * d.Frame() / 2 * (16000 / rate); (p >= 0.5) == spoken[middle] {
						right++
					}
				}
				if share := float64(speech) / float64(len(want)); share < 0.1 || share > 0.9 {
					t.Errorf("%.1f %% of the frames are speech: the recording has both", 100*share)
				}
				t.Logf("%d frames: at most %.2g apart, in frame %d; %.1f %% are right about speech",
					len(want), worst, at, 100*float64(right)/float64(len(want)))
			})
		}
	}
}

// reference returns ONNX Runtime's probabilities of the whole frames of audio.
func reference(t *testing.T, rt *ort.Runtime, path string, rate int, audio []float32) (p []float32) {
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := rt.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	frame := rate * 32 / 1000
	in := map[string]ort.Tensor{"sr": {Data: []int64{int64(rate)}}}
	next, context := map[string]string{"h": "hn", "c": "cn"}, 0
	width := 64
	if !strings.Contains(path, "legacy") {
		next, context, width = map[string]string{"state": "stateN"}, frame/8, 128
	}
	for name := range next {
		in[name] = ort.Tensor{Shape: []int{2, 1, width}, Data: make([]float32, 2*width)}
	}
	audio = slices.Concat(make([]float32, context), audio) // so that each frame has its context before it
	for at := 0; at+context+frame <= len(audio); at += frame {
		in["input"] = ort.Tensor{Shape: []int{1, context + frame}, Data: audio[at:][:context+frame]}
		out, err := m.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, out["output"].Data.([]float32)...)
		for name, n := range next {
			in[name] = out[n]
		}
	}
	return p
}

// Streams of a batch have the bits that each has alone.
func TestStreamsAtOnce(t *testing.T) {
	frames := 25
	if slow {
		frames = 4
	}
	audio, _ := recording(t, 20)
	for _, name := range models {
		path := ort.File(t, name)
		for _, streams := range []int{3, 64} {
			many, one := newDetector(t, path, 16000, streams), newDetector(t, path, 16000, 1)
			start := func(s int) []float32 { return audio[s*len(audio)/streams/2:] }
			p := make([]float32, streams)
			got := make([][]float32, streams)
			for f := range frames {
				var x []float32
				for s := range streams {
					x = append(x, start(s)[f*512:][:512]...)
				}
				many.NextAll(p, x)
				for s := range streams {
					got[s] = append(got[s], p[s])
				}
			}
			for s := range streams {
				one.Reset()
				for f := range frames {
					if want := one.Next(start(s)[f*512:][:512]); got[s][f] != want {
						t.Fatalf("%s, %d streams: frame %d of stream %d has %v, and alone %v", name, streams, f, s, got[s][f], want)
					}
				}
			}
		}
	}
}

func TestFramesAllocateNothing(t *testing.T) {
	for _, name := range append([]string{"v5", "legacy"}, models...) {
		t.Run(name, func(t *testing.T) {
			path := "testdata/standin_" + name + ".onnx"
			if strings.HasSuffix(name, ".onnx") {
				path = ort.File(t, name)
			}
			for _, streams := range []int{1, 64} {
				d := newDetector(t, path, 16000, streams)
				p, x := make([]float32, streams), tone(300, 16000, streams*512)
				if n := testing.AllocsPerRun(20, func() { d.NextAll(p, x) }); n != 0 {
					t.Errorf("%d streams: %v allocations a frame", streams, n)
				}
				if streams == 1 {
					if n := testing.AllocsPerRun(20, func() { d.Next(x) }); n != 0 {
						t.Errorf("Next: %v allocations a frame", n)
					}
				}
			}
		})
	}
}

// The stand-ins add up what they are given (testdata/standin.py): a model of v5
//
//	mean of the context + 10 · mean of the frame + 100 · frames before
//
// and one of v4
//
//	mean of the frame + 100 · frames before + 1000 · twice the frames before
func TestWhatModelsAreGiven(t *testing.T) {
	const streams, frames = 2, 4
	audio := func(s, f, i int) float32 { // the last 64 samples of a frame differ from the others
		x := float32(f+1+10*s) / 8
		if i >= 512-64 {
			return -x
		}
		return x
	}
	for name, want := range map[string]func(s, f int) float32{
		"v5": func(s, f int) float32 {
			var before float32
			if f > 0 {
				before = audio(s, f-1, 511)
			}
			return before + 10*audio(s, f, 0)*(512-128)/512 + 100*float32(f)
		},
		"legacy": func(s, f int) float32 {
			return audio(s, f, 0)*(512-128)/512 + 2100*float32(f)
		},
	} {
		d := newDetector(t, "testdata/standin_"+name+".onnx", 16000, streams)
		for range 2 {
			for f := range frames {
				var x []float32
				for s := range streams {
					for i := range 512 {
						x = append(x, audio(s, f, i))
					}
				}
				p := make([]float32, streams)
				d.NextAll(p, x)
				for s := range p {
					if w := want(s, f); !(math.Abs(float64(p[s]-w)) < 1e-3) {
						t.Errorf("%s: frame %d of stream %d gives %v, want %v", name, f, s, p[s], w)
					}
				}
			}
			d.Reset()
		}
	}
}

func TestDetectorRefuses(t *testing.T) {
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := load(e, "testdata/standin_v5.onnx")
	if err != nil {
		t.Fatal(err)
	}
	other, err := load(e, "testdata/other.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		m             *onnx.Model
		rate, streams int
		want          string
	}{
		{m, 44100, 1, "44100"},
		{m, 16000, 0, "0 streams"},
		{other, 16000, 1, "not a model of Silero VAD"},
	} {
		if _, err := NewDetector(c.m, c.rate, c.streams); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d Hz, %d streams: error %v, want one with %q", c.rate, c.streams, err, c.want)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, name := range models {
		for _, streams := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, streams), func(b *testing.B) {
				d := newDetector(b, ort.File(b, name), 16000, streams)
				p, x := make([]float32, streams), tone(300, 16000, streams*512)
				for b.Loop() {
					d.NextAll(p, x)
				}
				b.ReportMetric(float64(b.N)*float64(streams)*frameSeconds/b.Elapsed().Seconds(), "x-real-time")
			})
		}
	}
}
