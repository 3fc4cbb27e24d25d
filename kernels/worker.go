package kernels

import (
	"runtime"
	"sync/atomic"

	"batchrnn/asm"
)

// A Worker is one thread's part in a region. Its operations run on this worker alone.
// So do operations of the Engine that a task calls.
type Worker struct {
	serial
	id   int   // the index among the engine's workers
	pool *pool // nil if the worker is a caller alone

	// The place in the team of the current phase. If the worker has no part in the
	// phase, n is 0. It then passes through the task with empty shares, and does not
	// wait.
	rank, n int
	// away is the number of barriers that the worker still passes without a part. If it
	// is negative, the worker passes all barriers. Afterwards the worker joins as
	// joinRank of joinN.
	away, joinRank, joinN int

	mode threadMode // while the worker is in a region

	single multiplier[float32]
	double *multiplier[float64] // nil until needed

	// The other fields are for helpers: see pool.go.
	state    atomic.Uint32
	wake     chan struct{}
	rest     atomic.Bool // the worker was left out, and gives up its processor at once
	patience int         // the number of looks for work before it parks
	since    int64       // when it began to look
	calledAt int64       // when it was last called

	_ cacheLine
}

func newWorker(set *asm.Set) *Worker {
	w := &Worker{serial: serial{set}, n: 1, single: newMultiplier(&set.Kernels)}
	w.single.quantise = set.Quantise
	return w
}

// multiplierOf returns the worker's multiplier for a type of element.
func multiplierOf[T Float](w *Worker) *multiplier[T] {
	if m, ok := any(&w.single).(*multiplier[T]); ok {
		return m
	}
	if w.double == nil {
		m := newMultiplier(&w.set.Double)
		w.double = &m
	}
	return any(w.double).(*multiplier[T])
}

// A Span is the half-open range [Lo,Hi) of rows or panels.
type Span struct{ Lo, Hi int }

// Len returns the number of elements in the span.
func (s Span) Len() int { return s.Hi - s.Lo }

// ID returns the worker's index among the workers of its engine, below
// [Engine.Threads]. The goroutine that called Run has 0. The index stays the same
// throughout a region, and has no relation to shares.
func (w *Worker) ID() int { return w.id }

// Workers returns the number of workers in the current phase. It is 0 for a worker that
// has no part in the phase.
func (w *Worker) Workers() int { return w.n }

// Share returns this worker's part of n items in the current phase. The parts of the
// team are in order, cover all items, and differ in length by at most one. A worker
// without a part in the phase gets an empty span.
func (w *Worker) Share(n int) Span {
	if w.n == 0 {
		return Span{}
	}
	return Span{n * w.rank / w.n, n * (w.rank + 1) / w.n}
}

// Barrier ends a phase: it waits until every worker of the team has called it.
// The next phase may have another team.
func (w *Worker) Barrier() {
	if w.n == 0 {
		if w.away--; w.away == 0 {
			w.rank, w.n = w.joinRank, w.joinN
		}
		return
	}
	if w.pool != nil {
		w.pool.meet(w)
	}
}

// enter sets the usual floating-point mode on the thread until leave.
func (w *Worker) enter() { w.mode = enterMode(w.set) }

func (w *Worker) leave() {
	w.mode.leave(w.set)
	w.mode = threadMode{}
}

// A threadMode remembers the floating-point mode of a thread that was not the usual one.
type threadMode struct {
	control uint32
	locked  bool // the goroutine stays on the thread
}

// enterMode sets the usual floating-point mode on the thread. If the thread was in another
// mode, the goroutine stays on it until leave.
func enterMode(set *asm.Set) (m threadMode) {
	if set.ReadControl()&asm.ControlModes != asm.Control {
		runtime.LockOSThread()
		m = threadMode{set.ReadControl(), true} // the goroutine may have been on another thread before
		set.WriteControl(asm.Control)
	}
	return m
}

// leave restores the thread's own mode.
func (m threadMode) leave(set *asm.Set) {
	if m.locked {
		set.WriteControl(m.control)
		runtime.UnlockOSThread()
	}
}
