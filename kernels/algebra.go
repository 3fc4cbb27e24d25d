package kernels

import (
	"runtime"
	"sync"

	"batchrnn/asm"
)

// Algebra is linear algebra for elements of one type, on an engine. Its matrices are
// row-major and not packed. All methods may be called from any goroutine. They allocate
// nothing in steady state. Their results do not depend on the number of threads.
//
// The methods trust their arguments: see package blas, which checks them. Sizes are at
// least 1.
// Memory that they write has no element in common with what else they read.
type Algebra[T Float] struct {
	e   *Engine
	set *asm.Kernels[T]

	// The arguments of a region, and its task. A func value that is made for a call would
	// allocate.
	mu     sync.Mutex
	matvec matvec[T]
	share  func(*Worker)
}

// NewAlgebra returns the algebra of an engine.
func NewAlgebra[T Float](e *Engine) *Algebra[T] {
	a := &Algebra[T]{e: e, set: kernelsOf[T](e.set)}
	a.share = func(w *Worker) {
		v := &a.matvec
		v.run(multiplierOf[T](w), w.Share(v.items()))
	}
	return a
}

// A MatMul describes
//
//	C = Alpha·op(A)·op(B) + Beta·C
//
// C is M×N, op(A) is M×K, op(B) is K×N. Each element of C starts from Beta·C, rounded, and
// takes Alpha·A·B as one chain of multiply-adds with k ascending. Alpha·A is rounded first.
// If Beta is 0, C is not read.
type MatMul[T Float] struct {
	M, N, K int
	Alpha   T
	A       []T // M×K, or K×M if TransA
	LDA     int
	TransA  bool
	B       []T // K×N, or N×K if TransB
	LDB     int
	TransB  bool
	Beta    T
	C       []T // M×N
	LDC     int
}

// MatMul computes a product on as many workers as it is worth.
func (a *Algebra[T]) MatMul(m *MatMul[T]) {
	var p plainProduct[T]
	m.describe(&p)
	runPlain(a.e, &p)
}

// describe sets p, which is zero, to the product.
func (m *MatMul[T]) describe(p *plainProduct[T]) {
	p.m, p.a, p.lda, p.transA = m.M, m.A, m.LDA, m.TransA
	p.k, p.cols, p.b, p.ldb, p.transB = m.K, m.N, m.B, m.LDB, m.TransB
	p.c, p.ldc, p.alpha, p.beta = m.C, m.LDC, m.Alpha, 1
	if m.Beta != 0 {
		p.add, p.ldadd, p.beta = m.C, m.LDC, m.Beta
	}
}

// Gemv computes y = alpha·A·x + beta·y for A of m×n. If beta is 0, y is not read.
func (a *Algebra[T]) Gemv(m, n int, alpha T, A []T, lda int, x []T, beta T, y []T) {
	a.run(matvec[T]{gemv, m, n, alpha, A, lda, x, beta, y})
}

// GemvT computes y = alpha·Aᵀ·x + beta·y for A of m×n. If beta is 0, y is not read. Each
// element of y starts from beta·y, rounded, and takes alpha·x, rounded, with the rows of A
// ascending.
func (a *Algebra[T]) GemvT(m, n int, alpha T, A []T, lda int, x []T, beta T, y []T) {
	a.run(matvec[T]{gemvT, m, n, alpha, A, lda, x, beta, y})
}

// Ger adds alpha·x·yᵀ to A of m×n. It rounds alpha·x first.
func (a *Algebra[T]) Ger(m, n int, alpha T, x, y []T, A []T, lda int) {
	a.run(matvec[T]{ger, m, n, alpha, A, lda, x, 1, y})
}

// A matvec is a call of Gemv, GemvT or Ger.
type matvec[T Float] struct {
	op    matvecOp
	m, n  int
	alpha T
	a     []T
	lda   int
	x     []T
	beta  T
	y     []T
}

type matvecOp int

const (
	gemv matvecOp = iota
	gemvT
	ger
)

// matvecShare is the number of multiply-adds of a matrix and a vector that is worth a
// worker. They take about 10 µs.
const matvecShare = 1 << 17

// run computes v on as many workers as it is worth.
func (a *Algebra[T]) run(v matvec[T]) {
	pool := a.e.pool
	if n := min(len(pool.workers), v.m*v.n/matvecShare); n > 1 && a.mu.TryLock() {
		defer a.mu.Unlock() // Run panics if the engine is closed
		a.matvec = v
		a.e.Run(n, a.share)
		a.matvec = matvec[T]{}
		return
	}
	w := pool.takeSolo()
	w.enter()
	v.run(multiplierOf[T](w), Span{0, v.items()})
	w.leave()
	pool.giveSolo(w)
	runtime.KeepAlive(a.e)
}

// columnsShared is the number of columns that a worker takes as a whole: two cache lines.
const columnsShared = 32

// items returns the number of items of v that workers share: rows, or groups of columns.
func (v *matvec[T]) items() int {
	if v.op == gemvT {
		return (v.n + columnsShared - 1) / columnsShared
	}
	return v.m
}

// run computes the share of one worker.
func (v *matvec[T]) run(m *multiplier[T], items Span) {
	switch v.op {
	case gemv:
		v.rows(m, items)
	case gemvT:
		v.columns(m, Span{items.Lo * columnsShared, min(items.Hi*columnsShared, v.n)})
	case ger:
		v.outer(m, items)
	}
}

// rows computes some elements of a gemv.
func (v *matvec[T]) rows(m *multiplier[T], rows Span) {
	for lo := rows.Lo; lo < rows.Hi; {
		hi := min(lo+min(max(elementsPerCall/v.n, 1), rowsPerCall), rows.Hi)
		sums := m.rows[:hi-lo]
		v.dots(m, lo, sums)
		for i, s := range sums {
			y := T(v.alpha * s)
			if v.beta != 0 {
				y += T(v.beta * v.y[lo+i])
			}
			v.y[lo+i] = y
		}
		lo = hi
	}
}

// dots sets sums to rows of A times x, from row lo on. Parts of a long row are added.
func (v *matvec[T]) dots(m *multiplier[T], lo int, sums []T) {
	stopPoint()
	n := min(v.n, elementsPerCall)
	m.set.Gemv(len(sums), &sums[0], &v.a[lo*v.lda], v.lda, v.x[:n])
	for ; n < v.n; n += elementsPerCall {
		stopPoint()
		part := m.rows[len(sums):][:1] // a row that long comes alone
		m.set.Gemv(1, &part[0], &v.a[lo*v.lda+n], v.lda, v.x[n:min(n+elementsPerCall, v.n)])
		sums[0] += part[0]
	}
}

const (
	// rowsTogether is the number of rows of A that go into y at a time. y is then read and
	// written once for them.
	rowsTogether = 8
	// columnsTogether is the number of columns: y stays in L1, and A is read along 16 KB.
	columnsTogether = 2048
)

// columns computes some elements of a gemvT.
func (v *matvec[T]) columns(m *multiplier[T], cols Span) {
	x := m.rows[:rowsTogether]
	for lo := cols.Lo; lo < cols.Hi; lo += columnsTogether {
		y := v.y[lo:min(lo+columnsTogether, cols.Hi)]
		switch v.beta {
		case 0:
			clear(y)
		case 1:
		default:
			m.set.Scale(y, v.beta)
		}
		for i := 0; i < v.m; i += rowsTogether {
			stopPoint()
			n := min(rowsTogether, v.m-i)
			for k := range n {
				x[k] = v.alpha * v.x[i+k]
			}
			m.set.GemvT(n, y, &v.a[i*v.lda+lo], v.lda, &x[0])
		}
	}
}

// outer computes some rows of a ger.
func (v *matvec[T]) outer(m *multiplier[T], rows Span) {
	for lo := rows.Lo; lo < rows.Hi; {
		hi := min(lo+min(max(elementsPerCall/v.n, 1), rowsPerCall), rows.Hi)
		x := m.rows[:hi-lo]
		for i := range x {
			x[i] = v.alpha * v.x[lo+i]
		}
		for n := 0; n < v.n; n += elementsPerCall {
			stopPoint()
			m.set.Ger(hi-lo, &v.a[lo*v.lda+n], v.lda, &x[0], v.y[n:min(n+elementsPerCall, v.n)])
		}
		lo = hi
	}
}

// Dot returns Σ x·y. Chunks of 16,384 elements are added in order.
func (a *Algebra[T]) Dot(x, y []T) (sum T) {
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		if part := a.set.Dot(x[lo:hi], y[lo:hi]); lo == 0 {
			sum = part
		} else {
			sum += part
		}
	}
	return sum
}

// Axpy adds alpha·x to y.
func (a *Algebra[T]) Axpy(alpha T, x, y []T) {
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		a.set.Axpy(y[lo:hi], x[lo:hi], alpha)
	}
}

// Scale multiplies x by alpha.
func (a *Algebra[T]) Scale(alpha T, x []T) {
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		a.set.Scale(x[lo:hi], alpha)
	}
}

// SumSq returns Σ x², in chunks as Dot.
func (a *Algebra[T]) SumSq(x []T) (sum T) { return a.sum(x, a.set.SumSq) }

// AbsSum returns Σ |x|, in chunks as Dot.
func (a *Algebra[T]) AbsSum(x []T) (sum T) { return a.sum(x, a.set.AbsSum) }

func (a *Algebra[T]) sum(x []T, f func([]T) T) (sum T) {
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		sum += f(x[lo:hi])
	}
	return sum
}
