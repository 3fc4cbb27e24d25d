package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/lm"
)

// TestQuantise: every command that only scores takes a model of int8, and those that need
// weights of float32 refuse it in one line.
func TestQuantise(t *testing.T) {
	dir, text := t.TempDir(), writeText(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := runArgs("a-1 the dog\n", args...)
		if status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, stderr)
		}
		return stdout
	}
	must("train", "--corpus", text, "--cell", "gru", "--hidden", "16", "--epochs", "1", "--threads", "1", "--out", at("a.lm"))
	must("train", "--corpus", text, "--kind", "ngram", "--order", "1", "--out", at("ngram.lm"))
	if out := must("quantise", at("a.lm"), "--out", at("q.lm")); !strings.HasPrefix(out, "model    GRU 16 int8: ") || !strings.Contains(out, " before\nsaved    "+at("q.lm")+", ") {
		t.Errorf("quantise prints %q", out)
	}
	eval := func(name string) (e lm.Evaluation) {
		decodeStrictly(t, must("eval", at(name), "--corpus", text, "--threads", "1", "--json"), &e)
		return e
	}
	float, small := eval("a.lm"), eval("q.lm")
	if !small.Model.Int8 || float.Model.Int8 || !(2*small.Bytes < float.Bytes) || !(math.Abs(small.BitsPerToken-float.BitsPerToken) <= 0.01) {
		t.Errorf("of float32: %+v; of int8: %+v", float, small)
	}
	must("score", at("q.lm"))
	must("rescore", at("q.lm"))
	must("sample", at("q.lm"), "--length", "5")

	whole, err := os.ReadFile(at("a.lm"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"nan.lm": notFinite(t, whole), "half.lm": whole[:len(whole)/2]} {
		if err := os.WriteFile(at(name), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		status int
		want   string
		args   []string
	}{
		{"n-grams", 1, fmt.Sprintf("MODEL: %q is an n-gram model, which has no weights: give ", at("ngram.lm")), []string{"quantise", at("ngram.lm"), "--out", at("x")}},
		{"quantised", 1, fmt.Sprintf("MODEL: %q has weights of int8", at("q.lm")), []string{"quantise", at("q.lm"), "--out", at("x")}},
		{"diverged", 1, fmt.Sprintf("MODEL: %q: rnn: Quantise: weight \"rnn.weight_ih_l0\" has a value that is NaN or infinite", at("nan.lm")), []string{"quantise", at("nan.lm"), "--out", at("x")}},
		{"damaged", 1, at("half.lm"), []string{"quantise", at("half.lm"), "--out", at("x")}},
		{"onto itself", 2, "--out: ", []string{"quantise", at("a.lm"), "--out", at("a.lm")}},
		{"no name", 2, "--out: ", []string{"quantise", at("a.lm"), "--out", ""}},
		{"nowhere", 1, "--out: ", []string{"quantise", at("a.lm"), "--out", filepath.Join(dir, "none", "x")}},
		{"exported", 1, fmt.Sprintf("MODEL: %q has weights of int8", at("q.lm")), []string{"export", at("q.lm"), "--out", at("x")}},
		{"exported as ONNX", 1, fmt.Sprintf("MODEL: %q has weights of int8", at("q.lm")), []string{"export", at("q.lm"), "--out", at("x.onnx")}},
		{"with other weights", 1, fmt.Sprintf("MODEL: %q has weights of int8", at("q.lm")), []string{"import", at("q.lm"), "--weights", at("a.lm"), "--out", at("x")}},
		{"trained", 2, fmt.Sprintf("--init: %q has weights of int8", at("q.lm")), []string{"train", "--init", at("q.lm"), "--corpus", text, "--out", at("x")}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != test.status || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit status %d, standard output %q, standard error %q, want one line with %q", test.name, status, stdout, stderr, test.want)
		}
	}
	for _, name := range []string{"x", "x.onnx"} {
		if _, err := os.Stat(at(name)); err == nil {
			t.Errorf("%s was written all the same", name)
		}
	}
}
