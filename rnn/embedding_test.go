package rnn

import (
	"math"
	"testing"
)

// TestEmbeddingIsWx: an embedding that is Wx of a network without one, before Wx = 1,
// computes the same.
func TestEmbeddingIsWx(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, c := range eachCell(Config{Input: 6, Layers: 1, Hidden: 5, Output: 4}) {
		plain := newModel(t, e, c, 1)
		gates := c.Cell.gates() * c.Hidden
		c.Embedding = gates
		m := newModel(t, e, c, 2)
		copy(m.We, plain.Cells[0].Wx)
		clear(m.Cells[0].Wx)
		for i := range gates {
			m.Cells[0].Wx[i*gates+i] = 1
		}
		copy(m.Slab[len(m.We)+gates*gates:], plain.Slab[6*gates:])
		m.Update()
		b := newBatch(c, 3, 4, 1)
		b.ids[5] = None
		got, want := b.score(m.NewWorkspace(3, 4)), b.score(plain.NewWorkspace(3, 4))
		nearScaled(t, c.Cell.String()+" States", got.states, want.states, 1e-6)
		near(t, c.Cell.String()+" Losses", got.losses, want.losses, 1e-5)
	}
}

// TestEmbeddingLeavesNothing: a workspace that ran another batch gives the bits of a new
// one. None after an id reads zeros, and BackwardStates knows nothing of dWy.
func TestEmbeddingLeavesNothing(t *testing.T) {
	e := newEngine(t, "", 2)
	c := Config{Input: 9, Embedding: 17, Cell: GRU, Layers: 1, Hidden: 17, Output: 9, Tied: true}
	m := newModel(t, e, c, 1)
	used, fresh := m.NewTraining(4, 3), m.NewTraining(4, 3)
	before, b := newBatch(c, 4, 3, 1), newBatch(c, 4, 3, 2)
	b.ids[0], b.ids[4], b.ids[11] = None, None, None
	before.forward(used)
	before.backward(used)
	for _, ws := range []*Workspace{used, fresh} {
		b.forward(ws)
	}
	sameBits(t, "States", used.States(), fresh.States())
	dh := randomFloats(newRand(3), len(fresh.States()))
	for _, ws := range []*Workspace{used, fresh} {
		ws.BackwardStates(dh, State{})
	}
	sameBits(t, "dWe", used.Grads.We, fresh.Grads.We)
	if maxAbs(fresh.Grads.We) == 0 {
		t.Error("the gradient of the embedding is 0")
	}
}

// TestEmbeddingNaN: a NaN in the row of an id that no sequence has is nowhere else, even
// where sequences have ended.
func TestEmbeddingNaN(t *testing.T) {
	for _, c := range eachCell(Config{Input: 9, Embedding: 4, Layers: 1, Hidden: 7, Output: 5}) {
		m := newModel(t, newEngine(t, "", 1), c, 1)
		for i := range c.Embedding {
			m.We[i] = float32(math.NaN())
		}
		ws := m.NewTraining(4, 3)
		b := newBatch(c, 4, 3, 1).ragged(c, 4, 3, 1)
		for i, id := range b.ids {
			if id == 0 {
				b.ids[i] = 1
			}
		}
		b.forward(ws)
		loss := b.backward(ws)
		if err := ws.CheckLosses(); err != nil || !finite(loss) {
			t.Errorf("%v: loss %v, error %v", c.Cell, loss, err)
		}
		for i, g := range ws.Grads.Slab {
			if !finite(float64(g)) {
				t.Fatalf("%v: gradient %d is %v", c.Cell, i, g)
			}
		}
		b.ids[0] = 0
		b.forward(ws)
		if loss := b.backward(ws); !math.IsNaN(loss) {
			t.Errorf("%v: loss %v with the id whose row is NaN", c.Cell, loss)
		}
	}
}

// TestEmbeddingInit: embeddings come from ±1, tied ones from ±1/3.
func TestEmbeddingInit(t *testing.T) {
	for tied, bound := range map[bool]float64{false: 1, true: 1.0 / 3} {
		m := newModel(t, newEngine(t, "", 1), Config{Input: 30, Embedding: 25, Cell: GRU, Layers: 1, Hidden: 25, Output: 30, Tied: tied}, 1)
		if largest := maxAbs(m.We); !(largest <= bound*1.0001 && largest >= 0.9*bound) {
			t.Errorf("tied %t: the largest element is %v, want it below %v and near", tied, largest, bound)
		}
	}
}
