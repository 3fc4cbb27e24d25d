package text

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
)

// The sentence marks of a vocabulary made by [NewSentences].
const (
	Start      int32 = 1
	End        int32 = 2
	StartToken       = "<s>"
	EndToken         = "</s>"
)

// specials are the first words of a vocabulary made by NewSentences, by id.
var specials = []string{UnkToken, StartToken, EndToken}

// NewSentences reads a text whose sentences are its lines, and returns its vocabulary
// and its ids. The ids are the words of each line, followed by End. Blanks separate
// words; an empty line is a sentence without words. The vocabulary is Unk, Start, End
// and then all words in the order of their first appearance.
//
// The words <unk>, <s> and </s> in the text are an error that names the line. They
// would have the ids of the marks.
func NewSentences(text *Text) (*Vocab, []int32, error) {
	seen := &census{numbers: make(map[string]int32)}
	for _, special := range specials {
		seen.number([]byte(special))
	}
	ids, err := sentences(text, seen.number)
	if err != nil {
		return nil, nil, err
	}
	return &Vocab{tokens: seen.tokens, ids: seen.numbers}, ids, nil
}

// Sentences reads more text for a vocabulary made by [NewSentences]. Words outside the
// vocabulary become Unk.
func (v *Vocab) Sentences(text *Text) ([]int32, error) {
	return sentences(text, func(word []byte) int32 { return v.ids[string(word)] })
}

// sentences returns the ids of a text's words, by id, with End after each line.
func sentences(text *Text, id func([]byte) int32) ([]int32, error) {
	total := 0
	for line := range bytes.Lines(text.Data) {
		for range words(line) {
			total++
		}
		total++
	}
	if total == 0 {
		return nil, fmt.Errorf("corpus %q has no sentences: give a text with one on each line", text.Name)
	}
	ids := make([]int32, 0, total)
	number := 0
	for line := range bytes.Lines(text.Data) {
		number++
		for word := range words(line) {
			if slices.Contains(specials, string(word)) {
				return nil, fmt.Errorf("corpus %q, line %d: %s is no word, it has a meaning of its own: take it out or write it otherwise",
					text.Name, number, word)
			}
			ids = append(ids, id(word))
		}
		ids = append(ids, End)
	}
	return ids, nil
}

// words yields the words of a line, between blanks. Only ASCII blanks separate words,
// as in KenLM: in a text of characters, a no-break space is a word.
func words(line []byte) iter.Seq[[]byte] {
	return bytes.FieldsFuncSeq(line, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == 0
	})
}
