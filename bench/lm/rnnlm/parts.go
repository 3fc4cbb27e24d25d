package rnnlm

import (
	"context"
	"math"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

// A partScorer scores one of several parts of a text. The text is cut in the same places
// however many parts there are, and the nats of each piece are summed by themselves. So
// the sum over the pieces of all parts, in their order, has the same bits.
type partScorer struct {
	scorer *Scorer // nil of a part without a token
	losses []float32
	ends   []int // of each piece in losses
}

// newPartScorer returns a scorer of part i of n of a text that follows history. Its pieces
// are the streams of [NewScorer], and the tokens that are left after them.
func newPartScorer(m *rnn.Model, history, tokens []int32, i, n int) (*partScorer, error) {
	s, err := newScorer(m, history, tokens, i, n)
	if err != nil {
		return nil, err
	}
	p := &partScorer{scorer: s}
	length := s.body.steps * s.body.pieces
	for b := range s.body.streams {
		p.ends = append(p.ends, (b+1)*length)
	}
	size := s.body.streams * length
	if s.tail.ws != nil {
		size += s.tail.steps
		p.ends = append(p.ends, size)
	}
	p.losses = make([]float32, size)
	return p, nil
}

// newSentencePartScorer is newPartScorer for sentences. Its pieces are runs of sentences,
// as many as [NewScorer] has streams.
func newSentencePartScorer(m *rnn.Model, marks text.Marks, tokens []int32, i, n int) (*partScorer, error) {
	starts := []int{}
	for at := range tokens {
		if at == 0 || tokens[at-1] == marks.End {
			starts = append(starts, at)
		}
	}
	starts = append(starts, len(tokens))
	cut := func(run int) int { return starts[run*(len(starts)-1)/scoreStreams] }
	lo, hi := i*scoreStreams/n, (i+1)*scoreStreams/n
	p := &partScorer{}
	for run := lo; run < hi; run++ {
		p.ends = append(p.ends, cut(run+1)-cut(lo))
	}
	if tokens = tokens[cut(lo):cut(hi)]; len(tokens) == 0 {
		return p, nil
	}
	p.losses = make([]float32, len(tokens))
	var err error
	p.scorer, err = NewSentenceScorer(m, marks, tokens)
	return p, err
}

// score returns the nats of each piece. Those of a network that has diverged are NaN.
func (p *partScorer) score(ctx context.Context) []float64 {
	sums := make([]float64, len(p.ends))
	diverged := p.scorer != nil && len(p.losses) > 0 && p.scorer.Losses(ctx, p.losses) != nil
	at := 0
	for i, end := range p.ends {
		for _, l := range p.losses[at:end] {
			sums[i] += float64(l)
		}
		if at = end; diverged {
			sums[i] = math.NaN()
		}
	}
	return sums
}
