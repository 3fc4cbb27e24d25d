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

// A Model is a network's parameters and their packed forms. Any number of workspaces
// may run on it at once, as long as nothing changes the parameters.
//
// The sizes in Config and the lengths of the Params are read-only. The values of the
// parameters may be changed, followed by a call of Update.
type Model struct {
	Config
	Params
	SkipNonFinite bool // makes Step change nothing if it returns a norm that is NaN or infinite
	engine        *kernels.Engine

	table    []weight // the result of Config.weights
	packed   [roles][]packedWeight
	sums     [][]float32 // [L·D][G·H], the sum of a cell's two biases; nil with one
	training sync.Once   // runs train once

	packing func(*kernels.Worker)
	step    stepState
}

// New returns a model with weights drawn by [Model.InitUniform]. The same seed gives
// the same weights on every machine.
func New(e *kernels.Engine, c Config, seed uint64) (*Model, error) {
	if e == nil {
		return nil, errors.New("rnn: New: the engine is nil: make one with kernels.New")
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Int8 {
		return nil, errors.New("rnn: New: weights of int8 can't be trained: leave Config.Int8 out, and call Model.Quantise after the training")
	}
	m := zeroModel(e, c)
	m.draw(rand.New(rand.NewPCG(seed, 0)))
	m.Update()
	return m, nil
}

// zeroModel returns a model of a valid c whose parameters are zero, before its first
// Update.
func zeroModel(e *kernels.Engine, c Config) *Model {
	c = c.normal()
	m := &Model{Config: c, Params: newParams(c), engine: e}
	m.newPacked()
	m.packing, m.step.task = m.pack, m.stepShare
	m.step.sums = make([]float64, (len(m.Slab)+normChunk-1)/normChunk)
	return m
}

// normal returns the Config of a model that is asked for by c.
func (c Config) normal() Config {
	c.Cutoffs = slices.Clone(c.Cutoffs)
	if c.Cell == Vanilla {
		c.Activation = cmp.Or(c.Activation, Tanh)
	}
	return c
}

// Engine returns the engine of the model.
func (m *Model) Engine() *kernels.Engine { return m.engine }

// newPacked allocates the packed weights.
func (m *Model) newPacked() {
	m.table = m.Config.weights()
	for _, w := range m.table {
		var p packedWeight
		if w.packed {
			for _, b := range w.blocks(false) {
				p.plain = append(p.plain, m.engine.NewPacked(w.rows, b.Len()))
			}
		}
		m.packed[w.role] = append(m.packed[w.role], p)
	}
	m.newSums()
}

// newSums allocates the sums of two biases.
func (m *Model) newSums() {
	if m.twoBiases() {
		for range m.Cells {
			m.sums = append(m.sums, make([]float32, m.Config.Cell.gates()*m.Hidden))
		}
	}
}

// train makes the transposes that backpropagation needs. It does not touch what scoring
// workspaces may be reading.
func (m *Model) train() {
	for _, w := range m.table {
		if w.packed {
			p := &m.packed[w.role][w.i]
			for _, b := range w.blocks(true) {
				p.trans = append(p.trans, m.engine.NewPacked(b.Len(), w.rows))
			}
		}
	}
	m.engine.Run(m.slabWorkers(), m.packTransposes)
}

// Update packs the weights again. It must follow any change of the parameters by hand,
// because products read packed copies. [Model.Step] and the methods that draw or read
// weights call it themselves.
//
// Forward over more than one step, and every Backward, compare a few elements of each
// weight with its copy, and panic if they differ. A change of single elements may go
// unnoticed.
func (m *Model) Update() {
	m.checkWhole("Update")
	m.engine.Run(m.slabWorkers(), m.packing)
}

// checkUpdated panics if a weight was changed without Update, as far as its first,
// middle and last element tell. It compares bits, because weights may be NaN.
func (m *Model) checkUpdated(op string) {
	if m.compact() {
		return
	}
	for i := range m.table {
		w := &m.table[i]
		blocks := m.packed[w.role][w.i].plain
		if blocks == nil {
			continue
		}
		last := len(blocks) - 1
		values := m.values(w)
		if !w.copied(values, blocks[0], 0, 0, 0) || !w.copied(values, blocks[0], 0, w.rows/2, blocks[0].N/2) ||
			!w.copied(values, blocks[last], w.cols-blocks[last].N, w.rows-1, blocks[last].N-1) {
			panic(fmt.Sprintf("rnn: %s: weight %q was changed after the last Update: call Model.Update", op, w.name))
		}
	}
	for i, sum := range m.sums {
		c := &m.Cells[i]
		n := m.Cell.summed() * m.Hidden
		for _, j := range [...]int{0, n / 2, n - 1} {
			// A sum of two NaN may have the bits of either.
			if want := c.Bh[j] + c.Br[j]; sum[j] != want && (sum[j] == sum[j] || want == want) {
				panic(fmt.Sprintf("rnn: %s: a bias of cell %d was changed after the last Update: call Model.Update", op, i))
			}
		}
	}
}

// copied says whether an element of w's values has the same bits in p, a block of its
// columns from first on.
func (w *weight) copied(values []float32, p *kernels.Packed, first, row, col int) bool {
	i := row*w.cols + first + col
	if w.tied {
		i = col*w.rows + row
	}
	return math.Float32bits(values[i]) == math.Float32bits(p.At(row, col))
}

// slabWorkers returns how many workers a pass over all parameters is worth.
func (m *Model) slabWorkers() int {
	return max(1, min(m.engine.Threads(), len(m.Slab)/elementShare))
}

// pack is one worker's part of the end of stage 5. It packs the worker's panels of
// every weight that products read.
func (m *Model) pack(w *kernels.Worker) {
	for i := range m.table {
		x := &m.table[i]
		m.packShare(w, x, m.packed[x.role][x.i].plain, false)
	}
	m.packTransposes(w)
	m.addBiases(w)
}

func (m *Model) packTransposes(w *kernels.Worker) {
	for i := range m.table {
		x := &m.table[i]
		m.packShare(w, x, m.packed[x.role][x.i].trans, true)
	}
}

// packShare packs this worker's panels of a weight, each block in a separate phase.
func (m *Model) packShare(w *kernels.Worker, x *weight, blocks []*kernels.Packed, trans bool) {
	values, ld, flip := m.values(x), x.cols, trans
	if x.tied { // one block
		flip, ld = !trans, x.rows
	}
	for _, p := range blocks {
		w.PackPanels(p, flip, values, ld, w.Share(p.Panels()))
		w.Barrier()
		if trans {
			values = values[p.K:]
		} else {
			values = values[p.N:]
		}
	}
}

// addBiases is one worker's part of the sums of two biases.
func (m *Model) addBiases(w *kernels.Worker) {
	for i := range m.sums {
		c, n := &m.Cells[i], m.Cell.summed()*m.Hidden
		s := w.Share(n)
		w.Add(m.sums[i][s.Lo:s.Hi], c.Bh[s.Lo:s.Hi], c.Br[s.Lo:s.Hi])
		s = w.Share(len(c.Bh) - n)
		w.Copy(m.sums[i][n:][s.Lo:s.Hi], c.Bh[n:][s.Lo:s.Hi])
	}
}

// startBias returns the bias that the start values of cell i take: G·H.
func (m *Model) startBias(i int) []float32 {
	if m.sums != nil {
		return m.sums[i]
	}
	return m.Cells[i].Bh
}

// Compact drops what only training needs. The model then holds each weight once, which
// saves about half of the memory. Weights of products remain in packed form alone.
// Params keeps only the rows of ids, or their embedding, and the biases; Slab and the
// other views are nil. A tied model keeps its one matrix in both forms.
//
// Afterwards the model can't be trained, changed or saved. Workspaces that score go on
// working. No workspace may run during the call. A quantised model is compact already.
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

// checkWhole panics if the model no longer has all of its parameters.
func (m *Model) checkWhole(op string) {
	if m.Int8 {
		panic("rnn: " + op + ": the model has been quantised: it only scores")
	}
	if m.compact() {
		panic("rnn: " + op + ": the model has been made compact: it only scores")
	}
}
