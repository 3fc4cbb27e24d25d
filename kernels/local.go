package kernels

// A Local is the algebra of one worker in a region. Its methods compute on this worker
// alone, with the bits of [Algebra]. They trust their arguments as it does.
type Local[T Float] struct{ m *multiplier[T] }

// LocalOf returns the algebra of a worker.
func LocalOf[T Float](w *Worker) Local[T] { return Local[T]{multiplierOf[T](w)} }

// Panels returns the number of panels of n columns. Workers share products by panels.
func (l Local[T]) Panels(n int) int { return l.m.panels(n) }

// MatMul computes the columns of a product that belong to some panels of B.
func (l Local[T]) MatMul(m *MatMul[T], panels Span) {
	var p plainProduct[T]
	m.describe(&p)
	l.m.plain(&p, panels)
}
