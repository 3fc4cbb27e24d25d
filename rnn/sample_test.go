package rnn

import (
	"cmp"
	"math"
	"slices"
	"strings"
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
func draw(t *testing.T, m *Model, draws int, temperature float64) []int {
	t.Helper()
	g, zero := newGenerator(t, m, Sampling{Temperature: temperature, Seed: 5}), m.NewState(1)
	counts := make([]int, m.Output)
	for range draws {
		g.SetState(zero)
		counts[next(t, g, 3)]++
	}
	return counts
}

func newGenerator(t *testing.T, m *Model, o Sampling) *Generator {
	t.Helper()
	g, err := m.NewGenerator(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func next(t *testing.T, g *Generator, id int32) int32 {
	t.Helper()
	id, err := g.Next(id)
	if err != nil {
		t.Fatal(err)
	}
	return id
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
			for i, n := range draw(t, m, draws, 1) {
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
		for _, cold := range []float64{0, math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat32, 1e-38, 1e-30, 1e-6} {
			if n := draw(t, m, 100, cold)[best]; n != 100 {
				t.Errorf("temperature %g: the likeliest came %d times of 100", cold, n)
			}
		}
		last := 0.0
		for _, temperature := range []float64{0.25, 0.5, 1, 2, 100} {
			h := entropy(draw(t, m, 5000, temperature))
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
		g, ids := newGenerator(t, m, Sampling{Temperature: 1, Seed: seed}), []int32{3}
		for range 50 {
			ids = append(ids, next(t, g, ids[len(ids)-1]))
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

	g := newGenerator(t, m, Sampling{})
	for _, id := range ids {
		next(t, g, id)
	}
	ws := m.NewWorkspace(len(ids), 1)
	ws.Forward(ids)
	got, want := m.NewState(1), m.NewState(1)
	g.State(got)
	ws.State(want)
	sameBits(t, "state after 51 draws", got.H, want.H)
	sameBits(t, "cell state after 51 draws", got.C, want.C)

	// Half way another generator goes on from the state and the position.
	all := newGenerator(t, m, Sampling{Temperature: 1, Seed: 1})
	for _, id := range ids[:25] {
		next(t, all, id)
	}
	rest := newGenerator(t, m, Sampling{Temperature: 1, Seed: 9})
	all.State(got)
	rest.SetState(got)
	position, err := all.sampler.MarshalBinary()
	if err == nil {
		err = rest.sampler.UnmarshalBinary(position)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids[25:50] {
		if got := next(t, rest, id); got != ids[26+i] {
			t.Fatalf("draw %d after a restore is %d, want %d", i, got, ids[26+i])
		}
	}
}

// naively returns which of some probabilities are kept: it sorts all of them.
func naively(p []float32, k int, share float64) []bool {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
	if k > 0 {
		order = order[:min(k, len(order))]
	}
	total := 0.0
	for _, i := range order {
		total += float64(p[i])
	}
	kept, sum := make([]bool, len(p)), 0.0
	for _, i := range order {
		if share < 1 && sum >= share*total {
			break
		}
		sum += float64(p[i])
		kept[i] = true
	}
	return kept
}

// TestRestrict holds what is kept to the naive version. Probabilities of a few binary
// fractions make ties, and shares that are met exactly.
func TestRestrict(t *testing.T) {
	rng := newRand(1)
	for range 5000 {
		p := make([]float32, 1+rng.IntN(40))
		for i := range p {
			if p[i] = float32(math.Ldexp(1, -rng.IntN(4))); rng.IntN(8) == 0 {
				p[i] = 0
			}
		}
		p[rng.IntN(len(p))] = 1
		if rng.IntN(2) == 0 {
			for i := range p {
				p[i] *= rng.Float32()
			}
			p[rng.IntN(len(p))] = 1
		}
		k, share := rng.IntN(len(p)+3), []float64{1, 0.5, 0.25, 1e-300, 0.99, rng.Float64() + 1e-9}[rng.IntN(6)]
		s := Sampler{o: Sampling{TopK: k, TopP: share}}
		got, total := slices.Clone(p), 0.0
		sum := s.restrict(got)
		for i, kept := range naively(p, k, share) {
			want := float32(0)
			if kept {
				want = p[i]
			}
			total += float64(want)
			if got[i] != want {
				t.Fatalf("top %d, %v of %v leave %v, want the %dth %v", k, share, p, got, i, want)
			}
		}
		if !(math.Abs(sum-total) <= 1e-12) {
			t.Fatalf("top %d, %v of %v leave a sum of %v, want %v", k, share, p, sum, total)
		}
	}
}

// TestRestrictToAll: a share of 1 keeps what rounding loses from the sum too.
func TestRestrictToAll(t *testing.T) {
	p := []float32{1e-18, 1, 1e-17}
	for _, test := range []struct {
		k    int
		want []float32
	}{{3, []float32{1e-18, 1, 1e-17}}, {2, []float32{0, 1, 1e-17}}} {
		s := Sampler{o: Sampling{TopK: test.k, TopP: 1}}
		got := slices.Clone(p)
		if s.restrict(got); !slices.Equal(got, test.want) {
			t.Errorf("top %d of three leave %v", test.k, got)
		}
	}
}

// TestRestrictedDraws: a sampler draws what is kept, in proportion, after the temperature.
func TestRestrictedDraws(t *testing.T) {
	// At a temperature of 2 these have weights of 4, 2, 2, 1, and 0.
	log := func(x float64) float32 { return float32(2 * math.Log(x)) }
	logits := []float32{log(1), log(0.5), log(0.5), log(0.25), float32(math.Inf(-1))}
	const draws = 20_000
	for _, test := range []struct {
		k    int
		p    float64
		want []float64 // in proportion
	}{
		{0, 1, []float64{4, 2, 2, 1, 0}},
		{0, 0, []float64{4, 2, 2, 1, 0}},
		{2, 1, []float64{4, 2, 0, 0, 0}},
		{9, 1, []float64{4, 2, 2, 1, 0}},
		{0, 0.4, []float64{4, 0, 0, 0, 0}},
		{0, 0.6, []float64{4, 2, 0, 0, 0}},
		{3, 0.6, []float64{4, 2, 0, 0, 0}},
		{2, 0.6, []float64{4, 0, 0, 0, 0}}, // 4 of 6, after the top 2
	} {
		s, err := NewSampler(newEngine(t, "", 1), Sampling{Temperature: 2, TopK: test.k, TopP: test.p})
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, w := range test.want {
			total += w
		}
		counts := make([]float64, len(logits))
		for range draws {
			id, err := s.Draw(logits)
			if err != nil {
				t.Fatal(err)
			}
			counts[id]++
		}
		for id, w := range test.want {
			if share := w / total; !(math.Abs(counts[id]/draws-share) <= 0.02) || w == 0 && counts[id] > 0 {
				t.Errorf("top %d, %v: id %d drawn with a share of %v, want %v", test.k, test.p, id, counts[id]/draws, share)
			}
		}
	}
}

// TestSamplerOdds: two ids' odds go with their ratio to the power of the inverse
// temperature.
func TestSamplerOdds(t *testing.T) {
	const draws = 20_000
	for _, test := range []struct{ temperature, share float64 }{{0.5, 0.8}, {1, 2.0 / 3}, {2, math.Sqrt2 / (1 + math.Sqrt2)}} {
		s, err := NewSampler(newEngine(t, "", 1), Sampling{Temperature: test.temperature, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		drawn := 0
		for range draws {
			if id, _ := s.Draw([]float32{0, float32(math.Log(2))}); id == 1 {
				drawn++
			}
		}
		if share := float64(drawn) / draws; !(math.Abs(share-test.share) <= 0.02) {
			t.Errorf("temperature %v: a share of %.3f, want %.3f", test.temperature, share, test.share)
		}
	}
}

// TestSamplerMistakes: options out of range, models without a next input, logits that are
// not finite.
func TestSamplerMistakes(t *testing.T) {
	e, nan, inf := newEngine(t, "", 1), math.NaN(), math.Inf(1)
	for _, o := range []Sampling{{Temperature: -1}, {Temperature: nan}, {Temperature: inf}, {TopK: -1}, {TopP: -0.1}, {TopP: 1.1}, {TopP: nan}} {
		if s, err := NewSampler(e, o); s != nil || err == nil {
			t.Errorf("%+v: sampler %v, error %v", o, s, err)
		}
	}
	if _, err := NewSampler(nil, Sampling{}); err == nil || !strings.Contains(err.Error(), "kernels.New") {
		t.Errorf("no engine: error %v", err)
	}
	for _, c := range []Config{
		{Input: 3, Layers: 1, Hidden: 4, Output: 4},
		{Input: 4, Layers: 1, Hidden: 4},
		{Input: 4, Dense: true, Layers: 1, Hidden: 4, Output: 4},
		{Input: 4, Layers: 1, Hidden: 4, Output: 4, Bidirectional: true},
		{Input: 4, Layers: 1, Hidden: 4, Output: 4, LastStep: true},
	} {
		if g, err := newModel(t, e, c, 1).NewGenerator(Sampling{}); g != nil || err == nil {
			t.Errorf("%+v: generator %v, error %v", c, g, err)
		}
	}
	for _, temperature := range []float64{0, 1} {
		s, err := NewSampler(e, Sampling{Temperature: temperature, TopK: 2})
		if err != nil {
			t.Fatal(err)
		}
		n, i := float32(nan), float32(inf)
		for _, logits := range [][]float32{nil, {n, 1}, {1, n}, {1, i}, {-i, -i}, {-i}, {-i, n}} {
			if _, err := s.Draw(logits); err != ErrNotFinite {
				t.Errorf("temperature %v, logits %v: error %v", temperature, logits, err)
			}
		}
		if id, err := s.Draw([]float32{-i, 3, -i}); id != 1 || err != nil {
			t.Errorf("one of three: id %d, error %v", id, err)
		}
	}
}
