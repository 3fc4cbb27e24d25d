package blas

import "batchrnn/kernels"

// A job is a routine of level 3 that workers share. See the methods of local for its
// arguments.
type job[T kernels.Float] struct {
	op          op
	lower, unit bool
	m, n, k     int
	alpha, beta T
	a, b, c     matrix[T]
}

type op int

const (
	symmetricMul op = iota
	triangleMul
	solve
	rank
	rank2 // rank with A and B, and with B and A
)

// work returns the number of multiply-adds.
func (j *job[T]) work() int {
	switch j.op {
	case symmetricMul:
		return j.m * j.m * j.n
	case triangleMul, solve:
		return j.m * j.m * j.n / 2
	case rank:
		return j.n * j.n * j.k / 2
	}
	return j.n * j.n * j.k
}

const (
	// share is the number of multiply-adds that is worth a worker.
	share = 1 << 18
	// firstPhase is the number of multiply-adds of a worker up to the first barrier. At a
	// barrier more workers may join: those that were parked come late. Later phases are
	// longer.
	firstPhase = 1 << 20
	// together is the number of columns of B, or rows of its transpose, that a worker takes
	// as a whole.
	together = 32
	// least is the number of them in the first phase of a worker. A is read anew in each
	// phase.
	least = 96
)

// A region is a job with the task that runs it. A func value that is made for a call would
// allocate.
type region[T kernels.Float] struct {
	job[T]
	workers int
	task    func(*kernels.Worker)
}

// run runs a job on as many workers as it is worth, and as have columns.
func (r *routines[T]) run(j job[T]) {
	c := r.regions.take()
	if c.task == nil {
		c.task = func(w *kernels.Worker) { r.share(c, w) }
	}
	c.job, c.workers = j, max(1, min(r.e.Threads(), j.work()/share, (j.n+together-1)/together))
	r.e.Run(c.workers, c.task)
	c.job = job[T]{}
	r.regions.give(c)
}

// share computes the share of a worker.
func (r *routines[T]) share(c *region[T], w *kernels.Worker) {
	l := r.locals.take()
	*l = local[T]{Local: kernels.LocalOf[T](w), w: w, tuning: r.tuning, work: r.take()}
	switch c.op {
	case rank:
		l.rank(c.lower, c.n, c.k, c.alpha, c.a, c.b, c.beta, c.c)
	case rank2:
		l.rank(c.lower, c.n, c.k, c.alpha, c.a, c.b, c.beta, c.c)
		w.Barrier()
		l.rank(c.lower, c.n, c.k, c.alpha, c.b, c.a, 1, c.c)
	default:
		l.columnsOf(c)
	}
	r.give(l.work)
	*l = local[T]{}
	r.locals.give(l)
}

// A local is what a worker has for a job.
type local[T kernels.Float] struct {
	kernels.Local[T]
	w *kernels.Worker
	tuning
	work  []T // scratch of scratchLen elements
	turns int // blocks on the diagonal so far
}

// columnsOf computes a job whose columns are independent. Several workers share them in
// phases of columns, each twice as long as the one before.
func (l *local[T]) columnsOf(c *region[T]) {
	step := c.n
	if c.workers > 1 {
		step = max(least, firstPhase*c.n/c.work()) * c.workers
	}
	for lo := 0; lo < c.n; step *= 2 {
		if lo > 0 {
			l.w.Barrier()
		}
		all := min(step, c.n-lo)
		part := l.w.Share((all + together - 1) / together)
		first, last := lo+part.Lo*together, lo+min(part.Hi*together, all)
		if n := last - first; n > 0 {
			switch b := c.b.from(0, first); c.op {
			case symmetricMul:
				l.symmetricMul(c.lower, c.m, n, c.alpha, c.a, b, c.beta, c.c.from(0, first))
			case triangleMul:
				l.triangleMul(c.lower, c.unit, c.m, n, c.alpha, c.a, b)
			case solve:
				l.solve(c.lower, c.unit, c.m, n, c.alpha, c.a, b)
			}
		}
		lo += all
	}
}

// turn says whether the next block on the diagonal is this worker's.
func (l *local[T]) turn() bool {
	l.turns++
	n := l.w.Workers()
	return n > 0 && l.turns%n == l.w.Share(n).Lo
}

// mul computes C = alpha·A·B + beta·C for C of m×n and A of m×k.
func (l *local[T]) mul(m, n, k int, alpha T, a, b matrix[T], beta T, c matrix[T]) {
	p := product(m, n, k, alpha, a, b, beta, c)
	l.MatMul(&p, kernels.Span{Hi: l.Panels(p.N)})
}

// mulShare computes this worker's part of a product. A large one ends a phase.
func (l *local[T]) mulShare(m, n, k int, alpha T, a, b matrix[T], beta T, c matrix[T]) {
	p := product(m, n, k, alpha, a, b, beta, c)
	l.MatMul(&p, l.w.Share(l.Panels(p.N)))
	if m*n*k > firstPhase {
		l.w.Barrier()
	}
}
