package kernels

// A Worker is one thread's part in a region. Its own methods compute shares;
// those of the Engine run on the worker alone.
type Worker struct {
	*Engine
	id, n int
	pool  *pool
	rows  []float32 // gathered rows of A, [gatherTiles][MR·(KC+gatherPad)]
}

func newWorker(e *Engine) *Worker {
	return &Worker{Engine: e, n: 1, rows: Floats(gatherTiles * e.set.MR * (e.set.KC + gatherPad))}
}

// A Span is the half-open range [Lo,Hi) of rows or panels.
type Span struct{ Lo, Hi int }

// Len returns the number of elements in the span.
func (s Span) Len() int { return s.Hi - s.Lo }

// Run executes task on n workers and returns when all are done; n is limited
// to the engine's threads. Where n is 1 or another goroutine has the pool, the
// caller runs the whole task as the only worker.
//
// Shapes must be checked before the region: a panic inside it ends the program,
// whoever would recover.
func (e *Engine) Run(n int, task func(*Worker)) {
	n = min(n, len(e.pool.workers))
	if n > 1 && e.pool.busy.TryLock() {
		e.pool.run(n, task)
		e.pool.busy.Unlock()
		return
	}
	w := e.takeSolo()
	task(w)
	e.giveSolo(w)
}

func (e *Engine) takeSolo() *Worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last := len(e.solo) - 1; last >= 0 {
		w := e.solo[last]
		e.solo = e.solo[:last]
		return w
	}
	return newWorker(e)
}

func (e *Engine) giveSolo(w *Worker) {
	e.mu.Lock()
	e.solo = append(e.solo, w)
	e.mu.Unlock()
}

// ID returns the worker's number in its region, from 0.
func (w *Worker) ID() int { return w.id }

// Workers returns the number of workers in the region.
func (w *Worker) Workers() int { return w.n }

// Share returns this worker's part of n items: the parts are in order, differ
// by at most one, and together are all.
func (w *Worker) Share(n int) Span {
	return Span{n * w.id / w.n, n * (w.id + 1) / w.n}
}

// Barrier waits until every worker of the region has called it.
func (w *Worker) Barrier() {
	if w.n > 1 {
		w.pool.meet.arrive(w.n)
	}
}
