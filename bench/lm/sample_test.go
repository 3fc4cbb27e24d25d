package lm

import (
	"slices"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

func newSampler(t *testing.T, m *Model, o rnn.Sampling) *Sampler {
	t.Helper()
	s, err := m.NewSampler(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRestrictedSamplers: a token takes no allocation; keeping all draws the same text;
// keeping one takes the likeliest.
func TestRestrictedSamplers(t *testing.T) {
	for _, level := range []text.Level{text.Char, text.Word} {
		for _, m := range testModels(t, level) {
			sample := func(temperature float64, k int, p float64) (ids []int32) {
				s := newSampler(t, m, rnn.Sampling{Temperature: temperature, TopK: k, TopP: p, Seed: 3})
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
