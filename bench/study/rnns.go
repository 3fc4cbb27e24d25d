package study

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/measure"
	"batchrnn/internal/memory"
	"batchrnn/rnn"
)

// The names of an RNN's stores: its weights in float32, and the same in int8.
const (
	rnnStore  = "dense"
	Int8Store = "int8"
)

// modelName returns the name of an RNN's file.
func (l *level) modelName(cell string, hidden int) string {
	return fmt.Sprintf("%s-%s-%d.lm", l.corpus.Level, cell, hidden)
}

// load returns the RNN of an earlier run, if the store has it.
func (l *level) load(cell string, hidden int) (*lm.Model, error) {
	name := l.modelName(cell, hidden)
	m, err := l.store.LoadModel(name, l.engine)
	if err != nil {
		return nil, err
	}
	c, want := m.Config, l.corpus
	if c.Kind != lm.RNN || c.Cell != cell || c.Hidden != hidden || c.SHA256 != want.SHA256 || c.Level != want.Level || c.Vocab != want.Vocab ||
		c.Seed != l.options.Seed || c.BudgetSeconds != l.budget.Seconds() || c.Interrupted || c.Int8 {
		return nil, fmt.Errorf("%s is another model", name)
	}
	return m, nil
}

// networks returns the options for training the RNNs: for each of Options.Hidden one of
// each cell.
func (l *level) networks() (all []rnnlm.Options) {
	for _, hidden := range l.options.Hidden {
		var bytes int64 // of the first cell
		for i, cell := range l.options.Cells {
			o := lm.NetworkOptions(l.data.Corpus, cell, hidden)
			if i == 0 {
				bytes = rnnlm.Bytes(l.engine, l.data.Vocab.Len(), o)
			} else {
				o = l.counterpart(cell, bytes)
			}
			o.Budget, o.Seed = l.budget, l.options.Seed
			// Two widths that are close may have one counterpart.
			if !slices.ContainsFunc(all, func(other rnnlm.Options) bool { return other.Cell == o.Cell && other.Hidden == o.Hidden }) {
				all = append(all, o)
			}
		}
	}
	return all
}

// counterpart returns the options of a cell with the largest width within a number of
// bytes. Cutoffs and embeddings follow the width, so bytes do not always rise with it.
func (l *level) counterpart(cell rnn.CellKind, bytes int64) rnnlm.Options {
	fits := func(hidden int) bool {
		return rnnlm.Bytes(l.engine, l.data.Vocab.Len(), lm.NetworkOptions(l.data.Corpus, cell, hidden)) <= bytes
	}
	lo, hi := 1, 2
	for fits(hi) {
		lo, hi = hi, 2*hi
	}
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; fits(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	hidden := lo + min(lo/8, 64)
	for hidden > 1 && !fits(hidden) {
		hidden--
	}
	return lm.NetworkOptions(l.data.Corpus, cell, hidden)
}

func (l *level) rnns(ctx context.Context) error {
	for _, options := range l.trains {
		if err := l.rnn(ctx, options); err != nil {
			return err
		}
	}
	return nil
}

// rnn adds the rows of an RNN, in float32 and in int8. It measures those that no earlier
// run measured.
func (l *level) rnn(ctx context.Context, options rnnlm.Options) error {
	event := l.event(Model{Kind: KindRNN, Cell: options.Cell.String(), Hidden: options.Hidden}.Name())
	if row, ok := l.known[l.rnnConfig(options)]; ok {
		if m, err := l.load(options.Cell.String(), options.Hidden); err == nil { // the mixture may need the model
			l.add(row)
			if row, ok := l.known[l.int8Config(options)]; ok {
				l.add(row)
				return nil
			}
			return l.quantiseRNN(ctx, event, options, m.Network())
		}
	}
	delete(l.known, l.int8Config(options)) // that of other weights
	model, err := l.trainRNN(ctx, event, options)
	if err != nil {
		return err
	}
	return l.quantiseRNN(ctx, event, options, model)
}

// trainRNN trains and measures an RNN. If ctx ends meanwhile, it scores the parameters so
// far, if there are any.
func (l *level) trainRNN(ctx context.Context, event Event, options rnnlm.Options) (*rnn.Model, error) {
	name := Model{Kind: KindRNN, Cell: options.Cell.String(), Hidden: options.Hidden}.Name()
	event.Work, event.Fraction = "training", 0
	l.on(event)
	model, stats, err := rnnlm.Train(ctx, l.engine, l.data.Corpus, options, func(p rnnlm.Progress) {
		event.Fraction = min(float64(p.Elapsed)/float64(l.budget), 1)
		event.Left, event.Detail, event.Training = l.left(p.Elapsed), lm.Detail(p), p
		l.on(event)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if stats.Diverged {
		l.notes = append(l.notes, fmt.Sprintf("%s: its training diverged after %d tokens and ended there. The figures are of its best parameters before.", name, stats.Tokens))
	}
	row := Row{Level: l.corpus.Level, Config: l.rnnConfig(options), Model: newRNNRow(model, options, stats)}
	row.Label = name
	event.Left = l.left(l.budget)
	l.working(event, "scoring")
	if err := l.scoreRNN(ctx, &row, model); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if l.options.Full {
		l.working(event, "training with a full softmax")
		if err := l.fullSoftmax(ctx, &row, options); err != nil {
			return nil, fmt.Errorf("%s with a full softmax: %w", name, err)
		}
	}
	if l.store != nil && !row.Interrupted {
		file := lm.NewRNN(model, l.data.Corpus, lm.TrainedConfig(options, stats)).WithSpeller(l.data.Speller)
		l.lost = errors.Join(l.lost, l.store.SaveModel(l.modelName(row.Cell, row.Hidden), file))
	}
	if row.Unscored {
		l.notes = append(l.notes, fmt.Sprintf("%s: bits are not known: scoring takes longer than an interrupted run waits.", row.Label))
	}
	l.working(event, weighing)
	err = l.keep(ctx, row, rnnlm.File{Model: model})
	l.tell(event, l.rows)
	return model, err
}

// quantiseRNN measures an RNN with weights of int8. The last row is that of the same RNN in
// float32. If ctx ends meanwhile, it adds no row: a later run makes one of the same file.
func (l *level) quantiseRNN(ctx context.Context, event Event, options rnnlm.Options, model *rnn.Model) error {
	row := l.rows[len(l.rows)-1]
	quantised, err := lm.NewRNN(model, l.data.Corpus, lm.Config{}).Quantise()
	if err != nil {
		return fmt.Errorf("%s: %w", row.Label, err)
	}
	small := quantised.Network()
	row.Config, row.Store, row.BytesPredicted, row.FullTrainTokensPerSecond = l.int8Config(options), Int8Store, small.Bytes(l.engine), 0
	row.Label = row.Name()
	event.Model += " " + Int8Store
	event.Left = l.left(l.budget)
	l.working(event, "scoring")
	err = scoreRNN(ctx, &row.Model, small, l.data.Corpus, timeScoring)
	if err == nil && l.options.Full {
		err = l.rnnStreams(ctx, &row, small)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", row.Label, err)
	}
	l.working(event, weighing)
	err = l.keep(ctx, row, rnnlm.File{Model: small})
	l.tell(event, l.rows)
	return err
}

// fullSoftmaxTime is the training time of an RNN with a full softmax, which serves to
// measure its speed alone.
const fullSoftmaxTime = 3 * time.Second

// fullSoftmax measures the training speed of an RNN with a full softmax in place of an
// adaptive one. It does nothing if the memory is too small.
func (l *level) fullSoftmax(ctx context.Context, row *Row, o rnnlm.Options) error {
	if len(o.Cutoffs) == 0 || row.Interrupted {
		return nil
	}
	o.Cutoffs, o.Budget = nil, min(o.Budget, fullSoftmaxTime)
	if rnnlm.TrainBytes(l.engine, l.data.Vocab.Len(), o) > memory.Free() {
		return nil
	}
	_, stats, err := rnnlm.Train(ctx, l.engine, l.data.Corpus, o, func(rnnlm.Progress) {})
	if ctx.Err() != nil {
		row.Interrupted = true
		return nil
	}
	row.FullTrainTokensPerSecond = stats.TokensPerSecond()
	return err
}

// newRNNRow returns the row of a trained RNN, without the figures of scoring.
func newRNNRow(model *rnn.Model, o rnnlm.Options, stats rnnlm.Stats) Model {
	return Model{
		Kind:           KindRNN,
		Cell:           o.Cell.String(),
		Hidden:         o.Hidden,
		Embedding:      o.Embedding,
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

// scoreRNN sets the figures of scoring. If ctx ends before or meanwhile, it scores the
// test split once, within the grace time.
func (l *level) scoreRNN(ctx context.Context, row *Row, model *rnn.Model) error {
	if ctx.Err() == nil {
		err := scoreRNN(ctx, &row.Model, model, l.data.Corpus, timeScoring)
		if err == nil && l.options.Full {
			err = l.rnnStreams(ctx, row, model)
		}
		if err == nil || ctx.Err() == nil {
			return err
		}
		// A row with some figures missing is not reused by a later run.
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

// scoreOnce times a single run, for an interrupted study.
func scoreOnce(score func()) measure.Timing { return measure.Repeat(1, 0, score) }

// scoreRNN sets the figures of scoring the test split; timing runs it.
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
