package rnn

import (
	"math"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// newSampled returns a model whose outputs are far from even.
func newSampled(t *testing.T, e *kernels.Engine, cell CellKind) *Model {
	t.Helper()
	m := newModel(t, e, Config{Input: 10, Cell: cell, Layers: 1, Hidden: 17, Output: 10}, 1)
	for i := range m.Wy {
		m.Wy[i] *= 5
	}
	m.Update()
	return m
}

// draw returns how often each id is drawn after id 3 and the zero state.
func draw(m *Model, draws int, temperature float32) []int {
	s := m.NewSampler(5)
	counts := make([]int, m.Output)
	for range draws {
		s.ws.Reset()
		counts[s.Next(3, temperature)]++
	}
	return counts
}

// probabilities returns the softmax of the logits after id 3 and the zero state,
// by a naive network.
func probabilities(m *Model) []float64 {
	n := newNaive(m)
	h := n.states(naiveInput{batch: batch{ids: []int32{3}}, steps: 1, rows: 1, h0: make([]float64, m.Hidden), c0: make([]float64, m.Hidden)}).out
	p := n.logits(h)
	var sum float64
	for i, v := range p {
		p[i] = math.Exp(v)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// TestSamplerDistribution: at temperature 1 ids come as often as softmax says.
// Of 9 degrees of freedom, a χ² of 40 is passed once in 130,000 tries.
func TestSamplerDistribution(t *testing.T) {
	const draws = 20000
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		models := []*Model{
			newSampled(t, e, Vanilla), newSampled(t, e, LSTM), newSampled(t, e, GRU), newSampled(t, e, GRUResetBefore),
			newModel(t, e, Config{Input: 10, Layers: 1, Hidden: 17, Output: 10, Tied: true}, 1),
			newModel(t, e, Config{Input: 10, Layers: 1, Hidden: 17, Output: 10, Cutoffs: []int{3, 6}}, 1),
			newModel(t, e, Config{Input: 10, Embedding: 17, Cell: GRU, Layers: 1, Hidden: 17, Output: 10, Tied: true}, 1),
		}
		for _, m := range models {
			want := probabilities(m)
			var chi2 float64
			for i, n := range draw(m, draws, 1) {
				expected := draws * want[i]
				if expected < 5 {
					t.Fatalf("id %d is expected %.2f times, too seldom for χ²", i, expected)
				}
				chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
			}
			if !(chi2 <= 40) {
				t.Errorf("%+v: χ² is %.1f", m.Config, chi2)
			}
		}
	})
}

// TestSamplerTemperature: the colder, the surer; at 0, and at anything too near
// to 0 to divide by, the likeliest.
func TestSamplerTemperature(t *testing.T) {
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		m := newSampled(t, e, Vanilla)
		p := probabilities(m)
		best := slices.Index(p, slices.Max(p))
		for _, cold := range []float32{0, math.SmallestNonzeroFloat32, 1e-38, 1e-30, 1e-6} {
			if n := draw(m, 100, cold)[best]; n != 100 {
				t.Errorf("temperature %g: the likeliest came %d times of 100", cold, n)
			}
		}
		last := 0.0
		for _, temperature := range []float32{0.25, 0.5, 1, 2, 100} {
			h := entropy(draw(m, 5000, temperature))
			if !(h > last) {
				t.Errorf("temperature %g: entropy %.3f, at the colder one %.3f", temperature, h, last)
			}
			last = h
		}
		if even := math.Log(float64(m.Output)); !(last >= even-0.01) {
			t.Errorf("temperature 100: entropy %.3f, want nearly %.3f", last, even)
		}
	})
}

func entropy(counts []int) float64 {
	var n, h float64
	for _, c := range counts {
		n += float64(c)
	}
	for _, c := range counts {
		if p := float64(c) / n; p > 0 {
			h -= p * math.Log(p)
		}
	}
	return h
}

// TestSamplerSeed: a seed is a sequence, and the state goes on from draw to draw.
func TestSamplerSeed(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, cell := range []CellKind{Vanilla, LSTM, GRU, GRUResetBefore} {
			checkSamplerSeed(t, newSampled(t, e, cell))
		}
	})
}

func checkSamplerSeed(t *testing.T, m *Model) {
	t.Helper()
	sequence := func(seed uint64) []int32 {
		s, ids := m.NewSampler(seed), []int32{3}
		for range 50 {
			ids = append(ids, s.Next(ids[len(ids)-1], 1))
		}
		return ids
	}
	ids := sequence(1)
	if !slices.Equal(sequence(1), ids) {
		t.Error("seed 1 draws two sequences")
	}
	if slices.Equal(sequence(2), ids) {
		t.Error("seeds 1 and 2 draw the same sequence")
	}

	s := m.NewSampler(1)
	for _, id := range ids {
		s.Next(id, 1)
	}
	ws := m.NewWorkspace(len(ids), 1)
	ws.Forward(ids)
	sameBits(t, "state after 51 draws", s.ws.slot(s.ws.layers[0].h, 0), ws.slot(ws.layers[0].h, len(ids)))
	if m.Cell == LSTM {
		sameBits(t, "cell state after 51 draws", s.ws.cSlot(s.ws.layers[0].c, 0), ws.cSlot(ws.layers[0].c, len(ids)))
	}
}
