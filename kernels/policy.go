package kernels

import "time"

// A policy says how many workers a team may have. A worker that the team had to
// wait for costs one; after a while one more is tried again. The while doubles with
// each try that fails, so that a machine that stays busy costs little, and ends
// with the first that lasts, so that one stall does too.
type policy struct {
	threads int
	limit   int   // most workers of a team at present
	until   int64 // when that is next looked at
	backoff int64 // how long a limit lasts
	trying  bool  // the limit has been raised and not lasted yet

	procs   int   // processors at the last count
	recount int64 // when to count again
}

const (
	maxBackoff = int64(time.Second)
	// recountEvery is how often processors are counted: GOMAXPROCS and the affinity
	// mask may change at any time.
	recountEvery = int64(10 * time.Millisecond)
)

func (p *policy) init(threads int) { p.threads, p.limit = threads, threads }

// allowed returns how many workers a team may have at time t.
func (p *policy) allowed(t int64) int {
	if t >= p.recount {
		p.procs, p.recount = processors(), t+recountEvery
	}
	if (p.limit < p.threads || p.backoff > 0) && t >= p.until {
		if p.trying { // it has lasted
			p.backoff /= 2
		}
		if p.trying = p.limit < p.threads; p.trying {
			p.limit++
			p.until = t + p.backoff
		} else {
			p.backoff = 0
		}
	}
	return min(p.limit, p.procs)
}

// punish lowers the limit of a team that has waited so long until time t.
func (p *policy) punish(t, waited int64, team int) {
	if p.trying {
		p.backoff *= 2
	} else {
		p.backoff = 0
	}
	p.backoff = min(max(p.backoff, waited), maxBackoff)
	p.limit = max(1, min(p.limit, team)-1)
	p.until, p.trying = t+p.backoff, false
	p.recount = 0 // perhaps that is why
}
