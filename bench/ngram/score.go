package ngram

import (
	"fmt"
	"math"
)

// Scorer reads a stream of tokens and tells how well the model foresaw each. It
// remembers the last Order-1 tokens, as slots rather than as words, so that a
// token costs one lookup per order and stops at the first n-gram that was never
// seen. A Scorer is a plain value and must not be shared between goroutines;
// copying it forks the stream.
type Scorer struct {
	model *Model
	// history[k] is the slot, in the table of order k, of the last k tokens,
	// for every k from 1 to known; longer histories were not seen in training.
	history [MaxOrder + 1]uint32
	known   int
}

// NewScorer returns a Scorer at the start of a stream.
func (m *Model) NewScorer() *Scorer { return &Scorer{model: m} }

// Reset returns the Scorer to the start of a stream.
func (s *Scorer) Reset() { s.known = 0 }

// Score returns the cost of w after all that came before it, -ln p(w|h) in
// nats, and takes w into the history. It allocates nothing. It panics if w lies
// outside the vocabulary.
func (s *Scorer) Score(w int32) float64 { return -math.Log(s.next(w)) }

// Score returns the cost of a whole stream, the sum of -ln p(w|h) in nats, with
// the history carried over all of it. It panics if a token lies outside the
// vocabulary.
func (m *Model) Score(tokens []int32) (totalNats float64) {
	s := Scorer{model: m}
	for _, w := range tokens {
		totalNats += s.Score(w)
	}
	return totalNats
}

// Prob returns p(w|history), strictly positive and at most 1. The history may
// have any length; the last Order-1 tokens of it matter. Prob panics if a token
// lies outside the vocabulary.
func (m *Model) Prob(history []int32, w int32) float64 {
	s := Scorer{model: m}
	if keep := m.Order() - 1; len(history) > keep {
		history = history[len(history)-keep:]
	}
	for _, v := range history {
		s.next(v)
	}
	return s.next(w)
}

// next returns p(w|h) and takes w into the history.
//
// Every suffix of an n-gram that was seen was seen too, so the orders that hold
// hw are 1..match: p is the finished probability of order match, times the γ of
// every longer history that is known. No lookup depends on another one of the
// same token, only on the token before, so the processor overlaps their cache
// misses.
func (s *Scorer) next(w int32) float64 {
	tables := s.model.tables
	if uint(w) >= uint(len(tables[0].prob)) {
		panicToken(w, s.model.vocab)
	}
	known := s.known
	match, slot := 1, uint32(w)
	previous := s.history[1] // history[match] as it was before w
	s.history[1] = slot
	for match <= known {
		found, ok := tables[match].find(makeKey(previous, w))
		if !ok {
			break
		}
		match++
		slot = found
		previous, s.history[match] = s.history[match], slot
	}

	p := float64(tables[match-1].prob[slot])
	if match <= known {
		p *= float64(tables[match-1].backoff[previous])
		for k := match + 1; k <= known; k++ {
			p *= float64(tables[k-1].backoff[s.history[k]])
		}
	}
	s.known = min(match, len(tables)-1)
	return p
}

func panicToken(w int32, vocab int) {
	panic(fmt.Sprintf("ngram: token %d: want 0 to %d", w, vocab-1))
}
