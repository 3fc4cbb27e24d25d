package rnnlm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
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
	Resumed int64         // the part of Tokens that was trained on before a checkpoint
	Unsaved error         // why the last checkpoint was not written; nil if it was
}

// TokensPerSecond returns the speed of the training steps, 0 before the first.
func (p Progress) TokensPerSecond() float64 {
	if p.Steps <= 0 {
		return 0
	}
	return float64(p.Tokens) / p.Steps.Seconds()
}

// Stats are the results of a training.
type Stats struct {
	Progress
	Options     Options // of the training, with the defaults in place, and no more streams and steps than its text has
	Interrupted bool    // its context ended before its budget
	Stopped     bool    // it lost patience before its budget
	// Diverged is true if the training diverged after a validation, and ended there.
	// The parameters are then the best before.
	Diverged bool
	// Extended is true if the training resumed from a checkpoint with a smaller budget.
	// From there on its learning rate fell as in a training with the new budget. So its
	// bits depend on where the checkpoint was.
	Extended bool
}

// ErrDiverged is the error of a training whose loss or gradient is no longer finite.
var ErrDiverged = errors.New("training has diverged")

// TrainBytes estimates the memory in bytes that training an RNN takes, in each of its
// ranks. It adds the model in training, four times its parameters (gradients, Adam's two
// moments and the best parameters), and the activations of a pass. Several ranks have a
// second copy of the gradients, while they add them.
func TrainBytes(e *kernels.Engine, vocab int, o Options) int64 {
	o = o.withDefaults()
	c := o.config(vocab)
	rows, shards, gradients := o.Streams, o.Shards, int64(1)
	if o.Reducer != nil {
		ranks := o.Reducer.Ranks()
		rows, shards = (rows+ranks-1)/ranks, shards/ranks
		if ranks > 1 {
			gradients++ // what arrives of the other ranks'
		}
	}
	bytes := c.TrainingBytes(e) + 4*(3+gradients)*int64(c.Params()) + c.PassBytes(o.Steps, rows)
	if o.Shards > 1 {
		bytes += c.ShardBytes(e, o.Steps, rows, max(shards, 1))
	}
	return bytes
}

// Train trains an RNN on c's training split until the budget is spent, patience is lost
// or ctx ends. It returns the parameters with the lowest loss on c's validation split.
// If the budget is too short for a validation, it returns the last parameters. If ctx
// ends before the first step is done, Train returns ctx's error. If the training
// diverges before a validation, the error is [ErrDiverged].
//
// It calls on with the progress, at most a few times a second.
//
// With [Options].Checkpoint it resumes from that file if it exists, and saves its state
// there if ctx ends. The file remains after the training. A checkpoint that can't be
// written is told by Progress.Unsaved, and tried again after Every.
//
// With [Options].Reducer all ranks call Train, and all return the same model. The
// training ends for all when the ctx of any ends. Rank 0 alone reads and writes the
// checkpoint. Ranks whose options, texts or kernels differ get an error before the first
// step. So do all when a rank is lost; the last checkpoint stays as it is.
func Train(ctx context.Context, e *kernels.Engine, c *text.Corpus, o Options, on func(Progress)) (*rnn.Model, Stats, error) {
	o = o.withDefaults()
	t, err := newTrainer(e, c, o)
	if err == nil && !t.ranks.alone() {
		err = t.compare(facts(e, c, o, t.identity))
	}
	if err == nil && o.Checkpoint != "" {
		err = t.resume()
	}
	if err != nil {
		return nil, Stats{}, err
	}
	err = t.run(ctx, on)
	return t.model, t.stats(ctx), err
}

// stats returns the results of a training that has ended.
func (t *trainer) stats(ctx context.Context) Stats {
	options := t.options
	options.Streams, options.Steps = t.ranks.own.Rows, t.ws.T
	return Stats{
		Progress:    t.progress,
		Options:     options,
		Interrupted: t.interrupted || t.ended(ctx) && t.spent() < t.budget(),
		Stopped:     t.outOfPatience(),
		Diverged:    t.diverged,
		Extended:    t.extended,
	}
}

// trainer is a training in progress.
type trainer struct {
	options   Options
	identity  identity
	vocab     *text.Vocab
	model     *rnn.Model
	ws        *rnn.Workspace // of this rank's rows
	ranks     ranks
	streams   *streams    // nil of a text of sentences
	sentences *sentences  // nil of any other text
	passes    int64       // steps of the optimizer
	history   []int32     // what precedes the validation split
	marks     text.Marks  // of sentences
	valid     []int32     // the text of validations; empty if there is no time for any
	validator *Scorer     // of valid; nil before the first validation
	validPart *partScorer // in its place where the batch has shards
	optimizer optimizer
	carried   rnn.State // the state of this rank's rows, in and out of a checkpoint
	whole     rnn.State // the state of all rows, in a checkpoint

	started  time.Time // moved back by the time spent before a checkpoint
	progress Progress
	best     []float32 // the parameters of the lowest validation loss

	// The schedule, in the units of spent.
	validated int64         // when the last validation ended
	validCost int64         // cost of a validation; before the first, an estimate
	validTook time.Duration // the last validation
	cut       bool          // valid was cut to fit the budget
	worse     int           // validations since the best
	halvings  int           // of the rate, where Options.Halve is set

	interrupted bool // in the last validation
	diverged    bool
	extended    bool // see Stats

	clock     func() time.Time                                     // replaced in tests
	writeFile func(path string, write func(io.Writer) error) error // replaced in tests
}

func newTrainer(e *kernels.Engine, c *text.Corpus, o Options) (*trainer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	model, err := o.model(e, c.Vocab.Len())
	if err != nil {
		return nil, err
	}
	t := &trainer{
		options:   o,
		identity:  identityOf(o, c),
		vocab:     c.Vocab,
		model:     model,
		history:   historyOf(c),
		valid:     c.Valid[:min(len(c.Valid), maxValid)],
		optimizer: newOptimizer(o, model),
		best:      make([]float32, len(model.Slab)),
		clock:     time.Now,
		writeFile: durable.WriteFile,
	}
	model.SkipNonFinite = true // such a step ends the training
	var steps, rows int
	if marks, ok := c.Vocab.Marks(); ok && c.Level == text.Sentence {
		t.sentences, t.marks = newSentences(model, marks, c.Train, o.Streams, o.Steps), marks
		t.sentences.seed = o.Seed
		steps, rows = t.sentences.steps, len(t.sentences.rows)
	} else {
		t.streams = newStreams(c.Train, o.Streams, o.Steps, o.Seed)
		steps, rows = t.streams.steps, t.streams.count
	}
	if t.ranks, err = newRanks(o, rows); err != nil {
		return nil, err
	}
	t.ws = model.NewTraining(steps, t.ranks.own.Own().Len())
	if t.ranks.sharded() {
		t.shard()
	}
	t.ws.Dropout(o.Dropout, o.Seed)
	t.carried = model.NewState(t.ws.B)
	t.whole = t.carried
	if !t.ranks.alone() {
		t.whole = model.NewState(rows)
	}
	return t, nil
}

// shard makes the workspace, and what is dealt to it, this rank's part of the batch.
func (t *trainer) shard() {
	part := t.ranks.own
	t.ws.Shard(part)
	if t.streams != nil {
		t.streams.hold(part.Own())
	} else {
		shards := make([]kernels.Span, part.Shards)
		for i := range shards {
			shards[i] = part.Span(i)
		}
		t.sentences.hold(t.model, shards, part.Own())
	}
	if !t.ranks.alone() {
		t.ws.OnGrads(t.ranks.sumParts)
	}
}

// model returns the network to train: a new one, or Init.
func (o Options) model(e *kernels.Engine, vocab int) (*rnn.Model, error) {
	if m := o.Init; m != nil {
		switch {
		case m.Slab == nil:
			return nil, errors.New("rnnlm: a compact or quantised model can't be trained: give one with all of its float32 weights")
		case m.Input != vocab || m.Output != vocab:
			return nil, fmt.Errorf("rnnlm: a network of %d inputs and %d outputs can't go on with %d tokens", m.Input, m.Output, vocab)
		}
		return m, nil
	}
	m, err := rnn.New(e, o.config(vocab), o.Seed)
	if err == nil {
		o.scaleInputs(m)
	}
	return m, err
}

// historyOf returns what precedes the validation split, at least one token.
func historyOf(c *text.Corpus) []int32 {
	if before := c.BeforeValid(); len(before) > 0 {
		return before
	}
	return []int32{c.Vocab.Start(c.Level)}
}

// deal returns this rank's rows of the next piece of the text, with the number of tokens
// of all rows. It sets the states before it.
func (t *trainer) deal() (ids, targets []int32, tokens int) {
	if s := t.sentences; s != nil {
		tokens = s.deal(t.ws, true)
		return s.ids, s.targets, tokens
	}
	if first := t.streams.next(); first {
		t.ws.Reset()
	}
	return t.streams.ids, t.streams.targets, t.streams.steps * t.streams.count
}

// keep carries the states to the next piece.
func (t *trainer) keep() {
	if t.sentences != nil {
		t.sentences.keep(t.ws)
		return
	}
	t.ws.Carry()
}

// scorer returns a Scorer of a part of the validation text.
func (t *trainer) scorer(tokens []int32) (*Scorer, error) {
	if t.sentences != nil {
		return NewSentenceScorer(t.model, t.marks, tokens)
	}
	return NewScorer(t.model, t.history, tokens)
}

// tellEvery is the interval between reports of progress.
const tellEvery = 200 * time.Millisecond

func (t *trainer) run(ctx context.Context, on func(Progress)) error {
	t.started = t.clock().Add(-t.progress.Elapsed)
	told, saved := t.progress.Elapsed, t.progress.Elapsed
	if _, err := t.tell(ctx, t.progress.Steps); err != nil {
		return err
	}
	// At the start of each iteration, a checkpoint can hold the whole state.
	for {
		if t.ended(ctx) {
			if err := t.save(); err != nil {
				return err
			}
			break
		}
		if t.dueToValidate() {
			if err := t.validate(ctx); err != nil {
				return err
			}
			if t.ended(ctx) {
				continue
			}
			if t.outOfPatience() {
				break
			}
		}
		if err := t.step(ctx); err != nil {
			// After a divergence the best parameters are still valid.
			if t.progress.Valid == 0 || !errors.Is(err, ErrDiverged) {
				return err
			}
			t.diverged = true
			break
		}
		now := t.elapsed()
		t.progress.Elapsed = now
		if t.spent() >= t.end() {
			break
		}
		if now-saved >= t.options.Every {
			if err := t.save(); err != nil {
				return err
			}
			if _, err := t.tell(ctx, t.stepTime()); err != nil { // saving takes time
				return err
			}
			saved = t.elapsed()
		}
		if now-told >= tellEvery {
			told = now
			on(t.progress)
		}
	}
	if t.progress.Tokens == 0 {
		return cmp.Or(ctx.Err(), context.Canceled) // of another rank
	}
	// Without an earlier validation there is no choice.
	switch {
	case t.progress.Valid == 0:
	case t.ended(ctx):
		t.chooseSoon(ctx)
	case t.outOfPatience():
		t.keepBest()
	default:
		if err := t.validate(ctx); err != nil {
			return err
		}
		if t.ended(ctx) { // interrupted before a result
			t.interrupted = true
			t.chooseSoon(ctx)
		} else {
			t.keepBest()
		}
	}
	t.progress.Elapsed = t.clock().Sub(t.started)
	on(t.progress)
	return nil
}

// step trains on one piece of every stream.
func (t *trainer) step(ctx context.Context) error {
	start := t.clock()
	defer func() { t.progress.Steps += t.clock().Sub(start) }()
	ids, targets, tokens := t.deal()
	t.ws.SetTotal(float64(tokens)) // of all ranks; sentences fill only some of the steps
	t.ws.Forward(ids)
	loss, err := t.join(ctx, t.ws.Backward(targets), start)
	if err != nil {
		return err
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("%w after %d tokens: the loss is %v", ErrDiverged, t.progress.Tokens, loss)
	}
	*t.optimizer.rate = t.rate()
	norm := t.model.Step(t.optimizer.Optimizer, t.ws.Grads.Slab, float32(max(t.options.Clip, 0)))
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("%w after %d tokens: the gradient is too large for a step", ErrDiverged, t.progress.Tokens)
	}
	t.keep()
	t.passes++
	t.progress.Tokens += int64(tokens)
	if t.progress.Loss == 0 {
		t.progress.Loss = loss
	}
	t.progress.Loss += (loss - t.progress.Loss) / 50
	return nil
}
