package neighbour

import (
	"math"
	"slices"
)

// Took describes the time of one pass, in seconds.
type Took struct {
	Runs int
	Best float64
	// Mean is the total time of the callers over the number of passes. Its inverse is
	// the throughput of one caller, stalls included.
	Mean   float64
	Median float64
	P99    float64 // with fewer than 100 passes, the slowest
}

// Ratio returns t's throughput over one's, and t's 99th percentile over one's.
func (t Took) Ratio(one Took) (throughput, p99 float64) {
	return one.Mean / t.Mean, t.P99 / one.P99
}

// summarise sorts seconds and returns its figures. They are 0 if seconds is empty.
func summarise(seconds []float64) Took {
	n := len(seconds)
	if n == 0 {
		return Took{}
	}
	sum := 0.0
	for _, s := range seconds {
		sum += s
	}
	slices.Sort(seconds)
	return Took{
		Runs: n, Best: seconds[0], Mean: sum / float64(n),
		Median: (seconds[(n-1)/2] + seconds[n/2]) / 2,
		P99:    quantile(seconds, 0.99),
	}
}

// quantile returns the least element of sorted that at least a share q of all does not
// exceed.
func quantile(sorted []float64, q float64) float64 {
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
