package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/lm"
)

// TestTrainGoesOn: by its flags a training says what its steps are, another goes on from
// its model, and a larger number of epochs goes on from a checkpoint.
func TestTrainGoesOn(t *testing.T) {
	dir, text := t.TempDir(), writeText(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	train := func(out string, more ...string) (trainResult, string) {
		t.Helper()
		args := append([]string{"train", "--corpus", text, "--threads", "1", "--out", at(out)}, more...)
		status, stdout, stderr := runArgs("", args...)
		if status != 0 {
			t.Fatalf("%q: exit status %d\n%s", more, status, stderr)
		}
		status, asJSON, stderr := runArgs("", append(args, "--json")...)
		if status != 0 {
			t.Fatalf("%q: exit status %d\n%s", more, status, stderr)
		}
		var r trainResult
		decodeStrictly(t, asJSON, &r)
		return r, stdout
	}
	r, printed := train("a.lm", "--cell", "gru", "--hidden", "8", "--epochs", "3", "--rate", "0.02", "--batch", "4", "--steps", "10", "--clip", "0", "--optimizer", "adagrad")
	if want := "steps    adagrad, rate 0.02, batch 4, 10 steps back, no clipping\n"; !strings.Contains(printed, want) {
		t.Errorf("no %q in\n%s", want, printed)
	}
	if c := r.Model; c.Rate != 0.02 || c.Batch != 4 || c.Steps != 10 || c.Clip != 0 || c.Optimizer != "adagrad" || r.Diverged || r.Extended {
		t.Errorf("trained: %+v", r)
	}
	before := r.Model.TrainTokens
	r, printed = train("b.lm", "--init", at("a.lm"), "--epochs", "2")
	if !strings.Contains(printed, "steps    adam, ") || r.Model.Cell != "gru" || r.Model.Hidden != 8 || r.Model.TokensBefore != before || r.Model.Optimizer != "adam" {
		t.Errorf("went on as %+v\n%s", r.Model, printed)
	}
	first, err := os.ReadFile(at("b.lm"))
	if err != nil {
		t.Fatal(err)
	}
	train("c.lm", "--init", at("a.lm"), "--epochs", "2")
	if second, err := os.ReadFile(at("c.lm")); err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same command gave another file: %v", err)
	}
	for flag, args := range map[string][]string{
		"--hidden: the model of --init has 8": {"--hidden", "9"},
		"--cell: the model of --init has gru": {"--cell", "lstm"},
		"--level: the model of --init has":    {"--level", "word"},
		"--vocab: the model of --init has":    {"--vocab", "9"},
	} {
		status, _, stderr := runArgs("", append([]string{"train", "--corpus", text, "--out", at("d.lm"), "--init", at("a.lm")}, args...)...)
		if status != exitMisuse || !strings.HasPrefix(stderr, "rnnbench: "+flag) {
			t.Errorf("%q: exit status %d, %s", args, status, stderr)
		}
	}
}

// TestNotesOfTraining: a training that diverged, has a larger budget than its
// checkpoint, or has seen its test text, says so.
func TestNotesOfTraining(t *testing.T) {
	for _, test := range []struct {
		trained lm.Trained
		want    string
	}{
		{lm.Trained{Diverged: true}, "the training diverged and ended there"},
		{lm.Trained{Extended: true}, "a checkpoint was of a smaller budget; from there the learning rate"},
		{lm.Trained{Extended: true, Model: lm.Config{Halve: true}}, "a checkpoint was of a smaller budget\n"},
		{lm.Trained{Seen: true}, "trained on some of the test text"},
		{lm.Trained{}, ""},
	} {
		var out bytes.Buffer
		if err := printTrained(&out, trainResult{Trained: test.trained}, "m.lm", 1); err != nil {
			t.Fatal(err)
		}
		if notes := strings.Count(out.String(), "note "); !strings.Contains(out.String(), test.want) || (notes > 0) != (test.want != "") {
			t.Errorf("%+v:\n%s", test.trained, out.String())
		}
	}
}

// TestRestrictedSample: the flags reach the sampler, and stand in the JSON.
func TestRestrictedSample(t *testing.T) {
	text, model := writeText(t), filepath.Join(t.TempDir(), "m.lm")
	if status, _, stderr := runArgs("", "train", "--corpus", text, "--kind", "ngram", "--order", "1", "--out", model); status != 0 {
		t.Fatal(stderr)
	}
	sample := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := runArgs("", append([]string{"sample", model, "--length", "50", "--temperature", "5"}, args...)...)
		if status != 0 {
			t.Fatalf("%q: exit status %d\n%s", args, status, stderr)
		}
		return stdout
	}
	distinct := func(s string) int {
		seen := map[rune]bool{}
		for _, c := range strings.TrimSuffix(s, "\n") {
			seen[c] = true
		}
		return len(seen)
	}
	if n := distinct(sample()); n < 10 {
		t.Fatalf("%d characters drawn of all", n)
	}
	if n := distinct(sample("--top-k", "3")); n != 3 {
		t.Errorf("%d characters drawn of the top 3", n)
	}
	if n := distinct(sample("--top-p", "0.01")); n != 1 {
		t.Errorf("%d characters drawn of the top 1 %%", n)
	}
	if got := sample("--top-k", "3", "--top-p", "0.5", "--json"); !strings.Contains(got, `"top_k": 3`) || !strings.Contains(got, `"top_p": 0.5`) {
		t.Errorf("JSON %s", got)
	}
}
