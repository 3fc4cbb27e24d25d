package rnn

import (
	"math"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// TestUpdateForgotten changes each weight that products read, all of it or its last
// element: passes panic and name it before they write anything, until Update.
func TestUpdateForgotten(t *testing.T) {
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range []Config{
			{Input: 30, Layers: 1, Hidden: 33, Output: 17},
			{Input: 30, Layers: 1, Hidden: 33, Output: 30, Tied: true},
			{Input: 9, Layers: 1, Hidden: 33, Output: 60, Cutoffs: []int{10, 30}},
			{Input: 5, Dense: true, Layers: 1, Hidden: 9, Output: 4},
			{Input: 5, Dense: true, Layers: 1, Hidden: 9},
			{Input: 5, Layers: 2, Bidirectional: true, Hidden: 9, Output: 4},
			{Input: 30, Embedding: 7, Layers: 1, Hidden: 9, Output: 4},
			{Input: 30, Embedding: 33, Cell: GRU, Layers: 1, Hidden: 33, Output: 30, Tied: true},
		} {
			m := newModel(t, e, c, 1)
			b := newBatch(c, 3, 5, 1)
			ws, scoring := m.NewTraining(3, 5), m.NewWorkspace(3, 5)
			saved := slices.Clone(m.Slab)
			b.forward(ws)
			want := b.backward(ws)
			for _, w := range m.table {
				if !w.packed {
					continue
				}
				values := m.values(&w)
				for _, changed := range [][]float32{values, values[len(values)-1:]} {
					for i := range changed {
						changed[i]++
					}
					name := `"` + w.name + `"`
					mustPanic(t, func() { b.backward(ws) }, "rnn: Backward", name, "call Model.Update")
					mustPanic(t, func() { b.forward(ws) }, "rnn: Forward", name, "call Model.Update")
					mustPanic(t, func() { b.forward(scoring) }, "rnn: Forward", name, "call Model.Update")
					m.Update()
					b.forward(ws)
					b.backward(ws)
					copy(m.Slab, saved)
					m.Update()
				}
			}
			b.forward(ws)
			if got := b.backward(ws); !(got == want) {
				t.Errorf("%+v: a loss of %v with the old weights back, want %v", c, got, want)
			}
		}
	})
}

// TestUpdateForgottenLosses: Backward of every loss looks, and Forward leaves passes of
// one step alone.
func TestUpdateForgottenLosses(t *testing.T) {
	c := Config{Input: 5, Layers: 1, Hidden: 9, Output: 4}
	m := newModel(t, newEngine(t, "", 1), c, 1)
	ws := m.NewTraining(1, 2)
	vectors := make([]float32, 2*c.Output)
	m.Cells[0].Wh[0]++
	ws.Forward([]int32{1, 2})
	ws.Loss([]int32{1, 2})
	for name, backward := range map[string]func(){
		"Backward":        func() { ws.Backward([]int32{1, 2}) },
		"BackwardBinary":  func() { ws.BackwardBinary(vectors) },
		"BackwardSquared": func() { ws.BackwardSquared(vectors) },
		"BackwardStates":  func() { ws.BackwardStates(nil, State{}) },
	} {
		mustPanic(t, backward, "rnn: "+name+":", "weight_hh_l0", "call Model.Update")
	}
}

// TestUpdateNaN: parameters that are NaN, of whatever bits, are no forgotten Update.
func TestUpdateNaN(t *testing.T) {
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range []Config{
			{Input: 5, Layers: 1, Hidden: 9, Output: 4},
			{Input: 4, Layers: 1, Hidden: 9, Output: 4, Tied: true},
			{Input: 4, Embedding: 9, Cell: GRU, Layers: 1, Hidden: 9, Output: 4, Tied: true},
		} {
			m := newModel(t, e, c, 1)
			b := newBatch(c, 3, 5, 1)
			ws := m.NewTraining(3, 5)
			for i := range m.Slab {
				m.Slab[i] = math.Float32frombits(0x7f800001 + uint32(i))
			}
			m.Update()
			b.forward(ws)
			if loss := b.backward(ws); !math.IsNaN(loss) {
				t.Errorf("a model of NaN has loss %v", loss)
			}
		}
	})
}

// TestUpdateOfBiases: where a model keeps the sum of two biases, a change of one without
// Update is a mistake too.
func TestUpdateOfBiases(t *testing.T) {
	for _, c := range []Config{{Cell: GRU}, {Cell: LSTM, TwoBiases: true}, {TwoBiases: true}} {
		c.Input, c.Layers, c.Hidden, c.Output = 5, 1, 9, 4
		m := newModel(t, newEngine(t, "", 1), c, 1)
		ws := m.NewWorkspace(2, 1)
		for _, bias := range [][]float32{m.Cells[0].Bh, m.Cells[0].Br} {
			bias[0]++
			mustPanic(t, func() { ws.Forward([]int32{1, 2}) }, "rnn: Forward:", "bias of cell 0", "call Model.Update")
			m.Update()
			ws.Forward([]int32{1, 2})
		}
		m.Cells[0].Bh[0], m.Cells[0].Br[0] = math.Float32frombits(0x7fc00001), math.Float32frombits(0xffc00002)
		m.Update()
		ws.Forward([]int32{1, 2})
	}
}
