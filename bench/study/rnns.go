package study

import (
	"context"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/measure"
	"batchrnn/rnn"
)

// rnnStore is what the tables say of how an rnn.Model lies in memory.
const rnnStore = "dense"

// newRNNRow is the row of a trained RNN, without what scoring tells.
func newRNNRow(model *rnn.Model, o rnnlm.Options, stats rnnlm.Stats) Model {
	return Model{
		Kind:           KindRNN,
		Hidden:         o.Hidden,
		Dropout:        o.Dropout,
		Halve:          o.Halve,
		Store:          rnnStore,
		Softmax:        rnnlm.SoftmaxOf(model.Config),
		Parameters:     int64(len(model.Slab)),
		BytesPredicted: model.Bytes(model.Engine()),
		TrainSeconds:   stats.Elapsed.Seconds(),
		TrainTokens:    stats.Tokens,
		Interrupted:    stats.Interrupted,

		TrainTokensPerSecond: stats.TokensPerSecond(),
	}
}

// scoreRNN fills in what scoring tells. If ctx has ended, by then or meanwhile,
// the test split is scored once, unless that takes too long.
func (l *level) scoreRNN(ctx context.Context, row *Row, model *rnn.Model) error {
	if ctx.Err() == nil {
		err := scoreRNN(ctx, &row.Model, model, l.data.Corpus, timeScoring)
		if err == nil && l.options.Full {
			err = l.rnnStreams(ctx, row, model)
		}
		if err == nil || ctx.Err() == nil {
			return err
		}
		// Of what was stopped between its figures, none is used again.
		row.Interrupted = row.Interrupted || l.options.Full
	}
	after, cancel := lm.Grace(ctx)
	defer cancel()
	err := scoreRNN(after, &row.Model, model, l.data.Corpus, scoreOnce)
	if err != nil && after.Err() != nil {
		row.Unscored, err = true, nil
	}
	return err
}

// scoreOnce times a single run, for somebody who waits.
func scoreOnce(score func()) measure.Timing { return measure.Repeat(1, 0, score) }

// scoreRNN fills in what scoring the test split tells; timing runs it.
func scoreRNN(ctx context.Context, row *Model, model *rnn.Model, c *text.Corpus, timing func(func()) measure.Timing) error {
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
	t := timing(score)
	if err != nil {
		return err
	}
	row.BitsPerToken = lm.Bits(nats, len(c.Test))
	row.ScoreStreams = scorer.Streams()
	row.setScoring(t, len(c.Test))
	return nil
}
