package lm

import (
	"math"
	"slices"
	"strings"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
	"batchrnn/kernels"
)

// openInit reads the RNN that a training goes on from. It returns an [option.Error] if
// an option contradicts the model.
func (o TrainOptions) openInit(e *kernels.Engine) (*Model, error) {
	m, err := Open(*o.Init, e)
	if err != nil {
		return nil, option.Failure("Init", "%w: give a file of an RNN that was trained here", err)
	}
	c := m.Config
	if c.Kind != RNN {
		return nil, option.Misuse("Init", "%q is an n-gram model, which can't be trained further: give an RNN", *o.Init)
	}
	if c.Int8 {
		return nil, option.Misuse("Init", "%q has weights of int8, which can't be trained further: give the model that it was made of", *o.Init)
	}
	for _, v := range m.rnn.Slab {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return nil, option.Failure("Init", "%q has parameters that are not finite, and can't be trained further: give another model", *o.Init)
		}
	}
	network := m.rnn.Config
	adaptive := c.Softmax == rnnlm.AdaptiveSoftmax
	for _, of := range []struct {
		name   string
		agrees bool
		have   any // of the model
	}{
		{"Level", o.AnyLevel || o.Level == m.level, c.Level},
		{"Vocab", value(o.Vocab, c.Vocab) == c.Vocab, c.Vocab},
		{"MinCount", o.MinCount == nil, "a vocabulary of its own"},
		{"Cell", value(o.Cell, network.Cell) == network.Cell, network.Cell},
		{"Hidden", value(o.Hidden, c.Hidden) == c.Hidden, c.Hidden},
		{"Layers", value(o.Layers, network.Layers) == network.Layers, network.Layers},
		{"Embedding", value(o.Embedding, c.Embedding) == c.Embedding, c.Embedding},
		{"Tied", !o.Tied || c.Tied, "weights that are not tied"},
		{"FullSoftmax", !o.FullSoftmax || !adaptive, "an adaptive softmax"},
	} {
		if !of.agrees {
			return nil, option.Misuse(of.name, "the model of %v has %v: leave it out, or train from the start", option.Field("Init"), of.have)
		}
	}
	return m, nil
}

// knowsAny reports whether any of the tokens is known, beside the ends of sentences.
func (m *Model) knowsAny(tokens []int32) bool {
	return slices.ContainsFunc(tokens, func(id int32) bool { return id != text.Unk && !m.ends(id) })
}

// before reports whether the model was trained on the text of that checksum before its
// last training.
func (c Config) before(sha256 string) bool {
	return slices.Contains(strings.Split(c.Before, ","), sha256)
}

// mostBefore is how many texts Config.Before lists, the last ones.
const mostBefore = 400

// goneOn adds to the configuration of a model what it went on from. What a text's
// trainings before did not hold out isn't held out now. Of the text of a training before
// the last one that isn't known, and then nothing is.
func (c *Config) goneOn(from Config) {
	again := from.before(c.SHA256)
	same := from.SHA256 == c.SHA256
	c.UncutValid = c.UncutValid || again || same && from.UncutValid
	c.UncutTest = c.UncutTest || again || same && from.UncutTest
	c.TokensBefore = from.TokensBefore + from.TrainTokens
	var texts []string
	if from.Before != "" {
		texts = strings.Split(from.Before, ",")
	}
	if from.SHA256 != c.SHA256 && !slices.Contains(texts, from.SHA256) {
		texts = append(texts, from.SHA256)
	}
	c.Before = strings.Join(texts[max(0, len(texts)-mostBefore):], ",")
}
