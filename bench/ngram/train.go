package ngram

import "fmt"

// Train returns the model of the given order over a stream of token ids, each
// from 0 to vocab-1. It returns an error if the order is not from 1 to
// [MaxOrder], if the vocabulary or the stream is empty or too large, or if a
// token lies outside the vocabulary.
//
// The orders are made one after the other, so that only one growing table is
// touched at a time. [TrainBytes] says what training holds on top of the model.
func Train(tokens []int32, vocab, order int) (*Model, error) {
	if err := checkShape(order, vocab); err != nil {
		return nil, err
	}
	if err := checkStreamLength(len(tokens)); err != nil {
		return nil, err
	}
	for i, w := range tokens {
		if w < 0 || int(w) >= vocab {
			return nil, fmt.Errorf("ngram: token %d of the stream is %d: must be from 0 to %d", i, w, vocab-1)
		}
	}

	m := &Model{vocab: vocab}
	m.addUnigrams(tokens, order == 1)
	if order == 1 {
		return m, nil
	}
	// at[t] is the slot of the n-gram that ends with token t, in the table of
	// the order made last. The first n-1 elements, before which no n-gram fits,
	// are stale and not read again.
	at := make([]uint32, len(tokens))
	for t, w := range tokens {
		at[t] = uint32(w)
	}
	for n := 2; n <= order; n++ {
		m.addOrder(n, tokens, at, n == order)
	}
	return m, nil
}

// addUnigrams makes the table of order 1.
func (m *Model) addUnigrams(tokens []int32, highest bool) {
	counts := make([]uint32, m.vocab)
	for _, w := range tokens {
		counts[w]++
	}
	var types, n1, n2 int
	for _, c := range counts {
		if c > 0 {
			types++
		}
		switch c {
		case 1:
			n1++
		case 2:
			n2++
		}
	}
	discount := newDiscount(n1, n2)
	total := float64(len(tokens))
	uniform := discount.D * float64(types) / total / float64(m.vocab) // γ()·p_0

	t := newUnigrams(m.vocab, highest)
	for w, c := range counts {
		t.prob[w] = float32(max(float64(c)-discount.D, 0)/total + uniform)
	}
	m.add(t, types, discount)
}

// addOrder makes the table of order n and the γ of the order below, and moves
// at on from order n-1 to order n.
func (m *Model) addOrder(n int, tokens []int32, at []uint32, highest bool) {
	below := &m.tables[n-2]

	// suffix[id] is the slot, in the table below, of the n-gram without its
	// first word. Like the prefix, it ends at a token where at knows it.
	var suffix []uint32
	count := newCounter(min(len(tokens), 2*m.entries[n-2]))
	for t := len(tokens) - 1; t >= n-1; t-- { // backwards, for at[t-1] is still of order n-1
		id, isNew := count.add(makeKey(at[t-1], tokens[t]))
		if isNew {
			suffix = append(suffix, at[t])
		}
		at[t] = id
	}

	discount := newDiscount(count.countsOfCounts())
	history := count.histories(len(below.prob))
	for i, total := range history.total {
		switch {
		case total > 0:
			below.backoff[i] = float32(discount.D * float64(history.types[i]) / float64(total))
		case below.keys == nil || below.keys[i] != 0:
			below.backoff[i] = 1 // unseen as a history: p_n = p_{n-1}
		}
	}

	// The counter is walked along its slots: home keeps the order of hashes, so
	// the inserts run along the new table instead of jumping about in it.
	table := newTable(count.entries, highest)
	slotOf := make([]uint32, count.entries) // by id
	for _, s := range count.slots {
		if s.key == 0 {
			continue
		}
		slot := table.insert(s.key)
		slotOf[s.id] = slot
		prefix, _ := splitKey(s.key)
		total := float64(history.total[prefix])
		gamma := discount.D * float64(history.types[prefix]) / total
		table.prob[slot] = float32((float64(s.count)-discount.D)/total + gamma*float64(below.prob[suffix[s.id]]))
	}
	m.add(table, count.entries, discount)

	if !highest {
		for t := n - 1; t < len(at); t++ {
			at[t] = slotOf[at[t]]
		}
	}
}

func (m *Model) add(t table, entries int, d Discount) {
	m.tables = append(m.tables, t)
	m.entries = append(m.entries, entries)
	m.discounts = append(m.discounts, d)
}
