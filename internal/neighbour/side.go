package neighbour

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Side is a set of callers that run passes at the same time, each its own pass.
type Side struct {
	callers []*caller
	turns   int
	elapsed time.Duration // of all turns
}

// NewSide returns a side with one caller for each pass.
func NewSide(passes ...func()) *Side {
	s := &Side{}
	for _, pass := range passes {
		s.callers = append(s.callers, &caller{pass: pass})
	}
	return s
}

// WarmUp runs one untimed pass of each caller, one after the other.
func (s *Side) WarmUp(ctx context.Context) {
	for _, c := range s.callers {
		if ctx.Err() != nil {
			return
		}
		c.pass()
	}
}

// Turn lets all callers run passes at once, until d is over or they have started most
// passes in all. Each starts at least one, if most allows. If ctx ends, Turn returns
// early.
func (s *Side) Turn(ctx context.Context, d time.Duration, most int) {
	var left atomic.Int64
	left.Store(int64(most))
	var others sync.WaitGroup
	start := time.Now()
	for _, c := range s.callers[1:] {
		others.Go(func() { c.turn(ctx, start, d, &left) })
	}
	s.callers[0].turn(ctx, start, d, &left)
	others.Wait()
	s.elapsed += time.Since(start)
	s.turns++
}

// A caller is one goroutine that runs one pass after the other.
type caller struct {
	pass    func()
	seconds []float64 // that each pass took
}

// turn is the caller's part of a turn. The time of a pass starts at the end of the one
// before it; that of the first starts at start. So it includes waiting for a processor.
func (c *caller) turn(ctx context.Context, start time.Time, d time.Duration, left *atomic.Int64) {
	last := time.Duration(0)
	for last < d && ctx.Err() == nil && left.Add(-1) >= 0 {
		c.pass()
		now := time.Since(start)
		c.seconds = append(c.seconds, (now - last).Seconds())
		last = now
	}
}

// Runs returns the number of passes so far.
func (s *Side) Runs() int {
	n := 0
	for _, c := range s.callers {
		n += len(c.seconds)
	}
	return n
}

// Took returns the times of the passes of all turns.
func (s *Side) Took() Took {
	all := make([]float64, 0, s.Runs())
	for _, c := range s.callers {
		all = append(all, c.seconds...)
	}
	return summarise(all)
}
