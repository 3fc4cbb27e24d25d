package measure

import (
	"time"

	"batchrnn/kernels"
)

// Peak returns the floating-point operations per second that n workers of e reach
// together. Each runs a loop of independent fused multiply-adds. It takes the best of
// many short runs, so that bursts of other work on the machine don't lower it.
func Peak(e *kernels.Engine, n int) float64 {
	const rounds, runs = 1 << 16, 200 // half a millisecond each, short enough to fall between bursts of other work
	var flops float64
	loop := func(w *kernels.Worker) {
		f := w.FMA(rounds)
		if w.ID() == 0 {
			flops = f * float64(w.Workers())
		}
	}
	var best float64
	for range runs {
		start := time.Now()
		e.Run(n, loop)
		best = max(best, flops/time.Since(start).Seconds())
	}
	return best
}
