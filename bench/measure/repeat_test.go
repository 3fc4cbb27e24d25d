package measure

import (
	"testing"
	"time"
)

func TestRepeatCounts(t *testing.T) {
	for _, tc := range []struct {
		name string
		n    int
		want int
	}{
		{"zero is once", 0, 1},
		{"negative is once", -3, 1},
		{"one", 1, 1},
		{"several", 7, 7},
	} {
		t.Run(tc.name, func(t *testing.T) {
			runs := 0
			got := Repeat(tc.n, 0, func() { runs++ })
			if runs != tc.want || got.N != tc.want {
				t.Errorf("ran %d times, N = %d, want %d", runs, got.N, tc.want)
			}
		})
	}
}

func TestRepeatLastsAtLeast(t *testing.T) {
	const d = 5 * time.Millisecond
	start := time.Now()
	got := Repeat(1, d, func() { time.Sleep(time.Millisecond) })
	if spent := time.Since(start); spent < d {
		t.Errorf("spent %v, want at least %v", spent, d)
	}
	// Whatever the speed, at least half of the runs take the median or longer.
	if half := time.Duration((got.N + 1) / 2); got.Median*half > time.Since(start) {
		t.Errorf("the median of %d runs is %v: more than one run", got.N, got.Median)
	}
	if got.Min > got.Median || got.Median > got.Max || got.Min < time.Millisecond {
		t.Errorf("not in order, or shorter than the work: %+v", got)
	}
}

func TestSummarize(t *testing.T) {
	for _, tc := range []struct {
		times []time.Duration
		want  Timing
	}{
		{[]time.Duration{4}, Timing{4, 4, 4, 1}},
		{[]time.Duration{9, 1}, Timing{5, 1, 9, 2}},
		{[]time.Duration{7, 100, 2}, Timing{7, 2, 100, 3}},
		{[]time.Duration{8, 2, 4, 100}, Timing{6, 2, 100, 4}},
	} {
		if got := summarize(tc.times); got != tc.want {
			t.Errorf("summarize = %+v, want %+v", got, tc.want)
		}
	}
}
