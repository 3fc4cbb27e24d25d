package text

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
)

// The words that mark a sentence's start and end. Vocabularies of [Sentence] that [Build]
// makes have the ids Start and End. Others, such as those of ARPA files, have the ids of
// [Vocab.Marks].
const (
	StartToken = "<s>"
	EndToken   = "</s>"

	Start int32 = 1
	End   int32 = 2
)

// Marks are the ids of the words that mark a sentence's start and end. Start precedes each
// sentence. It is never in a text and never predicted. End is the last token of each.
type Marks struct{ Start, End int32 }

// Marks returns the ids of the marks. ok is false if the vocabulary lacks one.
func (v *Vocab) Marks() (m Marks, ok bool) {
	start, hasStart := v.ids[StartToken]
	end, hasEnd := v.ids[EndToken]
	return Marks{start, end}, hasStart && hasEnd
}

// specials returns the first tokens of a vocabulary, by id.
func (l Level) specials() []string {
	if l == Sentence {
		return []string{UnkToken, StartToken, EndToken}
	}
	return []string{UnkToken}
}

// sentences yields the words of each line, and then EndToken.
func sentences(data []byte) iter.Seq[[]byte] {
	end := []byte(EndToken)
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(data) {
			for word := range words(line) {
				if !yield(word) {
					return
				}
			}
			if !yield(end) {
				return
			}
		}
	}
}

// words yields the words of a line, between blanks. Only ASCII blanks separate words,
// as in KenLM: in a text of characters, a no-break space is a word.
func words(line []byte) iter.Seq[[]byte] {
	return bytes.FieldsFuncSeq(line, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == 0
	})
}

// CheckMarks returns an error if a word of data, a text of sentences, is a mark. Both are
// understood, and such a word would have the mark's id. The error names the line; the
// first one of data has the given number.
func (l Level) CheckMarks(data []byte, number int) error {
	marks := [][]byte{[]byte(StartToken), []byte(EndToken)}
	if l != Sentence || !slices.ContainsFunc(marks, func(m []byte) bool { return bytes.Contains(data, m) }) {
		return nil
	}
	for line := range bytes.Lines(data) {
		for word := range words(line) {
			if slices.ContainsFunc(marks, func(m []byte) bool { return bytes.Equal(word, m) }) {
				return markError(number, string(word))
			}
		}
		number++
	}
	return nil
}

// markError is the error for a mark in a line.
func markError(line int, mark string) error {
	return fmt.Errorf("line %d: %s marks a sentence by itself and is no word: take it out", line, mark)
}

// sentenceAt returns where the sentence of token i starts.
func sentenceAt(tokens []int32, i int, end int32) int {
	for i > 0 && tokens[i-1] != end {
		i--
	}
	return i
}
