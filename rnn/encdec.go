package rnn

import "fmt"

// An EncoderDecoder turns a source sequence into a target sequence of another
// length (Sutskever, Vinyals & Le 2014; Cho et al. 2014): the encoder reads the
// source, its last states are the initial ones of the decoder, which writes the
// target id by id and reads at each step what it has written last.
//
//	state = encoder(x_1 … x_S)
//	p(y)  = Π_t softmax(decoder(state, End, y_1 … y_{t-1}))[y_t]
//
// Where the encoder has two directions, each layer of the decoder starts from
// both of the layer's last states side by side.
//
// Each model is stepped, saved and made compact on its own.
type EncoderDecoder struct {
	Encoder, Decoder *Model
	// End is the id that a target ends with, and that the decoder reads first.
	End int32
}

// NewEncoderDecoder joins two models. It returns an error where the encoder's
// states are not what the decoder starts from: as many layers, and in each as many
// floats; where the decoder can't read what it writes, or End is not of it; and
// where the encoder has an output layer, which nothing would train.
func NewEncoderDecoder(encoder, decoder *Model, end int32) (*EncoderDecoder, error) {
	e, d := encoder.Config, decoder.Config
	switch {
	case encoder == decoder:
		return nil, fmt.Errorf("rnn: the encoder is the decoder: make two models")
	case e.Output != 0:
		return nil, fmt.Errorf("rnn: the encoder has %d outputs, but only its states are read: set its Config.Output to 0", e.Output)
	case d.Dense || d.Output == 0 || d.Output > d.Input:
		return nil, fmt.Errorf("rnn: a decoder needs outputs that are its next inputs, ids: it has %d outputs, and %s", d.Output, d.inputs())
	case d.Bidirectional || d.LastStep:
		return nil, fmt.Errorf("rnn: a decoder has one direction and an output at every step: leave its Config.Bidirectional and Config.LastStep out")
	case e.Layers != d.Layers:
		return nil, fmt.Errorf("rnn: an encoder of %d layers and a decoder of %d: each layer starts from that of the other, give both as many", e.Layers, d.Layers)
	case e.width() != d.Hidden:
		return nil, fmt.Errorf("rnn: the encoder's layers end in %d floats, %d for each of %d directions, and the decoder's have %d hidden units: set its Config.Hidden to %d",
			e.width(), e.Hidden, e.directions(), d.Hidden, e.width())
	case end < 0 || int(end) >= d.Output:
		return nil, fmt.Errorf("rnn: the end of a target is id %d, which is outside the decoder's %d outputs", end, d.Output)
	}
	return &EncoderDecoder{Encoder: encoder, Decoder: decoder, End: end}, nil
}

// inputs says what the network reads.
func (c Config) inputs() string {
	if c.Dense {
		return fmt.Sprintf("vectors of %d floats as its input", c.Input)
	}
	return fmt.Sprintf("%d ids as its input", c.Input)
}

// A joint hands states from an encoder's workspace to a decoder's, and their
// gradients back.
type joint struct {
	from, to *Workspace
	state    []float32 // [L·D,B,H] as the encoder has it
}

func newJoint(from, to *Workspace) joint {
	return joint{from, to, make([]float32, from.m.cells()*from.B*from.m.Hidden)}
}

// start makes the encoder's last states the decoder's initial ones: those of
// sequence b of row b·every. The rows between stay as they are.
func (j *joint) start(every int) {
	j.from.State(j.state)
	for i := range j.from.m.Cells {
		k, d := j.from.m.place(i)
		for b := range j.from.B {
			j.to.m.engine.Copy(j.part(j.to.slot(j.to.layers[k].h, 0), d, b*every), j.from.cellRow(j.state, i, b))
		}
	}
}

// back returns the gradient of the encoder's last states, [L·D,B,H], given that of
// the decoder's initial ones.
func (j *joint) back() []float32 {
	for i := range j.from.m.Cells {
		k, d := j.from.m.place(i)
		layer := j.to.DH0[k*j.to.B*j.to.m.Hidden:]
		for b := range j.from.B {
			j.to.m.engine.Copy(j.from.cellRow(j.state, i, b), j.part(layer, d, b))
		}
	}
	return j.state
}

// part returns what direction d of the encoder gives to row b of a layer of the
// decoder, [B,H].
func (j *joint) part(layer []float32, d, b int) []float32 {
	return layer[b*j.to.m.Hidden+d*j.from.m.Hidden:][:j.from.m.Hidden]
}
