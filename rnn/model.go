package rnn

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"

	"batchrnn/kernels"
)

// A Model is a network's parameters and their packed form. Any number of
// workspaces may run on it at once, as long as nothing changes the parameters.
//
// The sizes in Config and the lengths of the Params are for reading; the values
// of the parameters may be changed, with Update after it.
type Model struct {
	Config
	Params
	SkipNonFinite bool // Step changes nothing where the gradient's norm is NaN or infinite
	engine        *kernels.Engine

	// Weights as products read them. The transposes exist once a training
	// workspace has been made; wy and wyT with an output layer.
	packed   []cellWeights // [L·D]
	wy, wyT  *kernels.Packed
	tails    []tailWeights
	training sync.Once // makes the transposes

	packing func(*kernels.Worker)
	step    stepState
}

// cellWeights are a cell's weights as products read them: wx and wxT where the
// input is dense.
type cellWeights struct {
	wx, wh   *kernels.Packed
	wxT, whT *kernels.Packed
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
	m.packed = make([]cellWeights, c.cells())
	for i := range m.packed {
		w := &m.packed[i]
		w.wh = e.NewPacked(c.Hidden, c.Hidden)
		if k := i / c.directions(); c.dense(k) {
			w.wx = e.NewPacked(c.reads(k), c.Hidden)
		}
	}
	if c.Output > 0 {
		m.wy = e.NewPacked(c.width(), c.head())
	}
	m.newTails()
	m.packing, m.step.task = m.pack, m.stepShare
	m.step.sums = make([]float64, (len(m.Slab)+normChunk-1)/normChunk)
	m.draw(rand.New(rand.NewPCG(seed, 0)))
	m.Update()
	return m, nil
}

// Engine returns the engine that the model computes with.
func (m *Model) Engine() *kernels.Engine { return m.engine }

// Update makes a change of the parameters by hand known to the model.
func (m *Model) Update() {
	m.checkWhole("Update")
	m.engine.Run(m.slabWorkers(), m.packing)
}

// slabWorkers is how many workers a pass over all parameters is worth.
func (m *Model) slabWorkers() int {
	return max(1, min(m.engine.Threads(), len(m.Slab)/elementShare))
}

// pack copies this worker's panels of every weight matrix.
func (m *Model) pack(w *kernels.Worker) {
	for i, p := range m.Cells {
		packShare(w, m.packed[i].wx, false, p.Wx, m.Hidden)
		packShare(w, m.packed[i].wh, false, p.Wh, m.Hidden)
	}
	if m.Tied {
		packShare(w, m.wy, true, m.Cells[0].Wx, m.Hidden)
	} else {
		packShare(w, m.wy, false, m.Wy, m.head())
	}
	m.packTails(w)
	m.packTransposes(w)
}

func (m *Model) packTransposes(w *kernels.Worker) {
	for i, p := range m.Cells {
		packShare(w, m.packed[i].wxT, true, p.Wx, m.Hidden)
		packShare(w, m.packed[i].whT, true, p.Wh, m.Hidden)
	}
	if m.Tied {
		packShare(w, m.wyT, false, m.Cells[0].Wx, m.Hidden)
	} else {
		packShare(w, m.wyT, true, m.Wy, m.head())
	}
	m.packTailTransposes(w)
}

// packShare copies this worker's panels of a matrix, in a phase of their own.
func packShare(w *kernels.Worker, p *kernels.Packed, trans bool, weights []float32, ld int) {
	if p != nil {
		w.PackPanels(p, trans, weights, ld, w.Share(p.Panels()))
		w.Barrier()
	}
}

// train makes the transposes that backpropagation needs. It leaves alone what
// workspaces that score may be reading.
func (m *Model) train() {
	e := m.engine
	for i := range m.packed {
		w := &m.packed[i]
		w.whT = e.NewPacked(m.Hidden, m.Hidden)
		if k := i / m.directions(); m.dense(k) {
			w.wxT = e.NewPacked(m.Hidden, m.reads(k))
		}
	}
	if m.Output > 0 {
		m.wyT = e.NewPacked(m.head(), m.width())
	}
	m.trainTails()
	e.Run(m.slabWorkers(), m.packTransposes)
}
