package blas

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// BenchmarkMat reports how many times as fast gonum's mat and stat are with this
// package: medians of pairs, for one thread and for all. The table of docs/gonum.md is
//
//	go test ./kernels/blas -run '^$' -bench Mat -benchtime 5x
func BenchmarkMat(b *testing.B) {
	defer blas64.Use(blas64.Implementation())
	theirs := gonum.Implementation{}
	one, all := newEngine(b, "", 1), newEngine(b, "", 0)
	ours := []struct {
		unit string
		p    blas.Float64
	}{{"×gonum/1thread", New(one)}}
	if n := all.Threads(); n > 1 {
		ours = append(ours, ours[0])
		ours[1].unit, ours[1].p = fmt.Sprintf("×gonum/%dthreads", n), New(all)
	}
	for _, w := range matWork {
		for _, n := range []int{100, 300, 1000} {
			b.Run(fmt.Sprintf("%s/n=%d", w.name, n), func(b *testing.B) {
				f := w.make(rand.New(rand.NewPCG(1, uint64(n))), n)
				const shortest = time.Millisecond // of what is timed
				calls := 1
				took := func(p blas.Float64) float64 {
					blas64.Use(p)
					start := time.Now()
					for range calls {
						f()
					}
					return time.Since(start).Seconds()
				}
				for _, o := range ours {
					took(o.p) // its memory is allocated
				}
				for took(theirs) < shortest.Seconds() {
					calls *= 2
				}
				var base []float64
				ratios := make([][]float64, len(ours))
				for b.Loop() {
					t := took(theirs)
					base = append(base, t/float64(calls))
					for i, o := range ours {
						ratios[i] = append(ratios[i], t/took(o.p))
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(1e3*median(base), "ms/gonum")
				for i, o := range ours {
					b.ReportMetric(median(ratios[i]), o.unit)
				}
			})
		}
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// matWork is what is timed. make returns a call that may be repeated.
var matWork = []struct {
	name string
	make func(r *rand.Rand, n int) func()
}{
	{"Mul", func(r *rand.Rand, n int) func() {
		a, b, c := random(r, n, n), random(r, n, n), mat.NewDense(n, n, nil)
		return func() { c.Mul(a, b) }
	}},
	{"MulVec", func(r *rand.Rand, n int) func() {
		a, x, y := random(r, n, n), random(r, n, 1).ColView(0), mat.NewVecDense(n, nil)
		return func() { y.MulVec(a, x) }
	}},
	{"LU", func(r *rand.Rand, n int) func() {
		var lu mat.LU
		a := random(r, n, n)
		return func() { lu.Factorize(a) }
	}},
	{"Solve", func(r *rand.Rand, n int) func() {
		a, b, x := random(r, n, n), random(r, n, 1), mat.NewDense(n, 1, nil)
		return func() { must(x.Solve(a, b)) }
	}},
	{"Inverse", func(r *rand.Rand, n int) func() {
		a, x := random(r, n, n), mat.NewDense(n, n, nil)
		return func() { must(x.Inverse(a)) }
	}},
	{"QR", func(r *rand.Rand, n int) func() {
		var qr mat.QR
		a := random(r, n, n)
		return func() { qr.Factorize(a) }
	}},
	{"Cholesky", func(r *rand.Rand, n int) func() {
		var chol mat.Cholesky
		a := definite(r, n)
		return func() { mustOK(chol.Factorize(a)) }
	}},
	{"SVD", func(r *rand.Rand, n int) func() {
		var svd mat.SVD
		a := random(r, n, n)
		return func() { mustOK(svd.Factorize(a, mat.SVDThin)) }
	}},
	{"SVDValues", func(r *rand.Rand, n int) func() {
		var svd mat.SVD
		a := random(r, n, n)
		return func() { mustOK(svd.Factorize(a, mat.SVDNone)) }
	}},
	{"EigenSymValues", func(r *rand.Rand, n int) func() {
		var eigen mat.EigenSym
		a := definite(r, n)
		return func() { mustOK(eigen.Factorize(a, false)) }
	}},
	{"EigenSym", func(r *rand.Rand, n int) func() {
		var eigen mat.EigenSym
		a := definite(r, n)
		return func() { mustOK(eigen.Factorize(a, true)) }
	}},
	{"Eigen", func(r *rand.Rand, n int) func() {
		var eigen mat.Eigen
		a := random(r, n, n)
		return func() { mustOK(eigen.Factorize(a, mat.EigenRight)) }
	}},
	// 2n equations for n unknowns, by QR.
	{"LeastSquares", func(r *rand.Rand, n int) func() {
		a, b, x := random(r, 2*n, n), random(r, 2*n, 1), mat.NewDense(n, 1, nil)
		return func() { must(x.Solve(a, b)) }
	}},
	// 2n observations of n variables.
	{"PCA", func(r *rand.Rand, n int) func() {
		var pc stat.PC
		a := random(r, 2*n, n)
		return func() { mustOK(pc.PrincipalComponents(a, nil)) }
	}},
	// What optimize.BFGS (v0.17.0) computes in an iteration on n variables, apart from the
	// function. Package optimize needs a module that this one does without.
	{"BFGS", func(r *rand.Rand, n int) func() {
		h := definite(r, n)
		var t mat.VecDense
		s, y, d := random(r, n, 1).ColView(0), random(r, n, 1).ColView(0), mat.NewVecDense(n, nil)
		return func() {
			sum := mat.Inner(y, h, y)
			t.MulVec(h, y)
			h.SymRankOne(h, 1e-9/(1+sum*sum), s)
			h.RankTwo(h, 1e-9/(1+sum*sum), &t, s)
			d.MulVec(h, s)
		}
	}},
}

func random(r *rand.Rand, rows, columns int) *mat.Dense {
	m := mat.NewDense(rows, columns, nil)
	m.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, m)
	return m
}

// definite returns a positive definite matrix.
func definite(r *rand.Rand, n int) *mat.SymDense {
	var m mat.SymDense
	m.SymOuterK(1, random(r, n, 2*n))
	return &m
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func mustOK(ok bool) {
	if !ok {
		panic("did not converge")
	}
}
