package kernels

import "time"

// A policy says how many workers a team may have. If the team had to wait for a worker,
// the limit falls by one. After a pause the limit rises again, as a try. Each failed
// try makes the pause eight times as long, so a machine that stays busy costs little. A
// successful try shortens the pauses, so a single stall costs little too.
type policy struct {
	threads int
	limit   int   // the maximum number of workers of a team at present
	until   int64 // when the limit is next reviewed
	backoff int64 // how long a limit lasts
	trying  bool  // the limit has been raised, and the try is not over
	worked  int64 // how long teams have worked since the last wait or rise of the limit
	from    int64 // when the present team began; worked does not include its time
	waited  int64 // how long the team waited at the last stall
	earned  int64 // how long teams had worked before that stall
	last    int64 // when that stall was

	procs   int   // processors at the last count
	recount int64 // when to count again
}

const (
	minBackoff    = int64(4 * time.Millisecond) // a scheduler's time slice
	maxBackoff    = int64(time.Second)
	backoffGrowth = 8
	// rareStall is a ratio. A wait leaves the limit alone if the work before it took
	// that many times longer. Workers that share a processor with others wait for a
	// fifth of the time and more.
	rareStall = 8
	// oneStall is the maximum time between two waits of the same cause. A worker that
	// was parked for long comes late to the next barrier too.
	oneStall = int64(time.Millisecond)
	// leastTry is the time without a stall after which a team keeps one more worker. It
	// is many time slices of a scheduler. Within one slice even a worker that shares
	// its processor does well.
	leastTry = int64(100 * time.Millisecond)
	// recountEvery is the time between two counts of processors. GOMAXPROCS and the
	// affinity mask may change at any time.
	recountEvery = int64(10 * time.Millisecond)
)

func (p *policy) init(threads int) { p.threads, p.limit = threads, threads }

// allowed returns how many workers a team may have at time t.
func (p *policy) allowed(t int64) int {
	if t >= p.recount {
		p.procs, p.recount = processors(), t+recountEvery
	}
	if (p.limit < p.threads || p.backoff > 0) && t >= p.until {
		if p.trying { // the try has succeeded
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
// It returns whether the limit falls.
//
// A rare wait does not lower the limit. It is short beside the time that teams have
// worked since the last wait, or since the limit rose. On a quiet machine the system
// takes a processor for 0.2 ms now and then. Time of a caller alone doesn't count. On
// shared processors a caller is alone more often the more its team stalls.
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
	p.recount = 0 // the number of processors may have changed
	return true
}
