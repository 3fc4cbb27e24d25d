package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// TestGemmAgreesWithGonum holds products to an oracle that nobody here wrote:
// gonum's float64 BLAS, on the same float32 values.
func TestGemmAgreesWithGonum(t *testing.T) {
	const m, n, k = 37, 150, 210
	r := rand.New(rand.NewPCG(5, 6))
	a, b := randoms(r, m*k), randoms(r, k*n)
	double := func(x []float32, rows, cols int) blas64.General {
		d := make([]float64, len(x))
		for i, v := range x {
			d[i] = float64(v)
		}
		return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: d}
	}
	for _, transA := range []bool{false, true} {
		ga, ta, lda := double(a, m, k), blas.NoTrans, k
		if transA {
			ga, ta, lda = double(a, k, m), blas.Trans, m
		}
		for _, transB := range []bool{false, true} {
			gb, tb, ldb := double(b, k, n), blas.NoTrans, n
			if transB {
				gb, tb, ldb = double(b, n, k), blas.Trans, k
			}
			want := blas64.General{Rows: m, Cols: n, Stride: n, Data: make([]float64, m*n)}
			blas64.Gemm(ta, tb, 1, ga, gb, 0, want)
			eachEngine(t, 2, func(t *testing.T, e *Engine) {
				w, c := e.NewPacked(k, n), make([]float32, m*n)
				e.Pack(w, transB, b, ldb)
				e.Gemm(Product{M: m, A: a, LDA: lda, TransA: transA, B: w, C: c, LDC: n})
				for i, v := range c {
					if !(math.Abs(float64(v)-want.Data[i]) <= 1e-4) {
						t.Fatalf("transA=%t transB=%t: element %d is %v, want %v", transA, transB, i, v, want.Data[i])
					}
				}
			})
		}
	}
}
