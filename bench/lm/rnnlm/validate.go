package rnnlm

import (
	"context"
	"math"
	"time"
)

// The most tokens of a validation, and the fewest. The most tell models apart by a few
// thousandths of a bit.
const (
	maxValid = 200_000
	minValid = 300
)

// validate scores the validation text, and keeps the parameters if they are the best so
// far. Its error is that of a lost rank.
func (t *trainer) validate(ctx context.Context) error {
	from, start := t.spent(), t.clock()
	if err := t.newValidator(); err != nil {
		t.valid = nil
		return nil
	}
	nats, err := t.scoreValid(ctx)
	if err != nil {
		return err
	}
	loss := nats / float64(len(t.valid))
	switch {
	case t.ended(ctx):
		return nil // it is due again
	case t.progress.Valid == 0 && !math.IsNaN(nats) || loss < t.progress.Valid:
		t.progress.Valid = loss
		copy(t.best, t.model.Slab)
		t.worse = 0
	default:
		t.worse++
		t.halvings++
		if t.options.Halve { // go on from the best, more slowly
			t.keepBest()
		}
	}
	t.validated, t.validTook = t.spent(), t.clock().Sub(start)
	if !t.byTokens() {
		t.validCost = t.validated - from
	}
	return nil
}

// newValidator makes the scorer of the validation text before the first validation. Ranks
// share the text.
func (t *trainer) newValidator() (err error) {
	rank, of := t.ranks.place()
	switch {
	case t.validator != nil || t.validPart != nil:
	case !t.ranks.sharded():
		t.validator, err = t.scorer(t.valid)
	case t.sentences != nil:
		t.validPart, err = newSentencePartScorer(t.model, t.marks, t.valid, rank, of)
	default:
		t.validPart, err = newPartScorer(t.model, t.history, t.valid, rank, of)
	}
	return err
}

// scoreValid returns the cost of the validation text in nats, NaN of a network that has
// diverged. If the training has ended meanwhile, it isn't known. The error is that of a
// lost rank.
func (t *trainer) scoreValid(ctx context.Context) (nats float64, err error) {
	if !t.ranks.sharded() {
		if nats, err = t.validator.Score(ctx); err != nil {
			nats = math.NaN()
		}
		return nats, nil
	}
	pieces, err := t.tell(ctx, t.stepTime(), t.validPart.score(ctx)...)
	for _, piece := range pieces {
		nats += piece
	}
	return nats, err
}

// outOfPatience reports whether Patience validations in a row found no better
// parameters.
func (t *trainer) outOfPatience() bool {
	return t.options.Patience > 0 && t.worse >= t.options.Patience
}

// keepBest restores the parameters of the lowest validation loss.
func (t *trainer) keepBest() {
	copy(t.model.Slab, t.best)
	t.model.Update()
}

// soon is the approximate time for each of the two scorings of chooseSoon.
const soon = 500 * time.Millisecond

// chooseSoon keeps the better of the last and the best parameters after an interrupt.
// It scores both on a short piece of the validation text, because somebody waits.
// Without time for a piece it keeps the last, which have trained for longer. Ranks keep the
// best without a choice: mpirun kills them a second after an interrupt.
func (t *trainer) chooseSoon(ctx context.Context) {
	if !t.ranks.alone() {
		t.keepBest()
		return
	}
	piece := t.valid
	if t.validTook > soon {
		piece = piece[:int(float64(len(piece))*float64(soon)/float64(t.validTook))]
	}
	if len(piece) < min(len(t.valid), minValid) {
		return
	}
	scorer, err := t.scorer(piece)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*soon)
	defer cancel()
	last := append([]float32(nil), t.model.Slab...)
	ofLast, lastErr := scorer.Score(ctx)
	t.keepBest()
	if lastErr != nil {
		return // out of time, or diverged
	}
	if ofBest, err := scorer.Score(ctx); err == nil && ofBest <= ofLast {
		return
	}
	copy(t.model.Slab, last)
	t.model.Update()
}
