package ngram

import "fmt"

// Smoothing says how counts become probabilities.
type Smoothing int

const (
	// KneserNey is interpolated modified Kneser-Ney (Chen and Goodman 1999, section 3),
	// with counts adjusted as by Heafield et al. 2013, "Scalable modified Kneser-Ney
	// language model estimation". An order whose counts give no discounts has 0.5, 1
	// and 1.5.
	KneserNey Smoothing = iota
	// Absolute is interpolated absolute discounting of the raw counts (Ney, Essen and
	// Kneser 1994). An order whose counts give no discount has 0.5.
	Absolute
)

// ParseSmoothing returns the smoothing whose String is s, or an error that lists the
// choices.
func ParseSmoothing(s string) (Smoothing, error) {
	for _, smoothing := range []Smoothing{KneserNey, Absolute} {
		if s == smoothing.String() {
			return smoothing, nil
		}
	}
	return 0, fmt.Errorf("unknown smoothing %q: choose kneser-ney or absolute", s)
}

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

// Discounts are the amounts that one order subtracts from its counts.
type Discounts struct {
	D         [3]float64 // for a count of 1, of 2, of 3 and more
	Estimated bool       // from the counts of counts; otherwise fixed
}

// discounts estimates the discounts of one order from its counts.
func (s Smoothing) discounts(counts []uint32) Discounts {
	var n countsOfCounts
	for _, c := range counts {
		n.add(c)
	}
	return s.discountsOf(n)
}

// countsOfCounts holds how many n-grams have a count of 1, 2, 3, 4.
type countsOfCounts [5]float64

func (n *countsOfCounts) add(count uint32) {
	if count <= 4 {
		n[count]++
	}
}

// discountsOf is discounts, by how many n-grams have each count.
func (s Smoothing) discountsOf(n countsOfCounts) Discounts {
	y := n[1] / (n[1] + 2*n[2])
	if s == Absolute {
		if n[1] == 0 || n[2] == 0 { // y is 0, 1 or NaN
			return Discounts{D: [3]float64{0.5, 0.5, 0.5}}
		}
		return Discounts{D: [3]float64{y, y, y}, Estimated: true}
	}
	// Chen and Goodman 1999, equation 26. A discount of 0 would give no probability to
	// words that never followed a history. One above the count would make a probability
	// negative.
	d := Discounts{Estimated: true}
	for i := range d.D {
		c := float64(i + 1)
		d.D[i] = c - (c+1)*y*n[i+2]/n[i+1]
		if !(d.D[i] > 0 && d.D[i] <= c) { // also NaN, if no n-gram has a count of c
			return Discounts{D: [3]float64{0.5, 1, 1.5}} // as lmplz --discount_fallback
		}
	}
	return d
}

// table returns the discounts by count; counts above 3 use the entry of 3.
func (d Discounts) table() [4]float64 { return [4]float64{0, d.D[0], d.D[1], d.D[2]} }
