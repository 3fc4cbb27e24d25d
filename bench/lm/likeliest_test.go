package lm

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/bench/lm/text"
)

// naively returns which of some weights are kept: it sorts all of them.
func naively(weights []float64, k int, p float64) []bool {
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case weights[a] > weights[b]:
			return -1
		case weights[a] < weights[b]:
			return 1
		}
		return 0
	})
	if k > 0 {
		order = order[:min(k, len(order))]
	}
	total := 0.0
	for _, i := range order {
		total += weights[i]
	}
	kept, sum := make([]bool, len(weights)), 0.0
	for _, i := range order {
		if p < 1 && sum >= p*total {
			break
		}
		sum += weights[i]
		kept[i] = true
	}
	return kept
}

// TestRestrict holds what is kept to the naive version. Weights of a few binary fractions
// make ties, and shares that are met exactly.
func TestRestrict(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := testModels(t, text.Char)[0]
	for range 5000 {
		weights := make([]float64, 1+rng.IntN(40))
		for i := range weights {
			if weights[i] = math.Ldexp(1, -rng.IntN(4)); rng.IntN(8) == 0 {
				weights[i] = 0
			}
		}
		weights[rng.IntN(len(weights))] = 1
		if rng.IntN(2) == 0 {
			for i := range weights {
				weights[i] *= rng.Float64()
			}
			weights[rng.IntN(len(weights))] = 1
		}
		k, p := rng.IntN(len(weights)+3), []float64{1, 0.5, 0.25, 1e-300, 0.99, rng.Float64() + 1e-9}[rng.IntN(6)]
		s := m.NewSampler(1, 1)
		s.logits = make([]float64, len(weights)) // as many as there are weights
		s.Restrict(k, p)
		got := slices.Clone(weights)
		s.keep.restrict(got)
		for i, kept := range naively(weights, k, p) {
			if want := map[bool]float64{true: weights[i]}[kept]; got[i] != want {
				t.Fatalf("top %d, %v of %v leave %v, want the %dth %v", k, p, weights, got, i, want)
			}
		}
	}
}

// TestRestrictToAll: a share of 1 keeps what rounding loses from the sum too.
func TestRestrictToAll(t *testing.T) {
	s := testModels(t, text.Char)[0].NewSampler(1, 1)
	s.logits = make([]float64, 3)
	s.Restrict(3, 1)
	weights := []float64{1e-18, 1, 1e-17}
	if s.keep.restrict(weights); !slices.Equal(weights, []float64{1e-18, 1, 1e-17}) {
		t.Errorf("all of three leave %v", weights)
	}
	s.Restrict(2, 1)
	if s.keep.restrict(weights); !slices.Equal(weights, []float64{0, 1, 1e-17}) {
		t.Errorf("two of three leave %v", weights)
	}
}

// TestRestrictedDraws: a sampler draws what is kept, in proportion, after the temperature.
func TestRestrictedDraws(t *testing.T) {
	// At a temperature of 2 these have weights of 1, 1/2, 1/2, 1/4, and 8 for <unk>.
	logits := []float64{2 * math.Log(8), 0, 2 * math.Log(0.5), 2 * math.Log(0.5), 2 * math.Log(0.25)}
	for _, test := range []struct {
		first int
		k     int
		p     float64
		want  []float64 // in proportion
	}{
		{1, 0, 1, []float64{0, 4, 2, 2, 1}},
		{1, 2, 1, []float64{0, 4, 2, 0, 0}},
		{1, 9, 1, []float64{0, 4, 2, 2, 1}},
		{1, 0, 0.4, []float64{0, 4, 0, 0, 0}},
		{1, 0, 0.6, []float64{0, 4, 2, 0, 0}},
		{1, 3, 0.6, []float64{0, 4, 2, 0, 0}},
		{1, 2, 0.6, []float64{0, 4, 0, 0, 0}}, // 4 of 6, after the top 2
		{0, 2, 1, []float64{32, 4, 0, 0, 0}},
	} {
		m := testModels(t, text.Char)[0]
		s := m.NewSampler(1, 2)
		s.logits = make([]float64, len(logits))
		s.Restrict(test.k, test.p)
		total := 0.0
		for _, w := range test.want {
			total += w
		}
		const draws = 20_000
		counts := make([]float64, len(logits))
		for range draws {
			copy(s.logits, logits)
			id, ok := draw(s.logits, test.first, s.temperature, &s.keep, s.rng)
			if !ok {
				t.Fatal("nothing drawn")
			}
			counts[id]++
		}
		for id, w := range test.want {
			if share := w / total; !(math.Abs(counts[id]/draws-share) <= 0.02) || w == 0 && counts[id] > 0 {
				t.Errorf("first %d, top %d, %v: id %d drawn with a share of %v, want %v", test.first, test.k, test.p, id, counts[id]/draws, share)
			}
		}
	}
}

// TestRestrictedSamplers: a token takes no allocation; keeping all draws the same text;
// keeping one takes the likeliest.
func TestRestrictedSamplers(t *testing.T) {
	for _, level := range []text.Level{text.Char, text.Word} {
		for _, m := range testModels(t, level) {
			sample := func(temperature float64, k int, p float64) (ids []int32) {
				s := m.NewSampler(3, temperature)
				s.Restrict(k, p)
				for range 60 {
					id, err := s.Next()
					if err != nil || id == text.Unk {
						t.Fatalf("id %d, error %v", id, err)
					}
					ids = append(ids, id)
				}
				if n := testing.AllocsPerRun(10, func() { s.Next() }); n != 0 {
					t.Errorf("%s, top %d, %v: %v allocations a token", m.Config.Name(), k, p, n)
				}
				return ids
			}
			all := sample(1, 0, 1)
			if !slices.Equal(sample(1, m.Vocab.Len(), 1), all) {
				t.Errorf("%s: keeping every token draws another text", m.Config.Name())
			}
			if slices.Equal(sample(1, 2, 1), all) || slices.Equal(sample(1, 0, 0.3), all) {
				t.Errorf("%s: keeping a few tokens draws the same text", m.Config.Name())
			}
			coldest := sample(0, 0, 1)
			if !slices.Equal(sample(1, 1, 1), coldest) || !slices.Equal(sample(1, 0, 1e-9), coldest) || !slices.Equal(sample(0, 3, 0.5), coldest) {
				t.Errorf("%s: keeping one token does not take the likeliest", m.Config.Name())
			}
		}
	}
}
