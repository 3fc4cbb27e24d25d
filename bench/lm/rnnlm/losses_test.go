package rnnlm

import (
	"testing"
)

func TestLossesAddUpToTheScore(t *testing.T) {
	m := newModel(t, 20, 16)
	text := make([]int32, 20_000)
	for i := range text {
		text[i] = int32(i * i % 19)
	}
	for _, n := range []int{1, 7, 50, 333, 9_001} {
		s, err := NewScorer(m, text[:100], text[100:100+n])
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Score(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		losses := make([]float32, n)
		if err := s.Losses(t.Context(), losses); err != nil {
			t.Fatal(err)
		}
		var sum float64
		for _, l := range losses {
			sum += float64(l)
		}
		if !within(sum, want, 1e-6*want) {
			t.Errorf("%d tokens: losses add up to %v, the score is %v", n, sum, want)
		}
		if err := s.Losses(t.Context(), make([]float32, n+1)); err == nil {
			t.Error("no error for a slice of another length")
		}
	}
}

// A token costs the same wherever the streams are cut, but for the little that
// the state before a stream still says.
func TestLossesAreInTheOrderOfTheText(t *testing.T) {
	m := newModel(t, 20, 16)
	text := make([]int32, 10_000)
	for i := range text {
		text[i] = int32(i * i % 19)
	}
	s, err := NewScorer(m, text[:100], text[100:9_100])
	if err != nil {
		t.Fatal(err)
	}
	losses := make([]float32, 9_000)
	if err := s.Losses(t.Context(), losses); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 120, 4_444, 8_999} {
		one, err := NewScorer(m, text[:100+at], text[100+at:101+at])
		if err != nil {
			t.Fatal(err)
		}
		want, err := one.Score(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(losses[at]); !within(got, want, 0.5) {
			t.Errorf("token %d costs %v, by itself %v", at, got, want)
		}
	}
}
