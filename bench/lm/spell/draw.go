package spell

import (
	"math"
	"math/rand/v2"
	"unicode/utf8"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

// Bounds of Draw: the length of a word in characters, and the number of tries. A try
// fails if it gives a word of the vocabulary. With all words of the default text in the
// vocabulary, one in six fails.
const (
	maxLetters = 64
	maxTries   = 1000
)

// A Pen draws words from a [Speller]. It allocates only while its longest word grows.
type Pen struct {
	speller *Speller
	rng     *rand.Rand
	at      ngram.Scorer
	weights []float64 // [alphabet]
	word    []byte
}

// NewPen returns a Pen that takes its random numbers from rng.
func (s *Speller) NewPen(rng *rand.Rand) *Pen {
	return &Pen{
		speller: s, rng: rng,
		at: *s.model.NewScorer(), weights: make([]float64, s.model.Vocab()),
		word: make([]byte, 0, maxLetters*utf8.UTFMax),
	}
}

// Append draws a word outside the vocabulary, of known characters, and appends it to
// dst. After a thousand failed tries it appends <unk>.
func (p *Pen) Append(dst []byte) []byte {
	for range maxTries {
		if p.try() && !p.speller.vocab.Has(p.word) {
			return append(dst, p.word...)
		}
	}
	return append(dst, text.UnkToken...)
}

// try draws a word, and reports whether the word came to its end.
func (p *Pen) try() bool {
	p.at.ResetTo(start)
	p.word = p.word[:0]
	for range maxLetters {
		id := p.letter()
		if id == end {
			return len(p.word) > 0
		}
		p.at.Score(id)
		p.word = utf8.AppendRune(p.word, p.speller.chars[id-firstChar])
	}
	return false
}

// letter draws the id of the next character, or of the end.
func (p *Pen) letter() int32 {
	total := 0.0
	for id := end; int(id) < len(p.weights); id++ {
		fork := p.at
		p.weights[id] = math.Exp(-fork.Score(id))
		total += p.weights[id]
	}
	if i, ok := pick(p.rng, p.weights[end:], total); ok {
		return end + int32(i)
	}
	return end
}

// pick draws an index with a probability proportional to its weight. total is the sum
// of the weights. ok is false if rounding makes the terms add up to less.
func pick(rng *rand.Rand, weights []float64, total float64) (i int, ok bool) {
	u := rng.Float64() * total
	for i, w := range weights {
		if u -= w; u < 0 {
			return i, true
		}
	}
	return 0, false
}
