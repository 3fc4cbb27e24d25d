package lm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// TextOptions say which text models learn from, and what a token of it is.
type TextOptions struct {
	Corpus text.Input // without a path, the default text
	Level  text.Level
	// Vocab is the largest size of the vocabulary, <unk> included. Nil keeps all
	// characters, or the DefaultWords most frequent words.
	Vocab *int
	// MinCount is the least count in the training split that a token needs; rarer
	// tokens become <unk>. Nil means 1 for characters and DefaultMinCount for words.
	MinCount *int
	Seed     uint64 // of the models, and of the default text where it is generated

	vocab *text.Vocab // of the model to go on from, in place of one of the text
}

// DefaultWords is the size of a vocabulary of words where TextOptions.Vocab is nil.
const DefaultWords = 10000

// DefaultMinCount is the least count of a word in the training split where
// TextOptions.MinCount is nil. A model that has never met <unk> in training doesn't
// expect it in the test.
//
// In the default text, 11 % of the words of the test split are not in the training
// split. The 5-gram model and an RNN of width 128 after 29 s were compared by adjusted
// perplexity. With all training words in the vocabulary they have 3,253 and 4,237. With
// words that occur at least twice, they have 1,434 and 1,931.
const DefaultMinCount = 2

// Validate returns an [option.Error] for the first invalid option.
func (o TextOptions) Validate() error {
	switch {
	case o.Vocab != nil && *o.Vocab < o.Level.LeastVocab():
		marks := ""
		if o.Level == text.Sentence {
			marks = ", <s>, </s>"
		}
		return option.Misuse("Vocab", "%d leaves no room for <unk>%s and one token: give %d or more", *o.Vocab, marks, o.Level.LeastVocab())
	case o.MinCount != nil && *o.MinCount < 1:
		return option.Misuse("MinCount", "a token can't be seen %d times: give 1 or more", *o.MinCount)
	}
	return nil
}

// corpusOptions returns o with its defaults.
func (o TextOptions) corpusOptions() text.Options {
	if o.vocab != nil {
		return text.Options{Level: o.Level, Vocab: o.vocab}
	}
	c := text.Options{Level: o.Level, MinCount: 1}
	if o.Level != text.Char {
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

// defaultMemory is more than the default text takes as tokens, in bytes.
const defaultMemory = 8 << 20

// ReadText reads a text, the default one if from names none.
func ReadText(from text.Input, seed uint64, stdin io.Reader) (*text.Text, error) {
	return readText("Corpus", from, seed, stdin)
}

// readText is ReadText for the text of an option.
func readText(name string, from text.Input, seed uint64, stdin io.Reader) (*text.Text, error) {
	if len(from.Paths) == 0 {
		if free := memory.Free(); free < defaultMemory {
			return nil, option.Failure(name, "%s of memory are free, and the default text takes %s: allow this process more", figures.Bytes(free), figures.Bytes(defaultMemory))
		}
		return text.Default(seed), nil
	}
	if err := noIDs(name, from); err != nil {
		return nil, err
	}
	source, err := from.Read(stdin)
	if err != nil {
		return nil, textFailure(name, err)
	}
	return source, nil
}

// noIDs returns an error if a text is a corpus in files of ids.
func noIDs(name string, from text.Input) error {
	for _, path := range from.Paths {
		if path != text.Stdin && text.IndexAt(path) != "" {
			return option.Failure(name, "%q holds ids of tokens and no text: a training takes it as its corpus, alone; here give the text itself", path)
		}
	}
	return nil
}

// textFailure returns the error of reading the text of an option.
func textFailure(name string, err error) error {
	if _, ok := errors.AsType[*text.NotText](err); ok {
		return option.Failure(name, "%w, or %v to read it as it is", err, option.Field("ForceText"))
	}
	return option.Failure(name, "%w", err)
}

// LeftOut says that files of a corpus folder were not read.
func LeftOut(files int, first string) string {
	if files == 1 {
		return fmt.Sprintf("1 file of the corpus folder is left out: %q", first)
	}
	return fmt.Sprintf("%s files of the corpus folder are left out, the first %q", figures.Count(int64(files)), first)
}

// Data is a text cut into tokens, with a speller of its <unk>.
type Data struct {
	*text.Corpus
	Speller  *spell.Speller
	MinCount int // least count in the training split of every token in the vocabulary; 0 for that of another text

	LeftOut      int // files of folders that were not read, see text.Text
	FirstLeftOut string

	ids     *text.Encoded // the files of the tokens; nil of a text
	unkNats float64       // cost of spelling every <unk> of the test split
}

// Parts are the texts of validation and test. A part without one is cut off the training
// text, unless uncut.
type Parts struct {
	Valid, Test *text.Text
	Uncut       text.Uncut
}

// NewData cuts a text into tokens.
func NewData(source *text.Text, o TextOptions, parts Parts) (*Data, error) {
	c := o.corpusOptions()
	c.Valid, c.Test, c.Uncut = parts.Valid, parts.Test, parts.Uncut
	d := &Data{MinCount: c.MinCount}
	for _, t := range []*text.Text{source, parts.Valid, parts.Test} {
		if t != nil {
			d.FirstLeftOut = cmp.Or(d.FirstLeftOut, t.FirstLeftOut)
			d.LeftOut += t.LeftOut
		}
	}
	var err error
	if d.Corpus, err = text.Build(source, c); err != nil {
		return nil, corpusFailure(err)
	}
	return d, d.spell()
}

// corpusFailure returns the error of making a corpus of texts.
func corpusFailure(err error) error {
	if tooRare, ok := errors.AsType[*text.TooRare](err); ok {
		return option.Misuse("MinCount", "the training part of %q has no token %d times: give 1, or a longer text", tooRare.Name, tooRare.MinCount)
	}
	if part, ok := errors.AsType[*text.PartError](err); ok {
		return textFailure(part.Part, part.Err)
	}
	return textFailure("Corpus", err)
}

// spell makes the speller.
func (d *Data) spell() (err error) {
	if d.Speller, err = spell.New(d.Corpus); err != nil {
		return option.Failure("Corpus", "%w", err)
	}
	d.unkNats = d.Speller.Total(d.TestUnk)
	return nil
}

// Adjusted returns the bits per token of the test split with every <unk> spelled.
// bitsPerToken is the cost without spelling. Adjusted figures compare across
// vocabularies.
func (d *Data) Adjusted(bitsPerToken float64) float64 {
	return bitsPerToken + Bits(d.unkNats, max(len(d.Test), 1))
}

// CheckMemory returns an [option.Error] if there is not enough memory to train the RNN.
func (d *Data) CheckMemory(e *kernels.Engine, o rnnlm.Options) error {
	if err := d.checkSteps(e, o); err != nil {
		return err
	}
	need := rnnlm.TrainBytes(e, d.Vocab.Len(), o)
	if available := memory.Free(); need > available {
		if o.Init != nil {
			return option.Misuse("Init", "%s takes %s to train, and %s are free: give a smaller model, or free memory", networkName(o), figures.Bytes(need), figures.Bytes(available))
		}
		embedding := ""
		if o.Embedding > 0 {
			embedding = fmt.Sprintf(", a smaller %v", option.Field("Embedding"))
		}
		return option.Misuse("Hidden", "%s over %d tokens takes %s to train, and %s are free: give a smaller width%s, or a smaller %v",
			networkName(o), d.Vocab.Len(), figures.Bytes(need), figures.Bytes(available), embedding, option.Field("Vocab"))
	}
	return nil
}

// A Corpus describes the text that models are trained and scored on. Its JSON form is
// stable: fields may be added, not renamed.
type Corpus struct {
	Name      string  `json:"name"`
	SHA256    string  `json:"sha256"`
	Level     string  `json:"level"`  // "char", "word", or "sentence": words, each line a sentence
	Tokens    int     `json:"tokens"` // all splits together
	Train     int     `json:"train_tokens"`
	Valid     int     `json:"valid_tokens"`
	Test      int     `json:"test_tokens"`
	Vocab     int     `json:"vocab"`          // distinct ids, <unk> included
	MinCount  int     `json:"min_count"`      // least count in the training split of every token in the vocabulary
	UnkRate   float64 `json:"unk_rate"`       // share of test tokens that are <unk>
	TrainUnk  float64 `json:"train_unk_rate"` // share of training tokens that are <unk>
	UnkBits   float64 `json:"bits_per_unk"`   // mean cost of spelling an <unk> of the test split, see package spell
	BadBytes  int64   `json:"bad_bytes"`
	Synthetic bool    `json:"synthetic"` // generated, not written by people

	LeftOut      int    `json:"left_out"`       // files of the texts' folders that were not read
	FirstLeftOut string `json:"first_left_out"` // the path of the first, "" if there is none

	// The texts of the validation and the test split, where they were not cut off the
	// corpus. Without either and without tokens there is no such split.
	ValidName   string `json:"valid_name,omitempty"`
	ValidSHA256 string `json:"valid_sha256,omitempty"`
	TestName    string `json:"test_name,omitempty"`
	TestSHA256  string `json:"test_sha256,omitempty"`
}

// TokenName returns the name of a token of the corpus: "character" or "word".
func (c Corpus) TokenName() string {
	if c.Level == text.Char.String() {
		return "character"
	}
	return "word"
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
		LeftOut:   d.LeftOut, FirstLeftOut: d.FirstLeftOut,
		ValidName: d.ValidSource.Name, ValidSHA256: d.ValidSource.SHA256,
		TestName: d.TestSource.Name, TestSHA256: d.TestSource.SHA256,
	}
}

// Bits converts a total in nats into the mean bits per token.
func Bits(nats float64, tokens int) float64 {
	// A cost is at least 0; max removes a negative rounding error.
	return max(nats/math.Ln2/float64(tokens), 0)
}

// IsInterrupt reports whether err comes from a context that ended.
func IsInterrupt(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// GraceTime bounds each piece of work that still runs after an interrupt. It is a variable
// for tests.
var GraceTime = 3 * time.Second

// Grace returns a context that ends GraceTime after ctx. It bounds the work that is
// still worth doing after an interrupt.
func Grace(ctx context.Context) (context.Context, context.CancelFunc) {
	grace := GraceTime
	if ctx.Err() != nil {
		return context.WithTimeout(context.WithoutCancel(ctx), grace)
	}
	after, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return after, func() { stop(); cancel() }
}

// Await runs work and returns its error, or ctx's error if ctx ends first. Work that
// outlives ctx runs on, and its error is lost.
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
