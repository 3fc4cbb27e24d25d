package text

import (
	"fmt"
	"math"
)

// NewVocabulary returns the vocabulary of tokens, whose ids are their places. It
// returns an error if the first is not UnkToken, or if a token is empty or listed
// twice.
func NewVocabulary(tokens []string) (*Vocab, error) {
	if len(tokens) == 0 || tokens[Unk] != UnkToken {
		return nil, fmt.Errorf("a vocabulary begins with %s", UnkToken)
	}
	if len(tokens) > math.MaxInt32 {
		return nil, fmt.Errorf("a vocabulary of %d tokens: at most %d have an id", len(tokens), math.MaxInt32)
	}
	v := &Vocab{tokens: tokens, ids: make(map[string]int32, len(tokens))}
	for id, token := range tokens {
		if token == "" {
			return nil, fmt.Errorf("token %d of the vocabulary is empty", id)
		}
		if _, twice := v.ids[token]; twice {
			return nil, fmt.Errorf("token %q is in the vocabulary twice", token)
		}
		v.ids[token] = int32(id)
	}
	return v, nil
}

// Encode appends the ids of the tokens of raw to dst. A byte that is not UTF-8
// counts as U+FFFD, as in [New].
func (v *Vocab) Encode(dst []int32, level Level, raw []byte) []int32 {
	data, _ := repair(raw)
	if dst == nil { // of a long text, a growing slice would be the peak of memory
		dst = make([]int32, 0, level.count(data))
	}
	for token := range level.tokens(data) {
		dst = append(dst, v.ids[string(token)])
	}
	return dst
}

// Unknown returns the tokens of raw that [Vocab.Encode] makes <unk>, as written, in the
// order of the text.
func (v *Vocab) Unknown(level Level, raw []byte) (tokens []string) {
	data, _ := repair(raw)
	for token := range level.tokens(data) {
		if v.ids[string(token)] == Unk {
			tokens = append(tokens, string(token))
		}
	}
	return tokens
}

// Start returns the token that precedes a text in models that need one: the mark of a
// sentence's start, the line end of a text of characters, otherwise Unk.
func (v *Vocab) Start(level Level) int32 {
	switch level {
	case Char:
		return v.ID("\n") // Unk where no text had a line end
	case Sentence:
		return v.ID(StartToken)
	}
	return Unk
}

// Bytes returns the length in UTF-8 of the text of ids, in which unknown are the tokens
// that are Unk, as written. A word counts with the blank or line end after it, an empty
// line as one.
func (v *Vocab) Bytes(level Level, ids []int32, unknown []string) (n int) {
	marks, _ := v.Marks()
	between := 0
	if level != Char {
		between = 1
	}
	ended := true // a line has no word yet
	for _, id := range ids {
		switch {
		case level == Sentence && id == marks.End:
			if ended {
				n++
			}
			ended = true
			continue
		case id == Unk && len(unknown) > 0:
			n += len(unknown[0]) + between
			unknown = unknown[1:]
		default:
			n += len(v.Token(id)) + between
		}
		ended = false
	}
	return n
}

// Uncut says which parts are not cut off the end of a text.
type Uncut struct {
	Valid bool `json:"valid"`
	Test  bool `json:"test"`
}

// Split cuts the ids of a text as [Build] does, into training, validation and test parts.
// Validation and test have a twentieth each, unless uncut. Sentences stay whole.
func (v *Vocab) Split(level Level, ids []int32, uncut Uncut) (train, valid, test []int32) {
	if level != Sentence {
		return split(ids, uncut, noEnd)
	}
	marks, _ := v.Marks()
	return split(ids, uncut, marks.End)
}

// noEnd is the mark of a sentence's end where there are no sentences.
const noEnd = -1

// split is Split with the id of a sentence's end. A cut inside a sentence moves to its
// start.
func split(tokens []int32, uncut Uncut, end int32) (train, valid, test []int32) {
	part := len(tokens) / heldOut
	b := len(tokens)
	cut := func(from int) int {
		from = max(from-part, 0)
		if end != noEnd && part > 0 {
			from = sentenceAt(tokens, from, end)
		}
		return from
	}
	if !uncut.Test {
		b = cut(b)
	}
	a := b
	if !uncut.Valid {
		a = cut(a)
	}
	return tokens[:a:a], tokens[a:b:b], tokens[b:]
}
