package kernels

import "time"

// A policy says how many workers a team may have. A worker that the team had to wait
// for lowers the limit by one. After a pause the limit is raised again, as a try. Each
// try that fails makes the pause eight times as long, so a machine that stays busy costs
// little. A try that lasts shortens the pauses, so a single stall costs little too.
type policy struct {
	threads int
	limit   int   // most workers of a team at present
	until   int64 // when that is next looked at
	backoff int64 // how long a limit lasts
	trying  bool  // the limit has been raised, and the try is not over
	worked  int64 // how long teams have worked since one waited, or the limit was raised
	from    int64 // since when the present team works; worked leaves that time out
	waited  int64 // how long the team waited at the last stall
	earned  int64 // how long teams had worked before it
	last    int64 // when it was

	procs   int   // processors at the last count
	recount int64 // when to count again
}

const (
	minBackoff    = int64(4 * time.Millisecond) // a scheduler's time slice
	maxBackoff    = int64(time.Second)
	backoffGrowth = 8
	// rareStall is how many times longer than a wait the work before it must be for the
	// team to stay. Workers that share a processor with others wait for a fifth of the
	// time and more.
	rareStall = 8
	// oneStall is the longest time between two waits of the same cause: a worker that
	// was parked for long comes late to the next barrier too.
	oneStall = int64(time.Millisecond)
	// leastTry is how long a team must do without a stall to keep one more worker. It is
	// many time slices of a scheduler: within one slice, a worker that shares its
	// processor does well.
	leastTry = int64(100 * time.Millisecond)
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
			p.worked, p.from = 0, t
			p.until = t + max(p.backoff, leastTry)
		} else {
			p.backoff = 0
		}
	}
	return min(p.limit, p.procs)
}

// begin notes that a team works from time t on: the caller is no longer alone.
func (p *policy) begin(t int64) { p.from = t }

// end notes that a team has worked until time t.
func (p *policy) end(t int64) { p.worked, p.from = p.worked+t-p.from, t }

// stall notes that a team of the given size waited until time t, for the time waited.
// It returns whether the limit is lower from now on.
//
// A rare wait leaves the limit: it is short beside the time that teams have worked since
// the last wait, or since the limit was raised. On a quiet machine the system takes a
// processor for 0.2 ms now and then. The time of a caller alone doesn't count: where
// threads share a processor, a caller is alone more often the more they stall.
func (p *policy) stall(t, waited int64, team int) bool {
	p.end(t)
	if t-p.last > oneStall {
		p.waited, p.earned = 0, p.worked
	}
	p.waited, p.last, p.worked = p.waited+waited, t, 0
	if p.waited < p.earned/rareStall {
		return false
	}
	if p.trying {
		p.backoff *= backoffGrowth
	} else {
		p.backoff = 0
	}
	p.backoff = min(max(p.backoff, waited, minBackoff), maxBackoff)
	p.limit = max(1, min(p.limit, team)-1)
	p.until, p.trying = t+p.backoff, false
	p.recount = 0 // perhaps that is why
	return true
}
