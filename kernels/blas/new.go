package blas

import (
	"math/bits"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"batchrnn/kernels"
)

// An Implementation has the methods of gonum's interfaces blas.Float32 and blas.Float64.
// Their contracts are gonum's. Any number of goroutines may use it at once. Its methods
// allocate nothing in steady state.
type Implementation struct {
	gonum.Implementation // what has no method here
	s                    *routines[float32]
	d                    *routines[float64]
}

var (
	_ blas.Float32 = (*Implementation)(nil)
	_ blas.Float64 = (*Implementation)(nil)
)

// New returns an implementation that runs on an engine. It lives as long as the engine:
// after [kernels.Engine.Close] its methods may panic.
func New(e *kernels.Engine) *Implementation {
	if e == nil {
		panic("blas: New: the engine is nil: make one with kernels.New, and check its error")
	}
	return newTuned(e, measured32, measured64)
}

func newTuned(e *kernels.Engine, s, d tuning) *Implementation {
	return &Implementation{
		s: &routines[float32]{e: e, a: kernels.NewAlgebra[float32](e), tuning: s},
		d: &routines[float64]{e: e, a: kernels.NewAlgebra[float64](e), tuning: d},
	}
}

// A tuning holds sizes that matter to speed. Limits matter to the last bits too, since
// gonum's routines round in another order. So all Sets have the same.
type tuning struct {
	// Smaller cases go to gonum. Elements of a vector:
	dot, scal, sums, iamax int // dot and axpy; scal; asum and nrm2; iamax
	// matrices:
	gemv, gemvT, ger limit
	vector           int // ger: elements of the longest vector, or 0
	// order of a triangle:
	symv, syr, syr2, trmv, trmvT, trsv int
	// multiplications of a whole matrix:
	gemm, symm, rank, left, right int // rank is syrk and syr2k, left and right are trmm and trsm
	// order of the triangle of trmm and trsm from the left, rows of B from the right:
	order, rows int

	// Blocks.
	triangle  int // syrk and syr2k: order of a triangle that is not halved further
	leaf      int // trmm and trsm: the same, at most kernels.MaxTriangle
	symmetric int // symm: order of a block that is made whole
	strip     int // level 2: rows of a triangle that are not products of a matrix
	width     int // symv: columns of a block that is read twice
	gather    int // level 2: elements of a vector with an increment that are copied at once
}

// A limit says which matrices are worth a kernel: those of enough elements, and of enough
// columns. Rows shorter than a vector cost as much as one.
type limit struct{ elements, columns int }

func (l limit) admits(m, n int) bool { return m*n >= l.elements && n >= l.columns }

var (
	blocks = tuning{triangle: 32, leaf: kernels.MaxTriangle, symmetric: 64, strip: 16, width: 1024, gather: 8192}

	// Gemv of float64 pays from 16 columns by AVX-512, and from 32 by AVX2.
	measured64 = blocks.from(tuning{dot: 64, scal: 96, sums: 24, iamax: 96,
		gemv: limit{1600, 32}, gemvT: limit{384, 12}, ger: limit{256, 4}, vector: 8,
		symv: 28, syr: 40, syr2: 40, trmv: 144, trmvT: 144, trsv: 36, gemm: 216, symm: 512, rank: 3000, left: 1200, right: 512, order: 8, rows: 4})
	measured32 = blocks.from(tuning{dot: 128, scal: 32, sums: 24, iamax: 64,
		gemv: limit{256, 0}, gemvT: limit{48, 0}, ger: limit{800, 8}, vector: 16,
		symv: 36, syr: 24, syr2: 40, trmv: 288, trmvT: 48, trsv: 56, gemm: 216, symm: 512, rank: 3000, left: 600, right: 512, order: 8, rows: 4})
)

// from returns the blocks of t with the limits of l.
func (t tuning) from(l tuning) tuning {
	l.triangle, l.leaf, l.symmetric, l.strip, l.width, l.gather = t.triangle, t.leaf, t.symmetric, t.strip, t.width, t.gather
	return l
}

// scratchLen is the number of elements of scratch that each block of a tuning fits in.
const scratchLen = 1 << 14

// routines are those of one element type. A method reports whether it did the work. If
// not, nothing has been read or written, and gonum's routine is to be called: it panics,
// returns at once, or is the faster one.
type routines[T kernels.Float] struct {
	e *kernels.Engine
	a *kernels.Algebra[T]
	tuning

	regions list[region[T]]
	locals  list[local[T]]
	scratch list[[scratchLen]T]
}

// take returns scratch of scratchLen elements, which hold anything.
func (r *routines[T]) take() []T { return r.scratch.take()[:] }

// give takes scratch back. s may be nil.
func (r *routines[T]) give(s []T) {
	if s != nil {
		r.scratch.give((*[scratchLen]T)(s))
	}
}

// A list holds elements for reuse. It grows to the most that were taken at once.
type list[E any] struct {
	mu   sync.Mutex
	free []*E
}

// take returns an element of the list, or a zero one.
func (l *list[E]) take() *E {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.free)
	if n == 0 {
		return new(E)
	}
	e := l.free[n-1]
	l.free = l.free[:n-1]
	return e
}

func (l *list[E]) give(e *E) {
	l.mu.Lock()
	l.free = append(l.free, e)
	l.mu.Unlock()
}

// fits reports whether a matrix of rows×cols lies in length elements.
func fits(rows, cols, ld, length int) bool {
	if ld < max(1, cols) || rows < 1 {
		return ld >= max(1, cols)
	}
	overflow, last := bits.Mul64(uint64(ld), uint64(rows-1))
	return overflow == 0 && cols <= length && last <= uint64(length-cols)
}

// reaches reports whether a vector of n ≥ 1 elements lies in length elements.
func reaches(n, inc, length int) bool {
	return inc > 0 && (n-1)*inc < length || inc < 0 && (1-n)*inc < length
}

// isTrans reports whether t transposes, and whether it is valid.
func isTrans(t blas.Transpose) (trans, ok bool) {
	return t != blas.NoTrans, t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

// isLower reports whether u is the lower triangle, and whether it is valid.
func isLower(u blas.Uplo) (lower, ok bool) {
	return u == blas.Lower, u == blas.Lower || u == blas.Upper
}

// isUnit reports whether d is a unit diagonal, and whether it is valid.
func isUnit(d blas.Diag) (unit, ok bool) { return d == blas.Unit, d == blas.Unit || d == blas.NonUnit }

// isLeft reports whether s is the left side, and whether it is valid.
func isLeft(s blas.Side) (left, ok bool) { return s == blas.Left, s == blas.Left || s == blas.Right }
