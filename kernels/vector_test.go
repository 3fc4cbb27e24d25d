package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels/ref"
)

// TestVectors runs Add, Mul, Axpy, Scale, Clear and Copy on lengths about the bounds of a chunk.
func TestVectors(t *testing.T) {
	const alpha = -0.8125 // few bits: float64 reads it as float32 does
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(33, 34))
		for _, n := range lengths {
			x, y := randoms(r, n), randoms(r, n)
			for _, f := range []struct {
				name string
				call func(dst, a, b []float32)
				want func(a, b float32) float32
			}{
				{"Add", e.Add, func(a, b float32) float32 { return a + b }},
				{"Mul", e.Mul, func(a, b float32) float32 { return a * b }},
			} {
				want := make([]float32, n)
				for i := range want {
					want[i] = f.want(x[i], y[i])
				}
				apart := append(filled(n, nan), canary)
				inX, inY := slices.Clone(x), slices.Clone(y)
				f.call(apart[:n], x, y)
				f.call(inX, inX, y)
				f.call(inY, x, inY)
				for name, got := range map[string][]float32{"dst": apart[:n], "a": inX, "b": inY} {
					if i := firstDifference(got, want); i >= 0 {
						t.Errorf("%s of %d into %s: element %d is %g, want %g", f.name, n, name, i, got[i], want[i])
					}
				}
				if !sameBits(apart[n], canary) {
					t.Errorf("%s of %d wrote outside", f.name, n)
				}
			}

			got := slices.Clone(y)
			e.Axpy(alpha, x, got)
			for i, want := range ref.Axpy(alpha, x, y) {
				// The product may be rounded, the sum is.
				tolerance := eps*(math.Abs(alpha*float64(x[i]))+1.01*math.Abs(want)) + slack
				if !(math.Abs(float64(got[i])-want) <= tolerance) {
					t.Fatalf("Axpy of %d: element %d is %g, want %g", n, i, got[i], want)
				}
			}

			copied, cleared := append(filled(n, nan), 1), append(filled(n, nan), 1)
			e.Copy(copied[:n], x)
			e.Clear(cleared[:n])
			if firstDifference(copied, append(x[:n:n], 1)) >= 0 {
				t.Errorf("Copy of %d: %v", n, copied)
			}
			if firstDifference(cleared, append(make([]float32, n), 1)) >= 0 {
				t.Errorf("Clear of %d: %v", n, cleared)
			}

			got = slices.Clone(x)
			e.Scale(alpha, got)
			for i, want := range ref.Scale(alpha, x) {
				if float64(got[i]) != float64(float32(want)) {
					t.Fatalf("Scale of %d: element %d is %g, want %g", n, i, got[i], want)
				}
			}
		}
	})
}

// TestReductions holds Dot and SumSquares to the oracle and to what they say of
// chunks: float32 within, float64 between.
func TestReductions(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(35, 36))
		for _, n := range append(lengths, 10*elementsPerCall+1) {
			x, y := randoms(r, n), randoms(r, n)
			check := func(name string, f func(x, y []float32) float64, y []float32) {
				t.Helper()
				got := f(x, y)
				want, magnitude := ref.Dot(x, y)
				// 256 steps in each of 64 lanes, then the tree.
				if !(math.Abs(got-want) <= (elementsPerCall/64+8)*eps*magnitude) {
					t.Errorf("%s of %d is %g, want %g", name, n, got, want)
				}
				var chunks float64
				for lo := 0; lo < n; lo += 1 << 14 {
					hi := min(lo+1<<14, n)
					chunks += float64(float32(f(x[lo:hi], y[lo:hi])))
				}
				if got != chunks {
					t.Errorf("%s of %d is %x, its chunks add up to %x", name, n, got, chunks)
				}
			}
			check("Dot", e.Dot, y)
			check("SumSquares", func(x, _ []float32) float64 { return e.SumSquares(x) }, x)
		}
		if got := e.SumSquares([]float32{1, nan, 1}); got == got {
			t.Errorf("SumSquares lost a NaN: %g", got)
		}
	})
}

// TestColumnSums adds row after row, which leaves no freedom in the last bit.
func TestColumnSums(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(37, 38))
		for _, size := range [][2]int{{0, 9}, {5, 0}, {1, 1}, {13, 35}, {1001, 47}, {3, elementsPerCall + 5}} {
			m, n := size[0], size[1]
			lda := n + 4
			a, want := randoms(r, m*lda), randoms(r, n)
			got := slices.Clone(want)
			for i := range m {
				for j := range want {
					want[j] += a[i*lda+j]
				}
			}
			e.ColumnSums(m, a, lda, got)
			if j := firstDifference(got, want); j >= 0 {
				t.Errorf("%dx%d: column %d is %g, want %g", m, n, j, got[j], want[j])
			}
		}
	})
}

// rowIDs repeat some and hold the first and the last row.
var rowIDs = []int32{4, 0, 4, 4, 1, 0, 6, 2}

func TestScatterAdd(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(41, 42))
		for _, n := range []int{1, 15, 33, 130} {
			lds, ldt := n+2, n+3
			src, got := randoms(r, span(len(rowIDs), n, lds)), randoms(r, span(7, n, ldt))
			want := slices.Clone(got)
			for i, id := range rowIDs { // in this order, down to the last bit
				for j := range n {
					want[int(id)*ldt+j] += src[i*lds+j]
				}
			}
			e.ScatterAdd(n, rowIDs, src, lds, got, ldt)
			if i := firstDifference(got, want); i >= 0 {
				t.Errorf("rows of %d: element %d is %g, want %g", n, i, got[i], want[i])
			}
		}
		e.ScatterAdd(3, nil, nil, 3, make([]float32, 6), 3)
	})
}
