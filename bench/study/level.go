package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/residency"
	"batchrnn/kernels"
)

// A level is a running study at one level.
type level struct {
	*Study
	data   *lm.Data
	corpus lm.Corpus
	trains []rnnlm.Options // the RNNs
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
	for _, n := range append(notes(one), l.notes...) {
		if len(l.levels) > 1 {
			n = l.corpus.TokenName() + "s: " + n
		}
		l.result.Notes = append(l.result.Notes, n)
	}
}

// steps returns the largest number of rows of the level, each n-gram model counted once.
func (l *level) steps() int {
	n := l.options.MaxOrder + len(l.trains)
	if l.options.Full {
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
	of := 0
	for _, other := range l.levels {
		of += other.steps()
	}
	return Event{Progress: lm.Progress{Model: name, Fraction: lm.Unknown, Left: l.left(0), Unsaved: l.failed()}, Nth: l.nth, Of: of}
}

// working reports what is done with a model, where nobody knows how far that is.
func (l *level) working(event Event, work string) {
	event.Work, event.Detail, event.Fraction, event.Training = work, "", lm.Unknown, rnnlm.Progress{}
	l.on(event)
}

// weighing is the work of keep.
const weighing = "measuring its memory"

// Approximate times of a row beside an RNN's training, for estimating the time left.
const (
	timePerNgram = 2 * time.Second
	timePerRNN   = 5 * time.Second
)

// left estimates the time to the end. trained is the training time of the current row
// so far. It returns 0 unless the study is Full.
func (l *level) left(trained time.Duration) time.Duration {
	if !l.options.Full {
		return 0
	}
	var left time.Duration
	nth := 0
	for _, other := range l.levels {
		for at := range other.steps() {
			switch nth++; {
			case nth < l.nth: // done
			case at < l.options.MaxOrder || at == other.steps()-1:
				left += timePerNgram
			default:
				left += l.budget + timePerRNN
			}
		}
	}
	return max(left-trained, time.Second)
}

// again adds a row that is known from an earlier run, and reports whether there is one.
func (l *level) again(config string) bool {
	row, ok := l.known[config]
	if ok {
		l.nth++
		l.add(row)
	}
	return ok
}

// tell reports a row's event with the last of rows.
func (l *level) tell(event Event, rows []Row) {
	event.Fraction, event.Measured, event.Unsaved = 1, &rows[len(rows)-1].Model, l.failed()
	l.on(event)
}

// failed returns why something is not in the store.
func (l *level) failed() error { return cmp.Or(l.unsaved, l.lost) }

func (l *level) add(row Row) {
	l.rows = append(l.rows, row)
	l.result.Rows = append(l.result.Rows, row)
}

// keep measures the resident size of a model, its last figure. It adds the row and
// passes it to the store. If ctx has ended, keep measures for the grace time at most,
// and returns ctx's error.
func (l *level) keep(ctx context.Context, row Row, model io.WriterTo) error {
	measuring, runs, cancel := ctx, residency.Runs, context.CancelFunc(func() {})
	if ctx.Err() != nil {
		measuring, cancel = lm.Grace(ctx)
		runs = 1 // after an interrupt, somebody waits
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
		row.Perplexity, row.Adjusted = lm.PerplexityOf(row.BitsPerToken), lm.PerplexityOf(row.AdjustedBits)
	}
	l.add(row)
	if l.store != nil {
		l.unsaved = l.store.Keep(l.Result())
	}
	return ctx.Err()
}
