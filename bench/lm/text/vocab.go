package text

import (
	"slices"
	"unicode/utf8"
)

const (
	// Unk is the id of every token that is not in the vocabulary.
	Unk int32 = 0
	// UnkToken is the spelling of Unk. A word of the text with this spelling is Unk
	// itself: corpora with replaced rare words have it.
	UnkToken = "<unk>"
)

// Vocab maps tokens to ids and back. Ids are dense: Unk first, then the tokens from the
// most frequent in training to the rarest. Equal counts stay in the order of first
// appearance. A vocabulary of sentences has Start and End after Unk.
type Vocab struct {
	tokens []string // by id
	ids    map[string]int32
}

// Len returns the number of tokens, Unk included. Every id is below it.
func (v *Vocab) Len() int { return len(v.tokens) }

// Token returns the token of an id in [0, Len()); it panics on any other.
func (v *Vocab) Token(id int32) string { return v.tokens[id] }

// ID returns the id of token, Unk if it is not in the vocabulary.
func (v *Vocab) ID(token string) int32 { return v.ids[token] } // a missing key is 0, which is Unk

// Has reports whether token is in the vocabulary. UnkToken always is.
func (v *Vocab) Has(token []byte) bool {
	_, ok := v.ids[string(token)]
	return ok
}

// census numbers distinct tokens from 0, in the order of their first appearance. The
// marks of the level come first.
type census struct {
	tokens  []string
	numbers map[string]int32
	ascii   [utf8.RuneSelf]int32 // by character, its number as a token plus 1; 0 if it has none
}

func newCensus(level Level) *census {
	c := &census{numbers: make(map[string]int32)}
	for _, special := range level.specials() {
		c.number([]byte(special))
	}
	return c
}

// number returns the number of token, a new one for a new token.
func (c *census) number(token []byte) int32 {
	ascii := len(token) == 1 && token[0] < utf8.RuneSelf
	if ascii && c.ascii[token[0]] > 0 {
		return c.ascii[token[0]] - 1
	}
	n, ok := c.numbers[string(token)]
	if !ok {
		n = int32(len(c.tokens))
		s := string(token)
		c.tokens = append(c.tokens, s)
		c.numbers[s] = n
	}
	if ascii {
		c.ascii[token[0]] = n + 1
	}
	return n
}

// forget takes back the numbers from n on.
func (c *census) forget(n int) {
	for _, token := range c.tokens[n:] {
		delete(c.numbers, token)
		if len(token) == 1 && token[0] < utf8.RuneSelf {
			c.ascii[token[0]] = 0
		}
	}
	clear(c.tokens[n:])
	c.tokens = c.tokens[:n]
}

// idsIn returns the id in v of each of c's numbers.
func (c *census) idsIn(v *Vocab) []int32 {
	ids := make([]int32, len(c.tokens))
	for n, token := range c.tokens {
		ids[n] = v.ids[token]
	}
	return ids
}

// newVocab returns a vocabulary of the most frequent tokens of c, within the limits of
// opt. counts is by number; tokens with a count of 0 are left out. It also returns the
// id of each of c's numbers.
func newVocab(c *census, counts []int, opt Options) (v *Vocab, ids []int32) {
	specials := opt.Level.specials()
	var order []int32
	for n, count := range counts {
		if count >= max(opt.MinCount, 1) && !slices.Contains(specials, c.tokens[n]) {
			order = append(order, int32(n))
		}
	}
	// Stable sorting keeps equal counts in the order of first appearance.
	slices.SortStableFunc(order, func(a, b int32) int { return counts[b] - counts[a] })
	if room := opt.MaxVocab - len(specials); opt.MaxVocab > 0 && len(order) > room {
		order = order[:room]
	}
	v = &Vocab{ids: make(map[string]int32, len(specials)+len(order))}
	v.tokens = append(make([]string, 0, len(specials)+len(order)), specials...)
	for _, n := range order {
		v.tokens = append(v.tokens, c.tokens[n])
	}
	for id, token := range v.tokens {
		v.ids[token] = int32(id)
	}
	ids = make([]int32, len(c.tokens))
	for n, token := range c.tokens {
		ids[n] = v.ids[token] // Unk where it is missing
	}
	return v, ids
}
