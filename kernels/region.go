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
// is the caller alone if n is 1, or if another goroutine has the workers. It may be the
// caller alone on a busy machine, because workers that would be late are left out.
//
// So each phase must compute its shares anew, by [Worker.Share]. All workers must call
// Barrier equally often. A worker without a part in a phase has an empty share. It
// passes through the phase before or after the team does. So outside its share it must
// not read anything that the task writes.
//
// If task panics on any worker, Run panics with a [PanicError]. First all other workers
// leave the region at their next barrier. The engine stays usable. The same happens if
// task ends a worker by runtime.Goexit. If that is worker 0, the goroutine ends instead
// of the panic.
//
// A Run within a region that has the workers runs on its caller alone. Run panics if
// the engine has been closed.
func (e *Engine) Run(n int, task func(*Worker)) {
	e.pool.enter(n, task)
	runtime.KeepAlive(e) // otherwise its cleanup might close the pool during the region
}

const closedEngine = "kernels: the engine has been closed"

// enter runs task on a team if the workers are free, otherwise on the caller alone.
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
	if w := p.idle.Swap(nil); w != nil { // mostly there is only one caller
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

// A PanicError is the value of the panic of [Engine.Run] after its task has panicked.
type PanicError struct {
	Value  any    // the value of the task's panic
	Stack  []byte // of the worker, from debug.Stack
	Worker int    // its ID
}

// Error returns the value and the worker's stack.
func (p *PanicError) Error() string {
	return fmt.Sprintf("kernels: worker %d of a region has failed: %v\n\n%s", p.Worker, p.Value, p.Stack)
}

// Unwrap returns the value if it is an error, otherwise nil.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// newPanicError returns the error for a value that a worker has recovered. It returns
// nil for nil. The error of a region within this one is returned as it is.
func newPanicError(w *Worker, value any) *PanicError {
	switch v := value.(type) {
	case nil:
		return nil
	case *PanicError:
		return v
	}
	return &PanicError{Value: value, Stack: debug.Stack(), Worker: w.id}
}
