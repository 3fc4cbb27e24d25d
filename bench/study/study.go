package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/measure"
	"batchrnn/internal/engine"
	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// A Store keeps the results of a study, for people and for a later run.
type Store interface {
	Keep(Result) error // the whole result, after each row
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

	unsaved error // of the last Keep
	lost    error // of all SaveModels

	result Result
	on     func(Event)
	nth    int
}

// New reads the corpus and makes the engine. The caller closes the Study. These give an
// [option.Error]: invalid options, an invalid BATCHRNN_ISA, RNNs that don't fit in
// memory, and an unusable corpus.
//
// A Full study must have a store; otherwise it may be nil. earlier is the result of an
// earlier run, or nil. A row of it is not measured again if its Config is the same. It
// gives an [option.Error] if the results would not keep all of its complete rows.
func New(o Options, store Store, earlier *Result, stdin io.Reader) (*Study, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if earlier == nil {
		earlier = &Result{}
	}
	if err := o.keepCells(earlier.Rows); err != nil {
		return nil, err
	}
	e, err := engine.New("", o.Threads)
	if err != nil {
		return nil, err
	}
	s := &Study{options: o, engine: e, store: store, known: map[string]Row{}}
	for _, r := range earlier.Rows {
		if r.Kind == KindRNN && r.Cell == "" { // of a program that knew no other
			r.Cell = rnn.Vanilla.String()
		}
		if !r.Interrupted && !r.Unscored {
			s.known[r.Config] = r
		}
	}
	err = s.read(stdin)
	if err == nil {
		err = s.keepRows(earlier)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// keepRows returns an [option.Error] if the earlier result is of another text, or has a
// complete row that this study would not measure. The results would replace it.
func (s *Study) keepRows(earlier *Result) error {
	if len(earlier.Corpora) > 0 {
		was, is := earlier.Corpora[0], s.result.Corpora[0]
		if was.SHA256 != is.SHA256 {
			return option.Misuse("Resume", "the report to go on from is of %q, SHA-256 %.12s, and this corpus is %q, SHA-256 %.12s: give that corpus, or another folder with %v",
				was.Name, was.SHA256, is.Name, is.SHA256, option.Field("Out"))
		}
	}
	for _, r := range earlier.Rows {
		if _, complete := s.known[r.Config]; !complete || r.Kind == KindMixture || slices.Contains(s.planned, r.Config) {
			continue
		}
		was, is := earlier.Command, s.options.Command
		if then, now := earlier.Machine, s.result.Machine; then.CPU != now.CPU || then.ISA != now.ISA {
			was, is = then.CPU+" with "+then.ISA, now.CPU+" with "+now.ISA
		}
		return option.Misuse("Resume", "the report to go on from has %s of %ss, measured by %q, and %q would replace it: repeat the former, with more if need be, or name another folder with %v",
			r.FullName(), lm.Corpus{Level: r.Level}.TokenName(), was, is, option.Field("Out"))
	}
	return nil
}

// keepCells returns an [option.Error] if known rows are of cells that o leaves out. The
// results would replace them.
func (o Options) keepCells(known []Row) error {
	for _, r := range known {
		cell := cmp.Or(r.Cell, rnn.Vanilla.String())
		if r.Kind == KindRNN && !slices.ContainsFunc(o.Cells, func(c rnn.CellKind) bool { return c.String() == cell }) {
			return option.Misuse("Cell", "the report to go on from has %s, of %s cells: add them, or name another folder", r.Label, cell)
		}
	}
	return nil
}

// read makes the levels. It checks all of them before the first one takes minutes.
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
		data, err := lm.NewData(source, o.textOptions(at), lm.Parts{})
		if err != nil {
			return err
		}
		l := &level{Study: s, data: data, corpus: data.Describe()}
		for order := 1; order <= o.MaxOrder; order++ {
			for _, store := range ngram.Stores {
				s.planned = append(s.planned, l.ngramConfig(order, store))
			}
		}
		l.trains = l.networks()
		for _, network := range l.trains {
			if err := data.CheckMemory(s.engine, network); err != nil {
				return err
			}
			s.planned = append(s.planned, l.rnnConfig(network), l.int8Config(network))
		}
		s.levels = append(s.levels, l)
		s.result.Corpora = append(s.result.Corpora, l.corpus)
	}
	return nil
}

// FileBytes returns about how many bytes the models take that Run passes to the store.
func (s *Study) FileBytes() (bytes int64) {
	for _, l := range s.levels {
		for _, network := range l.trains {
			if _, ok := s.known[l.rnnConfig(network)]; !ok {
				model, _ := l.data.FileBytes(network)
				bytes += model
			}
		}
	}
	return bytes
}

// Close stops the engine.
func (s *Study) Close() { s.engine.Close() }

// Result returns the measurements so far. It includes rows of an earlier run that this
// run has not reached, so that an interrupted run loses none.
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

// An Event says how far a run is.
type Event struct {
	lm.Progress
	Nth, Of  int    // the number of this model, from 1, and of all models
	Measured *Model // the model's row after its measurement; for an n-gram model that of [LevelResult.OneStore]
}

// Run measures every row that is not known. It calls on with its progress and passes
// the rows to the store. If ctx ends, Run returns soon with the measurements so far,
// Interrupted set, and no error. An error comes with the measurements before it.
//
// A store that fails doesn't end the run. Events tell its error. Results are kept again
// after the next row, and are the caller's to keep at the end. For a model that was not
// saved, Run returns an error in the end.
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
	return s.Result(), errors.Join(err, s.lost)
}

// base identifies what every row of a level depends on.
func (l *level) base() string {
	m, c := l.result.Machine, l.corpus
	return config("v3", m.CPU, m.ISA, c.SHA256, c.Level, fmt.Sprint("vocab ", c.Vocab))
}

// ngramConfig returns the Config of an n-gram model's row.
func (l *level) ngramConfig(order int, store ngram.Store) string {
	return config(l.base(), fmt.Sprint("ngram ", order), l.options.Smoothing, store)
}

// rnnConfig returns the Config of an RNN's row.
func (l *level) rnnConfig(o rnnlm.Options) string {
	name := fmt.Sprint(o.Cell, " ", o.Hidden)
	if o.Embedding > 0 {
		name += fmt.Sprint(" embedding ", o.Embedding)
	}
	return config(l.base(), name, fmt.Sprint("cutoffs ", o.Cutoffs), fmt.Sprint("budget ", o.Budget),
		fmt.Sprint("dropout ", o.Dropout), fmt.Sprint("halve ", o.Halve),
		fmt.Sprint("seed ", o.Seed), fmt.Sprint("threads ", l.engine.Threads()))
}

// int8Config returns the Config of the row of the same RNN with weights of int8.
func (l *level) int8Config(o rnnlm.Options) string { return config(l.rnnConfig(o), Int8Store) }
