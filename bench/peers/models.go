package main

import (
	"bytes"
	"cmp"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"batchrnn/kernels"
	"batchrnn/rnn/onnx"
)

// modelFolder is where `make models` puts public models and ONNX Runtime.
func modelFolder() string { return cmp.Or(os.Getenv("BATCHRNN_MODELS"), filepath.Join("..", "models")) }

// readModels returns the files of the workloads that match, by name.
func readModels(match *regexp.Regexp) (files map[string][]byte, missing []Missing) {
	files = map[string][]byte{"add": addModel()}
	seen := map[string]bool{"": true, "add": true}
	for _, w := range Workloads() {
		if seen[w.Model] || !match.MatchString(w.Bench()+"/"+w.Name()) {
			continue
		}
		seen[w.Model] = true
		b, err := os.ReadFile(filepath.Join(modelFolder(), w.Model+".onnx"))
		if err != nil {
			missing = append(missing, Missing{w.Model + ".onnx", err.Error(), "make models"})
			continue
		}
		files[w.Model] = b
	}
	return files, missing
}

// The voice detectors take frames of 512 samples, 32 ms at 16 kHz. Those of version 5 and
// later also take the 64 samples before each.
const (
	frameSamples   = 512
	contextSamples = 64
	sampleRate     = 16000
	frames         = 16 // that are given in turn
)

// A Call holds the arguments of an ONNX model. Each call takes the inputs of the next
// frame and the states that the one before has left.
type Call struct {
	Frames  int
	Inputs  []Argument
	States  []Carried
	Outputs []Argument // without values
}

// An Argument is an input or output.
type Argument struct {
	Name   string
	Shape  []int
	Floats []float32 // [Frames, Shape...]
	Ints   []int64   // a scalar in the place of Floats; the same in all frames
}

// A Carried is a state: an output that is an input of the next call.
type Carried struct {
	In, Out string
	Shape   []int
	Start   []float32 // nil: zeros
}

// frame returns the values of one frame.
func (a *Argument) frame(i int) []float32 {
	if a.Floats == nil {
		return nil
	}
	n := elements(a.Shape)
	return a.Floats[i*n : (i+1)*n]
}

// start returns the elements before the first call.
func (s *Carried) start() []float32 {
	if s.Start == nil {
		return make([]float32, elements(s.Shape))
	}
	return slices.Clone(s.Start)
}

// names returns those of all inputs and of all outputs, the states last.
func (c *Call) names() (in, out []string) {
	for _, a := range c.Inputs {
		in = append(in, a.Name)
	}
	for _, a := range c.Outputs {
		out = append(out, a.Name)
	}
	for _, s := range c.States {
		in, out = append(in, s.In), append(out, s.Out)
	}
	return in, out
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// newCall draws the arguments of a public model. ndm is a GRU of 256 units on 4 inputs,
// and three dense layers on its last step. The voice detectors take a frame in each call
// and carry states.
func newCall(w Workload, uniform func(n int, bound float64) []float32) *Call {
	b := w.B
	switch w.Model {
	case "add":
		return &Call{
			Frames:  1,
			Inputs:  []Argument{{Name: "X", Shape: []int{1}, Floats: uniform(1, 1)}},
			Outputs: []Argument{{Name: "Y", Shape: []int{1}}},
		}
	case "ndm":
		return &Call{
			Frames: 1,
			Inputs: []Argument{
				{Name: "sensor_input", Shape: []int{b, w.T, 4}, Floats: uniform(b*w.T*4, 1)},
				{Name: "setpoint_input", Shape: []int{b, 1}, Floats: uniform(b, 1)},
			},
			Outputs: []Argument{{Name: "optimal_supply_temp", Shape: []int{b, 1}}},
		}
	}
	c := &Call{Frames: frames, Outputs: []Argument{{Name: "output", Shape: []int{b, 1}}}}
	context := contextSamples
	if w.Model == "silero_vad_legacy" {
		context = 0
		for _, s := range []string{"h", "c"} {
			c.States = append(c.States, Carried{In: s, Out: s + "n", Shape: []int{2, b, 64}})
		}
	} else {
		c.States = []Carried{{In: "state", Out: "stateN", Shape: []int{2, b, 128}}}
	}
	c.Inputs = []Argument{
		{Name: "input", Shape: []int{b, context + frameSamples}, Floats: windows(voices(b, uniform), context)},
		{Name: "sr", Ints: []int64{sampleRate}},
	}
	return c
}

// voices returns sound like vowels, [streams, frames·frameSamples]: harmonics of a tone
// that swells and ebbs, and noise.
func voices(streams int, uniform func(n int, bound float64) []float32) []float32 {
	const samples = frames * frameSamples
	x := uniform(streams*samples, 0.01)
	for s := range streams {
		tone := 2 * math.Pi * (100 + 150*float64(s)/float64(streams)) / sampleRate // of a step, in radians
		for i := range samples {
			loud := math.Sin(math.Pi * float64(i) / samples)
			for k := 1; k <= 20; k++ {
				x[s*samples+i] += float32(0.1 * loud / float64(k) * math.Sin(float64(k*i)*tone))
			}
		}
	}
	return x
}

// windows returns the frames of some streams, each after the samples before it:
// [frames, streams, context+frameSamples].
func windows(x []float32, context int) []float32 {
	const samples = frames * frameSamples
	var all []float32
	for f := range frames {
		for stream := range slices.Chunk(x, samples) {
			if f == 0 {
				all = append(all, make([]float32, context)...)
			} else {
				all = append(all, stream[f*frameSamples-context:f*frameSamples]...)
			}
			all = append(all, stream[f*frameSamples:(f+1)*frameSamples]...)
		}
	}
	return all
}

// calls is an Instance that calls a model.
type calls struct {
	*Call
	call  func(frame int) error
	get   func(name string) []float32 // an output, or a state by the name of its output
	close func()
	next  int // frame
}

// Results returns the outputs of all frames, one after the other, and the last states.
func (c *calls) Results() (Results, error) {
	r := Results{}
	for range c.Frames {
		if _, err := c.Run(1); err != nil {
			return nil, err
		}
		for _, a := range c.Outputs {
			r[a.Name] = append(r[a.Name], widen(c.get(a.Name))...)
		}
	}
	for _, s := range c.States {
		r[s.Out] = widen(c.get(s.Out))
	}
	return r, nil
}

func (c *calls) Run(n int) (time.Duration, error) {
	start := time.Now()
	for range n {
		if err := c.call(c.next); err != nil {
			return 0, err
		}
		if c.next++; c.next == c.Frames {
			c.next = 0
		}
	}
	return time.Since(start), nil
}

func (c *calls) Close() {
	if c.close != nil {
		c.close()
	}
}

func oursONNX(e *kernels.Engine, d *Data) (Instance, error) {
	m, err := onnx.Load(e, bytes.NewReader(d.Model))
	if err != nil {
		return nil, err
	}
	c := d.Call
	in, out := map[string]*onnx.Tensor{}, map[string]*onnx.Tensor{}
	for _, a := range c.Inputs {
		in[a.Name] = &onnx.Tensor{Shape: a.Shape, Ints: a.Ints}
	}
	for _, s := range c.States {
		in[s.In], out[s.Out] = &onnx.Tensor{Shape: s.Shape, Floats: s.start()}, &onnx.Tensor{}
	}
	for _, a := range c.Outputs {
		out[a.Name] = &onnx.Tensor{}
	}
	return &calls{
		Call: c,
		call: func(frame int) error {
			for i := range c.Inputs {
				in[c.Inputs[i].Name].Floats = c.Inputs[i].frame(frame)
			}
			if err := m.Run(in, out); err != nil {
				return err
			}
			for _, s := range c.States {
				in[s.In], out[s.Out] = out[s.Out], in[s.In]
			}
			return nil
		},
		get: func(name string) []float32 {
			for _, s := range c.States {
				if s.Out == name {
					return in[s.In].Floats
				}
			}
			return out[name].Floats
		},
	}, nil
}
