package blas

import (
	"math"

	"batchrnn/kernels"
)

// The routines of level 1 take vectors with increments of 1. Sums and iamax copy vectors
// with greater ones first. The copy takes 0.4 ns an element, and each addition of gonum's
// sums waits for the one before it. Vectors longer than one copy go to gonum: they wait for
// memory, 0.8 ns an element. So do axpy and scal with increments, and all negative ones.

func isPair[T kernels.Float](n, least int, x []T, incX int, y []T, incY int) bool {
	return incY == 1 && n <= len(y) && isOne(n, least, x, incX)
}

func isOne[T kernels.Float](n, least int, x []T, incX int) bool {
	return incX == 1 && n >= max(1, least) && n <= len(x)
}

// leastCopied is the number of elements of a vector that is worth a copy.
const leastCopied = 64

// copies reports whether n elements of x are worth a copy, and fit in one.
func (r *routines[T]) copies(n, least int, x []T, incX int) bool {
	return n >= max(leastCopied, least) && n <= r.gather && incX > 0 && reaches(n, incX, len(x))
}

// line returns n elements of x side by side. If they had to be copied, work is scratch to
// be given back.
func (r *routines[T]) line(n, least int, x []T, incX int) (v, work []T, ok bool) {
	switch {
	case isOne(n, least, x, incX):
		return x[:n], nil, true
	case r.copies(n, least, x, incX):
		work = r.take()
		return gather(work, x, n, incX, 0, n), work, true
	}
	return nil, nil, false
}

// dot returns Σ x·y.
func (r *routines[T]) dot(n int, x []T, incX int, y []T, incY int) (sum T, ok bool) {
	least := r.tuning.dot
	switch {
	case isPair(n, least, x, incX, y, incY):
		return r.a.Dot(x[:n], y[:n]), true
	case r.copies(n, least, x, incX) && r.copies(n, least, y, incY):
		work := r.take()
		sum = r.a.Dot(gather(work, x, n, incX, 0, n), gather(work[r.gather:], y, n, incY, 0, n))
		r.give(work)
		return sum, true
	}
	return 0, false
}

// axpy adds alpha·x to y.
func (r *routines[T]) axpy(n int, alpha T, x []T, incX int, y []T, incY int) bool {
	if alpha == 0 || !isPair(n, r.tuning.dot, x, incX, y, incY) {
		return false
	}
	r.a.Axpy(alpha, x[:n], y[:n])
	return true
}

// scal multiplies x by alpha. Gonum's writes zeros over NaN if alpha is 0.
func (r *routines[T]) scal(n int, alpha T, x []T, incX int) bool {
	if alpha == 0 || !isOne(n, r.tuning.scal, x, incX) {
		return false
	}
	r.a.Scale(alpha, x[:n])
	return true
}

// asum returns Σ |x|.
func (r *routines[T]) asum(n int, x []T, incX int) (sum T, ok bool) {
	v, work, ok := r.line(n, r.sums, x, incX)
	if ok {
		sum = r.a.AbsSum(v)
		r.give(work)
	}
	return sum, ok
}

// iamax returns the first index of the largest |x|.
func (r *routines[T]) iamax(n int, x []T, incX int) (index int, ok bool) {
	v, work, ok := r.line(n, r.tuning.iamax, x, incX)
	if ok {
		index = r.a.IndexMaxAbs(v)
		r.give(work)
	}
	return index, ok
}

// nrm2 returns √(Σ x²), unless squares overflow or too small ones are lost.
func (r *routines[T]) nrm2(n int, x []T, incX int) (norm T, ok bool) {
	v, work, ok := r.line(n, r.sums, x, incX)
	if !ok {
		return 0, false
	}
	// Squares below the normal numbers lose at most n halves of the smallest number. That
	// is nothing beside least.
	least := T(0x1p-900)
	if least == 0 {
		least = 0x1p-90
	}
	sum := r.a.SumSq(v)
	r.give(work)
	if !(sum >= least && sum-sum == 0) {
		return 0, false
	}
	return T(math.Sqrt(float64(sum))), true
}

// Sdot is dot of float32.
func (p *Implementation) Sdot(n int, x []float32, incX int, y []float32, incY int) float32 {
	if v, ok := p.s.dot(n, x, incX, y, incY); ok {
		return v
	}
	return p.Implementation.Sdot(n, x, incX, y, incY)
}

// Snrm2 is nrm2 of float32.
func (p *Implementation) Snrm2(n int, x []float32, incX int) float32 {
	if v, ok := p.s.nrm2(n, x, incX); ok {
		return v
	}
	return p.Implementation.Snrm2(n, x, incX)
}

// Sasum is asum of float32.
func (p *Implementation) Sasum(n int, x []float32, incX int) float32 {
	if v, ok := p.s.asum(n, x, incX); ok {
		return v
	}
	return p.Implementation.Sasum(n, x, incX)
}

// Isamax is iamax of float32.
func (p *Implementation) Isamax(n int, x []float32, incX int) int {
	if i, ok := p.s.iamax(n, x, incX); ok {
		return i
	}
	return p.Implementation.Isamax(n, x, incX)
}

// Saxpy is axpy of float32.
func (p *Implementation) Saxpy(n int, alpha float32, x []float32, incX int, y []float32, incY int) {
	if !p.s.axpy(n, alpha, x, incX, y, incY) {
		p.Implementation.Saxpy(n, alpha, x, incX, y, incY)
	}
}

// Sscal is scal of float32.
func (p *Implementation) Sscal(n int, alpha float32, x []float32, incX int) {
	if !p.s.scal(n, alpha, x, incX) {
		p.Implementation.Sscal(n, alpha, x, incX)
	}
}

// Ddot is dot of float64.
func (p *Implementation) Ddot(n int, x []float64, incX int, y []float64, incY int) float64 {
	if v, ok := p.d.dot(n, x, incX, y, incY); ok {
		return v
	}
	return p.Implementation.Ddot(n, x, incX, y, incY)
}

// Dnrm2 is nrm2 of float64.
func (p *Implementation) Dnrm2(n int, x []float64, incX int) float64 {
	if v, ok := p.d.nrm2(n, x, incX); ok {
		return v
	}
	return p.Implementation.Dnrm2(n, x, incX)
}

// Dasum is asum of float64.
func (p *Implementation) Dasum(n int, x []float64, incX int) float64 {
	if v, ok := p.d.asum(n, x, incX); ok {
		return v
	}
	return p.Implementation.Dasum(n, x, incX)
}

// Idamax is iamax of float64.
func (p *Implementation) Idamax(n int, x []float64, incX int) int {
	if i, ok := p.d.iamax(n, x, incX); ok {
		return i
	}
	return p.Implementation.Idamax(n, x, incX)
}

// Daxpy is axpy of float64.
func (p *Implementation) Daxpy(n int, alpha float64, x []float64, incX int, y []float64, incY int) {
	if !p.d.axpy(n, alpha, x, incX, y, incY) {
		p.Implementation.Daxpy(n, alpha, x, incX, y, incY)
	}
}

// Dscal is scal of float64.
func (p *Implementation) Dscal(n int, alpha float64, x []float64, incX int) {
	if !p.d.scal(n, alpha, x, incX) {
		p.Implementation.Dscal(n, alpha, x, incX)
	}
}
