package seq2seq

import (
	"math"
	"slices"
	"strings"
	"testing"

	"batchrnn/rnn"
)

// TestEncoderDecoderErrors: models that don't fit are an error that says what would.
func TestEncoderDecoderErrors(t *testing.T) {
	e := newEngine(t, "", 1)
	encoder := rnn.Config{Input: 5, Layers: 2, Hidden: 6}
	decoder := rnn.Config{Input: 4, Layers: 2, Hidden: 6, Output: 4}
	for _, c := range []struct {
		name  string
		edit  func(encoder, decoder *rnn.Config)
		end   int32
		parts []string
	}{
		{"fits", func(_, _ *rnn.Config) {}, 3, nil},
		{"ends with the first id", func(_, _ *rnn.Config) {}, 0, nil},
		{"encoder with outputs", func(e, _ *rnn.Config) { e.Output = 3 }, 0, []string{"encoder has 3 outputs", "Config.Output"}},
		{"decoder without outputs", func(_, d *rnn.Config) { d.Output = 0 }, 0, []string{"0 outputs", "4 ids"}},
		{"decoder of vectors", func(_, d *rnn.Config) { d.Dense = true }, 0, []string{"vectors of 4 floats"}},
		{"decoder that writes more than it reads", func(_, d *rnn.Config) { d.Output = 5 }, 0, []string{"5 outputs", "4 ids"}},
		{"decoder of two directions", func(_, d *rnn.Config) { d.Bidirectional = true }, 0, []string{"one direction", "Config.Bidirectional"}},
		{"decoder with one output", func(_, d *rnn.Config) { d.LastStep = true }, 0, []string{"every step", "Config.LastStep"}},
		{"other layers", func(_, d *rnn.Config) { d.Layers = 1 }, 0, []string{"encoder of 2 layers", "decoder of 1"}},
		{"other widths", func(_, d *rnn.Config) { d.Hidden = 7 }, 0, []string{"6 floats", "1 directions", "7 hidden", "to 6"}},
		{"encoder of two directions", func(e, _ *rnn.Config) { e.Bidirectional = true }, 0, []string{"12 floats", "2 directions", "6 hidden", "to 12"}},
		{"LSTM and GRU", func(e, d *rnn.Config) { e.Cell, d.Cell = rnn.LSTM, rnn.GRU }, 0, []string{"lstm cells", "gru cells", "h and c", "Config.Cell"}},
		{"vanilla and LSTM", func(_, d *rnn.Config) { d.Cell = rnn.LSTM }, 0, []string{"rnn cells", "lstm cells"}},
		{"vanilla and GRU fit", func(_, d *rnn.Config) { d.Cell = rnn.GRU }, 0, nil},
		{"other projections", func(e, d *rnn.Config) {
			e.Cell, e.Hidden, e.Projection, e.Bidirectional = rnn.LSTM, 3, 2, true
			d.Cell, d.Projection = rnn.LSTM, 2
		}, 0, []string{"projections of 2 floats", "2 directions", "decoder's have 2", "Config.Projection to 4"}},
		{"projection of one alone", func(e, d *rnn.Config) { e.Cell, d.Cell, d.Projection = rnn.LSTM, rnn.LSTM, 2 }, 0, []string{"projections of 0 floats", "Config.Projection to 0"}},
		{"projections that fit", func(e, d *rnn.Config) {
			e.Cell, e.Hidden, e.Projection, e.Bidirectional = rnn.LSTM, 3, 2, true
			d.Cell, d.Projection = rnn.LSTM, 4
		}, 0, nil},
		{"end outside", func(_, _ *rnn.Config) {}, 4, []string{"id 4", "4 outputs"}},
		{"end negative", func(_, _ *rnn.Config) {}, -1, []string{"id -1"}},
	} {
		from, to := encoder, decoder
		c.edit(&from, &to)
		_, err := New(newModel(t, e, from, 1), newModel(t, e, to, 1), c.end)
		if (err == nil) != (c.parts == nil) {
			t.Errorf("%s: error %v", c.name, err)
		}
		for _, part := range c.parts {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error says %q, want %q in it", c.name, err, part)
			}
		}
	}
	one := newModel(t, e, decoder, 1)
	if _, err := New(one, one, 0); err == nil {
		t.Error("one model is both, and no error")
	}
}

// TestEncoderDecoderMistakes: each mistake panics with the argument, the wanted and
// the given, and before anything is written.
func TestEncoderDecoderMistakes(t *testing.T) {
	j := pairJobs[0]
	p := j.pair(t, newEngine(t, "", 1))
	tf, s := p.NewTraining(j.source, j.target, j.batch), p.NewSearch(j.source, j.target, j.batch, 2)
	fresh, scoring := p.NewTraining(1, 1, 1), p.NewScoring(1, 1, 1)
	source, target := j.data(1)
	with := func(ids []int32, id int32) []int32 {
		ids = slices.Clone(ids)
		ids[1] = id
		return ids
	}
	tf.Forward(source, target)
	tf.Backward(target)
	scoring.Forward(source[:1], target[:1])
	want := recorded(p, tf)
	for _, k := range []mistake{
		{"too few source ids", func() { tf.Forward(source[1:], target) }, []string{"rnn: ", "ids", "11", "12", "T·B"}},
		{"too few target ids", func() { tf.Forward(source, target[1:]) }, []string{"seq2seq: ", "target", "8", "9", "T·B"}},
		{"source id too large", func() { tf.Forward(with(source, 5), target) }, []string{"rnn: ", "id 5", "index 1", "5 inputs"}},
		{"target id too large", func() { tf.Forward(source, with(target, 4)) }, []string{"seq2seq: ", "target 4", "index 1", "4 outputs"}},
		{"vectors for ids", func() { tf.ForwardDense(nil, target) }, []string{"rnn: ", "ForwardDense", "Config.Dense"}},
		{"source lengths", func() { tf.SetLengths([]int32{1, 2}, nil) }, []string{"rnn: ", "SetLengths", "2 lengths", "3 sequences"}},
		{"target lengths", func() { tf.SetLengths(nil, []int32{1, 4, 1}) }, []string{"seq2seq: ", "SetLengths", "sequence 1", "4 steps", "3 of"}},
		{"Backward first", func() { fresh.Backward(target[:1]) }, []string{"rnn: ", "Backward", "Forward"}},
		{"Backward without room", func() { scoring.Backward(target[:1]) }, []string{"rnn: ", "Backward", "NewTraining"}},
		{"Decode: too few ids", func() { s.Decode(source[1:]) }, []string{"rnn: ", "ids", "11", "12"}},
		{"Decode: id too large", func() { s.Decode(with(source, 5)) }, []string{"rnn: ", "id 5", "5 inputs"}},
		{"DecodeDense: vectors for ids", func() { s.DecodeDense(nil) }, []string{"rnn: ", "Config.Dense"}},
		{"no beam", func() { p.NewSearch(1, 1, 1, 0) }, []string{"seq2seq: ", "NewSearch", "beam of 0", "at least 1"}},
		{"no steps", func() { p.NewSearch(1, 0, 1, 1) }, []string{"seq2seq: ", "NewSearch", "0 steps"}},
		{"a beam past every memory", func() { p.NewSearch(1, 1, 2, math.MaxInt) }, []string{"seq2seq: ", "NewSearch", "more than"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			mustPanic(t, k.call, k.parts...)
			for i, v := range recorded(p, tf) {
				sameBits(t, "after the panic", v, want[i])
			}
		})
	}
}

// TestEncoderDecoderChecksFirst: a pass that one of the models refuses changes nothing
// of the other one, whose initial states and gradient stay.
func TestEncoderDecoderChecksFirst(t *testing.T) {
	j := pairJobs[0]
	e := newEngine(t, "", 1)
	p := j.pair(t, e)
	source, target := j.data(1)
	tf := p.NewTraining(j.source, j.target, j.batch)
	start := rnn.State{H: randomFloats(newRand(1), len(p.Encoder.Cells)*j.batch*p.Encoder.Hidden)}
	gradient := func() []float32 { // of the encoder from the initial states that it has
		tf.Encoder.Forward(source)
		tf.Encoder.BackwardStates(nil, start)
		return slices.Clone(tf.Encoder.Grads.Slab)
	}
	tf.Forward(source, target)
	tf.Backward(target)
	tf.Encoder.SetState(start)
	want := gradient()
	outside := slices.Clone(source)
	outside[1] = int32(j.encoder.Input)
	mustPanic(t, func() { tf.Forward(outside, target) }, "rnn: ", "id 5")
	mustPanic(t, func() { tf.ForwardDense(nil, target) }, "rnn: ", "Config.Dense")
	sameBits(t, "the gradient after bad sources", gradient(), want)

	p.Decoder.Cells[0].Wh[0]++
	mustPanic(t, func() { tf.Forward(source, target) }, "rnn: Forward", "rnn.weight_hh_l0", "Update")
	p.Decoder.Update()
	sameBits(t, "the gradient after a bad decoder", gradient(), want)

	untouched := slices.Repeat([]float32{7}, len(tf.Decoder.Grads.Slab))
	for _, bad := range []struct {
		part  string
		spoil func()
	}{
		{"call Model.Update", func() { p.Encoder.Cells[0].Wh[0]++ }},
		{"compact", p.Encoder.Compact},
	} {
		p.Encoder.Update()
		tf.Forward(source, target)
		copy(tf.Decoder.Grads.Slab, untouched)
		bad.spoil()
		mustPanic(t, func() { tf.Backward(target) }, "rnn: BackwardStates", bad.part)
		sameBits(t, "the decoder's gradient", tf.Decoder.Grads.Slab, untouched)
	}
}

// A mistake is a call that must panic, and what its message must name.
type mistake struct {
	name  string
	call  func()
	parts []string
}

// recorded returns copies of everything that a mistake must leave alone.
func recorded(p *EncoderDecoder, t *TeacherForcing) [][]float32 {
	ends, starts := p.Encoder.NewState(t.Encoder.B), p.Decoder.NewState(t.Decoder.B)
	t.Encoder.State(ends)
	t.Decoder.State(starts)
	all := [][]float32{ends.H, ends.C, starts.H, starts.C}
	for _, v := range [][]float32{
		t.Encoder.States(), t.Encoder.Grads.Slab, p.Encoder.Slab,
		t.Decoder.States(), t.Decoder.Grads.Slab, p.Decoder.Slab, t.Decoder.Losses,
	} {
		all = append(all, slices.Clone(v))
	}
	return all
}
