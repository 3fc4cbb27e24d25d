package ngram

import (
	"fmt"
	"math"
	"slices"
)

// Model is an n-gram model in one of the stores. It is immutable: any number of
// Scorers, in any number of goroutines, may use one Model at once.
type Model struct {
	shape Shape
	store store
}

// NewModel returns a model with the numbers of est, which it doesn't retain. Every
// prefix and every suffix of a listed n-gram must be listed. Log-probabilities are at
// most 0; back-offs may be above 0, which are weights above 1. All are finite.
func NewModel(est *Estimates, store Store) (*Model, error) {
	if err := est.check(); err != nil {
		return nil, err
	}
	m := &Model{shape: NewShape(store, est.Vocab, est.entries())}
	switch store {
	case Map:
		m.store = newMapStore(est)
	case Hash:
		h, err := newHashStore(est)
		if err != nil {
			return nil, err
		}
		m.store = h
	case Trie, Quantised:
		t := newTrie(est, store == Quantised)
		m.store, m.shape = t, t.shape
	default:
		return nil, fmt.Errorf("ngram: %v: no such store", store)
	}
	return m, nil
}

// entries returns the number of n-grams of each order.
func (est *Estimates) entries() []int {
	entries := make([]int, len(est.Orders))
	for i := range est.Orders {
		entries[i] = est.Orders[i].Len()
	}
	return entries
}

// Estimates returns the numbers of the model, as [WriteARPA] writes them. Those of a
// [Quantised] model are its rounded ones.
func (m *Model) Estimates() *Estimates {
	est := newEstimates(m.shape.Vocab, m.shape.Entries)
	m.store.fill(est)
	return est
}

// check returns an error if est differs from the description of its type. It doesn't
// check that suffixes are listed: a missing one gives the score of a shorter match.
func (est *Estimates) check() error {
	if err := checkShape(len(est.Orders), est.Vocab); err != nil {
		return err
	}
	for i := range est.Orders {
		o, n := &est.Orders[i], i+1
		backoffs := o.Len()
		if n == len(est.Orders) {
			backoffs = 0
		}
		prefixes := o.Len()
		if n == 1 {
			prefixes = 0
		}
		if len(o.Prob) != o.Len() || len(o.Backoff) != backoffs || len(o.Prefix) != prefixes {
			return fmt.Errorf("ngram: order %d: %d words, %d prefixes, %d log-probabilities and %d back-offs don't fit together",
				n, o.Len(), len(o.Prefix), len(o.Prob), len(o.Backoff))
		}
		if n == 1 && o.Len() != est.Vocab {
			return fmt.Errorf("ngram: order 1 lists %d words: must be all %d of the vocabulary", o.Len(), est.Vocab)
		}
		if o.Len() > MaxEntries {
			return fmt.Errorf("ngram: order %d has %d n-grams: at most %d fit", n, o.Len(), MaxEntries)
		}
		if err := est.checkOrder(n); err != nil {
			return err
		}
	}
	return nil
}

// checkOrder checks every n-gram of order n.
func (est *Estimates) checkOrder(n int) error {
	o := &est.Orders[n-1]
	previous := int64(-1) // prefix and word of the preceding n-gram
	for i, w := range o.Word {
		var prefix int64
		if n > 1 {
			prefix = int64(o.Prefix[i])
			if prefix >= int64(est.Orders[n-2].Len()) {
				return fmt.Errorf("ngram: order %d, n-gram %d: prefix %d of %d", n, i, prefix, est.Orders[n-2].Len())
			}
		}
		if w < 0 || int(w) >= est.Vocab {
			return fmt.Errorf("ngram: order %d, n-gram %d: word %d: must be from 0 to %d", n, i, w, est.Vocab-1)
		}
		key := prefix<<31 | int64(w)
		if key <= previous {
			return fmt.Errorf("ngram: order %d, n-gram %d: not above the one before by prefix and word", n, i)
		}
		previous = key
		if !isLogProb(o.Prob[i]) {
			return fmt.Errorf("ngram: order %d, n-gram %d: log-probability %v: must be finite and at most 0", n, i, o.Prob[i])
		}
		if o.Backoff != nil && !isFinite(o.Backoff[i]) {
			return fmt.Errorf("ngram: order %d, n-gram %d: back-off %v: must be finite", n, i, o.Backoff[i])
		}
	}
	return nil
}

// isLogProb reports whether v is the logarithm of a probability above 0.
func isLogProb(v float32) bool { return v >= -math.MaxFloat32 && v <= 0 }

func isFinite(v float32) bool { return v >= -math.MaxFloat32 && v <= math.MaxFloat32 }

// Shape returns the sizes that determine the model's bytes.
func (m *Model) Shape() Shape {
	s := m.shape
	s.Entries, s.Probs, s.Backoffs = slices.Clone(s.Entries), slices.Clone(s.Probs), slices.Clone(s.Backoffs)
	return s
}

// Store returns the store of the model.
func (m *Model) Store() Store { return m.shape.Store }

// Order returns the length of the model's longest n-grams, in tokens.
func (m *Model) Order() int { return len(m.shape.Entries) }

// Vocab returns the number of different token ids.
func (m *Model) Vocab() int { return m.shape.Vocab }

// Entries returns the number of n-grams of each order; order n is at n-1.
func (m *Model) Entries() []int { return slices.Clone(m.shape.Entries) }

// TotalEntries returns the number of n-grams of all orders.
func (m *Model) TotalEntries() int {
	total := 0
	for _, n := range m.shape.Entries {
		total += n
	}
	return total
}

// Bytes returns the size of the model in memory. For a table or a trie it is the sum of
// the slices, and equals [Shape.Bytes]. It leaves out a few hundred bytes of headers.
func (m *Model) Bytes() int64 { return m.store.bytes() }
