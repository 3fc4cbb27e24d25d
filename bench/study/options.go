package study

import (
	"slices"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/engine"
	"batchrnn/internal/option"
	"batchrnn/rnn"
)

// Options say what a [Study] compares.
type Options struct {
	Corpus text.Input // as in lm.TextOptions
	Levels []text.Level
	// Vocab and MinCount are those of lm.TextOptions. In a Full study they apply to
	// words, and all characters stay.
	Vocab    *int
	MinCount *int
	// MaxOrder is the highest n-gram order; every order from 1 up is measured.
	MaxOrder int
	// Smoothing is that of the n-gram models.
	Smoothing ngram.Smoothing
	// Cells are the kinds of cells of the RNNs. Hidden are the widths of the first kind.
	// Beside each stands an RNN of every other kind, of the largest width whose model
	// takes no more bytes.
	Cells  []rnn.CellKind
	Hidden []int
	// Budget is the training time of each RNN. All RNNs have the same, and a further one
	// doesn't change the figures of the others. Nil chooses it by the length of
	// the text.
	Budget  *time.Duration
	Threads int
	Seed    uint64
	// A Full study also measures the validation split, and the time of a token on one
	// stream and on several. It measures the speed of a full softmax beside an adaptive
	// one, and the mixture of the best models.
	Full bool
	// Command repeats the run. It is printed in the result.
	Command string
}

// textOptions returns the options of the text at one level.
func (o Options) textOptions(l text.Level) lm.TextOptions {
	one := lm.TextOptions{Corpus: o.Corpus, Level: l, Seed: o.Seed}
	if l == text.Word || !o.Full {
		one.Vocab, one.MinCount = o.Vocab, o.MinCount
	}
	return one
}

// Validate returns an [option.Error] for the first option that is invalid for any
// corpus.
func (o Options) Validate() error {
	words := !o.Full || slices.Contains(o.Levels, text.Word)
	switch {
	case len(o.Levels) == 0:
		return option.Misuse("Level", "no level is given: give char, word or char,word")
	case o.Vocab != nil && !words:
		return option.Misuse("Vocab", "all characters stay: leave it out, or add word to %v", option.Field("Level"))
	case o.MinCount != nil && !words:
		return option.Misuse("MinCount", "all characters stay: leave it out, or add word to %v", option.Field("Level"))
	}
	for i, l := range o.Levels {
		if slices.Contains(o.Levels[:i], l) {
			return option.Misuse("Level", "%v is given twice: give each level once", l)
		}
		if err := o.textOptions(l).Validate(); err != nil {
			return err
		}
	}
	switch {
	case o.MaxOrder < 1 || o.MaxOrder > ngram.MaxOrder:
		return option.Misuse("MaxOrder", "%d is no order that can be measured: give 1 to %d", o.MaxOrder, ngram.MaxOrder)
	case len(o.Hidden) == 0:
		return option.Misuse("Hidden", "no width is given: give one or more, such as 128,256")
	}
	if len(o.Cells) == 0 {
		return option.Misuse("Cell", "no cell is given: give one or more, such as %v,%v", rnn.Vanilla, rnn.GRU)
	}
	for i, c := range o.Cells {
		if err := lm.CheckCell(c); err != nil {
			return err
		}
		if slices.Contains(o.Cells[:i], c) {
			return option.Misuse("Cell", "%v is given twice: give each cell once", c)
		}
	}
	for i, h := range o.Hidden {
		if err := lm.CheckWidth(h); err != nil {
			return err
		}
		if slices.Contains(o.Hidden[:i], h) {
			return option.Misuse("Hidden", "%d is given twice: give each width once", h)
		}
	}
	if o.Budget != nil {
		if err := lm.CheckBudget(*o.Budget); err != nil {
			return err
		}
	}
	return engine.CheckThreads(o.Threads)
}

// budgetFor returns the training time of each RNN on a text of the given length. It is
// 30 seconds for the 567 KB of the default text. Eight RNNs and everything else then
// take about five minutes. It is 160 seconds for the 3.2 MB of War and Peace.
func budgetFor(bytes int) time.Duration {
	const perMB = 51 * time.Second
	d := time.Duration(float64(bytes) / 1e6 * float64(perMB)).Round(time.Second)
	return min(max(d, 10*time.Second), 4*time.Minute)
}
