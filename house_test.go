// Package batchrnn_test holds what must be true of the module as a whole.
package batchrnn_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allowed says which packages of the module each part may import. Imports run
// one way: cmd/rnnbench, bench, bench/lm, rnn, kernels, asm.
var allowed = map[string][]string{
	"asm":             {},
	"kernels/ref":     {},
	"kernels":         {"asm"},
	"kernels/blas":    {"kernels"},
	"rnn/safetensors": {},
	"rnn":             {"kernels", "rnn/safetensors"},
	"rnn/seq2seq":     {"rnn"},
	"rnn/onnx":        {"rnn", "kernels"},
	"rnn/streams":     {"rnn"},
	"rnn/parallel":    {"rnn", "kernels"},
	"bench/lm/text":   {"internal/durable", "internal/figures", "internal/memory"},
	"bench/lm/ngram":  {"internal/durable"},
	"bench/lm/spell":  {"bench/lm/text", "bench/lm/ngram"},
	"bench/lm/rnnlm":  {"rnn", "rnn/parallel", "kernels", "bench/lm/text", "internal/durable", "internal/figures", "internal/memory"},
	"bench/lm": {"rnn", "rnn/onnx", "rnn/parallel", "rnn/safetensors", "kernels", "bench/lm/text", "bench/lm/ngram", "bench/lm/rnnlm", "bench/lm/spell",
		"internal/durable", "internal/engine", "internal/figures", "internal/memory", "internal/option"},
	"bench/measure":   {"kernels"},
	"bench/residency": {"kernels", "bench/lm", "bench/lm/ngram", "bench/lm/rnnlm", "internal/memory"},
	"bench/study": {"rnn", "kernels", "bench/lm", "bench/lm/text", "bench/lm/ngram", "bench/lm/rnnlm", "bench/measure", "bench/residency",
		"internal/engine", "internal/figures", "internal/memory", "internal/option"},
	"bench/gradients": {"rnn", "kernels", "bench/measure", "internal/engine", "internal/figures", "internal/memory", "internal/option"},
	"bench/speed":     {"rnn", "kernels", "bench/measure", "internal/engine", "internal/figures", "internal/memory", "internal/neighbour", "internal/option"},
	"bench/report": {"kernels", "bench/gradients", "bench/lm", "bench/lm/ngram", "bench/lm/text", "bench/lm/rnnlm", "bench/measure", "bench/report/chart", "bench/study",
		"internal/durable", "internal/figures", "internal/option"},
	"bench/report/chart": {},
	"cmd/rnnbench": {"rnn", "rnn/parallel", "kernels", "bench/gradients", "bench/lm", "bench/lm/ngram", "bench/lm/text", "bench/measure", "bench/report", "bench/residency", "bench/speed", "bench/study",
		"internal/durable", "internal/engine", "internal/figures", "internal/neighbour", "internal/option"},

	"internal/durable":   {},
	"internal/engine":    {"kernels", "internal/option"},
	"internal/figures":   {},
	"internal/memory":    {},
	"internal/mutants":   {},
	"internal/neighbour": {},
	"internal/option":    {},
	"internal/ort":       {},

	"examples/dates":    {"rnn", "kernels", "rnn/seq2seq"},
	"examples/digits":   {"rnn", "kernels"},
	"examples/gonum":    {"kernels", "kernels/blas", "internal/figures"},
	"examples/language": {"rnn", "kernels"},
	"examples/missing":  {"rnn", "kernels"},
	"examples/serve":    {"rnn", "rnn/streams", "kernels", "bench/lm", "bench/lm/rnnlm", "bench/lm/text"},
	"examples/tags":     {"rnn", "kernels", "bench/lm/text"},
	"examples/vad":      {"rnn/onnx", "kernels", "internal/figures"},
}

func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, ok := strings.Cut(strings.TrimSpace(line), ":")
		pkg = strings.TrimPrefix(pkg, "batchrnn/")
		if !ok || pkg == "batchrnn" {
			continue
		}
		may, known := allowed[pkg]
		if !known {
			t.Errorf("package %s is not in the plan of the house: add it to this test", pkg)
			continue
		}
		for _, imp := range strings.Fields(imports) {
			imp, ours := strings.CutPrefix(imp, "batchrnn/")
			if ours && !slices.Contains(may, imp) {
				t.Errorf("%s imports %s, which may not be: imports run cmd/rnnbench, bench, bench/lm, rnn, kernels, asm", pkg, imp)
			}
		}
	}
}

// Who reads text or counts n-grams needs no kernels.
func TestTextNeedsNoKernels(t *testing.T) {
	for _, pkg := range []string{"bench/lm/text", "bench/lm/ngram", "bench/lm/spell"} {
		out, err := exec.Command("go", "list", "-deps", "./"+pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, out)
		}
		for dep := range strings.Lines(string(out)) {
			dep = strings.TrimSpace(dep)
			for _, floor := range []string{"rnn", "kernels", "asm"} {
				if under, ours := strings.CutPrefix(dep, "batchrnn/"+floor); ours && (under == "" || under[0] == '/') {
					t.Errorf("%s needs %s", pkg, dep)
				}
			}
		}
	}
}

// TestTableOfFiles holds the table of CONTRIBUTING.md to the files of rnn.
func TestTableOfFiles(t *testing.T) {
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+\\.go)` \\|").FindAllStringSubmatch(string(text), -1) {
		listed[m[1]] = true
	}
	files, err := filepath.Glob("rnn/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		f = filepath.Base(f)
		if !strings.HasSuffix(f, "_test.go") && !listed[f] {
			t.Errorf("%s is not in the table of CONTRIBUTING.md", f)
		}
		delete(listed, f)
	}
	for f := range listed {
		t.Errorf("the table of CONTRIBUTING.md has %s, which is not in rnn", f)
	}
}
