package ngram

import "math/bits"

// counting counts the n-grams of a text, from order 1 up. It holds the n-grams of one
// order at a time, numbered in the order of their words.
//
// ends lists all positions where an n-gram ends, n-gram by n-gram. To extend the
// n-grams by a word, each position moves on by one. Then each n-gram's positions are
// sorted by the word there. So one pass over an order counts the next, without lookups.
// Rare n-grams leave almost nothing to sort.
type counting struct {
	text  []token // sentences with their Start
	marks *Marks
	bits  int // of a word

	order  int
	ends   []entry  // by n-gram, then by position: where n-grams of the order end
	count  []uint32 // [n-grams] occurrences; adjusted counts after adjust
	suffix []uint32 // [n-grams] place of the suffix in the order below

	continuations []uint32 // [n-grams] different words before the n-gram

	// Room for the order above. Its n-grams are not known beforehand, but they are at
	// most as many as the positions where they end.
	prefix                []uint32
	word                  []int32
	nextCount, nextSuffix []uint32
	spare                 []entry
}

// token is one word of the text.
type token struct {
	word int32
	gram uint32 // the n-gram of the current order that ends here, if there is one
}

// newCounting returns the counts of order 1 for a text that c.check accepted.
func newCounting(text []int32, sentences int, c Config) *counting {
	tokens := len(text) + sentences
	most := max(tokens, c.Vocab)
	g := &counting{
		text:          make([]token, 0, tokens),
		marks:         c.Marks,
		bits:          bits.Len(uint(c.Vocab - 1)),
		order:         1,
		ends:          make([]entry, tokens),
		count:         make([]uint32, c.Vocab, most),
		continuations: make([]uint32, most),
	}
	if c.Order > 1 {
		g.suffix = make([]uint32, most)
		g.prefix = make([]uint32, tokens)
		g.word = make([]int32, tokens)
		g.nextCount = make([]uint32, most)
		g.nextSuffix = make([]uint32, most)
		g.spare = make([]entry, tokens)
	}
	starts := c.Marks != nil
	for _, w := range text {
		if starts {
			g.text = append(g.text, token{c.Marks.Start, uint32(c.Marks.Start)})
		}
		g.text = append(g.text, token{w, uint32(w)})
		starts = c.Marks != nil && w == c.Marks.End
	}

	for _, t := range g.text {
		g.count[t.word]++
	}
	next := g.continuations[:c.Vocab] // not in use yet: holds where a word's next end goes
	sum := uint32(0)
	for w, n := range g.count {
		next[w] = sum
		sum += n
	}
	for i, t := range g.text {
		g.ends[next[t.word]] = newEntry(t.word, uint32(i))
		next[t.word]++
	}
	return g
}

// unigrams returns the n-grams of order 1, which are the words.
func (g *counting) unigrams() Order {
	words := make([]int32, len(g.count))
	for w := range words {
		words[w] = int32(w)
	}
	return Order{Word: words}
}

// extend counts the order above the current one and returns its n-grams. It also counts
// the continuations. The current counts stay as they are until advance.
func (g *counting) extend() Order {
	continuations := g.continuations[:len(g.count)]
	clear(continuations)
	if g.marks == nil && g.order <= len(g.text) {
		// The n-gram at the start of the text has no word before it; the start counts
		// as one. With marks, that n-gram begins with Start.
		continuations[g.text[g.order-1].gram] = 1
	}
	text, in, out := g.text, g.ends, g.ends[:0]
	prefix, word, count, suffix := g.prefix[:0], g.word[:0], g.nextCount[:0], g.nextSuffix[:0]
	for h, places := range g.count {
		group := in[:places]
		in = in[places:]
		if len(group) == 0 || g.marks != nil && group[0].word() == g.marks.End {
			continue
		}
		from := len(out)
		for _, e := range group {
			// Only the last word of a text without marks has no next word.
			if next := e.position() + 1; int(next) < len(text) {
				out = append(out, newEntry(text[next].word, next))
			}
		}
		ends := out[from:]
		sortByWord(ends, g.spare, g.bits)
		for i, e := range ends {
			at := &text[e.position()]
			if i == 0 || e.word() != ends[i-1].word() {
				prefix = append(prefix, uint32(h))
				word = append(word, e.word())
				count = append(count, 0)
				suffix = append(suffix, at.gram)
				continuations[at.gram]++
			}
			count[len(count)-1]++
			at.gram = uint32(len(count) - 1)
		}
	}
	g.order++
	g.ends, g.nextCount, g.nextSuffix = out, count, suffix
	return Order{Prefix: cut(prefix), Word: cut(word)}
}

// adjust replaces the counts of the current order by the number of different words
// before each n-gram. It is for orders below the highest. N-grams that begin with Start
// keep their occurrences, because no word precedes them.
func (g *counting) adjust() {
	for i, n := range g.continuations[:len(g.count)] {
		if n > 0 {
			g.count[i] = n
		}
	}
}

// advance moves to the order that extend counted.
func (g *counting) advance() {
	g.count, g.nextCount = g.nextCount, g.count
	g.suffix, g.nextSuffix = g.nextSuffix, g.suffix
}
