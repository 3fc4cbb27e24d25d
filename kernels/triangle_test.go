package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestTriangle(t *testing.T) { eachAlgebra(t, testTriangle[float32], testTriangle[float64]) }

// testTriangle multiplies by triangles and solves them, on one worker. Of the other triangle,
// and of a unit diagonal, nothing is read: NaN is there.
func testTriangle[T Float](t *testing.T, a *Algebra[T]) (all []T) {
	r := rand.New(rand.NewPCG(5, 6))
	sizes := [][2]int{{1, 1}, {12, 32}, {13, 33}, {3, 100}, {100, 3}, {MaxTriangle, 40}, {MaxTriangle - 1, 17}, {64, 64}, {65, 31}}
	for range 12 {
		sizes = append(sizes, [2]int{1 + r.IntN(90), 1 + r.IntN(90)})
	}
	for i, s := range sizes {
		for solve := range 2 {
			x := Triangle[T]{M: s[0], N: s[1], Lower: r.IntN(2) == 0, Unit: r.IntN(3) == 0, Alpha: []T{1, 1, -2}[r.IntN(3)],
				TransA: r.IntN(2) == 0, TransB: r.IntN(2) == 0}
			what := fmt.Sprintf("solve %d, %d×%d, lower %t, unit %t, alpha %v, transposed %t, %t", solve, x.M, x.N, x.Lower, x.Unit, x.Alpha, x.TransA, x.TransB)
			gap := r.IntN(3)
			if i%4 == 0 { // rows of A that alias in L1
				gap = 1024 - x.M
			}
			A := newTestMatrix[T](r, x.M, x.M, gap)
			for i := range x.M {
				for k := range x.M {
					v := &A.data[i*A.ld+k]
					switch {
					case i == k && x.Unit, i != k && (k < i) != (x.Lower != x.TransA):
						*v = T(math.NaN())
					case i == k:
						*v = T(math.Copysign(1+r.Float64(), float64(*v)))
					default:
						*v /= T(x.M)
					}
				}
			}
			if i%5 == 1 && !x.Unit {
				A.data[0] = []T{T(math.Ldexp(1, -140)), T(math.Ldexp(1, -1060))}[elementSize[T]()/8] // has no reciprocal
			}
			B := newTestMatrix[T](r, x.M, x.N, r.IntN(3))
			if x.TransB {
				B = newTestMatrix[T](r, x.N, x.M, r.IntN(3))
			}
			if A.data[0] != 0 && math.Abs(float64(A.data[0])) < 1e-30 { // so that the quotient is finite
				for j := range x.N {
					B.data[j*map[bool]int{false: 1, true: B.ld}[x.TransB]] *= A.data[0]
				}
			}
			before := B.clone()
			x.A, x.LDA, x.B, x.LDB = A.data, A.ld, B.data, B.ld
			a.e.Run(1, func(w *Worker) {
				if solve == 1 {
					LocalOf[T](w).Trsm(&x)
				} else {
					LocalOf[T](w).Trmm(&x)
				}
			})
			B.intact(t, what)
			entry := func(i, k int) float64 {
				switch {
				case i == k && x.Unit:
					return 1
				case i != k && (k < i) != x.Lower:
					return 0
				}
				return A.at(i, k, x.TransA)
			}
			// op(A) times one of the two is the other.
			from, to := before, B
			if solve == 1 {
				from, to = B, before
			}
			alpha := float64(x.Alpha)
			for i := range x.M {
				for j := range x.N {
					want, size := 0.0, 0.0
					for k := range x.M {
						if e := entry(i, k); e != 0 {
							p := e * from.at(k, j, x.TransB)
							want, size = want+p, size+math.Abs(p)
						}
					}
					got := to.at(i, j, x.TransB)
					if solve == 1 {
						got *= alpha
					} else {
						want, size = want*alpha, size*math.Abs(alpha)
					}
					if diff := math.Abs(got - want); !(diff <= float64(x.M+6)*2*unitRoundoff[T]()*size+0x1p-148) {
						t.Fatalf("%s: [%d,%d] is %v, want %v", what, i, j, got, want)
					}
				}
			}
			all = append(all, B.data...)
		}
	}
	return all
}

// TestTriangleNaN: NaN reaches what depends on it, and nothing else, times zeros too.
func TestTriangleNaN(t *testing.T) {
	const m, n, row, column = 50, 40, 21, 9
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		for _, solve := range []bool{false, true} {
			for _, lower := range []bool{false, true} {
				for _, trans := range []bool{false, true} {
					x := Triangle[float64]{M: m, N: n, Lower: lower, Unit: true, Alpha: 1, A: make([]float64, m*m), LDA: m, B: make([]float64, m*n), LDB: n}
					at := func(i, j int) *float64 { return &x.B[i*n+j] }
					if trans {
						x.TransB, x.LDB = true, m
						at = func(i, j int) *float64 { return &x.B[j*m+i] }
					}
					*at(row, column) = math.NaN()
					e.Run(1, func(w *Worker) {
						if solve {
							LocalOf[float64](w).Trsm(&x)
						} else {
							LocalOf[float64](w).Trmm(&x)
						}
					})
					for i := range m {
						for j := range n {
							depends := j == column && (i == row || (i > row) == lower)
							if v := *at(i, j); (v != v) != depends {
								t.Fatalf("solve %t, lower %t, transposed %t: [%d,%d] is %v", solve, lower, trans, i, j, v)
							}
						}
					}
				}
			}
		}
	})
}
