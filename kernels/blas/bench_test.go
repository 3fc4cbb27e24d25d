package blas

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"batchrnn/kernels"
)

// BenchmarkRoutines reports the rate of each routine beside gonum's, and that of level 3
// beside gemm's. The three take turns.
func BenchmarkRoutines(b *testing.B) {
	e := newEngine(b, "", 1)
	p := New(e)
	for _, routines := range levels {
		for _, routine := range routines {
			for _, n := range []int{16, 32, 64, 128, 256, 512, 1024} {
				benchmark(b, "D", api64(p), api64(gonum.Implementation{}), routine, n, n)
				benchmark(b, "S", api32(p), api32(gonum.Implementation{}), routine, n, n)
			}
		}
	}
}

// BenchmarkThin is BenchmarkRoutines for matrices near the limits of gemv and ger, all on
// the kernels: the limits of measured64 and measured32 are where ×gonum passes 1.
func BenchmarkThin(b *testing.B) {
	p := newTuned(newEngine(b, "", 1), blocks, blocks)
	for _, routine := range []string{"gemv", "ger"} {
		for _, few := range []int{1, 2, 4, 8, 12, 16, 24, 32} {
			for _, size := range [][2]int{{few, few}, {few, 100}, {100, few}, {1000, few}} {
				benchmark(b, "D", api64(p), api64(gonum.Implementation{}), routine, size[0], size[1])
				benchmark(b, "S", api32(p), api32(gonum.Implementation{}), routine, size[0], size[1])
			}
		}
	}
}

func benchmark[T kernels.Float](b *testing.B, width string, ours, theirs *api[T], routine string, m, n int) {
	for _, side := range []blas.Side{blas.Left, blas.Right} {
		for _, trans := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			c := &call{routine: routine, tA: trans, tB: blas.NoTrans, side: side, ul: blas.Lower, diag: blas.Unit, m: m, n: n, k: n, alpha: 1e-3, beta: 1}
			sided := routine == "symm" || routine == "trmm" || routine == "trsm"
			if side == blas.Right && !sided || trans == blas.Trans && (routine == "symm" || c.level() == 1 || !c.transposes()) {
				continue
			}
			b.Run(fmt.Sprintf("%s%s/%c%c/m=%d/n=%d", width, routine, side, trans, m, n), func(b *testing.B) {
				gemm := &call{routine: "gemm", tA: blas.NoTrans, tB: blas.NoTrans, m: n, n: n, k: n, alpha: 1e-3, beta: 1}
				x, y, before := operandsOf[T](c), operandsOf[T](gemm), operandsOf[T](c)
				var took [3]time.Duration
				for b.Loop() {
					for i, f := range []func(){
						func() { invoke(ours, c, x) },
						func() { invoke(theirs, c, x) },
						func() { invoke(ours, gemm, y) },
					} {
						if i == 2 && c.level() < 3 || i == 1 && n > 512 && c.level() == 3 {
							continue
						}
						for j := range x { // a result that is an operand again would end among the subnormals
							copy(x[j], before[j])
						}
						start := time.Now()
						f()
						took[i] += time.Since(start)
					}
				}
				rate := c.flops() * float64(b.N) / took[0].Seconds()
				b.ReportMetric(rate/1e9, "GFLOP/s")
				if took[1] > 0 {
					b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "×gonum")
				}
				if took[2] > 0 {
					b.ReportMetric(rate/(gemm.flops()*float64(b.N)/took[2].Seconds()), "×gemm")
				}
			})
		}
	}
}

func (c *call) level() int {
	for level, routines := range levels {
		for _, r := range routines {
			if r == c.routine {
				return level
			}
		}
	}
	return 0
}

func (c *call) transposes() bool {
	switch c.routine {
	case "ger", "symv", "syr", "syr2", "symm":
		return false
	}
	return c.level() > 1
}

// flops returns the floating-point operations of a call, of level 3 with m = n = k.
func (c *call) flops() float64 {
	m, n := float64(c.m), float64(c.n)
	switch c.routine {
	case "gemm", "symm", "syr2k":
		return 2 * n * n * n
	case "syrk", "trmm", "trsm":
		return n * n * n
	case "gemv", "ger":
		return 2 * m * n
	case "symv", "syr2":
		return 2 * n * n
	case "syr", "trmv", "trsv":
		return n * n
	}
	return 2 * n
}

func operandsOf[T kernels.Float](c *call) (d [][]T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i, f := range c.forms() {
		c.ld[i] = f.cols
		x := make([]T, f.length(c.ld[i]))
		for j := range x {
			x[j] = T(r.Float64()-0.5) / T(c.n)
		}
		d = append(d, x)
	}
	return d
}
