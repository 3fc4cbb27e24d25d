package kernels

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"batchrnn/asm"
)

// A pool is the workers of an engine and the region that they are in.
//
// A region never waits for a worker that has not come. It begins with those that
// are looking for work at that moment, calls the others, and takes them in at a
// later barrier once they have come. A worker that the team had to wait for is left
// out at the next barrier, and the [policy] says for how long. So a machine that is
// busy with other work costs the region what it takes to notice.
type pool struct {
	set     *asm.Set
	workers []*Worker // 0 stands for the caller of Run, the others are helpers
	closed  atomic.Bool

	busy   sync.Mutex // held by the caller of a region
	policy policy
	force  func(want int) int // takes the policy's place in tests

	idle atomic.Pointer[Worker] // of a caller that worked alone
	mu   sync.Mutex
	solo []*Worker // others of that kind

	handover int // see HandoverWork; 0 before it was measured

	_ cacheLine

	// The region. These are written by its caller before it begins and after it
	// ends, and at a barrier by the last that arrives, while all others wait. They
	// change seldom, and all read them at each barrier.
	task     func(*Worker)
	want     int // workers that there is work for
	most     int // of these, what the policy allows
	team     []*Worker
	began    int64       // when
	firstGen uint32      // of the barrier
	hiring   atomic.Bool // the region wants more workers than it has
	failed   atomic.Pointer[PanicError]
	gemm     Product // the argument of gemmShare

	_ cacheLine

	barrier barrier // between phases

	inside atomic.Int32 // helpers that have not left the task
	left   barrier      // opens where the last helper leaves
}

// cacheLine parts what is written often from what others read meanwhile. Without,
// a step of two workers takes 0.26 µs more.
type cacheLine [64]byte

// The states of a helper.
const (
	parked uint32 = iota // waits for its wake channel
	called               // was woken, or let others go first, and has not come yet
	ready                // looks for work, and may be taken into the team
	taken                // is being told its place in the team
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

// close lets the helpers end.
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

// help is the life of a helper: wait for a region, take part, wait again.
func (p *pool) help(w *Worker) {
	ended := false
	defer func() {
		if !ended { // by runtime.Goexit in a task
			go p.help(w)
		}
	}()
	for p.look(w) {
		p.work(w)
	}
	ended = true
}

// look waits until the helper is in a team. It returns false where the engine has
// been closed.
func (p *pool) look(w *Worker) bool {
	for {
		if !w.rest.Load() && p.spin(w) {
			return true
		}
		w.rest.Store(false)
		if !w.state.CompareAndSwap(called, parked) {
			continue // taken before it came
		}
		if p.closed.Load() && w.state.CompareAndSwap(parked, gone) {
			return false
		}
		<-w.wake
		w.learn()
	}
}

// learn sets the helper's patience by how long it would have had to look.
func (w *Worker) learn() {
	if w.calledAt-w.since < 2*spinTime {
		w.patience = spinLimit
	} else {
		w.patience = max(w.patience/2, leastPatience)
	}
}

// spin looks for work until the helper's patience has ended, or as long as a
// region wants more workers. It reports whether the helper has been taken.
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
		for !w.state.CompareAndSwap(ready, called) { // taken: its place follows
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
		runtime.Gosched() // goroutines that have work go first
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
			after = ready // at once, for the next region may begin at once
		}
		w.state.Store(after)
		if p.inside.Add(-1) == 0 {
			p.left.open()
		}
	}()
	w.enter()
	p.task(w)
	done = true
}

// run executes task on a team of at most n. The caller holds busy.
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
		p.busy.Unlock()
		if failed != nil && (done || own != nil) { // else Goexit goes on
			panic(failed)
		}
	}()
	p.task, p.want, p.firstGen, p.began = task, n, p.barrier.gen(), now()
	w.rank, w.n = 0, 1
	p.team = append(p.team[:0], w)
	if p.force != nil {
		p.barrier.spin, p.left.spin = spinLimit, spinLimit
		if n > runtime.GOMAXPROCS(0) { // who spins would keep from running whom it waits for
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
		for { // it may open late for one that left before another joined
			gen := p.left.gen()
			if p.inside.Load() == 0 {
				break
			}
			p.left.await(gen)
		}
		p.hiring.Store(false) // in a region that fails, a barrier may be late
		p.judge(&p.left, phases)
	}
	if p.barrier.slow.Load() != 0 { // noted after the last barrier
		p.judge(&p.barrier, phases)
	}
	p.left.reset()
	p.barrier.reset()
}

// fail ends the region: who waits at a barrier, or comes to one, leaves. A nil
// failure is a worker that left by runtime.Goexit.
func (p *pool) fail(failure *PanicError, w *Worker) {
	if failure == nil {
		failure = &PanicError{Value: "the task called runtime.Goexit", Worker: w.id}
	} else if failure.Value == abandoned {
		return
	}
	p.failed.CompareAndSwap(nil, failure)
	p.barrier.open()
}

// abandoned is what a worker panics with at a barrier of a region that has
// failed.
var abandoned any = new(struct{ _ int })

// meet is a barrier of the team.
func (p *pool) meet(w *Worker) {
	if p.want == 1 {
		return
	}
	team := w.n // as soon as all have arrived, the last of them may change it
	gen, arrived := p.barrier.arrive()
	if p.failed.Load() != nil {
		panic(abandoned)
	}
	if arrived == team {
		joining := p.between(w, int(gen-p.firstGen)+1)
		p.barrier.openAfter(gen)
		release(joining)
		return
	}
	p.barrier.await(gen)
	if p.failed.Load() != nil {
		panic(abandoned)
	}
}

// between is run by the last worker that arrives at a barrier, before the others
// go on. phase counts the barriers. It returns the workers that join the team.
func (p *pool) between(last *Worker, phase int) (joining []*Worker) {
	switch {
	case p.failed.Load() != nil: // its workers are leaving
		return nil
	case p.force != nil:
		return p.forceTeam(phase)
	}
	switch {
	case len(p.team) > 1:
		if p.judge(&p.barrier, phase) {
			p.leaveOut(last)
		}
	case p.barrier.slow.Load() != 0:
		p.barrier.slow.Store(0) // noted late by a worker that is no longer there
	}
	if len(p.team) == p.want {
		return nil
	}
	if phase%growEvery == 0 {
		p.most = min(p.want, p.policy.allowed(now()))
	}
	return p.grow(phase)
}

// judge tells the policy where the team has waited at b for longer than work that is
// shared out unevenly explains: half of a phase, or a quarter where it waited at the
// barrier before too. It returns whether a worker is to be left out.
func (p *pool) judge(b *barrier, phase int) bool {
	slow := b.slow.Load()
	if slow == 0 {
		p.barrier.judged = 0
		return false
	}
	b.slow.Store(0)
	t := now()
	waited, bound := t-slow+spinTime, (t-p.began)/int64(2*phase)
	if p.barrier.judged != 0 {
		bound = (t - p.barrier.judged) / 4
	}
	p.barrier.judged = t
	if waited <= bound {
		return false
	}
	if !p.policy.stall(t, waited, len(p.team)) {
		return false
	}
	p.most = min(p.most, p.policy.limit)
	return true
}

// leaveOut ends the part of the worker that was waited for. Where that is the
// caller, whose part can't end, it ends another's, for there are fewer processors
// than workers.
func (p *pool) leaveOut(w *Worker) {
	if w.id == 0 {
		w = p.team[len(p.team)-1]
	}
	copy(p.team[w.rank:], p.team[w.rank+1:])
	p.team = p.team[:len(p.team)-1]
	w.n, w.away = 0, -1
	w.rest.Store(p.force == nil)
	for rank, w := range p.team {
		w.rank, w.n = rank, len(p.team)
	}
}

// forceTeam makes the team as large as force says, and waits for the workers that
// this takes.
func (p *pool) forceTeam(phase int) (joining []*Worker) {
	size := max(1, min(p.force(p.want), p.want))
	for len(p.team) > size {
		p.leaveOut(p.team[len(p.team)-1])
	}
	p.most = p.want
	before := len(p.team)
	for len(p.team) < size && !p.closed.Load() {
		p.recruit(size)
		runtime.Gosched()
	}
	return p.settle(before, phase)
}

// grow takes helpers into the team that have come, and calls those that have not.
func (p *pool) grow(phase int) (joining []*Worker) {
	before := len(p.team)
	p.recruit(p.most)
	return p.settle(before, phase)
}

// recruit adds helpers that are ready to the team, up to size in all, and calls
// those that are not.
func (p *pool) recruit(size int) {
	missing := false
	for _, w := range p.workers[1:p.most] {
		if len(p.team) == size {
			break
		}
		switch w.state.Load() {
		case ready:
			missing = !p.take(w, ready) || missing
		case parked:
			if w.state.CompareAndSwap(parked, called) {
				w.calledAt = now()
				w.wake <- struct{}{}
			}
			missing = true
		case called:
			missing = p.force == nil || !p.take(w, called) || missing
		}
	}
	if p.hiring.Load() != missing {
		p.hiring.Store(missing)
	}
}

// settle tells the team its places. Those from before on have just been taken. It
// returns them.
func (p *pool) settle(before, phase int) (joining []*Worker) {
	joining = p.team[before:]
	if len(joining) == 0 {
		return nil
	}
	p.inside.Add(int32(len(joining)))
	for rank, w := range p.team[:before] {
		w.rank, w.n = rank, len(p.team)
	}
	for i, w := range joining {
		w.rank, w.n, w.away = before+i, len(p.team), 0
		if phase > 0 { // it passes through the phases that are over
			w.joinRank, w.joinN = w.rank, w.n
			w.n, w.away = 0, phase
		}
	}
	return joining
}

// release lets workers begin that join a team at a barrier. That barrier must be open:
// they don't wait there, and the next one would lose their arrival.
func release(joining []*Worker) {
	for _, w := range joining {
		w.state.Store(working)
	}
}

// take makes a helper in the given state the next of the team.
func (p *pool) take(w *Worker, state uint32) bool {
	if !w.state.CompareAndSwap(state, taken) {
		return false
	}
	p.team = append(p.team, w)
	return true
}

const (
	// spinLimit is how often a waiting worker looks before it parks: about 0.1 ms at
	// 3.66 GHz, longer than two cores get out of step and than the gap between two
	// passes, shorter than a scheduler's time slice. With 16 µs training with V = 65,
	// H = 512, B = 32 on two threads came to 67,000 tokens/s instead of 106,000, for
	// waking a parked worker takes longer than the wait; ten times as long gained nothing more.
	spinLimit = 400000
	// spinTime is about how long that takes, in nanoseconds.
	spinTime = 100_000
	// shortSpin is how often it looks before it looks at the clock too: 5 µs.
	shortSpin = 16000
	// leastPatience is how often a helper looks that never found work in time.
	leastPatience = 8000
	// yieldEvery is how often a helper looks before it lets other goroutines go
	// first.
	yieldEvery = 100000
	// longestWait is how often a helper looks that a region has called: some 10 ms,
	// longer than a phase.
	longestWait = 100 * spinLimit
	// growEvery is how many phases pass before a team that is not whole asks the
	// policy again, which costs a look at the clock.
	growEvery = 8
)

// now returns a time in nanoseconds.
func now() int64 { return int64(time.Since(epoch)) }

var epoch = time.Now()

// A barrier lets workers wait until it opens, spinning briefly and then parked.
type barrier struct {
	// state counts in its upper half how often the barrier has opened, its
	// generation, and in its lower half who has arrived since. One word, for each
	// write of one worker costs the others a cache miss.
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

// wake wakes the parked. A waiter raises parked before it looks at the generation
// for the last time, so either it sees the new one or it is counted here.
func (b *barrier) wake() {
	if b.parked.Load() > 0 {
		b.mu.Lock()
		b.cond.Broadcast()
		b.mu.Unlock()
	}
}

// reset forgets who has arrived, and who has waited. No worker is at the barrier.
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

// lost notes where a waiting worker had no processor itself between t and u: it
// looked for 5 µs of them, and they are 1 ms apart and more.
func (b *barrier) lost(t, u int64) {
	if u-t > 10*spinTime {
		b.slow.CompareAndSwap(0, t)
	}
}
