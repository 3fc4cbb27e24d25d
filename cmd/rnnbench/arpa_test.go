package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestARPA: an n-gram model goes to an ARPA file and comes back, of either level and into
// any store, with the same figures.
func TestARPA(t *testing.T) {
	dir, text := t.TempDir(), writeText(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := runArgs("the quick brown cat\n", args...)
		if status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, stderr)
		}
		return stdout
	}
	for _, level := range []string{"char", "word"} {
		must("train", "--corpus", text, "--kind", "ngram", "--level", level, "--order", "3", "--out", at("a.lm"))
		if out := must("export", at("a.lm"), "--out", at("a.arpa")); !strings.HasPrefix(out, "model    3-gram\nsaved    ") {
			t.Errorf("export prints %q", out)
		}
		score := must("score", at("a.lm"))
		for _, store := range []string{"", "map", "hash", "trie", "quantised"} {
			args := []string{"import", at("a.arpa"), "--out", at("b.lm")}
			want := "model    3-gram"
			if store != "" {
				args = append(args, "--store", store)
			}
			if store != "" && store != "trie" {
				want += " (" + store
			}
			if out := must(args...); !strings.HasPrefix(out, want) || strings.Contains(out, "note") {
				t.Errorf("import prints %q, want it to begin with %q", out, want)
			}
			if got := must("score", at("b.lm")); got != score && store != "quantised" {
				t.Errorf("%s, %s: the line costs %q, was %q", level, store, got, score)
			}
			must("sample", at("b.lm"), "--length", "5")
			must("eval", at("b.lm"), "--corpus", text)
		}
	}

	must("train", "--corpus", text, "--kind", "ngram", "--level", "word", "--sentences", "--all", "--out", at("s.lm"))
	must("export", at("s.lm"), "--out", at("s.arpa"))
	must("import", at("s.arpa"), "--out", at("s2.lm"))
	if got, want := must("score", at("s2.lm")), must("score", at("s.lm")); got != want {
		t.Errorf("sentences: the line costs %q, was %q", got, want)
	}
	// KenLM's own model and figures, whose sum is -30.9168 in log10, 102.7033 in bits.
	must("import", "../../bench/lm/ngram/testdata/kenlm-test.arpa", "--out", at("kenlm.lm"))
	for line := range strings.Lines(must("inspect", at("kenlm.lm"))) {
		if line[0] != ' ' && len(strings.TrimSpace(line)) <= len("options") { // a label alone
			t.Errorf("inspect prints %q", line)
		}
	}
	if status, stdout, _ := runArgs("looking on a little the biarritz not_found more .\n", "score", at("kenlm.lm")); status != 0 || !strings.HasPrefix(stdout, "102.70") {
		t.Errorf("KenLM's model: %q", stdout)
	}
	// Its words have no spelling, so a text with an unknown one has no bits per byte.
	for lines, want := range map[string]bool{"looking on\n": true, "looking on\nnot_found\n": false, "not_found\nlooking on\n": false} {
		if _, _, stderr := runArgs(lines, "score", at("kenlm.lm")); strings.Contains(stderr, "bits per byte") != want {
			t.Errorf("%q: %s", lines, stderr)
		}
	}
	if out := must("sample", at("kenlm.lm"), "--length", "200"); strings.Contains(out, "<s>") || strings.Contains(out, "</s>") {
		t.Errorf("marks in a sample: %q", out)
	}

	raw, err := os.ReadFile(at("a.arpa"))
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(raw, []byte("\t<unk>\t"))
	raw = bytes.Replace(raw, raw[i:i+len("\t<unk>")], []byte("\tother"), 1)
	if err := os.WriteFile(at("none.arpa"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := must("import", at("none.arpa"), "--out", at("b.lm")); !strings.Contains(joined(out), "note the file lists no <unk>: unknown words have a log10 probability of -100") {
		t.Errorf("import prints %q", out)
	}
	must("train", "--corpus", text, "--kind", "ngram", "--store", "hash", "--out", at("hash.lm"))
	if out := must("eval", at("hash.lm"), "--corpus", text); !strings.HasPrefix(out, "model       5-gram (hash), ") {
		t.Errorf("eval prints %q", out)
	}

	for _, test := range []struct {
		name   string
		status int
		want   string
		args   []string
	}{
		{"no ARPA file", 1, `MODEL: "` + text + `": ngram: ARPA file, line `, []string{"import", text, "--out", at("x")}},
		{"a model for it", 1, `no ARPA file: give an ARPA file, or --weights`, []string{"import", at("a.lm"), "--out", at("x")}},
		{"a folder for it", 1, "not a regular file", []string{"import", dir, "--out", at("x")}},
		{"nothing for it", 1, "no such file", []string{"import", at("none"), "--out", at("x")}},
		{"no name", 1, "MODEL", []string{"import", "", "--out", at("x")}},
		{"onto itself", 2, "--out", []string{"import", at("a.arpa"), "--out", at("a.arpa")}},
		{"no name to write to", 2, "--out", []string{"import", at("a.arpa"), "--out", ""}},
		{"a prefix", 2, "--prefix: ", []string{"import", at("a.arpa"), "--prefix", "a", "--out", at("x")}},
		{"another store", 2, `--store: unknown store "disk": choose map, hash, trie or quantised`, []string{"import", at("a.arpa"), "--store", "disk", "--out", at("x")}},
		{"another level", 2, "--level: ", []string{"import", at("a.arpa"), "--level", "byte", "--out", at("x")}},
		{"words as characters", 1, "is no character", []string{"import", at("a.arpa"), "--level", "char", "--out", at("x")}},
		{"another store to train", 2, `--store: unknown store "": choose map, hash, trie or quantised`, []string{"train", "--corpus", text, "--kind", "ngram", "--store", "", "--out", at("x")}},
		{"a store for an RNN", 2, "--store: an RNN has no store: leave it out, or give --kind ngram", []string{"train", "--corpus", text, "--store", "trie", "--out", at("x")}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != test.status || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit status %d, standard output %q, standard error %q, want one line with %q", test.name, status, stdout, stderr, test.want)
		}
	}
	if _, err := os.Stat(at("x")); err == nil {
		t.Error("a file was written all the same")
	}
}
