package rnn

import (
	"math"
	"strings"
	"testing"

	"batchrnn/kernels"
)

// TestQuantiseMeans holds the biases of a quantised model against their definition: they
// take back what rounding shifts in the mean.
func TestQuantiseMeans(t *testing.T) {
	const steps, batch = 6, 4
	for _, c := range []Config{
		{Input: 9, Layers: 1, Hidden: 21, Output: 7},
		{Input: 9, Layers: 1, Hidden: 21, Output: 7, Cell: LSTM, Embedding: 5},
		{Input: 9, Layers: 1, Hidden: 21, Output: 7, Cell: GRU},
		{Input: 9, Layers: 1, Hidden: 21, Output: 7, Cell: GRUResetBefore},
		{Input: 9, Layers: 1, Hidden: 21, Output: 9, Cell: GRU, Embedding: 21, Tied: true},
	} {
		m := newModel(t, newEngine(t, "", 1), c, 1)
		ws, b := m.NewWorkspace(steps, batch), newBatch(c, steps, batch, 1)
		ws.SetState(b.h0)
		ws.Forward(b.ids)
		means := m.NewMeans()
		means.Add(ws)
		q, err := m.Quantise(means)
		if err != nil {
			t.Fatal(err)
		}
		out, before := ws.States(), append(append([]float32(nil), b.h0.H...), ws.States()...)
		// Each product's bias, what it reads, and its weight before and after.
		bias := func(name string, got, was []float32, reads []float32, w []float32, cols, first int, trans bool, p *kernels.Packed) {
			k := p.K
			for j := range p.N {
				lost := 0.0
				for i := range k {
					mean := 0.0
					for row := range steps * batch {
						mean += float64(reads[row*k+i]) / (steps * batch)
					}
					at := i*cols + first + j
					if trans {
						at = j*k + i
					}
					lost += (float64(w[at]) - float64(p.At(i, j))) * mean
				}
				if have := float64(got[j] - was[j]); !(math.Abs(have-lost) <= 1e-6) {
					t.Errorf("%+v: %s of output %d moves by %g, want %g", c, name, j, have, lost)
				}
			}
		}
		bias("By", q.By, m.By, out, m.values(&m.table[len(m.table)-2]), c.Output, 0, c.Tied, q.packed[headWy][0].plain[0])
		wh, gates := q.packed[cellWh][0].plain, c.Cell.gates()*c.Hidden
		if c.Embedding == 0 { // or Bh takes the shifts of two products
			bias("Bh", q.Cells[0].Bh, m.Cells[0].Bh, before, m.Cells[0].Wh, gates, 0, false, wh[0])
		}
		if c.Cell == GRUResetBefore {
			reset := append([]float32(nil), before[:steps*batch*c.Hidden]...) // r∘h
			for i := range reset {
				row, unit := i/c.Hidden, i%c.Hidden
				r := float64(m.Cells[0].Bh[unit]) + float64(m.Cells[0].Wx[int(b.ids[row])*gates+unit])
				for j := range c.Hidden {
					r += float64(before[row*c.Hidden+j]) * float64(m.Cells[0].Wh[j*gates+unit])
				}
				reset[i] *= float32(1 / (1 + math.Exp(-r)))
			}
			bias("Bh of the candidate", q.Cells[0].Bh[2*c.Hidden:], m.Cells[0].Bh[2*c.Hidden:], reset, m.Cells[0].Wh, gates, 2*c.Hidden, false, wh[2])
		}
		if c.Cell == GRU {
			bias("Br of the candidate", q.Cells[0].Br[2*c.Hidden:], m.Cells[0].Br[2*c.Hidden:], before, m.Cells[0].Wh, gates, 2*c.Hidden, false, wh[2])
		}
	}
}

// TestQuantiseMeansHelp: over the input that the means are of, outputs shift less.
func TestQuantiseMeansHelp(t *testing.T) {
	const steps, rows = 30, 8
	shift := func(m, q *Model, b batch) float64 {
		want, got := b.score(m.NewWorkspace(steps, rows)), b.score(q.NewWorkspace(steps, rows))
		sum := 0.0
		for j := range m.Output {
			mean := 0.0
			for i := j; i < len(want.logits); i += m.Output {
				mean += float64(got.logits[i]-want.logits[i]) / float64(len(want.logits)/m.Output)
			}
			sum += math.Abs(mean)
		}
		return sum
	}
	for name, c := range int8Configs {
		if c.Output == 0 || len(c.Cutoffs) > 0 || c.LastStep {
			continue
		}
		m := newModel(t, newEngine(t, "", 1), c, 1)
		b := newBatch(c, steps, rows, 1)
		ws := m.NewWorkspace(steps, rows)
		b.score(ws)
		means := m.NewMeans()
		means.Add(ws)
		q, err := m.Quantise(means)
		if err != nil {
			t.Fatal(err)
		}
		with, without := shift(m, q, b), shift(m, quantised(t, m), b)
		most := without / 2
		if c.Projection > 0 || c.TimeSkip > 0 { // a product without a bias; states that grow
			most = without
		}
		if !(with < most) {
			t.Errorf("%s: outputs shift by %g with means, by %g without", name, with, without)
		}
	}
}

// TestMeansOfOthers: means and workspaces belong to one model.
func TestMeansOfOthers(t *testing.T) {
	c := Config{Input: 5, Layers: 1, Hidden: 9, Output: 5}
	e := newEngine(t, "", 1)
	m, other := newModel(t, e, c, 1), newModel(t, e, c, 2)
	if _, err := m.Quantise(other.NewMeans()); err == nil {
		t.Error("means of another model are taken")
	}
	if _, err := m.Quantise(m.NewMeans()); err != nil {
		t.Errorf("means of no passes: %v", err)
	}
	ws := other.NewWorkspace(1, 1)
	ws.Forward([]int32{1})
	mustPanic(t, func() { m.NewMeans().Add(ws) }, "rnn: Means.Add", "another model")
	mustPanic(t, func() { m.NewMeans().Add(m.NewWorkspace(1, 1)) }, "rnn: Means.Add")
}

// TestMeansOfLengths: steps behind the end of a sequence don't count.
func TestMeansOfLengths(t *testing.T) {
	const steps, rows = 5, 3
	for _, c := range []Config{
		{Input: 9, Layers: 2, Hidden: 12, Output: 7, Bidirectional: true},
		{Input: 9, Layers: 1, Hidden: 12, Output: 7, Cell: GRUResetBefore},
		{Input: 3, Dense: true, Layers: 2, Hidden: 12, Output: 7, Cell: LSTM, Projection: 8},
	} {
		m, b := newModel(t, newEngine(t, "", 1), c, 1), newBatch(c, steps, rows, 1)
		b.lengths = []int32{2, 0, steps}
		b.spoil(c, steps, rows)
		ws := m.NewWorkspace(steps, rows)
		b.continued(ws)
		together, apart := m.NewMeans(), m.NewMeans()
		together.Add(ws)
		for row, n := range b.lengths {
			if n == 0 {
				continue
			}
			ws, one := m.NewWorkspace(int(n), 1), batch{}
			for t := range int(n) {
				at := t*rows + row
				if c.Dense {
					one.x = append(one.x, b.x[at*c.Input:][:c.Input]...)
				} else {
					one.ids = append(one.ids, b.ids[at])
				}
			}
			one.continued(ws)
			apart.Add(ws)
		}
		sums := func(s *Means) (all []float64) {
			for _, sums := range [][][]float64{{{s.rows}}, s.states, s.reset, s.inputs} {
				for _, sum := range sums {
					all = append(all, sum...)
				}
			}
			return all
		}
		got, want := sums(together), sums(apart)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-9) {
				t.Fatalf("%+v: sum %d is %g, of the sequences alone %g", c, i, got[i], want[i])
			}
		}
	}
}

// TestMeansNotFinite: means of input that is not finite are refused, since they would
// make biases NaN.
func TestMeansNotFinite(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		m := newModel(t, newEngine(t, "", 1), Config{Input: 3, Dense: true, Layers: 1, Hidden: 9, Output: 5}, 1)
		ws := m.NewWorkspace(1, 1)
		ws.ForwardDense([]float32{1, float32(v), 2})
		means := m.NewMeans()
		means.Add(ws)
		if _, err := m.Quantise(means); err == nil || !strings.Contains(err.Error(), "the means make weight") {
			t.Errorf("means of %v: error %v", v, err)
		}
	}
}
