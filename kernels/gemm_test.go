package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestGemmEdges takes every height to beyond three of the tallest tiles with
// every width about the edges of a panel, and deals layouts, starts and
// activations out among them.
func TestGemmEdges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var list []*problem
	for _, m := range heights() {
		for _, n := range widths() {
			for _, k := range []int{1, 2, 7} {
				list = append(list, deal(r, m, n, k))
			}
		}
	}
	checkAll(t, list, 1)
}

// TestGemmDepths cuts K into none, one and several blocks.
func TestGemmDepths(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var list []*problem
	for _, k := range depths() {
		for _, m := range []int{1, 3, 13, 25} {
			for _, n := range []int{1, 67} {
				list = append(list, deal(r, m, n, k))
			}
		}
	}
	checkAll(t, list, 1)
}

// TestGemmVariants combines every layout with every start and activation.
func TestGemmVariants(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var list []*problem
	for variant := range 80 {
		for _, gap := range []int{0, 5} {
			p := &problem{m: 7, n: 35, k: 9, gap: gap}
			p.transA, p.transB = variant&1 != 0, variant&2 != 0
			p.act, p.start = Tanh+Activation(variant>>2&3), start(variant>>4)
			list = append(list, p.fill(r))
		}
	}
	checkAll(t, list, 1)
}

// TestGemmThreads runs products that are worth several threads.
func TestGemmThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var list []*problem
	for _, size := range [][3]int{{37, 131, 129}, {1, 1025, 521}, {64, 65, 127}, {5, 3, 50001}} {
		if size[0]*size[1]*size[2] < 2*gemmShareWork {
			t.Fatalf("%v is too small for a second thread", size)
		}
		for variant := range 4 {
			p := deal(r, size[0], size[1], size[2])
			p.transA, p.transB = variant&1 != 0, variant&2 != 0
			list = append(list, p.fill(r))
		}
	}
	checkAll(t, list, 1, 2, 4)
}

// TestGemmManyRows runs products whose rows of A are cut into groups.
func TestGemmManyRows(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const k, n = 1021, 33
	p := &problem{m: nearFloats/k*5/2 + 1, n: n, k: k, start: table, act: Tanh}
	checkAll(t, []*problem{p.fill(r)}, 1)
}

// TestGemmFarPanels runs products with a B so large that rows are tiled otherwise.
func TestGemmFarPanels(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 3 s; -short leaves it out")
	}
	r := rand.New(rand.NewPCG(11, 12))
	const k, n = 2100, 2531
	if k*n <= nearPanels {
		t.Fatal("B is too small")
	}
	var list []*problem
	rows := []int{2, 8, 9, 14, 18}
	if raceDetector { // all take a minute there, on one thread
		rows = []int{8}
	}
	for _, m := range rows {
		p := &problem{m: m, n: n, k: k, start: table, act: Tanh}
		list = append(list, p.fill(r))
	}
	checkAll(t, list, 1)
}

// deal returns a problem of the given size whose variant is drawn.
func deal(r *rand.Rand, m, n, k int) *problem {
	p := &problem{
		m: m, n: n, k: k, transA: r.IntN(2) == 0, transB: r.IntN(2) == 0,
		start: start(r.IntN(5)), act: Activation(r.IntN(5)), gap: r.IntN(3) * 3,
	}
	return p.fill(r)
}

// checkAll holds every instruction set with every number of threads to the
// oracle, which computes each problem once for all of them.
func checkAll(t *testing.T, list []*problem, threads ...int) {
	var engines []*Engine
	for _, isa := range FloatISAs() {
		for _, n := range threads {
			engines = append(engines, open(t, isa, n))
		}
	}
	for _, p := range list {
		want, tolerance := p.want()
		for _, e := range engines {
			got := p.compute(e)
			if err := p.check(got, want, tolerance); err != nil {
				t.Errorf("%s, %d threads, %v: %v", e.ISA(), e.Threads(), p, err)
			}
			if i := firstDifference(p.computePlain(e), got); i >= 0 {
				t.Errorf("%s, %d threads, %v: packed on the way, C differs at %d", e.ISA(), e.Threads(), p, i)
			}
		}
	}
}

// heights, widths and depths hold the bounds of the tiles, panels and blocks of
// every instruction set.
func heights() (m []int) {
	for i := range 40 {
		m = append(m, i+1)
	}
	return append(m, 47, 48, 49, 60, 61)
}

func widths() []int {
	n := []int{1}
	for _, isa := range FloatISAs() {
		set, _ := find(isa)
		half := set.NR / 2 // some sets have tiles for it
		n = append(n, half, half+1, set.NR-1, set.NR, set.NR+1, 2*set.NR, 3*set.NR+half, 4*set.NR, 4*set.NR+3)
	}
	slices.Sort(n)
	return slices.Compact(n)
}

func depths() (k []int) {
	for _, isa := range FloatISAs() {
		set, _ := find(isa)
		k = append(k, set.KC-1, set.KC, set.KC+1, 2*set.KC+5)
	}
	slices.Sort(k)
	return slices.Compact(k)
}

// TestGemmLarge is Freivalds' check, C·x = A·(B·x) for a random x, on integers
// so small that float32 holds every sum exactly. So nothing hides behind a
// tolerance: a wrong element escapes with a chance of 1 in 1999.
func TestGemmLarge(t *testing.T) {
	eachEngine(t, 2, func(t *testing.T, e *Engine) {
		m, n, k := 300, 1760, 2000
		if e.ISA() == "generic" { // slow, and slower by far with -race
			m, n, k = 26, 331, 2100
		}
		for _, transA := range []bool{false, true} {
			p := &problem{m: m, n: n, k: k, transA: transA, start: bias}
			r := rand.New(rand.NewPCG(9, 10))
			integers := func(n, most int) []float32 {
				x := make([]float32, n)
				for i := range x {
					x[i] = float32(r.IntN(2*most+1) - most)
				}
				return x
			}
			p.a, p.b, p.add = integers(m*k, 8), integers(k*n, 8), integers(n, 8)
			c, x := p.compute(e), integers(n, 999)

			bx := make([]float64, k)
			for i := range bx {
				bx[i] = innerProduct(p.b[i*n:], 1, x)
			}
			sx := innerProduct(p.add, 1, x)
			for i := range m {
				want := sx
				for q := range k {
					at := i*k + q
					if transA {
						at = q*m + i
					}
					want += float64(p.a[at]) * bx[q]
				}
				if got := innerProduct(c[i*n:], 1, x); got != want {
					t.Fatalf("%v: row %d times x is %.0f, want %.0f", p, i, got, want)
				}
			}
		}
	})
}

func innerProduct(a []float32, stride int, x []float32) (sum float64) {
	for i, v := range x {
		sum += float64(a[i*stride]) * float64(v)
	}
	return sum
}

// TestGemmSkipsNothing multiplies one NaN or infinity by zeros. It must reach
// its whole row of C from A and its whole column from B, whatever block it is
// in, and nothing else.
func TestGemmSkipsNothing(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		m, n, k := 2*e.set.MR+1, 4*e.set.NR+1, e.set.KC+3
		for _, v := range []float32{nan, inf, -inf} {
			for _, act := range []Activation{Identity, ReLU, Tanh, Sigmoid} {
				for _, transA := range []bool{false, true} {
					p := &problem{m: m, n: n, k: k, transA: transA, act: act}
					p.a, p.b = make([]float32, m*k), make([]float32, k*n)
					w := p.pack(e)
					for _, at := range []int{0, k - 1} {
						for i := range m {
							x := &p.a[i*k+at]
							if transA {
								x = &p.a[at*m+i]
							}
							*x = v
							q := p.product(w)
							e.Gemm(q)
							checkPoisoned(t, p, q.C, func(row, _ int) bool { return row == i })
							*x = 0
						}
					}
				}
			}
			p := &problem{m: m, n: n, k: k}
			p.a, p.b = make([]float32, m*k), make([]float32, k*n)
			for j := range n {
				p.b[(k-1)*n+j] = v
				checkPoisoned(t, p, p.compute(e), func(_, col int) bool { return col == j })
				p.b[(k-1)*n+j] = 0
			}
		}
	})
}

func checkPoisoned(t *testing.T, p *problem, c []float32, want func(row, col int) bool) {
	t.Helper()
	for x, v := range c {
		if i, j := x/p.n, x%p.n; math.IsNaN(float64(v)) != want(i, j) {
			t.Fatalf("%v: row %d, column %d is %g", p, i, j, v)
		}
	}
}

// TestGemmOfNothing leaves C alone where there is no row.
func TestGemmOfNothing(t *testing.T) {
	eachEngine(t, 2, func(t *testing.T, e *Engine) {
		e.Gemm(Product{B: e.NewPacked(3, 5)})
		e.Gemm(Product{B: e.NewPacked(3, 5), TransA: true, LDA: 0, A: nil})
	})
}
