package ngram

import (
	"fmt"
	"runtime"
)

func (t *trie) encode(e *encoder) {
	for i := range t.levels {
		l := &t.levels[i]
		if i > 0 {
			e.bytes(l.words.bits)
		}
		e.column(&l.prob)
		if i+1 < len(t.levels) {
			e.column(&l.backoff)
			e.bytes(l.next.low.bits)
			e.bytes(l.next.high)
		}
	}
	runtime.KeepAlive(t)
}

func (e *encoder) column(c *column) {
	for _, v := range c.book {
		e.float32(v)
	}
	e.bytes(c.codes.bits)
}

func (d *decoder) trie(s Shape) (store, error) {
	order := len(s.Entries)
	t := &trie{shape: s, levels: make([]level, order)}
	for i, n := range s.Entries {
		l := &t.levels[i]
		var err error
		if i > 0 {
			if l.words, err = d.packed(n, wordWidth(s.Vocab)); err != nil {
				return nil, err
			}
		}
		if l.prob, err = d.column(n, s.Probs[i], isLogProb); err != nil {
			return nil, fmt.Errorf("log-probabilities of order %d: %w", i+1, err)
		}
		if i+1 == order {
			break
		}
		if l.backoff, err = d.column(n, s.Backoffs[i], isFinite); err != nil {
			return nil, fmt.Errorf("back-offs of order %d: %w", i+1, err)
		}
		if l.next, err = d.offsets(n, s.Entries[i+1]); err != nil {
			return nil, fmt.Errorf("order %d: %w", i+1, err)
		}
	}
	if d.mapped == nil {
		t.gather()
	}
	return t, t.check()
}

func (d *decoder) packed(n, width int) (packed, error) {
	bits, err := d.slice(packedBytes(n, width))
	return packed{width: uint(width), bits: bits}, err
}

// column reads a column of n values, each of which must be legal.
func (d *decoder) column(n int, coding Coding, legal func(float32) bool) (column, error) {
	c := column{base: coding.base}
	if coding.Book > 0 {
		c.book = make([]float32, coding.Book)
	}
	err := d.records(coding.Book, 4, func(i int, b []byte) error {
		c.book[i] = float32Of(b)
		return nil
	})
	if err != nil {
		return c, err
	}
	if c.codes, err = d.packed(n, coding.Width); err != nil {
		return c, err
	}
	if coding.Width == 0 { // all values are one, so a short file may list many
		n = min(n, 1)
	}
	for i := range uint32(n) {
		if c.book != nil && int64(c.codes.at(i)) >= int64(len(c.book)) {
			return c, fmt.Errorf("code %d for %d values: damaged file", c.codes.at(i), len(c.book))
		}
		if v := c.at(i); !legal(v) {
			return c, fmt.Errorf("a value is %v: damaged file", v)
		}
	}
	return c, nil
}

func (d *decoder) offsets(n, children int) (offsets, error) {
	lowWidth, highWords, _ := offsetsShape(n, children)
	var o offsets
	var err error
	if o.low, err = d.packed(n+1, lowWidth); err != nil {
		return o, err
	}
	o.high, err = d.slice(highBytes * int64(highWords))
	if err == nil && !o.sample(n) {
		err = fmt.Errorf("the parts of %d n-grams' continuations are not so many: damaged file", n)
	}
	return o, err
}

// check verifies the places and words that a search may read.
func (t *trie) check() error {
	for i := range t.levels[1:] {
		next, words := &t.levels[i].next, &t.levels[i+1].words
		n, children := t.shape.Entries[i], uint32(t.shape.Entries[i+1])
		at := uint32(0)
		for j := range uint32(n) {
			begin, end := next.span(j)
			if begin != at || end < begin || end > children {
				return fmt.Errorf("order %d: n-gram %d is continued by %d to %d of %d: damaged file", i+1, j, begin, end, children)
			}
			for ; at < end; at++ {
				w := words.at(at)
				if w >= uint32(t.shape.Vocab) {
					return outside(i+2, w)
				}
				if at > begin && w <= words.at(at-1) {
					return fmt.Errorf("order %d does not ascend: damaged file", i+2)
				}
			}
		}
		if at != children {
			return fmt.Errorf("order %d: %d n-grams are continued by nothing below: damaged file", i+2, children-at)
		}
	}
	return nil
}
