package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The plan of a node RNN, GRU or LSTM. recurrent.go and cells.go have its passes.

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
		return s, fmt.Errorf("hidden_size is %d: damaged, export the model anew", hidden)
	}
	s.hidden = int(hidden)
	if s.clip == 0 && c.attribute("clip") != nil {
		return s, errors.New("clip is 0, must be above 0: leave it out for no limit")
	}
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

// weightInputs returns W, R, B and P, nil for those that are left out. Weights that are not
// known have elements only in a run.
func (c *call) weightInputs() (w [4]*constant, err error) {
	for k, i := range recurrentWeights {
		if !c.has(i) {
			continue
		}
		if t := c.in[i]; t.kind != Float {
			return w, fmt.Errorf("%c, input %d, has type %v, want float", "WRBP"[k], i, t.kind)
		}
		t, err := c.flat(c.in[i])
		if err != nil {
			return w, err
		}
		w[k] = &constant{t.shape, t.floats}
	}
	return w, nil
}

// recurrentWeights are the inputs W, R, B and P.
var recurrentWeights = []int{1, 2, 3, 7}

// newRecurrent returns the node with its weights prepared, once for all plans if these
// are fixed.
func (c *call) newRecurrent(fixed bool) (*recurrent, error) {
	s, err := c.spec()
	if err != nil {
		return nil, err
	}
	size := 0
	for _, i := range recurrentWeights {
		if c.has(i) {
			size += c.recurrentSize(c.in[i])
		}
	}
	return weight(c, "recurrent", fixed, size, func() (*recurrent, error) {
		w, err := c.weightInputs()
		if err != nil {
			return nil, err
		}
		return newRecurrent(c.m.engine, s, w[0], w[1], w[2], w[3])
	})
}

// recurrentSize returns the number of elements that a weight takes packed, [K,G·H].
func (c *call) recurrentSize(t *tensor) int {
	if len(t.shape) != 3 || t.count() == 0 { // biases, or wrong
		return t.count()
	}
	return t.shape[0] * c.packedSize(t.shape[2], t.shape[1])
}

// recurrent plans an RNN, GRU or LSTM. Its inputs are X, W, R, B, sequence_lens, initial_h,
// initial_c and P. With layout=1 the batch comes first in X, Y and the states.
func (c *call) recurrent() ([]*tensor, error) {
	known, fixed := true, true
	for _, i := range recurrentWeights {
		known, fixed = known && (!c.has(i) || c.in[i].known), fixed && (!c.has(i) || c.in[i].fixed)
	}
	r, err := c.newRecurrent(fixed)
	if err != nil {
		return nil, err
	}
	directions, hidden, width := r.directions, r.hidden, r.inputs
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
	if x, err = c.flat(x); err != nil {
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
	if err := c.spendRecurrent(r, steps, batch); err != nil {
		return nil, err
	}
	pass := r.newRun(steps, batch, lengths != nil)
	if known && floats[0] != nil && pass.inPlace() { // Y is where the states are: a pass of no steps shows where
		if err := pass.run(x.floats, make([]int32, batch), nil, nil, nil, nil, nil); err != nil {
			return nil, err
		}
		outs[0] = outs[0].view(outs[0].shape, outs[0].stride, 0)
		outs[0].floats, floats[0] = pass.states(), nil
	}
	lens := make([]int32, batch)
	if lengths == nil {
		lens = nil
	}
	run := func() error {
		for i := range lens {
			n := lengths.ints[i]
			if n < 0 || n > int64(steps) {
				return fmt.Errorf("sequence %d has the length %d, want 0 to %d", i, n, steps)
			}
			lens[i] = int32(n)
		}
		return pass.run(x.floats, lens, states[0], states[1], floats[0], floats[1], floats[2])
	}
	if known {
		return outs[:len(c.n.outputs)], c.step(run)
	}
	w, err := c.weightInputs()
	if err != nil {
		return nil, err
	}
	s, err := c.spec()
	if err != nil {
		return nil, err
	}
	var last [4][]float32 // the weights that pass was made of
	for k := range w {
		if w[k] != nil {
			last[k] = slices.Clone(w[k].data)
		}
	}
	return outs[:len(c.n.outputs)], c.step(func() error {
		if changed(&last, &w) {
			r, err := newRecurrent(c.m.engine, s, w[0], w[1], w[2], w[3])
			if err != nil {
				return err
			}
			pass = r.newRun(steps, batch, lengths != nil)
		}
		return run()
	})
}

// spendRecurrent adds the memory and the work of a pass to the plan.
func (c *call) spendRecurrent(r *recurrent, steps, batch int) error {
	// A pass keeps the gates and the states of all steps.
	n, err := c.fits([]int{steps + 2, batch, r.directions * 6 * r.hidden})
	if err == nil {
		err = c.grow(n)
	}
	if err == nil {
		err = c.spend(int64(r.directions*r.kind.gates), steps*batch, r.hidden, r.inputs+r.hidden)
	}
	calls := steps * r.directions
	if r.model == nil { // the general path goes row by row
		calls *= batch
	}
	if err == nil {
		err = c.spend(callWork, calls)
	}
	return err
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
	flat, err := c.flat(t)
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
	return flat.floats, nil
}

// changed says whether weights differ from the last ones, and makes them the last.
func changed(last *[4][]float32, weights *[4]*constant) bool {
	differ := false
	for k, w := range weights {
		if w == nil {
			continue
		}
		for i, v := range w.data {
			if math.Float32bits(v) != math.Float32bits(last[k][i]) {
				differ = true
				last[k][i] = v
			}
		}
	}
	return differ
}
