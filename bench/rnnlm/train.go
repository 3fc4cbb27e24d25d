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

// Progress is how far a training is.
type Progress struct {
	Elapsed time.Duration
	Steps   time.Duration // the part of Elapsed that was spent in training steps
	Tokens  int64         // trained on so far, repeats counted
	Loss    float64       // of the last steps in training, a running mean, nats per token
	Valid   float64       // lowest validation loss so far, nats per token; 0 before the first
}

// TokensPerSecond is the speed of the training steps, 0 before the first.
func (p Progress) TokensPerSecond() float64 {
	if p.Steps <= 0 {
		return 0
	}
	return float64(p.Tokens) / p.Steps.Seconds()
}

// Stats are what a training has come to.
type Stats struct {
	Progress
	Interrupted bool // its context ended before its budget
	Stopped     bool // it lost patience before its budget
}

// TrainBytes estimates the memory in bytes that training an RNN as o says takes:
// the model as it is trained, and four times its parameters for the gradients,
// Adam's two moments and the best parameters so far.
func TrainBytes(e *kernels.Engine, vocab int, o Options) int64 {
	c := o.config(vocab)
	return c.TrainingBytes(e) + 4*4*int64(c.Params())
}

// Train trains an RNN on c's training split until the budget is spent, patience
// is lost or ctx ends, and returns it with the parameters that predicted c's validation split
// best. on is told about progress, at most a few times a second. Where the budget
// is too short for a validation there is none, and the last parameters are kept.
//
// If ctx ends before the first step is done, its error is returned.
func Train(ctx context.Context, e *kernels.Engine, c *corpus.Corpus, o Options, on func(Progress)) (*rnn.Model, Stats, error) {
	o = o.withDefaults()
	t, err := newTrainer(e, c, o)
	if err != nil {
		return nil, Stats{}, err
	}
	err = t.run(ctx, on)
	return t.model, Stats{
		Progress:    t.progress,
		Interrupted: ctx.Err() != nil && t.progress.Elapsed < o.Budget,
		Stopped:     t.outOfPatience(),
	}, err
}

// trainer is a training at work.
type trainer struct {
	options   Options
	model     *rnn.Model
	ws        *rnn.Workspace
	streams   *streams
	history   []int32 // the training split, which the validation split follows
	valid     []int32 // what validations score; empty if there is no time for any
	validator *Scorer // of valid; nil before the first validation
	optimizer *rnn.Adam

	started   time.Time
	progress  Progress
	best      []float32     // the parameters of the lowest validation loss
	validated time.Duration // when the last validation ended
	validCost time.Duration // how long it took; before the first, how long it will take
	worse     int           // validations since the best
	halvings  int           // of the rate, where Options.Halve is set
}

// The most tokens of a validation, which tell models apart by a few thousandths
// of a bit, and the fewest that are worth one.
const (
	maxValid = 200_000
	minValid = 300
)

func newTrainer(e *kernels.Engine, c *corpus.Corpus, o Options) (*trainer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	model, err := rnn.New(e, o.config(c.Vocab.Len()), o.Seed)
	if err != nil {
		return nil, err
	}
	if !o.Tied { // wide inputs would be logits as wide
		widen := float32(inputScale(c.Vocab.Len()) * math.Sqrt(float64(o.Hidden)))
		for i := range model.Cells[0].Wx {
			model.Cells[0].Wx[i] *= widen
		}
		model.Update()
	}
	t := &trainer{
		options:   o,
		model:     model,
		history:   c.Train,
		valid:     c.Valid[:min(len(c.Valid), maxValid)],
		streams:   newStreams(c.Train, o.Streams, o.Steps, o.Seed),
		optimizer: rnn.NewAdam(model, float32(o.Rate)),
		best:      make([]float32, len(model.Slab)),
	}
	t.ws = model.NewTraining(t.streams.steps, t.streams.count)
	t.ws.Dropout(o.Dropout, o.Seed)
	return t, nil
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
		if t.dueToValidate(now) {
			t.validate(ctx)
			if t.outOfPatience() {
				t.progress.Elapsed = time.Since(t.started)
				break
			}
		}
		if now-told >= tellEvery {
			told = now
			on(t.progress)
		}
	}
	if t.progress.Tokens == 0 {
		return ctx.Err()
	}
	// Without an earlier validation there is nothing to choose.
	switch {
	case t.progress.Valid == 0:
	case ctx.Err() != nil:
		t.chooseSoon(ctx)
	case t.outOfPatience():
		t.keepBest()
	default:
		t.validate(ctx)
		t.keepBest()
	}
	t.progress.Elapsed = time.Since(t.started)
	on(t.progress)
	return nil
}

// end is when the last step is to be done: what remains of the budget is for one
// more validation, if there was any.
func (t *trainer) end() time.Duration {
	if t.progress.Valid == 0 {
		return t.options.Budget
	}
	return t.options.Budget - t.validCost
}

// dueToValidate says whether now is the time for a validation. The last one, at
// the end, must still fit after it.
func (t *trainer) dueToValidate(now time.Duration) bool {
	since := now - t.validated
	if len(t.valid) == 0 || since <= t.options.Budget/validations {
		return false
	}
	if t.validator == nil {
		t.cutValidation()
	}
	return len(t.valid) > 0 && (t.progress.Valid == 0 || since > validateShare*t.validCost) &&
		now+2*t.validCost <= t.options.Budget
}

// cutValidation shortens the validation text, before it is first scored, to what
// takes a validateShare-th of the budget, or to nothing if that is too short. How
// long a token takes is told by the training so far: forward and loss are a third
// of the work of a step, and half of its time leaves room for the rest.
func (t *trainer) cutValidation() {
	perToken := t.progress.Steps.Seconds() / float64(t.progress.Tokens) / 2
	fits := t.options.Budget.Seconds() / validateShare / perToken
	if fits < float64(min(len(t.valid), minValid)) {
		t.valid = nil
		return
	}
	t.valid = t.valid[:int(min(fits, float64(len(t.valid))))]
	t.validCost = time.Duration(perToken * float64(len(t.valid)) * float64(time.Second))
}

// step trains on one piece of every stream.
func (t *trainer) step() error {
	start := time.Now()
	defer func() { t.progress.Steps += time.Since(start) }()
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
	if t.progress.Loss == 0 {
		t.progress.Loss = loss
	}
	t.progress.Loss += (loss - t.progress.Loss) / 50
	return nil
}

// warmUp is the number of steps over which the learning rate rises to its peak.
const warmUp = 50

// rate is the learning rate of the next step: it rises over the first steps,
// then falls along half a cosine to a hundredth of its peak at the end, or by
// halves.
func (t *trainer) rate() float32 {
	done := min(float64(time.Since(t.started))/float64(t.end()), 1)
	rate := t.options.Rate * (0.01 + 0.99*(1+math.Cos(math.Pi*done))/2)
	if t.options.Halve {
		rate = math.Ldexp(t.options.Rate, -t.halvings)
	}
	steps := t.progress.Tokens/int64(len(t.streams.ids)) + 1
	return float32(rate * min(float64(steps)/warmUp, 1))
}

// validate keeps the parameters if they are the best so far.
func (t *trainer) validate(ctx context.Context) {
	from := time.Since(t.started)
	if t.validator == nil {
		var err error
		if t.validator, err = NewScorer(t.model, t.history, t.valid); err != nil {
			t.valid = nil
			return
		}
	}
	nats, err := t.validator.Score(ctx)
	loss := nats / float64(len(t.valid))
	switch {
	case ctx.Err() != nil:
	case err == nil && (t.progress.Valid == 0 || loss < t.progress.Valid):
		t.progress.Valid = loss
		copy(t.best, t.model.Slab)
		t.worse = 0
	default:
		t.worse++
		t.halvings++
	}
	t.validated = time.Since(t.started)
	t.validCost = t.validated - from
}

// outOfPatience says whether too many validations found nothing better.
func (t *trainer) outOfPatience() bool {
	return t.options.Patience > 0 && t.worse >= t.options.Patience
}

// keepBest makes the parameters of the lowest validation loss the model's.
func (t *trainer) keepBest() {
	copy(t.model.Slab, t.best)
	t.model.Update()
}

// soon is how long each of the two scorings of chooseSoon may take, about.
const soon = 500 * time.Millisecond

// chooseSoon keeps the last parameters or the best so far, whichever predict
// better a piece of the validation text that is short enough for somebody who has
// interrupted the training, and waits. Where there is no time for any piece, the
// last are kept: they have learned for longer.
func (t *trainer) chooseSoon(ctx context.Context) {
	piece := t.valid
	if t.validCost > soon {
		piece = piece[:int(float64(len(piece))*float64(soon)/float64(t.validCost))]
	}
	if len(piece) < min(len(t.valid), minValid) {
		return
	}
	scorer, err := NewScorer(t.model, t.history, piece)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*soon)
	defer cancel()
	last := append([]float32(nil), t.model.Slab...)
	ofLast, lastErr := scorer.Score(ctx)
	t.keepBest()
	if lastErr != nil {
		return // out of time, or astray
	}
	if ofBest, err := scorer.Score(ctx); err == nil && ofBest <= ofLast {
		return
	}
	copy(t.model.Slab, last)
	t.model.Update()
}
