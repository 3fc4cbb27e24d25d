package kernels

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Run executes task on up to n workers and returns when all are done. Worker 0 is the
// calling goroutine.
//
// A region is a sequence of phases, separated by [Worker.Barrier]. The workers of a
// phase are its team. The team may grow and shrink at each barrier, between 1 and n. It
// is the caller alone where n is 1 or where another goroutine has the workers. It may be
// so where the machine is busy with other work: a worker that would be late is left out.
//
// So each phase must compute its shares anew, by [Worker.Share], and all workers must
// call Barrier equally often. A worker without a part in a phase passes through it ahead
// of the team or behind it. Its share is empty; outside its share it must not read
// anything that the task writes.
//
// Where task panics on any worker, Run panics with a [PanicError], after all others have
// left the region at their next barrier. The engine stays usable. The same happens where
// task ends a worker by runtime.Goexit; where that is worker 0, the goroutine ends in
// place of the panic.
//
// A Run within a region that has the workers runs on its caller alone. Run panics where
// the engine has been closed.
func (e *Engine) Run(n int, task func(*Worker)) {
	e.pool.enter(n, task)
	runtime.KeepAlive(e) // or its cleanup might close the pool during the region
}

const closedEngine = "kernels: the engine has been closed"

// enter runs task on a team where the workers are free, else on the caller alone.
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

// A PanicError is the value with which [Engine.Run] panics where its task panicked.
type PanicError struct {
	Value  any    // what the task panicked with
	Stack  []byte // of the worker, from debug.Stack
	Worker int    // its ID
}

// Error returns the value and the worker's stack.
func (p *PanicError) Error() string {
	return fmt.Sprintf("kernels: worker %d of a region has failed: %v\n\n%s", p.Worker, p.Value, p.Stack)
}

// Unwrap returns the value where that is an error, else nil.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// newPanicError returns the error for the value that a worker has recovered. It is nil
// for nil, and the value itself where that is the error of a region within this one.
func newPanicError(w *Worker, value any) *PanicError {
	switch v := value.(type) {
	case nil:
		return nil
	case *PanicError:
		return v
	}
	return &PanicError{Value: value, Stack: debug.Stack(), Worker: w.id}
}
