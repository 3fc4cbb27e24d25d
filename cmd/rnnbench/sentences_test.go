package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/lm"
	"batchrnn/internal/engine"
)

var kenlmDir = flag.String("kenlm", "", "folder with the files wp.word.*.txt and wp.char.*.txt, to compare with KenLM's figures")

// perplexityOf trains an n-gram model of sentences on one text, and evaluates it on
// another.
func perplexityOf(t *testing.T, order int, train, test string) lm.Evaluation {
	t.Helper()
	model := filepath.Join(t.TempDir(), "m.lm")
	if status, _, stderr := runArgs("", "train", "--kind", "ngram", "--level", "word", "--sentences", "--order", fmt.Sprint(order),
		"--corpus", train, "--all", "--out", model); status != 0 {
		t.Fatal(stderr)
	}
	status, stdout, stderr := runArgs("", "eval", model, "--corpus", test, "--json")
	if status != 0 {
		t.Fatal(stderr)
	}
	var e lm.Evaluation
	decodeStrictly(t, stdout, &e)
	return e
}

// TestSentencesFromTheShell: the perplexities of sentences are those of an independent
// program, as in TestEstimateGolden of package ngram.
func TestSentencesFromTheShell(t *testing.T) {
	part := func(name string) string {
		return filepath.Join("..", "..", "bench", "lm", "ngram", "testdata", "war-and-peace."+name+".txt")
	}
	for i, want := range []float64{348.372763, 221.342891, 216.065512, 215.81665, 215.636956, 215.693976} {
		e := perplexityOf(t, i+1, part("train"), part("test"))
		if !(math.Abs(float64(e.Perplexity)/want-1) < 1e-6) || e.Model.Level != "sentence" || e.Sentences == 0 || e.Split != lm.SplitAll {
			t.Errorf("order %d: %+v, want a perplexity of %v", i+1, e, want)
		}
	}
}

// TestKenLMFromTheShell compares with KenLM's figures: lmplz --discount_fallback, no
// pruning, words out of the vocabulary included.
func TestKenLMFromTheShell(t *testing.T) {
	if *kenlmDir == "" {
		t.Skip("no comparison with KenLM: run with -kenlm DIR, the folder that holds wp.word.train.txt")
	}
	for level, figures := range map[string][]float64{
		"word": {133.6217, 108.4056, 105.8458, 105.5721, 105.5834, 105.5890},
		"char": {11.50692, 7.11634, 4.73636, 3.82032, 3.50295, 3.39034, 3.35696},
	} {
		for i, want := range figures {
			e := perplexityOf(t, i+2, filepath.Join(*kenlmDir, "wp."+level+".train.txt"), filepath.Join(*kenlmDir, "wp."+level+".test.txt"))
			t.Logf("%s, order %d: perplexity %.5f, KenLM %.5f: %+.4f %%", level, i+2, float64(e.Perplexity), want, 100*(float64(e.Perplexity)/want-1))
			if !(math.Abs(float64(e.Perplexity)/want-1) < 1e-4) {
				t.Errorf("%s, order %d: perplexity %v, KenLM %v", level, i+2, float64(e.Perplexity), want)
			}
		}
	}
}

// TestPartsFromTheShell: texts of their own, what the training prints of them, and what it
// refuses.
func TestPartsFromTheShell(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	corpus := file("corpus.txt", strings.Repeat("the cat sat on the mat\nthe dog ran\n", 30))
	valid, test, model := file("valid.txt", "the dog sat\n"), file("test.txt", "the zebra sat\n\n"), filepath.Join(dir, "m.lm")
	train := func(stdin string, more ...string) (status int, stdout, stderr string) {
		return runArgs(stdin, append([]string{"train", "--kind", "ngram", "--level", "word", "--corpus", corpus, "--out", model}, more...)...)
	}
	for _, of := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"244 to train, 13 to validate, 13 to test", "test     "}},
		{[]string{"--all"}, []string{"270 to train, 0 to validate, 0 to test", "test     none: no text was held out for it"}},
		{[]string{"--valid", valid}, []string{"270 to train, 3 to validate, 0 to test", "validation from " + valid, "valid    "}},
		{[]string{"--test", test}, []string{"270 to train, 0 to validate, 3 to test", "test from " + test, "with every <unk> spelled"}},
		{[]string{"--valid", valid, "--test", test, "--sentences"}, []string{"330 to train, 4 to validate, 5 to test", "5-gram of sentences"}},
	} {
		status, stdout, stderr := train("", of.args...)
		for _, want := range of.want {
			if status != 0 || !strings.Contains(stdout, want) && !strings.Contains(joined(stdout), want) {
				t.Errorf("%v: exit status %d, no %q in\n%s%s", of.args, status, want, stdout, stderr)
			}
		}
	}
	if status, stdout, _ := train("the dog\n", "--test", "-"); status != 0 || !strings.Contains(stdout, "test from standard input") {
		t.Errorf("a test on standard input: exit status %d\n%s", status, stdout)
	}
	var trained trainResult
	status, stdout, _ := train("", "--all", "--json")
	decodeStrictly(t, stdout, &trained)
	if status != 0 || trained.Unscored || trained.Perplexity != 0 || trained.Corpus.Test != 0 || !trained.Model.UncutTest {
		t.Errorf("exit status %d, %s", status, stdout)
	}
	for name, of := range map[string]struct {
		status int
		want   string
		args   []string
	}{
		"missing":                   {1, "--valid: corpus", []string{"--valid", valid + "none"}},
		"nameless":                  {2, "--test: the name is empty", []string{"--test", ""}},
		"one input for two":         {2, "--test: standard input is read already, for --valid: name a file", []string{"--valid", "-", "--test", "-"}},
		"model onto the test":       {2, "--out", []string{"--test", test, "--out", test}},
		"model onto the validation": {2, "--out", []string{"--valid", valid, "--out", valid}},
		"sentences of characters":   {2, "--sentences: only words make sentences", []string{"--sentences", "--level", "char"}},
		"a vocabulary of marks":     {2, "--vocab: 3 leaves no room for <unk>, <s>, </s> and one token: give 4", []string{"--sentences", "--vocab", "3"}},
		"a mark":                    {1, "--corpus: corpus", []string{"--sentences", "--corpus", file("marked.txt", "<s> the cat </s>\n")}},
		"a mark in the test":        {1, "line 2: </s> marks a sentence", []string{"--sentences", "--test", file("marked.txt", "a\nb </s>\n")}},
	} {
		status, stdout, stderr := train("", of.args...)
		if status != of.status || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, of.want) {
			t.Errorf("%s: exit status %d, %q, want one line with %s", name, status, stderr, of.want)
		}
	}
	for path, want := range map[string]string{valid: "the dog sat\n", test: "the zebra sat\n\n"} {
		if raw, err := os.ReadFile(path); err != nil || string(raw) != want {
			t.Errorf("%s is now %q, error %v", path, raw, err)
		}
	}
	if status, _, stderr := runArgs("", "ram", "--level", "sentence", "--corpus", corpus); status != 2 || !strings.Contains(stderr, "--level") {
		t.Errorf("ram of sentences: exit status %d, %s", status, stderr)
	}
}

// TestScoreTokens: a line for each token, or an array of them; an empty line of sentences
// costs its </s>.
func TestScoreTokens(t *testing.T) {
	dir := t.TempDir()
	corpus := filepath.Join(dir, "text.txt")
	if err := os.WriteFile(corpus, []byte(strings.Repeat("the cat sat\n\nthe dog\n", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, of := range []struct {
		args []string
		want string // the columns beside bits
	}{
		{[]string{"--level", "word", "--sentences"}, "1 the 0|1 zebra 1|1 </s> 0|2 </s> 0|3 cat 0|3 </s> 0"},
		{[]string{"--level", "word"}, "1 the 0|1 zebra 1|3 cat 0"},
		{nil, `1 t 0|1 h 0|1 e 0|1 " " 0|1 z 1|1 e 0|1 b 1|1 r 1|1 a 0|3 c 0|3 a 0|3 t 0`},
	} {
		model := filepath.Join(dir, "m.lm")
		if status, _, stderr := runArgs("", append([]string{"train", "--kind", "ngram", "--corpus", corpus, "--all", "--out", model}, of.args...)...); status != 0 {
			t.Fatal(stderr)
		}
		const lines = "the zebra\n\ncat\n"
		status, stdout, stderr := runArgs(lines, "score", model, "--tokens")
		var got, bits []string
		for line := range strings.Lines(stdout) {
			columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(columns) != 4 {
				t.Fatalf("%q", line)
			}
			got, bits = append(got, columns[0]+" "+columns[1]+" "+columns[3]), append(bits, columns[2])
		}
		if status != 0 || strings.Join(got, "|") != of.want || !strings.Contains(stderr, "without <unk>") || !strings.Contains(stderr, "bits per byte") {
			t.Errorf("%v: exit status %d\n%s%s", of.args, status, stdout, stderr)
		}
		status, stdout, _ = runArgs(lines, "score", model, "--tokens", "--json")
		i := 0
		d := json.NewDecoder(strings.NewReader(stdout))
		for range 3 {
			var s lm.Score
			if err := d.Decode(&s); err != nil || len(s.TokenCosts) != s.Tokens {
				t.Fatal(stdout, err)
			}
			for _, c := range s.TokenCosts {
				if fmt.Sprintf("%.4f", c.Bits) != bits[i] {
					t.Errorf("%v: token %d costs %v in JSON, %s in text", of.args, i, c.Bits, bits[i])
				}
				i++
			}
		}
		if status != 0 || i != len(bits) || strings.Contains(stdout, `\u003c`) {
			t.Errorf("%v: %d tokens, %s", of.args, i, stdout)
		}
	}
}

// TestPerplexityBeyondFloat64: eval and score call it so.
func TestPerplexityBeyondFloat64(t *testing.T) {
	text, file := writeText(t), filepath.Join(t.TempDir(), "m.lm")
	if status, _, stderr := runArgs("", "train", "--corpus", text, "--hidden", "8", "--epochs", "0.1", "--out", file); status != 0 {
		t.Fatal(stderr)
	}
	e, err := engine.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := lm.Open(file, e)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Network().Slab {
		m.Network().Slab[i] *= 1e6
	}
	m.Network().Update()
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.WriteTo(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	const beyond = "more than 1.8e308"
	if status, stdout, stderr := runArgs("", "eval", file, "--corpus", text); status != 0 || !strings.Contains(stdout, "perplexity  "+beyond) {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := runArgs("", "eval", file, "--corpus", text, "--json"); status != 0 || !strings.Contains(stdout, `"perplexity": null`) {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := runArgs("The lazy dog", "score", file); status != 0 || !strings.Contains(stdout, beyond) || !strings.Contains(stderr, "perplexity "+beyond) {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := runArgs("The lazy dog", "score", file, "--json"); status != 0 || strings.Count(stdout, `"perplexity":null`) != 2 {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
}
