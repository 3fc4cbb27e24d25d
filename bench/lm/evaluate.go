package lm

import (
	"context"
	"io"
	"slices"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
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
	Format   int    `json:"format"` // jsonFormat
	Model    Config `json:"model"`
	Bytes    int64  `json:"bytes"` // of the model
	Corpus   string `json:"corpus"`
	SHA256   string `json:"sha256"`
	Split    string `json:"split"`
	BadBytes int    `json:"bad_bytes"` // of the whole text; each is taken as U+FFFD

	LeftOut      int    `json:"left_out"`       // files of the corpus folders that were not read
	FirstLeftOut string `json:"first_left_out"` // the path of the first, "" if there is none

	Costs // of the split

	Seconds         float64 `json:"seconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`

	// Seen is true if the model was trained on some of the scored text.
	Seen bool `json:"seen_in_training"`
}

// CheckEvaluation returns an [option.Error] if [Evaluate] could not take its arguments,
// as far as that can be told without the text and the model.
func CheckEvaluation(corpus text.Input, split string) error {
	switch {
	case !slices.Contains(splits, split):
		return option.Misuse("Split", "%q is no part of a text: give auto, all, train, valid or test", split)
	case len(corpus.Paths) == 0:
		return option.Misuse("Corpus", "there is no text to score: give a file, a folder of text files, or - for standard input")
	}
	return nil
}

// Evaluate scores a split of a text. It calls on with the progress.
func Evaluate(ctx context.Context, m *Model, corpus text.Input, split string, stdin io.Reader, on func(Progress)) (Evaluation, error) {
	if err := CheckEvaluation(corpus, split); err != nil {
		return Evaluation{}, err
	}
	on(Progress{Work: workReading, Fraction: Unknown})
	source, err := ReadText(corpus, m.Config.Seed, stdin)
	if err != nil {
		return Evaluation{}, err
	}
	if err := m.level.CheckMarks(source.Data, 1); err != nil {
		return Evaluation{}, option.Failure("Corpus", "%q, %w", source.Name, err)
	}
	trainedOn := source.SHA256 == m.Config.SHA256
	var uncut text.Uncut
	if trainedOn {
		uncut = text.Uncut{Valid: m.Config.UncutValid, Test: m.Config.UncutTest}
	}
	if split == SplitAuto {
		if split = SplitAll; trainedOn && !uncut.Test {
			split = SplitTest
		}
	}
	on(Progress{Work: workEncoding, Fraction: Unknown})
	ids := m.Vocab.Encode(nil, m.level, source.Data)
	train, valid, test := m.Vocab.Split(m.level, ids, uncut)
	var history []int32
	switch split {
	case SplitTrain:
		ids = train
	case SplitValid:
		history, ids = train, valid
	case SplitTest:
		history, ids = ids[:len(train)+len(valid)], test
	}
	switch {
	case len(ids) == 0 && (split == SplitValid && uncut.Valid || split == SplitTest && uncut.Test):
		return Evaluation{}, option.Failure("Split", "the model has learned from all of %q, and nothing was held out as %s: give another text, or %v all", source.Name, split, option.Field("Split"))
	case len(ids) == 0:
		return Evaluation{}, option.Failure("Corpus", "%q has no token in split %s: give a longer text, or %v all", source.Name, split, option.Field("Split"))
	}
	need := lossBytes*int64(len(ids)) + unkBytes*int64(countUnk(history)+countUnk(ids))
	if free := memory.Free(); need > free {
		return Evaluation{}, option.Failure("Corpus", "to score %q takes %s, and %s of memory are free: give a part of it", source.Name, figures.Bytes(need), figures.Bytes(free))
	}
	start := time.Now()
	losses, err := m.lossesTold(ctx, history, ids, Progress{}.part(workScoring, on))
	if err != nil {
		return Evaluation{}, err
	}
	e := Evaluation{
		Format: jsonFormat, Model: m.Config, Bytes: m.Bytes(),
		Corpus: source.Name, SHA256: source.SHA256, Split: split, BadBytes: source.BadBytes, LeftOut: source.LeftOut, FirstLeftOut: source.FirstLeftOut,
		Seconds: time.Since(start).Seconds(),
		Seen:    (trainedOn || m.Config.before(source.SHA256)) && (split == SplitAll || split == SplitTrain),
	}
	on(Progress{Work: workSpelling, Fraction: Unknown})
	unknown := m.Vocab.Unknown(m.level, source.Data)[countUnk(history):][:countUnk(ids)]
	tally(&e.Costs, m, ids, losses, unknown)
	if e.Seconds > 0 {
		e.TokensPerSecond = float64(e.Tokens) / e.Seconds
	}
	return e, nil
}

// Bytes of the cost of a token, and of an unknown one in a growing slice of strings.
const (
	lossBytes = 4
	unkBytes  = 48
)

func countUnk(ids []int32) (n int) {
	for _, id := range ids {
		if id == text.Unk {
			n++
		}
	}
	return n
}
