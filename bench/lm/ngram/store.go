package ngram

import (
	"fmt"
	"strings"
)

// Store says how a [Model] lies in memory. All but [Quantised] give the same scores,
// bit for bit.
type Store int

const (
	// Map is a Go map keyed by the words of the n-gram: the obvious implementation.
	Map Store = iota
	// Hash is a hash table for each order, in flat slices: the fastest.
	Hash
	// Trie is a sorted trie in packed bits: the smallest lossless store.
	Trie
	// Quantised is a [Trie] with values rounded to 256 for each order above 1.
	Quantised
)

// Stores lists every Store.
var Stores = []Store{Map, Hash, Trie, Quantised}

// String returns the store's name, as the tables print it.
func (s Store) String() string {
	switch s {
	case Map:
		return "map"
	case Hash:
		return "hash"
	case Trie:
		return "trie"
	case Quantised:
		return "quantised trie"
	}
	return fmt.Sprintf("Store(%d)", int(s))
}

// ParseStore returns the store whose String begins with the word s, or an error that
// lists the choices.
func ParseStore(s string) (Store, error) {
	for _, store := range Stores {
		if name, _, _ := strings.Cut(store.String(), " "); s == name {
			return store, nil
		}
	}
	return 0, fmt.Errorf("unknown store %q: choose map, hash, trie or quantised", s)
}

// store is one way to hold the n-grams. [Scorer] also calls the method next on the
// concrete type. A call through the interface would move every Scorer to the heap.
type store interface {
	// bytes returns how many bytes it holds.
	bytes() int64
	// encode writes it as the [decoder] reads it.
	encode(e *encoder)
	// fill sets est, which has the sizes of the model, to the numbers that it holds.
	fill(est *Estimates)
}
