package study

import (
	"context"
	"errors"
	"fmt"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
)

// mixture measures the linear interpolation of the RNN in float32 and the n-gram model with
// the lowest validation bits.
func (l *level) mixture(ctx context.Context) error {
	a, okA := bestOnValid(inStore(l.rows, rnnStore), KindRNN)
	b, okB := bestOnValid(inStore(l.rows, ngram.Trie.String()), KindNgram)
	if !okA || !okB {
		return nil
	}
	config := config(a.Config, b.Config)
	if l.again(config) {
		return nil
	}
	event := l.event("mixture")
	l.working(event, "scoring")
	network, err := l.load(a.Cell, a.Hidden)
	switch {
	case err != nil && l.lost != nil:
		l.notes = append(l.notes, "The mixture is left out: its RNN was not saved.")
		return nil
	case err != nil:
		return fmt.Errorf("the RNN of the mixture: %w", err)
	}
	c := l.data
	row := Row{
		Level: a.Level, Label: a.Label + " + " + b.Label, Config: config, Parts: []string{a.Label, b.Label},
		Model: Model{
			Kind: KindMixture, Order: b.Order, Cell: a.Cell, Hidden: a.Hidden, Store: a.Store + " + " + b.Store,
			Entries: b.Entries, Parameters: a.Parameters,
			BytesPredicted: a.BytesPredicted + b.BytesPredicted, BytesResident: a.BytesResident + b.BytesResident,
			ResidentUnknown: a.ResidentUnknown || b.ResidentUnknown,
			TrainSeconds:    a.TrainSeconds + b.TrainSeconds, TrainTokens: a.TrainTokens + b.TrainTokens,
		},
		LatencySeconds: a.LatencySeconds + b.LatencySeconds, // one after the other
	}
	err = lm.Await(ctx, func() error {
		estimates, err := estimateNgram(c.Corpus, l.options.Smoothing, b.Order)
		if err != nil {
			return err
		}
		model, err := ngram.NewModel(estimates.Estimates, ngram.Trie)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err // the engine may be closed by now
		}
		grams := lm.NewNgram(model, c.Corpus, lm.Config{})
		ofA, errA := network.Losses(ctx, c.Train, c.Valid)
		ofB, errB := grams.Losses(ctx, c.Train, c.Valid)
		testA, errC := network.Losses(ctx, c.Valid, c.Test)
		testB, errD := grams.Losses(ctx, c.Valid, c.Test)
		if err := errors.Join(errA, errB, errC, errD); err != nil {
			return err
		}
		row.Weight = mixtureWeight(ofA, ofB)
		row.ValidBits = lm.Bits(mixtureNats(row.Weight, ofA, ofB), len(c.Valid))
		row.BitsPerToken = lm.Bits(mixtureNats(row.Weight, testA, testB), len(c.Test))
		row.AdjustedBits = l.data.Adjusted(row.BitsPerToken)
		row.Perplexity, row.Adjusted = lm.PerplexityOf(row.BitsPerToken), lm.PerplexityOf(row.AdjustedBits)
		return nil
	})
	if err != nil {
		return err
	}
	l.add(row)
	l.tell(event, l.rows)
	return l.store.Keep(l.Result())
}

// inStore returns the rows of one store.
func inStore(rows []Row, store string) (in []Row) {
	for _, r := range rows {
		if r.Store == store {
			in = append(in, r)
		}
	}
	return in
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
