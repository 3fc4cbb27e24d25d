package rnn

import "math/rand/v2"

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// fillUniform draws x uniformly from ±bound.
func fillUniform(r *rand.Rand, x []float32, bound float64) {
	for i := range x {
		x[i] = float32((2*r.Float64() - 1) * bound)
	}
}

// randomFloats returns n values from ±1.
func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	fillUniform(r, x, 1)
	return x
}

// randomIDs returns count ids below n.
func randomIDs(r *rand.Rand, count, n int) []int32 {
	ids := make([]int32, count)
	for i := range ids {
		ids[i] = r.Int32N(int32(n))
	}
	return ids
}

// A batch is the input and what is wanted of a pass over T steps of B rows.
type batch struct {
	ids     []int32   // [T,B], where the input is ids
	x       []float32 // [T,B,E], where it is dense
	h0      []float32 // [B,H]
	targets []int32   // [T,B], with an output layer
	dh      []float32 // [T,B,H], without one: the gradient of the states
}

func newBatch(c Config, steps, rows int, seed uint64) batch {
	r := newRand(seed)
	b := batch{h0: randomFloats(r, rows*c.Hidden)}
	if c.Dense {
		b.x = randomFloats(r, steps*rows*c.Input)
	} else {
		b.ids = randomIDs(r, steps*rows, c.Input)
	}
	if c.Output > 0 {
		b.targets = randomIDs(r, steps*rows, c.Output)
	} else {
		b.dh = randomFloats(r, steps*rows*c.Hidden)
	}
	return b
}

// forward runs a pass from the batch's initial state.
func (b batch) forward(ws *Workspace) {
	copy(ws.slot(ws.layers[0].h, 0), b.h0)
	b.continued(ws)
}

// continued runs a pass from the state that the workspace has.
func (b batch) continued(ws *Workspace) {
	if b.x != nil {
		ws.ForwardDense(b.x)
	} else {
		ws.Forward(b.ids)
	}
}

// backward runs the backward pass and returns the mean loss, 0 without an
// output layer.
func (b batch) backward(ws *Workspace) float64 {
	if b.targets == nil {
		ws.BackwardStates(b.dh, nil)
		return 0
	}
	return ws.Backward(b.targets)
}

// part returns some rows of some steps of a batch of the given number of rows.
func (b batch) part(c Config, rows int, t, row span) batch {
	return batch{
		ids:     cut(b.ids, rows, 1, t, row),
		x:       cut(b.x, rows, c.Input, t, row),
		h0:      cut(b.h0, rows, c.Hidden, span{0, 1}, row),
		targets: cut(b.targets, rows, 1, t, row),
		dh:      cut(b.dh, rows, c.Hidden, t, row),
	}
}

// A span is a half-open range of steps or rows.
type span struct{ lo, hi int }

// cut copies some rows of some steps out of a, [·,rows,width].
func cut[E any](a []E, rows, width int, t, row span) []E {
	if a == nil {
		return nil
	}
	var part []E
	for i := t.lo; i < t.hi; i++ {
		part = append(part, a[(i*rows+row.lo)*width:(i*rows+row.hi)*width]...)
	}
	return part
}
