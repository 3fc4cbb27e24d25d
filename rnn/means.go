package rnn

import "batchrnn/kernels"

// Means are the means of what the products of a model read, over passes that were added:
// see [Model.Quantise]. A few thousand steps of typical input are enough.
type Means struct {
	m    *Model
	rows float64
	// Sums over all rows.
	states [][]float64 // [L·D][P]: the states before a step
	reset  [][]float64 // [L·D][H]: r∘h of a GRUResetBefore
	inputs [][]float64 // [L+1]: what a dense layer reads; last, what the output layer does
}

// NewMeans returns means of no passes.
func (m *Model) NewMeans() *Means {
	s := &Means{m: m}
	for range m.cells() {
		s.states = append(s.states, make([]float64, m.stateWidth()))
		if m.Cell == GRUResetBefore {
			s.reset = append(s.reset, make([]float64, m.Hidden))
		}
	}
	for k := range m.Layers + 1 {
		s.inputs = append(s.inputs, nil)
		if m.dense(k) {
			s.inputs[k] = make([]float64, m.reads(k))
		}
	}
	return s
}

// Add adds all steps of the last pass of a workspace of the model. It panics if the
// workspace is of another model, or no pass has run.
func (s *Means) Add(ws *Workspace) {
	if ws.m != s.m {
		panic("rnn: Means.Add: the workspace is of another model: take one of the model of NewMeans")
	}
	ws.checkRan("Means.Add")
	for t := range ws.steps {
		for b := range ws.B {
			if !ws.lengths.ended(t, b) {
				s.addRow(ws, t, b)
			}
		}
	}
}

// addRow adds row b of step t.
func (s *Means) addRow(ws *Workspace, t, b int) {
	m := s.m
	s.rows++
	for k := range m.Layers {
		if n := m.reads(k); m.dense(k) {
			addTo(s.inputs[k], ws.read(k)[(t*ws.B+b)*n:])
		}
		for d := range m.directions() {
			c := k*m.directions() + d
			before, _ := slots(d, t)
			addTo(s.states[c], ws.stateRows(ws.layers[k].h, before, d, m.stateWidth(), b, 0).Data)
			if s.reset != nil {
				addTo(s.reset[c], ws.keptZ(k, d, t, b).Data[3*m.Hidden:])
			}
		}
	}
	addTo(s.inputs[m.Layers], ws.slot(ws.top().out, t)[b*m.width():])
}

func addTo(sum []float64, x []float32) {
	for i := range sum {
		sum[i] += float64(x[i])
	}
}

// of returns the means of what the product of a block of a weight reads. It returns nil if
// they are not known, or if no bias follows the product.
func (s *Means) of(w *weight, outputs kernels.Span) []float64 {
	if s == nil || s.rows == 0 {
		return nil
	}
	var sum []float64
	switch {
	case w.role == cellWh && s.reset != nil && outputs.Lo == 2*s.m.Hidden:
		sum = s.reset[w.i]
	case w.role == cellWh:
		sum = s.states[w.i]
	case w.role == cellWx:
		k, _ := s.m.place(w.i)
		sum = s.inputs[k]
	case w.role == headWy:
		sum = s.inputs[s.m.Layers]
	}
	mean := make([]float64, len(sum))
	for i, v := range sum {
		mean[i] = v / s.rows
	}
	return mean
}

// biasOf returns the bias of the outputs of a product, or nil if it has none.
func (m *Model) biasOf(w *weight, outputs kernels.Span) []float32 {
	switch {
	case w.role == cellWh && m.Cell == GRU && outputs.Lo == 2*m.Hidden:
		return m.Cells[w.i].Br[outputs.Lo:outputs.Hi]
	case w.role == cellWh || w.role == cellWx && w.packed:
		return m.Cells[w.i].Bh[outputs.Lo:outputs.Hi]
	case w.role == headWy:
		return m.By
	}
	return nil
}
