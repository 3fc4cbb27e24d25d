package ngram

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// arpaSection holds one order in the sequence of the file.
type arpaSection struct {
	firstLine int
	prefix    []uint32
	word      []int32
	prob      []float32
	backoff   []float32
}

// ngram adds the n-gram of a line to its section: a log-probability, n words, and perhaps
// a back-off.
func (a *arpaReader) ngram(n int, line string, highest bool, s *arpaSection) error {
	var fields [MaxOrder + 2]string
	count := 0
	for field := range strings.FieldsFuncSeq(line, isARPASeparator) {
		if count == n+2 {
			return fmt.Errorf("want a log-probability, %d words and a back-off, and nothing more: %s", n, quote(line))
		}
		fields[count] = field
		count++
	}
	prob, err := parseLog10(fields[0])
	if err != nil {
		return fmt.Errorf("log-probability %w", err)
	}
	if prob > 0 {
		return fmt.Errorf("log-probability %s is above 0", quote(fields[0]))
	}
	if count < n+1 {
		return fmt.Errorf("want a log-probability and %d words, not %d: %s", n, count-1, quote(line))
	}
	var backoff float32
	if count == n+2 {
		last := fields[n+1]
		if backoff, err = parseLog10(last); err != nil {
			return fmt.Errorf("back-off %w", err)
		}
		if highest && backoff != 0 {
			return fmt.Errorf("back-off %s in the highest order, which has none", quote(last))
		}
	}
	if n == 1 {
		err = a.addWord(fields[1], s)
	} else {
		err = a.addGram(fields[1:n+1], s)
	}
	s.prob = append(s.prob, prob)
	s.backoff = append(s.backoff, backoff)
	return err
}

// isARPASeparator reports whether r separates the fields of a line.
func isARPASeparator(r rune) bool { return r == '\t' || r == ' ' }

// addWord adds a word to the vocabulary.
func (a *arpaReader) addWord(word string, s *arpaSection) error {
	if err := checkARPAWord(word); err != nil {
		return fmt.Errorf("word %w", err)
	}
	if first, twice := a.ids[word]; twice {
		return fmt.Errorf("%s is listed already, in line %d", quote(word), s.firstLine+int(first))
	}
	word = strings.Clone(word) // a copy, so that the line can be freed
	a.ids[word] = int32(len(a.words))
	a.words = append(a.words, word)
	return nil
}

// unigrams makes order 1 of its section. <unk> gets id 0, and is added if it is missing.
// The sentence marks follow it.
func (a *arpaReader) unigrams(s *arpaSection) {
	unk, listed := a.ids[unkWord]
	if !listed {
		unk, listed = a.ids[unkCapital]
	}
	if listed {
		a.words[unk] = unkWord
	} else {
		a.words, s.prob, s.backoff = append(a.words, unkWord), append(s.prob, MissingUnk), append(s.backoff, 0)
	}
	for _, special := range []string{endWord, startWord, unkWord} {
		if id := slices.Index(a.words, special); id >= 0 {
			toFront(a.words, id)
			toFront(s.prob, id)
			toFront(s.backoff, id)
		}
	}
	clear(a.ids)
	s.word = make([]int32, len(a.words))
	for id, word := range a.words {
		s.word[id], a.ids[word] = int32(id), int32(id)
	}
	if _, word := a.ids[unkCapital]; !word { // either spelling, as in KenLM
		a.ids[unkCapital] = 0
	}
	a.Vocab = len(a.words)
	a.Orders = append(a.Orders, Order{Word: s.word, Prob: s.prob, Backoff: s.backoff})
	a.children = append(a.children, nil)
}

// addGram adds the prefix and the last word of an n-gram of two or more words.
func (a *arpaReader) addGram(words []string, s *arpaSection) error {
	n := len(words)
	var ids [MaxOrder]int32
	for i, word := range words {
		id, known := a.ids[word]
		if !known {
			return fmt.Errorf("word %s of %s is not among the 1-grams", quote(word), quote(strings.Join(words, " ")))
		}
		ids[i] = id
	}
	prefix := uint32(ids[0])
	for k := 2; k < n; k++ {
		var listed bool
		if prefix, listed = a.find(k, prefix, ids[k-1]); !listed {
			return fmt.Errorf("%s is listed, but the first %d of its words are not", quote(strings.Join(words, " ")), k)
		}
	}
	s.prefix = append(s.prefix, prefix)
	s.word = append(s.word, ids[n-1])
	return nil
}

// find returns the place of the n-gram of order n with the given prefix and last word
// w.
func (a *arpaReader) find(n int, prefix uint32, w int32) (place uint32, ok bool) {
	return a.Orders[n-1].find(a.children[n-1], prefix, w)
}

// noSuffix in arpaReader.suffix marks an n-gram whose suffix (without its first word)
// is not listed.
const noSuffix = math.MaxUint32

// sort brings the n-grams of order n from the sequence of the file into that of an
// Order. It refuses n-grams listed twice, and marks those whose suffix is not listed.
func (a *arpaReader) sort(n int, s *arpaSection) error {
	size := len(s.word)
	children := make([]uint32, a.Orders[n-2].Len()+1)
	for _, p := range s.prefix {
		children[p+1]++
	}
	for i := range len(children) - 1 {
		children[i+1] += children[i]
	}
	next := cut(children)
	sorted, spare := make([]entry, size), make([]entry, size)
	for i, p := range s.prefix {
		sorted[next[p]] = newEntry(s.word[i], uint32(i))
		next[p]++
	}

	o := Order{
		Prefix:  make([]uint32, size),
		Word:    make([]int32, size),
		Prob:    make([]float32, size),
		Backoff: make([]float32, size),
	}
	suffix := make([]uint32, size)
	for p := range len(children) - 1 {
		from, to := int(children[p]), int(children[p+1])
		sortByWord(sorted[from:to], spare, 32)
		for j := from; j < to; j++ {
			w, i := sorted[j].word(), int(sorted[j].position())
			o.Prefix[j], o.Word[j], o.Prob[j], o.Backoff[j] = uint32(p), w, s.prob[i], s.backoff[i]
			if j > from && w == o.Word[j-1] {
				a.line = s.firstLine + i
				return fmt.Errorf("%s is listed already, in line %d", quote(a.gram(n-1, p, a.words)+" "+a.words[w]), s.firstLine+int(sorted[j-1].position()))
			}
			listed := true
			if suffix[j] = uint32(w); n > 2 {
				if listed = a.suffix[p] != noSuffix; listed {
					suffix[j], listed = a.find(n-1, a.suffix[p], w)
				}
			}
			if !listed {
				suffix[j], a.incomplete = noSuffix, true
			}
		}
	}
	a.Orders = append(a.Orders, o)
	a.children = append(a.children, children)
	a.suffix = suffix
	return nil
}

// toFront moves list[i] to the front; the elements before it keep their order.
func toFront[T any](list []T, i int) {
	v := list[i]
	copy(list[1:i+1], list[:i])
	list[0] = v
}

// parseLog10 returns a finite number in decimal.
func parseLog10(field string) (float32, error) {
	if strings.Trim(field, "+-.0123456789eE") != "" {
		return 0, fmt.Errorf("%s is not a finite number", quote(field))
	}
	v, err := strconv.ParseFloat(field, 32)
	if err != nil {
		return 0, fmt.Errorf("%s is not a finite number", quote(field)) // 1e99, for example, is infinite as float32
	}
	return float32(v), nil
}
