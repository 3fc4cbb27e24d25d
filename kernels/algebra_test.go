package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A matrix of a test is in memory of its own, with a row stride above its width and
// canaries in the gaps.
type testMatrix[T Float] struct {
	data       []T
	rows, cols int
	ld         int
}

func newTestMatrix[T Float](r *rand.Rand, rows, cols, gap int) testMatrix[T] {
	m := testMatrix[T]{make([]T, rows*(cols+gap)), rows, cols, cols + gap}
	for i := range m.data {
		m.data[i] = T(math.NaN())
		if i%m.ld < cols {
			m.data[i] = T(r.NormFloat64())
		}
	}
	return m
}

func (m testMatrix[T]) clone() testMatrix[T] {
	m.data = slices.Clone(m.data)
	return m
}

func (m testMatrix[T]) at(i, j int, trans bool) float64 {
	if trans {
		i, j = j, i
	}
	return float64(m.data[i*m.ld+j])
}

// intact fails if memory between the rows has changed.
func (m testMatrix[T]) intact(t *testing.T, what string) {
	t.Helper()
	for i, v := range m.data {
		if i%m.ld >= m.cols && v == v {
			t.Fatalf("%s: wrote %v between rows %d and %d", what, v, i/m.ld, i/m.ld+1)
		}
	}
}

// identical fails if the bits of x and y differ.
func identical[T Float](t *testing.T, what string, x, y []T) {
	t.Helper()
	for i := range x {
		if math.Float64bits(float64(x[i])) != math.Float64bits(float64(y[i])) && (x[i] == x[i] || y[i] == y[i]) {
			t.Fatalf("%s: %v at %d, want %v", what, x[i], i, y[i])
		}
	}
}

// unitRoundoff is half a unit in the last place of 1.
func unitRoundoff[T Float]() float64 {
	if elementSize[T]() == 4 {
		return 0x1p-24
	}
	return 0x1p-53
}

// eachAlgebra runs f for both types of element, every set, and some numbers of threads.
// f returns all that it has computed. The results of the sets with assembly must agree, as
// must those of all numbers of threads.
func eachAlgebra(t *testing.T, f32 func(t *testing.T, a *Algebra[float32]) []float32, f64 func(t *testing.T, a *Algebra[float64]) []float64) {
	eachAlgebraOf(t, f32)
	eachAlgebraOf(t, f64)
}

func eachAlgebraOf[T Float](t *testing.T, f func(t *testing.T, a *Algebra[T]) []T) {
	first := map[bool][]T{}
	for _, isa := range FloatISAs() {
		for _, threads := range []int{1, 2, 3} {
			if raceDetector && (isa == "generic" || threads == 1) {
				continue // slow, with the same regions
			}
			t.Run(fmt.Sprintf("%T/isa=%s/threads=%d", T(0), isa, threads), func(t *testing.T) {
				got := f(t, NewAlgebra[T](open(t, isa, threads)))
				fused := isa != "generic"
				if want, ok := first[fused]; ok {
					identical(t, "beside the first set or number of threads", got, want)
				} else {
					first[fused] = got
				}
			})
		}
	}
}

// scalars returns values of alpha or beta.
func scalars[T Float](r *rand.Rand) T { return []T{0, 1, -1, 0.5, T(r.NormFloat64())}[r.IntN(5)] }

func TestMatMul(t *testing.T) { eachAlgebra(t, testMatMul[float32], testMatMul[float64]) }

func testMatMul[T Float](t *testing.T, a *Algebra[T]) (all []T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := [][3]int{{1, 1, 1}, {12, 32, 1}, {13, 33, 7}, {3, 100, 64}, {100, 3, 64}, {70, 70, 600}, {5, 70, 1100}, {40, 600, 40}, {300, 20, 9}, {64, 512, 512}}
	for range 20 {
		sizes = append(sizes, [3]int{1 + r.IntN(80), 1 + r.IntN(80), 1 + r.IntN(80)})
	}
	for _, s := range sizes {
		m := MatMul[T]{M: s[0], N: s[1], K: s[2], Alpha: scalars[T](r), Beta: scalars[T](r), TransA: r.IntN(2) == 0, TransB: r.IntN(2) == 0}
		what := fmt.Sprintf("%d×%d×%d, alpha %v, beta %v, transposed %t, %t", m.M, m.N, m.K, m.Alpha, m.Beta, m.TransA, m.TransB)
		shape := func(rows, cols int, trans bool) testMatrix[T] {
			if trans {
				rows, cols = cols, rows
			}
			return newTestMatrix[T](r, rows, cols, r.IntN(3))
		}
		x, y, c := shape(m.M, m.K, m.TransA), shape(m.K, m.N, m.TransB), shape(m.M, m.N, false)
		before := c.clone()
		if m.Beta == 0 {
			c.data[0] = T(math.NaN()) // is not read
		}
		m.A, m.LDA, m.B, m.LDB, m.C, m.LDC = x.data, x.ld, y.data, y.ld, c.data, c.ld
		a.MatMul(&m)
		c.intact(t, what)
		for i := range m.M {
			for j := range m.N {
				want := float64(m.Beta) * before.at(i, j, false)
				size := math.Abs(want)
				for k := range m.K {
					p := float64(m.Alpha) * x.at(i, k, m.TransA) * y.at(k, j, m.TransB)
					want, size = want+p, size+math.Abs(p)
				}
				if diff := math.Abs(c.at(i, j, false) - want); !(diff <= float64(m.K+4)*2*unitRoundoff[T]()*size) {
					t.Fatalf("%s: C[%d,%d] is %v, want %v", what, i, j, c.at(i, j, false), want)
				}
			}
		}
		all = append(all, c.data...)
	}
	return all
}

func TestMatVec(t *testing.T) { eachAlgebra(t, testMatVec[float32], testMatVec[float64]) }

func testMatVec[T Float](t *testing.T, a *Algebra[T]) (all []T) {
	r := rand.New(rand.NewPCG(3, 4))
	sizes := [][2]int{{1, 1}, {7, 1}, {1, 9}, {9, 64}, {17, 65}, {700, 600}, {3, 2*elementsPerCall + 5}, {elementsPerCall + 3, 3}, {9, 2*columnsTogether + 33}}
	for _, s := range sizes {
		m, n := s[0], s[1]
		x := newTestMatrix[T](r, m, n, r.IntN(3))
		alpha, beta := scalars[T](r), scalars[T](r)
		wide, tall := newTestMatrix[T](r, 1, n, 0).data, newTestMatrix[T](r, 1, m, 0).data
		what := fmt.Sprintf("%d×%d, alpha %v, beta %v", m, n, alpha, beta)
		check := func(op string, got T, want, size float64, terms int) {
			t.Helper()
			if !(math.Abs(float64(got)-want) <= float64(terms+4)*2*unitRoundoff[T]()*size) {
				t.Fatalf("%s: %s: %v, want %v", what, op, got, want)
			}
		}
		start := func(y []T, i int) (float64, []T) {
			got := slices.Clone(y)
			if beta == 0 {
				got[0] = T(math.NaN()) // is not read
			}
			return float64(beta) * float64(y[i]), got
		}

		_, y := start(tall, 0)
		a.Gemv(m, n, alpha, x.data, x.ld, wide, beta, y)
		for i := range m {
			want := float64(beta) * float64(tall[i])
			size := math.Abs(want)
			for j := range n {
				p := float64(alpha) * x.at(i, j, false) * float64(wide[j])
				want, size = want+p, size+math.Abs(p)
			}
			check("Gemv", y[i], want, size, n)
		}
		all = append(all, y...)

		_, y = start(wide, 0)
		a.GemvT(m, n, alpha, x.data, x.ld, tall, beta, y)
		for j := range n {
			want := float64(beta) * float64(wide[j])
			size := math.Abs(want)
			for i := range m {
				p := float64(alpha) * x.at(i, j, false) * float64(tall[i])
				want, size = want+p, size+math.Abs(p)
			}
			check("GemvT", y[j], want, size, m)
		}
		all = append(all, y...)

		z := x.clone()
		const spread = 3
		xs := make([]T, (m-1)*spread+1)
		for i := range m {
			xs[i*spread] = tall[i]
		}
		a.Ger(m, n, alpha, xs, spread, wide, z.data, z.ld)
		z.intact(t, what)
		for i := range m {
			for j := range n {
				p := float64(alpha) * float64(tall[i]) * float64(wide[j])
				check("Ger", z.data[i*z.ld+j], x.at(i, j, false)+p, math.Abs(x.at(i, j, false))+math.Abs(p), 1)
			}
		}
		all = append(all, z.data...)
	}
	return all
}

func TestAlgebraVectors(t *testing.T) {
	eachAlgebra(t, testAlgebraVectors[float32], testAlgebraVectors[float64])
}

func testAlgebraVectors[T Float](t *testing.T, a *Algebra[T]) (all []T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range lengths {
		x, y := newTestMatrix[T](r, 1, n, 0).data, newTestMatrix[T](r, 1, n, 0).data
		var dot, size, abs, square float64
		for i := range x {
			p := float64(x[i]) * float64(y[i])
			dot, size = dot+p, size+math.Abs(p)
			abs, square = abs+math.Abs(float64(x[i])), square+float64(x[i])*float64(x[i])
		}
		for _, c := range []struct {
			op         string
			got        T
			want, size float64
		}{{"Dot", a.Dot(x, y), dot, size}, {"AbsSum", a.AbsSum(x), abs, abs}, {"SumSq", a.SumSq(x), square, square}} {
			if !(math.Abs(float64(c.got)-c.want) <= float64(n+1)*unitRoundoff[T]()*c.size) {
				t.Errorf("%s of %d elements: %v, want %v", c.op, n, c.got, c.want)
			}
			all = append(all, c.got)
		}
		if n > 0 {
			testIndexMaxAbs(t, a, x)
		}
		z := slices.Clone(y)
		a.Axpy(-3, x, z)
		for i := range z {
			if want := float64(y[i]) - 3*float64(x[i]); !(math.Abs(float64(z[i])-want) <= 4*unitRoundoff[T]()*(math.Abs(want)+3*math.Abs(float64(x[i])))) {
				t.Fatalf("Axpy of %d elements: %v at %d, want %v", n, z[i], i, want)
			}
		}
		a.Scale(-2, z)
		all = append(all, z...)
	}
	return all
}

// TestMatMulNaN: NaN and infinities reach what they must, and nothing else.
func TestMatMulNaN(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		a := NewAlgebra[float64](e)
		const n = 40
		x, y, c := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
		x[3*n+5], y[7*n+9] = math.NaN(), math.Inf(1)
		a.MatMul(&MatMul[float64]{M: n, N: n, K: n, Alpha: 2, A: x, LDA: n, B: y, LDB: n, C: c, LDC: n})
		for i := range n {
			for j := range n {
				if bad := i == 3 || j == 9; bad != (c[i*n+j] != c[i*n+j]) {
					t.Fatalf("C[%d,%d] is %v", i, j, c[i*n+j])
				}
			}
		}
	})
}

// TestAlgebraTogether: calls from several goroutines at once, on one engine.
func TestAlgebraTogether(t *testing.T) {
	e := open(t, "", 2)
	a, single := NewAlgebra[float64](e), NewAlgebra[float32](e)
	const n = 300
	done := make(chan string)
	for g := range 4 {
		go func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			x, y, c := newTestMatrix[float64](r, n, n, 1), newTestMatrix[float64](r, n, n, 1), newTestMatrix[float64](r, n, n, 1)
			xs, cs := newTestMatrix[float32](r, n, n, 1), newTestMatrix[float32](r, n, n, 1)
			wrong := ""
			var first []float64
			for range 5 {
				v := make([]float64, n)
				a.MatMul(&MatMul[float64]{M: n, N: n, K: n, Alpha: 1, A: x.data, LDA: x.ld, B: y.data, LDB: y.ld, C: c.data, LDC: c.ld})
				single.MatMul(&MatMul[float32]{M: n, N: n, K: n, Alpha: 1, A: xs.data, LDA: xs.ld, B: xs.data, LDB: xs.ld, C: cs.data, LDC: cs.ld})
				a.Gemv(n, n, 1, c.data, c.ld, y.data, 0, v)
				if first == nil {
					first = v
				} else if !slices.Equal(first, v) {
					wrong = fmt.Sprintf("goroutine %d: another result", g)
				}
			}
			done <- wrong
		}()
	}
	for range 4 {
		if wrong := <-done; wrong != "" {
			t.Error(wrong)
		}
	}
}

// testIndexMaxAbs: the first of several, with NaN before and behind it.
func testIndexMaxAbs[T Float](t *testing.T, a *Algebra[T], x []T) {
	nan := T(math.NaN())
	for _, at := range []int{0, len(x) / 3, len(x) / 2, len(x) - 1} {
		z := slices.Clone(x)
		for _, same := range []int{at, (at + len(x)) / 2, len(x) - 1} {
			z[same] = T(1-2*(same%2)) * 1e30
		}
		z[(at+len(x))/2] *= -1
		check := func(want int) {
			if got := a.IndexMaxAbs(z); got != want {
				t.Fatalf("IndexMaxAbs of %d elements: %d, want %d", len(z), got, want)
			}
		}
		check(at)
		for i := range z[:at] {
			z[i] = nan
		}
		if at > 0 {
			check(0)
			z[0] = 0
			check(at)
		}
		clear(z)
		check(0)
		z[0] = nan
		check(0)
		z[0], z[len(z)-1] = T(math.Inf(-1)), T(math.Inf(1))
		check(0)
		for i := range z[1:] {
			z[1+i] = nan
		}
		check(0)
	}
}

func TestAlgebraAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("slow")
	}
	for _, threads := range []int{1, 2} {
		eachEngine(t, threads, func(t *testing.T, e *Engine) {
			algebraAllocations[float32](t, e)
			algebraAllocations[float64](t, e)
		})
	}
}

func algebraAllocations[T Float](t *testing.T, e *Engine) {
	const n = 600
	a := NewAlgebra[T](e)
	x, y, c := make([]T, n*n), make([]T, n*n), make([]T, n*n)
	for name, call := range map[string]func(){
		"MatMul": func() {
			for _, size := range []int{10, 80, 200} {
				for _, trans := range []bool{false, true} {
					a.MatMul(&MatMul[T]{M: size, N: size, K: size, Alpha: 2, A: x, LDA: n, TransA: trans, B: y, LDB: n, TransB: trans, Beta: 3, C: c, LDC: n})
				}
			}
		},
		"Gemv":        func() { a.Gemv(n, n, 2, x, n, y, 3, c) },
		"GemvT":       func() { a.GemvT(n, n, 2, x, n, y, 3, c) },
		"Ger":         func() { a.Ger(n, n, 2, x, 1, y, c, n) },
		"Dot":         func() { a.Dot(x, y) },
		"SumSq":       func() { a.SumSq(x) },
		"AbsSum":      func() { a.AbsSum(x) },
		"IndexMaxAbs": func() { a.IndexMaxAbs(x) },
		"Axpy":        func() { a.Axpy(2, x, y) },
		"Scale":       func() { a.Scale(2, x) },
	} {
		if got := testing.AllocsPerRun(10, call); got != 0 {
			t.Errorf("%s of %T allocates %v times a call with %d threads", name, T(0), got, e.Threads())
		}
	}
}
