package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm"
	"batchrnn/kernels"
)

func TestVersion(t *testing.T) {
	status, stdout, stderr := runArgs("", "--version")
	if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "rnnbench  ") || !strings.Contains(stdout, "go        go") || !strings.Contains(stdout, "kernels   ") {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	var b strings.Builder
	printVersion(&b, &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"}}})
	if out := b.String(); !strings.Contains(out, "v1.2.3") || !strings.Contains(out, "abc123, changed since 2026-01-02T03:04:05Z") {
		t.Error(out)
	}
	t.Setenv(kernels.EnvISA, "sse9")
	if status, stdout, _ := runArgs("", "--version"); status != 0 || !strings.Contains(stdout, "sse9") {
		t.Errorf("with an unknown set: exit status %d\n%s", status, stdout)
	}
}

func TestInspect(t *testing.T) {
	text := writeText(t)
	for _, file := range trainModels(t, text) {
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := runArgs("", "inspect", file)
		if status != 0 || stderr != "" {
			t.Errorf("exit status %d\n%s", status, stderr)
		}
		for _, want := range []string{"model     ", "tokens    ", "trained   ", "options   ", "seed 1", "corpus    ", "file      ", "configuration", "CRC-32C", "<unk>"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("no %q in\n%s", want, stdout)
			}
		}
		status, stdout, _ = runArgs("", "inspect", file, "--json")
		var i inspection
		decodeStrictly(t, stdout, &i)
		bytes := int64(12) // magic and version
		for _, s := range i.Sections {
			bytes += s.Bytes + 8 + 4
		}
		if status != 0 || i.Bytes != int64(len(before)) || bytes != i.Bytes || i.Version != 1 || i.ModelVersion < 1 || i.ModelVersion > 50 || len(i.SHA256) != 64 || len(i.FirstTokens) == 0 || i.FirstTokens[0] != "<unk>" {
			t.Errorf("%+v, sections of %d bytes", i, bytes)
		}
		if rnn := i.Model.Kind == lm.RNN; rnn != (i.Parameters > 0) || rnn == (len(i.Ngrams) > 0) || len(i.Ngrams) != i.Model.Order {
			t.Errorf("%+v", i)
		}
	}
}

// A model of another version says which it has, and which are read.
func TestModelsOfOtherVersions(t *testing.T) {
	text := writeText(t)
	dir := t.TempDir()
	for _, kind := range []string{"ngram", "rnn"} {
		file := filepath.Join(dir, kind+".lm")
		args := []string{"train", "--corpus", text, "--kind", kind, "--out", file}
		if kind == "rnn" {
			args = append(args, "--hidden", "4", "--epochs", "1")
		}
		if status, _, stderr := runArgs("", args...); status != 0 {
			t.Fatal(stderr)
		}
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		magic := map[string]string{"ngram": "\x89NGRAM\r\n", "rnn": "\x89RNNLM\r\n"}[kind]
		for part, reads := range map[string]string{
			"\x89BLM\r\n\x1a\n": "version 77: this program reads version 1",
			magic:               map[string]string{"ngram": "version 77: this program reads version 2", "rnn": "version 77: this program reads versions 3 to 5"}[kind],
		} {
			other := slices.Clone(whole)
			at := strings.Index(string(other), part) + len(part)
			other[at] = 77
			path := filepath.Join(dir, "other.lm")
			if err := os.WriteFile(path, other, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"inspect"}, {"eval", "--corpus", text}, {"sample"}, {"score"}, {"rescore"}, {"export", "--out", filepath.Join(dir, "x")}} {
				status, stdout, stderr := runArgs("a line", append(args, path)...)
				if status != exitFailure || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, reads) || !strings.Contains(stderr, "train it again") || !strings.Contains(stderr, path) {
					t.Errorf("%v: exit status %d, %q", args, status, stderr)
				}
			}
		}
	}
}

// completionScript returns the script for a shell, in a file.
func completionScript(t *testing.T, shell string) string {
	t.Helper()
	status, stdout, stderr := runArgs("", "completion", shell)
	if status != 0 || stderr != "" {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	file := filepath.Join(t.TempDir(), "completion."+shell)
	if err := os.WriteFile(file, []byte(stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	script := completionScript(t, "bash")
	dir := t.TempDir()
	for _, name := range []string{"book.txt", "book.lm", "my notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"rnnbench re":                  "report rescore",
		"rnnbench --ver":               "--version",
		"rnnbench en":                  "encode",
		"rnnbench encode --vocab-f":    "--vocab-from",
		"rnnbench encode --out boo":    "book.txt book.lm",
		"rnnbench tr":                  "train",
		"rnnbench train --che":         "--checkpoint",
		"rnnbench train --no-ha":       "--no-halve",
		"rnnbench train --level w":     "word",
		"rnnbench train --kind ":       "rnn ngram",
		"rnnbench train --corpus boo":  "book.txt book.lm",
		"rnnbench train --hidden ":     "",
		"rnnbench train --json --quie": "--quiet",
		"rnnbench eval boo":            "book.txt book.lm",
		"rnnbench --quiet eval --spl":  "--split",
		"rnnbench completion f":        "fish",
		"rnnbench train --kind = n":    "ngram", // as bash splits --kind=n
		"rnnbench train --kind =":      "rnn ngram",
		"rnnbench train --corpus = bo": "book.txt book.lm",
		"rnnbench train --corpus my":   "my notes.txt",
		"rnnbench eval my":             "my notes.txt",
		"rnnbench train --init boo":    "book.txt book.lm",
		"rnnbench train --cell ":       "rnn lstm gru gru-reset-before",
		"rnnbench train --store h":     "hash",
		"rnnbench train --optimizer s": "sgd",
		"rnnbench eval m.lm --split v": "valid",
		"rnnbench nothing --":          "",
	} {
		words := strings.Split(line, " ")
		program := `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _rnnbench; printf '%s\n' "${COMPREPLY[@]}"`
		cmd := exec.Command(bash, append([]string{"--norc", "-c", program, "bash", script}, words...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		got, wanted := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' }), strings.Fields(want)
		if strings.HasPrefix(want, "my") {
			wanted = []string{want}
		}
		slices.Sort(got)
		slices.Sort(wanted)
		if err != nil || line != "rnnbench nothing --" && !slices.Equal(got, wanted) {
			t.Errorf("%q completes to %q, want %q (error %v)", line, got, wanted, err)
		}
	}
}

// TestNamedValues: commands take each value that completion offers.
func TestNamedValues(t *testing.T) {
	manyCommands(t)
	text := writeText(t)
	model := smallModel(t, text)
	for flag, call := range map[string][]string{
		"cell":      {"train", "--corpus", text, "--hidden", "4", "--epochs", "0.1", "--out", os.DevNull},
		"optimizer": {"train", "--corpus", text, "--hidden", "4", "--epochs", "0.1", "--rate", "0.01", "--out", os.DevNull},
		"store":     {"train", "--corpus", text, "--kind", "ngram", "--order", "1", "--out", os.DevNull},
		"split":     {"eval", model, "--corpus", text},
	} {
		for _, value := range named[flag] {
			if status, _, stderr := runArgs("", append(call, "--"+flag, value)...); status != exitOK {
				t.Errorf("--%s %s: exit status %d\n%s", flag, value, status, stderr)
			}
		}
	}
	for _, value := range named["smoothing"] { // a run takes seconds
		if _, err := parseSmoothing(value); err != nil {
			t.Error(err)
		}
	}
}

// Every command and every flag of it stands in// Every command and every flag of it stands in every script, and shells take the scripts.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := completionScript(t, shell)
		b, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"ram", "report", "train", "encode", "inspect", "gradients", "completion", "max-order", "full-softmax", "no-halve", "neighbours", "progress"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s: no %s", shell, want)
			}
		}
		if path, err := exec.LookPath(shell); err == nil {
			if out, err := exec.Command(path, "-n", script).CombinedOutput(); err != nil {
				t.Errorf("%s -n: %v\n%s", shell, err, out)
			}
		}
	}
	if status, _, stderr := runArgs("", "completion", "tcsh"); status != exitMisuse || !strings.Contains(stderr, "SHELL: ") {
		t.Errorf("exit status %d, %q", status, stderr)
	}
}
