package rnnlm

import (
	"context"
	"errors"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

// sentenceScorer scores sentences, each by itself.
type sentenceScorer struct {
	*sentences
	ws     *rnn.Workspace
	losses []float32 // of each token
}

// NewSentenceScorer returns a Scorer of sentences, each after the mark of its start and
// from the zero state. There is at least one token; the last sentence may lack its end.
func NewSentenceScorer(m *rnn.Model, marks text.Marks, tokens []int32) (*Scorer, error) {
	if len(tokens) == 0 {
		return nil, errors.New("rnnlm: nothing to score")
	}
	s := newSentences(m, marks, tokens, scoreStreams, scoreSteps)
	s.longestFirst()
	return &Scorer{sentences: &sentenceScorer{
		sentences: s, ws: m.NewWorkspace(s.steps, len(s.rows)), losses: make([]float32, len(tokens)),
	}}, nil
}

// score sets losses, and returns their sum in nats, or a part of it if ctx ends first. told
// may be nil.
func (s *sentenceScorer) score(ctx context.Context, told func(tokens int)) (nats float64) {
	s.restart()
	scored := 0
	for ctx.Err() == nil {
		n := s.deal(s.ws, false)
		if n == 0 {
			break
		}
		s.ws.Forward(s.ids)
		s.ws.Loss(s.targets)
		for b, p := range s.rows {
			of := s.losses[p.At:][:min(s.left(p), s.lengths[b])]
			for t := range of {
				of[t] = s.ws.Losses[t*len(s.rows)+b]
			}
		}
		s.keep(s.ws)
		if scored += n; told != nil {
			told(scored)
		}
	}
	for _, l := range s.losses { // in the order of the text
		nats += float64(l)
	}
	return nats
}
