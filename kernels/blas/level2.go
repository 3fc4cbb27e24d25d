package blas

import (
	"gonum.org/v1/gonum/blas"

	"batchrnn/kernels"
)

// gemv computes y = alpha·op(A)·x + beta·y. Gonum's Sgemv (v0.17.0) clears all of the slice
// y, beyond its n elements, if A is transposed and beta is 0. So that case never goes there.
func (r *routines[T]) gemv(tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int) bool {
	trans, ok := isTrans(tA)
	lenX, lenY, limit := n, m, r.tuning.gemv
	if trans {
		lenX, lenY, limit = m, n, r.gemvT
	}
	if !ok || m < 1 || n < 1 || alpha == 0 || !limit.admits(m, n) && !(trans && beta == 0) ||
		!fits(m, n, lda, len(a)) || !reaches(lenX, incX, len(x)) || !reaches(lenY, incY, len(y)) {
		return false
	}
	if incX == 1 && incY == 1 {
		r.vectorMul(trans, m, n, alpha, a, lda, x, beta, y)
		return true
	}
	work := r.take()
	defer r.give(work)
	for i := 0; i < lenY; i += r.gather {
		rows, beta := min(r.gather, lenY-i), beta
		yi := gather(work, y, lenY, incY, i, rows)
		for j := 0; j < lenX; j += r.gather {
			cols := min(r.gather, lenX-j)
			xj := gather(work[r.gather:], x, lenX, incX, j, cols)
			if trans {
				r.vectorMul(true, cols, rows, alpha, a[j*lda+i:], lda, xj, beta, yi)
			} else {
				r.vectorMul(false, rows, cols, alpha, a[i*lda+j:], lda, xj, beta, yi)
			}
			beta = 1
		}
		scatter(yi, y, lenY, incY, i)
	}
	return true
}

// ger adds alpha·x·yᵀ to A. Gonum's assembly (v0.17.0) reads the wrong elements if an
// increment is negative, so those cases never go there.
func (r *routines[T]) ger(m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int) bool {
	if m < 1 || n < 1 || alpha == 0 || !fits(m, n, lda, len(a)) || !reaches(m, incX, len(x)) || !reaches(n, incY, len(y)) ||
		!r.gerPays(m, n, lda) && incX > 0 && incY > 0 {
		return false
	}
	// x may be a column beside A. Where rows follow closely, its elements would wait for
	// stores.
	if incY == 1 && (incX == 1 || incX > 0 && lda-n >= r.vector) {
		r.a.Ger(m, n, alpha, x, incX, y[:n], a, lda)
		return true
	}
	work := r.take()
	defer r.give(work)
	for i := 0; i < m; i += r.gather {
		rows := min(r.gather, m-i)
		xi := gather(work, x, m, incX, i, rows)
		for j := 0; j < n; j += r.gather {
			cols := min(r.gather, n-j)
			r.a.Ger(rows, cols, alpha, xi, 1, gather(work[r.gather:], y, n, incY, j, cols), a[i*lda+j:], lda)
		}
	}
	return true
}

// gerPays reports whether ger is worth a kernel. Where short rows with a rest of a vector
// follow closely, loads wait for stores: 8 ns a row. lda is at least n.
func (r *routines[T]) gerPays(m, n, lda int) bool {
	waits := lda-n < r.vector && n < 2*r.vector && n%r.vector != 0
	return r.tuning.ger.admits(m, n) && !waits
}

// vectorMul is gemv for increments of 1.
func (r *routines[T]) vectorMul(trans bool, m, n int, alpha T, a []T, lda int, x []T, beta T, y []T) {
	if trans {
		r.a.GemvT(m, n, alpha, a, lda, x[:m], beta, y[:n])
	} else {
		r.a.Gemv(m, n, alpha, a, lda, x[:n], beta, y[:m])
	}
}

// symv computes y = alpha·A·x + beta·y for symmetric A.
func (r *routines[T]) symv(ul blas.Uplo, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int) bool {
	lower, ok := isLower(ul)
	if !ok || n < max(1, r.tuning.symv) || alpha == 0 || (incX != 1 || incY != 1) && n > r.gather ||
		!fits(n, n, lda, len(a)) || !reaches(n, incX, len(x)) || !reaches(n, incY, len(y)) {
		return false
	}
	work := r.take()
	defer r.give(work)
	x, v := gather(work, x, n, incX, 0, n), gather(work[r.gather:], y, n, incY, 0, n)
	r.scale(beta, v)
	for i := 0; i < n; i += r.strip {
		end := min(i+r.strip, n)
		symmetricBlock(lower, end-i, alpha, a[i*lda+i:], lda, x[i:end], v[i:end])
		// Each block of the rest of the strip stands for its mirror image too. It is
		// read twice while it is in cache.
		first, last := beside(lower, i, end, n)
		for j := first; j < last; j += r.width {
			cols, part := min(r.width, last-j), a[i*lda+j:]
			r.a.Gemv(end-i, cols, alpha, part, lda, x[j:j+cols], 1, v[i:end])
			r.a.GemvT(end-i, cols, alpha, part, lda, x[i:end], 1, v[j:j+cols])
		}
	}
	scatter(v, y, n, incY, 0)
	return true
}

// symmetricBlock adds alpha·A·x to y for symmetric A of order n.
func symmetricBlock[T kernels.Float](lower bool, n int, alpha T, a []T, lda int, x, y []T) {
	for i := range n {
		first, last := beside(lower, i, i+1, n)
		row := a[i*lda:][:n]
		xs, ys, scaled, sum := x[first:last], y[first:last], alpha*x[i], row[i]*x[i]
		for j, v := range row[first:last] {
			sum += v * xs[j]
			ys[j] += v * scaled
		}
		y[i] += alpha * sum
	}
}

// syr adds a triangle of alpha·x·xᵀ to A.
func (r *routines[T]) syr(ul blas.Uplo, n int, alpha T, x []T, incX int, a []T, lda int) bool {
	lower, ok := isLower(ul)
	if !ok || n < max(1, r.tuning.syr) || alpha == 0 || incX != 1 && n > r.gather || !fits(n, n, lda, len(a)) || !reaches(n, incX, len(x)) {
		return false
	}
	work := r.take()
	defer r.give(work)
	x = gather(work, x, n, incX, 0, n)
	for i := range n {
		first, last := within(lower, i, n)
		r.a.Axpy(alpha*x[i], x[first:last], a[i*lda:][first:last])
	}
	return true
}

// syr2 adds a triangle of alpha·x·yᵀ + alpha·y·xᵀ to A.
func (r *routines[T]) syr2(ul blas.Uplo, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int) bool {
	lower, ok := isLower(ul)
	if !ok || n < max(1, r.tuning.syr2) || alpha == 0 || (incX != 1 || incY != 1) && n > r.gather ||
		!fits(n, n, lda, len(a)) || !reaches(n, incX, len(x)) || !reaches(n, incY, len(y)) {
		return false
	}
	work := r.take()
	defer r.give(work)
	x, y = gather(work, x, n, incX, 0, n), gather(work[r.gather:], y, n, incY, 0, n)
	for i := range n {
		first, last := within(lower, i, n)
		row := a[i*lda:][first:last]
		r.a.Axpy(alpha*x[i], y[first:last], row)
		r.a.Axpy(alpha*y[i], x[first:last], row)
	}
	return true
}

// trmv computes x = op(A)·x for triangular A.
func (r *routines[T]) trmv(ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []T, lda int, x []T, incX int) bool {
	least := r.tuning.trmv
	if tA != blas.NoTrans {
		least = r.trmvT
	}
	lower, trans, unit, ok := r.checkVector(least, ul, tA, d, n, a, lda, x, incX)
	if !ok {
		return false
	}
	work := r.take()
	v := gather(work, x, n, incX, 0, n)
	r.triangleVector(lower, trans, unit, n, a, lda, v)
	scatter(v, x, n, incX, 0)
	r.give(work)
	return true
}

// trsv solves op(A)·x = b for triangular A, where x holds b.
func (r *routines[T]) trsv(ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []T, lda int, x []T, incX int) bool {
	lower, trans, unit, ok := r.checkVector(r.tuning.trsv, ul, tA, d, n, a, lda, x, incX)
	if !ok {
		return false
	}
	work := r.take()
	v := gather(work, x, n, incX, 0, n)
	r.solveVector(lower, trans, unit, n, a, lda, v)
	scatter(v, x, n, incX, 0)
	r.give(work)
	return true
}

// checkVector checks the arguments of trmv and trsv.
func (r *routines[T]) checkVector(least int, ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []T, lda int, x []T, incX int) (lower, trans, unit, ok bool) {
	lower, okU := isLower(ul)
	trans, okT := isTrans(tA)
	unit, okD := isUnit(d)
	ok = okU && okT && okD && n >= max(1, least) && (incX == 1 || n <= r.gather) &&
		fits(n, n, lda, len(a)) && reaches(n, incX, len(x))
	return lower, trans, unit, ok
}

// triangleVector is trmv for a vector without increments. Each strip reads elements of x
// that have not changed yet.
func (r *routines[T]) triangleVector(lower, trans, unit bool, n int, a []T, lda int, x []T) {
	down := lower != trans // from the last strip to the first
	for step := 0; step < n; step += r.strip {
		i, end := span(down, step, r.strip, n)
		first, last := beside(lower, i, end, n)
		if trans && first < last {
			r.a.GemvT(end-i, last-first, 1, a[i*lda+first:], lda, x[i:end], 1, x[first:last])
		}
		part := x[i:end]
		for k := range part {
			j, _ := span(down, k, 1, len(part))
			from, to := beside(lower, j, j+1, len(part))
			row := a[(i+j)*lda+i:][:len(part)]
			xj := part[j]
			if !unit {
				part[j] *= row[j]
			}
			if trans {
				axpyShort(xj, row[from:to], part[from:to])
			} else {
				part[j] += dotShort(row[from:to], part[from:to])
			}
		}
		if !trans && first < last {
			r.a.Gemv(end-i, last-first, 1, a[i*lda+first:], lda, x[first:last], 1, x[i:end])
		}
	}
}

// solveVector is trsv for a vector without increments.
func (r *routines[T]) solveVector(lower, trans, unit bool, n int, a []T, lda int, x []T) {
	down := lower == trans // from the last strip to the first
	for step := 0; step < n; step += r.strip {
		i, end := span(down, step, r.strip, n)
		first, last := beside(lower, i, end, n)
		if !trans && first < last {
			r.a.Gemv(end-i, last-first, -1, a[i*lda+first:], lda, x[first:last], 1, x[i:end])
		}
		part := x[i:end]
		for k := range part {
			j, _ := span(down, k, 1, len(part))
			from, to := beside(lower, j, j+1, len(part))
			row := a[(i+j)*lda+i:][:len(part)]
			if !trans {
				part[j] -= dotShort(row[from:to], part[from:to])
			}
			if !unit {
				part[j] /= row[j]
			}
			if trans {
				axpyShort(-part[j], row[from:to], part[from:to])
			}
		}
		if trans && first < last {
			r.a.GemvT(end-i, last-first, -1, a[i*lda+first:], lda, x[i:end], 1, x[first:last])
		}
	}
}

// dotShort is dot for a few elements: a call of a kernel would take longer.
func dotShort[T kernels.Float](x, y []T) (s T) {
	y = y[:len(x)]
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// axpyShort is axpy for a few elements.
func axpyShort[T kernels.Float](alpha T, x, y []T) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += alpha * v
	}
}

// span returns the part of n that begins step from its start, or from its end.
func span(down bool, step, size, n int) (first, end int) {
	if down {
		return max(0, n-step-size), n - step
	}
	return step, min(n, step+size)
}

// beside returns the columns of the rows from first to end in a triangle of order n,
// without those of the block on the diagonal.
func beside(lower bool, first, end, n int) (from, to int) {
	if lower {
		return 0, first
	}
	return end, n
}

// within returns the columns of row i in a triangle of order n.
func within(lower bool, i, n int) (from, to int) {
	if lower {
		return 0, i + 1
	}
	return i, n
}

// gather returns count elements of a vector of n, from its element first on: in place, or
// in work.
func gather[T kernels.Float](work, x []T, n, inc, first, count int) []T {
	if inc == 1 {
		return x[first:][:count]
	}
	at, i := start(n, inc, first), 0
	for ; i+4 <= count; i += 4 {
		v := (*[4]T)(work[i:])
		v[0], v[1], v[2], v[3] = x[at], x[at+inc], x[at+2*inc], x[at+3*inc]
		at += 4 * inc
	}
	for ; i < count; i++ {
		work[i] = x[at]
		at += inc
	}
	return work[:count]
}

// scatter is the way back of gather.
func scatter[T kernels.Float](v, x []T, n, inc, first int) {
	if inc == 1 {
		return
	}
	at := start(n, inc, first)
	for _, e := range v {
		x[at] = e
		at += inc
	}
}

// start returns where element i of a vector of n lies.
func start(n, inc, i int) int {
	if inc < 0 {
		i -= n - 1
	}
	return i * inc
}

// Sgemv is gemv of float32.
func (p *Implementation) Sgemv(tA blas.Transpose, m, n int, alpha float32, a []float32, lda int, x []float32, incX int, beta float32, y []float32, incY int) {
	if !p.s.gemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY) {
		p.Implementation.Sgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
	}
}

// Sger is ger of float32.
func (p *Implementation) Sger(m, n int, alpha float32, x []float32, incX int, y []float32, incY int, a []float32, lda int) {
	if !p.s.ger(m, n, alpha, x, incX, y, incY, a, lda) {
		p.Implementation.Sger(m, n, alpha, x, incX, y, incY, a, lda)
	}
}

// Ssymv is symv of float32.
func (p *Implementation) Ssymv(ul blas.Uplo, n int, alpha float32, a []float32, lda int, x []float32, incX int, beta float32, y []float32, incY int) {
	if !p.s.symv(ul, n, alpha, a, lda, x, incX, beta, y, incY) {
		p.Implementation.Ssymv(ul, n, alpha, a, lda, x, incX, beta, y, incY)
	}
}

// Ssyr is syr of float32.
func (p *Implementation) Ssyr(ul blas.Uplo, n int, alpha float32, x []float32, incX int, a []float32, lda int) {
	if !p.s.syr(ul, n, alpha, x, incX, a, lda) {
		p.Implementation.Ssyr(ul, n, alpha, x, incX, a, lda)
	}
}

// Ssyr2 is syr2 of float32.
func (p *Implementation) Ssyr2(ul blas.Uplo, n int, alpha float32, x []float32, incX int, y []float32, incY int, a []float32, lda int) {
	if !p.s.syr2(ul, n, alpha, x, incX, y, incY, a, lda) {
		p.Implementation.Ssyr2(ul, n, alpha, x, incX, y, incY, a, lda)
	}
}

// Strmv is trmv of float32.
func (p *Implementation) Strmv(ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []float32, lda int, x []float32, incX int) {
	if !p.s.trmv(ul, tA, d, n, a, lda, x, incX) {
		p.Implementation.Strmv(ul, tA, d, n, a, lda, x, incX)
	}
}

// Strsv is trsv of float32.
func (p *Implementation) Strsv(ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []float32, lda int, x []float32, incX int) {
	if !p.s.trsv(ul, tA, d, n, a, lda, x, incX) {
		p.Implementation.Strsv(ul, tA, d, n, a, lda, x, incX)
	}
}

// Dgemv is gemv of float64.
func (p *Implementation) Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	if !p.d.gemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY) {
		p.Implementation.Dgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
	}
}

// Dger is ger of float64.
func (p *Implementation) Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	if !p.d.ger(m, n, alpha, x, incX, y, incY, a, lda) {
		p.Implementation.Dger(m, n, alpha, x, incX, y, incY, a, lda)
	}
}

// Dsymv is symv of float64.
func (p *Implementation) Dsymv(ul blas.Uplo, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	if !p.d.symv(ul, n, alpha, a, lda, x, incX, beta, y, incY) {
		p.Implementation.Dsymv(ul, n, alpha, a, lda, x, incX, beta, y, incY)
	}
}

// Dsyr is syr of float64.
func (p *Implementation) Dsyr(ul blas.Uplo, n int, alpha float64, x []float64, incX int, a []float64, lda int) {
	if !p.d.syr(ul, n, alpha, x, incX, a, lda) {
		p.Implementation.Dsyr(ul, n, alpha, x, incX, a, lda)
	}
}

// Dsyr2 is syr2 of float64.
func (p *Implementation) Dsyr2(ul blas.Uplo, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	if !p.d.syr2(ul, n, alpha, x, incX, y, incY, a, lda) {
		p.Implementation.Dsyr2(ul, n, alpha, x, incX, y, incY, a, lda)
	}
}

// Dtrmv is trmv of float64.
func (p *Implementation) Dtrmv(ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []float64, lda int, x []float64, incX int) {
	if !p.d.trmv(ul, tA, d, n, a, lda, x, incX) {
		p.Implementation.Dtrmv(ul, tA, d, n, a, lda, x, incX)
	}
}

// Dtrsv is trsv of float64.
func (p *Implementation) Dtrsv(ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []float64, lda int, x []float64, incX int) {
	if !p.d.trsv(ul, tA, d, n, a, lda, x, incX) {
		p.Implementation.Dtrsv(ul, tA, d, n, a, lda, x, incX)
	}
}
