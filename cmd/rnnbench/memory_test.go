package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMemory: --memory gives the same file, also on standard output. It leaves nothing
// else.
func TestMemory(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	text := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(text, []byte(sentences(4000, "Anna")), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"train", "--kind", "ngram", "--level", "word", "--order", "3", "--corpus", text, "--out"}
	train := func(out string, more ...string) string {
		t.Helper()
		status, stdout, stderr := runArgs("", append(append(args[:len(args):len(args)], out), more...)...)
		if status != 0 {
			t.Fatalf("exit status %d\n%s", status, stderr)
		}
		return stdout
	}
	a, b := filepath.Join(dir, "a.lm"), filepath.Join(dir, "b.lm")
	train(a)
	train(b, "--memory", "2M")
	want, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(b)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the files differ, error %v", err)
	}
	if got := train("-", "--memory", "2M"); got != string(want) {
		t.Error("standard output differs")
	}
	if left := leftIn(t, dir, "a.txt", "a.lm", "b.lm") + leftIn(t, tmp); left != "" {
		t.Errorf("left behind: %s", left)
	}
	for _, test := range []struct{ flags, want string }{
		{"--memory 1K", "--memory: 1.0 KiB are too few: the tokens of the text take"},
		{"--memory 1K", "or as --corpus what rnnbench encode has made of the text"},
		{"--memory 2M --store map", "--store: a model in a map is made in one piece, not within --memory"},
		{"--memory 999999T", "--memory: "},
		{"--memory 2M --kind rnn", "--memory: only the estimate of an n-gram model is kept within a memory: leave it out, or give --kind ngram"},
	} {
		flags := strings.Fields(test.flags)
		call := append(append(args[:len(args):len(args)], filepath.Join(dir, "no.lm")), flags...)
		if strings.HasSuffix(test.flags, "rnn") {
			call = append([]string{"train", "--corpus", text, "--out", filepath.Join(dir, "no.lm")}, flags...)
		}
		status, stdout, stderr := runArgs("", call...)
		if status != exitMisuse || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit status %d, %q, want %q", test.flags, status, stderr, test.want)
		}
	}
}
