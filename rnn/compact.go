package rnn

import "slices"

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
	var tails []Tail
	for _, t := range m.Tails {
		tails = append(tails, Tail{By: slices.Clone(t.By)})
	}
	few := Params{By: slices.Clone(m.By), Tails: tails}
	for i, p := range m.Cells {
		c := Cell{Bh: slices.Clone(p.Bh)}
		if !m.dense(i / m.directions()) {
			c.Wx = slices.Clone(p.Wx)
		}
		few.Cells = append(few.Cells, c)
	}
	m.Params = few
	for i := range m.packed {
		m.packed[i].wxT, m.packed[i].whT = nil, nil
	}
	m.wyT = nil
	for i := range m.tails {
		m.tails[i].projT, m.tails[i].wyT = nil, nil
	}
}

// compact says whether Compact has been called.
func (m *Model) compact() bool { return m.Slab == nil }
