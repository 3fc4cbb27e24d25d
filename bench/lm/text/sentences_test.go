package text

import (
	"slices"
	"strings"
	"testing"
)

func TestSentences(t *testing.T) {
	vocab, ids, err := NewSentences(New("text", []byte("b a b\n\n  a\tc \r\nx\u00a0y a")))
	if err != nil {
		t.Fatal(err)
	}
	const b, a, c, xy = 3, 4, 5, 6
	if want := []int32{b, a, b, End, End, a, c, End, xy, a, End}; !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
	for id, want := range []string{UnkToken, StartToken, EndToken, "b", "a", "c", "x\u00a0y"} {
		if got := vocab.Token(int32(id)); got != want || vocab.ID(got) != int32(id) {
			t.Errorf("token %d is %q with id %d, want %q", id, got, vocab.ID(got), want)
		}
	}
	ids, err = vocab.Sentences(New("more", []byte("c new b\n")))
	if want := []int32{c, Unk, b, End}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("ids %v, error %v, want %v", ids, err, want)
	}
	if vocab.Len() != 7 {
		t.Errorf("more text made the vocabulary grow to %d", vocab.Len())
	}
}

func TestSentencesOfOneLine(t *testing.T) {
	for text, want := range map[string]int{
		"\n":                                1,
		"a":                                 2,
		"a\n":                               2,
		"a a a a":                           5,
		strings.Repeat("ab ", 1<<20) + "\n": 1<<20 + 1,
	} {
		_, ids, err := NewSentences(New("line", []byte(text)))
		if err != nil || len(ids) != want {
			t.Errorf("%.10q: %d ids, error %v, want %d", text, len(ids), err, want)
		}
	}
}

func TestSentencesErrors(t *testing.T) {
	vocab, _, err := NewSentences(New("text", []byte("a b\n")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{"", `corpus "bad" has no sentences`},
		{"a\nb <unk> a\n", `corpus "bad", line 2: <unk> is no word`},
		{"a\n\n\n<s> a\n", `corpus "bad", line 4: <s> is no word`},
		{"a </s>", `corpus "bad", line 1: </s> is no word`},
	} {
		text := New("bad", []byte(c.text))
		if _, _, err := NewSentences(text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewSentences of %q: error %v, want one with %q", c.text, err, c.want)
		}
		if _, err := vocab.Sentences(text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Sentences of %q: error %v, want one with %q", c.text, err, c.want)
		}
	}
	if _, _, err := NewSentences(New("good", []byte("<unk>s <S> s> UNK\n"))); err != nil {
		t.Errorf("words that only look alike: %v", err)
	}
}
