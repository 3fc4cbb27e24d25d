package ngram

import (
	"fmt"
	"math"
)

// Scorer scores one stream of tokens. Its state is the places in the store of the
// histories of the last Order-1 tokens. So a token costs one lookup per order, and
// stops at the first n-gram that is not listed. A Scorer is a plain value and must not
// be shared between goroutines. Copying it forks the stream.
type Scorer struct {
	model *Model
	// place[k] stands for the last k tokens, for every k from 1 to known; longer
	// histories are not listed. For a table and a trie it is their place in order k.
	// For a map it is the token k tokens back.
	place [MaxOrder]uint32
	known int
}

// NewScorer returns a Scorer at the start of a stream.
func (m *Model) NewScorer() *Scorer { return &Scorer{model: m} }

// Reset returns the Scorer to the start of a stream.
func (s *Scorer) Reset() { s.known = 0 }

// ResetTo starts a stream after the given history, for instance the mark that begins a
// sentence. It panics if a token lies outside the vocabulary.
func (s *Scorer) ResetTo(history ...int32) {
	s.Reset()
	for _, w := range history[max(0, len(history)-s.model.Order()+1):] {
		s.log10(w)
	}
}

// Score returns the cost of w after the history, -ln p(w|h) in nats, and appends w to
// the history. It allocates nothing. It panics if w lies outside the vocabulary.
func (s *Scorer) Score(w int32) float64 { return 0 - math.Ln10*s.log10(w) }

// log10 returns log10 p(w|h) and appends w to the history.
func (s *Scorer) log10(w int32) float64 {
	if uint(w) >= uint(s.model.shape.Vocab) {
		panic(fmt.Sprintf("ngram: token %d: want 0 to %d", w, s.model.shape.Vocab-1))
	}
	switch store := s.model.store.(type) {
	case *hashStore:
		return store.next(s, w)
	case *trie:
		return store.next(s, w)
	default:
		return store.(*mapStore).next(s, w)
	}
}

// Score returns the cost of a whole stream, the sum of -ln p(w|h) in nats, with the
// history carried through. It panics if a token lies outside the vocabulary.
func (m *Model) Score(tokens []int32) (totalNats float64) {
	s := Scorer{model: m}
	for _, w := range tokens {
		totalNats += s.Score(w)
	}
	return totalNats
}

// Prob returns p(w|history). The history may have any length; only the last Order-1
// tokens matter. Prob panics if a token lies outside the vocabulary.
func (m *Model) Prob(history []int32, w int32) float64 {
	s := Scorer{model: m}
	s.ResetTo(history...)
	return math.Exp(-s.Score(w))
}
