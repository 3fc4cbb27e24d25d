package kernels

import "runtime"

// This file holds what a team does at a barrier, and who is in it afterwards.

// growEvery is the number of phases after which an incomplete team asks the policy
// again. Each time costs a read of the clock.
const growEvery = 8

// meet is a barrier of the team.
func (p *pool) meet(w *Worker) {
	if p.want == 1 {
		return
	}
	team := w.n // read first: the last worker that arrives may change it
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

// between changes the team at a barrier. The last worker that arrives runs it, before
// the others go on. phase counts the barriers. It returns the workers that join.
func (p *pool) between(last *Worker, phase int) (joining []*Worker) {
	switch {
	case p.failed.Load() != nil: // the workers are leaving
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
		p.barrier.slow.Store(0) // a late note of a worker that is no longer there
	}
	if len(p.team) == p.want {
		return nil
	}
	if phase%growEvery == 0 {
		p.most = min(p.want, p.policy.allowed(now()))
	}
	return p.grow(phase)
}

// judge tells the policy if the team has waited at b for longer than uneven shares of
// work explain. The limit is half of a phase, or a quarter if the team also waited at
// the barrier before. judge returns whether a worker must be left out.
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

// leaveOut takes w, for which the team waited, out of the team. The caller cannot
// leave. Another worker leaves instead, because there are fewer processors than
// workers.
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

// forceTeam makes the team as large as force says, and waits for its workers.
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

// grow takes helpers that have come into the team, and calls the others.
//
// A called helper parks again after [longestWait] without a barrier. That happens in
// phases of 10 ms and more. So at the next barrier the team waits 0.1 ms for the
// helper, which otherwise would never come in time.
func (p *pool) grow(phase int) (joining []*Worker) {
	before := len(p.team)
	if p.recruit(p.most) && phase > 0 {
		for until := now() + spinTime; len(p.team) < p.most && now() < until; {
			runtime.Gosched()
			p.recruit(p.most)
		}
	}
	return p.settle(before, phase)
}

// recruit adds helpers that are ready to the team, up to size in all, and calls the
// others. It returns whether it had to wake one.
func (p *pool) recruit(size int) (woken bool) {
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
				woken = true
			}
			missing = true
		case called:
			missing = p.force == nil || !p.take(w, called) || missing
		}
	}
	if p.hiring.Load() != missing {
		p.hiring.Store(missing)
	}
	return woken
}

// settle gives the workers of the team their places. It returns those from index before
// on, which have just joined.
func (p *pool) settle(before, phase int) (joining []*Worker) {
	joining = p.team[before:]
	if len(joining) == 0 {
		return nil
	}
	p.inside.Add(int32(len(joining)))
	if before == 1 {
		t := p.began
		if phase > 0 {
			t = now()
		}
		p.policy.begin(t)
	}
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

// release lets the workers that join a team at a barrier begin. That barrier must have
// opened. They don't wait there, so it would count their arrival at the next barrier
// and lose it.
func release(joining []*Worker) {
	for _, w := range joining {
		w.state.Store(working)
	}
}

// take adds a helper to the team if it is in the given state.
func (p *pool) take(w *Worker, state uint32) bool {
	if !w.state.CompareAndSwap(state, taken) {
		return false
	}
	p.team = append(p.team, w)
	return true
}
