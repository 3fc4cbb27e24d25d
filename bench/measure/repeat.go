package measure

import (
	"slices"
	"time"
)

// maxRuns bounds the memory that Repeat keeps its times in: 8 MiB.
const maxRuns = 1 << 20

// Timing is how long one run of a piece of work took, over N runs.
type Timing struct {
	Median, Min, Max time.Duration
	N                int
}

// Repeat runs f until it has run at least n times and for at least d in all
// (at least once, and at most n or 2^20 times, whichever is more), and returns
// the median of one run and its spread. The first run counts like any other:
// callers warm up where that matters. One run should take 10 µs or more, or
// the clock is what is measured.
func Repeat(n int, d time.Duration, f func()) Timing {
	var times []time.Duration
	for total := time.Duration(0); ; {
		start := time.Now()
		f()
		t := time.Since(start)
		times = append(times, t)
		total += t
		if len(times) >= n && (total >= d || len(times) >= maxRuns) {
			return summarize(times)
		}
	}
}

// summarize sorts times, which are not empty, in place. The median of an even
// number of them is the mean of the middle two.
func summarize(times []time.Duration) Timing {
	slices.Sort(times)
	n := len(times)
	lo, hi := times[(n-1)/2], times[n/2]
	return Timing{Median: lo + (hi-lo)/2, Min: times[0], Max: times[n-1], N: n}
}
