package ngram

import (
	"fmt"
	"math"
	"slices"
)

// Train returns the model of the given order over a stream of token ids, each
// from 0 to vocab-1, as a hash table. It returns an error if the order is not
// from 1 to [MaxOrder], if the vocabulary or the stream is empty or too large,
// or if a token lies outside the vocabulary.
func Train(tokens []int32, vocab, order int) (*Model, error) {
	est, err := estimate(tokens, vocab, order)
	if err != nil {
		return nil, err
	}
	return NewModel(est, Hash)
}

// TrainBytes estimates how many bytes [Train] holds on top of the model, for a
// stream of that many tokens and at most so many n-grams of one order: for each
// token its place, its key, the key's copy to sort, and a probability; and the
// estimates of about two orders.
func TrainBytes(tokens, entries int) int64 {
	return 32*int64(tokens) + 2*16*int64(entries)
}

// estimate interpolates each order with the order below it, by absolute
// discounting of the raw counts.
func estimate(tokens []int32, vocab, order int) (*Estimates, error) {
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
	est := &Estimates{Vocab: vocab, Orders: make([]Order, order)}
	// at[t] is the place of the n-gram that ends with token t, in the order made
	// last, and lower its probabilities. The first n-1 elements of at, before
	// which no n-gram fits, are stale and not read again.
	at := make([]uint32, len(tokens))
	lower := est.addUnigrams(tokens)
	for t, w := range tokens {
		at[t] = uint32(w)
	}
	for n := 2; n <= order; n++ {
		lower = est.addOrder(n, tokens, at, lower)
	}
	return est, nil
}

// addUnigrams makes order 1 and returns its probabilities.
func (est *Estimates) addUnigrams(tokens []int32) []float64 {
	counts := make([]uint32, est.Vocab)
	for _, w := range tokens {
		counts[w]++
	}
	types := 0
	for _, c := range counts {
		if c > 0 {
			types++
		}
	}
	d := newDiscount(countsOfCounts(counts)).D
	total := float64(len(tokens))
	uniform := d * float64(types) / total / float64(est.Vocab) // γ()·p_0
	o, prob := &est.Orders[0], make([]float64, est.Vocab)
	for w, c := range counts {
		prob[w] = max(float64(c)-d, 0)/total + uniform
		o.Word = append(o.Word, int32(w))
		o.Prob = append(o.Prob, log10(prob[w]))
	}
	return prob
}

// addOrder makes order n and the back-offs of the order below, moves at on from
// order n-1 to order n, and returns the probabilities.
func (est *Estimates) addOrder(n int, tokens []int32, at []uint32, lower []float64) []float64 {
	below, o := &est.Orders[n-2], &est.Orders[n-1]
	keys := make([]uint64, 0, len(tokens))
	for t := n - 1; t < len(tokens); t++ {
		keys = append(keys, uint64(at[t-1])<<32|uint64(tokens[t]))
	}
	slices.Sort(keys)
	var counts []uint32
	total := make([]uint32, below.Len()) // c(h.), occurrences of any word after h
	types := make([]uint32, below.Len()) // N1+(h.), different words after h
	for i, k := range keys {
		prefix := uint32(k >> 32)
		if i == 0 || k != keys[i-1] {
			o.Prefix = append(o.Prefix, prefix)
			o.Word = append(o.Word, int32(uint32(k)))
			counts = append(counts, 0)
			types[prefix]++
		}
		counts[len(counts)-1]++
		total[prefix]++
	}
	d := newDiscount(countsOfCounts(counts)).D
	gamma := make([]float64, below.Len())
	below.Backoff = make([]float32, below.Len()) // 0 where unseen as a history: p_n = p_{n-1}
	for h, c := range total {
		if c > 0 {
			gamma[h] = d * float64(types[h]) / float64(c)
			below.Backoff[h] = log10(gamma[h])
		}
	}

	keys = slices.Compact(keys)
	prob := make([]float64, len(keys))
	for t := len(tokens) - 1; t >= n-1; t-- { // backwards, for at[t-1] is still of order n-1
		i, _ := slices.BinarySearch(keys, uint64(at[t-1])<<32|uint64(tokens[t]))
		h := o.Prefix[i]
		prob[i] = (float64(counts[i])-d)/float64(total[h]) + gamma[h]*lower[at[t]]
		at[t] = uint32(i)
	}
	for _, p := range prob {
		o.Prob = append(o.Prob, log10(p))
	}
	return prob
}

// log10 returns the logarithm of a probability or a weight, which rounding may
// have carried beyond 1.
func log10(p float64) float32 { return float32(min(math.Log10(p), 0)) }
