package kernels

import (
	"runtime"
	"sync"
	"sync/atomic"

	"batchrnn/asm"
)

// A pool is the workers of an engine and the region that they are in.
//
// A region never waits for a worker that has not come. It begins with the workers that
// are looking for work, and calls the others. Those that have come by a later barrier
// join there. If the team had to wait for a worker, it leaves that worker out at the
// next barrier; the [policy] says for how long. So other work on the machine costs a
// region only the time to notice it.
type pool struct {
	set     *asm.Set
	workers []*Worker // worker 0 stands for the caller of Run, the others are helpers
	closed  atomic.Bool

	busy   sync.Mutex // held by the caller of a region
	policy policy
	force  func(want int) int // replaces the policy in tests

	idle atomic.Pointer[Worker] // the worker of a caller that worked alone
	mu   sync.Mutex
	solo []*Worker // more such workers

	handover int // see HandoverWork; 0 until it is measured

	_ cacheLine

	// The region. Its caller writes these fields before it begins and after it ends. At
	// a barrier the last worker that arrives writes them, while all others wait. They
	// change seldom, and all workers read them at each barrier.
	task     func(*Worker)
	want     int // how many workers the work is worth
	most     int // how many of them the policy allows
	team     []*Worker
	began    int64       // when the region began
	firstGen uint32      // the barrier's generation when the region began
	hiring   atomic.Bool // the region wants more workers than it has
	failed   atomic.Pointer[PanicError]
	gemm     Product               // the argument of gemmShare
	plain    plainProduct[float32] // the argument of plainShare
	plain64  plainProduct[float64]

	_ cacheLine

	barrier barrier // between phases

	inside   atomic.Int32 // helpers that have not left the task
	lastLeft atomic.Int64 // when a helper left it
	left     barrier      // opens when the last helper leaves
}

// cacheLine separates fields that are written often from fields that others read at the
// same time. Without it a step of two workers takes 0.26 µs more.
type cacheLine [64]byte

// The states of a helper.
const (
	parked uint32 = iota // waits for its wake channel
	called               // was woken, or yields to other goroutines; it has not come yet
	ready                // looks for work; may be taken into the team
	taken                // is taken; its place in the team follows
	working
	gone // the engine has been closed
)

func newPool(set *asm.Set, threads int) *pool {
	p := &pool{set: set, team: make([]*Worker, 0, threads)}
	p.policy.init(threads)
	p.barrier.init()
	p.left.init()
	for id := range threads {
		w := newWorker(set)
		w.id, w.pool, w.patience = id, p, spinLimit
		w.wake = make(chan struct{}, 1)
		p.workers = append(p.workers, w)
	}
	for _, w := range p.workers[1:] {
		w.state.Store(called)
		go p.help(w)
	}
	return p
}

// close makes the helpers end.
func (p *pool) close() {
	if p.closed.Swap(true) {
		return
	}
	for _, w := range p.workers[1:] {
		if w.state.CompareAndSwap(parked, called) {
			w.wake <- struct{}{}
		}
	}
}

// help is the loop of a helper: wait for a region, take part, wait again.
func (p *pool) help(w *Worker) {
	ended := false
	defer func() {
		if !ended { // a task has called runtime.Goexit
			go p.help(w)
		}
	}()
	for p.look(w) {
		p.work(w)
	}
	ended = true
}

// look waits until the helper is in a team. It returns false if the engine has been
// closed.
func (p *pool) look(w *Worker) bool {
	for {
		if !w.rest.Load() && p.spin(w) {
			return true
		}
		w.rest.Store(false)
		if !w.state.CompareAndSwap(called, parked) {
			continue // it was taken before it came
		}
		if p.closed.Load() && w.state.CompareAndSwap(parked, gone) {
			return false
		}
		<-w.wake
		w.learn()
	}
}

// learn sets the helper's patience by how long it would have had to look for work.
func (w *Worker) learn() {
	if w.calledAt-w.since < 2*spinTime {
		w.patience = spinLimit
	} else {
		w.patience = max(w.patience/2, leastPatience)
	}
}

// spin looks for work until the helper's patience ends. It looks on while a region
// wants more workers. It returns whether the helper has been taken.
func (p *pool) spin(w *Worker) bool {
	w.since = now()
	limit := w.patience
	done := 0
	for {
		w.state.CompareAndSwap(called, ready)
		for range min(limit-done, yieldEvery) {
			if w.state.Load() == working {
				return true
			}
		}
		for !w.state.CompareAndSwap(ready, called) { // it was taken: its place follows
			if w.state.Load() == working {
				return true
			}
			runtime.Gosched()
		}
		done += yieldEvery
		if p.closed.Load() || done >= limit && !(p.hiring.Load() && done < longestWait) {
			return false
		}
		limit = max(limit, done+yieldEvery)
		runtime.Gosched() // other goroutines with work go first
	}
}

// work takes part in a region.
func (p *pool) work(w *Worker) {
	done := false
	defer func() {
		w.leave()
		after := called
		switch {
		case !done:
			p.fail(newPanicError(w, recover()), w)
		case !w.rest.Load():
			after = ready // at once, because the next region may begin at once
		}
		w.state.Store(after)
		p.lastLeft.Store(now())
		if p.inside.Add(-1) == 0 {
			p.left.open()
		}
	}()
	w.enter()
	p.task(w)
	done = true
}

// run executes task on a team of at most n workers. The caller holds busy.
func (p *pool) run(n int, task func(*Worker)) {
	w, done := p.workers[0], false
	defer func() {
		var own *PanicError
		if !done {
			own = newPanicError(w, recover())
			p.fail(own, w)
		}
		p.finish()
		w.leave()
		failed := p.failed.Swap(nil)
		p.task, p.gemm = nil, Product{}
		if p.plain.m > 0 {
			p.plain = plainProduct[float32]{}
		}
		if p.plain64.m > 0 {
			p.plain64 = plainProduct[float64]{}
		}
		p.busy.Unlock()
		if failed != nil && (done || own != nil) { // otherwise Goexit goes on
			panic(failed)
		}
	}()
	p.task, p.want, p.firstGen, p.began = task, n, p.barrier.gen(), now()
	w.rank, w.n = 0, 1
	p.team = append(p.team[:0], w)
	if p.force != nil {
		p.barrier.spin, p.left.spin = spinLimit, spinLimit
		if n > runtime.GOMAXPROCS(0) { // a spinning worker would take the processor of the one it waits for
			p.barrier.spin, p.left.spin = 0, 0
		}
		release(p.forceTeam(0))
	} else {
		p.barrier.spin, p.left.spin = spinLimit, spinLimit
		p.most = min(n, p.policy.allowed(p.began))
		release(p.grow(0))
	}
	w.enter()
	task(w)
	done = true
}

// finish waits until all helpers have left the task.
func (p *pool) finish() {
	p.hiring.Store(false)
	phases := int(p.barrier.gen()-p.firstGen) + 1
	if p.inside.Load() > 0 {
		for { // it may open late, for a helper that left before another joined
			gen := p.left.gen()
			if p.inside.Load() == 0 {
				break
			}
			p.left.await(gen)
		}
		p.hiring.Store(false) // in a failing region a late barrier may have set it again
		p.judge(&p.left, phases)
	}
	if p.barrier.slow.Load() != 0 { // noted after the last barrier
		p.judge(&p.barrier, phases)
	}
	if len(p.team) > 1 {
		t := now()
		// If the caller is the last, the helpers have waited for it since they left.
		if slow := p.lastLeft.Load() + spinTime; t > slow && p.left.slow.CompareAndSwap(0, slow) {
			p.judge(&p.left, phases)
		}
		p.policy.end(t)
	}
	p.left.reset()
	p.barrier.reset()
}

// fail ends the region: workers leave it at their barrier. A nil failure means that a
// worker left by runtime.Goexit.
func (p *pool) fail(failure *PanicError, w *Worker) {
	if failure == nil {
		failure = &PanicError{Value: "the task called runtime.Goexit", Worker: w.id}
	} else if failure.Value == abandoned {
		return
	}
	p.failed.CompareAndSwap(nil, failure)
	p.barrier.open()
}

// abandoned is the value of a worker's panic at a barrier of a region that has failed.
var abandoned any = new(struct{ _ int })

const (
	// leastPatience is the number of looks of a helper that has never found work in
	// time.
	leastPatience = 8000
	// yieldEvery is the number of looks after which a helper lets other goroutines go
	// first.
	yieldEvery = 100000
	// longestWait is the number of looks of a helper that a region has called. It is
	// about 10 ms, longer than a phase.
	longestWait = 100 * spinLimit
)
