package rnnlm

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/parallel"
)

// Options say what to train and for how long. A zero value of Streams, Steps, Rate,
// Clip or Optimizer means the default. A zero value of any later field switches it off.
type Options struct {
	// Init is a network to go on from, or nil. The training changes it. It decides all
	// that a network is: Cell, Hidden, Layers, Embedding, Cutoffs and Tied below must be
	// its own, as [Options.Of] sets them. The optimizer and the learning rate begin anew.
	Init *rnn.Model

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

	Streams   int     // parallel streams, the batch
	Steps     int     // tokens between truncations
	Rate      float64 // peak learning rate; only Adam and AdamW have a default
	Clip      float64 // largest global norm of a gradient, or NoClip
	Optimizer string  // one of Optimizers; Adam by default

	Embedding int   // width of an embedding, see rnn.Config
	Cutoffs   []int // an adaptive softmax, see rnn.Config; [AdaptiveCutoffs] has good ones
	Tied      bool  // one matrix for input and output, see rnn.Config
	// Dropout is the share of the states that the output layer doesn't see, in [0, 1).
	// The first layer doesn't see that share of embeddings. It helps when a text is read
	// many times over. In the run described at inputScale, 0.3 reached a perplexity of
	// 179.
	Dropout float64
	// Halve goes back to the best parameters and halves the rate after each validation
	// that finds no better parameters. It replaces the cosine decay, which needs the
	// whole budget. Without going back, words of War and Peace were worse after 15
	// minutes than after one: a perplexity of 199, and 169 with it after 3.
	Halve bool
	// Patience ends the training after this many validations in a row without better
	// parameters.
	Patience int

	// Checkpoint names a file that holds the whole state of the training. It is
	// rewritten after each period of Every; 0 means 30 seconds. If the file exists, the
	// training resumes from it and ends with the same bits as without a break. A
	// resumed Budget is the time that was left. Budget or Tokens may be larger than they
	// were. Then the schedule goes on over the new one, see [Stats].
	Checkpoint string
	Every      time.Duration

	// Shards is the number of parts of the batch whose gradients are summed by themselves;
	// 0 means 1. With more, a training has the same bits for any number of ranks. It is a
	// power of two.
	Shards int
	// Reducer joins this process to the other ranks of the training, which have the same
	// options and the same text. nil means that it trains alone. Ranks share the batch,
	// so there are at most Shards of them.
	Reducer parallel.Reducer
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

// A recipe holds the defaults of a kind of cell.
type recipe struct {
	steps int
	clip  float64
	rate  float64 // peak rate times H
	beta2 float32 // of Adam
}

const defaultStreams = 32

// NoClip as Options.Clip leaves gradients as they are.
const NoClip = -1

// The recipes were chosen on the validation split of War and Peace, as characters. The
// figures are bits per character of its first 120,000, one run each, so differences
// below 0.005 say little (bench/RESULTS.md, Recipes).
//
// A vanilla network of 300 units, after 4 M tokens: 25 steps 1.986, 50 steps 2.018. Clip
// 0.25 1.989, with 1.5 times the rate 1.996.
//
// A GRU of 232 units, after 6 M tokens, clip 0.25: rate 1.05/H 1.809, 1.6/H 1.805; 32
// steps 1.808, 64 steps 1.806; beta2 0.99 1.800. After 1 M tokens clip 0.25 won 0.05
// over 1.
var (
	vanillaRecipe = recipe{steps: 25, clip: 1, rate: 1, beta2: 0.999}
	gatedRecipe   = recipe{steps: 50, clip: 0.25, rate: 1.5, beta2: 0.99}
)

func (o Options) recipe() recipe {
	if o.Cell == rnn.Vanilla {
		return vanillaRecipe
	}
	return gatedRecipe
}

// defaultEvery is the default of Options.Every. A crash loses at most that, and writing
// the checkpoint of a large model takes far less.
const defaultEvery = 30 * time.Second

// maxTokens is larger than any training, and far from overflow.
const maxTokens = 1 << 50

// defaultRate returns the peak learning rate: the recipe's share of 1/H, at most of
// 1/100. Vanilla networks of other widths have their best rate near 1/H too: H = 64
// reached 2.478 bits at 6e-3 and 2.457 at 1e-2. H = 512 reached 2.040 at 2.8e-3, 2.026
// at 2e-3 and 2.038 at 1.4e-3.
//
// Layers of gated cells divide the rate by the root of their number. Two of 144 GRU units
// then have 7.4e-3. After 6 M tokens rates from 4.5e-3 to 8e-3 were level within the noise
// (bench/RESULTS.md, Recipes). After 5 minutes they reached 1.707 bits of the validation
// split, with 6.5e-3 1.697. One layer of 232 units reached 1.710 and 1.712.
func (o Options) defaultRate() float64 {
	rate := o.recipe().rate / float64(max(o.Hidden, 100))
	if o.Cell != rnn.Vanilla && o.Layers > 1 {
		rate /= math.Sqrt(float64(o.Layers))
	}
	return rate
}

// inputScale returns the bound of the initial input weights for a vocabulary. rnn.New
// draws them from ±1/√H, which suits dense inputs. A one-hot input meets only one
// weight of a unit, so tokens would differ too little at first.
//
// With H = 256, 16 streams and a rate of 3e-3, ±1/4 reached 2.076 bits, ±1 2.051, ±2
// 2.041. ±4 is as good. A GRU of 236 units reached, after 1 M tokens of the validation
// split, 2.573 with ±1/4, 2.312 with ±1, 2.199 with ±1.7. With ±1/2 for its gates
// alone it reached 2.219. In a large vocabulary most words are rare, and their initial
// weights stay for long. V = 10,000, H = 256 and an adaptive softmax were trained for
// 27 s. ±2 reached a perplexity of 200, ±1/4 reached 189.
func inputScale(vocab int) float64 {
	if vocab < manyTokens {
		return 2
	}
	return 0.25
}

// embeddingScale is the bound of initial embeddings that are not tied (bench/RESULTS.md,
// Embeddings).
const embeddingScale = 0.3

// EmbeddingWidth returns the width of the embedding that suits cells of H units and a
// large vocabulary: H/2. With 10,000 words of War and Peace and 100 s, a GRU of 256 units
// reached 7.062 bits per word of the validation split with H/4, 7.034 with H/2
// (bench/RESULTS.md, Embeddings).
func EmbeddingWidth(hidden int) int { return max(1, hidden/2) }

// scaleInputs gives the initial weights that read tokens their bounds, in place of those
// of rnn.New. Weights that read embeddings keep theirs.
func (o Options) scaleInputs(m *rnn.Model) {
	scale := func(values []float32, by float64) {
		for i := range values {
			values[i] *= float32(by)
		}
	}
	switch {
	case o.Tied: // what reads tokens predicts them too, and wide weights give large logits
	case o.Embedding > 0:
		scale(m.We, embeddingScale)
	default:
		scale(m.Cells[0].Wx, inputScale(m.Input)*math.Sqrt(float64(o.Hidden)))
	}
	m.Update()
}

// MaxShards is the most shards of a batch.
const MaxShards = 1 << 16

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
	case o.Shards < 1 || o.Shards > MaxShards:
		return fmt.Errorf("a batch of %d shards: give 1 to %d", o.Shards, MaxShards)
	case o.Streams < 1 || o.Steps < 1:
		return fmt.Errorf("%d streams of %d steps: give 1 or more of both, or 0 for the default", o.Streams, o.Steps)
	case !slices.Contains(Optimizers, o.Optimizer):
		return fmt.Errorf("optimizer %q: give one of %s", o.Optimizer, strings.Join(Optimizers, ", "))
	case o.Rate == 0:
		return fmt.Errorf("no learning rate: %s has no default, give one", o.Optimizer)
	case !(o.Rate > 0):
		return fmt.Errorf("a learning rate of %v: give one above 0", o.Rate)
	case !(o.Clip > 0) && o.Clip != NoClip:
		return fmt.Errorf("clipping to a norm of %v: give one above 0, or %d for none", o.Clip, NoClip)
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
		o.Steps = o.recipe().steps
	}
	if o.Optimizer == "" {
		o.Optimizer = Adam
	}
	if o.Rate == 0 && HasRate(o.Optimizer) {
		o.Rate = o.defaultRate()
	}
	if o.Clip == 0 {
		o.Clip = o.recipe().clip
	}
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	if o.Shards == 0 {
		o.Shards = 1
	}
	return o
}

// Of returns o with m as Init, and with the fields that must be those of m.
func (o Options) Of(m *rnn.Model) Options {
	c := m.Config
	o.Init, o.Cell, o.Hidden, o.Layers = m, c.Cell, c.Hidden, c.Layers
	o.Embedding, o.Cutoffs, o.Tied = c.Embedding, c.Cutoffs, c.Tied
	return o
}

// config returns the configuration of the network for a vocabulary.
func (o Options) config(vocab int) rnn.Config {
	if o.Init != nil {
		return o.Init.Config
	}
	layers := max(o.Layers, 1)
	return rnn.Config{
		Input: vocab, Cell: o.Cell, Layers: layers, Hidden: o.Hidden, Output: vocab,
		Residual: layers > 1, Embedding: o.Embedding, Tied: o.Tied, Cutoffs: o.Cutoffs,
	}
}

// Bytes returns the size of an RNN over a vocabulary that only scores.
func Bytes(e *kernels.Engine, vocab int, o Options) int64 { return o.config(vocab).Bytes(e) }

// FileBytes returns about how many bytes the file of an RNN takes, and a checkpoint of its
// training. Both are without the vocabulary.
func FileBytes(vocab int, o Options) (model, checkpoint int64) {
	o = o.withDefaults()
	c := o.config(vocab)
	arrays := int64(4) // parameters, two moments, best parameters
	switch o.Optimizer {
	case Adagrad:
		arrays = 3
	case SGD:
		arrays = 2
	}
	model = 4 * int64(c.Params())
	return model, arrays*model + 2*4*int64(c.Layers)*int64(o.Hidden)*int64(o.Streams)
}
