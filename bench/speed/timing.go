package speed

import (
	"context"
	"slices"
	"time"

	"batchrnn/kernels"
)

// A timing is how long one call took, in seconds.
type timing struct {
	best, median float64
	runs         int
}

const (
	leastRuns = 3
	// leastRun is the shortest run whose time the clock measures well. Shorter calls
	// are timed several at a time.
	leastRun = 100 * time.Microsecond
	// turns is the number of turns that each work's time is divided into.
	turns = 8
)

// A stopwatch times one work.
type stopwatch struct {
	f     func()
	calls int // a run
	runs  []float64
	total time.Duration
}

// newStopwatch warms f up, and chooses the number of calls in a run.
func newStopwatch(f func(), d time.Duration) *stopwatch {
	s := &stopwatch{f: f, calls: 1}
	start := time.Now()
	f()
	if took := time.Since(start); took > d {
		// This call counts as a run: further ones would only cost time.
		s.runs, s.total = append(s.runs, took.Seconds()), took
		return s
	}
	for {
		start := time.Now()
		for range s.calls {
			f()
		}
		took := time.Since(start)
		if took >= leastRun {
			return s
		}
		s.calls *= max(2, min(10, int(leastRun/(took+1))))
	}
}

func (s *stopwatch) run() {
	start := time.Now()
	for range s.calls {
		s.f()
	}
	took := time.Since(start)
	s.total += took
	s.runs = append(s.runs, took.Seconds()/float64(s.calls))
}

func (s *stopwatch) timing() timing {
	slices.Sort(s.runs)
	n := len(s.runs)
	return timing{best: s.runs[0], median: (s.runs[(n-1)/2] + s.runs[n/2]) / 2, runs: n}
}

// timeTogether times works in turns, each for d and at least three runs. If ctx ends,
// it returns early with ctx's error.
func timeTogether(ctx context.Context, d time.Duration, works ...func()) ([]timing, error) {
	var watches []*stopwatch
	for _, f := range works {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		watches = append(watches, newStopwatch(f, d))
	}
	unfinished := func(s *stopwatch) bool { return s.total < d || len(s.runs) < leastRuns }
	for slices.ContainsFunc(watches, unfinished) {
		for _, s := range watches {
			for start := s.total; ; {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				s.run()
				if s.total-start >= d/turns {
					break
				}
			}
		}
	}
	var timings []timing
	for _, s := range watches {
		timings = append(timings, s.timing())
	}
	return timings, nil
}

// A rate is the speed of a work of known size, with the peak measured beside it.
type rate struct {
	timing
	flops float64 // a call
	peak  float64 // floating-point operations a second of all threads
}

func (r rate) gflops() float64       { return r.flops / r.best / 1e9 }
func (r rate) medianGFLOPS() float64 { return r.flops / r.median / 1e9 }
func (r rate) percent() float64      { return 100 * r.flops / r.best / r.peak }

// timeFlops times f, of flops floating-point operations a call, in turns with
// multiply-adds on all threads of e.
func timeFlops(ctx context.Context, d time.Duration, e *kernels.Engine, flops float64, f func()) (rate, error) {
	// Runs of 0.2 ms are short enough that some have all processors to themselves, even
	// on a shared machine. Runs in succession find the workers awake.
	const rounds = 1 << 15
	var fma float64
	loop := func(w *kernels.Worker) {
		n := w.FMA(rounds)
		if w.ID() == 0 {
			fma = n * float64(w.Workers())
		}
	}
	t, err := timeTogether(ctx, d, f, func() { e.Run(e.Threads(), loop) })
	if err != nil {
		return rate{}, err
	}
	return rate{t[0], flops, fma / t[1].best}, nil
}
