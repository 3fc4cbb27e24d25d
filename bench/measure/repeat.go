package measure

import (
	"slices"
	"time"
)

// maxRuns bounds the memory of Repeat's times: 8 MiB.
const maxRuns = 1 << 20

// Timing is the time of one run of a piece of work, over N runs.
type Timing struct {
	Median, Min, Max time.Duration
	N                int
}

// Repeat runs f until it has run at least n times and for at least d in all. It runs f
// at least once, and at most n or 2^20 times, the larger of the two. It returns the
// median of one run and its spread. The first run counts too, so callers warm up if
// that matters. One run should take 10 µs or more; below that, the clock's own cost
// dominates.
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

// summarize sorts times, which must not be empty, in place. The median of an even
// number is the mean of the middle two.
func summarize(times []time.Duration) Timing {
	slices.Sort(times)
	n := len(times)
	lo, hi := times[(n-1)/2], times[n/2]
	return Timing{Median: lo + (hi-lo)/2, Min: times[0], Max: times[n-1], N: n}
}
