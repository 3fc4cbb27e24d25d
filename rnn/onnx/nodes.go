package onnx

import (
	"errors"
	"fmt"
	"math"
)

// spec returns the attributes of a recurrent node.
func (c *call) spec() (recurrentSpec, error) {
	s := recurrentSpec{
		op:                c.n.op,
		direction:         c.text("direction", "forward"),
		clip:              c.float("clip", 0),
		linearBeforeReset: c.integer("linear_before_reset", 0) != 0,
		inputForget:       c.integer("input_forget", 0) != 0,
	}
	hidden := c.integer("hidden_size", 0)
	if hidden < 0 || hidden > int64(maxElements) {
		return s, fmt.Errorf("hidden_size is %d", hidden)
	}
	s.hidden = int(hidden)
	if a := c.attribute("activations"); a != nil {
		s.activations = a.texts
	}
	if a := c.attribute("activation_alpha"); a != nil {
		s.alpha = a.floats
	}
	if a := c.attribute("activation_beta"); a != nil {
		s.beta = a.floats
	}
	return s, nil
}

// weightInput returns the weights of input i, or nil. Weights that are not known have
// elements only in a run.
func (c *call) weightInput(i int, what string) (*constant, error) {
	if !c.has(i) {
		return nil, nil
	}
	if t := c.in[i]; t.kind != Float {
		return nil, fmt.Errorf("%s, input %d, has type %v, want float", what, i, t.kind)
	}
	t, err := c.flat(c.in[i], c)
	if err != nil {
		return nil, err
	}
	return &constant{t.shape, t.floats[:t.count()]}, nil
}

// recurrent plans an RNN, GRU or LSTM. Its inputs are X, W, R, B, sequence_lens, initial_h,
// initial_c and P. With layout=1 the batch comes first in X, Y and the states.
func (c *call) recurrent() ([]*tensor, error) {
	known, fixed := true, true
	var weights [4]*constant
	for k, i := range []int{1, 2, 3, 7} {
		var err error
		if weights[k], err = c.weightInput(i, []string{"W", "R", "B", "P"}[k]); err != nil {
			return nil, err
		}
		known, fixed = known && (!c.has(i) || c.in[i].known), fixed && (!c.has(i) || c.in[i].fixed)
	}
	s, err := c.spec()
	if err != nil {
		return nil, err
	}
	prepare := func() (*recurrent, error) {
		return newRecurrent(c.m.engine, s, weights[0], weights[1], weights[2], weights[3])
	}
	r, err := weight(c, "recurrent", fixed, prepare)
	if err != nil {
		return nil, err
	}
	w := c.in[1].shape // newRecurrent has checked it: [D,G·H,E]
	directions, hidden, width := w[0], c.in[2].shape[2], w[2]
	batchFirst := c.integer("layout", 0) != 0

	x := c.in[0]
	if x.kind != Float || len(x.shape) != 3 || x.shape[2] != width {
		return nil, wrongShape("X", x, fmt.Sprintf("three axes, the last of %d", width))
	}
	if batchFirst {
		x = x.permuted(1, 0, 2)
	}
	steps, batch := x.shape[0], x.shape[1]
	if steps == 0 || batch == 0 {
		return nil, wrongShape("X", c.in[0], "at least one step and one sequence")
	}
	if x, err = c.flat(x, c); err != nil {
		return nil, err
	}
	lengths, err := c.flatInput(4)
	if err != nil {
		return nil, err
	}
	if lengths != nil && (lengths.kind == Float || len(lengths.shape) != 1 || lengths.shape[0] != batch) {
		return nil, wrongShape("sequence_lens", lengths, fmt.Sprintf("[%d]", batch))
	}
	var states [2][]float32
	for i, name := range []string{"initial_h", "initial_c"} {
		if states[i], err = c.initial(5+i, name, directions, batch, hidden, batchFirst); err != nil {
			return nil, err
		}
	}
	// Outputs that nothing reads are not computed.
	outs := make([]*tensor, 3)
	var floats [3][]float32
	for i, name := range c.n.outputs {
		if name == "" {
			continue
		}
		shape := []int{directions, batch, hidden}
		if i == 0 {
			shape = []int{steps, directions, batch, hidden}
		}
		if c.s.g.uses[name] == 0 {
			if outs[i], err = c.unread(shape); err != nil {
				return nil, err
			}
			continue
		}
		if outs[i], err = c.out(Float, shape, nil); err != nil {
			return nil, err
		}
		floats[i] = outs[i].floats
		switch {
		case batchFirst && i == 0:
			outs[i] = outs[i].permuted(2, 0, 1, 3)
		case batchFirst:
			outs[i] = outs[i].permuted(1, 0, 2)
		}
	}
	// A run keeps the gates and the states of all steps.
	need, err := c.fits([]int{steps + 2, batch, directions * 6 * hidden})
	if err != nil {
		return nil, err
	}
	c.plan.size += need
	run := r.newRun(steps, batch, lengths != nil)
	var last [][]float32 // the weights that run was made of, if they come from the run
	if !known {
		for _, w := range weights {
			if w != nil {
				last = append(last, make([]float32, len(w.data)))
			}
		}
	}
	lens := make([]int32, batch)
	if lengths == nil {
		lens = nil
	}
	return outs[:len(c.n.outputs)], c.step(func() error {
		if changed(last, weights[:]) {
			r, err := prepare()
			if err != nil {
				return err
			}
			run = r.newRun(steps, batch, lengths != nil)
		}
		for i := range lens {
			n := lengths.ints[i]
			if n < 0 || n > int64(steps) {
				return fmt.Errorf("sequence %d has the length %d, want 0 to %d", i, n, steps)
			}
			lens[i] = int32(n)
		}
		return run.run(x.floats, lens, states[0], states[1], floats[0], floats[1], floats[2])
	})
}

// unread returns a tensor in the place of an output that nothing reads.
func (c *call) unread(shape []int) (*tensor, error) {
	if _, err := c.fits(shape); err != nil {
		return nil, err
	}
	return &tensor{kind: Float, shape: shape, stride: make([]int, len(shape)), floats: make([]float32, 1)}, nil
}

// initial returns the initial states of input i, [D,B,H], or nil for zeros.
func (c *call) initial(i int, name string, directions, batch, hidden int, batchFirst bool) ([]float32, error) {
	if !c.has(i) {
		return nil, nil
	}
	t := c.in[i]
	if batchFirst && len(t.shape) == 3 {
		t = t.permuted(1, 0, 2)
	}
	if t.kind != Float || len(t.shape) != 3 || t.shape[0] != directions || t.shape[1] != batch || t.shape[2] != hidden {
		return nil, wrongShape(name, c.in[i], fmt.Sprintf("%d directions, %d sequences and %d units", directions, batch, hidden))
	}
	flat, err := c.flat(t, c)
	if err != nil {
		return nil, err
	}
	if flat.known {
		zeros := true
		for _, v := range flat.floats {
			zeros = zeros && v == 0
		}
		if zeros {
			return nil, nil
		}
	}
	if c.n.op != "LSTM" && i == 6 {
		return nil, errors.New("only an LSTM has initial_c")
	}
	return flat.floats, nil
}

// changed says whether weights differ from the last ones, and makes them the last.
func changed(last [][]float32, weights []*constant) bool {
	k, differ := 0, false
	for _, w := range weights {
		if w == nil || k == len(last) {
			continue
		}
		for i, v := range w.data {
			if math.Float32bits(v) != math.Float32bits(last[k][i]) {
				differ = true
				last[k][i] = v
			}
		}
		k++
	}
	return differ
}
