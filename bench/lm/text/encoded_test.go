package text

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// small makes chunks and files as small as they may be.
func small(t *testing.T, chunk int) {
	t.Helper()
	beforeChunk, beforeFile := chunkBytes, fileTokens
	chunkBytes, fileTokens = chunk, fileUnit
	t.Cleanup(func() { chunkBytes, fileTokens = beforeChunk, beforeFile })
}

// write writes a corpus into a new folder and opens it.
func write(t *testing.T, e Encoding) (*Encoded, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "corpus")
	e.Told = func(int64, float64) {}
	if _, err := e.Write(context.Background(), dir); err != nil {
		if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		return nil, err
	}
	s, err := OpenEncoded(filepath.Join(dir, IndexName))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.Check(0, s.TrainTokens()), s.CheckHeldOut()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s, nil
}

// buildOf is what Build makes of the texts of e.
func buildOf(t *testing.T, e Encoding) (*Corpus, *Text, error) {
	t.Helper()
	opt := e.Options
	text, err := e.Text.Read(e.Stdin)
	if err != nil {
		return nil, nil, err
	}
	for _, own := range []struct {
		name string
		in   Input
		to   **Text
	}{{"Valid", e.ValidText, &opt.Valid}, {"Test", e.TestText, &opt.Test}} {
		if len(own.in.Paths) > 0 {
			if *own.to, err = own.in.Read(nil); err != nil {
				return nil, nil, &PartError{Part: own.name, Err: err}
			}
		}
	}
	c, err := Build(text, opt)
	return c, text, err
}

// sameCorpus compares all of two corpora.
func sameCorpus(t *testing.T, got, want *Corpus) {
	t.Helper()
	if !slices.Equal(tokensOf(got.Vocab), tokensOf(want.Vocab)) {
		t.Errorf("vocabulary %q, want %q", tokensOf(got.Vocab), tokensOf(want.Vocab))
	}
	for _, part := range []struct {
		name      string
		got, want []int32
	}{{"training", got.Train, want.Train}, {"validation", got.Valid, want.Valid}, {"test", got.Test, want.Test}} {
		if !slices.Equal(part.got, part.want) {
			t.Errorf("%s part of %d ids, want %d, or other ones", part.name, len(part.got), len(part.want))
		}
	}
	if !slices.Equal(got.Rare, want.Rare) || !slices.Equal(got.TestUnk, want.TestUnk) {
		t.Errorf("%d rare tokens and %d unknown, want %d and %d, or other ones", len(got.Rare), len(got.TestUnk), len(want.Rare), len(want.TestUnk))
	}
	if !slices.Equal(got.Counts(), (&Corpus{Vocab: want.Vocab, Train: want.Train}).Counts()) {
		t.Error("other counts")
	}
	strip := func(c *Corpus) string {
		d := *c
		d.Vocab, d.Train, d.Valid, d.Test, d.Rare, d.TestUnk, d.counts = nil, nil, nil, nil, nil, nil, nil
		return fmt.Sprintf("%+v", d)
	}
	if strip(got) != strip(want) {
		t.Errorf("%s\nwant %s", strip(got), strip(want))
	}
}

// textFolder writes files, given by name.
func textFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func inUTF16(s string) string {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// verse is a text of n lines with rare words, characters of all lengths and odd blanks.
func verse(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "the cat\u00a0sat  on mat %d,\u2003naïve 語 😀\t\x0bof w%d\r\n", i%7, i*i%61)
		if i%5 == 0 {
			b.WriteString("\n \n")
		}
	}
	return b.String()
}

// The ids in files are those of Build, for all options and sources.
func TestEncodedIsBuild(t *testing.T) {
	dir := textFolder(t, map[string]string{
		"0.txt": "mat sat cat \x00 the on", // no text: its words are taken back
		"a.txt": verse(40), "b.md": strings.TrimSpace(verse(9)), "sub/c.txt": "first of c" + verse(3), "empty.txt": "", "d.bin": "x",
		"e.txt": "\xef\xbb\xbfwith a mark", "f.txt": inUTF16(verse(5) + "no end"), "g.txt.gz": gzipped(verse(8) + "gz"),
		"bad.txt": verse(30) + "na\xefve \xe8\xaa", "h.txt": "only the unknown <unk> word", "null.txt": "new words \x00 here\n", "latin.txt": strings.Repeat("d\xe9j\xe0 vu ", 20),
		"marks.txt":   "fine\n</s> <s>" + strings.Repeat(" \xe9\xe0", 20), // no text, so that its marks don't matter
		"valid/v.txt": verse(4) + "unseen", "test/t.txt": "the unseen dog sat\non mat 1," + strings.Repeat(" z", 30),
		"line.txt": "one two three four five six seven eight nine ten\n" + strings.Repeat("a b c\n", 30) + "last",
	})
	at := func(names ...string) Input {
		var in Input
		for _, name := range names {
			in.Paths = append(in.Paths, filepath.Join(dir, name))
		}
		return in
	}
	forced := at("latin.txt", "null.txt", "a.txt")
	forced.Force = true
	known := build(t, "the cat sat on a mat "+strings.Repeat("the ", 30), Options{Level: Word}).Vocab
	marked := build(t, "the cat sat\non a mat\n"+strings.Repeat("the\n", 30), Options{Level: Sentence}).Vocab
	for name, in := range map[string]Input{
		"file": at("a.txt"), "folder": {Paths: []string{dir}}, "several": at("b.md", "e.txt", "f.txt", "g.txt.gz", "h.txt", "a.txt"),
		"bad": at("bad.txt"), "forced": forced, "stdin": {Paths: []string{"-"}}, "line": at("line.txt"),
	} {
		for _, level := range []Level{Char, Word, Sentence} {
			options := []Options{
				{}, {MaxVocab: 12}, {MinCount: 2}, {MaxVocab: 7, MinCount: 3}, {Uncut: Uncut{Test: true}}, {Uncut: Uncut{Valid: true}}, {Uncut: Uncut{Valid: true, Test: true}},
			}
			if level == Word {
				options = append(options, Options{Vocab: known})
			}
			if level == Sentence {
				options = append(options, Options{Vocab: marked})
			}
			for i, opt := range options {
				for own := range 4 {
					few := name != "file" && name != "folder"
					if own > 0 && (i > 0 || few) || i > 2 && i < len(options)-1 && few {
						continue
					}
					opt.Level = level
					e := Encoding{Options: opt, Text: in}
					if own&1 != 0 {
						e.ValidText = at("valid/v.txt")
					}
					if own&2 != 0 {
						e.TestText = at("test/t.txt")
					}
					t.Run(fmt.Sprintf("%s/%v/%d/%d", name, level, i, own), func(t *testing.T) {
						small(t, []int{7, 64, 1 << 10}[(i+own)%3])
						stdin := func() { e.Stdin = strings.NewReader(verse(33) + "the end") }
						stdin()
						want, source, err := buildOf(t, e)
						stdin()
						s, gotErr := write(t, e)
						if fmt.Sprint(err) != fmt.Sprint(gotErr) {
							t.Fatalf("error %v, want %v", gotErr, err)
						}
						if err != nil {
							return
						}
						sameCorpus(t, s.Corpus, want)
						if s.LeftOut != source.LeftOut || s.FirstLeftOut != source.FirstLeftOut {
							t.Errorf("left out %d, %q; want %d, %q", s.LeftOut, s.FirstLeftOut, source.LeftOut, source.FirstLeftOut)
						}
					})
				}
			}
		}
	}
}
