package spell

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"unicode"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

// order is that of the character model. Orders 3 to 7 were measured on the last 26,000
// words of War and Peace, with a vocabulary of 10,000. The unknown words cost 30.5,
// 25.9, 22.4, 21.3 and 20.9 bits each, with models of 58, 228, 539, 954 and 1,397 kB.
// Those of the default text cost 28.7, 26.3, 25.2, 24.9 and 24.9.
const order = 5

// The first ids of a Speller's alphabet: unknown characters, then the marks of a word's
// start and end. Known characters follow.
const (
	unknown int32 = iota
	start
	end
	firstChar
)

// scalars is the number of Unicode's scalar values. letters is how many of them a word
// may contain: all but the 25 of white space.
const (
	scalars = 0x110000 - 0x800
	letters = scalars - 25
)

// A Speller models the spelling of words outside a vocabulary. It is immutable: any
// number of goroutines may use it at once. Where the tokens are characters, each
// character outside the vocabulary is equally likely.
type Speller struct {
	vocab *text.Vocab

	// For words; model is nil where tokens are characters.
	chars []rune         // known ones; the first has id firstChar
	ids   map[rune]int32 // of chars
	model *ngram.Model

	// others returns the joint cost in nats of all words outside the vocabulary: the
	// negative logarithm of their share.
	others func() float64
}

// New returns a Speller of the <unk> tokens of c.
func New(c *text.Corpus) (*Speller, error) {
	if c.Level == text.Char {
		return OfCharacters(c.Vocab), nil
	}
	return Train(c.Rare, c.Vocab)
}

// OfCharacters returns a Speller of the characters outside vocab.
func OfCharacters(vocab *text.Vocab) *Speller { return &Speller{vocab: vocab} }

// HasWords reports whether the Speller is one of words. Only such a Speller can draw,
// or be written to a file.
func (s *Speller) HasWords() bool { return s.model != nil }

// Train returns a Speller of the words outside vocab, trained on words, repeats
// counted. There is at least one word, and none is empty. [text.Corpus.Rare] is a good
// choice.
func Train(words []string, vocab *text.Vocab) (*Speller, error) {
	if len(words) == 0 {
		return nil, errors.New("spell: no words to learn from")
	}
	var chars []rune
	ids := make(map[rune]int32)
	var text []int32
	for _, word := range words {
		for _, c := range word {
			id, ok := ids[c]
			if !ok && !unicode.IsSpace(c) { // some spaces are part of a sentence's words, and stay unknown
				id = firstChar + int32(len(chars))
				ids[c], chars = id, append(chars, c)
			}
			text = append(text, id)
		}
		text = append(text, end)
	}
	estimates, _, err := ngram.Estimate(text, ngram.Config{
		Vocab: int(firstChar) + len(chars), Order: order, Marks: &ngram.Marks{Start: start, End: end},
	})
	if err != nil {
		return nil, fmt.Errorf("spell: %w", err)
	}
	model, err := ngram.NewModel(estimates, ngram.Trie)
	if err != nil {
		return nil, fmt.Errorf("spell: %w", err)
	}
	return newSpeller(chars, ids, model, vocab), nil
}

func newSpeller(chars []rune, ids map[rune]int32, model *ngram.Model, vocab *text.Vocab) *Speller {
	s := &Speller{vocab: vocab, chars: chars, ids: ids, model: model}
	s.others = sync.OnceValue(s.costOfOthers)
	return s
}

// Bytes returns the size of the character model in memory, by its size function.
func (s *Speller) Bytes() int64 {
	if s.model == nil {
		return 0
	}
	return s.model.Bytes()
}

// leastShare is the least probability assumed for all words outside the vocabulary
// together. It bounds the rounding error of a difference near 0.
const leastShare = 1e-9

func (s *Speller) costOfOthers() float64 {
	impossible := math.Exp(-s.spell(""))
	for id := range int32(s.vocab.Len()) {
		if id != text.Unk {
			impossible += math.Exp(-s.spell(s.vocab.Token(id)))
		}
	}
	return -math.Log(max(1-impossible, leastShare))
}

// Nats returns the cost of spelling a token, given that it is outside the vocabulary.
func (s *Speller) Nats(token string) float64 {
	if s.model == nil {
		return math.Log(float64(scalars - (s.vocab.Len() - 1)))
	}
	return s.spell(token) - s.others()
}

// Total returns the cost of spelling all tokens.
func (s *Speller) Total(tokens []string) (nats float64) {
	known := make(map[string]float64)
	for _, w := range tokens {
		cost, ok := known[w]
		if !ok {
			cost = s.Nats(w)
			known[w] = cost
		}
		nats += cost
	}
	return nats
}

// spell returns the cost of a word among all words.
func (s *Speller) spell(word string) (nats float64) {
	at := s.begin()
	for _, c := range word {
		id, ok := s.ids[c]
		if !ok {
			nats += math.Log(float64(letters - len(s.chars)))
		}
		nats += at.Score(id)
	}
	return nats + at.Score(end)
}

// begin returns a Scorer at the start of a word.
func (s *Speller) begin() *ngram.Scorer {
	at := s.model.NewScorer()
	at.ResetTo(start)
	return at
}
