package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/study"
	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

func TestParseSmoothing(t *testing.T) {
	for _, want := range []ngram.Smoothing{ngram.KneserNey, ngram.Absolute} {
		if got, err := parseSmoothing(want.String()); err != nil || got != want {
			t.Errorf("parseSmoothing(%q) = %v, error %v", want, got, err)
		}
	}
	for _, s := range []string{"", "Kneser-Ney", "good-turing"} {
		if _, err := parseSmoothing(s); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "--smoothing: ") || !strings.Contains(err.Error(), "choose kneser-ney or absolute") {
			t.Errorf("parseSmoothing(%q): error %v", s, err)
		}
	}
}

func TestParseWidths(t *testing.T) {
	for s, want := range map[string][]int{"128,256": {128, 256}, " 8, 16 ": {8, 16}, "-5": {-5}, "": nil, " ": nil} {
		if got, err := parseWidths(s); err != nil || !slices.Equal(got, want) {
			t.Errorf("parseWidths(%q) = %v, error %v", s, got, err)
		}
	}
	for _, s := range []string{"8,,16", "8,", "a", "1.5", "99999999999999999999"} {
		if _, err := parseWidths(s); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "--hidden: ") {
			t.Errorf("parseWidths(%q): error %v", s, err)
		}
	}
}

func TestReportCommandLine(t *testing.T) {
	budget := 150 * time.Millisecond
	o := study.Options{Corpus: text.Input{Paths: []string{"it's a book.txt", "a,b"}, Force: true}, Levels: []text.Level{text.Char, text.Word}, MaxOrder: 2, Cells: []rnn.CellKind{rnn.Vanilla, rnn.GRU}, Hidden: []int{6, 8}, Budget: &budget, Threads: 1, Seed: 1}
	two := 2
	o.MinCount = &two
	want := `rnnbench report --corpus 'it'\''s a book.txt' --corpus a,b --force-text --level char,word --min-count 2 --max-order 2 --cell rnn,gru --hidden 6,8 --budget 150ms --threads 1 --seed 1 --out out`
	if got := reportCommandLine(o, "out"); got != want {
		t.Errorf("command %s\n   want %s", got, want)
	}
}

func TestMessageNamesFlags(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{option.Misuse("MaxOrder", "no"), "--max-order: no"},
		{option.Failure("JSON", "no"), "--json: no"},
		{option.Misuse("Hidden and Batch", "no"), "--hidden and --batch: no"},
		{option.Misuse("--out", "no"), "--out: no"},
		{option.Misuse("Epochs", "no %v and %v %s", option.Field("MaxOrder"), option.Field("Kind"), "Kind"), "--epochs: no --max-order and --kind Kind"},
		{fmt.Errorf("wrapped: %w", option.Failure("CSV", "%w of %v", errors.New("no"), option.Field("JSON"))), "--csv: no of --json"},
		{option.Misuse(kernels.EnvISA, "no"), kernels.EnvISA + ": no"},
		{option.Misuse(modelArgument, "no"), "MODEL: no"},
		{errors.Join(errors.New("first"), option.Failure("CSV", "no")), "first; --csv: no"},
	} {
		if got := message(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}
