package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm"
)

// trainModels trains a small model of each kind and level, and returns their
// files.
func trainModels(t *testing.T, text string) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"--kind", "rnn", "--hidden", "8", "--budget", "200ms"},
		{"--hidden", "8", "--budget", "200ms", "--tied", "--dropout", "0.2", "--halve", "--patience", "3"},
		{"--cell", "gru", "--hidden", "8", "--budget", "200ms"},
		{"--cell", "gru", "--hidden", "8", "--embedding", "8", "--tied", "--dropout", "0.2", "--halve", "--budget", "200ms"},
		{"--kind", "ngram", "--order", "3"},
		{"--kind", "rnn", "--level", "word", "--hidden", "8", "--budget", "200ms"},
		{"--kind", "ngram", "--level", "word", "--vocab", "9", "--min-count", "2", "--order", "2"},
	} {
		file := filepath.Join(dir, strings.Join(args, "")+".lm")
		status, stdout, stderr := runArgs("", append([]string{"train", "--corpus", text, "--threads", "1", "--out", file}, args...)...)
		if status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, stderr)
		}
		for _, want := range []string{"SHA-256", "model    ", "test     ", "perplexity", "saved    " + file} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%v: no %q in\n%s", args, want, stdout)
			}
		}
		files = append(files, file)
	}
	return files
}

func TestModelsFromEndToEnd(t *testing.T) {
	text := writeText(t)
	for _, file := range trainModels(t, text) {
		name := map[bool]string{true: "GRU 8", false: ""}[strings.Contains(file, "gru")] // what names the model
		status, stdout, stderr := runArgs("", "eval", file, "--corpus", text)
		if status != 0 || !strings.Contains(stdout, "split test: ") || !strings.Contains(stdout, "adjusted    ") || !strings.Contains(stdout, "perplexity") || !strings.Contains(stdout, "model       "+name) {
			t.Errorf("eval: exit status %d\n%s%s", status, stdout, stderr)
		}
		status, stdout, stderr = runArgs("the quick brown \xff\xfe fox", "eval", file, "--corpus", "-", "--json")
		var e lm.Evaluation
		decodeStrictly(t, stdout, &e)
		if status != 0 || e.Split != "all" || e.BadBytes != 2 || !(e.BitsPerToken > 0) || !(e.Perplexity > 1) || !(e.UnkRate > 0) || !(e.Adjusted > e.Perplexity) {
			t.Errorf("eval of standard input: exit status %d, %+v\n%s", status, e, stderr)
		}

		sample := func(args ...string) string {
			t.Helper()
			status, stdout, stderr := runArgs("", append([]string{"sample", file, "--prompt", "The dog", "--length", "20"}, args...)...)
			if status != 0 {
				t.Errorf("sample: exit status %d\n%s", status, stderr)
			}
			return stdout
		}
		if e.Model.Cell != map[string]string{"rnn": "rnn", "ngram": ""}[e.Model.Kind] && (name == "" || e.Model.Cell != "gru") {
			t.Errorf("%s: the cell is %q", e.Model.Name(), e.Model.Cell)
		}
		first := sample()
		if !strings.HasPrefix(first, "The dog") || len(first) <= len("The dog")+20 || strings.Contains(first, "<unk>") {
			t.Errorf("sample: %q", first)
		}
		if sample() != first || sample("--seed", "2", "--temperature", "2") == first {
			t.Error("one seed draws two texts, or two seeds one")
		}
		words := e.Model.Level == "word"
		if want := words && e.Model.Kind == "rnn" || e.Model.Tied; e.Model.Halve != want || (e.Model.Dropout > 0) != want {
			t.Errorf("trained with %+v", e.Model)
		}
		status, stdout, stderr = runArgs("", "sample", file, "--spell", "--length", "20")
		if spelled := status == 0 && len(strings.Fields(stdout)) == 20; spelled != words || !spelled && (status != 2 || !strings.Contains(stderr, "--spell")) {
			t.Errorf("sample --spell: exit status %d\n%s%s", status, stdout, stderr)
		}
		var s lm.Sample
		decodeStrictly(t, sample("--json"), &s)
		if s.Tokens != 20 || s.Model.Cell != e.Model.Cell || s.Prompt+s.Text+"\n" != first {
			t.Errorf("sample as JSON: %+v, want the text %q", s, first)
		}
	}
}

func TestScore(t *testing.T) {
	const lines = "the lazy dog\n\nzebra \xff\r\nthe lazy dog"
	for _, file := range trainModels(t, writeText(t)) {
		status, stdout, stderr := runArgs(lines, "score", file)
		got := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if status != 0 || len(got) != 4 || got[0] != got[3] || got[1] != "0.0000\t0\t0\t0.000" || strings.Count(got[0], "\t") != 3 {
			t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
		}
		text := joined(stderr)
		if !strings.HasPrefix(text, "total: 4 lines, ") || !strings.Contains(text, "; model ") {
			t.Errorf("standard error: %s", stderr)
		}
		status, stdout, stderr = runArgs(lines, "score", "--json", file)
		if joined(stderr) != text {
			t.Errorf("standard error with JSON: %s", stderr)
		}
		var total, sum lm.Score
		d := json.NewDecoder(strings.NewReader(stdout))
		for range 4 {
			var s lm.Score
			if err := d.Decode(&s); err != nil {
				t.Fatal(err)
			}
			sum.Lines++
			sum.Tokens += s.Tokens
			sum.Unk += s.Unk
			sum.Nats += s.Nats
		}
		if err := d.Decode(&total); err != nil || d.More() {
			t.Fatalf("error %v, or more after the total in\n%s", err, stdout)
		}
		if status != 0 || total.Lines != 4 || total.Tokens != sum.Tokens || total.Unk != sum.Unk || sum.Unk == 0 || total.Nats != sum.Nats || total.Model == nil {
			t.Errorf("exit status %d, total %+v, sum %+v", status, total, sum)
		}
	}
}

func TestBadInputOfModels(t *testing.T) {
	text := writeText(t)
	dir := t.TempDir()
	model := filepath.Join(dir, "m.lm")
	if status, _, stderr := runArgs("", "train", "--corpus", text, "--kind", "ngram", "--out", model); status != 0 {
		t.Fatal(stderr)
	}
	whole, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	damaged := slices.Clone(whole)
	damaged[len(damaged)/2] ^= 1
	out := filepath.Join(dir, "out.lm")
	train := func(more ...string) []string {
		return append([]string{"train", "--corpus", text, "--out", out}, more...)
	}
	for _, test := range []struct {
		name   string
		status int
		want   string
		args   []string
	}{
		{"train without a file", 2, "--out", []string{"train", "--corpus", text}},
		{"file without a name", 2, "--out", []string{"train", "--corpus", text, "--out", ""}},
		{"file in a missing folder", 1, "--out", []string{"train", "--corpus", text, "--out", filepath.Join(dir, "no", "m.lm")}},
		{"file onto a folder", 1, "--out", []string{"train", "--corpus", text, "--out", dir}},
		{"file onto the corpus", 2, "--out", []string{"train", "--corpus", text, "--out", text}},
		{"corpus missing", 1, "--corpus", []string{"train", "--corpus", dir + "none", "--out", out}},
		{"standard input empty", 1, "--corpus", []string{"train", "--corpus", "-", "--out", out}},
		{"kind", 2, "--kind", train("--kind", "lstm")},
		{"level", 2, "--level", train("--level", "byte")},
		{"width of an n-gram model", 2, "--hidden: an n-gram model has no width: leave it out, or give --kind rnn", train("--kind", "ngram", "--hidden", "8")},
		{"budget of an n-gram model", 2, "--budget", train("--kind", "ngram", "--budget", "8s")},
		{"dropout of everything", 2, "--dropout", train("--dropout", "1")},
		{"dropout NaN", 2, "--dropout", train("--dropout", "NaN")},
		{"patience 0", 2, "all of --budget", train("--patience", "0")},
		{"cell", 2, "--cell", train("--cell", "elman")},
		{"cell without a name", 2, "--cell", train("--cell", "")},
		{"two cells", 2, "--cell", train("--cell", "rnn,gru")},
		{"cell of an n-gram model", 2, "--cell", train("--kind", "ngram", "--cell", "gru")},
		{"tied gates", 2, "--tied: the input weights of lstm cells serve several gates and can't be the output's: give --embedding 9 too", train("--cell", "lstm", "--tied", "--hidden", "9")},
		{"embedding of an n-gram model", 2, "--embedding: an n-gram model has no embedding", train("--kind", "ngram", "--embedding", "8")},
		{"embedding below 0", 2, "--embedding", train("--embedding", "-1")},
		{"a wide embedding", 2, "--embedding", train("--embedding", "100000")},
		{"tied to another embedding", 2, "--embedding: an embedding of width 8 can't be tied to an output that reads 9 states: give 9, or leave --tied out", train("--embedding", "8", "--tied", "--hidden", "9")},
		{"tied n-grams", 2, "--tied", train("--kind", "ngram", "--tied")},
		{"softmax of an n-gram model", 2, "--full-softmax", train("--kind", "ngram", "--full-softmax")},
		{"dropout of an n-gram model", 2, "--dropout", train("--kind", "ngram", "--dropout", "0.1")},
		{"rate of an n-gram model", 2, "--halve", train("--kind", "ngram", "--halve")},
		{"patience with an n-gram model", 2, "--patience", train("--kind", "ngram", "--patience", "2")},
		{"epochs of an n-gram model", 2, "--epochs", train("--kind", "ngram", "--epochs", "2")},
		{"epochs and budget", 2, "--epochs: --budget is given too", train("--epochs", "2", "--budget", "8s")},
		{"no epochs", 2, "--epochs", train("--epochs", "0")},
		{"epochs NaN", 2, "--epochs", train("--epochs", "NaN")},
		{"endless epochs", 2, "--epochs", train("--epochs", "1e30")},
		{"checkpoint of an n-gram model", 2, "--checkpoint", train("--kind", "ngram", "--checkpoint", filepath.Join(dir, "c"))},
		{"checkpoint without a name", 2, "--checkpoint", train("--checkpoint", "")},
		{"checkpoint onto the model", 2, "--checkpoint", train("--checkpoint", out)},
		{"checkpoint onto the corpus", 2, "--checkpoint", train("--checkpoint", text)},
		{"checkpoint onto a folder", 1, "--checkpoint", train("--checkpoint", dir)},
		{"checkpoints all the time", 2, "--every", train("--checkpoint", filepath.Join(dir, "c"), "--every", "0s")},
		{"checkpoints now and then of nothing", 2, "--every: there is no checkpoint to write: give --checkpoint too", train("--every", "2s")},
		{"init and n-grams", 2, "--init: an n-gram model is counted", train("--kind", "ngram", "--init", model)},
		{"init from n-grams", 2, "--init", train("--init", model)},
		{"init from a missing model", 1, "--init: model", train("--init", filepath.Join(dir, "none.lm"))},
		{"init without a name", 2, "--init", train("--init", "")},
		{"init from the model to be", 2, "--out: ", []string{"train", "--corpus", text, "--out", model, "--init", model}},
		{"rate 0", 2, "--rate", train("--rate", "0")},
		{"rate NaN", 2, "--rate", train("--rate", "NaN")},
		{"rate of SGD", 2, "--rate: sgd has no learning rate of its own: give one", train("--optimizer", "sgd")},
		{"batch 0", 2, "--batch", train("--batch", "0")},
		{"steps 0", 2, "--steps", train("--steps", "0")},
		{"huge steps", 2, "--batch and --steps", train("--batch", "65536", "--steps", "65536")},
		{"clip below 0", 2, "--clip", train("--clip", "-1")},
		{"optimizer", 2, "--optimizer", train("--optimizer", "lion")},
		{"optimizer of an n-gram model", 2, "--optimizer", train("--kind", "ngram", "--optimizer", "adam")},
		{"batch of an n-gram model", 2, "--batch", train("--kind", "ngram", "--batch", "3")},
		{"order of an RNN", 2, "--order: an RNN has no order: leave it out, or give --kind ngram", train("--order", "3")},
		{"order 0", 2, "--order", train("--kind", "ngram", "--order", "0")},
		{"order 10", 2, "--order", train("--kind", "ngram", "--order", "10")},
		{"width 0", 2, "--hidden", train("--hidden", "0")},
		{"budget 0", 2, "--budget", train("--budget", "0s")},
		{"no model", 2, "model", []string{"eval"}},
		{"model missing", 1, "none.lm", []string{"eval", filepath.Join(dir, "none.lm"), "--corpus", text}},
		{"model a folder", 1, "is a folder", []string{"sample", dir}},
		{"model empty", 1, "not a model file", []string{"sample", file("empty.lm", nil)}},
		{"model foreign", 1, "not a model file: give a file that rnnbench train has written", []string{"score", text}},
		{"model truncated", 1, "truncated", []string{"eval", file("half.lm", whole[:len(whole)/2]), "--corpus", text}},
		{"model damaged", 1, "damaged", []string{"eval", file("damaged.lm", damaged), "--corpus", text}},
		{"model too long", 1, "damaged", []string{"eval", file("long.lm", append(slices.Clone(whole), 'x')), "--corpus", text}},
		{"eval without text", 1, "--corpus", []string{"eval", model, "--corpus", "-"}},
		{"eval of an unknown split", 2, "--split", []string{"eval", model, "--corpus", text, "--split", "some"}},
		{"eval on no threads", 2, "--threads", []string{"eval", model, "--corpus", text, "--threads", "0"}},
		{"eval of a split without a token", 1, "--split all", []string{"eval", model, "--corpus", file("x.txt", []byte("short")), "--split", "test"}},
		{"length 0", 2, "--length", []string{"sample", model, "--length", "0"}},
		{"temperature", 2, "--temperature", []string{"sample", model, "--temperature", "-1"}},
		{"top 0", 2, "--top-k", []string{"sample", model, "--top-k", "0"}},
		{"top nothing", 2, "--top-p", []string{"sample", model, "--top-p", "0"}},
		{"top more than all", 2, "--top-p", []string{"sample", model, "--top-p", "1.5"}},
		{"top NaN", 2, "--top-p", []string{"sample", model, "--top-p", "NaN"}},
		{"temperature NaN", 2, "--temperature", []string{"sample", model, "--temperature", "NaN"}},
		{"nothing to score", 1, "standard input is empty", []string{"score", model}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != test.status {
			t.Errorf("%s: exit status %d, want %d", test.name, status, test.status)
		}
		if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "rnnbench: ") || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("%s: standard output %q, standard error %q, want one line that names %s", test.name, stdout, stderr, test.want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a model was written all the same")
	}

	long := strings.Repeat("x", 64<<20) + "\n"
	if status, _, stderr := runArgs("short\n"+long, "score", model); status != 1 || !strings.Contains(stderr, "line 2") {
		t.Errorf("a line too long: exit status %d, %.200s", status, stderr)
	}
	if status, _, stderr := runArgs(strings.Repeat("x", 1<<20), "score", model); status != 0 {
		t.Errorf("a line of a megabyte: exit status %d, %.200s", status, stderr)
	}
	for _, args := range [][]string{{"sample", model}, {"eval", model, "--corpus", text}, {"score", model}} {
		var stderr bytes.Buffer
		if status := run(args, strings.NewReader("a line"), brokenWriter{}, &stderr); status != 1 || !strings.Contains(stderr.String(), "standard output") {
			t.Errorf("%v into nothing: exit status %d, %s", args, status, stderr.String())
		}
	}
}

// A failed training leaves the model that was there.
func TestTrainReplacesAModelAsAWhole(t *testing.T) {
	text, file := writeText(t), filepath.Join(t.TempDir(), "m.lm")
	train := func(order, corpus string) int {
		status, _, _ := runArgs("", "train", "--corpus", corpus, "--kind", "ngram", "--order", order, "--out", file, "--json")
		return status
	}
	if status := train("2", text); status != 0 {
		t.Fatal("exit status", status)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if status := train("2", text+"none"); status != 1 {
		t.Error("exit status", status)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Error("a training that failed has changed the file", err)
	}
	if status := train("3", text); status != 0 {
		t.Error("exit status", status)
	}
	if after, err := os.ReadFile(file); err != nil || bytes.Equal(before, after) {
		t.Error("the file was not replaced", err)
	}
}

// The remedy for a model that doesn't fit is not another kind of file.
func TestOpenErrorOfMemory(t *testing.T) {
	err := openError(fmt.Errorf("model %q: %w", "m.lm", &lm.NoMemory{Bytes: 3 << 20, Free: 1 << 20}))
	if want := `model "m.lm": holds 3.0 MiB, and 1.0 MiB of memory are free: give a smaller model, or allow this process more`; err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
