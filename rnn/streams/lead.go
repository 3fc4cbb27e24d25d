package streams

import (
	"cmp"
	"context"
	"runtime"
	"time"
)

// Passes run on the goroutines of the callers. The first caller leads: it takes what waits,
// runs a pass for all of them, and wakes those whose calls are done. When its own call is
// done, it hands over to the caller who has waited longest. So a Batcher without calls has
// no goroutine, and one stream alone never leaves its own.

// A caller is a goroutine that waits for one or several calls. It gets one value in wake
// each time it becomes the leader, and one when its calls are done. The two are never due at once.
type caller struct {
	wake    chan struct{} // capacity 1
	pending int           // calls that are not done
	leads   bool
	due     bool  // a value in wake is due, or there
	err     error // of the context, once it has ended
}

// A queue is a list of streams, the oldest first.
type queue struct {
	head, tail *Stream
	n          int
}

func (q *queue) push(s *Stream) {
	s.queued, s.prev, s.next = true, q.tail, nil
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next = s
	}
	q.tail = s
	q.n++
}

func (q *queue) remove(s *Stream) {
	if s.prev == nil {
		q.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		q.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.queued, s.prev, s.next = false, nil, nil
	q.n--
}

// All methods below are called with the mutex held.

// enqueue lets a stream wait for a pass.
func (b *Batcher) enqueue(s *Stream) {
	s.since = b.stats.Passes
	b.queue.push(s)
	b.enough(false)
}

// enough ends the leader's window if nothing more can come, or if now is true.
func (b *Batcher) enough(now bool) {
	if b.collecting && (now || b.queue.n >= min(b.rows, b.open)) {
		b.collecting = false
		b.full <- struct{}{}
	}
}

// wait returns, without the mutex, when all calls of c are done. Until then it leads if
// nobody else does, or when it is asked to.
func (b *Batcher) wait(ctx context.Context, c *caller) {
	c.err = nil
	if !b.led {
		b.led = true
		b.lead(ctx, c)
		return
	}
	b.mu.Unlock()
	select {
	case <-c.wake:
	case <-ctx.Done():
		err := ctx.Err()
		b.mu.Lock()
		b.cancel(c, err)
		if c.pending == 0 && !c.due {
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		<-c.wake // at the latest after the pass that runs
	}
	b.mu.Lock()
	c.due = false
	if c.leads {
		b.lead(ctx, c)
		return
	}
	b.mu.Unlock()
}

// lead runs passes until the calls of c are done. Then it hands over.
func (b *Batcher) lead(ctx context.Context, c *caller) {
	c.leads = true
	var ended error // of ctx, which is asked without the mutex
	if b.window > 0 && c.pending > 0 {
		ended = b.collect(ctx)
	}
	for c.pending > 0 {
		if ended != nil {
			b.cancel(c, ended)
			break
		}
		b.yield()
		if c.pending == 0 { // its streams have been closed
			break
		}
		r := b.form()
		b.mu.Unlock()
		err := r.run()
		ended = ctx.Err()
		b.mu.Lock()
		b.settle(r, err)
		if len(r.done) > 0 {
			b.mu.Unlock()
			for i, other := range r.done {
				other.wake <- struct{}{}
				r.done[i] = nil
			}
			r.done = r.done[:0]
			b.mu.Lock()
		}
	}
	c.leads = false
	var next *caller
	if s := b.queue.head; s == nil {
		b.led = false
	} else {
		next = s.caller
		next.leads, next.due = true, true
	}
	b.mu.Unlock()
	if next != nil {
		next.wake <- struct{}{}
	}
}

const (
	// dearYield is how long a yield may take for each call that it brings. A goroutine
	// that is about to call needs less than a microsecond. Beside goroutines that compute
	// on every processor, a yield takes milliseconds.
	dearYield = 50 * time.Microsecond
	// maxSkip is the maximum number of passes without a yield after dear ones.
	maxSkip = 1023
)

// yield lets the goroutines run that are ready to, as long as that brings calls. Otherwise
// a caller on the only free processor would run passes by itself, while those that it has
// just woken wait for their turn.
func (b *Batcher) yield() {
	for b.queue.n < min(b.rows, b.open) {
		if b.skip > 0 {
			b.skip--
			return
		}
		before := b.queue.n
		b.mu.Unlock()
		start := time.Now()
		runtime.Gosched()
		took := time.Since(start)
		b.mu.Lock()
		came := b.queue.n - before
		if took > dearYield*time.Duration(1+max(came, 0)) {
			b.skips = min(2*b.skips+1, maxSkip)
			b.skip = b.skips
			return
		}
		b.skips /= 2
		if came <= 0 {
			return
		}
	}
}

// collect waits for more streams, for the window at most. It returns the error of ctx.
func (b *Batcher) collect(ctx context.Context) error {
	b.collecting = true
	b.enough(b.closed)
	b.mu.Unlock()
	b.timer.Reset(b.window)
	select {
	case <-b.full:
	case <-b.timer.C:
	case <-ctx.Done():
	}
	b.timer.Stop()
	err := ctx.Err()
	b.mu.Lock()
	b.collecting = false
	select {
	case <-b.full:
	default:
	}
	return err
}

// form takes the oldest streams from the queue for a pass, all of one model.
func (b *Batcher) form() *runner {
	r := b.queue.head.run
	r.batch = r.batch[:0]
	steps := b.steps
	for s := b.queue.head; s != nil && len(r.batch) < b.rows; {
		next := s.next
		if s.run == r {
			b.queue.remove(s)
			b.stats.LongestWait = max(b.stats.LongestWait, b.stats.Passes-s.since)
			steps = min(steps, s.n-s.taken)
			r.batch = append(r.batch, s)
		}
		s = next
	}
	r.steps = max(1, min(steps, r.room/len(r.batch)))
	r.admit()
	b.running = r
	b.stats.Passes++
	b.stats.Steps += uint64(r.steps * len(r.batch))
	return r
}

// settle ends the calls of a pass that are done, and queues the others again. It leaves in
// r.done the callers to wake.
func (b *Batcher) settle(r *runner, err error) {
	if b.running = nil; r != b.run {
		r.vacate()
	}
	for i, s := range r.batch {
		r.batch[i] = nil
		c := s.caller
		switch {
		case err != nil:
			s.err = err
		case s.taken+r.steps == s.n: // it was done before it could be stopped
			s.taken, s.err = s.n, nil
		default:
			s.taken += r.steps
			if s.err = cmp.Or(s.err, c.err); s.err == nil {
				b.enqueue(s)
				continue
			}
		}
		if c.finish() {
			r.done = append(r.done, c)
		}
	}
}

// finish counts one call of c as done. It says whether c has to be woken.
func (c *caller) finish() bool {
	c.pending--
	if c.pending > 0 || c.leads || c.due {
		return false
	}
	c.due = true
	return true
}

// cancel stops all calls of c: those that wait at once, the others after their pass.
func (b *Batcher) cancel(c *caller, err error) {
	c.err = err
	for s := b.queue.head; s != nil; {
		next := s.next
		if s.caller == c {
			b.queue.remove(s)
			s.err = err
			c.pending--
		}
		s = next
	}
}

// stop ends the call of a stream: at once if it waits, otherwise after its pass.
func (b *Batcher) stop(s *Stream, err error) {
	if s.taken < s.n {
		s.err = cmp.Or(s.err, err)
	}
	if s.queued {
		b.queue.remove(s)
		if c := s.caller; c.finish() {
			c.wake <- struct{}{} // has room: one value at a time is due
		}
	}
}
