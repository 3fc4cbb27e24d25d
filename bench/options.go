package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
)

// Options say what to compare. Errors speak of them by the names of rnnbench's
// flags.
type Options struct {
	// Corpus is a file, a folder, Stdin, or "" for the default text.
	Corpus string
	Level  text.Level
	// Vocab is the most entries that the vocabulary may have, <unk> included.
	// Where it is nil, all characters stay, or the DefaultWords most frequent
	// words.
	Vocab *int
	// MinCount is how often the training split must have a token, or it is <unk>.
	// Where it is nil, once, and DefaultMinCount times for words.
	MinCount *int
	// MaxOrder is the highest n-gram order; every order from 1 on is measured.
	MaxOrder int
	// Smoothing is that of the n-gram models.
	Smoothing ngram.Smoothing
	// Hidden are the widths of the RNNs.
	Hidden []int
	// Budget is the training time of each RNN, so that widths compete on equal
	// terms and one more width doesn't change the figures of the others.
	Budget  time.Duration
	Threads int
	Seed    uint64

	// What rnnbench train says of an RNN beside width, budget and seed.
	network     rnnlm.Options
	fullSoftmax bool     // whatever the vocabulary
	dropout     *float64 // nil: what suits the level
	halve       *bool    // nil: what suits the level
}

// Stdin as Options.Corpus is standard input.
const Stdin = "-"

// DefaultWords is the size of a vocabulary of words where none is asked for.
const DefaultWords = 10000

// DefaultMinCount is how often the training split must have a word, where that isn't
// said: a model that has never met <unk> in training doesn't expect it. Of the
// default text 11 % of the test split are words that the training doesn't have; with
// a vocabulary of all words that it has, the adjusted perplexity of the 5-gram model
// is 3,253 and of an RNN of width 128 after 29 s 4,237; of those that it has twice,
// 1,434 and 1,931.
const DefaultMinCount = 2

// Limits of what Options may ask for. Wider RNNs and more threads than this are
// slips of the finger.
const (
	maxHidden  = 1 << 16
	maxThreads = 1024
	maxBudget  = 30 * 24 * time.Hour
)

// An OptionError says that an option can't be used as it was given: a misuse,
// where other errors are failures.
type OptionError struct {
	Name string // what the user has set: a flag such as "--max-order", or an environment variable
	Err  error
}

func (e *OptionError) Error() string { return e.Name + ": " + e.Err.Error() }

func (e *OptionError) Unwrap() error { return e.Err }

func misuse(name, format string, args ...any) error {
	return &OptionError{Name: name, Err: fmt.Errorf(format, args...)}
}

// Validate returns an [OptionError] for the first option that makes no sense,
// as far as that can be told without the corpus.
func (o Options) Validate() error {
	switch {
	case o.Vocab != nil && *o.Vocab < 2:
		return misuse("--vocab", "%d leaves no room for <unk> and one token: give 2 or more", *o.Vocab)
	case o.MinCount != nil && *o.MinCount < 1:
		return misuse("--min-count", "a token can't be seen %d times: give 1 or more", *o.MinCount)
	case o.MaxOrder < 1 || o.MaxOrder > ngram.MaxOrder:
		return misuse("--max-order", "%d is no order that can be measured: give 1 to %d", o.MaxOrder, ngram.MaxOrder)
	case len(o.Hidden) == 0:
		return misuse("--hidden", "no width is given: give one or more, such as 128,256")
	case o.Budget <= 0:
		return misuse("--budget", "%v leaves no time to train: give a duration such as 20s or 3m", o.Budget)
	case o.Budget > maxBudget:
		return misuse("--budget", "%v is more than %v: give a duration such as 20s or 3m", o.Budget, maxBudget)
	case o.Threads < 1 || o.Threads > maxThreads:
		return misuse("--threads", "%d threads can't work: give 1 to %d, best the number of cores", o.Threads, maxThreads)
	}
	for i, h := range o.Hidden {
		if h < 1 || h > maxHidden {
			return misuse("--hidden", "%d is no width that can be trained: give 1 to %d", h, maxHidden)
		}
		if slices.Contains(o.Hidden[:i], h) {
			return misuse("--hidden", "%d is given twice: give each width once", h)
		}
	}
	return nil
}

// maxVocab is the limit for the corpus: 0 is none.
func (o Options) maxVocab() int {
	switch {
	case o.Vocab != nil:
		return *o.Vocab
	case o.Level == text.Word:
		return DefaultWords
	}
	return 0
}

// minCount is the least count for the corpus.
func (o Options) minCount() int {
	switch {
	case o.MinCount != nil:
		return *o.MinCount
	case o.Level == text.Word:
		return DefaultMinCount
	}
	return 1
}

// ParseLevel is [text.ParseLevel], with an [OptionError].
func ParseLevel(s string) (text.Level, error) {
	level, err := text.ParseLevel(s)
	if err != nil {
		return 0, &OptionError{Name: "--level", Err: err}
	}
	return level, nil
}

// ParseSmoothing is [ngram.ParseSmoothing], with an [OptionError].
func ParseSmoothing(s string) (ngram.Smoothing, error) {
	smoothing, err := ngram.ParseSmoothing(s)
	if err != nil {
		return 0, &OptionError{Name: "--smoothing", Err: err}
	}
	return smoothing, nil
}

// ParseWidths reads widths with commas between them, such as "128, 256". Its
// error is an [OptionError]; whether they make sense is for [Options.Validate].
func ParseWidths(s string) ([]int, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var widths []int
	for field := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return nil, misuse("--hidden", "%q is no list of widths: give whole numbers with commas between them, such as 128,256", s)
		}
		widths = append(widths, n)
	}
	return widths, nil
}
