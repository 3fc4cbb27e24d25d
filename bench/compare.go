package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/measure"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/kernels"
)

// A Comparison is all that [Comparison.Run] needs, read and checked.
type Comparison struct {
	options Options
	corpus  *text.Corpus
	skipped int // files of the corpus that are not text
	engine  *kernels.Engine
	speller *spell.Speller
	unkNats float64 // what it takes to spell all <unk> of the test split
}

// New reads the corpus and makes the engine. Mistakes in the options and in
// BATCHRNN_ISA, and RNNs that don't fit in memory, give an [OptionError]; a
// corpus that can't be used gives another error. The caller closes the
// Comparison.
func New(o Options, stdin io.Reader) (*Comparison, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return open(o, stdin)
}

// open is New without the checks of the options.
func open(o Options, stdin io.Reader) (*Comparison, error) {
	engine, err := newEngine(o.Threads)
	if err != nil {
		return nil, err
	}
	c := &Comparison{options: o, engine: engine}
	source, err := readText(o.Corpus, o.Seed, stdin)
	if err == nil {
		err = c.build(source)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// newEngine returns an engine of the set that the environment asks for.
func newEngine(threads int) (*kernels.Engine, error) {
	engine, err := kernels.New(os.Getenv(kernels.EnvISA), threads)
	if err != nil {
		return nil, misuse(kernels.EnvISA, "%w: set one of these, or nothing for the fastest", err)
	}
	return engine, nil
}

// Close stops the engine.
func (c *Comparison) Close() { c.engine.Close() }

// readText reads the text that path names as [Options.Corpus] does.
func readText(path string, seed uint64, stdin io.Reader) (*text.Text, error) {
	if path == "" {
		return text.Default(seed), nil
	}
	source, err := text.Read(path, stdin)
	if err != nil {
		return nil, fmt.Errorf("--corpus: %w", err)
	}
	return source, nil
}

// build cuts the text into tokens, and checks that the RNNs fit in memory.
func (c *Comparison) build(source *text.Text) (err error) {
	c.skipped = source.Skipped
	c.corpus, err = text.Build(source, text.Options{Level: c.options.Level, MaxVocab: c.options.maxVocab(), MinCount: c.options.minCount()})
	if tooRare := new(text.TooRare); errors.As(err, &tooRare) {
		return misuse("--min-count", "the training part of %q has no token %d times: give 1, or a longer text", tooRare.Name, tooRare.MinCount)
	}
	if err == nil {
		c.speller, err = spell.New(c.corpus)
	}
	if err != nil {
		return fmt.Errorf("--corpus: %w", err)
	}
	c.unkNats = c.speller.Total(c.corpus.TestUnk)
	for _, hidden := range c.options.Hidden {
		need := rnnlm.TrainBytes(c.engine, c.corpus.Vocab.Len(), c.rnnOptions(hidden))
		if available := memory.Free(); need > available {
			return misuse("--hidden", "an RNN of width %d over %d tokens takes %s to train, and %s are free: give a smaller width or --vocab",
				hidden, c.corpus.Vocab.Len(), figures.Bytes(need), figures.Bytes(available))
		}
	}
	return nil
}

// Heading returns the result before anything is measured.
func (c *Comparison) Heading() Result {
	machine := measure.ThisMachine()
	return Result{
		Machine: Machine{
			CPU:     machine.CPU,
			ISA:     c.engine.ISA(),
			Threads: c.engine.Threads(),
			Go:      machine.Go,
			OS:      machine.OS,
			Arch:    machine.Arch,
		},
		Corpus: Corpus{
			Name:      c.corpus.Name,
			SHA256:    c.corpus.SHA256,
			Level:     c.corpus.Level.String(),
			Tokens:    c.corpus.Tokens(),
			Train:     len(c.corpus.Train),
			Valid:     len(c.corpus.Valid),
			Test:      len(c.corpus.Test),
			Vocab:     c.corpus.Vocab.Len(),
			MinCount:  c.options.minCount(),
			UnkRate:   c.corpus.UnkRate,
			TrainUnk:  c.corpus.TrainUnkRate,
			UnkBits:   bits(c.unkNats, max(len(c.corpus.TestUnk), 1)),
			BadBytes:  int64(c.corpus.BadBytes),
			Synthetic: c.corpus.Synthetic,
		},
		Settings: Settings{Seed: c.options.Seed, BudgetSeconds: c.options.Budget.Seconds()},
	}
}

// An Event tells how far a run is.
type Event struct {
	Model    string        // the model at work, such as "5-gram"
	Nth, Of  int           // which of how many, from 1
	Fraction float64       // of this model, 0 to 1
	Detail   string        // what to know beside it, may be empty
	Left     time.Duration // until the end of the run, about; 0 if that isn't known
	Measured *Model        // the model's row, once it has been measured; of an n-gram model that of [Result.OneStore]
}

// Run measures every model and tells on about its progress. When ctx ends, Run
// returns soon with what has been measured so far and Interrupted set, and
// without an error. An error comes with what was measured before it.
func (c *Comparison) Run(ctx context.Context, on func(Event)) (Result, error) {
	r := c.Heading()
	var extra []string
	err := c.ngrams(ctx, &r, &extra, on)
	if err == nil {
		err = c.rnns(ctx, &r, &extra, on)
	}
	if IsInterrupt(err) {
		r.Interrupted = true
		err = nil
	}
	r.Notes = append(c.notes(r), extra...)
	r.Summary = Summarize(r)
	return r, err
}

func (c *Comparison) of() int { return c.options.MaxOrder + len(c.options.Hidden) }

func (c *Comparison) ngrams(ctx context.Context, r *Result, notes *[]string, on func(Event)) error {
	var entries []int // n-grams of each order
	for order := 1; order <= c.options.MaxOrder; order++ {
		if need, available := ngramBytes(len(c.corpus.Train), c.corpus.Vocab.Len(), entries), memory.Free(); need > available {
			*notes = append(*notes, fmt.Sprintf("Orders from %d on are left out: they take about %s to train, and %s are free.",
				order, figures.Bytes(need), figures.Bytes(available)))
			return nil
		}
		event := Event{Model: Model{Kind: KindNgram, Order: order}.Name(), Nth: order, Of: c.of()}
		on(event)
		var estimates *ngramEstimates
		err := await(ctx, func() (err error) {
			estimates, err = estimateNgram(c.corpus, c.options.Smoothing, order)
			return err
		})
		if err != nil {
			return err
		}
		for _, store := range ngram.Stores {
			var row Model
			var model *ngram.Model
			err := await(ctx, func() (err error) {
				row, model, err = measureNgram(c.corpus, estimates, store)
				return err
			})
			if err != nil {
				return err
			}
			entries = model.Entries()
			if err := c.finish(ctx, r, row, model, notes); err != nil {
				return err
			}
		}
		rows := r.OneStore()
		event.Fraction, event.Measured = 1, &rows[len(rows)-1]
		on(event)
	}
	return nil
}

func (c *Comparison) rnns(ctx context.Context, r *Result, notes *[]string, on func(Event)) error {
	for i, hidden := range c.options.Hidden {
		event := Event{Model: Model{Kind: KindRNN, Hidden: hidden}.Name(), Nth: c.options.MaxOrder + i + 1, Of: c.of()}
		on(event)
		row, model, err := c.measureRNN(ctx, hidden, event, on)
		if err != nil {
			return err
		}
		if row.Unscored {
			*notes = append(*notes, fmt.Sprintf("%s: bits are not known: scoring takes longer than an interrupted run waits.", row.Name()))
		}
		err = c.finish(ctx, r, row, rnnlm.File{Model: model}, notes)
		event.Fraction, event.Measured = 1, &r.Models[len(r.Models)-1]
		on(event)
		if err != nil {
			return err
		}
	}
	return nil
}

// graceTime is how long each thing may take that is still done after Ctrl-C. A
// variable for tests.
var graceTime = 3 * time.Second

// grace returns a context for what is still worth doing after ctx was
// cancelled, by somebody who waits for the result.
func grace(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), graceTime)
}

// finish measures the resident size of a model that has its other figures, and
// adds its row. If ctx has ended, it is measured all the same, unless that takes
// too long, and ctx's error is returned.
func (c *Comparison) finish(ctx context.Context, r *Result, row Model, model io.WriterTo, notes *[]string) error {
	measuring, runs, cancel := ctx, residentRuns, context.CancelFunc(func() {})
	if ctx.Err() != nil {
		measuring, cancel = grace(ctx)
		runs = 1 // somebody waits
	}
	defer cancel()
	resident, err := residentBytes(measuring, runs, row.Kind, model, kernels.EnvISA+"="+c.engine.ISA())
	if err != nil {
		if measuring.Err() != nil {
			err = errors.New("the run was interrupted")
		}
		*notes = append(*notes, fmt.Sprintf("%s: resident memory is not known: %v.", row.FullName(), err))
	}
	row.BytesResident, row.ResidentUnknown = resident, err != nil
	if !row.Unscored {
		row.AdjustedBits = c.adjusted(row.BitsPerToken)
	}
	r.Models = append(r.Models, row)
	return ctx.Err()
}

// adjusted returns what the test split takes per token where every <unk> is
// spelled, from what it takes where none is: figures that compare between
// vocabularies.
func (c *Comparison) adjusted(bitsPerToken float64) float64 {
	return bitsPerToken + bits(c.unkNats, len(c.corpus.Test))
}
