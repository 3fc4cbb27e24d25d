package rnnlm

import "math/rand/v2"

// streams cuts a text into parallel contiguous streams, and returns one piece of each
// at a time. At the end of the streams a new epoch begins at another offset, a few
// tokens further on. So pieces are cut at other places in every epoch.
type streams struct {
	tokens       []int32
	count, steps int
	length       int       // tokens in a stream
	offset       int       // where the first stream starts in this epoch
	at           int       // tokens of each stream dealt out in this epoch
	random       *rand.PCG // all the state that rng has
	rng          *rand.Rand
	ids, targets []int32 // [steps,count]
}

// newStreams cuts tokens, at least two, into at most count streams. It makes fewer if
// they would be shorter than a few pieces of steps tokens.
func newStreams(tokens []int32, count, steps int, seed uint64) *streams {
	inputs := len(tokens) - 1 // the last one is a target only
	steps = min(steps, inputs)
	count = min(count, max(inputs/(4*steps), 1))
	random := rand.NewPCG(seed, 0)
	s := &streams{
		tokens:  tokens,
		count:   count,
		steps:   steps,
		length:  inputs / count,
		random:  random,
		rng:     rand.New(random),
		ids:     make([]int32, steps*count),
		targets: make([]int32, steps*count),
	}
	s.at = s.length // so that next starts an epoch
	return s
}

// next fills ids and targets with the next piece of every stream. It reports whether
// the piece is the first of an epoch, which starts from the zero state.
func (s *streams) next() (first bool) {
	if s.at+s.steps > s.length {
		slack := len(s.tokens) - 1 - s.count*s.length // tokens beyond the streams
		first, s.at = true, 0
		s.offset = s.rng.IntN(slack + 1)
		if s.length >= 2*s.steps {
			s.at = s.rng.IntN(s.length%s.steps + 1)
		}
	}
	for b := range s.count {
		from := s.offset + b*s.length + s.at
		column(s.ids, s.tokens[from:], b, s.count, s.steps)
		column(s.targets, s.tokens[from+1:], b, s.count, s.steps)
	}
	s.at += s.steps
	return first
}
