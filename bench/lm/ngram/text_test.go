package ngram

import "math/rand/v2"

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
