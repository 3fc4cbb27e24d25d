package rnn

import (
	"math"
	"math/rand/v2"
	"slices"
)

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

// eachCell returns c with each kind of cell, and with LSTM cells that have two biases and
// a projection. c has no option that gated cells lack.
func eachCell(c Config) []Config {
	var all []Config
	for kind := range CellKind(len(cellKinds)) {
		c.Cell = kind
		all = append(all, c)
	}
	c.Cell, c.TwoBiases, c.Projection = LSTM, true, (c.Hidden+1)/2
	return append(all, c)
}

// A batch is the input and what is wanted of a pass over T steps of B rows.
type batch struct {
	ids     []int32   // [T,B], where the input is ids
	x       []float32 // [T,B,E], where it is dense
	h0      State
	lengths []int32 // [B], nil for T each

	kind    lossKind
	targets []int32   // [R], with an output layer
	vectors []float32 // [R,V], where the loss is not of a softmax
	weights []float32 // [V], of labels; nil for none
	rowWts  []float32 // [R], of rows; nil for none
	dh      []float32 // [T,B,W], without an output layer: the gradient of the states
	dlast   State     // and of the last ones; empty for none
}

func newBatch(c Config, steps, rows int, seed uint64) batch {
	r := newRand(seed)
	b := batch{h0: randomState(r, c, rows)}
	if c.Dense {
		b.x = randomFloats(r, steps*rows*c.Input)
	} else {
		b.ids = randomIDs(r, steps*rows, c.Input)
	}
	if c.Output == 0 {
		b.dh = randomFloats(r, steps*rows*c.width())
		return b
	}
	outputs := steps * rows
	if c.LastStep {
		outputs = rows
	}
	b.targets = randomIDs(r, outputs, c.Output)
	return b
}

// ragged gives the sequences of a batch different lengths, one of them all steps
// and one of them 1 where there is room, and fills what is beyond with what must
// not be read.
func (b batch) ragged(c Config, steps, rows int, seed uint64) batch {
	r := newRand(seed + 50)
	for i := range rows {
		n := 1 + r.IntN(steps)
		switch i {
		case rows / 2:
			n = steps
		case rows - 1:
			n = 1
		}
		b.lengths = append(b.lengths, int32(n))
	}
	b.spoil(c, steps, rows)
	return b
}

// spoil fills what is beyond the sequences' ends, and the states of idle rows, with what
// must not be read.
func (b batch) spoil(c Config, steps, rows int) {
	nan := float32(math.NaN())
	for row := range steps * rows {
		if row/rows < int(b.lengths[row%rows]) {
			continue
		}
		if b.ids != nil {
			b.ids[row] = -7
		}
		for _, a := range [][]float32{b.x, b.dh} {
			for n := len(a) / (steps * rows); n > 0; n-- {
				a[(row+1)*len(a)/(steps*rows)-n] = nan
			}
		}
		if c.Output > 0 && !c.LastStep {
			b.targets[row] = 1 << 30
		}
	}
	for row, n := range b.lengths {
		if n > 0 {
			continue
		}
		if c.LastStep {
			b.targets[row] = 1 << 30
		}
		for i := range c.cells() {
			setAll(b.h0.H[(i*rows+row)*c.stateWidth():][:c.stateWidth()], nan)
			if b.h0.C != nil {
				setAll(b.h0.C[(i*rows+row)*c.Hidden:][:c.Hidden], nan)
			}
		}
	}
}

func setAll[E any](x []E, v E) {
	for i := range x {
		x[i] = v
	}
}

// vectorTargets makes the targets of a batch vectors, for a loss that wants them.
func (b batch) vectorTargets(c Config, kind lossKind, seed uint64) batch {
	b.kind, b.vectors = kind, randomFloats(newRand(seed+60), len(b.targets)*c.Output)
	for i, v := range b.vectors {
		if kind == binaryEntropy {
			b.vectors[i] = v * v // in [0,1]
		}
	}
	return b
}

// forward runs a pass from the batch's initial state.
func (b batch) forward(ws *Workspace) {
	ws.SetState(b.h0)
	b.continued(ws)
}

// continued runs a pass from the state that the workspace has.
func (b batch) continued(ws *Workspace) {
	ws.SetLengths(b.lengths)
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
		ws.BackwardStates(b.dh, b.dlast)
		return 0
	}
	ws.WeightLabels(b.weights)
	ws.WeightRows(b.rowWts)
	switch b.kind {
	case binaryEntropy:
		return ws.BackwardBinary(b.vectors)
	case squaredError:
		return ws.BackwardSquared(b.vectors)
	}
	return ws.Backward(b.targets)
}

// loss is the loss without the backward pass.
func (b batch) loss(ws *Workspace) float64 {
	ws.WeightLabels(b.weights)
	ws.WeightRows(b.rowWts)
	switch b.kind {
	case binaryEntropy:
		return ws.LossBinary(b.vectors)
	case squaredError:
		return ws.LossSquared(b.vectors)
	}
	return ws.Loss(b.targets)
}

// part returns some rows of some steps of a batch of the given number of rows.
func (b batch) part(c Config, rows int, t, row span) batch {
	outputs := t
	if c.LastStep {
		outputs = span{0, 1}
	}
	return batch{
		ids:     cut(b.ids, rows, 1, t, row),
		x:       cut(b.x, rows, c.Input, t, row),
		h0:      b.h0.part(c, rows, row),
		lengths: cut(b.lengths, rows, 1, span{0, 1}, row),
		kind:    b.kind,
		targets: cut(b.targets, rows, 1, outputs, row),
		vectors: cut(b.vectors, rows, c.Output, outputs, row),
		weights: b.weights,
		rowWts:  cut(b.rowWts, rows, 1, outputs, row),
		dh:      cut(b.dh, rows, c.width(), t, row),
	}
}

// randomState returns a state of c from ±1.
func randomState(r *rand.Rand, c Config, rows int) State {
	s := State{H: randomFloats(r, c.cells()*rows*c.stateWidth())}
	if c.Cell == LSTM {
		s.C = randomFloats(r, c.cells()*rows*c.Hidden)
	}
	return s
}

// part returns some rows of a state of the given number of rows.
func (s State) part(c Config, rows int, row span) State {
	every := span{0, c.cells()}
	return State{cut(s.H, rows, c.stateWidth(), every, row), cut(s.C, rows, c.Hidden, every, row)}
}

// all returns all values of a state.
func (s State) all() []float32 { return append(slices.Clone(s.H), s.C...) }

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
