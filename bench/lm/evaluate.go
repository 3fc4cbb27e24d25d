package lm

import (
	"context"
	"io"
	"slices"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
)

// The parts of a text that [Evaluate] can score.
const (
	SplitAuto  = "auto" // the test split of the text that the model was trained on; all of any other text
	SplitAll   = "all"
	SplitTrain = "train"
	SplitValid = "valid"
	SplitTest  = "test"
)

var splits = []string{SplitAuto, SplitAll, SplitTrain, SplitValid, SplitTest}

// An Evaluation says how well a model predicts a text.
type Evaluation struct {
	Model    Config  `json:"model"`
	Bytes    int64   `json:"bytes"`
	Corpus   string  `json:"corpus"`
	SHA256   string  `json:"sha256"`
	Split    string  `json:"split"`
	Tokens   int     `json:"tokens"`
	UnkRate  float64 `json:"unk_rate"`
	BadBytes int     `json:"bad_bytes"` // of the whole text; each is taken as U+FFFD

	BitsPerToken float64 `json:"bits_per_token"`
	Perplexity   float64 `json:"perplexity"`
	// AdjustedBits and Adjusted are the costs with every <unk> spelled. They are 0 if
	// AdjustedUnknown: the model's file has no speller.
	AdjustedBits    float64 `json:"adjusted_bits_per_token"`
	Adjusted        float64 `json:"adjusted_perplexity"`
	AdjustedUnknown bool    `json:"adjusted_unknown"`

	Seconds         float64 `json:"seconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`

	// Seen is true if the model was trained on some of the scored text.
	Seen bool `json:"seen_in_training"`
}

// Evaluate scores a split of the text at path, which has the values of
// [TextOptions.Corpus].
func Evaluate(ctx context.Context, m *Model, path, split string, stdin io.Reader) (Evaluation, error) {
	if !slices.Contains(splits, split) {
		return Evaluation{}, option.Misuse("Split", "%q is no part of a text: give auto, all, train, valid or test", split)
	}
	source, err := ReadText(path, m.Config.Seed, stdin)
	if err != nil {
		return Evaluation{}, err
	}
	trainedOn := source.SHA256 == m.Config.SHA256
	if split == SplitAuto {
		if split = SplitAll; trainedOn {
			split = SplitTest
		}
	}
	ids := m.Vocab.Encode(nil, m.Level(), source.Data)
	train, valid, test := text.Split(ids)
	var history []int32
	switch split {
	case SplitTrain:
		ids = train
	case SplitValid:
		history, ids = train, valid
	case SplitTest:
		history, ids = ids[:len(train)+len(valid)], test
	}
	if len(ids) == 0 {
		return Evaluation{}, option.Failure("Corpus", "%q has no token in split %s: give a longer text, or %v all", source.Name, split, option.Field("Split"))
	}
	start := time.Now()
	nats, err := m.Score(ctx, history, ids)
	if err != nil {
		return Evaluation{}, err
	}
	e := Evaluation{
		Model: m.Config, Bytes: m.Bytes(),
		Corpus: source.Name, SHA256: source.SHA256, Split: split, BadBytes: source.BadBytes,
		Tokens: len(ids), UnkRate: float64(countUnk(ids)) / float64(len(ids)),
		BitsPerToken: Bits(nats, len(ids)),
		Seconds:      time.Since(start).Seconds(),
		Seen:         (trainedOn || m.Config.before(source.SHA256)) && (split == SplitAll || split == SplitTrain),
	}
	e.Perplexity = Perplexity(e.BitsPerToken)
	e.AdjustedUnknown = m.Speller == nil
	if m.Speller != nil {
		unknown := m.Vocab.Unknown(m.Level(), source.Data)[countUnk(history):][:countUnk(ids)]
		e.AdjustedBits = Bits(nats+m.Speller.Total(unknown), len(ids))
		e.Adjusted = Perplexity(e.AdjustedBits)
	}
	if e.Seconds > 0 {
		e.TokensPerSecond = float64(e.Tokens) / e.Seconds
	}
	return e, nil
}

func countUnk(ids []int32) (n int) {
	for _, id := range ids {
		if id == text.Unk {
			n++
		}
	}
	return n
}
