package ngram

import (
	"fmt"
	"math"
	"slices"
)

// Limits of a model. Places are numbered in 32 bits, and so are the bits that
// say where an n-gram's continuations begin, up to three of them for an n-gram.
const (
	MaxOrder   = 9
	MaxVocab   = math.MaxInt32
	MaxEntries = 1 << 30
)

// Shape is what the bytes of a model depend on.
type Shape struct {
	Store   Store
	Vocab   int
	Entries []int // [order] n-grams
	// Probs and Backoffs say how a trie packs the values of each order, of
	// which the highest has no back-offs. Other stores have neither.
	Probs, Backoffs []Coding
}

// NewShape returns the shape of a model with entries[n-1] n-grams of order n,
// for every order up to len(entries), where it isn't made yet. A trie packs what
// it meets: of a [Trie] the shape is the largest it can have, some 20 bits for
// an n-gram above what text gives; of a [Quantised] one it is exact where every
// order above 1 has more different values than fit.
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

// Bytes returns how many bytes the model holds. It equals what [Model.Bytes]
// finds; of a [Map] it is an estimate.
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

// checkTextLength returns an error if a text of n tokens can't be trained on. It
// has at most n different n-grams of any order, so this one check keeps every
// order, and every 32-bit count, in range.
func checkTextLength(n int) error {
	if n == 0 {
		return fmt.Errorf("ngram: no tokens to train on")
	}
	if n > MaxEntries {
		return fmt.Errorf("ngram: %d tokens to train on: at most %d, since places are numbered in 32 bits", n, MaxEntries)
	}
	return nil
}
