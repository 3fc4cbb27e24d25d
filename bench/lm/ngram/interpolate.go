package ngram

import "math"

// The probabilities of an order stay linear until the order above has used them. Then
// they become logarithms.

// interpolateUnigrams sets the probabilities of the words. They are the discounted
// counts, plus an equal share for every word that can be predicted.
func interpolateUnigrams(o *Order, counts []uint32, d Discounts, marks *Marks) {
	var total uint64
	var seen [4]uint64
	for _, c := range counts {
		total += uint64(c)
		seen[min(c, 3)]++
	}
	words := len(counts)
	if marks != nil {
		words--
	}
	off := d.table()
	uniform := weight(seen, total, off) / float64(words)
	for w, c := range counts {
		o.Prob[w] = probability(share(c, total, off) + uniform)
	}
	if marks != nil {
		o.Prob[marks.Start] = 1 // as in lmplz's files; scoring never reads it
	}
}

// interpolate sets the probabilities of an order above 1, and the back-offs of the
// n-grams below that are histories. Other back-offs stay 0, a weight of 1.
func interpolate(o, below *Order, count *counting, d Discounts) {
	counts, suffix, off := count.count, count.suffix, d.table()
	for i := 0; i < len(counts); {
		history, first := o.Prefix[i], i
		var total uint64
		var seen [4]uint64
		for ; i < len(counts) && o.Prefix[i] == history; i++ {
			total += uint64(counts[i])
			seen[min(counts[i], 3)]++
		}
		gamma := weight(seen, total, off)
		below.Backoff[history] = log10(gamma)
		for j := first; j < i; j++ {
			o.Prob[j] = mixed(share(counts[j], total, off), gamma, below.Prob[suffix[j]])
		}
	}
}

// weight returns the weight of the order below: the share that the discounts off take
// from a history. The words after the history were counted total times, seen[c] of them
// c times.
func weight(seen [4]uint64, total uint64, off [4]float64) float64 {
	return (off[1]*float64(seen[1]) + off[2]*float64(seen[2]) + off[3]*float64(seen[3])) / float64(total)
}

// share returns the share that an n-gram keeps of its history, counted total times, after
// its discount.
func share(c uint32, total uint64, off [4]float64) float64 {
	return (float64(c) - off[min(c, 3)]) / float64(total)
}

// mixed returns the probability of an n-gram that keeps a share of its history. gamma is
// the weight of the order below, where it has the given probability.
func mixed(share, gamma float64, below float32) float32 {
	return probability(share + float64(gamma*float64(below)))
}

// probability rounds p to float32, at most 1.
func probability(p float64) float32 { return min(float32(p), 1) }

func toLog10(p []float32) {
	for i, v := range p {
		p[i] = log10(float64(v))
	}
}

func log10(v float64) float32 { return float32(math.Log10(v)) }
