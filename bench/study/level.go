package study

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/residency"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/kernels"
)

// A level is a study at work on one level.
type level struct {
	*Study
	data   *lm.Data
	corpus lm.Corpus
	rows   []Row
	notes  []string
}

// run measures the rows of the level.
func (l *level) run(ctx context.Context) error {
	defer l.finish()
	if err := l.ngrams(ctx); err != nil {
		return err
	}
	if err := l.rnns(ctx); err != nil || !l.options.Full {
		return err
	}
	return l.mixture(ctx)
}

// finish adds the level's notes.
func (l *level) finish() {
	one := LevelResult{Machine: l.result.Machine, Corpus: l.corpus}
	for _, row := range l.rows {
		if row.Kind != KindMixture {
			one.Models = append(one.Models, row.Model)
		}
	}
	for _, n := range append(notes(one, l.data.Skipped), l.notes...) {
		if len(l.levels) > 1 {
			n = l.corpus.TokenName() + "s: " + n
		}
		l.result.Notes = append(l.result.Notes, n)
	}
}

// steps is how many rows a level has at most.
func (s *Study) steps() int {
	n := s.options.MaxOrder + len(s.options.Hidden)
	if s.options.Full {
		n++
	}
	return n
}

// event returns the event of the next row.
func (l *level) event(name string) Event {
	l.nth++
	if l.options.Full {
		name = l.corpus.Level + " " + name
	}
	return Event{Progress: lm.Progress{Model: name, Left: l.left(0)}, Nth: l.nth, Of: l.steps() * len(l.levels)}
}

// What a row takes beside an RNN's training, about: for guessing the time left.
const (
	timePerNgram = 2 * time.Second
	timePerRNN   = 5 * time.Second
)

// left guesses how long the rest takes, after so much of the present row's
// training. Of a study that isn't Full it makes no guess.
func (l *level) left(trained time.Duration) time.Duration {
	if !l.options.Full {
		return 0
	}
	var left time.Duration
	orders, step := l.options.MaxOrder, l.steps()
	for nth := l.nth; nth <= step*len(l.levels); nth++ {
		switch at := (nth - 1) % step; {
		case at < orders || at == step-1:
			left += timePerNgram
		default:
			left += l.budget + timePerRNN
		}
	}
	return max(left-trained, time.Second)
}

// again adds a row that is known from an earlier run.
func (l *level) again(config string) bool {
	row, ok := l.known[config]
	if ok {
		l.nth++
		l.add(row)
	}
	return ok
}

// tell ends a row's event with the last of rows.
func (l *level) tell(event Event, rows []Row) {
	event.Fraction, event.Measured = 1, &rows[len(rows)-1].Model
	l.on(event)
}

func (l *level) add(row Row) {
	l.rows = append(l.rows, row)
	l.result.Rows = append(l.result.Rows, row)
}

// keep measures the resident size of a model that has its other figures, adds its
// row and tells the store. If ctx has ended, it is measured all the same, unless that
// takes too long, and ctx's error is returned.
func (l *level) keep(ctx context.Context, row Row, model io.WriterTo) error {
	measuring, runs, cancel := ctx, residency.Runs, context.CancelFunc(func() {})
	if ctx.Err() != nil {
		measuring, cancel = lm.Grace(ctx)
		runs = 1 // somebody waits
	}
	defer cancel()
	resident, err := residency.Measure(measuring, runs, row.Kind, model, kernels.EnvISA+"="+l.engine.ISA())
	if err != nil {
		if measuring.Err() != nil {
			err = errors.New("the run was interrupted")
		}
		l.notes = append(l.notes, fmt.Sprintf("%s: resident memory is not known: %v.", row.FullName(), err))
	}
	row.BytesResident, row.ResidentUnknown = resident, err != nil
	if !row.Unscored {
		row.AdjustedBits = l.data.Adjusted(row.BitsPerToken)
		row.Perplexity, row.Adjusted = lm.Perplexity(row.BitsPerToken), lm.Perplexity(row.AdjustedBits)
	}
	l.add(row)
	if l.store != nil {
		if err := l.store.Keep(l.Result()); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// ngrams measures the n-gram models: every order is estimated once and held in
// each of the stores.
func (l *level) ngrams(ctx context.Context) error {
	for order := 1; order <= l.options.MaxOrder; order++ {
		need := ngramBytes(len(l.data.Train), l.data.Vocab.Len(), entriesOf(tries(l.rows)))
		if available := memory.Free(); need > available && !l.knows(order) {
			l.notes = append(l.notes, fmt.Sprintf("Orders from %d on are left out: they take about %s to train, and %s are free.",
				order, figures.Bytes(need), figures.Bytes(available)))
			l.nth += l.options.MaxOrder - order + 1
			return nil
		}
		if err := l.ngram(ctx, order); err != nil {
			return err
		}
	}
	return nil
}

// knows says whether an earlier run has measured the order in every store.
func (l *level) knows(order int) bool {
	for _, store := range ngram.Stores {
		if _, ok := l.known[l.ngramConfig(order, store)]; !ok {
			return false
		}
	}
	return true
}

// ngram measures the n-gram model of one order in the stores in which it isn't
// known.
func (l *level) ngram(ctx context.Context, order int) error {
	event := l.event(Model{Kind: KindNgram, Order: order}.Name())
	var estimates *ngramEstimates
	for _, store := range ngram.Stores {
		config := l.ngramConfig(order, store)
		if row, ok := l.known[config]; ok {
			l.add(row)
			continue
		}
		if estimates == nil {
			l.on(event)
			err := lm.Await(ctx, func() (err error) {
				estimates, err = estimateNgram(l.data.Corpus, l.options.Smoothing, order)
				return err
			})
			if err != nil {
				return err
			}
		}
		row := Row{Level: l.corpus.Level, Config: config}
		var model *ngram.Model
		err := lm.Await(ctx, func() (err error) {
			row.Model, model, err = measureNgram(l.data.Corpus, estimates, store)
			if err == nil && l.options.Full {
				err = l.ngramStreams(ctx, &row, model)
			}
			return err
		})
		if err != nil {
			return err
		}
		row.Label = row.Model.Name()
		if err := l.keep(ctx, row, model); err != nil {
			return err
		}
	}
	if estimates != nil {
		l.tell(event, tries(l.rows))
	}
	return nil
}

// entriesOf returns how many n-grams of each order the models of rising orders
// list.
func entriesOf(rows []Row) (entries []int) {
	total := 0
	for _, row := range rows {
		entries = append(entries, int(row.Entries)-total)
		total = int(row.Entries)
	}
	return entries
}

// modelName names the file of an RNN.
func (l *level) modelName(hidden int) string {
	return fmt.Sprintf("%s-rnn-%d.lm", l.corpus.Level, hidden)
}

// load returns the RNN of an earlier run, if that is what the store has.
func (l *level) load(hidden int) (*lm.Model, error) {
	m, err := l.store.LoadModel(l.modelName(hidden), l.engine)
	if err != nil {
		return nil, err
	}
	c, want := m.Config, l.corpus
	if c.Kind != lm.RNN || c.Hidden != hidden || c.SHA256 != want.SHA256 || c.Level != want.Level || c.Vocab != want.Vocab ||
		c.Seed != l.options.Seed || c.BudgetSeconds != l.budget.Seconds() || c.Interrupted {
		return nil, fmt.Errorf("%s is another model", l.modelName(hidden))
	}
	return m, nil
}

// network says how an RNN of the given width is trained.
func (l *level) network(hidden int) rnnlm.Options {
	o := lm.NetworkOptions(l.data.Corpus, hidden)
	o.Budget, o.Seed = l.budget, l.options.Seed
	return o
}

func (l *level) rnns(ctx context.Context) error {
	for _, hidden := range l.options.Hidden {
		options := l.network(hidden)
		config := l.rnnConfig(options)
		if _, ok := l.known[config]; ok {
			if _, err := l.load(hidden); err == nil { // the mixture may need the model
				l.again(config)
				continue
			}
		}
		if err := l.rnn(ctx, options, config); err != nil {
			return err
		}
	}
	return nil
}

// rnn trains and measures an RNN. If ctx ends during that, what has been learned so
// far is scored, unless nothing has.
func (l *level) rnn(ctx context.Context, options rnnlm.Options, config string) error {
	event := l.event(Model{Kind: KindRNN, Hidden: options.Hidden}.Name())
	l.on(event)
	model, stats, err := rnnlm.Train(ctx, l.engine, l.data.Corpus, options, func(p rnnlm.Progress) {
		event.Fraction = min(float64(p.Elapsed)/float64(l.budget), 1)
		event.Left, event.Detail = l.left(p.Elapsed), lm.Detail(p)
		l.on(event)
	})
	if err != nil {
		return fmt.Errorf("RNN of width %d: %w", options.Hidden, err)
	}
	row := Row{Level: l.corpus.Level, Config: config, Model: newRNNRow(model, options, stats)}
	row.Label = row.Model.Name()
	if err := l.scoreRNN(ctx, &row, model); err != nil {
		return fmt.Errorf("RNN of width %d: %w", options.Hidden, err)
	}
	if l.options.Full {
		if err := l.fullSoftmax(ctx, &row, options); err != nil {
			return fmt.Errorf("RNN of width %d with a full softmax: %w", options.Hidden, err)
		}
	}
	if l.store != nil && !row.Interrupted {
		file := lm.NewRNN(model, l.data.Corpus, lm.TrainedConfig(options, stats)).WithSpeller(l.data.Speller)
		if err := l.store.SaveModel(l.modelName(options.Hidden), file); err != nil {
			return err
		}
	}
	if row.Unscored {
		l.notes = append(l.notes, fmt.Sprintf("%s: bits are not known: scoring takes longer than an interrupted run waits.", row.Label))
	}
	err = l.keep(ctx, row, rnnlm.File{Model: model})
	l.tell(event, l.rows)
	return err
}

// fullSoftmaxTime is how long an RNN is trained with a full softmax, for its
// speed alone.
const fullSoftmaxTime = 3 * time.Second

// fullSoftmax measures how fast an RNN with an adaptive softmax would have been
// trained with a full one, if there is the memory for it.
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
