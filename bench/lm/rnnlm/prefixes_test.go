package rnnlm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// prefixNetworks are the networks whose prefixes are tested: every cell, several layers,
// and an adaptive softmax.
func prefixNetworks(t testing.TB, threads int) map[string]*rnn.Model {
	t.Helper()
	e, err := kernels.New("", threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	const v = 211
	models := map[string]*rnn.Model{}
	for name, c := range map[string]rnn.Config{
		"vanilla":  {Input: v, Layers: 1, Hidden: 40, Output: v},
		"lstm":     {Input: v, Embedding: 24, Layers: 2, Hidden: 40, Output: v, Cell: rnn.LSTM},
		"gru":      {Input: v, Layers: 1, Hidden: 24, Output: v, Cell: rnn.GRU},
		"adaptive": {Input: v, Layers: 1, Hidden: 40, Output: v, Cutoffs: []int{10, 50, 100}},
		"tied":     {Input: v, Layers: 1, Hidden: 40, Output: v, Tied: true},
		"skip":     {Input: v, Layers: 2, Hidden: 24, Output: v, Cell: rnn.GRU, Residual: true},
	} {
		if models[name], err = rnn.New(e, c, 3); err != nil {
			t.Fatal(err)
		}
	}
	return models
}

// costsAlone returns the costs of a text by itself, one step at a time.
func costsAlone(m *rnn.Model, start int32, text []int32) (losses []float32) {
	ws := m.NewWorkspace(1, 1)
	for _, token := range text {
		ws.Forward([]int32{start})
		ws.Loss([]int32{token})
		losses = append(losses, ws.Losses[0])
		ws.Carry()
		start = token
	}
	return losses
}

// join returns texts as PrefixScorer.Losses takes them.
func join(texts [][]int32) (tokens []int32, ends []int) {
	for _, text := range texts {
		tokens = append(tokens, text...)
		ends = append(ends, len(tokens))
	}
	return tokens, ends
}

// wantAlone wants the costs of texts that each has by itself.
func wantAlone(t *testing.T, name string, m *rnn.Model, s *PrefixScorer, texts [][]int32) {
	t.Helper()
	tokens, ends := join(texts)
	losses := make([]float32, len(tokens))
	s.Losses(losses, tokens, ends)
	at := 0
	for i, text := range texts {
		for j, want := range costsAlone(m, s.start, text) {
			if got := losses[at+j]; math.Float32bits(got) != math.Float32bits(want) {
				t.Fatalf("%s: text %d of %d, token %d costs %v, alone %v", name, i, len(texts), j, got, want)
			}
		}
		at = ends[i]
	}
}

// TestPrefixesCostWhatTheyCostAlone: the same bits, whatever the shape of the trie, the
// order, the number of threads, and what was scored before.
func TestPrefixesCostWhatTheyCostAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := func(n, most, words int) (all [][]int32) {
		for range n {
			text := make([]int32, random.IntN(most+1))
			for i := range text {
				text[i] = int32(random.IntN(words) * 210 / max(words-1, 1))
			}
			all = append(all, text)
		}
		return all
	}
	comb := func(n int) (all [][]int32) { // each ends where the next goes on
		var text []int32
		for i := range n {
			text = append(text, int32(i*7%211))
			all = append(all, slices.Clone(text))
		}
		return all
	}
	var wide [][]int32 // a root of 211 children, with one child each
	for i := range int32(211) {
		wide = append(wide, []int32{i, 210 - i})
	}
	shapes := map[string][][]int32{
		"none":          {},
		"empty":         {{}, {}, {}},
		"one":           {{5}},
		"one, long":     texts(1, 700, 211),
		"the same":      {{1, 2, 3}, {1, 2, 3}, {}, {1, 2, 3}},
		"comb":          comb(90),
		"wide":          wide,
		"two words":     texts(400, 12, 2),
		"no prefix":     texts(300, 9, 211),
		"prefix at 256": texts(1000, 5, 3),
	}
	for _, threads := range []int{1, 2} {
		for name, m := range prefixNetworks(t, threads) {
			s := NewPrefixScorer(m, 7)
			for shape, texts := range shapes {
				if threads == 2 && len(texts) > 300 && name != "adaptive" {
					continue
				}
				wantAlone(t, fmt.Sprintf("%s, %s, %d threads", name, shape, threads), m, s, texts)
			}
			if most := (outputRows + prefixRows) * s.width; cap(s.states) > most {
				t.Errorf("%s: room for %d floats of states, want at most %d", name, cap(s.states), most)
			}
		}
	}
}

func TestPrefixesAllocateNothing(t *testing.T) {
	for name, m := range prefixNetworks(t, 2) {
		s := NewPrefixScorer(m, 0)
		tokens, ends := join(confusions(rand.New(rand.NewPCG(5, 0)), 211, 100, 20))
		losses := make([]float32, len(tokens))
		s.Losses(losses, tokens, ends)
		if n := testing.AllocsPerRun(10, func() { s.Losses(losses, tokens, ends) }); n != 0 {
			t.Errorf("%s: %v allocations for a list", name, n)
		}
	}
}

// confusions returns a list of n hypotheses of words words, as a recogniser gives them: the
// likeliest of a network of 8 places with two alternatives each. 0 ends each.
func confusions(r *rand.Rand, v, n, words int) (texts [][]int32) {
	word := func() int32 { return 1 + int32(r.IntN(v-1)) }
	text := make([]int32, words+1)
	for i := range words {
		text[i] = word()
	}
	const places = 8
	at, other := r.Perm(words)[:places], make([]int32, places)
	penalty := make([]float64, places)
	for i := range other {
		other[i], penalty[i] = word(), r.ExpFloat64()
	}
	costs := make([]float64, 1<<places)
	masks := make([]int, 1<<places)
	for mask := range masks {
		masks[mask] = mask
		for i := range places {
			if mask>>i&1 == 1 {
				costs[mask] += penalty[i]
			}
		}
	}
	slices.SortFunc(masks, func(a, b int) int {
		if costs[a] < costs[b] {
			return -1
		}
		return 1
	})
	for _, mask := range masks[:n] {
		hypothesis := slices.Clone(text)
		for i := range places {
			if mask>>i&1 == 1 {
				hypothesis[at[i]] = other[i]
			}
		}
		texts = append(texts, hypothesis)
	}
	return texts
}
