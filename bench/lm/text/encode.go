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

// Split cuts tokens as [Build] does, into training, validation and test parts.
func Split(tokens []int32) (train, valid, test []int32) {
	part := len(tokens) / heldOut
	a, b := len(tokens)-2*part, len(tokens)-part
	return tokens[:a:a], tokens[a:b:b], tokens[b:]
}
