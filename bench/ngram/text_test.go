package ngram

import (
	"fmt"
	"math/rand/v2"
)

// randomStream returns n independent tokens, smaller ones more often.
func randomStream(rng *rand.Rand, n, vocab int) []int32 {
	stream := make([]int32, n)
	for i := range stream {
		f := rng.Float64()
		stream[i] = int32(f * f * float64(vocab))
	}
	return stream
}

const letters = 28 // vocabulary of syntheticText: a to z, space, full stop

// syntheticText returns n letters that look like text to an n-gram model: words
// of a fixed lexicon, frequent ones far more often, each preferring a few
// successors.
func syntheticText(rng *rand.Rand, n int) []int32 {
	const lexicon, successors = 4000, 6
	words := make([][]int32, lexicon)
	for i := range words {
		word := make([]int32, 0, 12)
		for range 1 + rng.IntN(2+i*4/lexicon) {
			word = append(word, int32(rng.IntN(21)), int32(21+rng.IntN(5)))
		}
		words[i] = append(word, 26)
	}
	zipf := rand.NewZipf(rng, 1.1, 2, lexicon-1)
	next := make([][successors]int, lexicon)
	for i := range next {
		for j := range next[i] {
			next[i][j] = int(zipf.Uint64())
		}
	}
	text := make([]int32, 0, n+16)
	for word := 0; len(text) < n; {
		text = append(text, words[word]...)
		switch f := rng.Float64(); {
		case f < 0.1:
			text = append(text[:len(text)-1], 27, 26)
			word = int(zipf.Uint64())
		case f < 0.5:
			word = int(zipf.Uint64())
		default:
			word = next[word][rng.IntN(successors)]
		}
	}
	return text[:n]
}

// reference is the definition in the package comment taken literally: maps of
// counts, float64, recursion.
type reference struct {
	vocab     int
	counts    []map[string]int // [order] by words
	following []map[string][2]int
	discounts []float64
}

func newReference(tokens []int32, vocab, order int) *reference {
	r := &reference{vocab: vocab}
	for n := 1; n <= order; n++ {
		counts, following := map[string]int{}, map[string][2]int{}
		for end := n; end <= len(tokens); end++ {
			counts[fmt.Sprint(tokens[end-n:end])]++
		}
		seen := map[string]bool{}
		for end := n; end <= len(tokens); end++ {
			gram, history := fmt.Sprint(tokens[end-n:end]), fmt.Sprint(tokens[end-n:end-1])
			f := following[history]
			f[0]++
			if !seen[gram] {
				seen[gram] = true
				f[1]++
			}
			following[history] = f
		}
		var n1, n2 float64
		for _, c := range counts {
			switch c {
			case 1:
				n1++
			case 2:
				n2++
			}
		}
		discount := n1 / (n1 + 2*n2)
		if !(discount > 0 && discount < 1) {
			discount = 0.5
		}
		r.counts = append(r.counts, counts)
		r.following = append(r.following, following)
		r.discounts = append(r.discounts, discount)
	}
	return r
}

// prob returns p_n(w|history) with n = len(history)+1, at most the order.
func (r *reference) prob(history []int32, w int32) float64 {
	history = history[max(0, len(history)-len(r.counts)+1):]
	n := len(history) + 1
	lower := 1 / float64(r.vocab)
	if n > 1 {
		lower = r.prob(history[1:], w)
	}
	f := r.following[n-1][fmt.Sprint(history)]
	if f[0] == 0 {
		return lower
	}
	count := r.counts[n-1][fmt.Sprint(append(history[:len(history):len(history)], w))]
	total, discount := float64(f[0]), r.discounts[n-1]
	return max(float64(count)-discount, 0)/total + discount*float64(f[1])/total*lower
}
