package ngram

import "fmt"

// Config says what [Estimate] makes.
type Config struct {
	Vocab     int // words are 0..Vocab-1
	Order     int // from 1 to MaxOrder
	Smoothing Smoothing
	Marks     *Marks // nil: the text is one stream, not sentences
}

// Marks are the two words of a vocabulary that bound a sentence. In a text,
// each sentence is its words followed by End. Start stands before every
// sentence by itself: it is part of histories, never predicted, and never
// written in a text; the log-probability that Estimates list for it is 0, as in
// the files of lmplz, and means nothing. No n-gram reaches over the end of a
// sentence.
type Marks struct {
	Start, End int32
}

// Estimate returns the numbers of a model of text, and the discounts of each
// order, order n at n-1. It returns an error if the text is empty or too large,
// holds a word outside the vocabulary, or is not made of sentences though c has
// Marks; and if c makes no sense.
//
// All n-grams of the text are listed, of every order. The same text gives the
// same bits. [EstimateBytes] says what memory it takes.
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
	}
	toLog10(e.Orders[c.Order-1].Prob)
	return e, discounts, nil
}

// check returns an error if c or text can't be worked with, and the number of
// sentences in text, 0 without Marks.
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

// EstimateBytes returns how many bytes [Estimate] allocates for a text of so
// many tokens, where the estimates come to hold ngrams[n-1] n-grams of order n,
// for every order up to len(ngrams). All of it is held at once. With Marks,
// tokens counts each sentence's Start as well. No order has more n-grams than
// the text tokens, but order 1, which has the vocabulary: so a bound is known
// before anything is counted.
func EstimateBytes(tokens, vocab int, ngrams []int) int64 {
	const place, number = 8, 4 // a token or an entry; a word, count, index or float32
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
