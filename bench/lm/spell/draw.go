package spell

import (
	"math"
	"math/rand/v2"
	"unicode/utf8"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

// What Draw bounds: a word in characters, and how often it begins anew where it
// came to a word that the vocabulary has, as one try in six does where the
// vocabulary takes in all of the default text.
const (
	maxLetters = 64
	maxTries   = 1000
)

// A Pen draws words from a [Speller]. It allocates nothing while it does, once it
// has drawn its longest word.
type Pen struct {
	speller *Speller
	rng     *rand.Rand
	at      ngram.Scorer
	weights []float64 // [alphabet]
	word    []byte
}

// NewPen returns a Pen that draws with the numbers of rng.
func (s *Speller) NewPen(rng *rand.Rand) *Pen {
	return &Pen{
		speller: s, rng: rng,
		at: *s.model.NewScorer(), weights: make([]float64, s.model.Vocab()),
		word: make([]byte, 0, maxLetters*utf8.UTFMax),
	}
}

// Append draws a word that the vocabulary doesn't have, and appends it to dst. Its
// characters are known ones. Where a thousand tries give no such word, it appends
// <unk>.
func (p *Pen) Append(dst []byte) []byte {
	for range maxTries {
		if p.try() && !p.speller.vocab.Has(p.word) {
			return append(dst, p.word...)
		}
	}
	return append(dst, text.UnkToken...)
}

// try draws a word, and says whether it has come to its end.
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

// letter draws the id of the next character or of the end.
func (p *Pen) letter() int32 {
	total := 0.0
	for id := end; int(id) < len(p.weights); id++ {
		fork := p.at
		p.weights[id] = math.Exp(-fork.Score(id))
		total += p.weights[id]
	}
	if i, ok := Pick(p.rng, p.weights[end:], total); ok {
		return end + int32(i)
	}
	return end
}

// Pick draws an index, each with a probability in proportion to its weight. total is
// the sum of the weights. ok is false where the terms add up to a rounding below it.
func Pick(rng *rand.Rand, weights []float64, total float64) (i int, ok bool) {
	u := rng.Float64() * total
	for i, w := range weights {
		if u -= w; u < 0 {
			return i, true
		}
	}
	return 0, false
}
