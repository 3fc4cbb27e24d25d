package ngram

import "fmt"

// Smoothing says how counts become probabilities.
type Smoothing int

const (
	// KneserNey is interpolated modified Kneser-Ney (Chen and Goodman 1999,
	// section 3), with counts adjusted as by Heafield et al. 2013, "Scalable
	// modified Kneser-Ney language model estimation".
	KneserNey Smoothing = iota
	// Absolute is interpolated absolute discounting of the raw counts.
	Absolute
)

// String returns "kneser-ney" or "absolute".
func (s Smoothing) String() string {
	switch s {
	case KneserNey:
		return "kneser-ney"
	case Absolute:
		return "absolute"
	}
	return fmt.Sprintf("Smoothing(%d)", int(s))
}

// Discounts are what one order takes off its counts.
type Discounts struct {
	D         [3]float64 // in occurrences: off a count of 1, of 2, of 3 and more
	Estimated bool       // from the counts of counts; otherwise a fallback
}

// FallbackDiscounts are the modified Kneser-Ney discounts of an order whose
// counts of counts give none, the same that lmplz --discount_fallback takes.
// [Absolute] falls back to FallbackDiscount for every count.
var FallbackDiscounts = [3]float64{0.5, 1, 1.5}

// countsOfCounts holds, at c, the number of n-grams whose count is c, for c
// from 1 to 4. Element 0 takes all others.
type countsOfCounts [5]int64

func newCountsOfCounts(counts []uint32) countsOfCounts {
	var of countsOfCounts
	for _, c := range counts {
		if c > 4 {
			c = 0
		}
		of[c]++
	}
	return of
}

// discounts estimates the discounts of one order.
func (s Smoothing) discounts(of countsOfCounts) Discounts {
	if s == Absolute {
		d := newDiscount(int(of[1]), int(of[2]))
		return Discounts{D: [3]float64{d.D, d.D, d.D}, Estimated: d.Estimated}
	}
	// Chen and Goodman 1999, equation 26. A discount of 0 would leave nothing
	// for the words that never followed a history, and one above the count
	// itself would make a probability negative.
	d := Discounts{Estimated: true}
	y := float64(of[1]) / float64(of[1]+2*of[2])
	for i := range d.D {
		c := float64(i + 1)
		d.D[i] = c - (c+1)*y*float64(of[i+2])/float64(of[i+1])
		if !(d.D[i] > 0 && d.D[i] <= c) { // as NaN, where a count of counts is 0
			return Discounts{D: FallbackDiscounts}
		}
	}
	return d
}

// table returns the discounts by count, with every count above 3 as 3.
func (d Discounts) table() [4]float64 { return [4]float64{0, d.D[0], d.D[1], d.D[2]} }
