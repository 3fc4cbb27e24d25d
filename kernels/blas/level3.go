package blas

import (
	"gonum.org/v1/gonum/blas"

	"batchrnn/kernels"
)

// gemm computes C = alpha·op(A)·op(B) + beta·C.
func (r *routines[T]) gemm(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) bool {
	transA, okA := isTrans(tA)
	transB, okB := isTrans(tB)
	rowsA, colsA, rowsB, colsB := m, k, k, n
	if transA {
		rowsA, colsA = k, m
	}
	if transB {
		rowsB, colsB = n, k
	}
	if !okA || !okB || m < 1 || n < 1 || k < 0 ||
		!fits(rowsA, colsA, lda, len(a)) || !fits(rowsB, colsB, ldb, len(b)) || !fits(m, n, ldc, len(c)) {
		return false
	}
	if alpha == 0 || k == 0 { // gonum's reads A and B
		for i := range m {
			r.scale(beta, c[i*ldc:][:n])
		}
		return true
	}
	if m*n*k < r.tuning.gemm {
		return false
	}
	var p kernels.MatMul[T] // field by field: product copies it, which costs 16×16×16 a sixth
	p.M, p.N, p.K, p.Alpha, p.Beta = m, n, k, alpha, beta
	p.A, p.LDA, p.TransA = a, lda, transA
	p.B, p.LDB, p.TransB = b, ldb, transB
	p.C, p.LDC = c, ldc
	r.a.MatMul(&p)
	return true
}

// symm computes C = alpha·A·B + beta·C, or alpha·B·A + beta·C, for symmetric A.
func (r *routines[T]) symm(s blas.Side, ul blas.Uplo, m, n int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) bool {
	left, okS := isLeft(s)
	lower, okU := isLower(ul)
	order, others := n, m
	if left {
		order, others = m, n
	}
	if !okS || !okU || m < 1 || n < 1 || alpha == 0 || order*order*others < r.tuning.symm ||
		!fits(order, order, lda, len(a)) || !fits(m, n, ldb, len(b)) || !fits(m, n, ldc, len(c)) {
		return false
	}
	// The right side is the left one of the transposes.
	r.run(job[T]{op: symmetricMul, lower: lower, m: order, n: others, alpha: alpha, beta: beta,
		a: matrix[T]{a, lda, false}, b: matrix[T]{b, ldb, !left}, c: matrix[T]{c, ldc, !left}})
	return true
}

// symmetricMul computes C = alpha·A·B + beta·C for symmetric A of order m and B of m×n.
// Each element of C takes its products in the order of k.
func (l *local[T]) symmetricMul(lower bool, m, n int, alpha T, a, b matrix[T], beta T, c matrix[T]) {
	if m <= l.symmetric {
		for i := range m {
			row := l.work[i*m:][:m]
			if lower {
				copy(row, a.data[i*a.ld:][:i+1])
				for j, v := range row[:i] {
					l.work[j*m+i] = v
				}
			} else {
				copy(row[i:], a.data[i*a.ld+i:][:m-i])
				for j := i + 1; j < m; j++ {
					l.work[j*m+i] = row[j]
				}
			}
		}
		l.mul(m, n, m, alpha, matrix[T]{l.work, m, false}, b, beta, c)
		return
	}
	h := half(m, l.symmetric)
	a21 := a.from(0, h).t()
	if lower {
		a21 = a.from(h, 0)
	}
	b2, c2 := b.from(h, 0), c.from(h, 0)
	l.symmetricMul(lower, h, n, alpha, a, b, beta, c)
	l.mul(h, n, m-h, alpha, a21.t(), b2, 1, c)
	l.mul(m-h, n, h, alpha, a21, b, beta, c2)
	l.symmetricMul(lower, m-h, n, alpha, a.from(h, h), b2, 1, c2)
}

// syrk computes a triangle of C = alpha·op(A)·op(A)ᵀ + beta·C.
func (r *routines[T]) syrk(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int) bool {
	lower, okU := isLower(ul)
	trans, okT := isTrans(t)
	if !okU || !okT || !fitsRank(trans, n, k, lda, len(a)) || !fits(n, n, ldc, len(c)) {
		return false
	}
	// Gonum's reads C though beta is 0, if A is transposed and the triangle is the lower one.
	if n*n*k < r.tuning.rank && !(lower && trans && beta == 0) {
		return false
	}
	va, vc := matrix[T]{a, lda, trans}, matrix[T]{c, ldc, false}
	if alpha == 0 || k == 0 {
		r.scaleTriangle(lower, n, beta, vc)
		return true
	}
	r.run(job[T]{op: rank, lower: lower, m: n, n: n, k: k, alpha: alpha, beta: beta, a: va, b: va, c: vc})
	return true
}

// syr2k computes a triangle of C = alpha·op(A)·op(B)ᵀ + alpha·op(B)·op(A)ᵀ + beta·C.
func (r *routines[T]) syr2k(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) bool {
	lower, okU := isLower(ul)
	trans, okT := isTrans(t)
	if !okU || !okT || !fitsRank(trans, n, k, lda, len(a)) || !fitsRank(trans, n, k, ldb, len(b)) || !fits(n, n, ldc, len(c)) ||
		alpha == 0 || k == 0 || n*n*k < r.tuning.rank {
		return false
	}
	va, vb, vc := matrix[T]{a, lda, trans}, matrix[T]{b, ldb, trans}, matrix[T]{c, ldc, false}
	r.run(job[T]{op: rank2, lower: lower, m: n, n: n, k: k, alpha: alpha, beta: beta, a: va, b: vb, c: vc})
	return true
}

// fitsRank is fits for A of n×k, or k×n if trans. It is false if n < 1 or k < 0.
func fitsRank(trans bool, n, k, ld, length int) bool {
	if n < 1 || k < 0 {
		return false
	}
	if trans {
		return fits(k, n, ld, length)
	}
	return fits(n, k, ld, length)
}

// scale multiplies x by beta. If beta is 0, x is not read.
func (r *routines[T]) scale(beta T, x []T) {
	if beta == 0 {
		clear(x)
	} else if beta != 1 {
		r.a.Scale(beta, x)
	}
}

func (r *routines[T]) scaleTriangle(lower bool, n int, beta T, c matrix[T]) {
	for i := range n {
		first, last := within(lower, i, n)
		r.scale(beta, c.data[i*c.ld:][first:last])
	}
}

// rank computes a triangle of C = alpha·A·Bᵀ + beta·C for C of order n, A and B of n×k. The
// workers share it: columns of the blocks beside the diagonal, and the blocks on it in turn.
func (l *local[T]) rank(lower bool, n, k int, alpha T, a, b matrix[T], beta T, c matrix[T]) {
	if n <= l.triangle {
		if l.turn() {
			l.rankBlock(lower, n, k, alpha, a, b, beta, c)
		}
		return
	}
	h := half(n, l.triangle)
	a2, b2 := a.from(h, 0), b.from(h, 0)
	l.rank(lower, h, k, alpha, a, b, beta, c)
	if lower {
		l.mulShare(n-h, h, k, alpha, a2, b.t(), beta, c.from(h, 0))
	} else {
		l.mulShare(h, n-h, k, alpha, a, b2.t(), beta, c.from(0, h))
	}
	l.rank(lower, n-h, k, alpha, a2, b2, beta, c.from(h, h))
}

// rankBlock computes the whole block in work, and copies its triangle.
func (l *local[T]) rankBlock(lower bool, n, k int, alpha T, a, b matrix[T], beta T, c matrix[T]) {
	triangle := func(i int) (block, row []T) {
		first, last := within(lower, i, n)
		return l.work[i*n:][first:last], c.data[i*c.ld:][first:last]
	}
	if beta != 0 {
		clear(l.work[:n*n])
		for i := range n {
			block, row := triangle(i)
			copy(block, row)
		}
	}
	l.mul(n, n, k, alpha, a, b.t(), beta, matrix[T]{l.work, n, false})
	for i := range n {
		block, row := triangle(i)
		copy(row, block)
	}
}

// trmm computes B = alpha·op(A)·B or alpha·B·op(A) for triangular A.
func (r *routines[T]) trmm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int) bool {
	t, ok := r.checkTriangle(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
	if !ok {
		return false
	}
	work := r.take()
	if v, inc := t.vector(); inc > 0 && t.m <= r.gather {
		x := gather(work, v, t.m, inc, 0, t.m)
		r.triangleVector(t.lower != t.a.trans, t.a.trans, t.unit, t.m, t.a.data, t.a.ld, x)
		if alpha != 1 {
			r.a.Scale(alpha, x)
		}
		scatter(x, v, t.m, inc, 0)
	} else {
		r.run(job[T]{op: triangleMul, lower: t.lower, unit: t.unit, m: t.m, n: t.n, alpha: alpha, a: t.a, b: t.b})
	}
	r.give(work)
	return true
}

// trsm solves op(A)·X = alpha·B or X·op(A) = alpha·B for triangular A.
func (r *routines[T]) trsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int) bool {
	t, ok := r.checkTriangle(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
	if !ok {
		return false
	}
	work := r.take()
	if v, inc := t.vector(); inc > 0 && t.m <= r.gather {
		x := gather(work, v, t.m, inc, 0, t.m)
		if alpha != 1 {
			r.a.Scale(alpha, x)
		}
		r.solveVector(t.lower != t.a.trans, t.a.trans, t.unit, t.m, t.a.data, t.a.ld, x)
		scatter(x, v, t.m, inc, 0)
	} else {
		r.run(job[T]{op: solve, lower: t.lower, unit: t.unit, m: t.m, n: t.n, alpha: alpha, a: t.a, b: t.b})
	}
	r.give(work)
	return true
}

// A triangular holds the arguments of trmm and trsm as those of the left side without a
// transpose: A is of order m, B of m×n.
type triangular[T kernels.Float] struct {
	lower, unit bool
	m, n        int
	a, b        matrix[T]
}

// vector returns the only column of B and its increment. The increment is 0 if B has more.
func (t *triangular[T]) vector() (x []T, inc int) {
	if t.n > 1 {
		return nil, 0
	}
	if t.b.trans {
		return t.b.data, 1
	}
	return t.b.data, t.b.ld
}

func (r *routines[T]) checkTriangle(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int) (triangular[T], bool) {
	left, okS := isLeft(s)
	lower, okU := isLower(ul)
	trans, okT := isTrans(tA)
	unit, okD := isUnit(d)
	t := triangular[T]{m: m, n: n, unit: unit, a: matrix[T]{a, lda, trans == left}, b: matrix[T]{b, ldb, !left}}
	if !left {
		t.m, t.n = n, m
	}
	t.lower = lower != t.a.trans
	// Few rows on the right waste a panel. A single one is a vector, as of trmv.
	least, thin := r.right, t.n < r.rows && !(t.n == 1 && t.m >= r.tuning.trmv)
	if left {
		least, thin = r.left, t.m < r.order
	}
	ok := okS && okU && okT && okD && m >= 1 && n >= 1 && alpha != 0 && t.m*t.m*t.n >= least && !thin &&
		fits(t.m, t.m, lda, len(a)) && fits(m, n, ldb, len(b))
	return t, ok
}

// triangleMul computes B = alpha·A·B for triangular A of order m and B of m×n.
func (l *local[T]) triangleMul(lower, unit bool, m, n int, alpha T, a, b matrix[T]) {
	if m <= l.leaf {
		t := triangle(lower, unit, m, n, alpha, a, b)
		l.Trmm(&t)
		return
	}
	h := half(m, l.leaf)
	a2, b2 := a.from(h, h), b.from(h, 0)
	if lower {
		l.triangleMul(lower, unit, m-h, n, alpha, a2, b2)
		l.mul(m-h, n, h, alpha, a.from(h, 0), b, 1, b2)
		l.triangleMul(lower, unit, h, n, alpha, a, b)
	} else {
		l.triangleMul(lower, unit, h, n, alpha, a, b)
		l.mul(h, n, m-h, alpha, a.from(0, h), b2, 1, b)
		l.triangleMul(lower, unit, m-h, n, alpha, a2, b2)
	}
}

// solve computes B = alpha·A⁻¹·B for triangular A of order m and B of m×n.
func (l *local[T]) solve(lower, unit bool, m, n int, alpha T, a, b matrix[T]) {
	if m <= l.leaf {
		t := triangle(lower, unit, m, n, alpha, a, b)
		l.Trsm(&t)
		return
	}
	h := half(m, l.leaf)
	a2, b2 := a.from(h, h), b.from(h, 0)
	if lower {
		l.solve(lower, unit, h, n, alpha, a, b)
		l.mul(m-h, n, h, -1, a.from(h, 0), b, alpha, b2)
		l.solve(lower, unit, m-h, n, 1, a2, b2)
	} else {
		l.solve(lower, unit, m-h, n, alpha, a2, b2)
		l.mul(h, n, m-h, -1, a.from(0, h), b2, alpha, b)
		l.solve(lower, unit, h, n, 1, a, b)
	}
}

// triangle describes a triangle that is not halved further.
func triangle[T kernels.Float](lower, unit bool, m, n int, alpha T, a, b matrix[T]) kernels.Triangle[T] {
	return kernels.Triangle[T]{
		M: m, N: n, Lower: lower, Unit: unit, Alpha: alpha,
		A: a.data, LDA: a.ld, TransA: a.trans,
		B: b.data, LDB: b.ld, TransB: b.trans,
	}
}

// Sgemm is gemm of float32.
func (p *Implementation) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if !p.s.gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
		p.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// Ssymm is symm of float32.
func (p *Implementation) Ssymm(s blas.Side, ul blas.Uplo, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if !p.s.symm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc) {
		p.Implementation.Ssymm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// Ssyrk is syrk of float32.
func (p *Implementation) Ssyrk(ul blas.Uplo, t blas.Transpose, n, k int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int) {
	if !p.s.syrk(ul, t, n, k, alpha, a, lda, beta, c, ldc) {
		p.Implementation.Ssyrk(ul, t, n, k, alpha, a, lda, beta, c, ldc)
	}
}

// Ssyr2k is syr2k of float32.
func (p *Implementation) Ssyr2k(ul blas.Uplo, t blas.Transpose, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if !p.s.syr2k(ul, t, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
		p.Implementation.Ssyr2k(ul, t, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// Strmm is trmm of float32.
func (p *Implementation) Strmm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int) {
	if !p.s.trmm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb) {
		p.Implementation.Strmm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
	}
}

// Strsm is trsm of float32.
func (p *Implementation) Strsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int) {
	if !p.s.trsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb) {
		p.Implementation.Strsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
	}
}

// Dgemm is gemm of float64.
func (p *Implementation) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if !p.d.gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
		p.Implementation.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// Dsymm is symm of float64.
func (p *Implementation) Dsymm(s blas.Side, ul blas.Uplo, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if !p.d.symm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc) {
		p.Implementation.Dsymm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// Dsyrk is syrk of float64.
func (p *Implementation) Dsyrk(ul blas.Uplo, t blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	if !p.d.syrk(ul, t, n, k, alpha, a, lda, beta, c, ldc) {
		p.Implementation.Dsyrk(ul, t, n, k, alpha, a, lda, beta, c, ldc)
	}
}

// Dsyr2k is syr2k of float64.
func (p *Implementation) Dsyr2k(ul blas.Uplo, t blas.Transpose, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if !p.d.syr2k(ul, t, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
		p.Implementation.Dsyr2k(ul, t, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// Dtrmm is trmm of float64.
func (p *Implementation) Dtrmm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	if !p.d.trmm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb) {
		p.Implementation.Dtrmm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
	}
}

// Dtrsm is trsm of float64.
func (p *Implementation) Dtrsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	if !p.d.trsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb) {
		p.Implementation.Dtrsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
	}
}
