package text

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sentencesOf makes a corpus of sentences that are all for training.
func sentencesOf(t *testing.T, train, test string) *Corpus {
	t.Helper()
	return build(t, train, Options{Level: Sentence, Test: New("more", []byte(test)), Uncut: Uncut{Valid: true}})
}

func TestSentences(t *testing.T) {
	c := sentencesOf(t, "b a b\n\n  a\tc \r\nx\u00a0y a", "c new b\n")
	const a, b, cc, xy = 3, 4, 5, 6 // the most frequent first
	if want := []int32{b, a, b, End, End, a, cc, End, xy, a, End}; !slices.Equal(c.Train, want) {
		t.Errorf("ids %v, want %v", c.Train, want)
	}
	for id, want := range []string{UnkToken, StartToken, EndToken, "a", "b", "c", "x\u00a0y"} {
		if got := c.Vocab.Token(int32(id)); got != want || c.Vocab.ID(got) != int32(id) {
			t.Errorf("token %d is %q with id %d, want %q", id, got, c.Vocab.ID(got), want)
		}
	}
	if want := []int32{cc, Unk, b, End}; !slices.Equal(c.Test, want) || !slices.Equal(c.TestUnk, []string{"new"}) || len(c.Valid) != 0 {
		t.Errorf("test ids %v, unknown %q, want %v", c.Test, c.TestUnk, want)
	}
	if m, ok := c.Vocab.Marks(); !ok || m != (Marks{Start, End}) || c.Vocab.Start(Sentence) != Start {
		t.Errorf("marks %v, %t", m, ok)
	}
	if slices.Contains(c.Rare, EndToken) || !slices.Contains(c.Rare, "c") {
		t.Errorf("rare words %q", c.Rare)
	}
	if c.BeforeTest() != nil {
		t.Errorf("a text of its own follows %v", c.BeforeTest())
	}
}

func TestSentencesOfOneLine(t *testing.T) {
	for text, want := range map[string]int{
		"a":                                 2,
		"a\n":                               2,
		"a a a a":                           5,
		strings.Repeat("ab ", 1<<20) + "\n": 1<<20 + 1,
	} {
		c := sentencesOf(t, text, text)
		if len(c.Train) != want || !slices.Equal(c.Train, c.Test) {
			t.Errorf("%.10q: %d ids, want %d", text, len(c.Train), want)
		}
	}
	if c := sentencesOf(t, "a", "\n"); !slices.Equal(c.Test, []int32{End}) {
		t.Errorf("an empty line has the ids %v", c.Test)
	}
}

func TestSentencesErrors(t *testing.T) {
	good := New("good", []byte("a b\n"))
	for _, c := range []struct{ text, want string }{
		{"", `corpus "bad" has too few tokens (0`},
		{"a\n\n\n<s> a\n", `corpus "bad", line 4: <s> marks a sentence`},
		{"a </s>", `corpus "bad", line 1: </s> marks a sentence`},
	} {
		bad := New("bad", []byte(c.text))
		if _, err := Build(bad, Options{Level: Sentence, Test: good, Uncut: Uncut{Valid: true}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("training on %q: error %v, want one with %q", c.text, err, c.want)
		}
		for part, opt := range map[string]Options{"Valid": {Valid: bad}, "Test": {Test: bad}} {
			opt.Level, opt.Uncut = Sentence, Uncut{Valid: true, Test: true}
			_, err := Build(good, opt)
			if e, ok := err.(*PartError); !ok || e.Part != part || !strings.Contains(e.Error(), c.want) {
				t.Errorf("%s of %q: error %v, want one with %q", part, c.text, err, c.want)
			}
		}
	}
	for text, want := range map[string]string{
		strings.Repeat("\n", 50):   "no words",
		strings.Repeat("a ", 50):   "too few lines",
		strings.Repeat("a\n", 9):   "too few tokens to split (18",
		strings.Repeat("a b\n", 2): "too few tokens to split",
	} {
		if _, err := Build(New("bad", []byte(text)), Options{Level: Sentence}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v, want one with %q", text, err, want)
		}
	}
	if c := sentencesOf(t, "<unk>s <S> s> UNK <unk>\n", "a"); c.Train[4] != Unk || c.Train[0] == Unk {
		t.Errorf("words that look like marks: %v", c.Train)
	}
	if _, err := Build(good, Options{Level: Sentence, MaxVocab: 3}); err == nil || !strings.Contains(err.Error(), "4 or more") {
		t.Errorf("a vocabulary of marks: error %v", err)
	}
}

// TestSplitKeepsSentences: the parts hold whole sentences, in order, and a cut moves to
// the start of the sentence that it falls in.
func TestSplitKeepsSentences(t *testing.T) {
	for _, lines := range [][]int{{10, 10, 10, 10}, {1, 1, 40, 1, 1}, {30, 2, 2}, slices.Repeat([]int{3}, 100), {2, 2, 60}} {
		var s strings.Builder
		for i, words := range lines {
			s.WriteString(strings.Repeat(fmt.Sprintf("w%d ", i), words) + "\n")
		}
		source := New("lines", []byte(s.String()))
		c, err := Build(source, Options{Level: Sentence})
		if err != nil {
			t.Fatalf("%v: %v", lines, err)
		}
		whole := sentencesOf(t, s.String(), "a")
		var joined []string
		for _, part := range [][]int32{c.Train, c.Valid, c.Test} {
			if len(part) == 0 || part[len(part)-1] != End {
				t.Fatalf("%v: parts %v, %v and %v", lines, c.Train, c.Valid, c.Test)
			}
		}
		for _, id := range whole.Train {
			joined = append(joined, whole.Vocab.Token(id))
		}
		if n := len(c.Train) + len(c.Valid) + len(c.Test); n != len(joined) {
			t.Errorf("%v: %d tokens in parts, %d in all", lines, n, len(joined))
		}
		train, valid, test := c.Vocab.Split(Sentence, c.Vocab.Encode(nil, Sentence, source.Data), Uncut{})
		if !slices.Equal(train, c.Train) || !slices.Equal(valid, c.Valid) || !slices.Equal(test, c.Test) {
			t.Errorf("%v: Split and Build differ", lines)
		}
	}
}

// TestUncut: a part that is not cut off leaves its tokens to training.
func TestUncut(t *testing.T) {
	s := strings.Repeat("a b c d e f g h i\n", 40)
	for _, level := range []Level{Char, Word, Sentence} {
		total := level.count([]byte(s))
		part := total / heldOut
		own := New("own", []byte("a b\n"))
		n := level.count(own.Data)
		for _, test := range []struct {
			opt                Options
			train, valid, test int
		}{
			{Options{Uncut: Uncut{Valid: true, Test: true}}, total, 0, 0},
			{Options{Uncut: Uncut{Test: true}}, total - part, part, 0},
			{Options{Uncut: Uncut{Valid: true}}, total - part, 0, part},
			{Options{Valid: own, Test: own}, total, n, n},
			{Options{Test: own}, total - part, part, n},
			{Options{Valid: own}, total - part, n, part},
		} {
			test.opt.Level = level
			c := build(t, s, test.opt)
			if len(c.Train) != test.train || len(c.Valid) != test.valid || len(c.Test) != test.test {
				t.Errorf("%v, %+v: %d, %d and %d tokens, want %d, %d and %d", level, test.opt, len(c.Train), len(c.Valid), len(c.Test), test.train, test.valid, test.test)
			}
			if uncut := c.BeforeTest() == nil; uncut != (test.opt.Test != nil || test.opt.Uncut.Test) {
				t.Errorf("%v, %+v: the test follows %d tokens", level, test.opt, len(c.BeforeTest()))
			}
			if uncut := c.BeforeValid() == nil; uncut != (test.opt.Valid != nil || test.opt.Uncut.Valid) {
				t.Errorf("%v, %+v: the validation follows %d tokens", level, test.opt, len(c.BeforeValid()))
			}
		}
	}
}

// TestBytes: tokens have the bytes of a text with single blanks.
func TestBytes(t *testing.T) {
	s := "the dög sat\n\nthe end\n"
	for _, level := range []Level{Char, Word, Sentence} {
		c := build(t, strings.Repeat("the end ", 20), Options{Level: level, Uncut: Uncut{Valid: true, Test: true}})
		ids := c.Vocab.Encode(nil, level, []byte(s))
		want := len(s)
		if level == Word {
			want-- // it has no empty lines
		}
		if got := c.Vocab.Bytes(level, ids, c.Vocab.Unknown(level, []byte(s))); got != want {
			t.Errorf("%v: %d bytes, want %d", level, got, want)
		}
	}
}
