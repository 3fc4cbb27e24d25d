package ngram

import (
	"fmt"
	"math"
	"slices"
)

// Limits of a model. Places are numbered in 32 bits. So are the bits of offsets, up to
// three for an n-gram.
const (
	MaxOrder   = 9
	MaxVocab   = math.MaxInt32
	MaxEntries = 1 << 30
)

// Shape holds the sizes that determine the bytes of a model.
type Shape struct {
	Store   Store
	Vocab   int
	Entries []int // [order] n-grams
	// Probs and Backoffs say how a trie packs the values of each order. The highest
	// order has no back-offs. Other stores have neither.
	Probs, Backoffs []Coding
}

// NewShape returns the shape of a model before it is made. entries[n-1] is the number
// of n-grams of order n, for every order up to len(entries). The packing of a trie
// depends on its values. For a [Trie] the shape is an upper bound, about 20 bits an
// n-gram above typical text. For a [Quantised] one it is exact if every order above 1
// has more different values than fit.
func NewShape(store Store, vocab int, entries []int) Shape {
	s := Shape{Store: store, Vocab: vocab, Entries: slices.Clone(entries)}
	if store != Trie && store != Quantised {
		return s
	}
	for i, n := range entries {
		prob, backoff := Coding{Width: 31}, Coding{Width: 32}
		if store == Quantised && i > 0 {
			values := min(n, quantisedValues)
			prob = Coding{Width: codeWidth(values), Book: values}
			backoff = prob
		}
		s.Probs = append(s.Probs, prob)
		if i+1 < len(entries) {
			s.Backoffs = append(s.Backoffs, backoff)
		}
	}
	return s
}

// Bytes returns the size of the model in memory. It equals [Model.Bytes]; for a [Map]
// it is an estimate.
func (s Shape) Bytes() int64 {
	switch s.Store {
	case Map:
		return mapBytes(s.Entries)
	case Hash:
		return hashBytes(s.Vocab, s.Entries)
	}
	var total int64
	for i, n := range s.Entries {
		total += s.Probs[i].bytes(n)
		if i > 0 {
			total += packedBytes(n, wordWidth(s.Vocab))
		}
		if i+1 < len(s.Entries) {
			total += s.Backoffs[i].bytes(n) + offsetsBytes(n, s.Entries[i+1])
		}
	}
	return total
}

// checkShape returns an error if no model can have this order and vocabulary.
func checkShape(order, vocab int) error {
	if order < 1 || order > MaxOrder {
		return fmt.Errorf("ngram: order %d: must be from 1 to %d", order, MaxOrder)
	}
	if vocab < 1 || vocab > MaxVocab {
		return fmt.Errorf("ngram: vocabulary of %d words: must be from 1 to %d", vocab, MaxVocab)
	}
	return nil
}

// checkTextLength returns an error if a text of n tokens is too long to train on. A
// text has at most n different n-grams of any order. So this check keeps every order
// and every 32-bit count in range.
func checkTextLength(n int) error {
	if n == 0 {
		return fmt.Errorf("ngram: no tokens to train on")
	}
	if n > MaxEntries {
		return fmt.Errorf("ngram: %d tokens to train on: at most %d, since places are numbered in 32 bits", n, MaxEntries)
	}
	return nil
}
