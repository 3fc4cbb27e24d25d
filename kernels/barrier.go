package kernels

import (
	"sync"
	"sync/atomic"
	"time"
)

// A barrier lets workers wait until it opens, spinning briefly and then parked.
type barrier struct {
	// state holds two counts. The upper half is the generation: how often the barrier
	// has opened. The lower half is how many workers have arrived since. It is one word
	// because each write of one worker costs the others a cache miss.
	state  atomic.Uint64
	parked atomic.Int32
	slow   atomic.Int64 // when the first worker gave up spinning, if one has
	judged int64        // when the team last waited, 0 where it did not the last time
	spin   int
	mu     sync.Mutex
	cond   sync.Cond
}

func (b *barrier) init() { b.spin, b.cond.L = spinLimit, &b.mu }

// gen returns the generation.
func (b *barrier) gen() uint32 { return uint32(b.state.Load() >> 32) }

// arrive counts a worker, and returns the generation and how many have arrived.
func (b *barrier) arrive() (gen uint32, arrived int) {
	s := b.state.Add(1)
	return uint32(s >> 32), int(uint32(s))
}

// openAfter opens the barrier where all have arrived in generation gen.
func (b *barrier) openAfter(gen uint32) {
	// Where the region fails meanwhile, the barrier has opened already.
	b.state.CompareAndSwap(b.state.Load(), uint64(gen+1)<<32)
	b.wake()
}

// open opens the barrier whoever has arrived.
func (b *barrier) open() {
	b.state.Add(1 << 32)
	b.wake()
}

// wake wakes the parked workers. A waiter raises parked before it looks at the
// generation for the last time. So either it sees the new generation or it is counted
// here.
func (b *barrier) wake() {
	if b.parked.Load() > 0 {
		b.mu.Lock()
		b.cond.Broadcast()
		b.mu.Unlock()
	}
}

// reset forgets who has arrived and who has waited. No worker may be at the barrier.
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
		b.slow.CompareAndSwap(t, 0) // it is of the phase that is over
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

// lost notes that a waiting worker had no processor itself between t and u: it looked
// for 5 µs of that time, and it was 1 ms or more.
func (b *barrier) lost(t, u int64) {
	if u-t > 10*spinTime {
		b.slow.CompareAndSwap(0, t)
	}
}

const (
	// spinLimit is how often a waiting worker looks before it parks: about 0.1 ms at
	// 3.66 GHz. That is longer than two cores get out of step, and than the gap between
	// two passes. It is shorter than a scheduler's time slice. Waking a parked worker takes
	// longer than most waits: with 16 µs training lost 37 % (bench/RESULTS.md, Choices).
	spinLimit = 400000
	// spinTime is about how long that takes, in nanoseconds.
	spinTime = 100_000
	// shortSpin is how often it looks before it looks at the clock too: 5 µs.
	shortSpin = 16000
)

// now returns a time in nanoseconds.
func now() int64 { return int64(time.Since(epoch)) }

var epoch = time.Now()
