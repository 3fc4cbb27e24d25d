package ngram

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomEstimates lists every n-gram of the sentences, up to the order, with
// random values: what a store must hold, whatever the smoothing. Some orders
// have few different values, as smoothings give, and some have many.
func randomEstimates(rng *rand.Rand, sentences [][]int32, vocab, order int) *Estimates {
	est := &Estimates{Vocab: vocab, Orders: make([]Order, order)}
	var below [][]int32
	for n := 1; n <= order; n++ {
		var grams [][]int32
		for _, s := range sentences {
			for end := n; end <= len(s); end++ {
				grams = append(grams, s[end-n:end])
			}
		}
		for w := range vocab {
			if n == 1 {
				grams = append(grams, []int32{int32(w)})
			}
		}
		slices.SortFunc(grams, slices.Compare)
		grams = slices.CompactFunc(grams, slices.Equal)
		o := &est.Orders[n-1]
		for _, g := range grams {
			if n > 1 {
				prefix, found := slices.BinarySearchFunc(below, g[:n-1], slices.Compare)
				if !found {
					panic("a prefix is not listed")
				}
				o.Prefix = append(o.Prefix, uint32(prefix))
			}
			o.Word = append(o.Word, g[n-1])
		}
		o.Prob = randomValues(rng, len(grams), -8, 0)
		if n < order {
			o.Backoff = randomValues(rng, len(grams), -3, 1)
		}
		below = grams
	}
	return est
}

// randomValues returns n values from least to most, 0 and repeated ones among
// them.
func randomValues(rng *rand.Rand, n int, least, most float64) []float32 {
	values := make([]float32, n)
	different := 1 + rng.IntN(2*n+2)
	for i := range values {
		at := float64(rng.IntN(different)) / float64(different)
		values[i] = float32(min(least+(most-least)*at*1.1, most))
		if rng.IntN(8) == 0 {
			values[i] = 0
		}
	}
	return values
}

func cutSentences(rng *rand.Rand, tokens []int32) [][]int32 {
	var sentences [][]int32
	for len(tokens) > 0 {
		n := min(1+rng.IntN(20), len(tokens))
		sentences = append(sentences, tokens[:n])
		tokens = tokens[n:]
	}
	return sentences
}

// testEstimates makes random estimates of order n of every stream.
func testEstimates(rng *rand.Rand, order int) map[string]*Estimates {
	list := map[string]*Estimates{}
	for _, s := range streams() {
		list[s.name] = randomEstimates(rng, cutSentences(rng, s.tokens), s.vocab, order)
	}
	return list
}

func mustModel(t testing.TB, est *Estimates, store Store) *Model {
	t.Helper()
	m, err := NewModel(est, store)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every store but the quantised one gives what the definition gives, to the last
// bit, and so all of them the same.
func TestScoresFollowTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	for order := 1; order <= MaxOrder; order++ {
		for name, est := range testEstimates(rng, order) {
			r := backoff{est}
			test := scoredStream(rng, est)
			for _, store := range []Store{Map, Hash, Trie} {
				s := mustModel(t, est, store).NewScorer()
				for i, w := range test {
					want := r.log10(test[:i], w)
					if got := s.Score(w); math.Float64bits(got) != math.Float64bits(0-math.Ln10*want) {
						t.Fatalf("%s, order %d, %v: token %d costs %v, want %v", name, order, store, i, got, -math.Ln10*want)
					}
				}
			}
		}
	}
}

// scoredStream returns words as they are listed, and words at random.
func scoredStream(rng *rand.Rand, est *Estimates) []int32 {
	var test []int32
	for range 40 {
		n := 1 + rng.IntN(len(est.Orders))
		if count := est.Orders[n-1].Len(); count > 0 {
			test = append(test, est.ids(n, rng.IntN(count))...)
		}
		test = append(test, randomStream(rng, rng.IntN(4), est.Vocab)...)
	}
	return test
}

// A quantised score is off by no more than the values that it adds up are.
func TestQuantisedScoresAreNear(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	text := syntheticText(rng, 30_000)
	for order := 1; order <= MaxOrder; order++ {
		est := randomEstimates(rng, cutSentences(rng, text), letters, order)
		m := mustModel(t, est, Quantised)
		trie := m.store.(*trie)
		var bound float64 // of the worst match and back-offs together
		for n := range est.Orders {
			bound += worst(est.Orders[n].Prob, &trie.levels[n].prob)
			if n+1 < len(est.Orders) {
				bound += worst(est.Orders[n].Backoff, &trie.levels[n].backoff)
			}
		}
		if order == 1 && bound != 0 {
			t.Errorf("words alone are off by %v", bound)
		}
		r, s, off := backoff{est}, m.NewScorer(), 0.0
		test := scoredStream(rng, est)
		for i, w := range test {
			want := r.log10(test[:i], w)
			off = max(off, math.Abs(s.log10(w)-want))
		}
		t.Logf("order %d: off by up to %.4f of %.4f", order, off, bound)
		if !(off <= bound+1e-9) || !(bound <= 0.1*float64(order)) {
			t.Errorf("order %d: scores are off by up to %v, values by %v", order, off, bound)
		}
	}
}

// worst returns the most that the column is off.
func worst(values []float32, c *column) float64 {
	most := 0.0
	for i, v := range values {
		most = max(most, math.Abs(float64(c.at(uint32(i)))-float64(v)))
	}
	return most
}

func TestResetTo(t *testing.T) {
	rng := rand.New(rand.NewPCG(35, 36))
	text := syntheticText(rng, 3000)
	est := randomEstimates(rng, cutSentences(rng, text), letters, 4)
	for _, store := range Stores {
		m := mustModel(t, est, store)
		for _, history := range [][]int32{nil, {3}, text[:2], text[:50]} {
			s, want := m.NewScorer(), m.NewScorer()
			s.Score(5)
			s.ResetTo(history...)
			for _, w := range history {
				want.Score(w)
			}
			for _, w := range text[50:60] {
				if got, want := s.Score(w), want.Score(w); got != want {
					t.Fatalf("%v: after ResetTo(%v), %d costs %v, want %v", store, history, w, got, want)
				}
			}
		}
	}
}
