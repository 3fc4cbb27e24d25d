package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/lm"
)

// sentenceModels trains an RNN and n-grams of sentences, and writes the n-grams as ARPA.
func sentenceModels(t *testing.T) (network, ngrams, arpa string) {
	t.Helper()
	dir := t.TempDir()
	corpus := filepath.Join(dir, "text.txt")
	if err := os.WriteFile(corpus, []byte(strings.Repeat("the quick fox jumps\nthe dog sleeps on\nand on\nthe fox sleeps once\n", 60)), 0o600); err != nil {
		t.Fatal(err)
	}
	network, ngrams, arpa = filepath.Join(dir, "r.lm"), filepath.Join(dir, "n.lm"), filepath.Join(dir, "n.arpa")
	for _, args := range [][]string{
		{"train", "--corpus", corpus, "--level", "word", "--sentences", "--hidden", "8", "--epochs", "1", "--threads", "1", "--out", network},
		{"train", "--corpus", corpus, "--level", "word", "--sentences", "--kind", "ngram", "--order", "2", "--out", ngrams},
		{"export", ngrams, "--out", arpa},
	} {
		if status, _, stderr := runArgs("", args...); status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, stderr)
		}
	}
	return network, ngrams, arpa
}

// TestRescore: the two forms, the best of each list, weights, mixtures, JSON; each figure
// is that of score.
func TestRescore(t *testing.T) {
	network, ngrams, arpa := sentenceModels(t)
	words := []string{"the fox sleeps", "the fox jumps", "", "the zebra", "and on"}
	_, scored, _ := runArgs(strings.Join(words, "\n")+"\n", "score", network, "--json")
	costs := make([]float64, len(words))
	objects := json.NewDecoder(strings.NewReader(scored))
	for i := range costs {
		var s lm.Score
		if err := objects.Decode(&s); err != nil {
			t.Fatal(err)
		}
		costs[i] = s.Nats
	}
	utterances := []string{"a", "a", "a", "b", "b"}
	var keyed, fielded, costLines, scoreLines, sumLines string
	for i, w := range words {
		key := fmt.Sprintf("%s-%d", utterances[i], i)
		keyed += key + " " + w + "\n"
		line := fmt.Sprintf("%s ||| %s ||| f ||| %d", utterances[i], w, 2*i)
		fielded += line + "\n"
		costLines += fmt.Sprintf("%s %.4f\n", key, costs[i])
		scoreLines += fmt.Sprintf("%s ||| %.4f\n", line, -costs[i])
		sumLines += fmt.Sprintf("%s ||| %.4f\n", line, float64(2*i)-3*costs[i])
	}
	best := func(from, to int, value func(i int) float64) int {
		b := from
		for i := from; i < to; i++ {
			if value(i) > value(b) {
				b = i
			}
		}
		return b
	}
	cost := func(i int) float64 { return -costs[i] }
	a, b := best(0, 3, cost), best(3, 5, cost)
	line := func(lines string, i int) string { return strings.SplitAfter(lines, "\n")[i] }
	for _, c := range []struct {
		name, stdin string
		flags       []string
		want        string
	}{
		{"Kaldi's form", keyed, nil, costLines},
		{"one thread", keyed, []string{"--threads", "1"}, costLines},
		{"Moses' form", fielded, nil, scoreLines},
		{"the best, Kaldi's form", keyed, []string{"--best"}, strings.TrimSpace("a "+words[a]) + "\n" + strings.TrimSpace("b "+words[b]) + "\n"},
		{"the best, Moses' form", fielded, []string{"--best"}, line(scoreLines, a) + line(scoreLines, b)},
		{"weighted", fielded, []string{"--lm-weight", "3"}, sumLines},
		{"all of the model", keyed, []string{"--ngram", arpa, "--lambda", "1"}, costLines},
	} {
		status, stdout, stderr := runArgs(c.stdin, append([]string{"rescore", network}, c.flags...)...)
		if status != 0 || stdout != c.want || !strings.Contains(stderr, "total: 2 lists, 5 lines, 15 tokens, 1 of them <unk>, ln p ") {
			t.Errorf("%s: exit status %d\n%s%s\nwant\n%s", c.name, status, stdout, stderr, c.want)
		}
	}

	// The file of n-grams and what export makes of it are the same model.
	_, of, _ := runArgs(keyed, "rescore", network, "--ngram", ngrams)
	if _, other, stderr := runArgs(keyed, "rescore", network, "--ngram", arpa, "--lambda", "0.5"); other != of || of == costLines || !strings.Contains(strings.Join(strings.Fields(stderr), " "), "0.5 RNN 8 + 0.5 2-gram") {
		t.Errorf("of an ARPA file\n%s%s, of a model's\n%s", other, stderr, of)
	}
	_, spelled, _ := runArgs(keyed, "rescore", network, "--ngram", ngrams, "--spell")
	for i := range words {
		if (line(of, i) == line(spelled, i)) != (words[i] != "the zebra") {
			t.Errorf("%s: %s is spelled %s", words[i], line(of, i), line(spelled, i))
		}
	}

	for _, file := range []string{"", filepath.Join(t.TempDir(), "r.json")} {
		flags := []string{"rescore", network, "--ngram", arpa, "--lambda", "0.25", "--json"}
		if file != "" {
			flags = append(flags, file)
		}
		status, stdout, stderr := runArgs(keyed, flags...)
		if file != "" {
			raw, err := os.ReadFile(file)
			if err != nil || strings.Count(stdout, "\n") != len(words) {
				t.Fatal(err, stdout)
			}
			stdout = string(raw)
		}
		d := json.NewDecoder(strings.NewReader(stdout))
		d.DisallowUnknownFields()
		sum := 0.0
		for i := range words {
			var r lm.Rescored
			if err := d.Decode(&r); err != nil || r.Format != 1 || r.Line != i+1 || r.Utterance != utterances[i] || r.Words != words[i] || r.Unk != strings.Count(words[i], "zebra") || r.Score != nil {
				t.Fatalf("%+v, error %v", r, err)
			}
			sum += r.LogProb
		}
		var total lm.Rescored
		if err := d.Decode(&total); status != 0 || err != nil || total.Lines != 5 || total.Utterances != 2 || *total.Lambda != 0.25 || total.Ngram.Order != 2 || total.Model.Hidden != 8 || !(math.Abs(total.LogProb-sum) <= 1e-9) {
			t.Errorf("exit status %d, total %+v, error %v\n%s", status, total, err, stderr)
		}
	}
}

func TestRescoreMistakes(t *testing.T) {
	network, _, arpa := sentenceModels(t)
	chars := smallModel(t, writeText(t))
	for _, c := range []struct {
		status int
		stdin  string
		args   []string
		want   string
	}{
		{exitMisuse, "", []string{network, "--lambda", "0.5"}, "--lambda: there is nothing to mix"},
		{exitMisuse, "", []string{network, "--ngram", arpa, "--lambda", "2"}, "--lambda: 2 is no share"},
		{exitMisuse, "", []string{network, "--ngram", arpa, "--lambda", "nan"}, "--lambda: NaN"},
		{exitMisuse, "", []string{network, "--lm-weight", "inf"}, "--lm-weight: +Inf"},
		{exitMisuse, "", []string{network, "--ngram", ""}, "--ngram: the name is empty"},
		{exitMisuse, "", []string{network, "--ngram", arpa, "--json", arpa}, "--json: "},
		{exitMisuse, "", []string{network, "--threads", "0"}, "--threads"},
		{exitMisuse, "a-1 x\n", []string{network, "--ngram", chars}, "--ngram: it is a model of characters, and the other one of sentences"},
		{exitFailure, "", []string{network, "--ngram", network}, "is an RNN: give an ARPA file"},
		{exitFailure, "", []string{chars, "--ngram", network}, "is an RNN: give an ARPA file"},
		{exitFailure, "", []string{network, "--ngram", "nowhere.arpa"}, `--ngram: "nowhere.arpa": no such file or directory: give`},
		{exitFailure, "", []string{network}, "standard input is empty"},
		{exitFailure, "a line\n", []string{network}, `line 1: "a" is no key of a hypothesis`},
		{exitFailure, "a-1 x\n", []string{network, "--lm-weight", "1"}, "line 1: it has no score"},
	} {
		status, stdout, stderr := runArgs(c.stdin, append([]string{"rescore"}, c.args...)...)
		if status != c.status || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit status %d, %q, want %q", c.args, status, stderr, c.want)
		}
	}
}
