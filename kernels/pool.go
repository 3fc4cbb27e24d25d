package kernels

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A pool keeps the goroutines of an engine's workers 1, 2, …; worker 0 is
// whoever calls Run.
type pool struct {
	busy    sync.Mutex // held while a region runs
	workers []*Worker
	task    func(*Worker)
	active  int     // workers of the current region
	start   barrier // releases the helpers into a region
	meet    barrier // between the workers of a region
	finish  barrier // joins all helpers, those left out too
	gemm    Product // the argument of gemmShare
	closed  bool
}

func newPool(e *Engine, threads int) *pool {
	p := &pool{}
	spin := spinLimit
	if threads > runtime.GOMAXPROCS(0) {
		spin = 0 // spinning would keep the awaited worker off its processor
	}
	p.start.init(spin)
	p.meet.init(spin)
	p.finish.init(spin)
	for id := range threads {
		w := newWorker(e)
		w.id, w.pool = id, p
		p.workers = append(p.workers, w)
	}
	for _, w := range p.workers[1:] {
		go p.help(w)
	}
	return p
}

// help is the life of a helper: wait for a region, take part, wait again.
func (p *pool) help(w *Worker) {
	for gen := uint32(0); ; {
		gen = p.start.await(gen)
		if p.closed {
			return
		}
		if w.id < p.active {
			w.n = p.active
			p.task(w)
		}
		p.finish.arrive(len(p.workers))
	}
}

// run executes task on n workers. The caller holds busy.
func (p *pool) run(n int, task func(*Worker)) {
	if p.closed {
		p.busy.Unlock()
		panic("kernels: the engine has been closed")
	}
	// If this worker panics the others may wait for it for ever: nobody may
	// recover from that.
	done := false
	defer func() {
		if !done {
			text := fmt.Sprintf("kernels: a region has failed: %v\n\n%s", recover(), debug.Stack())
			go func() { panic(text) }()
			select {}
		}
	}()
	p.task, p.active = task, n
	p.start.release()
	w := p.workers[0]
	w.n = n
	task(w)
	p.finish.arrive(len(p.workers))
	p.task = nil
	done = true
}

func (p *pool) close() {
	p.busy.Lock()
	defer p.busy.Unlock()
	if !p.closed {
		p.closed = true
		p.start.release()
	}
}

// spinLimit is how often a waiting worker looks before it parks: about 0.1 ms at
// 3.66 GHz, longer than two cores get out of step and than the gap between two
// passes, shorter than a scheduler's time slice. With 16 µs training with V = 65,
// H = 512, B = 32 on two threads came to 67,000 tokens/s instead of 106,000, for
// waking a parked worker takes longer than the wait; ten times as long gained nothing more.
const spinLimit = 400000

// A barrier lets workers wait for each other or for a signal, spinning briefly
// and then parked. gen counts how often it has opened.
type barrier struct {
	gen     atomic.Uint32
	arrived atomic.Int32
	parked  atomic.Int32
	spin    int
	mu      sync.Mutex
	cond    sync.Cond
}

func (b *barrier) init(spin int) { b.spin, b.cond.L = spin, &b.mu }

// arrive waits until n workers have called it.
func (b *barrier) arrive(n int) {
	gen := b.gen.Load()
	if b.arrived.Add(1) == int32(n) {
		b.arrived.Store(0)
		b.release()
		return
	}
	b.await(gen)
}

// release opens the barrier for all that wait.
func (b *barrier) release() {
	b.gen.Add(1)
	// A waiter raises parked before it looks at gen for the last time, so either
	// it sees the new gen or it is counted here.
	if b.parked.Load() > 0 {
		b.mu.Lock()
		b.cond.Broadcast()
		b.mu.Unlock()
	}
}

// await waits until the barrier has opened since gen and returns the new gen.
func (b *barrier) await(gen uint32) uint32 {
	for range b.spin {
		if g := b.gen.Load(); g != gen {
			return g
		}
	}
	b.mu.Lock()
	b.parked.Add(1)
	for b.gen.Load() == gen {
		b.cond.Wait()
	}
	b.parked.Add(-1)
	b.mu.Unlock()
	return b.gen.Load()
}
