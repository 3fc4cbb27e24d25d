package lm

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/internal/option"
	"batchrnn/kernels"
)

// TextOptions say what text models learn from, and what a token of it is.
type TextOptions struct {
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
	Seed     uint64 // of the default text where it is generated, and of the models
}

// Stdin as TextOptions.Corpus is standard input.
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

// Validate returns an [option.Error] for the first option that makes no sense.
func (o TextOptions) Validate() error {
	switch {
	case o.Vocab != nil && *o.Vocab < 2:
		return option.Misuse("Vocab", "%d leaves no room for <unk> and one token: give 2 or more", *o.Vocab)
	case o.MinCount != nil && *o.MinCount < 1:
		return option.Misuse("MinCount", "a token can't be seen %d times: give 1 or more", *o.MinCount)
	}
	return nil
}

// corpusOptions returns o with its defaults.
func (o TextOptions) corpusOptions() text.Options {
	c := text.Options{Level: o.Level, MinCount: 1}
	if o.Level == text.Word {
		c.MaxVocab, c.MinCount = DefaultWords, DefaultMinCount
	}
	if o.Vocab != nil {
		c.MaxVocab = *o.Vocab
	}
	if o.MinCount != nil {
		c.MinCount = *o.MinCount
	}
	return c
}

// ReadText reads the text that path names as [TextOptions.Corpus] does.
func ReadText(path string, seed uint64, stdin io.Reader) (*text.Text, error) {
	if path == "" {
		return text.Default(seed), nil
	}
	source, err := text.Read(path, stdin)
	if err != nil {
		return nil, option.Failure("Corpus", "%w", err)
	}
	return source, nil
}

// Data is a text cut into tokens, with what spells those that are <unk>.
type Data struct {
	*text.Corpus
	Speller  *spell.Speller
	MinCount int // how often the training split has every token of the vocabulary
	Skipped  int // files of the corpus that are not text

	unkNats float64 // what it takes to spell all <unk> of the test split
}

// NewData cuts a text into tokens.
func NewData(source *text.Text, o TextOptions) (*Data, error) {
	c := o.corpusOptions()
	d := &Data{MinCount: c.MinCount, Skipped: source.Skipped}
	var err error
	d.Corpus, err = text.Build(source, c)
	if tooRare, ok := errors.AsType[*text.TooRare](err); ok {
		return nil, option.Misuse("MinCount", "the training part of %q has no token %d times: give 1, or a longer text", tooRare.Name, tooRare.MinCount)
	}
	if err == nil {
		d.Speller, err = spell.New(d.Corpus)
	}
	if err != nil {
		return nil, option.Failure("Corpus", "%w", err)
	}
	d.unkNats = d.Speller.Total(d.TestUnk)
	return d, nil
}

// Adjusted returns what the test split takes per token where every <unk> is
// spelled, from what it takes where none is: figures that compare between
// vocabularies.
func (d *Data) Adjusted(bitsPerToken float64) float64 {
	return bitsPerToken + Bits(d.unkNats, len(d.Test))
}

// CheckMemory returns an [option.Error] for an RNN that has no room to train.
func (d *Data) CheckMemory(e *kernels.Engine, o rnnlm.Options) error {
	need := rnnlm.TrainBytes(e, d.Vocab.Len(), o)
	if available := memory.Free(); need > available {
		return option.Misuse("Hidden", "an RNN of width %d over %d tokens takes %s to train, and %s are free: give a smaller width, or a smaller %v",
			o.Hidden, d.Vocab.Len(), figures.Bytes(need), figures.Bytes(available), option.Field("Vocab"))
	}
	return nil
}

// A Corpus describes what models are trained and scored on. Its JSON form is stable:
// fields may be added, not renamed.
type Corpus struct {
	Name      string  `json:"name"`
	SHA256    string  `json:"sha256"`
	Level     string  `json:"level"`  // "char" or "word"
	Tokens    int     `json:"tokens"` // all splits together
	Train     int     `json:"train_tokens"`
	Valid     int     `json:"valid_tokens"`
	Test      int     `json:"test_tokens"`
	Vocab     int     `json:"vocab"`          // distinct ids, <unk> included
	MinCount  int     `json:"min_count"`      // how often the training split has every token of the vocabulary
	UnkRate   float64 `json:"unk_rate"`       // share of test tokens that are <unk>
	TrainUnk  float64 `json:"train_unk_rate"` // share of training tokens that are <unk>
	UnkBits   float64 `json:"bits_per_unk"`   // what it takes to spell an <unk> of the test split, see package spell
	BadBytes  int64   `json:"bad_bytes"`
	Synthetic bool    `json:"synthetic"` // generated, not written by anybody
}

// TokenName is what a token of the corpus is called: "character" or "word".
func (c Corpus) TokenName() string {
	if c.Level == "word" {
		return "word"
	}
	return "character"
}

// Describe returns the description of d.
func (d *Data) Describe() Corpus {
	return Corpus{
		Name:      d.Name,
		SHA256:    d.SHA256,
		Level:     d.Level.String(),
		Tokens:    d.Tokens(),
		Train:     len(d.Train),
		Valid:     len(d.Valid),
		Test:      len(d.Test),
		Vocab:     d.Vocab.Len(),
		MinCount:  d.MinCount,
		UnkRate:   d.UnkRate,
		TrainUnk:  d.TrainUnkRate,
		UnkBits:   Bits(d.unkNats, max(len(d.TestUnk), 1)),
		BadBytes:  int64(d.BadBytes),
		Synthetic: d.Synthetic,
	}
}

// Bits is the mean per token of a total in nats.
func Bits(nats float64, tokens int) float64 {
	// No token costs less than nothing; what rounding takes away from 0 is no news.
	return max(nats/math.Ln2/float64(tokens), 0)
}

// Perplexity is how many tokens, all equally likely, are as hard to tell as text
// of so many bits a token.
func Perplexity(bitsPerToken float64) float64 {
	return min(math.Exp2(bitsPerToken), math.MaxFloat64) // JSON has no infinity
}

// IsInterrupt says whether err is that of a context that ended.
func IsInterrupt(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// GraceTime is how long each thing may take that is still done after Ctrl-C. A
// variable for tests.
var GraceTime = 3 * time.Second

// Grace returns a context that ends GraceTime after ctx: for what is still worth doing
// after somebody who waits for the result has cancelled ctx.
func Grace(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return context.WithTimeout(context.WithoutCancel(ctx), GraceTime)
	}
	after, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(GraceTime, cancel) })
	return after, func() { stop(); cancel() }
}

// Await runs work, but doesn't wait for it longer than ctx lives. Work that is
// left behind goes on to its end, unheard.
func Await(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
