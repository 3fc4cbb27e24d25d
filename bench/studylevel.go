package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/measure"
	"batchrnn/bench/ngram"
	"batchrnn/bench/rnnlm"
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
	timePerRNN   = 4 * time.Second
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
func (l *levelStudy) keep(ctx context.Context, row Row, model io.WriterTo, event Event) error {
	var one Result
	err := l.c.finish(ctx, &one, row.Model, model, &l.notes, l.on, event)
	row.Model = one.Models[0]
	row.Perplexity = perplexity(row.BitsPerToken)
	if row.Unscored {
		row.Perplexity = 0
	}
	l.add(row)
	if storeErr := l.store.Keep(l.Result()); storeErr != nil {
		return storeErr
	}
	return err
}

func (l *levelStudy) ngrams(ctx context.Context) error {
	for order := 1; order <= l.options.MaxOrder; order++ {
		config := l.ngramConfig(l.heading, order)
		if l.again(config) {
			continue
		}
		if need, available := l.nextOrderBytes(), measure.FreeMemory(); need > available {
			l.notes = append(l.notes, fmt.Sprintf("Orders from %d on are left out: they take about %s to train, and %s are free.",
				order, measure.FormatBytes(need), measure.FormatBytes(available)))
			l.nth += l.options.MaxOrder - order + 1
			return nil
		}
		event := l.event(Model{Kind: KindNgram, Order: order}.Name())
		l.on(event)
		row := Row{Level: l.heading.Corpus.Level, Config: config}
		var model *ngram.Model
		err := await(ctx, func() (err error) {
			row.Model, model, err = measureNgram(l.c.corpus, order)
			if err == nil {
				l.measureNgramStreams(&row, model)
			}
			return err
		})
		if err != nil {
			return err
		}
		row.Label = row.Model.Name()
		if err := l.keep(ctx, row, model, event); err != nil {
			return err
		}
	}
	return nil
}

// nextOrderBytes estimates the memory that the order after the last row's takes
// to train. The number of n-grams grows ever more slowly with the order, so the
// last step's growth bounds the next one's.
func (l *levelStudy) nextOrderBytes() int64 {
	tokens := len(l.c.corpus.Train)
	if len(l.rows) == 0 {
		return ngram.TrainBytes(tokens, l.c.corpus.Vocab.Len())
	}
	entries := make([]int, 0, len(l.rows)+1) // of each order
	total := 0
	for _, row := range l.rows {
		entries = append(entries, int(row.Entries)-total)
		total = int(row.Entries)
	}
	growth := float64(l.c.corpus.Vocab.Len())
	if n := len(entries); n > 1 {
		growth = float64(entries[n-1]) / float64(max(entries[n-2], 1))
	}
	next := int(math.Min(float64(entries[len(entries)-1])*growth, float64(tokens)))
	return ngram.Bytes(l.c.corpus.Vocab.Len(), append(entries, next)) + ngram.TrainBytes(tokens, next)
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
		config := l.rnnConfig(l.heading, hidden)
		if _, err := l.load(hidden); err == nil && l.again(config) { // the mixture may need the model
			continue
		}
		event := l.event(Model{Kind: KindRNN, Hidden: hidden}.Name())
		l.on(event)
		model, stats, err := rnnlm.Train(ctx, l.engine, l.c.corpus, rnnlm.Options{Hidden: hidden, Budget: l.options.Budget, Seed: l.options.Seed}, func(p rnnlm.Progress) {
			event.Fraction = min(float64(p.Elapsed)/float64(l.options.Budget), 1)
			event.Left, event.Detail = l.left(p.Elapsed), trainingDetail(p)
			l.on(event)
		})
		if err != nil {
			return fmt.Errorf("RNN of width %d: %w", hidden, err)
		}
		row := Row{Level: l.heading.Corpus.Level, Config: config, Model: newRNNRow(model, hidden, stats)}
		row.Label = row.Model.Name()
		if err := l.scoreRNN(ctx, &row, model); err != nil {
			return fmt.Errorf("RNN of width %d: %w", hidden, err)
		}
		if !row.Interrupted {
			file := lm.NewRNN(model, l.c.corpus, rnnConfig(l.c.options, stats))
			if err := l.store.SaveModel(l.modelName(hidden), file); err != nil {
				return err
			}
		}
		if row.Unscored {
			l.notes = append(l.notes, fmt.Sprintf("%s: bits are not known: scoring takes longer than an interrupted run waits.", row.Label))
		}
		if err := l.keep(ctx, row, rnnlm.File{Model: model}, event); err != nil {
			return err
		}
	}
	return nil
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
