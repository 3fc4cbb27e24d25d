package ngram

// FallbackDiscount is the D_n of an order where n1/(n1 + 2·n2) would not lie
// strictly between 0 and 1, that is where no n-gram was seen exactly once or
// none exactly twice: at 0 unseen words would get no probability, at 1 n-grams
// seen once would count as unseen. Half of a single occurrence is the usual
// stand-in.
const FallbackDiscount = 0.5

// Discount is what one order takes off each count.
type Discount struct {
	D         float64 // in occurrences, strictly between 0 and 1
	Estimated bool    // from the counts of counts; otherwise FallbackDiscount
}

// newDiscount estimates D = n1/(n1 + 2·n2) from the number of n-grams seen once
// and twice (Ney, Essen and Kneser 1994).
func newDiscount(n1, n2 int) Discount {
	if n1 == 0 || n2 == 0 {
		return Discount{D: FallbackDiscount}
	}
	return Discount{D: float64(n1) / (float64(n1) + 2*float64(n2)), Estimated: true}
}

// countsOfCounts returns how many n-grams were seen exactly once and exactly
// twice.
func countsOfCounts(counts []uint32) (n1, n2 int) {
	for _, c := range counts {
		switch c {
		case 1:
			n1++
		case 2:
			n2++
		}
	}
	return n1, n2
}
