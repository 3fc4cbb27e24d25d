package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
)

// bookText is a text of 1,500 distinct words, with lines.
const bookText = "../../bench/lm/ngram/testdata/war-and-peace.train.txt"

// TestEncode: a training from ids writes the bits of one from the text.
func TestEncode(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	book, err := os.ReadFile(bookText)
	if err != nil {
		t.Fatal(err)
	}
	must := func(stdin string, args ...string) {
		t.Helper()
		if status, _, stderr := runArgs(stdin, args...); status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, stderr)
		}
	}
	rnn := []string{"--hidden", "8", "--epochs", "0.1", "--threads", "1"}
	grams := []string{"--kind", "ngram", "--order", "3"}
	must("", append([]string{"train", "--corpus", bookText, "--out", at("init.lm"), "--vocab", "40"}, rnn...)...)
	for name, test := range map[string]struct {
		encode []string // and of the training from text
		train  []string // and of that from ids
		again  []string // flags of the training from ids that say what it has
	}{
		"characters":        {nil, rnn, []string{"--level", "char", "--min-count", "1"}},
		"words":             {[]string{"--level", "word", "--vocab", "3000", "--min-count", "1"}, rnn, []string{"--vocab", "3000"}},
		"words, GRU":        {[]string{"--level", "word"}, append([]string{"--cell", "gru"}, rnn...), nil},
		"sentences":         {[]string{"--level", "word", "--sentences"}, rnn, []string{"--level", "word", "--sentences"}},
		"all":               {[]string{"--all"}, rnn, []string{"--all"}},
		"own parts":         {[]string{"--valid", bookText, "--test", bookText}, rnn, nil},
		"n-grams":           {[]string{"--level", "word"}, grams, nil},
		"n-grams of all":    {[]string{"--level", "word", "--sentences", "--all"}, grams, []string{"--all"}},
		"n-grams, own test": {[]string{"--test", bookText}, grams, nil},
		"standard input":    {[]string{"--level", "word", "--corpus", "-"}, rnn, nil},
	} {
		ids, fromIDs, fromText := at(name), at("ids.lm"), at("text.lm")
		if !slices.Contains(test.encode, "--corpus") {
			test.encode = append([]string{"--corpus", bookText}, test.encode...)
		}
		encode := append([]string{"encode", "--out", ids}, test.encode...)
		if test.train[1] == "ngram" {
			encode = append(encode, "--kind", "ngram")
		}
		must(string(book), encode...)
		must(string(book), slices.Concat([]string{"train", "--out", fromText}, test.encode, test.train)...)
		for i, corpus := range []string{ids, filepath.Join(ids, text.IndexName)} {
			args := append([]string{"train", "--out", fromIDs, "--corpus", corpus}, test.train...)
			if i > 0 {
				args = append(args, test.again...)
			}
			must("", args...)
			a, errA := os.ReadFile(fromIDs)
			b, errB := os.ReadFile(fromText)
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s: the models of %s and of the text differ: %v %v", name, corpus, errA, errB)
			}
		}
	}
	// A training that goes on from a model needs its vocabulary.
	must("", "encode", "--corpus", bookText, "--vocab-from", at("init.lm"), "--out", at("known"))
	must("", append([]string{"train", "--corpus", at("known"), "--init", at("init.lm"), "--out", at("ids.lm")}, rnn...)...)
	must("", append([]string{"train", "--corpus", bookText, "--init", at("init.lm"), "--out", at("text.lm")}, rnn...)...)
	a, errA := os.ReadFile(at("ids.lm"))
	b, errB := os.ReadFile(at("text.lm"))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the models that go on differ: %v %v", errA, errB)
	}
}

// What can't be encoded, or can't be trained on, is one line and changes nothing.
func TestEncodeBadInput(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	book := writeText(t)
	for _, args := range [][]string{
		{"encode", "--corpus", book, "--out", at("ids")},
		{"encode", "--corpus", book, "--out", at("words"), "--level", "word", "--min-count", "1"},
		{"encode", "--corpus", book, "--out", at("grams"), "--kind", "ngram", "--all"},
		{"encode", "--corpus", book, "--out", at("damaged")},
		{"train", "--corpus", book, "--hidden", "4", "--epochs", "0.1", "--vocab", "10", "--out", at("small.lm")},
	} {
		if status, _, stderr := runArgs("", args...); status != 0 {
			t.Fatalf("%v: %s", args, stderr)
		}
	}
	ids := idsOf(at("damaged"))
	b, err := os.ReadFile(ids)
	if err != nil {
		t.Fatal(err)
	}
	b[7] ^= 0x40 // of an id
	if err := os.WriteFile(ids, b, 0o600); err != nil {
		t.Fatal(err)
	}
	before := readFiles(t, dir)
	train := func(corpus string, more ...string) []string {
		return append([]string{"train", "--hidden", "4", "--epochs", "0.1", "--out", at("m.lm"), "--corpus", at(corpus)}, more...)
	}
	for _, test := range []struct {
		name   string
		status int
		want   string
		args   []string
	}{
		{"no folder", 2, "--out", []string{"encode", "--corpus", book}},
		{"an empty name", 2, "--out", []string{"encode", "--corpus", book, "--out", ""}},
		{"standard output", 2, "--out", []string{"encode", "--corpus", book, "--out", "-"}},
		{"another folder", 1, "--out", []string{"encode", "--corpus", book, "--out", dir}},
		{"no such place", 1, "--out", []string{"encode", "--corpus", book, "--out", filepath.Join(dir, "x", "y")}},
		{"a missing text", 1, "--corpus", []string{"encode", "--corpus", at("none"), "--out", at("new")}},
		{"ids again", 1, "--corpus", []string{"encode", "--corpus", at("ids"), "--out", at("new")}},
		{"ids to validate", 1, "--valid", []string{"encode", "--corpus", book, "--valid", at("ids"), "--out", at("new")}},
		{"no name to test", 2, "--test", []string{"encode", "--corpus", book, "--test", "", "--out", at("new")}},
		{"a kind", 2, "--kind", []string{"encode", "--corpus", book, "--kind", "tree", "--out", at("new")}},
		{"a vocabulary twice", 2, "--vocab", []string{"encode", "--corpus", book, "--vocab-from", at("small.lm"), "--vocab", "9", "--out", at("new")}},
		{"another level than the model", 2, "--level", []string{"encode", "--corpus", book, "--vocab-from", at("small.lm"), "--level", "word", "--out", at("new")}},
		{"no model", 1, "--vocab-from", []string{"encode", "--corpus", book, "--vocab-from", book, "--out", at("new")}},

		{"another level", 2, "--level: the ids of --corpus are of level char", train("ids", "--level", "word")},
		{"another vocabulary", 2, "--vocab", train("ids", "--vocab", "9")},
		{"another count", 2, "--min-count", train("words", "--min-count", "2")},
		{"another validation", 2, "--valid", train("ids", "--valid", book)},
		{"another test", 2, "--test", train("ids", "--test", book)},
		{"all", 2, "--all", train("ids", "--all")},
		{"another model", 2, "--init", train("ids", "--init", at("small.lm"))},
		{"no validation", 2, "--kind", train("grams")},
		{"damaged", 1, "train-0000.ids", train("damaged")},
		{"ids beside a text", 1, "--corpus", train("ids", "--corpus", book)},
		{"a model over ids", 2, "belongs", []string{"train", "--corpus", at("ids"), "--out", idsOf(at("ids"))}},
		{"JSON over the index", 2, "belongs", train("ids", "--json", filepath.Join(at("ids"), text.IndexName))},
		{"eval", 1, "--corpus", []string{"eval", at("small.lm"), "--corpus", at("ids")}},
		{"eval of the index", 1, "--corpus", []string{"eval", at("small.lm"), "--corpus", filepath.Join(at("ids"), text.IndexName)}},
		{"ram", 1, "--corpus", []string{"ram", "--corpus", at("ids")}},
		{"report", 1, "--corpus", []string{"report", "--corpus", at("ids"), "--out", t.TempDir()}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != test.status || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "rnnbench: ") || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit status %d, want %d; standard output %q, standard error %q, want one line that names %s", test.name, status, test.status, stdout, stderr, test.want)
		}
	}
	after := readFiles(t, dir)
	if len(after) != len(before) {
		t.Errorf("%d files, %d before", len(after), len(before))
	}
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s has changed", name)
		}
	}
}

func idsOf(folder string) string { return filepath.Join(folder, "train-0000.ids") }
