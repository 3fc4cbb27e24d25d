package ngram

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// arpaSection holds one order in the sequence of the file.
type arpaSection struct {
	firstLine int
	prefix    []uint32
	word      []int32
	prob      []float32
	backoff   []float32 // NaN where there is none
}

// ngram adds the n-gram of a line to its section.
func (a *arpaReader) ngram(n int, line string, highest bool, s *arpaSection) error {
	field, rest, _ := strings.Cut(line, "\t")
	gram, last, hasBackoff := strings.Cut(rest, "\t")
	prob, err := parseLog10(field)
	if err != nil {
		return fmt.Errorf("log-probability %w", err)
	}
	if prob > 0 {
		return fmt.Errorf("log-probability %s is above 0", quote(field))
	}
	backoff := float32(math.NaN())
	if hasBackoff {
		if backoff, err = parseLog10(last); err != nil {
			return fmt.Errorf("back-off %w", err)
		}
		if highest && backoff != 0 {
			return fmt.Errorf("back-off %s in the highest order, which has none", quote(last))
		}
	}
	if got := strings.Count(gram, " ") + 1; gram == "" || got != n {
		if gram == "" {
			got = 0
		}
		return fmt.Errorf("want %d words with a tab before and single blanks between them, not %d: %s", n, got, quote(line))
	}
	if n == 1 {
		err = a.addWord(gram, s)
	} else {
		err = a.addGram(n, gram, s)
	}
	s.prob = append(s.prob, prob)
	s.backoff = append(s.backoff, backoff)
	return err
}

// addWord adds a word to the vocabulary.
func (a *arpaReader) addWord(word string, s *arpaSection) error {
	if err := checkARPAWord(word); err != nil {
		return fmt.Errorf("word %w", err)
	}
	if first, twice := a.ids[word]; twice {
		return fmt.Errorf("%s is listed already, in line %d", quote(word), s.firstLine+int(first))
	}
	id := int32(len(a.words))
	word = strings.Clone(word) // a copy, so that the line can be freed
	a.words = append(a.words, word)
	a.ids[word] = id
	s.word = append(s.word, id)
	return nil
}

// addGram adds the prefix and the last word of an n-gram of two or more words.
func (a *arpaReader) addGram(n int, gram string, s *arpaSection) error {
	var ids [MaxOrder]int32
	i := 0
	for word := range strings.SplitSeq(gram, " ") {
		id, known := a.ids[word]
		if !known {
			return fmt.Errorf("word %s of %s is not among the 1-grams", quote(word), quote(gram))
		}
		ids[i] = id
		i++
	}
	prefix := uint32(ids[0])
	for k := 2; k < n; k++ {
		var listed bool
		if prefix, listed = a.find(k, prefix, ids[k-1]); !listed {
			return fmt.Errorf("%s is listed, but the first %d of its words are not", quote(gram), k)
		}
	}
	if math.IsNaN(float64(a.Orders[n-2].Backoff[prefix])) {
		return fmt.Errorf("%s goes on from %s, which has no back-off", quote(gram), quote(a.gram(n-1, int(prefix), a.words)))
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
