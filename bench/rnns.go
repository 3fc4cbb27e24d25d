package bench

import (
	"context"
	"fmt"

	"batchrnn/bench/corpus"
	"batchrnn/bench/measure"
	"batchrnn/bench/rnnlm"
	"batchrnn/rnn"
)

// rnnStore is what the tables say of how an rnn.Model lies in memory.
const rnnStore = "dense"

// measureRNN trains and scores an RNN of the given width and fills a row. If ctx
// ends during training, what has been learned so far is scored, unless nothing
// has.
func (c *Comparison) measureRNN(ctx context.Context, hidden int, event Event, on func(Event)) (Model, *rnn.Model, error) {
	options := rnnlm.Options{Hidden: hidden, Budget: c.options.Budget, Seed: c.options.Seed}
	model, stats, err := rnnlm.Train(ctx, c.engine, c.corpus, options, func(p rnnlm.Progress) {
		event.Fraction = min(float64(p.Elapsed)/float64(c.options.Budget), 1)
		event.Detail = FormatRate(float64(p.Tokens)/p.Elapsed.Seconds()) + " tokens/s"
		if p.Valid > 0 {
			event.Detail += fmt.Sprintf(", validation %.3f bits", bits(p.Valid, 1))
		}
		on(event)
	})
	if err != nil {
		return Model{}, nil, fmt.Errorf("RNN of width %d: %w", hidden, err)
	}
	row := Model{
		Kind:           KindRNN,
		Hidden:         hidden,
		Store:          rnnStore,
		Parameters:     int64(len(model.Slab)),
		BytesPredicted: model.Bytes(c.engine),
		TrainSeconds:   stats.Elapsed.Seconds(),
		TrainTokens:    stats.Tokens,
		Interrupted:    stats.Interrupted,
	}
	row.TrainTokensPerSecond = float64(row.TrainTokens) / row.TrainSeconds
	if row.Interrupted {
		var cancel context.CancelFunc
		ctx, cancel = grace(ctx)
		defer cancel()
	}
	if err := scoreRNN(ctx, &row, model, c.corpus); err != nil {
		return Model{}, nil, fmt.Errorf("RNN of width %d: %w", hidden, err)
	}
	return row, model, nil
}

// scoreRNN fills in what scoring the test split tells. Where somebody waits,
// because the training was interrupted, it is scored a single time.
func scoreRNN(ctx context.Context, row *Model, model *rnn.Model, c *corpus.Corpus) error {
	scorer, err := rnnlm.NewScorer(model, c.Valid, c.Test)
	if err != nil {
		return err
	}
	var nats float64
	score := func() {
		if err == nil {
			nats, err = scorer.Score(ctx)
		}
	}
	var t measure.Timing
	if row.Interrupted {
		t = measure.Repeat(1, 0, score)
	} else {
		t = timeScoring(score)
	}
	if err != nil {
		return err
	}
	row.BitsPerToken = bits(nats, len(c.Test))
	row.ScoreStreams = scorer.Streams()
	row.setScoring(t, len(c.Test))
	return nil
}
