package neighbour

import (
	"math"
	"math/rand/v2"
	"testing"
)

// within fails on NaN too.
func within(got, want float64) bool { return math.Abs(got-want) <= 1e-12*math.Abs(want) }

func TestSummarise(t *testing.T) {
	for _, test := range []struct {
		n    int // of the seconds 1, 2, …
		want Took
	}{
		{1, Took{1, 1, 1, 1, 1}},
		{2, Took{2, 1, 1.5, 1.5, 2}},
		{99, Took{99, 1, 50, 50, 99}},
		{100, Took{100, 1, 50.5, 50.5, 99}},
		{1000, Took{1000, 1, 500.5, 500.5, 990}},
	} {
		seconds := make([]float64, test.n)
		for i, k := range rand.New(rand.NewPCG(1, 2)).Perm(test.n) {
			seconds[i] = float64(k + 1)
		}
		got := summarise(seconds)
		if got.Runs != test.n || !within(got.Best, test.want.Best) || !within(got.Mean, test.want.Mean) ||
			!within(got.Median, test.want.Median) || !within(got.P99, test.want.P99) {
			t.Errorf("%d passes: %+v, want %+v", test.n, got, test.want)
		}
	}
	if got := summarise(nil); got != (Took{}) {
		t.Errorf("no passes: %+v", got)
	}
}

func TestQuantile(t *testing.T) {
	sorted := []float64{10, 20, 30, 40}
	for _, test := range []struct{ q, want float64 }{{0, 10}, {0.25, 10}, {0.26, 20}, {0.5, 20}, {0.75, 30}, {0.99, 40}, {1, 40}} {
		if got := quantile(sorted, test.q); !within(got, test.want) {
			t.Errorf("quantile %v: %v, want %v", test.q, got, test.want)
		}
	}
}

// TestRatio has one pass in ten stall: the throughput falls, the median stays.
func TestRatio(t *testing.T) {
	steady, stalling := make([]float64, 200), make([]float64, 200)
	for i := range steady {
		steady[i], stalling[i] = 0.5, 0.5
		if i%10 == 0 {
			stalling[i] = 5.5
		}
	}
	one, all := summarise(steady), summarise(stalling)
	throughput, p99 := all.Ratio(one)
	if !within(throughput, 0.5) || !within(p99, 11) || !within(all.Median, one.Median) {
		t.Errorf("throughput %v, p99 %v of one worker's, medians %v and %v", throughput, p99, all.Median, one.Median)
	}
}
