package text

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestMinCount(t *testing.T) {
	// 20 words, 18 of them for training: a 5, b 4, c and d 2, the rest 1.
	const words = "b a c a d b a e c b a f a g d h b i x a"
	for _, tc := range []struct {
		max, min int
		vocab    string
	}{
		{0, 0, "<unk> a b c d e f g h i"},
		{0, 1, "<unk> a b c d e f g h i"},
		{0, 2, "<unk> a b c d"},
		{4, 2, "<unk> a b c"},
		{6, 3, "<unk> a b"},
	} {
		c := build(t, words, Options{Level: Word, MaxVocab: tc.max, MinCount: tc.min})
		if got := strings.Join(tokensOf(c.Vocab), " "); got != tc.vocab {
			t.Errorf("at most %d, seen %d times: vocabulary %q, want %q", tc.max, tc.min, got, tc.vocab)
		}
	}
	for _, min := range []int{-1, 6} {
		if _, err := Build(New("words", []byte(words)), Options{Level: Word, MinCount: min}); err == nil || !strings.Contains(err.Error(), "times") {
			t.Errorf("seen %d times: error %v", min, err)
		}
	}
}

func TestRareAndUnknownTokens(t *testing.T) {
	const words = "b a c a d b a e c b a f a g d h b i a a"
	for _, tc := range []struct {
		opt           Options
		rare, testUnk string
	}{
		{Options{Level: Word}, "e f g h i", ""},
		{Options{Level: Word, MinCount: 2}, "e f g h i", ""},
		{Options{Level: Word, MaxVocab: 3}, "c d e c f g d h i", ""},
	} {
		c := build(t, words, tc.opt)
		if got := strings.Join(c.Rare, " "); got != tc.rare {
			t.Errorf("%+v: rare %q, want %q", tc.opt, got, tc.rare)
		}
		if got := strings.Join(c.TestUnk, " "); got != tc.testUnk {
			t.Errorf("%+v: unknown in the test split %q", tc.opt, got)
		}
	}
	// Where nothing is rare, what is seen least often.
	c := build(t, strings.Repeat("a a b b b ", 8)+"new a z <unk>", Options{Level: Word})
	if got := strings.Join(c.Rare, ""); got != strings.Repeat("a", 16) {
		t.Errorf("rare %q, want only a", got)
	}
	if !slices.Equal(c.TestUnk, []string{"z", "<unk>"}) {
		t.Errorf("unknown in the test split %q", c.TestUnk)
	}
	raw := []byte("a z\xff b <unk>")
	if got := c.Vocab.Unknown(Word, raw); !slices.Equal(got, []string{"z\ufffd", "<unk>"}) {
		t.Errorf("unknown %q", got)
	}
	if !c.Vocab.Has([]byte("a")) || !c.Vocab.Has([]byte("<unk>")) || c.Vocab.Has([]byte("z")) {
		t.Error("Has is wrong")
	}
}

// Rare tokens are bounded: those of a text that does not fit memory would not fit either.
func TestMostRare(t *testing.T) {
	var b strings.Builder
	for i := range mostRare + mostRare/5 {
		b.WriteString("a b" + strconv.Itoa(i) + " ")
	}
	c := build(t, b.String(), Options{Level: Word, MaxVocab: 2})
	if len(c.Rare) != mostRare || c.Rare[0] != "b0" || c.Rare[mostRare-1] != "b"+strconv.Itoa(mostRare-1) {
		t.Errorf("%d rare tokens", len(c.Rare))
	}
}
