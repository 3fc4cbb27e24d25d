package kernels

import (
	"sync"
	"sync/atomic"
	"time"
)

// A barrier lets workers wait until it opens. They spin briefly, and then park.
type barrier struct {
	// state holds two counts in one word, because each write by one worker costs the
	// others a cache miss. The upper half is the generation: how often the barrier has
	// opened. The lower half is the number of workers that have arrived since.
	state  atomic.Uint64
	parked atomic.Int32
	slow   atomic.Int64 // when the first worker gave up spinning, if one has
	judged int64        // when the team last waited; 0 if it did not wait the last time
	spin   int
	mu     sync.Mutex
	cond   sync.Cond
}

func (b *barrier) init() { b.spin, b.cond.L = spinLimit, &b.mu }

// gen returns the generation.
func (b *barrier) gen() uint32 { return uint32(b.state.Load() >> 32) }

// arrive counts a worker. It returns the generation, and how many workers have arrived.
func (b *barrier) arrive() (gen uint32, arrived int) {
	s := b.state.Add(1)
	return uint32(s >> 32), int(uint32(s))
}

// openAfter opens the barrier after all have arrived in generation gen.
func (b *barrier) openAfter(gen uint32) {
	// If the region has failed meanwhile, the barrier has opened already.
	b.state.CompareAndSwap(b.state.Load(), uint64(gen+1)<<32)
	b.wake()
}

// open opens the barrier, even if workers are missing.
func (b *barrier) open() {
	b.state.Add(1 << 32)
	b.wake()
}

// wake wakes the parked workers. A waiter raises parked before its last look at the
// generation. So either it sees the new generation, or it is counted here.
func (b *barrier) wake() {
	if b.parked.Load() > 0 {
		b.mu.Lock()
		b.cond.Broadcast()
		b.mu.Unlock()
	}
}

// reset clears the count of arrivals and the times of waits. No worker may be at the
// barrier.
func (b *barrier) reset() {
	b.state.And(^uint64(1<<32 - 1))
	b.slow.Store(0)
	b.judged = 0
}

// await waits until the barrier has opened since gen.
func (b *barrier) await(gen uint32) {
	for range shortSpin {
		if b.gen() != gen {
			return
		}
	}
	t := now()
	for done := shortSpin; done < b.spin; done += shortSpin {
		for range shortSpin {
			if b.gen() != gen {
				b.lost(t, now())
				return
			}
		}
		before := t
		t = now()
		b.lost(before, t)
	}
	b.slow.CompareAndSwap(0, t)
	if b.gen() != gen {
		b.slow.CompareAndSwap(t, 0) // the wait belongs to the phase that is over
		return
	}
	b.mu.Lock()
	b.parked.Add(1)
	for b.gen() == gen {
		b.cond.Wait()
	}
	b.parked.Add(-1)
	b.mu.Unlock()
}

// lost records a wait if the waiting worker itself had no processor between t and u. In
// that time it looked for only 5 µs, so 1 ms or more means that it did not run.
func (b *barrier) lost(t, u int64) {
	if u-t > 10*spinTime {
		b.slow.CompareAndSwap(0, t)
	}
}

const (
	// spinLimit is the number of looks of a waiting worker before it parks. They take
	// about 0.1 ms at 3.66 GHz. That is longer than the lag between two cores, and than
	// the gap between two passes. It is shorter than a scheduler's time slice. Waking a
	// parked worker takes longer than most waits: with 16 µs training lost 37 %
	// (bench/RESULTS.md, Choices).
	spinLimit = 400000
	// spinTime is about the time of spinLimit looks, in nanoseconds.
	spinTime = 100_000
	// shortSpin is the number of looks, about 5 µs, before a worker also reads the
	// clock.
	shortSpin = 16000
)

// now returns the time since the start of the program, in nanoseconds.
func now() int64 { return int64(time.Since(epoch)) }

var epoch = time.Now()
