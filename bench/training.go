package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
)

// A Training is all that [Training.Run] needs, read and checked.
type Training struct {
	c      *Comparison
	kind   string
	epochs float64 // 0: a budget of time
}

// NewTraining reads the corpus and makes the engine; errors are those of [New].
// The caller closes the Training.
func NewTraining(o TrainOptions, stdin io.Reader) (*Training, error) {
	full, err := o.full()
	if err != nil {
		return nil, err
	}
	c, err := open(full, stdin)
	if err != nil {
		return nil, err
	}
	t := &Training{c: c, kind: o.Kind}
	if o.Epochs != nil {
		t.epochs = *o.Epochs
	}
	return t, nil
}

// Close stops the engine, which the trained model runs on.
func (t *Training) Close() { t.c.Close() }

// Heading returns what is trained on what machine and text.
func (t *Training) Heading() Result { return t.c.Heading() }

// Trained is what a training has come to.
type Trained struct {
	Machine Machine   `json:"machine"`
	Corpus  Corpus    `json:"corpus"`
	Model   lm.Config `json:"model"`
	Bytes   int64     `json:"bytes"` // in memory, without the vocabulary

	// All of the training, and of an RNN the tokens before it was resumed.
	TrainSeconds         float64 `json:"train_seconds"`
	TrainTokensPerSecond float64 `json:"train_tokens_per_second"`
	ResumedTokens        int64   `json:"resumed_tokens"`

	// On the test split; 0 if Unscored, for want of time after Ctrl-C.
	BitsPerToken float64 `json:"bits_per_token"`
	Perplexity   float64 `json:"perplexity"`
	AdjustedBits float64 `json:"adjusted_bits_per_token"` // every <unk> spelled
	Adjusted     float64 `json:"adjusted_perplexity"`
	Unscored     bool    `json:"unscored"`

	Interrupted bool `json:"interrupted"`
}

// Run trains the model, tells on about it, and scores the test split. When ctx
// ends, an RNN stays as it was at its best; an n-gram model, and an RNN that has
// not made its first step, are nothing yet, and ctx's error is returned.
func (t *Training) Run(ctx context.Context, on func(Event)) (*lm.Model, Trained, error) {
	heading := t.c.Heading()
	out := Trained{Machine: heading.Machine, Corpus: heading.Corpus}
	train := t.rnn
	if t.kind == lm.Ngram {
		train = t.ngram
	}
	m, err := train(ctx, on, &out)
	if err != nil {
		return nil, out, err
	}
	m.WithSpeller(t.c.speller)
	out.Model, out.Bytes, out.Interrupted = m.Config, m.Bytes(), m.Config.Interrupted
	scoring, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(graceTime, cancel) })()
	nats, err := m.Score(scoring, t.c.corpus.Valid, t.c.corpus.Test)
	switch {
	case err == nil:
		out.BitsPerToken = bits(nats, len(t.c.corpus.Test))
		out.AdjustedBits = t.c.adjusted(out.BitsPerToken)
		out.Perplexity, out.Adjusted = perplexity(out.BitsPerToken), perplexity(out.AdjustedBits)
	case scoring.Err() != nil:
		out.Unscored = true
	default:
		return nil, out, err
	}
	return m, out, nil
}

func (t *Training) rnn(ctx context.Context, on func(Event), out *Trained) (*lm.Model, error) {
	o := t.c.options
	network := t.c.rnnOptions(o.Hidden[0])
	if t.epochs > 0 {
		network.Budget, network.Tokens = 0, int64(math.Ceil(t.epochs*float64(len(t.c.corpus.Train))))
	}
	event := Event{Model: Model{Kind: KindRNN, Hidden: o.Hidden[0]}.Name(), Nth: 1, Of: 1, Left: network.Budget}
	on(event)
	m, stats, err := rnnlm.Train(ctx, t.c.engine, t.c.corpus, network, func(p rnnlm.Progress) {
		if network.Tokens > 0 {
			event.Fraction = min(float64(p.Tokens)/float64(network.Tokens), 1)
		} else {
			event.Fraction = min(float64(p.Elapsed)/float64(network.Budget), 1)
			event.Left = max(network.Budget-p.Elapsed, time.Millisecond) // 0 would be unknown
		}
		event.Detail = trainingDetail(p)
		on(event)
	})
	if err != nil {
		return nil, err
	}
	out.TrainSeconds, out.TrainTokensPerSecond, out.ResumedTokens = stats.Elapsed.Seconds(), stats.TokensPerSecond(), stats.Resumed
	config := rnnConfig(network, stats)
	if network.Tokens > 0 { // such a training gives the same file every time: no clock is in it
		config.BudgetSeconds, config.TrainSeconds, config.BudgetTokens = 0, 0, network.Tokens
	}
	return lm.NewRNN(m, t.c.corpus, config), nil
}

// rnnConfig is what a model's file says of its training.
func rnnConfig(o rnnlm.Options, stats rnnlm.Stats) lm.Config {
	return lm.Config{
		Dropout: o.Dropout, Halve: o.Halve,
		Seed: o.Seed, BudgetSeconds: o.Budget.Seconds(), Interrupted: stats.Interrupted,
		TrainSeconds: stats.Elapsed.Seconds(), TrainTokens: stats.Tokens, ValidBits: bits(stats.Valid, 1),
	}
}

// trainingDetail is the line about a training at work, in bits.
func trainingDetail(p rnnlm.Progress) string {
	detail := fmt.Sprintf("loss %.2f", bits(p.Loss, 1))
	if p.Valid > 0 {
		detail += fmt.Sprintf(", valid %.3f", bits(p.Valid, 1))
	}
	return detail + ", " + figures.Rate(p.TokensPerSecond()) + " tokens/s"
}

// fileStore is the store of n-gram models that go to a file: the smallest that
// loses nothing.
const fileStore = ngram.Trie

func (t *Training) ngram(ctx context.Context, on func(Event), out *Trained) (*lm.Model, error) {
	order, c := t.c.options.MaxOrder, t.c.corpus
	on(Event{Model: Model{Kind: KindNgram, Order: order}.Name(), Nth: 1, Of: 1})
	// The most that it may take: n-grams are no more than tokens.
	entries := make([]int, order)
	for n := range entries {
		entries[n] = int(min(math.Pow(float64(c.Vocab.Len()), float64(n+1)), float64(len(c.Train))))
	}
	need := ngram.EstimateBytes(len(c.Train), c.Vocab.Len(), entries) + ngram.NewShape(fileStore, c.Vocab.Len(), entries).Bytes()
	if available := memory.Free(); need > available {
		return nil, misuse("--order", "an n-gram model of order %d over %s tokens may take %s to train, and %s are free: give a lower order or a shorter text",
			order, figures.Count(int64(len(c.Train))), figures.Bytes(need), figures.Bytes(available))
	}
	var m *ngram.Model
	start := time.Now()
	err := await(ctx, func() (err error) {
		e, err := estimateNgram(c, t.c.options.Smoothing, order)
		if err == nil {
			m, err = ngram.NewModel(e.Estimates, fileStore)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(start).Seconds()
	out.TrainSeconds, out.TrainTokensPerSecond = took, float64(len(c.Train))/took
	model := lm.NewNgram(m, c, lm.Config{Seed: t.c.options.Seed, TrainSeconds: took, TrainTokens: int64(len(c.Train))})
	nats, err := model.Score(ctx, c.Train, c.Valid)
	if err != nil {
		return nil, err
	}
	model.Config.ValidBits = bits(nats, len(c.Valid))
	return model, nil
}

// perplexity is how many tokens, all equally likely, are as hard to tell as text
// of so many bits a token.
func perplexity(bitsPerToken float64) float64 {
	return min(math.Exp2(bitsPerToken), math.MaxFloat64) // JSON has no infinity
}

// IsInterrupt says whether err is that of a context that ended.
func IsInterrupt(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
