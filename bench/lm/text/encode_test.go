package text

import (
	"slices"
	"testing"
)

func TestEncodeGivesTheIdsOfBuild(t *testing.T) {
	raw := []byte("the cat sat on the m\xfft and the cat sat on the d\u00f6g, on and on and on and on, the end of it all")
	for _, level := range []Level{Char, Word} {
		c, err := Build(New("text", raw), Options{Level: level, MaxVocab: 8})
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Concat(c.Train, c.Valid, c.Test)
		got := c.Vocab.Encode(nil, level, raw)
		if !slices.Equal(got, want) {
			t.Errorf("%v: ids %v, want %v", level, got, want)
		}
		train, valid, test := c.Vocab.Split(level, got, Uncut{})
		if len(train) != len(c.Train) || len(valid) != len(c.Valid) || len(test) != len(c.Test) {
			t.Errorf("%v: split into %d, %d and %d", level, len(train), len(valid), len(test))
		}
		var tokens []string
		for id := range int32(c.Vocab.Len()) {
			tokens = append(tokens, c.Vocab.Token(id))
		}
		v, err := NewVocabulary(tokens)
		if err != nil || !slices.Equal(v.Encode(nil, level, raw), want) {
			t.Errorf("%v: the vocabulary made of its tokens gives other ids, error %v", level, err)
		}
	}
}

func TestNewVocabularyRefuses(t *testing.T) {
	for name, tokens := range map[string][]string{
		"nothing": nil, "no <unk>": {"a", "b"}, "a token twice": {UnkToken, "a", "a"}, "an empty token": {UnkToken, ""}, "<unk> twice": {UnkToken, UnkToken},
	} {
		if _, err := NewVocabulary(tokens); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
