package lm

import (
	"context"
	"errors"
	"fmt"
	"math"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/spell"
	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

// The two kinds of [Model].
const (
	Ngram = "ngram"
	RNN   = "rnn"
)

// Config says what a model is and where it comes from. Its JSON form is part of
// a model's file.
type Config struct {
	Kind  string `json:"kind"`  // Ngram or RNN
	Level string `json:"level"` // "char" or "word"
	Vocab int    `json:"vocab"` // <unk> included
	// Spelling says that the file has a section about the words that are <unk>.
	Spelling bool `json:"spelling,omitempty"`
	Order    int  `json:"order,omitempty"`
	Hidden   int  `json:"hidden,omitempty"`
	Layers   int  `json:"layers,omitempty"` // of an RNN, where there are more than one

	// Of an RNN, as its network has it.
	Softmax string `json:"softmax,omitempty"` // "full" or "adaptive"
	Tied    bool   `json:"tied,omitempty"`    // one matrix for input and output
	// Of an RNN's training, see rnnlm.Options.
	Dropout float64 `json:"dropout,omitempty"`
	Halve   bool    `json:"halve,omitempty"`

	// What it was trained on and how, for the record.
	Corpus        string  `json:"corpus"`
	SHA256        string  `json:"sha256"`
	Seed          uint64  `json:"seed"`
	TrainSeconds  float64 `json:"train_seconds"` // 0 where BudgetTokens is set
	TrainTokens   int64   `json:"train_tokens"`  // repeats counted
	ValidBits     float64 `json:"valid_bits_per_token"`
	BudgetSeconds float64 `json:"budget_seconds,omitempty"`
	BudgetTokens  int64   `json:"budget_tokens,omitempty"`
	Interrupted   bool    `json:"interrupted,omitempty"` // its training was stopped early
}

// Name is what to call the model: "5-gram", "RNN 256" or of several layers "RNN 2×256".
func (c Config) Name() string {
	if c.Kind == RNN {
		if c.Layers > 1 {
			return fmt.Sprintf("RNN %d×%d", c.Layers, c.Hidden)
		}
		return fmt.Sprintf("RNN %d", c.Hidden)
	}
	return fmt.Sprintf("%d-gram", c.Order)
}

// Description is Name, with what is not plain in the output layer and the training.
func (c Config) Description() string {
	name := c.Name()
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

// Model is a language model with its vocabulary. It is immutable, but for
// ReadSafetensors: any number of streams and samplers may use it at once.
type Model struct {
	Config Config
	Vocab  *text.Vocab
	level  text.Level
	ngram  *ngram.Model // one of the two is nil
	rnn    *rnn.Model

	// Speller tells how tokens are written that are <unk>. It is nil for words in
	// files that say nothing of them.
	Speller *spell.Speller
}

// NewNgram returns m as a language model of the tokens of c, with what config
// says of its training.
func NewNgram(m *ngram.Model, c *text.Corpus, config Config) *Model {
	config.Kind, config.Order = Ngram, m.Order()
	return newModel(&Model{Config: config, ngram: m}, c)
}

// NewRNN is [NewNgram] for a network.
func NewRNN(m *rnn.Model, c *text.Corpus, config Config) *Model {
	config.Kind, config.Hidden = RNN, m.Hidden
	config.setNetwork(m.Config)
	return newModel(&Model{Config: config, rnn: m}, c)
}

// setNetwork takes over what the network itself tells.
func (c *Config) setNetwork(network rnn.Config) {
	c.Softmax, c.Tied, c.Layers = rnnlm.SoftmaxOf(network), network.Tied, 0
	if network.Layers > 1 {
		c.Layers = network.Layers
	}
}

func newModel(m *Model, c *text.Corpus) *Model {
	m.Vocab, m.level = c.Vocab, c.Level
	m.Config.Level, m.Config.Vocab = c.Level.String(), c.Vocab.Len()
	m.Config.Corpus, m.Config.SHA256 = c.Name, c.SHA256
	return m
}

// WithSpeller gives the model a speller, before anybody uses it.
func (m *Model) WithSpeller(s *spell.Speller) *Model {
	m.Speller, m.Config.Spelling = s, s.HasWords()
	return m
}

// Network returns the recurrent network, or nil where the model is of n-grams. Change it
// only before the first stream or sampler.
func (m *Model) Network() *rnn.Model { return m.rnn }

// Level says what a token of the model is.
func (m *Model) Level() text.Level { return m.level }

// Bytes is what the model weighs in memory, by its size function; the vocabulary
// is left out, as it is the same for every model.
func (m *Model) Bytes() int64 {
	if m.rnn != nil {
		return m.rnn.Bytes(m.rnn.Engine())
	}
	return m.ngram.Bytes()
}

// start is what a text is preceded by, where that has to be something.
func (m *Model) start() int32 {
	if m.level == text.Char {
		return m.Vocab.ID("\n") // Unk where no text had a line end
	}
	return text.Unk
}

// errNotFinite is what a network gives whose training went astray.
var errNotFinite = errors.New("the model's scores are not finite: it has diverged in training, train it again")

// Score returns the cost in nats of tokens, which follow history, of one long
// text. An RNN reads it at several places at once, as in training. It is an
// error if ctx ends first. There is at least one token.
func (m *Model) Score(ctx context.Context, history, tokens []int32) (nats float64, err error) {
	if m.rnn != nil {
		if len(history) == 0 {
			history = []int32{m.start()}
		}
		s, err := rnnlm.NewScorer(m.rnn, history, tokens)
		if err != nil {
			return 0, err
		}
		return s.Score(ctx)
	}
	s := m.ngramAfter(history)
	for i, w := range tokens {
		if i%(1<<16) == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		nats += s.Score(w)
	}
	return nats, nil
}

// A Stream scores short texts, one after the other, each from the start. It
// allocates nothing while it does. One goroutine may use it at a time.
type Stream struct {
	model *Model
	ngram *ngram.Scorer
	rnn   *rnnStream
}

// NewStream returns a stream.
func (m *Model) NewStream() *Stream {
	if m.rnn != nil {
		return &Stream{model: m, rnn: newRNNStream(m.rnn)}
	}
	return &Stream{model: m, ngram: m.ngram.NewScorer()}
}

// Score returns the cost of a text by itself, in nats: 0 of an empty one. It is
// an error if the model's parameters give no number.
func (s *Stream) Score(tokens []int32) (nats float64, err error) {
	if s.rnn != nil {
		nats = s.rnn.score(s.model.start(), tokens)
		if math.IsNaN(nats) || math.IsInf(nats, 0) {
			return 0, errNotFinite
		}
		return nats, nil
	}
	s.ngram.Reset()
	if s.model.level == text.Char {
		s.ngram.Score(s.model.start())
	}
	for _, w := range tokens {
		nats += s.ngram.Score(w)
	}
	return nats, nil
}

// AppendText appends a token to dst, a text that is written out: words have a space
// between them.
func (m *Model) AppendText(dst []byte, id int32) []byte {
	if m.level == text.Word && len(dst) > 0 {
		dst = append(dst, ' ')
	}
	return append(dst, m.Vocab.Token(id)...)
}

// Losses returns what each of tokens costs in nats: the terms of Score's sum.
func (m *Model) Losses(ctx context.Context, history, tokens []int32) ([]float32, error) {
	losses := make([]float32, len(tokens))
	if m.rnn != nil {
		if len(history) == 0 {
			history = []int32{m.start()}
		}
		s, err := rnnlm.NewScorer(m.rnn, history, tokens)
		if err != nil {
			return nil, err
		}
		return losses, s.Losses(ctx, losses)
	}
	s := m.ngramAfter(history)
	for i, w := range tokens {
		if i%(1<<16) == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		losses[i] = float32(s.Score(w))
	}
	return losses, nil
}

// ngramAfter returns a scorer of the text after history.
func (m *Model) ngramAfter(history []int32) *ngram.Scorer {
	s := m.ngram.NewScorer()
	if len(history) == 0 && m.level == text.Char {
		history = []int32{m.start()}
	}
	s.ResetTo(history...)
	return s
}
