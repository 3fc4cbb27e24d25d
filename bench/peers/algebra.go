package main

import (
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"batchrnn/kernels"
	ourblas "batchrnn/kernels/blas"
)

// Workloads of the kind blas are calls of one routine. Those of the kind gemm are calls of
// sgemm too, where ours may take a packed B. All matrices are row-major and dense. Alpha
// is 1. The operands of each routine:
//
//	gemm   C = op(A)·op(B) + beta·C   [M,K], [K,N], [M,N]
//	gemv   C = op(A)·B + beta·C       [M,N], vectors
//	ger    C += A·Bᵀ                  vectors, C is [M,N]
//	dot    C = Σ A·B                  [N], [N], one element
//	axpy   C += A                     [N]
//	syrk   C = A·Aᵀ + beta·C          [N,K], the lower triangle of [N,N]
//	symm   C = A·B + beta·C           the lower triangle of [M,M], [M,N], [M,N]
//	trmm   C = A·C                    the lower triangle of [M,M], [M,N]
//	trsm   C = A⁻¹·C                  the same
//
// C of trmm and trsm is B before every restoreEvery-th call, so that its elements stay of
// one size.

// Operands are those of a routine. Of a factorization, A is the matrix. All implementations
// work on the same memory, because its pages decide how fast it is.
type Operands[T float] struct {
	A, B, C []T
	Start   []T // C before a call whose result is compared
}

// result returns C after one call from the start.
func (o *Operands[T]) result(run func(n int) time.Duration) Results {
	copy(o.C, o.Start)
	run(1)
	return Results{"c": widen(o.C)}
}

type float interface{ float32 | float64 }

const restoreEvery = 16

// Algebra reports whether the work is a call of a BLAS routine.
func (w Workload) Algebra() bool { return w.Kind == "blas" || w.Kind == "gemm" }

// Routine returns the name of a BLAS routine, with the letter of its type.
func (w Workload) Routine() string {
	if w.Double {
		return "d" + w.Op
	}
	return "s" + w.Op
}

// inPlace reports whether the routine overwrites an operand.
func (w Workload) inPlace() bool { return w.Op == "trmm" || w.Op == "trsm" }

// blasName is the Name of a blas workload.
func (w Workload) blasName() string {
	s := "op=" + w.Routine()
	switch w.Op {
	case "gemm":
		return fmt.Sprintf("%s/m=%d/n=%d/k=%d/trans=%s%s/beta=%g", s, w.M, w.N, w.K, letter(w.TransA), letter(w.TransB), w.Beta)
	case "gemv":
		return fmt.Sprintf("%s/m=%d/n=%d/trans=%s", s, w.M, w.N, letter(w.TransA))
	case "dot", "axpy":
		return fmt.Sprintf("%s/n=%d", s, w.N)
	case "syrk":
		return fmt.Sprintf("%s/n=%d/k=%d", s, w.N, w.K)
	}
	return fmt.Sprintf("%s/m=%d/n=%d", s, w.M, w.N)
}

// algebraFlops counts the operations of routines on matrices alone. The others are
// bounded by memory: see Moved.
func (w Workload) algebraFlops() float64 {
	m, n, k := float64(w.M), float64(w.N), float64(w.K)
	switch w.Op {
	case "gemm":
		return 2 * m * n * k
	case "syrk":
		return n * (n + 1) * k
	case "symm":
		return 2 * m * m * n
	case "trmm", "trsm":
		return m * m * n
	case "lu":
		return 2 * n * n * n / 3
	case "qr":
		return 4 * n * n * n / 3
	case "cholesky":
		return n * n * n / 3
	}
	return 0
}

// Moved returns the bytes that a routine reads and writes where memory bounds it. It also
// returns the number of elements, each counted once. Vectors beside a matrix do not count.
func (w Workload) Moved() (bytes float64, elements int) {
	size := 4.0
	if w.Double {
		size = 8
	}
	times := 0 // each element of the operands
	switch w.Op {
	case "gemv":
		elements, times = w.M*w.N, 1
	case "ger":
		elements, times = w.M*w.N, 2
	case "dot":
		elements, times = 2*w.N, 1
	case "axpy":
		return 3 * size * float64(w.N), 2 * w.N
	}
	return size * float64(times*elements), elements
}

// share returns the percentage of the peak of float32 operations a second, at ns
// nanoseconds a call. Operations on float64 have half of it.
func (w Workload) share(ns, peak float64) float64 {
	if w.Double {
		peak /= 2
	}
	return 100 * w.Flops() / ns * 1e9 / peak
}

// lengths returns the number of elements of A, B and C.
func (w Workload) lengths() (a, b, c int) {
	switch w.Op {
	case "gemm":
		return w.M * w.K, w.K * w.N, w.M * w.N
	case "gemv":
		if w.TransA {
			return w.M * w.N, w.M, w.N
		}
		return w.M * w.N, w.N, w.M
	case "ger":
		return w.M, w.N, w.M * w.N
	case "dot":
		return w.N, w.N, 1
	case "axpy":
		return w.N, 0, w.N
	case "syrk":
		return w.N * w.K, 0, w.N * w.N
	case "symm", "trmm", "trsm":
		return w.M * w.M, w.M * w.N, w.M * w.N
	}
	return w.N * w.N, 0, 0
}

// newOperands draws operands from uniform.
func newOperands[T float](w Workload, uniform func(n int, bound float64) []T) Operands[T] {
	a, b, c := w.lengths()
	o := Operands[T]{uniform(a, 1), uniform(b, 1), make([]T, c), uniform(c, 1)}
	switch {
	case w.inPlace(): // well conditioned
		scale := T(1 / math.Sqrt(float64(w.M)))
		for i := range w.M {
			for j := range i {
				o.A[i*w.M+j] *= scale
			}
			o.A[i*w.M+i] = 1
		}
	case w.Op == "cholesky":
		n := w.N
		for i := range n {
			for j := range i {
				o.A[i*n+j] = o.A[j*n+i]
			}
			o.A[i*n+i] += T(n)
		}
	}
	return o
}

// An api holds gonum's functions for one type of element.
type api[T float] struct {
	gemm func(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	gemv func(tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int)
	ger  func(m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int)
	dot  func(n int, x []T, incX int, y []T, incY int) T
	axpy func(n int, alpha T, x []T, incX int, y []T, incY int)
	syrk func(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int)
	symm func(s blas.Side, ul blas.Uplo, m, n int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	trmm func(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)
	trsm func(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)
}

// A goBLAS has gonum's interfaces of both types of element.
type goBLAS interface {
	blas.Float32
	blas.Float64
}

// newGoBLAS returns a workload on an implementation of gonum's interfaces.
func newGoBLAS(b goBLAS, w Workload, d *Data) *timed {
	if w.Double {
		return goAlgebra(api[float64]{b.Dgemm, b.Dgemv, b.Dger, b.Ddot, b.Daxpy, b.Dsyrk, b.Dsymm, b.Dtrmm, b.Dtrsm}, w, &d.Wide)
	}
	return goAlgebra(api[float32]{b.Sgemm, b.Sgemv, b.Sger, b.Sdot, b.Saxpy, b.Ssyrk, b.Ssymm, b.Strmm, b.Strsm}, w, &d.Operands)
}

func goAlgebra[T float](f api[T], w Workload, o *Operands[T]) *timed {
	c, m, n, k, beta := o.C, w.M, w.N, w.K, T(w.Beta)
	ops := map[bool]blas.Transpose{false: blas.NoTrans, true: blas.Trans}
	tA, tB := ops[w.TransA], ops[w.TransB]
	call := map[string]func(){
		"gemm": func() { f.gemm(tA, tB, m, n, k, 1, o.A, w.LDA(), o.B, w.LDB(), beta, c, n) },
		"gemv": func() { f.gemv(tA, m, n, 1, o.A, n, o.B, 1, beta, c, 1) },
		"ger":  func() { f.ger(m, n, 1, o.A, 1, o.B, 1, c, n) },
		"dot":  func() { c[0] = f.dot(n, o.A, 1, o.B, 1) },
		"axpy": func() { f.axpy(n, 1, o.A, 1, c, 1) },
		"syrk": func() { f.syrk(blas.Lower, blas.NoTrans, n, k, 1, o.A, k, beta, c, n) },
		"symm": func() { f.symm(blas.Left, blas.Lower, m, n, 1, o.A, m, o.B, n, beta, c, n) },
		"trmm": func() { f.trmm(blas.Left, blas.Lower, blas.NoTrans, blas.NonUnit, m, n, 1, o.A, m, c, n) },
		"trsm": func() { f.trsm(blas.Left, blas.Lower, blas.NoTrans, blas.NonUnit, m, n, 1, o.A, m, c, n) },
	}[w.Op]
	run := loop(call)
	if w.inPlace() {
		run = func(n int) time.Duration {
			start := time.Now()
			for i := range n {
				if i%restoreEvery == 0 {
					copy(c, o.B)
				}
				call()
			}
			return time.Since(start)
		}
	}
	return &timed{results: func() Results { return o.result(run) }, run: run}
}

// oursAlgebra returns a BLAS or LAPACK workload on package kernels/blas.
func oursAlgebra(e *kernels.Engine, w Workload, d *Data) Instance {
	b := ourblas.New(e)
	if w.Kind == "lapack" {
		return newFactorization(b, w, d, e.Threads())
	}
	return newGoBLAS(b, w, d)
}

// newFactorization returns a workload on gonum's package mat, which calls b.
func newFactorization(b blas.Float64, w Workload, d *Data, threads int) Instance {
	n := w.N
	a, s := mat.NewDense(n, n, d.Wide.A), mat.NewSymDense(n, d.Wide.A)
	var lu mat.LU
	var qr mat.QR
	var cholesky mat.Cholesky
	var svd mat.SVD
	var upper mat.TriDense
	var r mat.Dense
	call := map[string]func(){
		"lu":       func() { lu.Factorize(a) },
		"qr":       func() { qr.Factorize(a) },
		"cholesky": func() { cholesky.Factorize(s) },
		"svd":      func() { svd.Factorize(a, mat.SVDThin) },
	}[w.Op]
	run := onProcs(threads, func(n int) time.Duration {
		before := blas64.Implementation()
		blas64.Use(b)
		defer blas64.Use(before)
		return loop(call)(n)
	})
	return &timed{run: run, results: func() Results {
		run(1)
		switch w.Op {
		case "svd":
			return Results{"values": svd.Values(nil)}
		case "qr":
			qr.RTo(&r)
		case "lu":
			lu.UTo(&upper)
			r.CloneFrom(&upper)
		case "cholesky":
			cholesky.UTo(&upper)
			r.CloneFrom(&upper)
		}
		return Results{"upper": r.RawMatrix().Data}
	}}
}

// Bounds returns rates of ours that routines of BLAS are compared with. The time of each is
// that of the workload at this rate.
func Bounds() []*Impl {
	return []*Impl{bound("read-loop", newReadLoop), bound("own-gemm", newOwnGemm)}
}

// bound returns a rate of ours on the instruction set that the dispatch picks.
func bound(name string, open func(e *kernels.Engine, w Workload, d *Data) (Instance, error)) *Impl {
	all := isas()
	impl := ourImpl(name, all[len(all)-1], open)
	impl.Ours, impl.Bound = false, true
	return impl
}

// newReadLoop reads the memory that a call reads or writes, by a sum of squares.
func newReadLoop(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
	if _, elements := w.Moved(); w.Kind != "blas" || elements == 0 {
		return nil, errUnsupported
	}
	if w.Double {
		return readLoop(e, w, &d.Wide), nil
	}
	return readLoop(e, w, &d.Operands), nil
}

// readShare is the number of elements that is worth a thread.
const readShare = 1 << 15

func readLoop[T float](e *kernels.Engine, w Workload, o *Operands[T]) Instance {
	algebra := kernels.NewAlgebra[T](e)
	bytes, elements := w.Moved()
	var arrays [][]T
	for _, x := range [][]T{o.A, o.B, o.C} {
		if len(x) >= elements/2 {
			arrays = append(arrays, x)
		}
	}
	call := func() {
		for _, x := range arrays {
			algebra.SumSq(x)
		}
	}
	if n := min(e.Threads(), elements/readShare); n > 1 {
		task := func(w *kernels.Worker) {
			for _, x := range arrays {
				s := w.Share(len(x))
				algebra.SumSq(x[s.Lo:s.Hi])
			}
		}
		call = func() { e.Run(n, task) }
	}
	size := 4.0
	if w.Double {
		size = 8
	}
	return scaled(loop(call), bytes/(size*float64(elements)))
}

// newOwnGemm multiplies square matrices of the order of the triangular or symmetric one.
func newOwnGemm(e *kernels.Engine, w Workload, _ *Data) (Instance, error) {
	n := w.M
	switch w.Op {
	case "syrk":
		n = w.N
	case "symm", "trmm", "trsm":
	default:
		return nil, errUnsupported
	}
	gemm := Workload{Kind: "blas", Op: "gemm", Double: w.Double, M: n, N: n, K: n}
	return scaled(newGoBLAS(ourblas.New(e), gemm, NewData(gemm)).run, w.Flops()/gemm.Flops()), nil
}

// scaled returns an Instance without results that takes a multiple of the time of run.
func scaled(run func(n int) time.Duration, factor float64) Instance {
	return &timed{
		results: func() Results { return nil },
		run:     func(n int) time.Duration { return time.Duration(float64(run(n)) * factor) },
	}
}

// algebraWorkloads returns the workloads of the kinds blas and lapack.
func algebraWorkloads() []Workload {
	var all []Workload
	for _, double := range []bool{false, true} {
		add := func(w Workload) {
			w.Kind, w.Double = "blas", double
			all = append(all, w)
		}
		gemm := func(m, n, k int, trans string, beta float64) {
			add(Workload{Op: "gemm", M: m, N: n, K: k, TransA: trans[0] == 't', TransB: trans[1] == 't', Beta: beta})
		}
		for _, n := range []int{16, 32, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096} {
			gemm(n, n, n, "nn", 0)
		}
		for _, trans := range []string{"nt", "tn", "tt"} {
			for _, n := range []int{16, 32, 64, 100, 256, 1000, 2048} {
				gemm(n, n, n, trans, 0)
			}
		}
		for _, n := range []int{16, 32, 100, 1000} {
			gemm(n, n, n, "nn", 1)
		}
		for _, n := range []int{8, 16, 32, 64, 128} { // tall, flat, and a short sum
			gemm(10000, n, n, "nn", 0)
			gemm(n, 10000, n, "nn", 0)
			gemm(1000, 1000, n, "nn", 1)
		}
		for _, n := range []int{8, 32, 128} { // a long sum
			gemm(n, n, 10000, "nn", 0)
			gemm(n, n, 10000, "tn", 0)
		}

		for _, n := range []int{64, 256, 1024, 4096} {
			add(Workload{Op: "gemv", M: n, N: n})
			add(Workload{Op: "gemv", M: n, N: n, TransA: true})
			add(Workload{Op: "ger", M: n, N: n})
		}
		for _, n := range []int{256, 4096, 1 << 16, 1 << 20, 1 << 23} {
			add(Workload{Op: "dot", N: n, OneThread: n < 1<<16})
			add(Workload{Op: "axpy", N: n, OneThread: n < 1<<16})
		}

		for _, n := range []int{256, 512, 1024, 2048} {
			add(Workload{Op: "syrk", N: n, K: n})
			for _, op := range []string{"symm", "trmm", "trsm"} {
				add(Workload{Op: op, M: n, N: n})
			}
		}
	}
	for _, op := range []string{"lu", "qr", "cholesky", "svd"} {
		all = append(all, Workload{Kind: "lapack", Op: op, Double: true, N: 1000})
	}
	return all
}
