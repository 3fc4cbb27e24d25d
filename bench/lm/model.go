package lm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/rnn"
)

// The two kinds of [Model].
const (
	Ngram = "ngram"
	RNN   = "rnn"
)

// Config says what a model is and how it was trained. Its JSON form is part of a
// model's file.
type Config struct {
	Kind string `json:"kind"` // Ngram or RNN
	// Level is "char", "word", or "sentence": words, each line a sentence with <s> before
	// it and </s> at its end.
	Level string `json:"level"`
	Vocab int    `json:"vocab"` // <unk> included
	// Spelling says that the file has a section with the speller of <unk>.
	Spelling bool `json:"spelling,omitempty"`
	Order    int  `json:"order,omitempty"`
	Hidden   int  `json:"hidden,omitempty"`
	Layers   int  `json:"layers,omitempty"` // of an RNN of two layers or more

	Store string `json:"store,omitempty"` // of an n-gram model that is in no trie, the name of its ngram.Store

	Cell string `json:"cell,omitempty"` // of an RNN, the name of its rnn.CellKind

	Embedding int `json:"embedding,omitempty"` // of an RNN, the width of its embedding

	Int8 bool `json:"int8,omitempty"` // an RNN with weights of int8, see Model.Quantise

	// The output layer of an RNN.
	Softmax string `json:"softmax,omitempty"` // "full" or "adaptive"
	Tied    bool   `json:"tied,omitempty"`    // one matrix for input and output
	// The training of an RNN, see rnnlm.Options.
	Dropout   float64 `json:"dropout,omitempty"`
	Halve     bool    `json:"halve,omitempty"`
	Optimizer string  `json:"optimizer,omitempty"` // "" and 0 below if not known
	Rate      float64 `json:"rate,omitempty"`      // peak learning rate
	Batch     int     `json:"batch,omitempty"`     // streams
	Shards    int     `json:"shards,omitempty"`    // of the batch; 0 for one, which is all of it
	Steps     int     `json:"steps,omitempty"`     // between truncations
	Clip      float64 `json:"clip,omitempty"`      // 0 for none, where Optimizer is known
	// What was there before a training that went on from a model: the tokens that it had
	// been trained on, and the SHA-256 of other texts, with commas between them.
	TokensBefore int64  `json:"tokens_before,omitempty"`
	Before       string `json:"sha256_before,omitempty"`

	// The training text and the training, for the record.
	Corpus string `json:"corpus"`
	SHA256 string `json:"sha256"`
	// UncutValid and UncutTest say that this part was not cut off the training text, now
	// or in a training before. The model may have learned from it.
	UncutValid bool `json:"uncut_valid,omitempty"`
	UncutTest  bool `json:"uncut_test,omitempty"`

	Seed          uint64  `json:"seed"`
	TrainSeconds  float64 `json:"train_seconds"` // 0 of a training that gives the same file every time
	TrainTokens   int64   `json:"train_tokens"`  // repeats counted
	ValidBits     float64 `json:"valid_bits_per_token"`
	BudgetSeconds float64 `json:"budget_seconds,omitempty"`
	BudgetTokens  int64   `json:"budget_tokens,omitempty"`
	Interrupted   bool    `json:"interrupted,omitempty"` // its training was stopped early
}

// Name returns a short name: "5-gram", "GRU 256", or "GRU 2×256" for two layers. Weights
// of int8 add " int8", and an embedding of 128 adds " (embedding 128)". The name of a
// network of vanilla cells begins with "RNN".
func (c Config) Name() string {
	if c.Kind == RNN {
		name := fmt.Sprintf("%s %d", CellName(c.Cell), c.Hidden)
		if c.Layers > 1 {
			name = fmt.Sprintf("%s %d×%d", CellName(c.Cell), c.Layers, c.Hidden)
		}
		if c.Int8 {
			name += " int8"
		}
		if c.Embedding > 0 {
			name += fmt.Sprintf(" (embedding %d)", c.Embedding)
		}
		return name
	}
	return fmt.Sprintf("%d-gram", c.Order)
}

// networkName returns the name of the RNN that o trains.
func networkName(o rnnlm.Options) string {
	return Config{Kind: RNN, Cell: o.Cell.String(), Hidden: o.Hidden, Layers: o.Layers, Embedding: o.Embedding}.Name()
}

// CellName returns how tables and sentences name a network of a kind of cell, given by
// the name of its rnn.CellKind: "RNN" for vanilla cells and for "", "LSTM", "GRU".
func CellName(cell string) string {
	switch cell {
	case "", rnn.Vanilla.String():
		return "RNN"
	case rnn.GRUResetBefore.String():
		return "GRU (reset before)"
	}
	return strings.ToUpper(cell)
}

// Description returns Name and the settings of store, output layer and training that are
// not the default.
func (c Config) Description() string {
	name := c.Name()
	if c.Level == text.Sentence.String() {
		name += " of sentences"
	}
	if c.Store != "" {
		name += " (" + c.Store + ")"
	}
	if c.Softmax == rnnlm.AdaptiveSoftmax {
		name += " with an adaptive softmax"
	}
	if c.Tied {
		name += " with tied weights"
	}
	if c.Dropout > 0 {
		name += fmt.Sprintf(", trained with a dropout of %.3g", c.Dropout)
	}
	if c.Halve {
		name += ", its rate halved where it stood still"
	}
	return name
}

// Model is a language model with its vocabulary. It is immutable except for
// ReadSafetensors: any number of streams and samplers may use it at once.
type Model struct {
	Config Config
	Vocab  *text.Vocab
	level  text.Level
	marks  text.Marks   // at level Sentence
	ngram  *ngram.Model // one of the two is nil
	rnn    *rnn.Model

	// Speller tells how <unk> tokens are spelled. It is nil for models of words whose
	// file has no speller.
	Speller *spell.Speller

	// The file that the model was read from, if it was.
	sections     []durable.Section
	modelVersion uint32
}

// NewNgram returns m as a language model of the tokens of c. config describes its
// training.
func NewNgram(m *ngram.Model, c *text.Corpus, config Config) *Model {
	config.Kind, config.Order = Ngram, m.Order()
	config.setStore(m)
	return newModel(&Model{Config: config, ngram: m}, c)
}

// NewRNN returns m as a language model of the tokens of c. config describes its
// training.
func NewRNN(m *rnn.Model, c *text.Corpus, config Config) *Model {
	config.Kind, config.Hidden = RNN, m.Hidden
	config.setNetwork(m.Config)
	return newModel(&Model{Config: config, rnn: m}, c)
}

// setStore sets the field that follows from the n-gram model.
func (c *Config) setStore(m *ngram.Model) {
	c.Store = ""
	if m.Store() != fileStore {
		c.Store = m.Store().String()
	}
}

// setNetwork sets the fields that follow from the network.
func (c *Config) setNetwork(network rnn.Config) {
	c.Cell, c.Embedding, c.Softmax, c.Tied, c.Layers = network.Cell.String(), network.Embedding, rnnlm.SoftmaxOf(network), network.Tied, 0
	c.Int8 = network.Int8
	if network.Layers > 1 {
		c.Layers = network.Layers
	}
}

func newModel(m *Model, c *text.Corpus) *Model {
	m.Vocab, m.level = c.Vocab, c.Level
	m.marks, _ = c.Vocab.Marks()
	m.Config.Level, m.Config.Vocab = c.Level.String(), c.Vocab.Len()
	m.Config.Corpus, m.Config.SHA256 = c.Name, c.SHA256
	m.Config.UncutValid, m.Config.UncutTest = c.Uncut.Valid, c.Uncut.Test
	return m
}

// WithSpeller sets the model's speller. It must be called before the first stream or
// sampler.
func (m *Model) WithSpeller(s *spell.Speller) *Model {
	m.Speller, m.Config.Spelling = s, s.HasWords()
	return m
}

// Network returns the recurrent network, or nil for an n-gram model. Change it only
// before the first stream or sampler.
func (m *Model) Network() *rnn.Model { return m.rnn }

// Level returns what a token of the model is.
func (m *Model) Level() text.Level { return m.level }

// Bytes returns the size of the model in memory, by its size function. It leaves out
// the vocabulary, which is the same for every model.
func (m *Model) Bytes() int64 {
	if m.rnn != nil {
		return m.rnn.Bytes(m.rnn.Engine())
	}
	return m.ngram.Bytes()
}

// start returns the token that precedes a text, or a sentence, where the model needs one.
func (m *Model) start() int32 { return m.Vocab.Start(m.level) }

// end returns the token at the end of a sentence, or -1 if there are none.
func (m *Model) end() int32 {
	if m.level == text.Sentence {
		return m.marks.End
	}
	return -1
}

// ends reports whether a sentence ends with this token.
func (m *Model) ends(id int32) bool { return id == m.end() }

// begin brings s to the start of a text, or of a sentence.
func (m *Model) begin(s *ngram.Scorer) {
	s.Reset()
	if m.level != text.Word {
		s.Score(m.start())
	}
}

// errNotFinite reports a network whose training diverged.
var errNotFinite = errors.New("the model's scores are not finite: it has diverged in training, train it again")

// Score returns the cost in nats of tokens, at least one, which follow history in one
// long text. An RNN reads the text as parallel streams, as in training. Sentences are
// scored one by one, each by itself, and history doesn't matter. If ctx ends first, Score
// returns an error.
func (m *Model) Score(ctx context.Context, history, tokens []int32) (nats float64, err error) {
	return m.scoreTold(ctx, history, tokens, func(float64) {})
}

// scoreTold is Score, and calls on with the fraction of the tokens that is scored.
func (m *Model) scoreTold(ctx context.Context, history, tokens []int32, on func(fraction float64)) (nats float64, err error) {
	if m.rnn != nil {
		s, err := m.scorer(history, tokens)
		if err != nil {
			return 0, err
		}
		s.Told = func(n int) { on(float64(n) / float64(len(tokens))) }
		return s.Score(ctx)
	}
	s := m.ngramAfter(history)
	for i, w := range tokens {
		if i%(1<<16) == 0 {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			on(float64(i) / float64(len(tokens)))
		}
		nats += m.next(s, w)
	}
	return nats, nil
}

// scorer returns a Scorer of tokens under the network.
func (m *Model) scorer(history, tokens []int32) (*rnnlm.Scorer, error) {
	if m.level == text.Sentence {
		return rnnlm.NewSentenceScorer(m.rnn, m.marks, tokens)
	}
	if len(history) == 0 {
		history = []int32{m.start()}
	}
	return rnnlm.NewScorer(m.rnn, history, tokens)
}

// next returns the cost of the next token of a text.
func (m *Model) next(s *ngram.Scorer, w int32) float64 {
	nats := s.Score(w)
	if m.ends(w) {
		m.begin(s)
	}
	return nats
}

// A Stream scores short texts one after the other, each from the start. Scoring allocates
// only while the longest text grows. One goroutine may use a Stream at a time.
type Stream struct {
	model  *Model
	ngram  *ngram.Scorer
	rnn    *rnnStream
	losses []float64
}

// NewStream returns a stream.
func (m *Model) NewStream() *Stream {
	if m.rnn != nil {
		return &Stream{model: m, rnn: newRNNStream(m.rnn)}
	}
	return &Stream{model: m, ngram: m.ngram.NewScorer()}
}

// Score returns the cost of a text by itself, in nats; that of an empty text is 0. It
// returns an error if the model's parameters are not finite.
func (s *Stream) Score(tokens []int32) (nats float64, err error) {
	losses, err := s.Losses(tokens)
	for _, l := range losses {
		nats += l
	}
	return nats, err
}

// Losses returns the cost of each token of a text by itself, in nats. The next call
// overwrites them. It returns an error as Score does.
func (s *Stream) Losses(tokens []int32) ([]float64, error) {
	s.losses = slices.Grow(s.losses[:0], len(tokens))
	if s.rnn == nil {
		s.model.begin(s.ngram)
		for _, w := range tokens {
			s.losses = append(s.losses, s.model.next(s.ngram, w))
		}
		return s.losses, nil
	}
	for len(tokens) > 0 {
		n := len(tokens) // of a text, or of its first sentence
		if end := slices.IndexFunc(tokens, s.model.ends); end >= 0 {
			n = end + 1
		}
		s.losses = s.rnn.losses(s.losses, s.model.start(), tokens[:n])
		tokens = tokens[n:]
	}
	for _, l := range s.losses {
		if math.IsNaN(l) || math.IsInf(l, 0) {
			return nil, errNotFinite
		}
	}
	return s.losses, nil
}

// AppendText appends a token to dst, the text so far. Words have a space between them,
// and a sentence's end is a line end.
func (m *Model) AppendText(dst []byte, id int32) []byte {
	if m.ends(id) {
		return append(dst, '\n')
	}
	return append(m.appendSpace(dst), m.Vocab.Token(id)...)
}

// appendSpace appends what stands between dst, the text so far, and another token.
func (m *Model) appendSpace(dst []byte) []byte {
	if m.level == text.Char || len(dst) == 0 || m.level == text.Sentence && dst[len(dst)-1] == '\n' {
		return dst
	}
	return append(dst, ' ')
}

// Losses returns the cost of each token in nats: the terms of Score's sum.
func (m *Model) Losses(ctx context.Context, history, tokens []int32) ([]float32, error) {
	return m.lossesTold(ctx, history, tokens, func(float64) {})
}

// lossesTold is Losses, and calls on with the fraction of the tokens that is scored.
func (m *Model) lossesTold(ctx context.Context, history, tokens []int32, on func(fraction float64)) ([]float32, error) {
	losses := make([]float32, len(tokens))
	if m.rnn != nil {
		s, err := m.scorer(history, tokens)
		if err != nil {
			return nil, err
		}
		s.Told = func(n int) { on(float64(n) / float64(len(tokens))) }
		return losses, s.Losses(ctx, losses)
	}
	s := m.ngramAfter(history)
	for i, w := range tokens {
		if i%(1<<16) == 0 {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			on(float64(i) / float64(len(tokens)))
		}
		losses[i] = float32(m.next(s, w))
	}
	return losses, nil
}

// ngramAfter returns a scorer of the text after history.
func (m *Model) ngramAfter(history []int32) *ngram.Scorer {
	s := m.ngram.NewScorer()
	if m.level == text.Sentence || len(history) == 0 {
		m.begin(s)
	} else {
		s.ResetTo(history...)
	}
	return s
}
