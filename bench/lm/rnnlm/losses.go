package rnnlm

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Losses sets dst, one element for each token, to the cost of each token in nats. These
// are the terms of [Scorer.Score]'s sum, in the order of the text.
func (s *Scorer) Losses(ctx context.Context, dst []float32) error {
	body := s.body.streams * s.body.steps * s.body.pieces
	want := body + s.tail.streams*s.tail.steps*s.tail.pieces
	if s.sentences != nil {
		want = len(s.sentences.losses)
	}
	if len(dst) != want {
		return fmt.Errorf("rnnlm: room for the losses of %d tokens: want %d", len(dst), want)
	}
	if s.sentences != nil {
		s.sentences.score(ctx, s.Told)
		copy(dst, s.sentences.losses)
	} else {
		s.body.losses(ctx, dst[:body], s.Told)
		if s.tail.ws != nil {
			s.tail.losses(ctx, dst[body:], nil)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, l := range dst {
		if v := float64(l); math.IsNaN(v) || math.IsInf(v, 0) {
			return errors.New("the model's scores are not finite: its training has diverged")
		}
	}
	return nil
}

// losses sets dst to the losses of the section, or to a part of them if ctx ends first.
// told may be nil.
func (s *section) losses(ctx context.Context, dst []float32, told func(tokens int)) {
	s.ws.Reset()
	if s.warm {
		s.loss(-1)
		s.ws.Carry()
	}
	for piece := 0; piece < s.pieces && ctx.Err() == nil; piece++ {
		s.loss(piece)
		for b := range s.streams {
			of := dst[(b*s.pieces+piece)*s.steps:][:s.steps]
			for t := range of {
				of[t] = s.ws.Losses[t*s.streams+b]
			}
		}
		s.ws.Carry()
		if told != nil {
			told((piece + 1) * s.steps * s.streams)
		}
	}
}
