package kernels

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Run executes task on up to n workers and returns when all are done. Worker 0
// is the calling goroutine.
//
// A region is a sequence of phases, parted by [Worker.Barrier]. The workers of a
// phase are its team; the team may grow and shrink at each barrier, between 1 and
// n. It is the caller alone where n is 1, another goroutine has the workers, or the
// machine is busy with other work: a worker that would have to be waited for is
// left out. So each phase must compute its shares anew, by [Worker.Share], and all
// workers must call Barrier equally often. A worker that has no part in a phase passes
// through it ahead of the team or behind it: it may read nothing that the task writes,
// except by its share, which is empty.
//
// Where task panics on any worker, Run panics with a [PanicError], after all others
// have left the region at their next barrier; the engine stays usable. Where task
// ends worker 0 by runtime.Goexit, the same happens and the goroutine ends. A Run
// within a region that has the workers runs on its caller alone. Run panics where the
// engine has been closed.
func (e *Engine) Run(n int, task func(*Worker)) {
	e.pool.enter(n, task)
	runtime.KeepAlive(e) // or its cleanup might close the pool under way
}

const closedEngine = "kernels: the engine has been closed"

// enter runs task on a team where one is to be had, else on the caller alone.
func (p *pool) enter(n int, task func(*Worker)) {
	if p.closed.Load() {
		panic(closedEngine)
	}
	if n = min(n, len(p.workers)); n > 1 && p.busy.TryLock() {
		p.run(n, task)
		return
	}
	p.alone(task)
}

// alone runs task on the calling goroutine.
func (p *pool) alone(task func(*Worker)) {
	w, done := p.takeSolo(), false
	defer func() {
		var failed *PanicError
		if !done {
			failed = newPanicError(w, recover())
		}
		w.leave()
		p.giveSolo(w)
		if failed != nil {
			panic(failed)
		}
	}()
	w.enter()
	task(w)
	done = true
}

func (p *pool) takeSolo() *Worker {
	if w := p.idle.Swap(nil); w != nil { // the only caller, mostly
		return w
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.solo) - 1; last >= 0 {
		w := p.solo[last]
		p.solo = p.solo[:last]
		return w
	}
	return newWorker(p.set)
}

func (p *pool) giveSolo(w *Worker) {
	if p.idle.CompareAndSwap(nil, w) {
		return
	}
	p.mu.Lock()
	p.solo = append(p.solo, w)
	p.mu.Unlock()
}

// A PanicError is what [Engine.Run] panics with where its task did.
type PanicError struct {
	Value  any    // what the task panicked with
	Stack  []byte // of the worker, as debug.Stack has it
	Worker int    // its ID
}

// Error returns the value and the worker's stack.
func (p *PanicError) Error() string {
	return fmt.Sprintf("kernels: worker %d of a region has failed: %v\n\n%s", p.Worker, p.Value, p.Stack)
}

// Unwrap returns the value where it is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// newPanicError returns the error for what a worker's deferred function has
// recovered: nil for nothing, and the error itself where a region within this one
// has made it.
func newPanicError(w *Worker, value any) *PanicError {
	switch v := value.(type) {
	case nil:
		return nil
	case *PanicError:
		return v
	}
	return &PanicError{Value: value, Stack: debug.Stack(), Worker: w.id}
}
