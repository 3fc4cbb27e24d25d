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
	// Sentence makes each line a sentence: the words between ASCII blanks, then the mark
	// EndToken. An empty line is a sentence without words. A no-break space is part of a
	// word, as in KenLM.
	Sentence
)

// ParseLevel returns the level whose String is s. The error lists the choices of people,
// who ask for sentences by an option of its own.
func ParseLevel(s string) (Level, error) {
	for _, l := range []Level{Char, Word, Sentence} {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("unknown level %q: choose char or word", s)
}

// String returns "char", "word" or "sentence".
func (l Level) String() string {
	switch l {
	case Char:
		return "char"
	case Word:
		return "word"
	case Sentence:
		return "sentence"
	}
	return fmt.Sprintf("Level(%d)", int(l))
}

// tokens yields the tokens of data, which is valid UTF-8, in order.
func (l Level) tokens(data []byte) iter.Seq[[]byte] {
	switch l {
	case Word:
		return bytes.FieldsSeq(data)
	case Sentence:
		return sentences(data)
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

// Tokens yields the tokens of raw, as written. A byte that is not UTF-8 counts as U+FFFD,
// as in [New].
func (l Level) Tokens(raw []byte) iter.Seq[string] {
	data, _ := repair(raw)
	return func(yield func(string) bool) {
		for token := range l.tokens(data) {
			if !yield(string(token)) {
				return
			}
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
