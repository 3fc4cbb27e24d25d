package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

const (
	hidden      = 96
	trainTokens = 2_000_000
)

// load reads the model of a file, or trains one if there is no path.
func load(ctx context.Context, e *kernels.Engine, path string) (*lm.Model, error) {
	if path == "" {
		return train(ctx, e, text.Default(1), hidden, trainTokens)
	}
	m, err := lm.Open(path, e)
	if err != nil {
		return nil, err
	}
	if m.Network() == nil {
		return nil, fmt.Errorf("model %q: is a %s model without states: train one with --cell gru", path, m.Config.Name())
	}
	return m, nil
}

// train trains a model of characters on a number of tokens.
func train(ctx context.Context, e *kernels.Engine, source *text.Text, hidden int, tokens int64) (*lm.Model, error) {
	c, err := text.Build(source, text.Options{Level: text.Char, MinCount: lm.DefaultMinCount})
	if err != nil {
		return nil, err
	}
	o := lm.NetworkOptions(c, rnn.GRU, hidden)
	o.Tokens, o.Seed = tokens, 1
	network, stats, err := rnnlm.Train(ctx, e, c, o, func(rnnlm.Progress) {})
	if err != nil {
		return nil, err
	}
	return lm.NewRNN(network, c, lm.TrainedConfig(o, stats)), nil
}

// shape names what a state belongs to: the network's shape and the vocabulary. The
// parameters may differ, as after a reload, and may be int8.
func shape(m *lm.Model) string {
	n, c := m.Network(), m.Config
	c.Int8 = false
	name := fmt.Sprintf("%s of %d %s tokens", c.Name(), m.Vocab.Len(), m.Level())
	if n.Projection > 0 {
		name += fmt.Sprintf(", projection %d", n.Projection)
	}
	vocab := sha256.Sum256(m.Vocab.Append(nil))
	return fmt.Sprintf("%s, vocabulary %x", name, vocab[:6])
}

// ends reports whether a sentence ends with a token.
func ends(m *lm.Model, id int32) bool {
	marks, ok := m.Vocab.Marks()
	return ok && m.Level() == text.Sentence && id == marks.End
}

// encodePrompt returns the tokens of a prompt. The last sentence of a prompt goes on,
// unless it has a line end.
func encodePrompt(m *lm.Model, prompt string) ([]int32, error) {
	if err := m.Level().CheckMarks([]byte(prompt), 1); err != nil {
		return nil, badRequest("prompt: %v", err)
	}
	ids := m.Vocab.Encode(nil, m.Level(), []byte(prompt))
	if n := len(ids); n > 0 && ends(m, ids[n-1]) && !strings.HasSuffix(prompt, "\n") {
		ids = ids[:n-1]
	}
	return ids, nil
}

// unknown returns the number of tokens that are <unk>.
func unknown(ids []int32) (n int) {
	for _, id := range ids {
		if id == text.Unk {
			n++
		}
	}
	return n
}
