package ngram

import "fmt"

// Config is what [Estimate] makes.
type Config struct {
	Vocab     int // words are 0..Vocab-1
	Order     int // from 1 to MaxOrder
	Smoothing Smoothing
	Marks     *Marks // nil: the text is one stream, not sentences
	// Told, if it is not nil, is called with the number of orders that are estimated.
	Told func(orders int)
}

// Marks are the two words of a vocabulary that bound a sentence. In a text, each
// sentence is its words followed by End. No n-gram crosses the end of a sentence.
//
// Start implicitly precedes every sentence: it is part of histories, but never
// predicted and never in a text. Estimates list a log-probability of 0 for it, as lmplz
// does; this value means nothing.
type Marks struct {
	Start, End int32
}

// Estimate returns the estimates of a model of text, and the discounts of each order,
// order n at n-1. It lists all n-grams of the text, of every order. The same text gives
// the same bits. [EstimateBytes] returns the memory it takes.
//
// It returns an error if c is invalid, or if the text is empty or too large. A word
// outside the vocabulary is an error too. With Marks, the text must consist of
// sentences.
func Estimate(text []int32, c Config) (*Estimates, []Discounts, error) {
	sentences, err := c.check(text)
	if err != nil {
		return nil, nil, err
	}
	e := &Estimates{Vocab: c.Vocab, Orders: make([]Order, c.Order)}
	discounts := make([]Discounts, c.Order)
	count := newCounting(text, sentences, c)
	e.Orders[0] = count.unigrams()
	for n := 1; n <= c.Order; n++ {
		order := &e.Orders[n-1]
		if n < c.Order {
			e.Orders[n] = count.extend()
			order.Backoff = make([]float32, order.Len())
			if c.Smoothing == KneserNey {
				count.adjust()
			}
		}
		if n == 1 && c.Marks != nil {
			count.count[c.Marks.Start] = 0 // never predicted
		}
		order.Prob = make([]float32, order.Len())
		d := c.Smoothing.discounts(count.count)
		if n == 1 {
			interpolateUnigrams(order, count.count, d, c.Marks)
		} else {
			below := &e.Orders[n-2]
			interpolate(order, below, count, d)
			toLog10(below.Prob)
		}
		discounts[n-1] = d
		count.advance()
		if c.Told != nil {
			c.Told(n)
		}
	}
	toLog10(e.Orders[c.Order-1].Prob)
	return e, discounts, nil
}

// check returns the number of sentences in text, 0 without Marks. It returns an error
// if c or text is invalid.
func (c *Config) check(text []int32) (sentences int, err error) {
	if err := checkShape(c.Order, c.Vocab); err != nil {
		return 0, err
	}
	if c.Smoothing != KneserNey && c.Smoothing != Absolute {
		return 0, fmt.Errorf("ngram: unknown smoothing %v", c.Smoothing)
	}
	start, end := int32(-1), int32(-1)
	if c.Marks != nil {
		start, end = c.Marks.Start, c.Marks.End
		if !c.has(start) || !c.has(end) || start == end {
			return 0, fmt.Errorf("ngram: sentence marks %d and %d: must be two different words from 0 to %d", start, end, c.Vocab-1)
		}
	}
	for i, w := range text {
		switch {
		case !c.has(w):
			return 0, fmt.Errorf("ngram: token %d of the text is %d: must be from 0 to %d", i, w, c.Vocab-1)
		case w == end:
			sentences++
		case w == start:
			return 0, fmt.Errorf("ngram: token %d of the text is %d, the mark of a sentence's start: leave it out, it is understood", i, w)
		}
	}
	if err := checkTextLength(len(text) + sentences); err != nil {
		return 0, err
	}
	if c.Marks != nil && text[len(text)-1] != end {
		return 0, fmt.Errorf("ngram: the text ends within a sentence: its last token is %d, want %d", text[len(text)-1], end)
	}
	return sentences, nil
}

func (c *Config) has(w int32) bool { return w >= 0 && int(w) < c.Vocab }

// EstimateBytes returns how many bytes [Estimate] allocates for a text with the given
// number of tokens. All of them are held at once. ngrams[n-1] is the number of n-grams
// of order n, for every order up to len(ngrams). With Marks, tokens includes each
// sentence's Start.
//
// An order has at most as many n-grams as the text has tokens, order 1 as many as the
// vocabulary. These bounds are known before counting.
func EstimateBytes(tokens, vocab int, ngrams []int) int64 {
	const place, number = 8, 4 // bytes: place of a token or an entry; number of a word, count, index or float32
	t, most := int64(tokens), int64(max(tokens, vocab))
	total := 2*place*t + 2*number*most // text, ends; count, continuations
	if len(ngrams) > 1 {
		total += (place+2*number)*t + 3*number*most // spare, prefix, word; suffix, the order above
	}
	for i, n := range ngrams {
		each := int64(2 * number) // Word, Prob
		if i > 0 {
			each += number // Prefix
		}
		if i < len(ngrams)-1 {
			each += number // Backoff
		}
		total += each * int64(n)
	}
	return total
}
