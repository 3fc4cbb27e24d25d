package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/study"
)

// sentences is a text of n different lines.
func sentences(n int, name string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(name+" walks home. ", 1+i%3) + "Then it sleeps.\n")
	}
	return b.String()
}

// writeFiles writes files into a new folder, given by their slash-separated names.
func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func gzipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// corpusCommands returns a short run of every command that reads a corpus, but for the
// corpus, by name. dir takes their files. model is one to evaluate.
func corpusCommands(dir, model string) map[string][]string {
	at := func(name string) string { return filepath.Join(dir, name) }
	return map[string][]string{
		"train":        {"train", "--hidden", "8", "--epochs", "0.2", "--threads", "1", "--checkpoint", at("c"), "--out", at("rnn.lm")},
		"train n-gram": {"train", "--kind", "ngram", "--order", "2", "--out", at("ngram.lm")},
		"eval":         {"eval", model},
		"ram":          {"ram", "--max-order", "1", "--cell", "rnn", "--hidden", "8", "--budget", "50ms", "--json", at("r.json"), "--csv", at("r.csv"), "--plot", at("r.svg")},
		"report":       {"report", "--level", "char", "--max-order", "1", "--cell", "rnn", "--hidden", "8", "--budget", "50ms", "--threads", "1", "--out", at("report")},
	}
}

// trainNgram trains a model on a corpus and returns its file.
func trainNgram(t *testing.T, corpus string) string {
	t.Helper()
	model := filepath.Join(t.TempDir(), "m.lm")
	if status, _, stderr := runArgs("", "train", "--kind", "ngram", "--order", "2", "--corpus", corpus, "--out", model); status != 0 {
		t.Fatal(stderr)
	}
	return model
}

// Outputs may lie in the folder of the corpus, also those of an earlier run. What is
// read from there is never overwritten.
func TestOutputsInTheCorpusFolder(t *testing.T) {
	manyCommands(t)
	dir := writeFiles(t, map[string]string{"a.txt": sentences(40, "Anna"), "b.md.gz": gzipped(t, sentences(40, "Bob")), "binary.text": "GIF\x00"})
	before := readFiles(t, dir)
	model := trainNgram(t, dir)
	for name, args := range corpusCommands(dir, model) {
		for run := range 2 {
			if run == 1 && name == "report" {
				args = append(args, "--resume") // what is there needn't be measured again
			}
			if status, stdout, stderr := runArgs("", append(args, "--corpus", dir)...); status != 0 {
				t.Errorf("%s, run %d: exit status %d\n%s%s", name, run+1, status, stdout, stderr)
			}
		}
	}
	for name, args := range corpusCommands(dir, model) {
		for i, flag := range args {
			if name == "report" || !slices.Contains([]string{"--checkpoint", "--out", "--json", "--csv"}, flag) {
				continue
			}
			for _, onto := range []string{"a.txt", "b.md.gz", "new.txt", "new.txt.zst"} {
				changed := append(slices.Clone(args), "--corpus", dir)
				changed[i+1] = filepath.Join(dir, onto)
				status, stdout, stderr := runArgs("", changed...)
				if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, flag+": ") || !strings.Contains(stderr, "belong") {
					t.Errorf("%s with %s onto %s: exit status %d\n%s%s", name, flag, onto, status, stdout, stderr)
				}
			}
		}
	}
	after := readFiles(t, dir)
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s has changed", name)
		}
	}
}

// readFiles returns the files below dir, by their names.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A report is refused where one of its files is the corpus, and one of another corpus or
// of other settings is not gone on from. Nothing is touched.
func TestReportReplacesNothingUnasked(t *testing.T) {
	files := map[string]string{"a.txt": sentences(40, "Anna"), "b.txt": sentences(40, "Bob")}
	for _, name := range []string{"results.csv", "results.json", "report.html", "memory-char.svg", "quality-word.png", "models/char-rnn-8.lm"} {
		files["own/"+name] = sentences(40, name)
	}
	dir := writeFiles(t, files)
	at := func(name string) string { return filepath.Join(dir, name) }
	report := func(corpus, out string, more ...string) []string {
		return append([]string{"report", "--level", "char", "--max-order", "1", "--cell", "rnn", "--hidden", "8", "--budget", "50ms", "--threads", "1", "--corpus", corpus, "--out", out}, more...)
	}
	if status, _, stderr := runArgs("", report(at("a.txt"), at("r"))...); status != 0 {
		t.Fatal(stderr)
	}
	before := readFiles(t, dir)
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"own CSV":         {report(at("own/results.csv"), at("own")), []string{"--out: ", "own/results.csv"}},
		"own JSON":        {report(at("own/results.json"), at("own")), []string{"--out: ", "own/results.json"}},
		"own page":        {report(at("own/report.html"), at("own")), []string{"--out: ", "own/report.html"}},
		"own plot":        {report(at("own/memory-char.svg"), at("own")), []string{"--out: ", "own/memory-char.svg"}},
		"own picture":     {report(at("own/quality-word.png"), at("own")), []string{"--out: ", "own/quality-word.png"}},
		"own model":       {report(at("own/models/char-rnn-8.lm"), at("own")), []string{"--out: ", "own/models/char-rnn-8.lm"}},
		"another corpus":  {report(at("b.txt"), at("r"), "--resume"), []string{"--resume: ", at("a.txt"), at("b.txt")}},
		"another seed":    {report(at("a.txt"), at("r"), "--resume", "--seed", "7"), []string{"--resume: ", "--seed 1 ", "--seed 7 "}},
		"another budget":  {report(at("a.txt"), at("r"), "--resume", "--budget", "60ms"), []string{"--resume: ", "--budget 50ms", "--budget 60ms"}},
		"one text more":   {report(at("a.txt"), at("r"), "--resume", "--corpus", at("b.txt")), []string{"--resume: "}},
		"words in place":  {report(at("a.txt"), at("r"), "--resume", "--level", "word"), []string{"--resume: ", "--level char", "--level word"}},
		"another network": {report(at("a.txt"), at("r"), "--resume", "--hidden", "9"), []string{"--resume: ", "--hidden 8", "--hidden 9"}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit status %d\n%s%s", name, status, stdout, stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(filepath.ToSlash(stderr), filepath.ToSlash(want)) {
				t.Errorf("%s: no %q in %s", name, want, stderr)
			}
		}
	}
	if after := readFiles(t, dir); len(after) != len(before) {
		t.Errorf("%d files, %d before", len(after), len(before))
	} else {
		for name, content := range before {
			if after[name] != content {
				t.Errorf("%s has changed", name)
			}
		}
	}
}

// corpusOf returns what a command printed as JSON, or wrote, about its corpus. Its second
// value is the rest that a person sees.
func corpusOf(t *testing.T, args []string, stdin string) (c lm.Corpus, seen string) {
	t.Helper()
	status, stdout, stderr := runArgs(stdin, args...)
	if status != 0 {
		t.Fatalf("%q: exit status %d\n%s%s", args, status, stdout, stderr)
	}
	seen = strings.Join(strings.Fields(stdout), " ") // lines break anywhere
	out := func(flag string) string { return args[slices.Index(args, flag)+1] }
	decode := func(b []byte, v any) {
		t.Helper()
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
	}
	switch args[0] {
	case "train", "eval":
		if _, stdout, _ = runArgs(stdin, append(args, "--json")...); args[0] == "eval" {
			var e lm.Evaluation
			decode([]byte(stdout), &e)
			return lm.Corpus{Name: e.Corpus, SHA256: e.SHA256, Tokens: e.Tokens, BadBytes: int64(e.BadBytes), LeftOut: e.LeftOut, FirstLeftOut: e.FirstLeftOut}, seen
		}
		var r trainResult
		decode([]byte(stdout), &r)
		return r.Corpus, seen
	case "ram":
		b, err := os.ReadFile(out("--json"))
		if err != nil {
			t.Fatal(err)
		}
		var r study.LevelResult
		decode(b, &r)
		return r.Corpus, seen
	}
	return readResults(t, out("--out")).Corpora[0], seen
}

// Every command reads several corpora in their order, as one text, and says what it left
// out of a folder.
func TestEveryCommandReadsSeveralCorpora(t *testing.T) {
	manyCommands(t)
	one, two, three := sentences(30, "Anna"), sentences(30, "Bob"), sentences(30, "Cem")
	dir := writeFiles(t, map[string]string{"one,a.txt": one, "folder/two.txt": two, "folder/left.txt": "\x00", "folder/out.csv": "x"})
	at := func(name string) string { return filepath.Join(dir, name) }
	whole := filepath.Join(writeFiles(t, map[string]string{"whole.txt": one + two + three}), "whole.txt")
	want := text.New(whole, []byte(one+two+three))
	model := trainNgram(t, whole)
	for name, args := range corpusCommands(t.TempDir(), model) {
		args := slices.Concat(args, map[string][]string{"eval": {"--split", "all"}}[name])
		got, seen := corpusOf(t, append(args, "--corpus", at("one,a.txt"), "--corpus", at("folder"), "--corpus", "-"), three)
		if got.SHA256 != want.SHA256 || got.Tokens != len(want.Data) {
			t.Errorf("%s: corpus %+v, want the %d bytes of one file, SHA-256 %s", name, got, len(want.Data), want.SHA256)
		}
		names := at("one,a.txt") + ", " + at("folder") + ", standard input"
		if got.Name != names || got.LeftOut != 2 || got.FirstLeftOut != at("folder/left.txt") {
			t.Errorf("%s: corpus %+v, want the name %q", name, got, names)
		}
		for _, said := range []string{names, "2 files of the corpus folder are left out, the first", "left.txt"} {
			if !strings.Contains(seen, said) {
				t.Errorf("%s: no %q in %s", name, said, seen)
			}
		}
		status, stdout, stderr := runArgs("", append(args, "--corpus", "-", "--corpus", whole, "--corpus", "-")...)
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--corpus: ") {
			t.Errorf("%s of standard input, twice: exit status %d\n%s%s", name, status, stdout, stderr)
		}
	}
}

// Every command reads what compressed data and other encodings hold, and refuses what is
// no text unless it is told otherwise.
func TestEveryCommandTellsTextFromOtherFiles(t *testing.T) {
	manyCommands(t)
	source := sentences(60, "Zoë")
	tokens := int64(utf8.RuneCountInString(source))
	utf16, latin1 := "\xff\xfe", ""
	for _, r := range source {
		utf16 += string([]byte{byte(r), byte(r >> 8)})
		latin1 += string([]byte{byte(r)})
	}
	dir := writeFiles(t, map[string]string{
		"plain": source, "mark": "\xef\xbb\xbf" + source, "utf16": utf16, "gzip": gzipped(t, source),
		"latin1": latin1, "nul": source + "\x00", "headless": utf16[2:],
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	model := trainNgram(t, at("plain"))
	for name, args := range corpusCommands(t.TempDir(), model) {
		args := slices.Concat(args, map[string][]string{"eval": {"--split", "all"}}[name])
		for _, form := range []string{"plain", "mark", "utf16", "gzip"} {
			if name == "ram" || name == "report" {
				break // they take longer, and read as the others do
			}
			if got, _ := corpusOf(t, append(args, "--corpus", at(form)), ""); int64(got.Tokens) != tokens || got.BadBytes != 0 {
				t.Errorf("%s of %s: corpus %+v, want %d characters", name, form, got, tokens)
			}
		}
		for _, form := range []string{"latin1", "nul", "headless"} {
			status, stdout, stderr := runArgs("", append(args, "--corpus", at(form))...)
			if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--corpus: ") || !strings.Contains(stderr, " % of its bytes are bad") || !strings.Contains(stderr, "or --force-text to read it as it is") {
				t.Errorf("%s of %s: exit status %d\n%s%s", name, form, status, stdout, stderr)
			}
		}
		if got, _ := corpusOf(t, append(args, "--corpus", at("latin1"), "--force-text"), ""); got.BadBytes == 0 || int64(got.Tokens) != tokens {
			t.Errorf("%s, forced: corpus %+v, want %d characters", name, got, tokens)
		}
	}

	// score reads lines as they come, with the same figures.
	_, want, wantTotal := runArgs(source, "score", model)
	for _, form := range []string{"mark", "utf16", "gzip"} {
		raw, err := os.ReadFile(at(form))
		if err != nil {
			t.Fatal(err)
		}
		if status, got, total := runArgs(string(raw), "score", model); status != 0 || got != want || total != wantTotal {
			t.Errorf("score of %s: exit status %d\n%s%s", form, status, got, total)
		}
	}
	if status, _, stderr := runArgs(gzipped(t, source)[:40], "score", model); status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "cut off") {
		t.Errorf("score of half a file: exit status %d\n%s", status, stderr)
	}
}

func TestEvalNeedsACorpus(t *testing.T) {
	status, stdout, stderr := runArgs("", "eval", trainNgram(t, writeText(t)))
	if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--corpus: there is no text to score: give a file") {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
}

func TestCorpusOfUnknownWordsAlone(t *testing.T) {
	path := filepath.Join(writeFiles(t, map[string]string{"a.txt": strings.Repeat("<unk> ", 200)}), "a.txt")
	for name, args := range corpusCommands(t.TempDir(), "") {
		if name == "eval" {
			continue
		}
		status, stdout, stderr := runArgs("", append(args, "--level", "word", "--corpus", path)...)
		if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--corpus: ") || !strings.Contains(stderr, "is <unk> alone") {
			t.Errorf("%s: exit status %d\n%s%s", name, status, stdout, stderr)
		}
	}
}

// The texts of validation and test are read and kept as the corpus is.
func TestPartsAreCorpora(t *testing.T) {
	source := sentences(60, "Zoë")
	latin1 := ""
	for _, r := range source {
		latin1 += string([]byte{byte(r)})
	}
	dir := writeFiles(t, map[string]string{"corpus.txt": source, "folder/a.txt.gz": gzipped(t, source), "folder/b.txt": latin1, "latin1": latin1})
	at := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"train", "--kind", "ngram", "--order", "2", "--corpus", at("corpus.txt")}
	for _, flag := range []string{"--valid", "--test"} {
		status, stdout, stderr := runArgs("", append(args, "--out", at("m.lm"), flag, at("latin1"))...)
		if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, flag+": ") || !strings.Contains(stderr, "or --force-text") {
			t.Errorf("%s: exit status %d\n%s%s", flag, status, stdout, stderr)
		}
		if status, _, stderr := runArgs("", append(args, "--out", at("m.lm"), flag, at("latin1"), "--force-text")...); status != 0 {
			t.Errorf("%s, forced: exit status %d\n%s", flag, status, stderr)
		}
		if status, stdout, stderr := runArgs("", append(args, "--out", at("folder/m.lm"), flag, at("folder"))...); status != 0 || !strings.Contains(stdout, "b.txt") {
			t.Errorf("%s of a folder: exit status %d\n%s%s", flag, status, stdout, stderr)
		}
		for _, onto := range []string{"folder/a.txt.gz", "folder/new.txt"} {
			for _, output := range [][]string{{"--out", at(onto)}, {"--out", at("m.lm"), "--json=" + at(onto)}} {
				status, stdout, stderr := runArgs("", slices.Concat(args, output, []string{flag, at("folder")})...)
				if status != 2 || stdout != "" || !strings.Contains(stderr, "belong") {
					t.Errorf("%s, %q: exit status %d\n%s%s", flag, output, status, stdout, stderr)
				}
			}
		}
	}
	if before, err := os.ReadFile(at("folder/a.txt.gz")); err != nil || string(before) != gzipped(t, source) {
		t.Errorf("the text has changed, error %v", err)
	}
}

// The file that is standard input is never overwritten.
func TestScoreKeepsItsInput(t *testing.T) {
	model := trainNgram(t, writeText(t))
	path := filepath.Join(writeFiles(t, map[string]string{"in.txt": "a line\n"}), "in.txt")
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer func(old *os.File) { os.Stdin = old }(os.Stdin)
	os.Stdin = in
	status, stdout, stderr := runArgs("a line\n", "score", model, "--json", path)
	if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--json: ") {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != "a line\n" {
		t.Errorf("standard input is %q now, error %v", after, err)
	}
}
