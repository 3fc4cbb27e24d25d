package bench

import (
	"context"
	"errors"
	"fmt"

	"batchrnn/bench/ngram"
)

// mixture measures the linear interpolation of the RNN and the n-gram model that
// predict the validation split best.
func (l *levelStudy) mixture(ctx context.Context) error {
	a, okA := bestOnValid(l.rows, KindRNN)
	b, okB := bestOnValid(l.rows, KindNgram)
	if !okA || !okB {
		return nil
	}
	config := config(a.Config, b.Config)
	if l.again(config) {
		return nil
	}
	event := l.event("mixture")
	l.on(event)
	network, err := l.load(a.Hidden)
	if err != nil {
		return fmt.Errorf("the RNN of the mixture: %w", err)
	}
	c := l.c.corpus
	row := Row{
		Level: a.Level, Label: a.Label + " + " + b.Label, Config: config, Parts: []string{a.Label, b.Label},
		Model: Model{
			Kind: KindMixture, Order: b.Order, Hidden: a.Hidden, Store: a.Store + " + " + b.Store,
			Entries: b.Entries, Parameters: a.Parameters,
			BytesPredicted: a.BytesPredicted + b.BytesPredicted, BytesResident: a.BytesResident + b.BytesResident,
			ResidentUnknown: a.ResidentUnknown || b.ResidentUnknown,
			TrainSeconds:    a.TrainSeconds + b.TrainSeconds, TrainTokens: a.TrainTokens + b.TrainTokens,
		},
		LatencySeconds: a.LatencySeconds + b.LatencySeconds, // one after the other
	}
	err = await(ctx, func() error {
		counts, err := ngram.Train(c.Train, c.Vocab.Len(), b.Order)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err // and the engine may be closed by now
		}
		ofA, errA := network.Losses(ctx, c.Train, c.Valid)
		ofB := ngramLosses(counts, c.Train, c.Valid)
		testA, errB := network.Losses(ctx, c.Valid, c.Test)
		testB := ngramLosses(counts, c.Valid, c.Test)
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		row.Weight = mixtureWeight(ofA, ofB)
		row.ValidBits = bits(mixtureNats(row.Weight, ofA, ofB), len(c.Valid))
		row.BitsPerToken = bits(mixtureNats(row.Weight, testA, testB), len(c.Test))
		row.Perplexity = perplexity(row.BitsPerToken)
		return nil
	})
	if err != nil {
		return err
	}
	event.Fraction, event.Measured = 1, &row.Model
	l.on(event)
	l.add(row)
	return l.store.Keep(l.Result())
}

// bestOnValid returns the row of a kind with the lowest validation bits.
func bestOnValid(rows []Row, kind string) (best Row, ok bool) {
	for _, r := range rows {
		if r.Kind == kind && !r.Interrupted && !r.Unscored && (!ok || r.ValidBits < best.ValidBits) {
			best, ok = r, true
		}
	}
	return best, ok
}
