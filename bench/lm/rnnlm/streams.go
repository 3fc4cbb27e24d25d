package rnnlm

import (
	"math/rand/v2"

	"batchrnn/kernels"
)

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
	own          kernels.Span // the streams whose pieces are dealt out
	ids, targets []int32      // [steps,own]
}

// newStreams cuts tokens, at least two, into at most count streams. It makes fewer if
// they would be shorter than a few pieces of steps tokens.
func newStreams(tokens []int32, count, steps int, seed uint64) *streams {
	count, steps = cutStreams(len(tokens), count, steps)
	inputs := len(tokens) - 1 // the last one is a target only
	random := rand.NewPCG(seed, 0)
	s := &streams{
		tokens: tokens,
		count:  count,
		steps:  steps,
		length: inputs / count,
		random: random,
		rng:    rand.New(random),
	}
	s.at = s.length // so that next starts an epoch
	s.hold(kernels.Span{Lo: 0, Hi: count})
	return s
}

// cutStreams returns the number of streams and of their steps for so many tokens.
func cutStreams(tokens, count, steps int) (int, int) {
	inputs := tokens - 1
	steps = min(steps, inputs)
	return min(count, max(inputs/(4*steps), 1)), steps
}

// Reads returns the range of tokens that this rank reads of a training split of so many. A
// text of sentences is read as a whole.
func (o Options) Reads(tokens int) (lo, hi int) {
	o = o.withDefaults()
	if tokens < 2 {
		return 0, tokens
	}
	count, _ := cutStreams(tokens, o.Streams, o.Steps)
	r, err := newRanks(o, count)
	if err != nil {
		return 0, tokens // the training says so
	}
	length := (tokens - 1) / count
	slack := tokens - 1 - count*length
	own := r.own.Own()
	return own.Lo * length, slack + own.Hi*length + 1
}

// hold makes next deal out these streams alone.
func (s *streams) hold(own kernels.Span) {
	s.own = own
	s.ids, s.targets = make([]int32, s.steps*own.Len()), make([]int32, s.steps*own.Len())
}

// next fills ids and targets with the next piece of its streams. It reports whether
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
	for b := range s.own.Len() {
		from := s.offset + (s.own.Lo+b)*s.length + s.at
		column(s.ids, s.tokens[from:], b, s.own.Len(), s.steps)
		column(s.targets, s.tokens[from+1:], b, s.own.Len(), s.steps)
	}
	s.at += s.steps
	return first
}
