package kernels

import (
	"sync"

	"batchrnn/asm"
)

// Algebra is linear algebra for elements of one type, on an engine. Its matrices are
// row-major and not packed. All methods may be called from any goroutine. They allocate
// nothing in steady state. Their results do not depend on the number of threads.
//
// The methods trust their arguments: see package blas, which checks them. Sizes are at
// least 1. Memory that they write has no element in common with what else they read.
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
		v.run(kernelsOf[T](w.set), w.Share(v.items()))
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
	a.run(&matvec[T]{gemv, m, n, alpha, A, lda, x, 1, beta, y})
}

// GemvT computes y = alpha·Aᵀ·x + beta·y for A of m×n. If beta is 0, y is not read. Each
// element of y starts from beta·y, rounded, and takes alpha·x, rounded, with the rows of A
// ascending.
func (a *Algebra[T]) GemvT(m, n int, alpha T, A []T, lda int, x []T, beta T, y []T) {
	a.run(&matvec[T]{gemvT, m, n, alpha, A, lda, x, 1, beta, y})
}

// Ger adds alpha·x·yᵀ to A of m×n. It rounds alpha·x first. Element i of x is x[i*incX],
// and incX is positive.
func (a *Algebra[T]) Ger(m, n int, alpha T, x []T, incX int, y []T, A []T, lda int) {
	a.run(&matvec[T]{op: ger, m: m, n: n, alpha: alpha, a: A, lda: lda, x: x, incX: incX, y: y})
}

// A matvec is a call of Gemv, GemvT or Ger.
type matvec[T Float] struct {
	op    matvecOp
	m, n  int
	alpha T
	a     []T
	lda   int
	x     []T
	incX  int // 1 but for ger
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
func (a *Algebra[T]) run(v *matvec[T]) {
	if n := min(len(a.e.pool.workers), v.m*v.n/matvecShare); n > 1 && a.mu.TryLock() {
		defer a.mu.Unlock() // Run panics if the engine is closed
		a.matvec = *v
		a.e.Run(n, a.share)
		a.matvec = matvec[T]{}
		return
	}
	mode := enterMode(a.e.set)
	v.run(a.set, Span{0, v.items()})
	mode.leave(a.e.set)
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
func (v *matvec[T]) run(set *asm.Kernels[T], items Span) {
	switch v.op {
	case gemv:
		v.rows(set, items)
	case gemvT:
		v.columns(set, Span{items.Lo * columnsShared, min(items.Hi*columnsShared, v.n)})
	case ger:
		v.outer(set, items)
	}
}

// rowsOf returns the number of rows of n elements for one call into assembly.
func rowsOf(n int) int { return min(max(elementsPerCall/n, 1), rowsPerCall) }

// rows computes some elements of a gemv.
func (v *matvec[T]) rows(set *asm.Kernels[T], rows Span) {
	if v.n > elementsPerCall {
		v.longRows(set, rows)
		return
	}
	step := rowsOf(v.n)
	for lo := rows.Lo; lo < rows.Hi; lo += step {
		stopPoint()
		set.Gemv(min(step, rows.Hi-lo), &v.y[lo], &v.a[lo*v.lda], v.lda, v.x[:v.n], v.alpha, v.beta)
	}
}

// longRows is rows where each takes several calls. Their parts are added as those of Dot.
func (v *matvec[T]) longRows(set *asm.Kernels[T], rows Span) {
	for i := rows.Lo; i < rows.Hi; i++ {
		sum := T(v.alpha * dot(set, v.a[i*v.lda:][:v.n], v.x[:v.n]))
		if v.beta != 0 {
			sum += T(v.beta * v.y[i])
		}
		v.y[i] = sum
	}
}

// columnsTogether is the number of columns whose elements of y stay in L1.
const columnsTogether = 2048

// columns computes some elements of a gemvT.
func (v *matvec[T]) columns(set *asm.Kernels[T], cols Span) {
	for lo := cols.Lo; lo < cols.Hi; lo += columnsTogether {
		stopPoint()
		y := v.y[lo:min(lo+columnsTogether, cols.Hi)]
		switch v.beta {
		case 0:
			clear(y)
		case 1:
		default:
			set.Scale(y, v.beta)
		}
		step := rowsOf(len(y))
		for i := 0; i < v.m; i += step {
			stopPoint()
			set.GemvT(min(step, v.m-i), y, &v.a[i*v.lda+lo], v.lda, &v.x[i], v.alpha)
		}
	}
}

// outer computes some rows of a ger.
func (v *matvec[T]) outer(set *asm.Kernels[T], rows Span) {
	step := rowsOf(v.n)
	for lo := rows.Lo; lo < rows.Hi; lo += step {
		for n := 0; n < v.n; n += elementsPerCall {
			stopPoint()
			set.Ger(min(step, rows.Hi-lo), &v.a[lo*v.lda+n], v.lda, &v.x[lo*v.incX], v.incX, v.y[n:min(n+elementsPerCall, v.n)], v.alpha)
		}
	}
}

// Dot returns Σ x·y. Chunks of 16,384 elements are added in order.
func (a *Algebra[T]) Dot(x, y []T) T { return dot(a.set, x, y) }

func dot[T Float](set *asm.Kernels[T], x, y []T) (sum T) {
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		if part := set.Dot(x[lo:hi], y[lo:hi]); lo == 0 {
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

// indexBlock is the number of elements of which IndexMaxAbs finds the largest at once. It
// looks at those of one block one by one.
const indexBlock = 128

// IndexMaxAbs returns the first index of the largest |x|. It passes over NaN, except at
// index 0: then it returns 0.
func (a *Algebra[T]) IndexMaxAbs(x []T) int {
	largest, first := T(-1), 0
	for lo := 0; lo < len(x); lo += indexBlock {
		if lo%elementsPerCall == 0 {
			stopPoint()
		}
		if v := a.set.MaxAbs(x[lo:min(lo+indexBlock, len(x))]); v > largest {
			largest, first = v, lo
		}
	}
	if x[0] != x[0] {
		return 0
	}
	for x[first] != largest && x[first] != -largest {
		first++
	}
	return first
}

func (a *Algebra[T]) sum(x []T, f func([]T) T) (sum T) {
	for lo := 0; lo < len(x); lo += elementsPerCall {
		hi := callEnd(lo, len(x))
		sum += f(x[lo:hi])
	}
	return sum
}
