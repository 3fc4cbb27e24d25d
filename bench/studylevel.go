package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/rnn"
)

// A levelStudy is a study at work on one level.
type levelStudy struct {
	*Study
	c       *Comparison
	heading Result // of this level
	rows    []Row
	notes   []string
}

// steps is how many rows a level has at most.
func (s *Study) steps() int { return s.options.MaxOrder + len(s.options.Hidden) + 1 }

// event returns the event of the next row.
func (l *levelStudy) event(name string) Event {
	l.nth++
	return Event{Model: l.c.corpus.Level.String() + " " + name, Nth: l.nth, Of: l.steps() * len(l.options.Levels), Left: l.left(0)}
}

// What a row takes beside an RNN's training, about: for guessing the time left.
const (
	timePerNgram = 2 * time.Second
	timePerRNN   = 5 * time.Second
)

// left guesses how long the rest takes, after so much of the present row's
// training.
func (l *levelStudy) left(trained time.Duration) time.Duration {
	var left time.Duration
	orders, step := l.options.MaxOrder, l.steps()
	for nth := l.nth; nth <= step*len(l.options.Levels); nth++ {
		switch at := (nth - 1) % step; {
		case at < orders || at == step-1:
			left += timePerNgram
		default:
			left += l.options.Budget + timePerRNN
		}
	}
	return max(left-trained, time.Second)
}

// again adds a row that is known from an earlier run.
func (l *levelStudy) again(config string) bool {
	row, ok := l.known[config]
	if ok {
		l.nth++
		l.add(row)
	}
	return ok
}

// tell ends a row's event with the last of rows.
func (l *levelStudy) tell(event Event, rows []Row) {
	event.Fraction, event.Measured = 1, &rows[len(rows)-1].Model
	l.on(event)
}

func (l *levelStudy) add(row Row) {
	l.rows = append(l.rows, row)
	l.result.Rows = append(l.result.Rows, row)
}

// finish adds the level's notes.
func (l *levelStudy) finish() {
	one := l.heading
	for _, row := range l.rows {
		if row.Kind != KindMixture {
			one.Models = append(one.Models, row.Model)
		}
	}
	for _, n := range append(l.c.notes(one), l.notes...) {
		if len(l.options.Levels) > 1 {
			n = l.heading.Corpus.TokenName() + "s: " + n
		}
		l.result.Notes = append(l.result.Notes, n)
	}
}

// keep measures a row's resident size, adds it and tells the store. It returns
// the error of ctx, if that has ended.
func (l *levelStudy) keep(ctx context.Context, row Row, model io.WriterTo) error {
	var one Result
	err := l.c.finish(ctx, &one, row.Model, model, &l.notes)
	row.Model = one.Models[0]
	if !row.Unscored {
		row.Perplexity, row.Adjusted = perplexity(row.BitsPerToken), perplexity(row.AdjustedBits)
	}
	l.add(row)
	if storeErr := l.store.Keep(l.Result()); storeErr != nil {
		return storeErr
	}
	return err
}

// ngrams measures the n-gram models: every order is estimated once and held in
// each of the stores.
func (l *levelStudy) ngrams(ctx context.Context) error {
	for order := 1; order <= l.options.MaxOrder; order++ {
		tokens, vocab := len(l.c.corpus.Train), l.c.corpus.Vocab.Len()
		if need, available := ngramBytes(tokens, vocab, entriesOf(tries(l.rows))), memory.Free(); need > available && !l.knows(order) {
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
func (l *levelStudy) knows(order int) bool {
	for _, store := range ngram.Stores {
		if _, ok := l.known[l.ngramConfig(l.heading, order, store)]; !ok {
			return false
		}
	}
	return true
}

// ngram measures the n-gram model of one order in the stores in which it isn't
// known.
func (l *levelStudy) ngram(ctx context.Context, order int) error {
	event := l.event(Model{Kind: KindNgram, Order: order}.Name())
	var estimates *ngramEstimates
	for _, store := range ngram.Stores {
		config := l.ngramConfig(l.heading, order, store)
		if row, ok := l.known[config]; ok {
			l.add(row)
			continue
		}
		if estimates == nil {
			l.on(event)
			err := await(ctx, func() (err error) {
				estimates, err = estimateNgram(l.c.corpus, l.c.options.Smoothing, order)
				return err
			})
			if err != nil {
				return err
			}
		}
		row := Row{Level: l.heading.Corpus.Level, Config: config}
		var model *ngram.Model
		err := await(ctx, func() (err error) {
			row.Model, model, err = measureNgram(l.c.corpus, estimates, store)
			if err == nil {
				l.measureNgramStreams(&row, model)
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
func (l *levelStudy) modelName(hidden int) string {
	return fmt.Sprintf("%s-rnn-%d.lm", l.heading.Corpus.Level, hidden)
}

// load returns the RNN of an earlier run, if that is what the store has.
func (l *levelStudy) load(hidden int) (*lm.Model, error) {
	m, err := l.store.LoadModel(l.modelName(hidden), l.engine)
	if err != nil {
		return nil, err
	}
	c, want := m.Config, l.heading.Corpus
	if c.Kind != lm.RNN || c.Hidden != hidden || c.SHA256 != want.SHA256 || c.Level != want.Level || c.Vocab != want.Vocab ||
		c.Seed != l.options.Seed || c.BudgetSeconds != l.options.Budget.Seconds() || c.Interrupted {
		return nil, fmt.Errorf("%s is another model", l.modelName(hidden))
	}
	return m, nil
}

func (l *levelStudy) rnns(ctx context.Context) error {
	for _, hidden := range l.options.Hidden {
		options := l.c.rnnOptions(hidden)
		config := l.rnnConfig(l.heading, options)
		if _, err := l.load(hidden); err == nil && l.again(config) { // the mixture may need the model
			continue
		}
		event := l.event(Model{Kind: KindRNN, Hidden: hidden}.Name())
		l.on(event)
		model, stats, err := rnnlm.Train(ctx, l.engine, l.c.corpus, options, func(p rnnlm.Progress) {
			event.Fraction = min(float64(p.Elapsed)/float64(l.options.Budget), 1)
			event.Left, event.Detail = l.left(p.Elapsed), trainingDetail(p)
			l.on(event)
		})
		if err != nil {
			return fmt.Errorf("RNN of width %d: %w", hidden, err)
		}
		row := Row{Level: l.heading.Corpus.Level, Config: config, Model: newRNNRow(model, options, stats)}
		row.Label = row.Model.Name()
		if err := l.scoreRNN(ctx, &row, model); err != nil {
			return fmt.Errorf("RNN of width %d: %w", hidden, err)
		}
		if err := l.fullSoftmax(ctx, &row, options); err != nil {
			return fmt.Errorf("RNN of width %d with a full softmax: %w", hidden, err)
		}
		if !row.Interrupted {
			file := lm.NewRNN(model, l.c.corpus, rnnConfig(options, stats)).WithSpeller(l.c.speller)
			if err := l.store.SaveModel(l.modelName(hidden), file); err != nil {
				return err
			}
		}
		if row.Unscored {
			l.notes = append(l.notes, fmt.Sprintf("%s: bits are not known: scoring takes longer than an interrupted run waits.", row.Label))
		}
		err = l.keep(ctx, row, rnnlm.File{Model: model})
		l.tell(event, l.rows)
		if err != nil {
			return err
		}
	}
	return nil
}

// fullSoftmaxTime is how long an RNN is trained with a full softmax, for its
// speed alone.
const fullSoftmaxTime = 3 * time.Second

// fullSoftmax measures how fast an RNN with an adaptive softmax would have been
// trained with a full one, if there is the memory for it.
func (l *levelStudy) fullSoftmax(ctx context.Context, row *Row, o rnnlm.Options) error {
	if len(o.Cutoffs) == 0 || row.Interrupted {
		return nil
	}
	o.Cutoffs, o.Budget = nil, min(o.Budget, fullSoftmaxTime)
	if rnnlm.TrainBytes(l.engine, l.c.corpus.Vocab.Len(), o) > memory.Free() {
		return nil
	}
	_, stats, err := rnnlm.Train(ctx, l.engine, l.c.corpus, o, func(rnnlm.Progress) {})
	if ctx.Err() != nil {
		row.Interrupted = true
		return nil
	}
	row.FullTrainTokensPerSecond = stats.TokensPerSecond()
	return err
}

// scoreRNN fills in what scoring tells. If ctx has ended, by then or meanwhile,
// the test split is scored once, unless that takes too long.
func (l *levelStudy) scoreRNN(ctx context.Context, row *Row, model *rnn.Model) error {
	if ctx.Err() == nil {
		err := scoreRNN(ctx, &row.Model, model, l.c.corpus, timeScoring)
		if err == nil {
			err = l.measureRNNStreams(ctx, row, model)
		}
		if ctx.Err() == nil {
			return err
		}
		// Of what was stopped between its figures, none is used again.
		row.Interrupted = true
	}
	after, cancel := grace(ctx)
	defer cancel()
	err := scoreRNN(after, &row.Model, model, l.c.corpus, scoreOnce)
	if after.Err() != nil {
		row.Unscored, err = true, nil
	}
	return err
}
