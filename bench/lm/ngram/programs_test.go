package ngram

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// program returns the path of a program, which Debian's package of that name has. CI
// installs it. Elsewhere a missing program skips the test.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/lib/irstlm/bin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s: install Debian's %s", name, debian)
	}
	t.Skipf("NOT COMPARED with %s: install Debian's %s", name, debian)
	return ""
}

// figure returns the number that a program prints after name.
func figure(t *testing.T, name, program string, args ...string) float64 {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s", program, err, out)
	}
	found := regexp.MustCompile(regexp.QuoteMeta(name)+`\s*(-?[0-9.]+)`).FindAllSubmatch(out, -1)
	if len(found) == 0 {
		t.Fatalf("%s prints no %q:\n%.2000s", program, name, out)
	}
	v, err := strconv.ParseFloat(string(found[len(found)-1][1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// writtenModel is a model in an ARPA file, and what a text costs under it.
type writtenModel struct {
	arpa, text   string  // files; the text has marks where the model knows sentences
	log10        float64 // of the text
	knownPerplex float64 // perplexity of the known words
}

// writeModels makes a model of sentences and one of a stream, in files.
func writeModels(t *testing.T) map[string]writtenModel {
	t.Helper()
	read := func(part string) string {
		raw, err := os.ReadFile("testdata/war-and-peace." + part + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	ids, words := map[string]int32{}, []string{}
	id := func(word string) int32 {
		i, ok := ids[word]
		if !ok {
			i = int32(len(words))
			ids[word], words = i, append(words, word)
		}
		return i
	}
	models := map[string]writtenModel{}
	for _, name := range []string{"sentences", "stream"} {
		clear(ids)
		words = words[:0]
		id(unkWord)
		config, begin, end := Config{Order: 4}, "", ""
		if name == "sentences" {
			config.Marks = &Marks{Start: id(startWord), End: id(endWord)}
			begin, end = startWord+" ", " "+endWord
		}
		var train []int32
		for line := range strings.Lines(read("train")) {
			for _, word := range strings.Fields(line + end) {
				train = append(train, id(word))
			}
		}
		config.Vocab = len(words)
		e, _ := mustEstimate(t, train, config)
		m := mustModel(t, e, Hash)
		w := writtenModel{arpa: filepath.Join(t.TempDir(), "model.arpa"), text: filepath.Join(t.TempDir(), "text.txt")}
		var file, text bytes.Buffer
		if err := WriteARPA(&file, e, words); err != nil {
			t.Fatal(err)
		}
		s, known, log10 := m.NewScorer(), 0, 0.0
		for line := range strings.Lines(read("test")) {
			fmt.Fprintln(&text, begin+strings.TrimSpace(line)+end)
			if config.Marks != nil {
				s.ResetTo(config.Marks.Start)
			}
			for _, word := range strings.Fields(line + end) {
				cost := s.log10(ids[word])
				w.log10 += cost
				if ids[word] != 0 {
					log10 += cost
					known++
				}
			}
		}
		w.knownPerplex = math.Pow(10, -log10/float64(known))
		for path, content := range map[string][]byte{w.arpa: file.Bytes(), w.text: text.Bytes()} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		models[name] = w
	}
	return models
}

// TestIRSTLMAgrees: IRSTLM reads what WriteARPA writes, and finds the same figures.
func TestIRSTLMAgrees(t *testing.T) {
	compile := program(t, "compile-lm", "irstlm")
	for name, w := range writeModels(t) {
		got := figure(t, "logPr=", compile, w.arpa, "--eval="+w.text, "--dub=0", "-d=1")
		t.Logf("%s: log10 %.2f, IRSTLM %.2f", name, w.log10, got)
		if !(math.Abs(got-w.log10) <= 0.02) { // it prints two decimals
			t.Errorf("%s: log10 %v, IRSTLM %v", name, w.log10, got)
		}
	}
}

// TestSphinxAgrees: Sphinx reads what WriteARPA writes, and finds the same figures. It
// leaves unknown words out, and rounds logarithms to whole numbers in base 1.0001. What
// its converter makes of a model loads here and scores alike.
func TestSphinxAgrees(t *testing.T) {
	eval, convert := program(t, "sphinx_lm_eval", "sphinxbase-utils"), program(t, "sphinx_lm_convert", "sphinxbase-utils")
	for name, w := range writeModels(t) {
		raw, err := os.ReadFile(w.text)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"-lm", w.arpa, "-text", strings.Join(strings.Fields(string(raw)), " ")}
		if name == "sentences" {
			lines := filepath.Join(t.TempDir(), "text.lsn")
			if err := os.WriteFile(lines, []byte(strings.ReplaceAll(string(raw), "\n", " (u)\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			args = []string{"-lm", w.arpa, "-lsn", lines}
		}
		got := figure(t, "perplexity:", eval, args...)
		t.Logf("%s: perplexity %.3f, Sphinx %.3f", name, w.knownPerplex, got)
		if !(math.Abs(got/w.knownPerplex-1) <= 5e-4) {
			t.Errorf("%s: perplexity %v, Sphinx %v", name, w.knownPerplex, got)
		}

		binary, again := w.arpa+".bin", w.arpa+".arpa"
		for _, args := range [][]string{{"-i", w.arpa, "-o", binary, "-ofmt", "bin"}, {"-i", binary, "-o", again, "-ofmt", "arpa"}} {
			if out, err := exec.Command(convert, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%.2000s", args, err, out)
			}
		}
		back, err := os.ReadFile(again)
		if err != nil {
			t.Fatal(err)
		}
		e, words := mustReadARPA(t, string(back))
		ids := map[string]int32{}
		for i, word := range words {
			ids[word] = int32(i)
		}
		s, log10 := mustModel(t, e, Trie).NewScorer(), 0.0
		for line := range strings.Lines(string(raw)) {
			for _, word := range strings.Fields(line) {
				if word == startWord {
					s.ResetTo(ids[word])
					continue
				}
				log10 += s.log10(ids[word])
			}
		}
		if !(math.Abs(log10/w.log10-1) <= 1e-4) {
			t.Errorf("%s: log10 %v, after the converter %v", name, w.log10, log10)
		}
	}
}
