package study

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/measure"
	"batchrnn/internal/engine"
	"batchrnn/kernels"
)

// A Store keeps what a study has done, for people and for a study that goes on
// later.
type Store interface {
	Keep(Result) error // all of it, after each row
	SaveModel(name string, m io.WriterTo) error
	LoadModel(name string, e *kernels.Engine) (*lm.Model, error)
}

// A Study compares n-gram models and RNNs at one level or both.
type Study struct {
	options Options
	budget  time.Duration // of each RNN
	engine  *kernels.Engine
	store   Store
	known   map[string]Row // finished rows of an earlier run, by their Config
	planned []string       // the Configs of all rows but the mixtures
	levels  []*level

	result Result
	on     func(Event)
	nth    int
}

// New reads the corpus and makes the engine. Mistakes in the options and in
// BATCHRNN_ISA, RNNs that don't fit in memory, and a corpus that can't be used give
// an [option.Error]. A Full study has a store; of another it may be nil. known are
// the rows of an earlier run, which are not measured again where nothing that
// matters has changed. The caller closes the Study.
func New(o Options, store Store, known []Row, stdin io.Reader) (*Study, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	e, err := engine.New("", o.Threads)
	if err != nil {
		return nil, err
	}
	s := &Study{options: o, engine: e, store: store, known: map[string]Row{}}
	for _, r := range known {
		if !r.Interrupted && !r.Unscored {
			s.known[r.Config] = r
		}
	}
	if err := s.read(stdin); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// read makes the levels. What can't work at one is said before another has taken
// minutes.
func (s *Study) read(stdin io.Reader) error {
	o := s.options
	source, err := lm.ReadText(o.Corpus, o.Seed, stdin)
	if err != nil {
		return err
	}
	s.budget = budgetFor(len(source.Data))
	if o.Budget != nil {
		s.budget = *o.Budget
	}
	s.result = Result{
		Format: Format, Command: o.Command, Machine: measure.ThisMachine(s.engine.ISA(), s.engine.Threads()),
		Seed: o.Seed, BudgetSeconds: s.budget.Seconds(),
		Corpora: []lm.Corpus{}, Rows: []Row{}, Notes: []string{}, Limits: limits,
	}
	for _, at := range o.Levels {
		data, err := lm.NewData(source, o.textOptions(at))
		if err != nil {
			return err
		}
		l := &level{Study: s, data: data, corpus: data.Describe()}
		for order := 1; order <= o.MaxOrder; order++ {
			for _, store := range ngram.Stores {
				s.planned = append(s.planned, l.ngramConfig(order, store))
			}
		}
		for _, hidden := range o.Hidden {
			network := l.network(hidden)
			if err := data.CheckMemory(s.engine, network); err != nil {
				return err
			}
			s.planned = append(s.planned, l.rnnConfig(network))
		}
		s.levels = append(s.levels, l)
		s.result.Corpora = append(s.result.Corpora, l.corpus)
	}
	return nil
}

// Close stops the engine.
func (s *Study) Close() { s.engine.Close() }

// Result returns what has been measured so far, with the rows of an earlier run
// that this one has yet to come to: a run that ends early must not lose them.
func (s *Study) Result() Result {
	r := s.result
	r.Rows = slices.Clone(r.Rows)
	for _, config := range s.planned {
		row, ok := s.known[config]
		if ok && !slices.ContainsFunc(r.Rows, func(r Row) bool { return r.Config == config }) {
			r.Rows = append(r.Rows, row)
		}
	}
	return r
}

// An Event tells how far a run is.
type Event struct {
	lm.Progress
	Nth, Of  int    // which model of how many, from 1
	Measured *Model // the model's row, once it has been measured; of an n-gram model that of [LevelResult.OneStore]
}

// Run measures every row that is not known, tells on about its progress and the
// store about its rows. When ctx ends, Run returns soon with what has been
// measured so far, Interrupted set, and without an error. An error comes with
// what was measured before it.
func (s *Study) Run(ctx context.Context, on func(Event)) (Result, error) {
	s.on = on
	var err error
	for _, l := range s.levels {
		if err = l.run(ctx); err != nil {
			break
		}
	}
	if lm.IsInterrupt(err) {
		s.result.Interrupted = true
		err = nil
	}
	return s.Result(), err
}

// base is what every row of a level depends on.
func (l *level) base() string {
	m, c := l.result.Machine, l.corpus
	return config("v3", m.CPU, m.ISA, c.SHA256, c.Level, fmt.Sprint("vocab ", c.Vocab))
}

// ngramConfig is the Config of an n-gram model's row.
func (l *level) ngramConfig(order int, store ngram.Store) string {
	return config(l.base(), fmt.Sprint("ngram ", order), l.options.Smoothing, store)
}

// rnnConfig is the Config of an RNN's row.
func (l *level) rnnConfig(o rnnlm.Options) string {
	return config(l.base(), fmt.Sprint("rnn ", o.Hidden), fmt.Sprint("cutoffs ", o.Cutoffs), fmt.Sprint("budget ", o.Budget),
		fmt.Sprint("dropout ", o.Dropout), fmt.Sprint("halve ", o.Halve),
		fmt.Sprint("seed ", o.Seed), fmt.Sprint("threads ", l.engine.Threads()))
}
