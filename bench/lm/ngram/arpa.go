package ngram

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// An ARPA file is text:
//
//	\data\
//	ngram 1=4
//	ngram 2=3
//
//	\1-grams:
//	-1.2	<unk>	0
//	0	<s>	-0.3
//	...
//
//	\2-grams:
//	-0.4	<s> the
//	...
//
//	\end\
//
// A line of an n-gram is log10 p(w|h), its words and log10 of its back-off. A tab
// separates the three, one blank separates words. The highest order has no back-offs.
// KenLM and SRILM write it so; other programs write tabs and blanks otherwise.

// maxARPAWord and maxARPALine are the most bytes of a word and of a line of MaxOrder
// words. They bound the memory of reading.
const (
	maxARPAWord = 64 << 10
	maxARPALine = 1 << 20
)

// MissingUnk is log10 of the probability of <unk> where an ARPA file lists none. KenLM
// takes the same.
const MissingUnk = -100

// The word of an ARPA file that stands for all others, and another spelling of it.
const (
	unkWord    = "<unk>"
	unkCapital = "<UNK>"
)

// arpaBlanks are the bytes that separate words, so a word can't contain them.
const arpaBlanks = "\x00\t\n\r "

// WriteARPA writes e as an ARPA file, words[id] for each id. It returns an error if
// words are not as many as e's or not all different. It also refuses a word that is
// empty, longer than 64 KiB, or contains a blank.
//
// Numbers are written so that reading them gives the same float32. Other programs ask for
// <s> and </s>. If neither is among the words, both are added with log10 p = -99, and
// [ReadARPA] leaves them out again.
func WriteARPA(w io.Writer, e *Estimates, words []string) error {
	if len(words) != e.Vocab {
		return fmt.Errorf("ngram: writing ARPA: %d words for a vocabulary of %d", len(words), e.Vocab)
	}
	seen := make(map[string]int, len(words))
	for id, word := range words {
		if err := checkARPAWord(word); err != nil {
			return fmt.Errorf("ngram: writing ARPA: word %d: %w", id, err)
		}
		if first, twice := seen[word]; twice {
			return fmt.Errorf("ngram: writing ARPA: words %d and %d are both %s", first, id, quote(word))
		}
		seen[word] = id
	}
	_, start := seen[startWord]
	_, end := seen[endWord]
	if !start && !end {
		e, words = e.withMarks(words)
	}

	b := bufio.NewWriter(w) // keeps its first error
	b.WriteString("\\data\\\n")
	for i := range e.Orders {
		fmt.Fprintf(b, "ngram %d=%d\n", i+1, e.Orders[i].Len())
	}
	var line []byte
	for i := range e.Orders {
		fmt.Fprintf(b, "\n\\%d-grams:\n", i+1)
		o := &e.Orders[i]
		var history string
		for j := range o.Len() {
			if i > 0 && (j == 0 || o.Prefix[j] != o.Prefix[j-1]) {
				history = e.gram(i, int(o.Prefix[j]), words) + " "
			}
			line = appendLog10(line[:0], o.Prob[j])
			line = append(line, '\t')
			line = append(line, history...)
			line = append(line, words[o.Word[j]]...)
			if o.Backoff != nil {
				line = append(line, '\t')
				line = appendLog10(line, o.Backoff[j])
			}
			b.Write(append(line, '\n'))
		}
	}
	b.WriteString("\n\\end\\\n")
	if err := b.Flush(); err != nil {
		return fmt.Errorf("ngram: writing ARPA: %w", err)
	}
	return nil
}

// appendLog10 appends v, which may be -0, to line.
func appendLog10(line []byte, v float32) []byte {
	if v == 0 {
		return append(line, '0')
	}
	return strconv.AppendFloat(line, float64(v), 'g', -1, 32)
}

// gram returns the words of an n-gram of order n, separated by blanks.
func (e *Estimates) gram(n, place int, words []string) string {
	list := make([]string, n)
	for ; n > 0; n-- {
		o := &e.Orders[n-1]
		list[n-1] = words[o.Word[place]]
		if n > 1 {
			place = int(o.Prefix[place])
		}
	}
	return strings.Join(list, " ")
}

// checkARPAWord returns an error if word can't be written to an ARPA file.
func checkARPAWord(word string) error {
	switch {
	case word == "":
		return errors.New("empty")
	case len(word) > maxARPAWord:
		return fmt.Errorf("%s is longer than %d bytes", quote(word), maxARPAWord)
	case strings.ContainsAny(word, arpaBlanks):
		return fmt.Errorf("%s has a blank, a line end or a NUL in it", quote(word))
	}
	return nil
}

// quote returns s quoted, a long one shortened to its beginning.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
