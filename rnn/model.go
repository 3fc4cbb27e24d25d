package rnn

import (
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
// of the parameters may be changed, with Update after it.
type Model struct {
	Config
	Params
	engine *kernels.Engine

	// Weights as products read them. The transposes exist once a training
	// workspace has been made; wx and wxT with a dense input; wy and wyT with an
	// output layer.
	wx, wh, wy    *kernels.Packed
	wxT, whT, wyT *kernels.Packed
	tails         []tailWeights
	training      sync.Once // makes the transposes

	packing func(*kernels.Worker)
	step    stepState
}

// New returns a model whose weights are drawn uniformly from ±1/√H and whose
// biases are zero; the weights of a cluster's D features from ±1/√D. The same seed
// gives the same weights on every machine.
func New(e *kernels.Engine, c Config, seed uint64) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Cutoffs = slices.Clone(c.Cutoffs)
	m := &Model{Config: c, Params: newParams(c), engine: e}
	m.wh = e.NewPacked(c.Hidden, c.Hidden)
	if c.Dense {
		m.wx = e.NewPacked(c.Input, c.Hidden)
	}
	if c.Output > 0 {
		m.wy = e.NewPacked(c.Hidden, c.head())
	}
	m.newTails()
	m.packing, m.step.task = m.pack, m.stepShare
	m.step.sums = make([]float64, (len(m.Slab)+normChunk-1)/normChunk)

	r := rand.New(rand.NewPCG(seed, 0))
	bound := 1 / math.Sqrt(float64(c.Hidden))
	for _, w := range [][]float32{m.Wx, m.Wh, m.Wy} {
		for i := range w {
			w[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
	m.drawTails(r)
	m.Update()
	return m, nil
}

// Engine returns the engine that the model computes with.
func (m *Model) Engine() *kernels.Engine { return m.engine }

// Update makes a change of the parameters by hand known to the model.
func (m *Model) Update() {
	m.checkWhole("Update")
	m.engine.Run(m.engine.Threads(), m.packing)
}

// pack copies this worker's panels of every weight matrix.
func (m *Model) pack(w *kernels.Worker) {
	packShare(w, m.wx, false, m.Wx, m.Hidden)
	packShare(w, m.wh, false, m.Wh, m.Hidden)
	if m.Tied {
		packShare(w, m.wy, true, m.Wx, m.Hidden)
	} else {
		packShare(w, m.wy, false, m.Wy, m.head())
	}
	m.packTails(w)
	m.packTransposes(w)
}

func (m *Model) packTransposes(w *kernels.Worker) {
	packShare(w, m.wxT, true, m.Wx, m.Hidden)
	packShare(w, m.whT, true, m.Wh, m.Hidden)
	if m.Tied {
		packShare(w, m.wyT, false, m.Wx, m.Hidden)
	} else {
		packShare(w, m.wyT, true, m.Wy, m.head())
	}
	m.packTailTransposes(w)
}

func packShare(w *kernels.Worker, p *kernels.Packed, trans bool, weights []float32, ld int) {
	if p != nil {
		w.PackPanels(p, trans, weights, ld, w.Share(p.Panels()))
	}
}

// train makes the transposes that backpropagation needs. It leaves alone what
// workspaces that score may be reading.
func (m *Model) train() {
	e := m.engine
	m.whT = e.NewPacked(m.Hidden, m.Hidden)
	if m.Dense {
		m.wxT = e.NewPacked(m.Hidden, m.Input)
	}
	if m.Output > 0 {
		m.wyT = e.NewPacked(m.head(), m.Hidden)
	}
	m.trainTails()
	e.Run(e.Threads(), m.packTransposes)
}
