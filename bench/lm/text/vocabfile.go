package text

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

const maxToken = 1 << 20 // bytes of one token

// Append appends the vocabulary to b in the form that [ParseVocab] reads. Each token is
// its length in bytes, a varint, and its text.
func (v *Vocab) Append(b []byte) []byte {
	for _, token := range v.tokens {
		b = binary.AppendUvarint(b, uint64(len(token)))
		b = append(b, token...)
	}
	return b
}

// ParseVocab reads what [Vocab.Append] wrote: want tokens, which are all of raw.
func ParseVocab(raw []byte, want int) (*Vocab, error) {
	if want < 1 || want > len(raw)/2 { // a token takes two bytes or more
		return nil, fmt.Errorf("%d tokens in %d bytes: damaged", want, len(raw))
	}
	tokens := make([]string, 0, want)
	for len(raw) > 0 {
		length, n := binary.Uvarint(raw)
		if n <= 0 || length > maxToken || length > uint64(len(raw)-n) {
			return nil, errors.New("a token reaches beyond it: damaged")
		}
		token := string(raw[n:][:length])
		if !utf8.ValidString(token) {
			return nil, fmt.Errorf("token %q is not UTF-8: damaged", token)
		}
		if len(tokens) == want {
			return nil, fmt.Errorf("more than %d tokens: damaged", want)
		}
		tokens = append(tokens, token)
		raw = raw[n:][length:]
	}
	if len(tokens) != want {
		return nil, fmt.Errorf("%d tokens instead of %d: damaged", len(tokens), want)
	}
	v, err := NewVocabulary(tokens)
	if err != nil {
		return nil, fmt.Errorf("%w: damaged", err)
	}
	return v, nil
}
