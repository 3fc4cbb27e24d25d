package blas

import (
	"math"

	"batchrnn/kernels"
)

// The routines of level 1 take vectors with increments of 1. Gonum's take the others.

func isPair[T kernels.Float](n, least int, x []T, incX int, y []T, incY int) bool {
	return incY == 1 && n <= len(y) && isOne(n, least, x, incX)
}

func isOne[T kernels.Float](n, least int, x []T, incX int) bool {
	return incX == 1 && n >= max(1, least) && n <= len(x)
}

// dot returns Σ x·y.
func (r *routines[T]) dot(n int, x []T, incX int, y []T, incY int) (sum T, ok bool) {
	if !isPair(n, r.tuning.dot, x, incX, y, incY) {
		return 0, false
	}
	return r.a.Dot(x[:n], y[:n]), true
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
	if !isOne(n, r.sums, x, incX) {
		return 0, false
	}
	return r.a.AbsSum(x[:n]), true
}

// nrm2 returns √(Σ x²), unless squares overflow or too small ones are lost.
func (r *routines[T]) nrm2(n int, x []T, incX int) (norm T, ok bool) {
	if !isOne(n, r.sums, x, incX) {
		return 0, false
	}
	// Squares below the normal numbers lose at most n halves of the smallest number. That
	// is nothing beside least.
	least := T(0x1p-900)
	if least == 0 {
		least = 0x1p-90
	}
	sum := r.a.SumSq(x[:n])
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
