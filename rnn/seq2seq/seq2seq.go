// Package seq2seq is the encoder-decoder on two networks of batchrnn/rnn. It trains by
// teacher forcing, and decodes by greedy or beam search.
package seq2seq

import (
	"fmt"

	"batchrnn/rnn"
)

// An EncoderDecoder turns a source sequence into a target sequence of another length
// (Sutskever, Vinyals & Le 2014; Cho et al. 2014). The encoder reads the source. Its
// last states are the initial states of the decoder. The decoder writes the target id
// by id, and at each step reads the id that it wrote last.
//
//	state = encoder(x_1 … x_S)
//	p(y)  = Π_t softmax(decoder(state, End, y_1 … y_{t-1}))[y_t]
//
// If the encoder has two directions, each decoder layer starts from both last states of
// its encoder layer.
//
// Step, save and compact each model separately.
type EncoderDecoder struct {
	Encoder, Decoder *rnn.Model
	// End is the id that ends a target, and the first id that the decoder reads. Change
	// it only before the first training, scoring or search is made.
	End int32
}

// New joins two models. It returns an error in these cases:
//
//   - the encoder and the decoder are the same model;
//   - the encoder has an output layer, which nothing would train;
//   - the decoder can't read its own outputs, or End is not one of them;
//   - the decoder is bidirectional or has LastStep;
//   - the states differ in the number of layers or in their widths;
//   - only one of them is of LSTM cells, whose state is h and c.
func New(encoder, decoder *rnn.Model, end int32) (*EncoderDecoder, error) {
	e, d := encoder.Config, decoder.Config
	directions := 1
	if e.Bidirectional {
		directions = 2
	}
	width := directions * e.Hidden
	switch {
	case encoder == decoder:
		return nil, fmt.Errorf("seq2seq: the encoder is the decoder: make two models")
	case e.Output != 0:
		return nil, fmt.Errorf("seq2seq: the encoder has %d outputs, but only its states are read: set its Config.Output to 0", e.Output)
	case d.Dense || d.Output == 0 || d.Output > d.Input:
		return nil, fmt.Errorf("seq2seq: a decoder needs outputs that are its next inputs, ids: it has %d outputs, and %s", d.Output, inputs(d))
	case d.Bidirectional || d.LastStep:
		return nil, fmt.Errorf("seq2seq: a decoder has one direction and an output at every step: leave its Config.Bidirectional and Config.LastStep out")
	case e.Layers != d.Layers:
		return nil, fmt.Errorf("seq2seq: an encoder of %d layers and a decoder of %d: each layer starts from that of the other, give both as many", e.Layers, d.Layers)
	case (e.Cell == rnn.LSTM) != (d.Cell == rnn.LSTM):
		return nil, fmt.Errorf("seq2seq: an encoder of %v cells and a decoder of %v cells: the state of an LSTM is h and c, that of others h: give both the same Config.Cell", e.Cell, d.Cell)
	case width != d.Hidden:
		return nil, fmt.Errorf("seq2seq: the encoder's layers end in %d floats, %d for each of %d directions, and the decoder's have %d hidden units: set its Config.Hidden to %d",
			width, e.Hidden, directions, d.Hidden, width)
	case directions*e.Projection != d.Projection:
		return nil, fmt.Errorf("seq2seq: the encoder's layers end in projections of %d floats for each of %d directions, the decoder's have %d: set its Config.Projection to %d",
			e.Projection, directions, d.Projection, directions*e.Projection)
	case end < 0 || int(end) >= d.Output:
		return nil, fmt.Errorf("seq2seq: the end of a target is id %d, which is outside the decoder's %d outputs", end, d.Output)
	}
	return &EncoderDecoder{Encoder: encoder, Decoder: decoder, End: end}, nil
}

// inputs describes the input of a network.
func inputs(c rnn.Config) string {
	if c.Dense {
		return fmt.Sprintf("vectors of %d floats as its input", c.Input)
	}
	return fmt.Sprintf("%d ids as its input", c.Input)
}

// A joint passes states from an encoder's workspace to a decoder's, and gradients back.
type joint struct {
	pair             EncoderDecoder
	encoder, decoder *rnn.Workspace
	every            int       // sequence b starts the decoder's row b·every
	ends             rnn.State // the encoder's last states, or their gradient
	starts           rnn.State // the decoder's initial states
}

func (p *EncoderDecoder) join(encoder, decoder *rnn.Workspace, every int) joint {
	return joint{*p, encoder, decoder, every, p.Encoder.NewState(encoder.B), p.Decoder.NewState(decoder.B)}
}

// start makes the encoder's last states the decoder's initial states. Rows between
// those of two sequences start from zero.
func (j *joint) start() {
	j.encoder.State(j.ends)
	j.each(j.starts, func(end, start []float32) { j.pair.Decoder.Engine().Copy(start, end) })
	j.decoder.SetState(j.starts)
}

// back returns the gradient of the encoder's last states, given that of the decoder's
// initial ones.
func (j *joint) back() rnn.State {
	j.each(j.decoder.DState, func(end, start []float32) { j.pair.Encoder.Engine().Copy(end, start) })
	return j.ends
}

// each calls f with the last state of each of the encoder's cells and sequences, and
// with its place in starts, where the directions of a layer are side by side.
func (j *joint) each(starts rnn.State, f func(end, start []float32)) {
	j.rows(j.ends.H, starts.H, f)
	j.rows(j.ends.C, starts.C, f)
}

// rows is each of one of the arrays of a state.
func (j *joint) rows(ends, starts []float32, f func(end, start []float32)) {
	cells, directions := len(j.pair.Encoder.Cells), len(j.pair.Encoder.Cells)/len(j.pair.Decoder.Cells)
	n := len(ends) / cells / j.encoder.B
	if n == 0 {
		return
	}
	for i := range cells {
		k, d := i/directions, i%directions
		for b := range j.encoder.B {
			row := k*j.decoder.B + b*j.every
			f(ends[(i*j.encoder.B+b)*n:][:n], starts[(row*directions+d)*n:][:n])
		}
	}
}
