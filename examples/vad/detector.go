package main

import (
	"fmt"
	"slices"

	"batchrnn/rnn/onnx"
)

const frameSeconds = 0.032

// A Detector gives the probability that a frame of 32 ms has speech in it, by a model of
// the family Silero VAD. It runs several streams as one batch. It has a state for each
// stream, and so belongs to one goroutine. Steady-state calls allocate nothing.
//
//	                            legacy (v4)       v5 and v6
//	input   [streams,N] float   a frame           the last samples of the frame before, and a frame
//	sr      scalar int64        the rate          the same
//	state   float               h, c [2,S,64]     state [2,S,128]
//	output  [streams,1] float   the probability   the same
//
// A frame has 512 samples at 16 kHz and 256 at 8 kHz. The last samples are 64 and 32;
// before the first frame they are silence, and the state is 0.
type Detector struct {
	model   *onnx.Model
	frame   int // samples
	context int // samples of the frame before that the model reads again
	streams int

	in, out map[string]*onnx.Tensor
	input   *onnx.Tensor
	output  *onnx.Tensor
	states  [][2]*onnx.Tensor // of in and out, which change places after each frame
}

// NewDetector returns a detector for audio of rate samples a second, 8000 or 16000. It
// returns an error for a model that is not of the family.
func NewDetector(m *onnx.Model, rate, streams int) (*Detector, error) {
	if rate != 8000 && rate != 16000 {
		return nil, fmt.Errorf("%d samples a second: the models know 8000 and 16000", rate)
	}
	if streams < 1 {
		return nil, fmt.Errorf("%d streams: at least 1 is needed", streams)
	}
	d := &Detector{model: m, frame: rate * 32 / 1000, streams: streams,
		in: map[string]*onnx.Tensor{}, out: map[string]*onnx.Tensor{}}
	inputs, outputs := names(m.Inputs()), names(m.Outputs())
	switch {
	case slices.Equal(inputs, []string{"c", "h", "input", "sr"}) && slices.Equal(outputs, []string{"cn", "hn", "output"}):
		d.state("h", "hn", 64)
		d.state("c", "cn", 64)
	case slices.Equal(inputs, []string{"input", "sr", "state"}) && slices.Equal(outputs, []string{"output", "stateN"}):
		d.state("state", "stateN", 128)
		d.context = d.frame / 8
	default:
		return nil, fmt.Errorf("not a model of Silero VAD: its inputs are %q and its outputs %q; want input, sr, h, c or input, sr, state", inputs, outputs)
	}
	width := d.context + d.frame
	d.input = &onnx.Tensor{Shape: []int{streams, width}, Floats: make([]float32, streams*width)}
	d.output = &onnx.Tensor{}
	d.in["input"], d.out["output"] = d.input, d.output
	d.in["sr"] = &onnx.Tensor{Ints: []int64{int64(rate)}}
	// The first run makes every buffer, and finds out what the names don't tell.
	if err := m.Run(d.in, d.out); err != nil {
		return nil, err
	}
	if n := len(d.output.Floats); n != streams {
		return nil, fmt.Errorf("not a model of Silero VAD: %d outputs for %d streams", n, streams)
	}
	for _, s := range d.states {
		if !slices.Equal(s[0].Shape, s[1].Shape) {
			return nil, fmt.Errorf("not a model of Silero VAD: a state of shape %d becomes %d", s[0].Shape, s[1].Shape)
		}
	}
	return d, nil
}

func names(values []onnx.Value) (names []string) {
	for _, v := range values {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return names
}

// state adds a state of width values for each stream, in two layers or halves.
func (d *Detector) state(in, out string, width int) {
	s := [2]*onnx.Tensor{{Shape: []int{2, d.streams, width}, Floats: make([]float32, 2*d.streams*width)}, {}}
	d.in[in], d.out[out] = s[0], s[1]
	d.states = append(d.states, s)
}

// Frame returns the number of samples of a frame.
func (d *Detector) Frame() int { return d.frame }

// Next returns the probability of speech in the next frame of the only stream.
func (d *Detector) Next(frame []float32) float32 {
	var p [1]float32
	d.NextAll(p[:], frame)
	return p[0]
}

// NextAll sets p[s] to the probability of speech in the next frame of stream s.
// frames [streams,Frame] has a row for each stream.
func (d *Detector) NextAll(p, frames []float32) {
	if len(frames) != d.streams*d.frame || len(p) != d.streams {
		panic(fmt.Sprintf("vad: frames and p have %d and %d values, want %d and %d for %d streams",
			len(frames), len(p), d.streams*d.frame, d.streams, d.streams))
	}
	width := d.context + d.frame
	for s := range d.streams {
		x := d.input.Floats[s*width:][:width]
		copy(x, x[d.frame:]) // the context
		copy(x[d.context:], frames[s*d.frame:])
	}
	if err := d.model.Run(d.in, d.out); err != nil {
		panic(err) // NewDetector has run the same shapes
	}
	for _, s := range d.states {
		s[0].Floats, s[1].Floats = s[1].Floats, s[0].Floats
	}
	copy(p, d.output.Floats)
}

// Reset begins all streams anew.
func (d *Detector) Reset() {
	clear(d.input.Floats)
	for _, s := range d.states {
		clear(s[0].Floats)
	}
}
