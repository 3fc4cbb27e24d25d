package ngram

import "math/bits"

// table holds the n-grams of one order. Slot i is one n-gram hw: its
// probability after h and, unless the order is the model's highest, its γ as a
// history. For order 1, keys is nil and the slot is the word.
//
// Keys and values lie in slices of their own: a probe runs over 8 keys a cache
// line, and of all the orders that match only the longest one's probability is
// read.
type table struct {
	keys    []uint64  // [capacity] as made by makeKey; 0 is a free slot
	prob    []float32 // [capacity] p_n(w|h)
	backoff []float32 // [capacity] γ(hw), nil in the highest order
}

// newTable returns an empty hash table for n entries.
func newTable(n int, highest bool) table {
	c := capacity(n)
	t := table{keys: make([]uint64, c), prob: make([]float32, c)}
	if !highest {
		t.backoff = make([]float32, c)
	}
	return t
}

// newUnigrams returns an empty dense table for order 1.
func newUnigrams(vocab int, highest bool) table {
	t := table{prob: make([]float32, vocab)}
	if !highest {
		t.backoff = make([]float32, vocab)
	}
	return t
}

// makeKey returns the key of the n-gram whose first n-1 words are in slot
// prefix of the table below and whose last word is w. It is never 0.
func makeKey(prefix uint32, w int32) uint64 {
	return uint64(prefix)<<32 | uint64(uint32(w)+1)
}

// splitKey undoes makeKey. A key that makeKey never made can give any prefix,
// and a word of up to 2^32 - 1.
func splitKey(key uint64) (prefix, w uint32) {
	return uint32(key >> 32), uint32(key) - 1
}

// home returns the slot, of n, where the search for key begins. The first
// multiplication (2^64/φ, Knuth) is folded so that every bit of the key moves
// the upper bits; the second maps the hash to 0..n-1 without a division, and
// keeps its order, so that walking one table and inserting into another runs
// along both.
func home(key uint64, n int) int {
	hi, lo := bits.Mul64(key, 0x9E3779B97F4A7C15)
	slot, _ := bits.Mul64(hi^lo, uint64(n))
	return int(slot)
}

// find returns the slot of key.
func (t *table) find(key uint64) (slot uint32, ok bool) {
	keys := t.keys
	i := home(key, len(keys))
	for {
		switch keys[i] {
		case key:
			return uint32(i), true
		case 0:
			return 0, false
		}
		if i++; i == len(keys) {
			i = 0
		}
	}
}

// insert puts a key that the table does not hold yet into a free slot.
func (t *table) insert(key uint64) (slot uint32) {
	i := home(key, len(t.keys))
	for t.keys[i] != 0 {
		if i++; i == len(t.keys) {
			i = 0
		}
	}
	t.keys[i] = key
	return uint32(i)
}
