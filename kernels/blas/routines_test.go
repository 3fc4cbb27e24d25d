package blas

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"batchrnn/kernels"
)

// An api is the routines of one element type under test.
type api[T kernels.Float] struct {
	dot   func(n int, x []T, incX int, y []T, incY int) T
	nrm2  func(n int, x []T, incX int) T
	asum  func(n int, x []T, incX int) T
	iamax func(n int, x []T, incX int) int
	axpy  func(n int, alpha T, x []T, incX int, y []T, incY int)
	scal  func(n int, alpha T, x []T, incX int)
	gemv  func(tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int)
	ger   func(m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int)
	symv  func(ul blas.Uplo, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int)
	syr   func(ul blas.Uplo, n int, alpha T, x []T, incX int, a []T, lda int)
	syr2  func(ul blas.Uplo, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int)
	trmv  func(ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []T, lda int, x []T, incX int)
	trsv  func(ul blas.Uplo, tA blas.Transpose, d blas.Diag, n int, a []T, lda int, x []T, incX int)
	gemm  func(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	symm  func(s blas.Side, ul blas.Uplo, m, n int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	syrk  func(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int)
	syr2k func(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	trmm  func(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)
	trsm  func(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)
}

func api64(b blas.Float64) *api[float64] {
	return &api[float64]{b.Ddot, b.Dnrm2, b.Dasum, b.Idamax, b.Daxpy, b.Dscal, b.Dgemv, b.Dger, b.Dsymv, b.Dsyr, b.Dsyr2, b.Dtrmv, b.Dtrsv,
		b.Dgemm, b.Dsymm, b.Dsyrk, b.Dsyr2k, b.Dtrmm, b.Dtrsm}
}

func api32(b blas.Float32) *api[float32] {
	return &api[float32]{b.Sdot, b.Snrm2, b.Sasum, b.Isamax, b.Saxpy, b.Sscal, b.Sgemv, b.Sger, b.Ssymv, b.Ssyr, b.Ssyr2, b.Strmv, b.Strsv,
		b.Sgemm, b.Ssymm, b.Ssyrk, b.Ssyr2k, b.Strmm, b.Strsm}
}

// oracle is gonum's, but for ger, which is wrong there if an increment is negative.
var oracle = api64(gonum.Implementation{})

func init() {
	ger := oracle.ger
	oracle.ger = func(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
		if m > 0 && n > 0 {
			x, y = gather(make([]float64, m), x, m, incX, 0, m), gather(make([]float64, n), y, n, incY, 0, n)
		}
		ger(m, n, alpha, x, 1, y, 1, a, lda)
	}
}

var levels = [][]string{
	1: {"dot", "nrm2", "asum", "iamax", "axpy", "scal"},
	2: {"gemv", "ger", "symv", "syr", "syr2", "trmv", "trsv"},
	3: {"gemm", "symm", "syrk", "syr2k", "trmm", "trsm"},
}

// A call holds the arguments of a call of a routine, but for the elements.
type call struct {
	routine     string
	tA, tB      blas.Transpose
	side        blas.Side
	ul          blas.Uplo
	diag        blas.Diag
	m, n, k     int
	ld          [3]int // row strides or increments, in the order of the operands
	alpha, beta float64
}

// invoke calls a routine. d are its operands in their order. The result is that of a
// routine of level 1 that has one.
func invoke[T kernels.Float](f *api[T], c *call, d [][]T) float64 {
	d = append(d, nil, nil, nil)
	x, y, z, ld, alpha, beta := d[0], d[1], d[2], c.ld, T(c.alpha), T(c.beta)
	switch c.routine {
	case "dot":
		return float64(f.dot(c.n, x, ld[0], y, ld[1]))
	case "nrm2":
		return float64(f.nrm2(c.n, x, ld[0]))
	case "asum":
		return float64(f.asum(c.n, x, ld[0]))
	case "iamax":
		return float64(f.iamax(c.n, x, ld[0]))
	case "axpy":
		f.axpy(c.n, alpha, x, ld[0], y, ld[1])
	case "scal":
		f.scal(c.n, alpha, x, ld[0])
	case "gemv":
		f.gemv(c.tA, c.m, c.n, alpha, x, ld[0], y, ld[1], beta, z, ld[2])
	case "ger":
		f.ger(c.m, c.n, alpha, x, ld[0], y, ld[1], z, ld[2])
	case "symv":
		f.symv(c.ul, c.n, alpha, x, ld[0], y, ld[1], beta, z, ld[2])
	case "syr":
		f.syr(c.ul, c.n, alpha, x, ld[0], y, ld[1])
	case "syr2":
		f.syr2(c.ul, c.n, alpha, x, ld[0], y, ld[1], z, ld[2])
	case "trmv":
		f.trmv(c.ul, c.tA, c.diag, c.n, x, ld[0], y, ld[1])
	case "trsv":
		f.trsv(c.ul, c.tA, c.diag, c.n, x, ld[0], y, ld[1])
	case "gemm":
		f.gemm(c.tA, c.tB, c.m, c.n, c.k, alpha, x, ld[0], y, ld[1], beta, z, ld[2])
	case "symm":
		f.symm(c.side, c.ul, c.m, c.n, alpha, x, ld[0], y, ld[1], beta, z, ld[2])
	case "syrk":
		f.syrk(c.ul, c.tA, c.n, c.k, alpha, x, ld[0], beta, y, ld[1])
	case "syr2k":
		f.syr2k(c.ul, c.tA, c.n, c.k, alpha, x, ld[0], y, ld[1], beta, z, ld[2])
	case "trmm":
		f.trmm(c.side, c.ul, c.tA, c.diag, c.m, c.n, alpha, x, ld[0], y, ld[1])
	case "trsm":
		f.trsm(c.side, c.ul, c.tA, c.diag, c.m, c.n, alpha, x, ld[0], y, ld[1])
	default:
		panic(c.routine)
	}
	return 0
}

// A form is what a routine reads and writes of an operand.
type form struct {
	rows, cols int
	vector     bool   // of rows elements
	part       string // "" all, "lower", "upper"; with "unit" its diagonal is not read
	unit       bool
	out        bool
}

// has reports whether element i, j is part of the operand.
func (f *form) has(i, j int) bool {
	return !(f.part == "lower" && j > i || f.part == "upper" && j < i || f.unit && i == j)
}

// forms returns the operands of a routine in their order.
func (c *call) forms() []form {
	vector := func(n int, out bool) form { return form{rows: n, cols: 1, vector: true, out: out} }
	part := "upper"
	if c.ul == blas.Lower {
		part = "lower"
	}
	triangle := func(n int, out bool) form { return form{rows: n, cols: n, part: part, out: out} }
	plain := func(rows, cols int, t blas.Transpose, out bool) form {
		if t != blas.NoTrans {
			rows, cols = cols, rows
		}
		return form{rows: rows, cols: cols, out: out}
	}
	order := c.n
	if c.side == blas.Left {
		order = c.m
	}
	factor := func(n int) form {
		f := triangle(n, false)
		f.unit = c.diag == blas.Unit
		return f
	}
	const no = blas.NoTrans
	switch c.routine {
	case "dot":
		return []form{vector(c.n, false), vector(c.n, false)}
	case "nrm2", "asum", "iamax":
		return []form{vector(c.n, false)}
	case "axpy":
		return []form{vector(c.n, false), vector(c.n, true)}
	case "scal":
		return []form{vector(c.n, true)}
	case "gemv":
		x, y := c.n, c.m
		if c.tA != no {
			x, y = c.m, c.n
		}
		return []form{plain(c.m, c.n, no, false), vector(x, false), vector(y, true)}
	case "ger":
		return []form{vector(c.m, false), vector(c.n, false), plain(c.m, c.n, no, true)}
	case "symv":
		return []form{triangle(c.n, false), vector(c.n, false), vector(c.n, true)}
	case "syr":
		return []form{vector(c.n, false), triangle(c.n, true)}
	case "syr2":
		return []form{vector(c.n, false), vector(c.n, false), triangle(c.n, true)}
	case "trmv", "trsv":
		return []form{factor(c.n), vector(c.n, true)}
	case "gemm":
		return []form{plain(c.m, c.k, c.tA, false), plain(c.k, c.n, c.tB, false), plain(c.m, c.n, no, true)}
	case "symm":
		return []form{triangle(order, false), plain(c.m, c.n, no, false), plain(c.m, c.n, no, true)}
	case "syrk":
		return []form{plain(c.n, c.k, c.tA, false), triangle(c.n, true)}
	case "syr2k":
		return []form{plain(c.n, c.k, c.tA, false), plain(c.n, c.k, c.tA, false), triangle(c.n, true)}
	case "trmm", "trsm":
		return []form{factor(order), plain(c.m, c.n, no, true)}
	}
	panic(c.routine)
}

// at returns where element i, j lies.
func (f *form) at(ld, i, j int) int {
	if !f.vector {
		return i*ld + j
	}
	if ld < 0 {
		return (f.rows - 1 - i) * -ld
	}
	return i * ld
}

func (f *form) length(ld int) int {
	if f.rows == 0 {
		return 0
	}
	if f.vector {
		return (f.rows-1)*max(ld, -ld) + 1
	}
	return (f.rows-1)*ld + f.cols
}

func (c *call) String() string {
	return fmt.Sprintf("%s tA=%c tB=%c side=%c ul=%c diag=%c m=%d n=%d k=%d ld=%v alpha=%v beta=%v",
		c.routine, c.tA, c.tB, c.side, c.ul, c.diag, c.m, c.n, c.k, c.ld, c.alpha, c.beta)
}

func pick[E any](r *rand.Rand, of ...E) E { return of[r.IntN(len(of))] }

// newCall draws what the sizes leave open.
func newCall[T kernels.Float](r *rand.Rand, routine string, m, n, k int) *call {
	factor := func() float64 { return float64(T(pick(r, 0, 1, -1, 2*r.Float64()-1, 2*r.Float64()-1))) }
	trans := func() blas.Transpose { return pick(r, blas.NoTrans, blas.Trans, blas.ConjTrans) }
	c := &call{routine: routine, m: m, n: n, k: k, tA: trans(), tB: trans(),
		side: pick(r, blas.Left, blas.Right), ul: pick(r, blas.Lower, blas.Upper), diag: pick(r, blas.Unit, blas.NonUnit),
		alpha: factor(), beta: factor()}
	for i, f := range c.forms() {
		c.ld[i] = max(1, f.cols) + pick(r, 0, 0, 1, 5)
		if f.vector {
			c.ld[i] = pick(r, 1, 1, 1, 2, 3, -1, -2)
		}
	}
	return c
}

const guard = 9 // elements before and behind an operand

// check draws elements, calls a routine and compares with gonum's in float64. special
// puts NaN and infinity among the elements.
func check[T kernels.Float](f *api[T], c *call, r *rand.Rand, special bool) error {
	eps := 0x1p-53
	if T(1)+T(0x1p-30) == 1 {
		eps = 0x1p-24
	}
	forms := c.forms()
	var full, before, data [][]T
	var wide, sizes [][]float64 // the operands and their magnitudes in float64
	zeros := !special && r.IntN(3) == 0
	for i, f := range forms {
		ld, n := c.ld[i], f.length(c.ld[i])
		e := make([]T, guard+n+guard)
		for j := range e {
			e[j] = T(math.NaN()) // what is neither read nor written
		}
		d := e[guard:][:n+pick(r, 0, 0, 3)]
		solved := i == 0 && (c.routine == "trsv" || c.routine == "trsm")
		for i := range f.rows {
			for j := range f.cols {
				if !f.has(i, j) {
					continue
				}
				v := (0.5 + r.Float64()) * pick(r, 1.0, -1)
				if solved && i != j {
					v /= float64(f.rows)
				}
				if zeros && !(solved && i == j) && r.IntN(4) == 0 {
					v = 0
				}
				d[f.at(ld, i, j)] = T(v)
			}
		}
		if special && f.rows*f.cols > 0 && r.IntN(2) == 0 {
			if i, j := r.IntN(f.rows), r.IntN(f.cols); f.has(i, j) {
				d[f.at(ld, i, j)] = T(pick(r, math.NaN(), math.Inf(1), math.Inf(-1)))
			}
		}
		unread := f.out && c.beta == 0 && hasBeta[c.routine] && !(c.routine == "gemv" && c.m*c.n == 0)
		if unread && len(d) > 0 {
			d[r.IntN(len(d))] = T(math.NaN())
		}
		// Gonum's reads some of what is not to be read.
		unread = unread || c.alpha == 0 && !f.out && hasAlpha(c.routine)
		w, s := make([]float64, len(d)), make([]float64, len(d))
		for j, v := range d {
			w[j] = float64(v)
			if unread {
				w[j] = 0
			}
			s[j] = math.Abs(w[j])
		}
		full, data, before = append(full, e), append(data, d), append(before, append([]T(nil), e...))
		wide, sizes = append(wide, w), append(sizes, s)
	}
	result := invoke(f, c, data)
	start := append([]float64(nil), wide[len(wide)-1]...)
	want := invoke(oracle, c, wide)

	// What is not an output has the bits that it had.
	for i, f := range forms {
		written := make([]bool, len(full[i]))
		if f.out {
			for y := range f.rows {
				for x := range f.cols {
					written[guard+f.at(c.ld[i], y, x)] = f.has(y, x)
				}
			}
		}
		for j := range full[i] {
			if !written[j] && math.Float64bits(float64(full[i][j])) != math.Float64bits(float64(before[i][j])) {
				return fmt.Errorf("operand %d: element %d of its memory changed from %v to %v", i, j-guard, before[i][j], full[i][j])
			}
		}
	}

	tol := 4 * float64(max(c.m, c.n, c.k)+8) * eps
	last := len(forms) - 1
	if !forms[last].out {
		if c.routine == "iamax" {
			tol = 0
		}
		return near(result, want, tol*invoke(oracle, c, sizes))
	}

	got := make([]float64, len(data[last]))
	for j, v := range data[last] {
		got[j] = float64(v)
	}
	size := *c
	size.alpha, size.beta = math.Abs(c.alpha), math.Abs(c.beta)
	if solves := map[string]string{"trsv": "trmv", "trsm": "trmm"}[c.routine]; solves != "" && (c.alpha != 0 || c.routine == "trsv") {
		if special {
			// Only which elements are finite, and what the others are, is compared.
			return each(&forms[last], c.ld[last], func(at int) error { return near(got[at], wide[last][at], math.MaxFloat64) })
		}
		// The residual op(A)·X − alpha·B is small beside |op(A)|·|X| + |alpha·B|.
		size.routine, size.alpha = solves, 1
		product, sum := append([]float64(nil), got...), make([]float64, len(got))
		for j, v := range got {
			sum[j] = math.Abs(v)
		}
		invoke(oracle, &size, [][]float64{wide[0], product})
		invoke(oracle, &size, [][]float64{sizes[0], sum})
		alpha := 1.0
		if c.routine == "trsm" {
			alpha = c.alpha
		}
		return each(&forms[last], c.ld[last], func(at int) error {
			return near(product[at], alpha*start[at], tol*(sum[at]+math.Abs(alpha*start[at])))
		})
	}
	invoke(oracle, &size, sizes)
	return each(&forms[last], c.ld[last], func(at int) error { return near(got[at], wide[last][at], tol*sizes[last][at]) })
}

var hasBeta = map[string]bool{"gemv": true, "symv": true, "gemm": true, "symm": true, "syrk": true, "syr2k": true}

func each(f *form, ld int, do func(at int) error) error {
	for i := range f.rows {
		for j := range f.cols {
			if f.has(i, j) {
				if err := do(f.at(ld, i, j)); err != nil {
					return fmt.Errorf("element %d, %d: %w", i, j, err)
				}
			}
		}
	}
	return nil
}

// near compares. NaN and infinities must be the same.
func near(got, want, tol float64) error {
	if math.IsNaN(want) && math.IsNaN(got) || got == want || math.Abs(got-want) <= tol {
		return nil
	}
	return fmt.Errorf("%v, want %v within %v", got, want, tol)
}

func hasAlpha(routine string) bool {
	switch routine {
	case "dot", "nrm2", "asum", "iamax", "trmv", "trsv":
		return false
	}
	return true
}
