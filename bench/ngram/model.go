package ngram

import "slices"

// Model is a trained n-gram model. It is immutable: any number of Scorers, in
// any number of goroutines, may use one Model at the same time.
type Model struct {
	vocab     int
	entries   []int      // [order] n-grams of each order
	discounts []Discount // [order]
	tables    []table    // [order]
}

// Order returns the length of the model's longest n-grams, in tokens.
func (m *Model) Order() int { return len(m.tables) }

// Vocab returns the number of different token ids.
func (m *Model) Vocab() int { return m.vocab }

// Entries returns how many different n-grams of each order were seen in
// training; order n is at n-1.
func (m *Model) Entries() []int { return slices.Clone(m.entries) }

// TotalEntries returns the number of n-grams of all orders.
func (m *Model) TotalEntries() int {
	total := 0
	for _, n := range m.entries {
		total += n
	}
	return total
}

// Discounts returns the discount of each order; order n is at n-1.
func (m *Model) Discounts() []Discount { return slices.Clone(m.discounts) }

// Bytes returns how many bytes the model's tables hold. It is added up from the
// slices themselves and equals the pure function [Bytes]. The few hundred bytes
// around them are left out.
func (m *Model) Bytes() int64 {
	var total int64
	for _, t := range m.tables {
		total += keyBytes*int64(cap(t.keys)) + valueBytes*int64(cap(t.prob)+cap(t.backoff))
	}
	return total
}
