package study

import (
	"slices"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/engine"
	"batchrnn/internal/option"
)

// Options say what a [Study] compares.
type Options struct {
	Corpus string // as in lm.TextOptions
	Levels []text.Level
	// Vocab and MinCount are those of lm.TextOptions. In a Full study they are of
	// words, and characters all stay.
	Vocab    *int
	MinCount *int
	// MaxOrder is the highest n-gram order; every order from 1 on is measured.
	MaxOrder int
	// Smoothing is that of the n-gram models.
	Smoothing ngram.Smoothing
	// Hidden are the widths of the RNNs.
	Hidden []int
	// Budget is the training time of each RNN, so that widths compete on equal
	// terms and one more width doesn't change the figures of the others. nil takes
	// one that suits the length of the text.
	Budget  *time.Duration
	Threads int
	Seed    uint64
	// Full studies measure also the validation split, the time of a token on one
	// stream and on several, the speed of a full softmax where there is an adaptive
	// one, and the mixture of the best models.
	Full bool
	// Command repeats the run. It is printed in the result.
	Command string
}

// textOptions are those of one level.
func (o Options) textOptions(l text.Level) lm.TextOptions {
	one := lm.TextOptions{Corpus: o.Corpus, Level: l, Seed: o.Seed}
	if l == text.Word || !o.Full {
		one.Vocab, one.MinCount = o.Vocab, o.MinCount
	}
	return one
}

// Validate returns an [option.Error] for the first option that makes no sense,
// as far as that can be told without the corpus.
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

// budgetFor is the training time of each RNN on a text of so many bytes: 30
// seconds for the 567 KB of the default text, which leaves six RNNs and all the
// rest under five minutes, and 160 for the 3.2 MB of War and Peace.
func budgetFor(bytes int) time.Duration {
	const perMB = 51 * time.Second
	d := time.Duration(float64(bytes) / 1e6 * float64(perMB)).Round(time.Second)
	return min(max(d, 10*time.Second), 4*time.Minute)
}
