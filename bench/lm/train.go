package lm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/internal/engine"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// A Training holds the checked inputs of [Training.Run].
type Training struct {
	options TrainOptions
	data    *Data
	engine  *kernels.Engine
	network rnnlm.Options // of an RNN
	init    *Model        // to go on from; nil to begin
	lock    *durable.Lock // of the checkpoint, if there is one
}

// NewTraining reads the corpus and makes the engine. The caller closes the Training.
// These give an [option.Error]: invalid options, an invalid BATCHRNN_ISA, an unusable
// corpus, an RNN that doesn't fit in memory, a checkpoint that another training writes.
//
// With a Reducer all ranks get an error if one of them does, or if they differ in
// anything that decides on the training.
func NewTraining(o TrainOptions, stdin io.Reader) (*Training, error) {
	t, err := newTraining(o, stdin)
	if o.several() {
		if err = t.meet(o.Reducer, err); err != nil && t != nil {
			t.Close()
			t = nil
		}
	}
	return t, err
}

func newTraining(o TrainOptions, stdin io.Reader) (*Training, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	e, err := engine.New("", o.Threads)
	if err != nil {
		return nil, err
	}
	t := &Training{options: o, engine: e}
	if err = t.lockCheckpoint(); err == nil {
		err = t.read(stdin)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Training) read(stdin io.Reader) (err error) {
	o := &t.options.TextOptions
	if t.options.Init != nil {
		if t.init, err = t.options.openInit(t.engine); err != nil {
			return err
		}
		o.Level, o.vocab = t.init.level, t.init.Vocab
	}
	index, err := t.options.index()
	if err != nil {
		return err
	}
	if index != "" {
		t.data, err = t.options.openEncoded(index)
	} else {
		t.data, err = t.options.readData(stdin)
	}
	if err != nil {
		return err
	}
	if t.options.Kind == Ngram {
		if err := t.checkTokens(); err != nil {
			return err
		}
		if t.options.Memory != nil {
			return t.checkDiskMemory()
		}
		return t.checkNgramMemory()
	}
	if t.init != nil && !t.init.knowsAny(t.data.Train) {
		return option.Failure("Corpus", "no token of %q is in the vocabulary of the model of %v: give another text", t.data.Name, option.Field("Init"))
	}
	t.network = t.options.network(t.data.Corpus, t.init)
	if err := t.checkTokens(); err != nil {
		return err
	}
	return t.data.CheckMemory(t.engine, t.network)
}

// readData reads the texts, and cuts them into tokens.
func (o TrainOptions) readData(stdin io.Reader) (*Data, error) {
	source, err := ReadText(o.Corpus, o.Seed, stdin)
	if err != nil {
		return nil, err
	}
	parts, err := o.readParts(stdin)
	if err != nil {
		return nil, err
	}
	return NewData(source, o.textOptions(), parts)
}

// Close stops the engine and unlocks the checkpoint. The trained model needs the engine,
// so close last.
func (t *Training) Close() {
	t.engine.Close()
	t.lock.Release()
}

// Engine returns the engine of the training.
func (t *Training) Engine() *kernels.Engine { return t.engine }

// Corpus describes the training text.
func (t *Training) Corpus() Corpus { return t.data.Describe() }

// A Progress says how far a training is.
type Progress struct {
	Model    string        // the model in training, such as "5-gram"
	Work     string        // what is done with it, such as "training"
	Fraction float64       // of this work, 0 to 1, or Unknown
	Detail   string        // further facts, may be empty
	Left     time.Duration // estimated time to the end; 0 if unknown
	Unsaved  error         // why the last checkpoint was not written; nil if it was

	Training rnnlm.Progress // of an RNN in training; Detail tells of it
}

// Trained are the results of a training.
type Trained struct {
	Model Config `json:"model"`
	Bytes int64  `json:"bytes"` // in memory, without the vocabulary

	// The whole training; for a resumed RNN, including the part before it was resumed.
	TrainSeconds         float64 `json:"train_seconds"`
	TrainTokensPerSecond float64 `json:"train_tokens_per_second"`
	ResumedTokens        int64   `json:"resumed_tokens"`

	// On the test split; 0 without one, and if Unscored, because time ran out after an interrupt.
	BitsPerToken float64    `json:"bits_per_token"`
	Perplexity   Perplexity `json:"perplexity"`
	AdjustedBits float64    `json:"adjusted_bits_per_token"` // every <unk> spelled
	Adjusted     Perplexity `json:"adjusted_perplexity"`
	Unscored     bool       `json:"unscored"`
	Seen         bool       `json:"seen_in_training"` // the model was trained on some of the test split

	Interrupted bool `json:"interrupted"`
	Diverged    bool `json:"diverged"`        // of an RNN, which is as it was at its best before
	Extended    bool `json:"budget_extended"` // resumed from a checkpoint with a smaller budget
	// CheckpointError says why the last checkpoint was not written; empty if it was.
	CheckpointError string `json:"checkpoint_error,omitempty"`
}

// Run trains the model, calls on with the progress, and scores the test split. If ctx
// ends, an RNN keeps its best parameters. An n-gram model that isn't estimated yet, or an
// RNN before its first step, gives ctx's error. With a Reducer, rank 0 alone scores.
func (t *Training) Run(ctx context.Context, on func(Progress)) (*Model, Trained, error) {
	var out Trained
	train := t.rnn
	if t.options.Kind == Ngram {
		train = t.ngram
	}
	m, err := train(ctx, on, &out)
	if err != nil {
		return nil, out, err
	}
	m.WithSpeller(t.data.Speller)
	out.Model, out.Bytes, out.Interrupted = m.Config, m.Bytes(), m.Config.Interrupted
	if len(t.data.Test) == 0 || !t.options.first() {
		return m, out, nil
	}
	if own := t.data.TestSource.SHA256; own != "" {
		out.Seen = own == m.Config.SHA256 || m.Config.before(own)
	} else {
		out.Seen = m.Config.UncutTest // by a training before
	}
	if out.Interrupted && t.options.several() {
		out.Unscored = true // mpirun kills its processes a second after an interrupt
		return m, out, nil
	}
	scoring, cancel := Grace(ctx)
	defer cancel()
	nats, err := m.scoreTold(scoring, t.data.BeforeTest(), t.data.Test, Progress{Model: m.Config.Name()}.part(workTest, on))
	switch {
	case err == nil:
		out.BitsPerToken = Bits(nats, len(t.data.Test))
		out.AdjustedBits = t.data.Adjusted(out.BitsPerToken)
		out.Perplexity, out.Adjusted = PerplexityOf(out.BitsPerToken), PerplexityOf(out.AdjustedBits)
	case scoring.Err() != nil:
		out.Unscored = true
	default:
		return nil, out, err
	}
	return m, out, nil
}

func (t *Training) rnn(ctx context.Context, on func(Progress), out *Trained) (*Model, error) {
	network := t.network
	progress := Progress{Model: networkName(network), Work: workTraining, Left: network.Budget}
	on(progress)
	m, stats, err := rnnlm.Train(ctx, t.engine, t.data.Corpus, network, func(p rnnlm.Progress) {
		if network.Tokens > 0 {
			progress.Fraction = min(float64(p.Tokens)/float64(network.Tokens), 1)
		} else {
			progress.Fraction = min(float64(p.Elapsed)/float64(network.Budget), 1)
			progress.Left = max(network.Budget-p.Elapsed, time.Millisecond) // 0 would mean unknown
		}
		progress.Detail, progress.Training, progress.Unsaved = Detail(p), p, p.Unsaved
		on(progress)
	})
	if errors.Is(err, rnnlm.ErrDiverged) {
		clip := "a lower"
		if stats.Options.Clip == rnnlm.NoClip {
			clip = "a"
		}
		return nil, option.Failure("Rate", "%w: give a lower one than %.3g, or %s %v", err, stats.Options.Rate, clip, option.Field("Clip"))
	}
	if err != nil {
		return nil, err
	}
	if stats.Unsaved != nil {
		out.CheckpointError = stats.Unsaved.Error()
	}
	out.TrainSeconds, out.TrainTokensPerSecond, out.ResumedTokens = stats.Elapsed.Seconds(), stats.TokensPerSecond(), stats.Resumed
	out.Diverged, out.Extended = stats.Diverged, stats.Extended
	config := TrainedConfig(network, stats)
	if network.Tokens > 0 { // a training by tokens gives the same file every time, so it stores no time
		config.BudgetSeconds, config.TrainSeconds, config.BudgetTokens = 0, 0, network.Tokens
	}
	model := NewRNN(m, t.data.Corpus, config)
	if t.init != nil {
		model.Config.goneOn(t.init.Config)
	}
	return model, nil
}

// TrainedConfig returns the part of an RNN's Config that describes its training.
func TrainedConfig(o rnnlm.Options, stats rnnlm.Stats) Config {
	with := stats.Options
	shards := with.Shards
	if shards == 1 {
		shards = 0
	}
	return Config{
		Dropout: o.Dropout, Halve: o.Halve,
		Optimizer: with.Optimizer, Rate: with.Rate, Batch: with.Streams, Shards: shards, Steps: with.Steps, Clip: max(with.Clip, 0),
		Seed: o.Seed, BudgetSeconds: o.Budget.Seconds(), Interrupted: stats.Interrupted,
		TrainSeconds: stats.Elapsed.Seconds(), TrainTokens: stats.Tokens, ValidBits: Bits(stats.Valid, 1),
	}
}

// Detail returns the line about an RNN in training, in bits.
func Detail(p rnnlm.Progress) string {
	detail := fmt.Sprintf("loss %.2f", Bits(p.Loss, 1))
	if p.Valid > 0 {
		detail += fmt.Sprintf(", valid %.3f", Bits(p.Valid, 1))
	}
	return detail + ", " + figures.Rate(p.TokensPerSecond()) + " tokens/s"
}

// wordDropout is the dropout of RNNs of words, whose rate is also halved. A text has
// about five times fewer words than characters, so each is read many times over. The
// table has perplexities of the test split: without either, with halving, and with
// halving and a dropout of 0.3 and of 0.5:
//
//	default text, width 64, 29 s      188.5           139.8   126.3
//	              width 128, 29 s     164.2   159.8   135.6   132.0
//	              width 256, 29 s     150.7           140.2   133.2
//	War and Peace, width 256, 60 s    171.9           166.6   172.0
//
// Without halving, 0.3 and 0.5 reached 156.0 and 141.4 at width 128. In these 60 s War
// and Peace is read six times over, the default text 40 times. A report gives War and
// Peace 160 s.
const wordDropout = 0.5

// NetworkOptions returns the options for training an RNN of the given cell and width on
// c, without its budget and its seed. A large vocabulary gets an adaptive softmax: a
// full one would read a fraction of the text in the same time. Gated cells then get an
// embedding too.
func NetworkOptions(c *text.Corpus, cell rnn.CellKind, hidden int) rnnlm.Options {
	o := rnnlm.Options{Cell: cell, Hidden: hidden, Cutoffs: rnnlm.AdaptiveCutoffs(c, hidden)}
	if cell != rnn.Vanilla && len(o.Cutoffs) > 0 {
		o.Embedding = rnnlm.EmbeddingWidth(hidden)
	}
	if c.Level != text.Char {
		o.Dropout, o.Halve = wordDropout, true
	}
	return o
}

// fileStore is the default store of n-gram models in files: the smallest lossless one.
const fileStore = ngram.Trie

// marksOf returns the marks of a text of sentences, nil for any other.
func marksOf(c *text.Corpus) *ngram.Marks {
	marks, ok := c.Vocab.Marks()
	if !ok || c.Level != text.Sentence {
		return nil
	}
	return &ngram.Marks{Start: marks.Start, End: marks.End}
}

// checkNgramMemory returns an [option.Error] if there is not enough memory to train the
// n-gram model.
func (t *Training) checkNgramMemory() error {
	order, store, c := t.options.order(), t.options.store(), t.data.Corpus
	marks := marksOf(c)
	read := len(c.Train)
	if marks != nil { // <s> is read too
		read += c.Counts()[marks.End]
	}
	// This bounds the size: no order has more n-grams than the text has tokens.
	entries := make([]int, order)
	for n := range entries {
		entries[n] = int(min(math.Pow(float64(c.Vocab.Len()), float64(n+1)), float64(read)))
	}
	need := ngram.EstimateBytes(read, c.Vocab.Len(), entries) + ngram.NewShape(store, c.Vocab.Len(), entries).Bytes()
	if available := memory.Free(); need > available {
		return option.Misuse("Order", "an n-gram model of order %d over %s tokens may take %s to train, and %s are free: give a lower order or a shorter text, or a %v to stay within",
			order, figures.Count(int64(len(c.Train))), figures.Bytes(need), figures.Bytes(available), option.Field("Memory"))
	}
	return nil
}

// tokenBytes returns how many bytes of memory the tokens of the text take.
func (t *Training) tokenBytes() int64 {
	if s := t.data.ids; s != nil && s.Mapped() {
		return 0
	}
	return 4 * int64(t.data.Tokens())
}

// checkDiskMemory returns an [option.Error] if the n-gram model can't be estimated within
// the memory given.
func (t *Training) checkDiskMemory() error {
	tokens, least := t.tokenBytes(), ngram.LeastMemory(t.data.Vocab.Len())
	if tokens == 0 && *t.options.Memory < least {
		return option.Misuse("Memory", "%s are too few: the estimate takes at least %s: give that or more", figures.Bytes(*t.options.Memory), figures.Bytes(least))
	}
	if need := tokens + least; *t.options.Memory < need {
		return option.Misuse("Memory", "%s are too few: the tokens of the text take %s, and the estimate at least %s: give %s or more, or as %v what rnnbench encode has made of the text, whose tokens stay on disk",
			figures.Bytes(*t.options.Memory), figures.Bytes(tokens), figures.Bytes(least), figures.Bytes(need), option.Field("Corpus"))
	}
	if available := memory.Free(); *t.options.Memory-tokens > available {
		return option.Misuse("Memory", "%s are more than the %s that are free: give less", figures.Bytes(*t.options.Memory), figures.Bytes(available))
	}
	return nil
}

// estimate returns the n-gram model of the training split. ctx ends the work on disk.
func (t *Training) estimate(ctx context.Context, tell func(orders int)) (*ngram.Model, error) {
	c, store := t.data.Corpus, t.options.store()
	config := ngram.Config{Vocab: c.Vocab.Len(), Order: t.options.order(), Marks: marksOf(c), Told: tell}
	if t.options.Memory != nil {
		m, _, err := ngram.EstimateOnDisk(ctx, c.Train, config, store, ngram.Disk{Memory: *t.options.Memory - t.tokenBytes(), Folder: t.options.Folder})
		return m, err
	}
	e, _, err := ngram.Estimate(c.Train, config)
	if err != nil {
		return nil, err
	}
	return ngram.NewModel(e, store)
}

func (t *Training) ngram(ctx context.Context, on func(Progress), out *Trained) (*Model, error) {
	order, c := t.options.order(), t.data.Corpus
	progress := Progress{Model: Config{Kind: Ngram, Order: order}.Name()}
	var m *ngram.Model
	start := time.Now()
	estimating, storing := progress.part(workEstimating, on), progress.part(workStoring, on)
	estimating(0)
	err := awaitTold(ctx, func(tell func(float64)) error {
		var err error
		if m, err = t.estimate(ctx, func(orders int) { tell(float64(orders) / float64(order)) }); err != nil {
			return fmt.Errorf("%d-gram model: %w", order, err)
		}
		return nil
	}, func(fraction float64) {
		if fraction < 1 {
			estimating(fraction)
		} else {
			storing(Unknown)
		}
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(start).Seconds()
	out.TrainSeconds, out.TrainTokensPerSecond = took, float64(len(c.Train))/took
	model := NewNgram(m, c, Config{Seed: t.options.Seed, TrainTokens: int64(len(c.Train))}) // without times: the same text gives the same file
	if len(c.Valid) == 0 {
		return model, nil
	}
	scoring, cancel := Grace(ctx)
	defer cancel()
	nats, err := model.scoreTold(scoring, c.BeforeValid(), c.Valid, progress.part(workValid, on))
	switch {
	case err == nil:
		model.Config.ValidBits = Bits(nats, len(c.Valid))
	case scoring.Err() == nil:
		return nil, err
	}
	return model, nil
}
