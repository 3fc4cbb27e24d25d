package text

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sort"
	"strings"
)

// Synthetic returns a generated text of the given number of bytes with statistics like
// those of English. Words have Zipf frequencies, frequent ones are short, and sentences
// form lines and paragraphs. A word depends on the two before it and its letters on the
// word. So longer contexts predict it better, as in English. The same seed gives the
// same text on every machine: all arithmetic is on integers.
func Synthetic(seed uint64, bytes int) *Text {
	w := newWriter(seed)
	for w.out.Len() < bytes {
		w.sentence()
	}
	text := New(fmt.Sprintf("synthetic text (seed %d)", seed), []byte(w.out.String()[:max(bytes, 0)]))
	text.Synthetic = true
	return text
}

const (
	syntheticWords = 4000
	lineWidth      = 72
)

// commonWords head the vocabulary, so that the most frequent words are as short as in
// English.
var commonWords = strings.Fields(`the of and to in a is that it was for on
	with as by be this from at or which are not but have an they had one all
	were her his their there been if more when will would who so no`)

// writer generates the text of Synthetic.
type writer struct {
	seed  uint64
	rng   *rand.PCG
	words []string // by rank, the most frequent first
	zipf  []uint64 // running sums of the words' weights, by rank
	out   strings.Builder
	line  int // characters on the line so far
}

func newWriter(seed uint64) *writer {
	w := &writer{seed: seed, rng: rand.NewPCG(seed, 0x6e2d6772616d)}
	w.makeWords()
	var sum uint64
	for rank := range w.words {
		sum += 1 << 32 / uint64(rank+2)
		w.zipf = append(w.zipf, sum)
	}
	return w
}

// below returns a random number in [0, n).
func (w *writer) below(n uint64) uint64 {
	hi, _ := bits.Mul64(w.rng.Uint64(), n)
	return hi
}

// mix returns a pseudo-random number that depends only on the seed, a and b. It acts as
// a table of probabilities without memory. The rounds are those of SplitMix64.
func (w *writer) mix(a, b uint64) uint64 {
	h := w.seed
	for _, v := range [...]uint64{a, b} {
		h += v + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// makeWords fills words: commonWords first, then chains of syllables in which
// each syllable is followed by one of six.
func (w *writer) makeWords() {
	onsets := strings.Fields("b br c ch cl d dr f fl g gr h j l m n p pl pr qu r s sh sl st t th tr v w")
	vowels := strings.Fields("a e i o u ea ou ai")
	codas := []string{"", "", "", "", "", "", "", "n", "r", "s", "t", "nd"}
	var syllables []string
	for len(syllables) < 128 {
		syllables = append(syllables, onsets[w.below(uint64(len(onsets)))]+
			vowels[w.below(uint64(len(vowels)))]+codas[w.below(uint64(len(codas)))])
	}

	taken := make(map[string]bool, syntheticWords)
	for _, word := range commonWords {
		taken[word] = true
		w.words = append(w.words, word)
	}
	for len(w.words) < syntheticWords {
		s := w.below(uint64(len(syllables)))
		word := syllables[s]
		// Rarer words are longer. A word that exists already grows until it is new.
		want := 1 + w.below(2) + uint64(len(w.words))/(syntheticWords/2)
		for n := uint64(1); n < want || taken[word]; n++ {
			s = w.mix(s, w.below(6)) % uint64(len(syllables))
			word += syllables[s]
		}
		taken[word] = true
		w.words = append(w.words, word)
	}
}

// rank returns the rank of the word that u, any number, selects by the weights.
func (w *writer) rank(u uint64) int {
	at, _ := bits.Mul64(u, w.zipf[len(w.zipf)-1])
	return sort.Search(len(w.zipf), func(i int) bool { return w.zipf[i] > at })
}

// noWord is the rank of the missing word before a sentence.
const noWord = syntheticWords

// next returns the rank of a word after the words of rank a and b. It is the fixed
// phrase of a and b, one of b's eight usual followers, or any word. A sentence begins
// with any word.
func (w *writer) next(a, b int) int {
	if b == noWord {
		return w.rank(w.rng.Uint64())
	}
	var r int
	switch chance := w.below(10); {
	case chance < 4:
		r = w.rank(w.mix(uint64(a), uint64(b)))
	case chance < 8:
		follower := min(w.below(8), w.below(8)) // favours the first followers
		r = w.rank(w.mix(uint64(b), noWord+1+follower))
	default:
		r = w.rank(w.rng.Uint64())
	}
	if r == b { // no word twice in a row
		r = (r + 1) % len(w.words)
	}
	return r
}

// sentence writes one sentence, and sometimes the end of a paragraph.
func (w *writer) sentence() {
	a, b := noWord, noWord
	for left := 4 + w.below(10) + w.below(10); left > 0; left-- {
		a, b = b, w.next(a, b)
		word := w.words[b]
		if a == noWord {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		switch {
		case left == 1:
			word += [...]string{".", ".", ".", ".", ".", ".", "?", "!"}[w.below(8)]
		case left > 2 && w.below(12) == 0:
			word += ","
		}
		w.word(word)
	}
	if w.below(6) == 0 {
		w.out.WriteString("\n\n")
		w.line = 0
	}
}

// word writes word after a space, or on the next line if this one is full.
func (w *writer) word(word string) {
	switch {
	case w.line == 0:
	case w.line+1+len(word) > lineWidth:
		w.out.WriteByte('\n')
		w.line = 0
	default:
		w.out.WriteByte(' ')
		w.line++
	}
	w.out.WriteString(word)
	w.line += len(word)
}
