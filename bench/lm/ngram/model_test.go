package ngram

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// within says whether got is at most tol from want, which a NaN never is.
func within(got, want, tol float64) bool { return math.Abs(got-want) <= tol }

// stream is a corpus that has gone wrong somewhere, or could.
type stream struct {
	name   string
	tokens []int32
	vocab  int
}

func streams() []stream {
	rng := rand.New(rand.NewPCG(1, 2))
	distinct := make([]int32, 40)
	for i := range distinct {
		distinct[i] = int32(i)
	}
	return []stream{
		{"vocab 1", make([]int32, 30), 1},
		{"one token", []int32{2}, 4},
		{"two tokens", []int32{2, 0}, 4},
		{"one token repeated", slices.Repeat([]int32{3}, 50), 5},
		{"all distinct", distinct, 40},
		{"all distinct, larger vocabulary", distinct, 50},
		{"period 3", slices.Repeat([]int32{0, 1, 2}, 20), 3},
		{"random, 2 words", randomStream(rng, 300, 2), 2},
		{"random, 7 words", randomStream(rng, 500, 7), 7},
		{"random, 200 words", randomStream(rng, 400, 200), 200},
		{"text", syntheticText(rng, 1500), letters},
	}
}

// mustTrain returns a model with modified Kneser-Ney smoothing, as a hash table.
func mustTrain(t testing.TB, tokens []int32, vocab, order int) *Model {
	t.Helper()
	est, _ := mustEstimate(t, tokens, Config{Vocab: vocab, Order: order})
	return mustModel(t, est, Hash)
}

// testHistories returns some that were seen, some that were not, and some that
// are longer or shorter than any model needs.
func testHistories(rng *rand.Rand, s stream) [][]int32 {
	list := [][]int32{nil, s.tokens, s.tokens[:min(3, len(s.tokens))]}
	for range 12 {
		end := rng.IntN(len(s.tokens) + 1)
		list = append(list, s.tokens[max(0, end-rng.IntN(11)):end])
		list = append(list, randomStream(rng, rng.IntN(11), s.vocab))
	}
	return list
}

// All the way from the text to a probability.
func TestProbMatchesDefinition(t *testing.T) {
	for _, s := range streams() {
		t.Run(s.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			for _, order := range []int{1, 2, 4, MaxOrder} {
				m := mustTrain(t, s.tokens, s.vocab, order)
				definition := newDefinition(s.tokens, Config{Vocab: s.vocab, Order: order})
				for _, h := range testHistories(rng, s) {
					w := int32(rng.IntN(s.vocab))
					got, want := m.Prob(h, w), definition.prob(h, w)
					if !within(got, want, 1e-5*want) {
						t.Fatalf("order %d: p(%d|%v) = %v, want %v", order, w, h, got, want)
					}
				}
			}
		})
	}
}

func TestScoreCarriesHistory(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, s := range streams() {
		test := slices.Concat(randomStream(rng, 100, s.vocab), s.tokens, randomStream(rng, 100, s.vocab))
		for _, order := range []int{1, 2, 3, 5, 9} {
			m := mustTrain(t, s.tokens, s.vocab, order)
			scorer, want := m.NewScorer(), 0.0
			for i, w := range test {
				cost := scorer.Score(w)
				if p := m.Prob(test[:i], w); math.Exp(-cost) != p {
					t.Fatalf("%s, order %d: token %d costs %v, has probability %v", s.name, order, i, cost, p)
				}
				want += cost
			}
			if got := m.Score(test); got != want {
				t.Errorf("%s, order %d: Score = %v, want %v", s.name, order, got, want)
			}
			fork := *scorer
			if a, b := scorer.Score(test[0]), fork.Score(test[0]); a != b {
				t.Errorf("%s, order %d: fork costs %v, want %v", s.name, order, b, a)
			}
			scorer.Reset()
			if got, want := scorer.Score(test[0]), m.NewScorer().Score(test[0]); got != want {
				t.Errorf("%s, order %d: after Reset %v, want %v", s.name, order, got, want)
			}
		}
	}
}

// Every order up to 4 must help on held-out text of this size. After that the
// counts are nearly all 1, and interpolation must keep the loss small.
func TestHigherOrdersHelp(t *testing.T) {
	text := syntheticText(rand.New(rand.NewPCG(9, 10)), 220_000)
	train, test := text[:200_000], text[200_000:]
	previous := math.Inf(1)
	for order := 1; order <= 7; order++ {
		nats := mustTrain(t, train, letters, order).Score(test) / float64(len(test))
		t.Logf("order %d: %.3f nats", order, nats)
		switch {
		case order <= 4 && !(nats <= 0.97*previous):
			t.Errorf("order %d: %.4f nats, order %d has %.4f", order, nats, order-1, previous)
		case !(nats <= 1.08*previous):
			t.Errorf("order %d: %.4f nats is much worse than %.4f", order, nats, previous)
		}
		previous = nats
	}
}

func TestEstimateIsDeterministic(t *testing.T) {
	text := syntheticText(rand.New(rand.NewPCG(11, 12)), 20_000)
	if a, b := encode(t, mustTrain(t, text, letters, 5)), encode(t, mustTrain(t, text, letters, 5)); !slices.Equal(a, b) {
		t.Error("two models of the same text differ")
	}
}

func TestScorePanicsOutsideVocabulary(t *testing.T) {
	m := mustTrain(t, []int32{0, 1, 2}, 3, 2)
	for _, w := range []int32{-1, 3, math.MinInt32, math.MaxInt32} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, "want 0 to 2") {
					t.Errorf("Score(%d): panic %q", w, text)
				}
			}()
			m.NewScorer().Score(w)
		}()
	}
}

func TestScoringAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	text := syntheticText(rng, 20_000)
	est := randomEstimates(rng, cutSentences(rng, text[:15_000]), letters, 5)
	for _, store := range Stores {
		m := mustModel(t, est, store)
		test, scorer := text[15_000:], m.NewScorer()
		if n := testing.AllocsPerRun(5, func() { m.Score(test) }); n != 0 {
			t.Errorf("%v: Model.Score: %v allocations", store, n)
		}
		if n := testing.AllocsPerRun(100, func() { scorer.Score(test[0]) }); n != 0 {
			t.Errorf("%v: Scorer.Score: %v allocations", store, n)
		}
		if n := testing.AllocsPerRun(100, func() { m.Prob(test[:100], test[100]) }); n != 0 {
			t.Errorf("%v: Model.Prob: %v allocations", store, n)
		}
		if n := testing.AllocsPerRun(100, func() { scorer.ResetTo(1) }); n != 0 {
			t.Errorf("%v: Scorer.ResetTo: %v allocations", store, n)
		}
	}
}
