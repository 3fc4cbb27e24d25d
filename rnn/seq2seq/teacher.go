package seq2seq

import (
	"fmt"

	"batchrnn/rnn"
)

// A TeacherForcing trains and scores an encoder-decoder on known targets. At each step
// the decoder reads the target's previous id, not its own last output (Williams &
// Zipser 1989). Allocations are as for an [rnn.Workspace]. Only one goroutine at a time
// may use it.
//
//	tf := p.NewTraining(S, T, B)
//	tf.SetLengths(sourceLengths, targetLengths)
//	tf.Forward(source, target)
//	loss := tf.Backward(target)
//	p.Encoder.Step(optEncoder, tf.Encoder.Grads.Slab, 1)
//	p.Decoder.Step(optDecoder, tf.Decoder.Grads.Slab, 1)
type TeacherForcing struct {
	// Encoder and Decoder are the workspaces, of S and T steps. Their Losses and Grads
	// are read-only. Dropout, WeightLabels and KeepStateGradients work as in any
	// workspace.
	Encoder, Decoder *rnn.Workspace

	joint   joint
	read    []int32 // [T,B], the input of the decoder
	lengths []int32 // [B], of targets; nil if all are T
	room    []int32 // [B], the memory of lengths
}

// NewTraining returns a TeacherForcing that trains on batch pairs. Sources have at most
// source steps, and targets at most target steps, End included.
func (p *EncoderDecoder) NewTraining(source, target, batch int) *TeacherForcing {
	t := p.teach(p.Encoder.NewTraining(source, batch), p.Decoder.NewTraining(target, batch))
	t.Decoder.KeepInputGradients()
	return t
}

// NewScoring is NewTraining without the buffers for Backward.
func (p *EncoderDecoder) NewScoring(source, target, batch int) *TeacherForcing {
	return p.teach(p.Encoder.NewWorkspace(source, batch), p.Decoder.NewWorkspace(target, batch))
}

func (p *EncoderDecoder) teach(encoder, decoder *rnn.Workspace) *TeacherForcing {
	return &TeacherForcing{
		Encoder: encoder, Decoder: decoder,
		joint: p.join(encoder, decoder, 1),
		read:  make([]int32, decoder.T*decoder.B),
		room:  make([]int32, decoder.B),
	}
}

// SetLengths sets how many steps each source has, and how many each target has, End
// included. nil means that all have the maximum. A source may be empty, a target not. See
// [rnn.Workspace.SetLengths].
func (t *TeacherForcing) SetLengths(source, target []int32) {
	t.checkLengths(target)
	t.Encoder.SetLengths(source)
	t.Decoder.SetLengths(target)
	t.lengths = nil
	if target != nil {
		t.lengths = t.room
		copy(t.lengths, target)
	}
}

// Forward reads the sources, ids [S,B], from zero states. It then runs the decoder
// along the targets, [T,B], whose last id should be End. The decoder reads a target of
// Ignore as no input. It panics if [rnn.Workspace.Forward] would. It also panics if
// target has another length, or an id that is no output of the decoder. Both models are
// checked before either runs.
func (t *TeacherForcing) Forward(source, target []int32) {
	t.take("Forward", target)
	t.Encoder.CheckForward(source)
	t.Decoder.CheckForward(t.read)
	t.Encoder.Reset()
	t.Encoder.Forward(source)
	t.follow()
}

// ForwardDense is Forward for an encoder with a dense input, [S,B,E].
func (t *TeacherForcing) ForwardDense(source []float32, target []int32) {
	t.take("ForwardDense", target)
	t.Encoder.CheckForwardDense(source)
	t.Decoder.CheckForward(t.read)
	t.Encoder.Reset()
	t.Encoder.ForwardDense(source)
	t.follow()
}

// take makes of the targets what the decoder reads, one step behind.
func (t *TeacherForcing) take(op string, target []int32) {
	t.checkTarget(op, target)
	b := t.Decoder.B
	for i := range b {
		t.read[i] = t.joint.pair.End
	}
	for i, id := range target[:len(target)-b] {
		if id == rnn.Ignore {
			id = rnn.None
		}
		t.read[b+i] = id
	}
}

// follow runs the decoder along what has been taken.
func (t *TeacherForcing) follow() {
	t.joint.start()
	t.Decoder.Forward(t.read)
}

// Loss returns the mean cross-entropy of the targets in nats per id, End included. See
// [rnn.Workspace.Loss].
func (t *TeacherForcing) Loss(target []int32) float64 { return t.Decoder.Loss(target) }

// Backward computes the gradient of Loss with respect to all parameters of both models,
// and returns the loss. The gradient goes through the decoder and its initial states
// into the encoder. It panics if [rnn.Workspace.Backward] would.
func (t *TeacherForcing) Backward(target []int32) float64 {
	t.Encoder.CheckBackwardStates(nil, t.joint.ends)
	loss := t.Decoder.Backward(target)
	t.Encoder.BackwardStates(nil, t.joint.back())
	return loss
}

// checkLengths panics before the encoder takes its lengths.
func (t *TeacherForcing) checkLengths(target []int32) {
	if target == nil {
		return
	}
	if len(target) != t.Decoder.B {
		panic(fmt.Sprintf("seq2seq: SetLengths: %d lengths for a batch of %d target sequences", len(target), t.Decoder.B))
	}
	for b, n := range target {
		if n < 1 || int(n) > t.Decoder.T {
			panic(fmt.Sprintf("seq2seq: SetLengths: target sequence %d has %d steps, must be from 1 to the %d of the workspace", b, n, t.Decoder.T))
		}
	}
}

// checkTarget panics before the encoder runs.
func (t *TeacherForcing) checkTarget(op string, target []int32) {
	steps, batch, outputs := t.Decoder.T, t.Decoder.B, t.joint.pair.Decoder.Output
	if len(target) != steps*batch {
		panic(fmt.Sprintf("seq2seq: %s: target has length %d, want %d = T·B for T %d, B %d", op, len(target), steps*batch, steps, batch))
	}
	for row, id := range target {
		ended := t.lengths != nil && row/batch >= int(t.lengths[row%batch])
		if (id < 0 || int(id) >= outputs) && id != rnn.Ignore && !ended {
			panic(fmt.Sprintf("seq2seq: %s: target %d at index %d is outside the %d outputs", op, id, row, outputs))
		}
	}
}
