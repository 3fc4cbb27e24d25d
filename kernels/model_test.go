package kernels

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
)

// This file is a model of pool.go: its barriers, its team and its helpers. A search
// visits every interleaving of the workers' atomic operations. Where time decides,
// the search tries each way: who is left out, who is called, who parks, who panics.
// The model has no slow, hiring or patience, which only measure time. Plain memory,
// such as a worker's place, changes together with the operation beside it. An
// operation that changes nothing and leads back to itself, such as a look that finds
// no news, is no step.

// A step is where a worker stands: the operation that it does next.
type step uint8

const (
	mSpin    step = iota // spin: state.CompareAndSwap(called, ready)
	mLook                // spin: state.Load, or state.CompareAndSwap(ready, called)
	mPark                // look: state.CompareAndSwap(called, parked)
	mWait                // look: <-w.wake
	mPhase               // computes its share; meet: barrier.arrive; or the task ends
	mArrived             // meet: failed.Load before the barrier opens
	mMet                 // meet: failed.Load after it has opened
	mBetween             // between: leaveOut
	mRecruit             // recruit: state.CompareAndSwap of a helper
	mSend                // recruit: w.wake <- struct{}{}
	mSettle              // settle: inside.Add
	mRelease             // release: state.Store(working)
	mLoad                // openAfter: state.Load
	mSwap                // openAfter: state.CompareAndSwap
	mOpen                // open: state.Add(1 << 32)
	mWake                // wake: parked.Load
	mCast                // wake: mu.Lock, Broadcast, mu.Unlock
	mAwait               // await: gen, without the lock
	mRaise               // await: mu.Lock, parked.Add(1)
	mCheck               // await: gen, with the lock
	mSleep               // await: cond.Wait, which gives the lock back
	mWoken               // await: cond.Wait takes the lock
	mLower               // await: parked.Add(-1), mu.Unlock
	mLeave               // work: state.Store(after)
	mCount               // work: inside.Add(-1)
	mFinish              // finish: inside.Load() > 0
	mGen                 // finish: left.gen
	mInside              // finish: inside.Load() == 0
	mReset               // finish: barrier.reset
	mRun                 // run: failed.Swap(nil); then the next region begins
	mDone
)

var stepNames = strings.Fields(`spin look park wait phase arrived met between recruit send settle
	release load swap open wake cast await raise check sleep woken lower leave count finish gen
	inside reset run done`)

const modelWorkers, modelPhases = 3, 3 // at most

type modelWorker struct {
	at, then              step  // then follows await, or the opening of a barrier
	bar                   uint8 // which of barriers it waits at, or opens
	state, token          uint8 // token is what its wake channel holds
	rest                  bool
	done, last            bool  // of work; of meet
	gen                   uint8 // of arrive, or of left
	old                   modelBarrier
	phase, rank, n        uint8
	away, joinRank, joinN uint8
	next, before, joins   uint8 // of recruit; the team before; how many join it
}

type modelBarrier struct{ gen, arrived, parked uint8 }

type modelState struct {
	workers  [modelWorkers]modelWorker
	barriers [2]modelBarrier // barrier and left
	inside   int8
	task     bool // is not nil
	failed   bool
	unwell   bool // one worker may panic yet
	region   uint8
	team     [modelWorkers + 2]uint8 // a region that fails may take one twice
	size     uint8
	// The rest is for checks: the team's phase, and the shares that are done.
	phase  uint8
	shares [modelPhases]uint8 // a bit for each rank
	of     [modelPhases]uint8 // how many there are
}

// A model is the protocol, or a mutant of it.
type model struct {
	workers, regions, phases int
	panics                   bool // one worker, in any phase
	mutant                   string

	pages  [][]modelState      // the states in order
	from   []int32             // the state before each
	seed   maphash.Seed        // other for each search
	seen   map[uint64]struct{} // hashes; two of 1.5 million are equal once in 10⁷ searches
	now    int32               // the state from which the search goes on
	broken string
}

// search visits all states, the nearest first. It returns how the protocol is
// violated and the states that lead there.
func (m *model) search() string {
	s := modelState{unwell: m.panics}
	for id := range s.workers {
		w := &s.workers[id]
		switch w.state = uint8(called); {
		case id == 0:
			w.at = mRun
		case id >= m.workers:
			w.at = mDone
		}
	}
	m.seed, m.seen, m.now = maphash.MakeSeed(), map[uint64]struct{}{}, -1
	m.reach(&s)
	for m.now = 0; int(m.now) < len(m.from); m.now++ {
		progress := false
		for id := range m.workers {
			s := *m.state(m.now)
			w := &s.workers[id]
			idle := w.at <= mWait && w.state != uint8(working)
			if m.move(&s, id) && !idle {
				progress = true
			}
			if m.broken != "" {
				return fmt.Sprintf("%s, by worker %d%s", m.broken, id, m.trace(&s))
			}
		}
		if s := m.state(m.now); !progress && !s.ended() {
			return "deadlock" + m.trace(s)
		}
	}
	return ""
}

// reach adds a state to those from which the search goes on. It returns true.
func (m *model) reach(s *modelState) bool {
	m.check(s.inside >= 0, "inside is negative")
	hash := maphash.Comparable(m.seed, *s)
	if _, ok := m.seen[hash]; !ok {
		m.seen[hash] = struct{}{}
		if len(m.from)%modelPage == 0 {
			m.pages = append(m.pages, make([]modelState, modelPage))
		}
		m.from = append(m.from, m.now)
		*m.state(int32(len(m.from) - 1)) = *s
	}
	return true
}

const modelPage = 1 << 12

func (m *model) state(i int32) *modelState { return &m.pages[i/modelPage][i%modelPage] }

// check notes the first violation.
func (m *model) check(holds bool, violation string) {
	if !holds && m.broken == "" {
		m.broken = violation
	}
}

// trace returns the states that lead to s.
func (m *model) trace(s *modelState) string {
	lines := []string{s.String()}
	for at := m.now; at >= 0; at = m.from[at] {
		lines = append(lines, m.state(at).String())
	}
	slices.Reverse(lines)
	return "\n" + strings.Join(lines, "\n")
}

func (s *modelState) String() string {
	line := fmt.Sprintf("region %d team %-7v inside %d failed %-5v barriers %v",
		s.region, s.team[:s.size], s.inside, s.failed, s.barriers)
	for _, w := range s.workers {
		line += fmt.Sprintf(" | %-7s %-7s phase %d share %d/%d away %d", stepNames[w.at],
			[]string{"parked", "called", "ready", "taken", "working"}[w.state], w.phase, w.rank, w.n, w.away)
	}
	return line
}

// ended reports whether the regions are over and each helper waits for one.
func (s *modelState) ended() bool {
	for _, w := range s.workers[1:] {
		switch state := uint32(w.state); {
		case w.at == mDone, w.at <= mPark && (state == called || state == ready):
		case w.at == mWait && (state == parked && w.token == 0 || state == called && w.token == 1):
		default:
			return false
		}
	}
	return s.workers[0].at == mDone
}

// locked reports whether a worker holds the lock of a barrier.
func (s *modelState) locked(bar uint8) bool {
	for _, w := range s.workers {
		if w.bar == bar && (w.at == mCheck || w.at == mLower) {
			return true
		}
	}
	return false
}

// move does the next operation of a worker, in each way that there is. It reports
// whether there is one.
func (m *model) move(s *modelState, id int) bool {
	w := &s.workers[id]
	b := &s.barriers[w.bar]
	to := func(at step) bool { return m.to(s, id, at) }
	switch w.at {
	// The life of a helper.
	case mSpin:
		if w.state == uint8(called) {
			w.state = uint8(ready)
		}
		return to(mLook)
	case mLook:
		switch uint32(w.state) {
		case working:
			return to(mPhase)
		case ready:
			w.state = uint8(called)
			return to(mSpin) && to(mPark)
		}
		return false // taken: its place follows
	case mPark:
		if w.state != uint8(called) {
			return to(mSpin)
		}
		w.state = uint8(parked)
		return to(mWait)
	case mWait:
		if w.token == 0 {
			return false
		}
		w.token--
		return to(mSpin)

	// The task.
	case mPhase:
		m.check(s.task, "a worker has no task")
		if s.unwell { // it panics
			t := *s
			t.unwell, t.failed = false, true
			t.shares, t.of = [modelPhases]uint8{}, [modelPhases]uint8{}
			w := &t.workers[id]
			w.then = w.exit(id, false)
			m.to(&t, id, mOpen)
		}
		m.share(s, id)
		switch {
		case int(w.phase) == m.phases-1:
			return to(w.exit(id, true))
		case w.n == 0: // Barrier, of one that has no part
			w.phase++
			if w.away > 0 {
				if w.away--; w.away == 0 {
					w.rank, w.n = w.joinRank, w.joinN
				}
			}
			return to(mPhase)
		}
		b.arrived++
		w.gen, w.last = b.gen, b.arrived == w.n
		return to(mArrived)
	case mArrived:
		switch {
		case s.failed:
			return to(w.exit(id, false))
		case w.last:
			return to(mBetween)
		}
		w.then = mMet
		return to(mAwait)
	case mMet:
		if s.failed {
			return to(w.exit(id, false))
		}
		w.phase++
		return to(mPhase)

	// What the last that arrives does. The caller does it too before it begins.
	case mBetween:
		w.phase++
		s.phase, w.next, w.before = w.phase, 1, s.size
		to(mRecruit)
		t := *s
		if s.size > 1 || m.mutant == "the caller is left out" { // judge; the caller stays
			m.leaveOut(s, id, id, true)
			m.reach(s)
		}
		for t.size > 1 { // forceTeam
			m.leaveOut(&t, id, int(t.team[t.size-1]), false)
			m.reach(&t)
		}
		return true
	case mRecruit: // one of the helpers that follow, or no more
		for i := int(w.next); i < m.workers; i++ {
			t := *s
			w, x := &t.workers[id], &t.workers[i]
			switch uint32(x.state) {
			case ready, called: // called by forceTeam only
				x.state = uint8(taken)
				t.team[t.size] = uint8(i)
				t.size++
				w.joins++
				w.next = uint8(i + 1)
				m.reach(&t)
			case parked:
				x.state = uint8(called)
				w.next = uint8(i)
				m.to(&t, id, mSend)
			}
		}
		m.settle(s, id)
		return to(m.after(w))
	case mSend:
		x := &s.workers[w.next]
		x.token++
		m.check(x.token == 1, "a helper is called twice")
		w.next++
		return to(mRecruit)
	case mSettle:
		s.inside += int8(w.joins)
		return to(m.after(w))
	case mRelease:
		s.workers[s.team[w.next]].state = uint8(working)
		if w.next++; w.next < w.before+w.joins {
			return to(mRelease)
		}
		return to(m.after(w))

	// A barrier opens.
	case mLoad:
		w.old, w.then = *b, m.after(w)
		return to(mSwap)
	case mSwap:
		if old := w.old; b.gen == old.gen && b.arrived == old.arrived {
			b.gen, b.arrived = w.gen+1, 0
		}
		if m.mutant == "wake looks first" && w.old.parked == 0 {
			return to(w.then)
		}
		return to(mWake)
	case mOpen:
		b.gen++
		return to(mWake)
	case mWake:
		if b.parked == 0 {
			return to(w.then)
		}
		return to(mCast)
	case mCast:
		if s.locked(w.bar) {
			return false
		}
		for i := range s.workers {
			if x := &s.workers[i]; x.at == mSleep && x.bar == w.bar {
				x.at = mWoken
			}
		}
		return to(w.then)

	// A worker waits until it has.
	case mAwait:
		if b.gen != w.gen {
			return to(w.then)
		}
		return to(mRaise)
	case mRaise, mWoken:
		if s.locked(w.bar) {
			return false
		}
		if w.at == mRaise {
			b.parked++
		}
		return to(mCheck)
	case mCheck:
		if b.gen == w.gen {
			return to(mSleep)
		}
		return to(mLower)
	case mLower:
		b.parked--
		return to(w.then)

	// The end of the task, of a helper and of the caller.
	case mLeave:
		w.state = uint8(called)
		if w.done && !w.rest {
			w.state = uint8(ready)
		}
		return to(mCount)
	case mCount:
		w.then = mSpin
		if w.rest {
			w.then = mPark
		}
		w.rest, w.done = false, false
		if s.inside--; s.inside > 0 {
			return to(w.then)
		}
		w.bar = 1
		return to(mOpen)
	case mFinish:
		if s.inside > 0 {
			return to(mGen)
		}
		return to(mReset)
	case mGen:
		w.gen = s.barriers[1].gen
		return to(mInside)
	case mInside:
		if s.inside == 0 {
			return to(mReset)
		}
		w.bar, w.then = 1, mGen
		if m.mutant == "finish waits once" {
			w.then = mReset
		}
		return to(mAwait)
	case mReset:
		m.finished(s)
		b.arrived = 0
		return to(mRun)
	case mRun:
		if int(s.region) == m.regions {
			s.task, s.failed = false, false
			return to(mDone)
		}
		m.begin(s)
		return to(mRecruit)
	}
	return false // asleep, or done
}

// to lets a worker go on with a step. What the step has no use for is cleared, so
// that states which differ only there are one.
func (m *model) to(s *modelState, id int, at step) bool {
	w := &s.workers[id]
	if at == w.then {
		w.then, w.bar, w.gen, w.old = 0, 0, 0, modelBarrier{}
	}
	if w.at = at; at == mPhase {
		w.next, w.before, w.joins, w.last, w.gen = 0, 0, 0, false, 0
		m.enters(s, id)
	}
	return m.reach(s)
}

// exit returns the step with which a worker leaves the task.
func (w *modelWorker) exit(id int, done bool) step {
	w.phase, w.gen, w.last = 0, 0, false
	if id == 0 {
		return mFinish
	}
	w.done = done
	return mLeave
}

// begin is what run does before it has a team. Nobody waits at a barrier then, so
// the generations may count from 0 again.
func (m *model) begin(s *modelState) {
	for i := range s.workers {
		w := &s.workers[i]
		w.rank, w.n, w.away, w.joinRank, w.joinN = 0, 0, 0, 0, 0
	}
	w := &s.workers[0]
	w.n, w.next, w.before = 1, 1, 1
	s.barriers[0].gen, s.barriers[1].gen = 0, 0
	s.team, s.size = [len(s.team)]uint8{}, 1
	s.region++
	s.task, s.failed = true, false
	s.phase, s.shares, s.of = 0, [modelPhases]uint8{}, [modelPhases]uint8{}
}

// leaveOut mirrors the function of that name.
func (m *model) leaveOut(s *modelState, by, id int, rest bool) {
	if id == 0 {
		id = int(s.team[s.size-1])
	}
	m.writes(s, by, id)
	w := &s.workers[id]
	s.size--
	copy(s.team[w.rank:s.size], s.team[w.rank+1:])
	s.team[s.size] = 0
	w.n, w.away, w.rest = 0, 0, rest
	for rank, i := range s.team[:s.size] {
		m.writes(s, by, int(i))
		s.workers[i].rank, s.workers[i].n = uint8(rank), s.size
	}
	s.workers[by].before = s.size
}

// settle tells the team its places.
func (m *model) settle(s *modelState, by int) {
	last := &s.workers[by]
	if last.next = last.before; last.joins == 0 {
		return
	}
	for rank, i := range s.team[:s.size] {
		m.writes(s, by, int(i))
		w := &s.workers[i]
		w.rank, w.n = uint8(rank), s.size
		if rank >= int(last.before) && last.phase > 0 {
			w.joinRank, w.joinN = w.rank, w.n
			w.n, w.away = 0, last.phase
			if m.mutant == "away is one less" {
				w.away--
			}
		}
	}
}

// after returns what follows a step of the last that arrives.
func (m *model) after(w *modelWorker) step {
	steps := []step{mRecruit, mSettle, mLoad, mRelease, mPhase}
	switch m.mutant {
	case "release before open":
		steps = []step{mRecruit, mSettle, mRelease, mLoad, mPhase}
	case "working before inside":
		steps = []step{mRecruit, mLoad, mRelease, mSettle, mPhase}
	}
	for _, next := range steps[slices.Index(steps, w.at)+1:] {
		if next == mLoad && w.phase > 0 || next == mPhase || next != mLoad && w.joins > 0 {
			return next
		}
	}
	panic("no step")
}

// writes checks that a worker may write another's place: the other waits for it. In
// a region that fails the other may have left. This check allows that, for it then
// needs no place.
func (m *model) writes(s *modelState, by, id int) {
	w := &s.workers[id]
	waits := (w.at == mArrived || w.at >= mAwait && w.at <= mWoken) && w.bar == 0 && !w.last && w.gen == s.barriers[0].gen
	m.check(id == by || waits || w.state == uint8(taken) || s.failed, "a place changes while its worker reads it")
}

// enters checks that a worker in a team may enter its phase.
func (m *model) enters(s *modelState, id int) {
	w := &s.workers[id]
	if w.n == 0 || s.failed {
		return
	}
	m.check(w.phase == s.phase, "a worker enters another phase than its team")
	m.check(w.n == s.size && int(s.team[w.rank]) == id, "a worker has another's place")
	m.check(w.phase == 0 || s.covered(w.phase-1), "a phase begins before the one before has ended")
}

// share does a worker's share of a phase.
func (m *model) share(s *modelState, id int) {
	w := &s.workers[id]
	if w.n == 0 || s.failed {
		return
	}
	shares, of := &s.shares[w.phase], &s.of[w.phase]
	m.check(*of == 0 || *of == w.n, "a phase has two teams")
	m.check(*shares>>w.rank&1 == 0, "a share is computed twice")
	*shares, *of = *shares|1<<w.rank, w.n
}

// covered reports whether all shares of a phase are done.
func (s *modelState) covered(phase uint8) bool {
	return s.of[phase] > 0 && s.shares[phase] == 1<<s.of[phase]-1
}

// finished checks the region at the end of finish.
func (m *model) finished(s *modelState) {
	for _, w := range s.workers {
		m.check(w.at != mCount && w.state != uint8(taken) && w.state != uint8(working), "finish returns while a helper is inside")
	}
	for phase := range m.phases {
		m.check(s.failed || s.covered(uint8(phase)), "a share is missing")
	}
}

// TestModel: the protocol holds in every interleaving.
func TestModel(t *testing.T) {
	models := []model{
		{workers: 2, regions: 2, phases: 3, panics: true},
		{workers: 3, regions: 1, phases: 2, panics: true},
	}
	if !testing.Short() && !raceDetector {
		models = append(models[:1],
			model{workers: 3, regions: 2, phases: 2},
			model{workers: 3, regions: 1, phases: 3, panics: true})
	}
	for _, m := range models {
		t.Run(fmt.Sprintf("%d workers %d regions %d phases", m.workers, m.regions, m.phases), func(t *testing.T) {
			if violation := m.search(); violation != "" {
				t.Error(violation)
			}
			t.Logf("%d states", len(m.from))
		})
	}
}

// TestModelMutants: the search finds each error that a mutant has.
func TestModelMutants(t *testing.T) {
	for _, m := range []model{
		{workers: 2, regions: 2, phases: 2, mutant: "finish waits once"},
		{workers: 2, regions: 1, phases: 2, mutant: "wake looks first"},
		{workers: 3, regions: 1, phases: 2, mutant: "working before inside", panics: true},
		{workers: 2, regions: 1, phases: 2, mutant: "away is one less"},
		{workers: 2, regions: 1, phases: 3, mutant: "release before open"},
		{workers: 2, regions: 1, phases: 2, mutant: "the caller is left out"},
	} {
		t.Run(m.mutant, func(t *testing.T) {
			violation := m.search()
			if violation == "" {
				t.Errorf("not found in %d states", len(m.from))
			}
			how, _, _ := strings.Cut(violation, "\n")
			t.Logf("%d states: %s", len(m.from), how)
		})
	}
}
