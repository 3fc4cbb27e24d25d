package text

import (
	"bytes"
	"fmt"
	"iter"
	"unicode/utf8"
)

// Level says what a token is.
type Level int

const (
	// Char makes each Unicode code point a token, white space included.
	Char Level = iota
	// Word makes each run of characters between Unicode white space a token,
	// as strings.Fields does. Line ends are white space like any other.
	Word
)

// ParseLevel returns the level whose String is s, or an error that lists the choices.
func ParseLevel(s string) (Level, error) {
	for _, l := range []Level{Char, Word} {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("unknown level %q: choose char or word", s)
}

// String returns "char" or "word".
func (l Level) String() string {
	switch l {
	case Char:
		return "char"
	case Word:
		return "word"
	}
	return fmt.Sprintf("Level(%d)", int(l))
}

// tokens yields the tokens of data, which is valid UTF-8, in order.
func (l Level) tokens(data []byte) iter.Seq[[]byte] {
	if l == Word {
		return bytes.FieldsSeq(data)
	}
	return func(yield func([]byte) bool) {
		for i := 0; i < len(data); {
			_, n := utf8.DecodeRune(data[i:])
			if !yield(data[i : i+n]) {
				return
			}
			i += n
		}
	}
}

// count returns the number of tokens in data.
func (l Level) count(data []byte) int {
	if l == Char {
		return utf8.RuneCount(data)
	}
	n := 0
	for range l.tokens(data) {
		n++
	}
	return n
}
