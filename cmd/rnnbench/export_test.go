package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn/onnx"
)

func TestExportAndImport(t *testing.T) {
	dir, text := t.TempDir(), writeText(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := runArgs("", args...)
		if status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, stderr)
		}
		return stdout
	}
	train := func(out string, more ...string) {
		t.Helper()
		must(append([]string{"train", "--corpus", text, "--hidden", "8", "--epochs", "2", "--out", at(out)}, more...)...)
	}
	train("a.lm")
	train("b.lm", "--seed", "2")
	train("gru.lm", "--cell", "gru")
	train("wide.lm", "--hidden", "9")
	must("train", "--corpus", text, "--kind", "ngram", "--out", at("ngram.lm"))
	must("export", at("a.lm"), "--out", at("a.safetensors"))
	if out := must("export", at("gru.lm"), "--out", at("gru.safetensors")); !strings.HasPrefix(out, "model    GRU 8") {
		t.Errorf("export prints %q", out)
	}
	must("import", at("b.lm"), "--weights", at("a.safetensors"), "--out", at("c.lm"))
	sample := func(name string) string { return must("sample", at(name), "--prompt", "The", "--length", "30") }
	if sample("c.lm") != sample("a.lm") || sample("b.lm") == sample("a.lm") {
		t.Error("the weights did not come with the file")
	}
	ngrams := fmt.Sprintf("MODEL: %q is an n-gram model, which has no weights: give a file that rnnbench train --kind rnn has written", at("ngram.lm"))
	if out := must("export", at("gru.lm"), "--out", at("gru.onnx")); !strings.HasPrefix(out, "model    GRU 8") {
		t.Errorf("export prints %q", out)
	}
	if names := onnxNames(t, at("gru.onnx")); names != "ids h0 output hn" {
		t.Errorf("the ONNX model has the inputs and outputs %s", names)
	}
	for _, test := range []struct {
		name   string
		status int
		want   string
		args   []string
	}{
		{"n-grams imported", 1, ngrams, []string{"import", at("ngram.lm"), "--weights", at("a.safetensors"), "--out", at("x")}},
		{"n-grams as ONNX", 1, "which ONNX can't hold", []string{"export", at("ngram.lm"), "--out", at("x.ONNX")}},
		{"onto itself", 2, "--out", []string{"export", at("a.lm"), "--out", at("a.lm")}},
		{"onto the weights", 2, "--out", []string{"import", at("a.lm"), "--weights", at("a.safetensors"), "--out", at("a.safetensors")}},
		{"no name", 2, "--out", []string{"export", at("a.lm"), "--out", ""}},
		{"another width", 1, "has shape [8", []string{"import", at("wide.lm"), "--weights", at("a.safetensors"), "--out", at("x")}},
		{"another cell", 1, "gru", []string{"import", at("a.lm"), "--weights", at("gru.safetensors"), "--out", at("x")}},
		{"a model for weights", 1, "header", []string{"import", at("a.lm"), "--weights", at("b.lm"), "--out", at("x")}},
		{"a folder for weights", 1, "regular file", []string{"import", at("a.lm"), "--weights", dir, "--out", at("x")}},
		{"weights of no name", 2, "--weights: the name is empty", []string{"import", at("a.lm"), "--weights", "", "--out", at("x")}},
		{"weights behind another prefix", 1, `no tensor has a name that begins with "module."`, []string{"import", at("a.lm"), "--weights", at("a.safetensors"), "--prefix", "module.", "--out", at("x")}},
		{"a store of weights", 2, "--store: ", []string{"import", at("a.lm"), "--weights", at("a.safetensors"), "--store", "hash", "--out", at("x")}},
		{"a level of weights", 2, "--level: ", []string{"import", at("a.lm"), "--weights", at("a.safetensors"), "--level", "char", "--out", at("x")}},
		{"no weights", 1, "--weights", []string{"import", at("a.lm"), "--weights", at("none"), "--out", at("x")}},
		{"weights for a model", 1, "not a model file", []string{"export", at("a.safetensors"), "--out", at("x")}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != test.status || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit status %d, standard output %q, standard error %q, want one line with %q", test.name, status, stdout, stderr, test.want)
		}
	}
	for _, name := range []string{"x", "x.ONNX"} {
		if _, err := os.Stat(at(name)); err == nil {
			t.Errorf("%s was written all the same", name)
		}
	}
}

// onnxNames returns the names of the inputs and outputs of an ONNX model.
func onnxNames(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Load(e, f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range append(m.Inputs(), m.Outputs()...) {
		names = append(names, v.Name)
	}
	return strings.Join(names, " ")
}
