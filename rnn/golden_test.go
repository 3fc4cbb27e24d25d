package rnn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"batchrnn/kernels"
)

// TestGoldenRNN holds the states and their gradients to PyTorch's nn.RNN: of one
// layer and two, one direction and both, sequences of one and of different lengths.
func TestGoldenRNN(t *testing.T) {
	for _, name := range []string{"rnn_tanh", "rnn_relu", "rnn_tanh_odd", "rnn_tanh_2layer_bidir", "rnn_tanh_lengths",
		"lstm", "lstm_2layer_bidir_lengths", "lstm_proj", "gru", "gru_2layer_bidir_lengths"} {
		t.Run(name, func(t *testing.T) {
			g := openGolden(t, name)
			eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) { goldenRNN(t, e, g) })
		})
	}
}

func goldenRNN(t *testing.T, e *kernels.Engine, g golden) {
	steps, rows, in, hidden := g.size("T"), g.size("B"), g.size("input"), g.size("hidden")
	c := Config{Input: in, Dense: true, Layers: g.size("layers"), Bidirectional: g.meta["bidirectional"] == "True", Hidden: hidden}
	switch g.meta["kind"] {
	case "lstm":
		c.Cell, c.TwoBiases = LSTM, true
	case "gru":
		c.Cell = GRU
	default:
		c.Activation = g.activation()
	}
	if g.meta["proj"] != "" {
		c.Projection = g.size("proj")
	}
	m, err := New(e, c, 1)
	if err != nil {
		t.Fatal(err)
	}
	g.load(m)

	ws := m.NewTraining(steps, rows)
	ws.KeepInputGradients()
	ws.SetState(g.state("h0", "c0"))
	b := batch{}
	if g.meta["packed"] == "True" {
		b.lengths = g.ids("lengths")
		ws.SetLengths(b.lengths)
	}
	ws.ForwardDense(g.f32("x"))
	only := newNaiveInput(b, steps, rows)
	near(t, "y", onlySteps(only, ws.States()), onlySteps(only, g.f64("y")), 1e-5)
	last := m.NewState(rows)
	ws.State(last)
	near(t, "hn", last.H, g.f64("hn"), 1e-5)
	if c.Cell == LSTM {
		near(t, "cn", last.C, g.f64("cn"), 1e-5)
	}

	ws.BackwardStates(g.f32("dy"), g.state("dhn", "dcn"))
	nearScaled(t, "dx", ws.DX, g.f64("grad.x"), 1e-4)
	nearScaled(t, "dh0", ws.DState.H, g.f64("grad.h0"), 1e-4)
	if c.Cell == LSTM {
		nearScaled(t, "dc0", ws.DState.C, g.f64("grad.c0"), 1e-4)
	}
	for i, grads := range ws.Grads.Cells {
		name := goldenCell(c, i)
		gates := len(grads.Bh)
		nearScaled(t, "dWx of "+name, transposed(grads.Wx, c.reads(i/c.directions()), gates), g.f64("grad.weight_ih_"+name), 1e-4)
		nearScaled(t, "dWh of "+name, transposed(grads.Wh, c.stateWidth(), gates), g.f64("grad.weight_hh_"+name), 1e-4)
		nearScaled(t, "db of "+name, grads.Bh, g.f64("grad.bias_ih_"+name), 1e-4)
		second := grads.Bh
		if grads.Br != nil {
			second = grads.Br
		}
		nearScaled(t, "second db of "+name, second, g.f64("grad.bias_hh_"+name), 1e-4)
		if c.Projection > 0 {
			nearScaled(t, "dWr of "+name, transposed(grads.Wr, hidden, c.Projection), g.f64("grad.weight_hr_"+name), 1e-4)
		}
	}
}

// goldenCell is what PyTorch's names of cell i's parameters end in.
func goldenCell(c Config, i int) string {
	k, d := c.place(i)
	return fmt.Sprintf("l%d%s", k, [...]string{"", "_reverse"}[d])
}

// TestGoldenCharLM holds 20 steps of training to PyTorch's.
func TestGoldenCharLM(t *testing.T) {
	for _, name := range []string{"charlm_tanh", "charlm_relu", "charlm_lstm", "charlm_gru", "charlm_gru_adamw"} {
		t.Run(name, func(t *testing.T) {
			g := openGolden(t, name)
			eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) { goldenCharLM(t, e, g) })
		})
	}
}

func goldenCharLM(t *testing.T, e *kernels.Engine, g golden) {
	steps, rows, vocab, hidden := g.size("T"), g.size("B"), g.size("vocab"), g.size("hidden")
	c := Config{Input: vocab, Layers: 1, Hidden: hidden, Output: vocab}
	if kind := g.meta["cell"]; kind == "" {
		c.Activation = g.activation()
	} else if err := c.Cell.UnmarshalText([]byte(kind)); err != nil {
		t.Fatal(err)
	}
	c.TwoBiases = c.Cell != Vanilla
	m, err := New(e, c, 1)
	if err != nil {
		t.Fatal(err)
	}
	g.load(m)

	ws := m.NewTraining(steps, rows)
	ids, targets := g.ids("ids"), g.ids("targets")
	clip := g.number("clip_norm")
	var opt Optimizer = NewSGD(float32(g.number("lr")))
	if strings.HasPrefix(g.meta["optimizer"], "AdamW") {
		adam := NewAdamW(m, 0.01, 0.1)
		adam.Beta2 = 0.99
		opt = adam
	}
	losses, norms := g.f64("losses"), g.f64("grad_norms")
	for i := range g.size("steps") {
		ws.Reset()
		ws.Forward(ids)
		if i == 0 {
			logits := make([]float32, rows*vocab)
			for s := range steps {
				ws.Logits(logits, s)
				near(t, "logits", logits, g.f64("logits")[s*rows*vocab:][:rows*vocab], 1e-5)
			}
		}
		loss := ws.Backward(targets)
		if i == 0 {
			goldenFirstGradients(t, g, ws, float32(min(1, clip/norms[0])))
		}
		var norm float64
		if c.TwoBiases {
			norm = m.Step(opt, ws.Grads.Slab, float32(clip))
		} else {
			norm = stepTwoBiases(m, opt.(*SGD), ws.Grads, float32(clip))
		}
		if !within(loss, losses[i], 1e-5) {
			t.Errorf("step %d: loss %.8f, want %.8f", i+1, loss, losses[i])
		}
		if !within(norm, norms[i], 1e-4*norms[i]) {
			t.Errorf("step %d: gradient norm %.8f, want %.8f", i+1, norm, norms[i])
		}
	}

	cell := m.Cells[0]
	bias := slices.Clone(g.f64("final.rnn.bias_ih_l0"))
	if c.TwoBiases {
		near(t, "final Br", cell.Br, g.f64("final.rnn.bias_hh_l0"), 1e-4)
	} else {
		for i, b := range g.f64("final.rnn.bias_hh_l0") {
			bias[i] += b
		}
	}
	near(t, "final Wx", transposed(cell.Wx, vocab, len(bias)), g.f64("final.rnn.weight_ih_l0"), 1e-4)
	near(t, "final Wh", transposed(cell.Wh, hidden, len(bias)), g.f64("final.rnn.weight_hh_l0"), 1e-4)
	near(t, "final Bh", cell.Bh, bias, 1e-4)
	near(t, "final Wy", transposed(m.Wy, hidden, vocab), g.f64("final.out.weight"), 1e-4)
	near(t, "final By", m.By, g.f64("final.out.bias"), 1e-4)
}

// goldenFirstGradients compares the gradients of the first step, which the
// reference holds after clipping.
func goldenFirstGradients(t *testing.T, g golden, ws *Workspace, clipped float32) {
	t.Helper()
	c := ws.m.Config
	after := newParams(c)
	for i, x := range ws.Grads.Slab {
		after.Slab[i] = clipped * x
	}
	cell := after.Cells[0]
	gates := len(cell.Bh)
	nearScaled(t, "dWx", transposed(cell.Wx, c.Input, gates), g.f64("grad.rnn.weight_ih_l0"), 1e-4)
	nearScaled(t, "dWh", transposed(cell.Wh, c.Hidden, gates), g.f64("grad.rnn.weight_hh_l0"), 1e-4)
	nearScaled(t, "dBh", cell.Bh, g.f64("grad.rnn.bias_ih_l0"), 1e-4)
	if cell.Br == nil {
		cell.Br = cell.Bh
	}
	nearScaled(t, "dBr", cell.Br, g.f64("grad.rnn.bias_hh_l0"), 1e-4)
	nearScaled(t, "dWy", transposed(after.Wy, c.Hidden, c.Output), g.f64("grad.out.weight"), 1e-4)
	nearScaled(t, "dBy", after.By, g.f64("grad.out.bias"), 1e-4)
}

// stepTwoBiases takes one step of gradient descent as PyTorch does it, with two
// biases b_ih and b_hh where this package has their sum.
//
// Both have the gradient g of the sum, so the norm counts 2g² and the sum moves
// by twice -lr·g. With √2·g in the place of g the norm counts (√2·g)² = 2g², and
// the bias moves by -lr·√2·g; √2-1 times that move is still missing.
func stepTwoBiases(m *Model, opt *SGD, grads Params, clip float32) (norm float64) {
	before := append([]float32(nil), m.Cells[0].Bh...)
	for i := range grads.Cells[0].Bh {
		grads.Cells[0].Bh[i] *= math.Sqrt2
	}
	norm = m.Step(opt, grads.Slab, clip)
	for i, b := range m.Cells[0].Bh {
		m.Cells[0].Bh[i] = b + (math.Sqrt2-1)*(b-before[i])
	}
	m.Update()
	return norm
}

func transposed(src []float32, rows, cols int) []float32 {
	dst := make([]float32, len(src))
	transpose(dst, src, rows, cols)
	return dst
}
