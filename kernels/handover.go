package kernels

import (
	"math"
	"sync"
	"time"
)

// HandoverWork returns the work of one worker during a handover, in multiply-adds. In a
// handover two workers meet at a barrier, and each reads what the other has written. A
// step with less work for each worker is faster on one worker.
//
// Machines differ in it by a factor of four and more. So the first call measures it, in
// at most 5 ms. If the machine is too busy for that, it returns a usual value.
func (e *Engine) HandoverWork() int {
	if len(e.pool.workers) == 1 || e.pool.force != nil {
		return usualHandover
	}
	handover.Lock()
	defer handover.Unlock()
	if e.pool.handover > 0 {
		return e.pool.handover
	}
	if handover.seconds == 0 && handover.tries < 3 {
		handover.tries++
		handover.seconds = measureHandover(newPool(e.set, 2))
	}
	if handover.seconds == 0 {
		return usualHandover
	}
	const rounds = 1024
	best := math.Inf(1)
	var flops float64
	for range 8 {
		start := time.Now()
		flops = e.FMA(rounds)
		best = min(best, time.Since(start).Seconds())
	}
	e.pool.handover = int(min(max(handover.seconds*flops/2/best, usualHandover/2), 32*usualHandover))
	return e.pool.handover
}

// usualHandover makes a step of package rnn use two workers from 2^15 multiply-adds
// each. It was chosen on a Zen 4 with two cores that share an L3.
const usualHandover = 1 << 16 / 3

var handover struct {
	sync.Mutex
	tries   int
	seconds float64 // 0 until measured
}

// measureHandover times steps of two workers. Each writes one half of a state and reads
// all of it. The time of the same step on one worker is subtracted.
func measureHandover(p *pool) float64 {
	defer p.close()
	const steps = 32
	state := Floats(1024)
	alone, together := math.Inf(1), math.Inf(1)
	task := func(w *Worker) {
		for range 4 {
			n := w.n
			start := time.Now()
			for range steps {
				own := w.Share(len(state))
				w.Scale(0.5, state[own.Lo:own.Hi])
				w.Barrier()
				w.SumSquares(state)
				w.Barrier()
			}
			took := time.Since(start).Seconds() / steps
			switch {
			case n != w.n || w.id != 0:
			case n == 1:
				alone = min(alone, took)
			default:
				together = min(together, took)
			}
		}
	}
	for end := time.Now().Add(5 * time.Millisecond); time.Now().Before(end); {
		p.enter(1, task)
		p.enter(2, task)
	}
	if math.IsInf(together, 1) {
		return 0
	}
	return (together - alone) / 2 // a step has two barriers
}
