package spell

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

// order is that of the character model. The unknown words in the last 26,000 of War
// and Peace, with a vocabulary of 10,000, cost 30.5, 25.9, 22.4, 21.3 and 20.9 bits
// each at orders 3 to 7, by models of 58, 228, 539, 954 and 1,397 kB; those of the
// default text 28.7, 26.3, 25.2, 24.9 and 24.9.
const order = 5

// The ids of a Speller's alphabet: characters that it doesn't know, the marks of a
// word's start and end, and then those that it knows.
const (
	unknown int32 = iota
	start
	end
	firstChar
)

// scalars is how many characters Unicode can have, its scalar values, and letters
// how many of them a word may be made of: all but the 25 that are white space.
const (
	scalars = 0x110000 - 0x800
	letters = scalars - 25
)

// A Speller is a model of the spelling of words that a vocabulary doesn't have. It
// is immutable: any number of goroutines may use it at once. Where the tokens are
// characters themselves there is nothing to learn from: each that the vocabulary
// doesn't have is as likely as any other.
type Speller struct {
	vocab *text.Vocab

	// Of words; model is nil where tokens are characters.
	chars []rune         // known ones; the first has id firstChar
	ids   map[rune]int32 // of chars
	model *ngram.Model

	// others is what all words outside the vocabulary cost together, in nats: the
	// negative logarithm of their share.
	others func() float64
}

// New returns a Speller of the tokens that are <unk> in c.
func New(c *text.Corpus) (*Speller, error) {
	if c.Level == text.Char {
		return OfCharacters(c.Vocab), nil
	}
	return Train(c.Rare, c.Vocab)
}

// OfCharacters returns a Speller of the characters outside vocab.
func OfCharacters(vocab *text.Vocab) *Speller { return &Speller{vocab: vocab} }

// HasWords says whether the Speller is one of words, which alone can be drawn and
// written to a file.
func (s *Speller) HasWords() bool { return s.model != nil }

// Train returns a Speller of the words outside vocab that has learned from words,
// each as often as it is there; [text.Corpus.Rare] has good ones. There is at
// least one, and none is empty.
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
			if !ok {
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

// Bytes is what the model of characters weighs in memory, by its size function.
func (s *Speller) Bytes() int64 {
	if s.model == nil {
		return 0
	}
	return s.model.Bytes()
}

// leastShare is the smallest share of all words that those outside the vocabulary
// are taken to have. It bounds what rounding makes of a difference of near 0.
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

// Nats returns what a token costs of which it is known that the vocabulary doesn't
// have it.
func (s *Speller) Nats(token string) float64 {
	if s.model == nil {
		return math.Log(float64(scalars - (s.vocab.Len() - 1)))
	}
	return s.spell(token) - s.others()
}

// Total returns what all tokens cost.
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

// spell is what a word costs among all words.
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
