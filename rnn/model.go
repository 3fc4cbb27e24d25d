package rnn

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"batchrnn/kernels"
)

// A Model is a network's parameters and their packed form. Any number of
// workspaces may run on it at once, as long as nothing changes the parameters.
//
// The sizes in Config and the lengths of the Params are for reading; the values
// of the parameters may be changed, with [Model.Update] after it.
type Model struct {
	Config
	Params
	SkipNonFinite bool // Step changes nothing where the gradient's norm is NaN or infinite
	engine        *kernels.Engine

	table    []weight // Config.weights
	packed   [roles][]packedWeight
	training sync.Once // makes the transposes

	packing func(*kernels.Worker)
	step    stepState
}

// New returns a model whose weights are drawn as [Model.InitUniform] does. The same
// seed gives the same weights on every machine.
func New(e *kernels.Engine, c Config, seed uint64) (*Model, error) {
	if e == nil {
		return nil, errors.New("rnn: New: the engine is nil: make one with kernels.New")
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Cutoffs, c.Activation = slices.Clone(c.Cutoffs), cmp.Or(c.Activation, Tanh)
	m := &Model{Config: c, Params: newParams(c), engine: e}
	m.newPacked()
	m.packing, m.step.task = m.pack, m.stepShare
	m.step.sums = make([]float64, (len(m.Slab)+normChunk-1)/normChunk)
	m.draw(rand.New(rand.NewPCG(seed, 0)))
	m.Update()
	return m, nil
}

// Engine returns the engine that the model computes with.
func (m *Model) Engine() *kernels.Engine { return m.engine }

// newPacked makes room for the packed weights.
func (m *Model) newPacked() {
	m.table = m.Config.weights()
	for _, w := range m.table {
		var p packedWeight
		if w.packed {
			p.plain = m.engine.NewPacked(w.rows, w.cols)
		}
		m.packed[w.role] = append(m.packed[w.role], p)
	}
}

// train makes the transposes that backpropagation needs. It leaves alone what
// workspaces that score may be reading.
func (m *Model) train() {
	for _, w := range m.table {
		if w.packed {
			m.packed[w.role][w.i].trans = m.engine.NewPacked(w.cols, w.rows)
		}
	}
	m.engine.Run(m.slabWorkers(), m.packTransposes)
}

// Update makes a change of the parameters by hand known to the model: products read
// packed copies of the weights. A pass without it would use the old weights. So Forward
// over more than one step, and every Backward, compare a few elements of each weight
// with its copy, and panic where they differ. A change of single elements may go
// unnoticed. [Model.Step] and whatever draws or reads weights call Update themselves.
func (m *Model) Update() {
	m.checkWhole("Update")
	m.engine.Run(m.slabWorkers(), m.packing)
}

// checkUpdated panics where a weight was changed without Update, as far as its first,
// middle and last element tell. Bits are compared, for weights may be NaN.
func (m *Model) checkUpdated(op string) {
	if m.compact() {
		return
	}
	for i := range m.table {
		w := &m.table[i]
		p := m.packed[w.role][w.i].plain
		if p == nil {
			continue
		}
		values := m.values(w)
		if !w.copied(values, p, 0, 0) || !w.copied(values, p, w.rows/2, w.cols/2) || !w.copied(values, p, w.rows-1, w.cols-1) {
			panic(fmt.Sprintf("rnn: %s: weight %q was changed after the last Update: call Model.Update", op, w.name))
		}
	}
}

// copied says whether an element of w's values has the same bits in p.
func (w *weight) copied(values []float32, p *kernels.Packed, row, col int) bool {
	i := row*w.cols + col
	if w.tied {
		i = col*w.rows + row
	}
	return math.Float32bits(values[i]) == math.Float32bits(p.At(row, col))
}

// slabWorkers is how many workers a pass over all parameters is worth.
func (m *Model) slabWorkers() int {
	return max(1, min(m.engine.Threads(), len(m.Slab)/elementShare))
}

// pack is one worker's part of the end of stage 5: its panels of every weight that
// products read.
func (m *Model) pack(w *kernels.Worker) {
	for i := range m.table {
		x := &m.table[i]
		m.packShare(w, x, m.packed[x.role][x.i].plain, false)
	}
	m.packTransposes(w)
}

func (m *Model) packTransposes(w *kernels.Worker) {
	for i := range m.table {
		x := &m.table[i]
		m.packShare(w, x, m.packed[x.role][x.i].trans, true)
	}
}

// packShare copies this worker's panels of a weight, in a phase of their own.
func (m *Model) packShare(w *kernels.Worker, x *weight, p *kernels.Packed, trans bool) {
	if p == nil {
		return
	}
	ld := x.cols
	if x.tied {
		trans, ld = !trans, x.rows
	}
	w.PackPanels(p, trans, m.values(x), ld, w.Share(p.Panels()))
	w.Barrier()
}

// Compact gives up what only training needs, so that a model that scores holds
// each weight once: those of products in their packed form, which takes about
// half of the memory away. What is left of the Params are the rows of ids and
// the biases; Slab and the rest are nil. From then on the model can't be trained,
// changed or saved. Workspaces that score go on as they are; none may be at work
// meanwhile.
//
// A tied model keeps its one matrix in both forms.
func (m *Model) Compact() {
	if m.compact() {
		return
	}
	few := emptyParams(m.Config)
	for i := range m.table {
		w := &m.table[i]
		if w.packed {
			m.packed[w.role][w.i].trans = nil
		} else {
			*few.view(w) = slices.Clone(m.values(w))
		}
	}
	m.Params = few
}

// compact says whether Compact has been called.
func (m *Model) compact() bool { return m.Slab == nil }

// checkWhole wants a model that still has all of its parameters.
func (m *Model) checkWhole(op string) {
	if m.compact() {
		panic("rnn: " + op + ": the model has been made compact: it only scores")
	}
}
