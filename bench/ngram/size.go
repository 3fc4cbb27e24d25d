package ngram

import (
	"fmt"
	"math"
)

// Limits of a model. Slots are numbered in 32 bits: a table of MaxEntries
// entries has 1.25·MaxEntries slots, which still fit.
const (
	MaxOrder   = 9
	MaxVocab   = math.MaxInt32
	MaxEntries = math.MaxInt32
)

// Bytes per slot of a hash table.
const (
	keyBytes   = 8
	valueBytes = 4 // one float32: a probability, or the γ of a history
)

// capacity returns the number of slots of a hash table of n entries: 5 slots
// for 4 entries, so that its size follows the entries closely instead of
// jumping at powers of two, and always one slot more, so that a probe ends.
func capacity(n int) int64 {
	return int64(n) + int64(n)/4 + 1
}

// Bytes returns how many bytes the tables of a model hold that has entries[n-1]
// n-grams of order n, for every order up to len(entries), over a vocabulary of
// vocab words. It equals what [Model.Bytes] finds in the slices.
func Bytes(vocab int, entries []int) int64 {
	order := len(entries)
	var total int64
	for n := 1; n <= order; n++ {
		slots, perSlot := int64(vocab), int64(valueBytes)
		if n > 1 {
			slots = capacity(entries[n-1])
			perSlot += keyBytes
		}
		if n < order {
			perSlot += valueBytes
		}
		total += slots * perSlot
	}
	return total
}

// trainBytes is about the most that [Train] holds, beside the model, for each
// n-gram of the order at hand.
const trainBytes = 100

// TrainBytes estimates how many bytes [Train] holds on top of the model, for a
// stream of that many tokens and at most so many n-grams of one order.
func TrainBytes(tokens, entries int) int64 {
	return 4*int64(tokens) + trainBytes*int64(entries)
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

// checkStreamLength returns an error if a stream of n tokens can't be trained
// on. A stream has at most n different n-grams of any order, so this one check
// keeps every table, and every 32-bit count, in range.
func checkStreamLength(n int) error {
	if n == 0 {
		return fmt.Errorf("ngram: no tokens to train on")
	}
	if n > MaxEntries {
		return fmt.Errorf("ngram: %d tokens to train on: at most %d, since tables are indexed in 32 bits", n, MaxEntries)
	}
	return nil
}
