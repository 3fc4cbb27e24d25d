package blas

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"batchrnn/kernels"
)

// tryAll checks one case of a routine, of each element type and tuning.
func tryAll(t *testing.T, bs []*Implementation, routine string, m, n, k int, seed uint64) {
	t.Helper()
	for i, b := range bs {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		special := r.IntN(4) == 0
		c := newCall[float64](r, routine, m, n, k)
		if err := check(api64(b), c, r, special); err != nil {
			t.Fatalf("%s, seed %d, D%v: %v", tunings[i].name, seed, c, err)
		}
		c = newCall[float32](r, routine, m, n, k)
		if err := check(api32(b), c, r, special); err != nil {
			t.Fatalf("%s, seed %d, S%v: %v", tunings[i].name, seed, c, err)
		}
	}
}

func eachTuning(e *kernels.Engine) (bs []*Implementation) {
	for _, u := range tunings {
		bs = append(bs, u.make(e))
	}
	return bs
}

// TestRandom compares every routine with gonum's.
func TestRandom(t *testing.T) {
	cases := 150
	if raceDetector {
		cases = 10
	}
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		bs := eachTuning(e)
		r := rand.New(rand.NewPCG(3, 4))
		for _, routines := range levels {
			for _, routine := range routines {
				for range cases {
					tryAll(t, bs, routine, r.IntN(40), r.IntN(40), r.IntN(40), r.Uint64())
				}
			}
		}
	})
}

// TestLarge compares sizes of several blocks with gonum's.
func TestLarge(t *testing.T) {
	if raceDetector {
		t.Skip("the oracle takes half a minute")
	}
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		bs := []*Implementation{New(e)}
		for _, routine := range levels[3] {
			for seed := range uint64(4) {
				tryAll(t, bs, routine, 150, 170, 90, seed)
			}
		}
		for _, routine := range levels[2] {
			for seed := range uint64(4) {
				tryAll(t, bs, routine, 150, 200, 0, seed)
			}
		}
		tryAll(t, bs, "symv", 0, 1100, 0, 1) // wider than a block that is read twice
		for seed := range uint64(4) {
			tryAll(t, bs, "gemv", 3, 20000, 0, seed)
			tryAll(t, bs, "gemv", 20000, 3, 0, seed)
			tryAll(t, bs, "ger", 3, 20000, 0, seed)
			tryAll(t, bs, "ger", 20000, 3, 0, seed)
		}
	})
}

// TestLong compares vectors of one and more copies and chunks with gonum's.
func TestLong(t *testing.T) {
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		bs := []*Implementation{New(e)}
		for _, routine := range levels[1] {
			for seed := range uint64(8) {
				for _, n := range []int{63, 64, 129, 1000, blocks.gather, blocks.gather + 1, 20000} {
					tryAll(t, bs, routine, 0, n, 0, seed)
				}
			}
		}
	})
}

// TestOrders compares triangles of one leaf and more with gonum's, beside few columns.
func TestOrders(t *testing.T) {
	if raceDetector {
		t.Skip("the oracle takes half a minute")
	}
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		bs := []*Implementation{New(e)}
		for i, order := range []int{255, kernels.MaxTriangle, 257, 300, 513} {
			for j, n := range []int{1, 4, 33} {
				for _, routine := range []string{"trmm", "trsm"} {
					for seed := range uint64(4) { // of both sides
						tryAll(t, bs, routine, order, n, 0, seed+uint64(100*i+10*j))
						tryAll(t, bs, routine, n, order, 0, seed+uint64(100*i+10*j))
					}
				}
			}
		}
	})
}

func fuzzLevel(f *testing.F, level int) {
	e := newEngine(f, "", 2)
	bs := eachTuning(e)
	for i := range levels[level] {
		for j, size := range []uint8{0, 1, 2, 7, 33, 64, 70} {
			f.Add(uint8(i), size, size+uint8(j)%3, size, uint64(i*j))
		}
	}
	f.Fuzz(func(t *testing.T, routine, m, n, k uint8, seed uint64) {
		tryAll(t, bs, levels[level][int(routine)%len(levels[level])], int(m)%71, int(n)%71, int(k)%71, seed)
	})
}

func FuzzLevel1(f *testing.F) { fuzzLevel(f, 1) }
func FuzzLevel2(f *testing.F) { fuzzLevel(f, 2) }
func FuzzLevel3(f *testing.F) { fuzzLevel(f, 3) }

// TestConcurrent calls one implementation from several goroutines.
func TestConcurrent(t *testing.T) {
	b := New(newEngine(t, "", 2))
	var wg sync.WaitGroup
	for g := range uint64(6) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 1))
			for range 12 {
				for _, routines := range levels {
					for _, routine := range routines {
						c := newCall[float64](r, routine, 45, 47, 43)
						if err := check(api64(b), c, r, false); err != nil {
							t.Errorf("%v: %v", c, err)
							return
						}
					}
				}
			}
		})
	}
	wg.Wait()
}

// output makes the operands of a call and returns the bits of what it writes.
func output[T kernels.Float](f *api[T], c *call, seed uint64) []uint64 {
	r := rand.New(rand.NewPCG(seed, 2))
	var d [][]T
	for i, f := range c.forms() {
		x := make([]T, f.length(c.ld[i]))
		for j := range x {
			x[j] = T(r.Float64() - 0.5)
			if i == 0 && (c.routine == "trsv" || c.routine == "trsm") {
				x[j] = T(0.01 * (float64(x[j]) + 3))
			}
		}
		d = append(d, x)
	}
	bits := []uint64{math.Float64bits(invoke(f, c, d))}
	for _, v := range d[len(d)-1] {
		bits = append(bits, math.Float64bits(float64(v)))
	}
	return bits
}

// TestSameBits holds the results of each number of threads, and of AVX2 and AVX-512, to
// the same bits.
func TestSameBits(t *testing.T) {
	if raceDetector {
		t.Skip("takes half a minute")
	}
	first := map[string]*Implementation{} // by the way of rounding
	names := map[string]string{"generic": "generic", "avx2": "fused", "avx512": "fused", "avx512vnni": "fused"}
	for _, isa := range kernels.FloatISAs() {
		for _, threads := range []int{1, 2, 3} {
			b := New(newEngine(t, isa, threads))
			same := first[names[isa]]
			if same == nil {
				first[names[isa]] = b
				continue
			}
			for _, routines := range levels {
				for _, routine := range routines {
					sizes := [][3]int{{130, 140, 120}}
					if routine == "trmm" || routine == "trsm" {
						sizes = append(sizes, [3]int{300, 310, 0}) // several leaves
					}
					for seed := range uint64(2) {
						for _, s := range sizes {
							c := newCall[float64](rand.New(rand.NewPCG(7, seed)), routine, s[0], s[1], s[2])
							if !reflect.DeepEqual(output(api64(b), c, seed), output(api64(same), c, seed)) {
								t.Errorf("%s with %d threads: D%v differs", isa, threads, c)
							}
							if !reflect.DeepEqual(output(api32(b), c, seed), output(api32(same), c, seed)) {
								t.Errorf("%s with %d threads: S%v differs", isa, threads, c)
							}
						}
					}
				}
			}
		}
	}
}

// TestSameLimits: AVX2 and AVX-512 send the same cases to gonum's routines, whose bits
// differ. Gonum's sums of float32 depend on the address too, so float64 alone is compared.
func TestSameLimits(t *testing.T) {
	var bs []*Implementation
	for _, isa := range kernels.FloatISAs() {
		if isa != "generic" {
			bs = append(bs, New(newEngine(t, isa, 1)))
		}
	}
	if len(bs) < 2 {
		t.Skip("there are not two such Sets on this machine")
	}
	r := rand.New(rand.NewPCG(10, 10))
	for _, routines := range levels {
		for _, routine := range routines {
			for range 400 {
				m, n, k, seed := r.IntN(60), r.IntN(60), r.IntN(20), r.Uint64()
				c := newCall[float64](r, routine, m, n, k)
				if !reflect.DeepEqual(output(api64(bs[0]), c, seed), output(api64(bs[1]), c, seed)) {
					t.Errorf("D%v differs", c)
				}
			}
		}
	}
}

// TestTeams: a team that changes at every barrier computes the bits of one worker.
func TestTeams(t *testing.T) {
	cases := 2
	if raceDetector {
		cases = 1
	}
	e := newEngine(t, "", 3)
	r := rand.New(rand.NewPCG(9, 9))
	barriers, sizes := 0, [4]int{}
	kernels.ForceTeams(e, func(most int) int {
		size := 1 + r.IntN(most)
		barriers++
		sizes[size]++
		return size
	})
	b, same := New(e), New(newEngine(t, "", 1))
	for _, routine := range append([]string{"gemv", "ger"}, levels[3]...) {
		before := barriers
		for i := range 2 * cases {
			m, n := 100, 900
			if i%2 == 0 {
				m, n = n, m
			}
			c := newCall[float64](r, routine, m, n, 150)
			if c.alpha == 0 {
				c.alpha = 0.5
			}
			switch routine {
			case "gemv", "ger":
				c.m = 900
			case "gemm":
				c.k = 1200 // phases of rows of B, if A is gathered
			}
			for i, f := range c.forms() {
				if !f.vector {
					c.ld[i] = max(1, f.cols) + r.IntN(3)
				}
			}
			seed := r.Uint64()
			if !reflect.DeepEqual(output(api64(b), c, seed), output(api64(same), c, seed)) {
				t.Errorf("D%v differs", c)
			}
			if !reflect.DeepEqual(output(api32(b), c, seed), output(api32(same), c, seed)) {
				t.Errorf("S%v differs", c)
			}
		}
		t.Logf("%s: %d teams", routine, barriers-before)
	}
	if sizes[1] == 0 || sizes[2] == 0 || sizes[3] == 0 {
		t.Errorf("no teams of each size: %v", sizes)
	}
}

// TestWorkers: no more workers are called than have columns.
func TestWorkers(t *testing.T) {
	e := newEngine(t, "", 3)
	called := 0
	kernels.ForceTeams(e, func(most int) int { called = max(called, most); return most })
	b := New(e)
	const order = 700
	for _, c := range []struct{ n, want int }{{2, 0}, {together, 0}, {together + 1, 2}, {3 * together, 3}, {9 * together, 3}} {
		a, x := make([]float64, order*max(order, c.n)), make([]float64, order*c.n)
		called = 0
		b.Dtrmm(blas.Left, blas.Lower, blas.NoTrans, blas.Unit, order, c.n, 1, a, order, x, c.n)
		if called != c.want {
			t.Errorf("trmm of %d columns calls %d workers, want %d", c.n, called, c.want)
		}
		called = 0
		b.Dsyrk(blas.Lower, blas.Trans, c.n, order*order/c.n, 1, a, c.n, 0, make([]float64, c.n*c.n), c.n)
		if called != c.want {
			t.Errorf("syrk of order %d calls %d workers, want %d", c.n, called, c.want)
		}
	}
}

// TestNoEngine: a nil engine is named.
func TestNoEngine(t *testing.T) {
	defer func() {
		if v, _ := recover().(string); !strings.Contains(v, "engine is nil") {
			t.Errorf("New(nil) panics with %q", v)
		}
	}()
	New(nil)
}

// TestClosed: after Close, calls that need several workers panic each time.
func TestClosed(t *testing.T) {
	e, err := kernels.New("", 2)
	if err != nil {
		t.Fatal(err)
	}
	b := New(e)
	e.Close()
	const n = 600
	x, y := make([]float64, n*n), make([]float64, n*n)
	for name, call := range map[string]func(){
		"gemv":  func() { b.Dgemv(blas.NoTrans, n, n, 1, x, n, x, 1, 0, y, 1) },
		"ger":   func() { b.Dger(n, n, 1, x, 1, x, 1, y, n) },
		"gemm":  func() { b.Dgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, x, n, x, n, 0, y, n) },
		"trsm":  func() { b.Dtrsm(blas.Left, blas.Lower, blas.NoTrans, blas.Unit, n, n, 1, x, n, y, n) },
		"syr2k": func() { b.Dsyr2k(blas.Lower, blas.NoTrans, n, n, 1, x, n, x, n, 0, y, n) },
	} {
		for range 2 {
			func() {
				defer func() {
					if v, _ := recover().(string); !strings.Contains(v, "closed") {
						t.Errorf("%s panics with %q", name, v)
					}
				}()
				call()
			}()
		}
	}
}

// TestFits: a row stride whose product with the rows overflows does not fit.
func TestFits(t *testing.T) {
	for _, c := range []struct {
		rows, cols, ld, length int
		want                   bool
	}{
		{3, 4, 4, 12, true}, {3, 4, 5, 14, true}, {3, 4, 5, 13, false}, {3, 4, 3, 100, false},
		{1, 4, math.MaxInt, 4, true}, {1, 4, 4, 3, false}, {0, 4, 4, 0, true}, {4, 0, 1, 3, true}, {4, 0, 0, 9, false},
		{5, 4, 1 << 62, 100, false}, {9, 4, 1 << 61, 100, false}, {1 << 61, 8, 8, 100, false}, {3, 4, 1 << 62, 100, false},
	} {
		if got := fits(c.rows, c.cols, c.ld, c.length); got != c.want {
			t.Errorf("%d×%d with stride %d in %d elements: %t", c.rows, c.cols, c.ld, c.length, got)
		}
	}
}

// TestBitsOfGemm holds symm and syrk to the bits of gemm.
func TestBitsOfGemm(t *testing.T) {
	const m, n = 150, 70
	r := rand.New(rand.NewPCG(8, 8))
	random := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		return x
	}
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		for _, u := range tunings[1:] {
			b := u.make(e)
			a, x, c := random(m*m), random(m*n), random(m*m)
			for i := range m {
				for j := range i {
					a[j*m+i] = a[i*m+j]
				}
			}
			for _, ul := range []blas.Uplo{blas.Lower, blas.Upper} {
				want, got := append([]float64(nil), c...), append([]float64(nil), c...)
				b.Dgemm(blas.NoTrans, blas.NoTrans, m, n, m, 1.5, a, m, x, n, 0.7, want, n)
				b.Dsymm(blas.Left, ul, m, n, 1.5, a, m, x, n, 0.7, got, n)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s %c: symm on the left differs from gemm", u.name, ul)
				}
				copy(got, c)
				copy(want, c)
				b.Dgemm(blas.NoTrans, blas.NoTrans, n, m, m, 1.5, x, m, a, m, 0.7, want, m)
				b.Dsymm(blas.Right, ul, n, m, 1.5, a, m, x, m, 0.7, got, m)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s %c: symm on the right differs from gemm", u.name, ul)
				}
				copy(got, c)
				copy(want, c)
				b.Dgemm(blas.NoTrans, blas.Trans, m, m, n, 1.5, x, n, x, n, 0.7, want, m)
				b.Dsyrk(ul, blas.NoTrans, m, n, 1.5, x, n, 0.7, got, m)
				for i := range m {
					from, to := within(ul == blas.Lower, i, m)
					if !reflect.DeepEqual(got[i*m:][from:to], want[i*m:][from:to]) {
						t.Fatalf("%s %c: row %d of syrk differs from gemm", u.name, ul, i)
					}
				}
			}
		}
	})
}

// TestZeros: nothing skips zeros, and what is not referenced is not multiplied.
func TestZeros(t *testing.T) {
	const n = 40
	b := tunings[2].make(newEngine(t, "", 1))
	for _, routine := range append(levels[2], levels[3]...) {
		c := &call{routine: routine, tA: blas.NoTrans, tB: blas.NoTrans, side: blas.Left, ul: blas.Lower, diag: blas.Unit,
			m: n, n: n, k: n, alpha: 1, beta: 1}
		forms := c.forms()
		var d [][]float64
		for i, f := range forms {
			c.ld[i] = f.cols
			d = append(d, make([]float64, f.length(c.ld[i])))
		}
		// All is 0, but for infinity in the first row of one operand.
		d[min(1, len(forms)-2)][0] = math.Inf(1)
		if len(forms) == 2 && forms[0].part != "" {
			d[0][0], d[1][0] = 0, math.Inf(1)
		}
		invoke(api64(b), c, d)
		out, f, found := d[len(d)-1], forms[len(forms)-1], false
		for i := range f.rows {
			for j := range f.cols {
				v := out[f.at(c.ld[len(forms)-1], i, j)]
				found = found || math.IsNaN(v)
				if !f.has(i, j) && v != 0 {
					t.Errorf("%s: element %d, %d of the other triangle is %v", routine, i, j, v)
				}
			}
		}
		if !found {
			t.Errorf("%s: 0·Inf is not NaN", routine)
		}
	}
}

// TestReciprocal: where 1/d overflows or loses bits, trsm divides. Two columns are no vector.
func TestReciprocal(t *testing.T) {
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		b := tunings[1].make(e)
		for _, d := range []float64{3, 0x1p-1030, 0x1.8p-1074 * 5, 0x1.faa2323a5e856p1023, math.Inf(1), 0, math.NaN()} {
			for _, x := range []float64{0x1.123456789abcdp-1000, 0x1.123456789abcdp1000, 0, math.Inf(-1)} {
				for _, side := range []blas.Side{blas.Left, blas.Right} {
					for n := 1; n <= 2; n++ {
						v, rows, cols := []float64{x, x}[:n], 1, n
						if side == blas.Right {
							rows, cols = n, 1
						}
						b.Dtrsm(side, blas.Lower, blas.NoTrans, blas.NonUnit, rows, cols, 1, []float64{d}, 1, v, cols)
						for _, got := range v {
							if err := near(got, x/d, math.Abs(x/d)*0x1p-52); err != nil {
								t.Errorf("%v/%v: %v", x, d, err)
							}
						}
					}
				}
			}
		}
		for _, c := range [][2]float32{{0x1.5p100, 0x1.23457p127}, {0x1.5p100, 0x1.fp127}, {0x1.5p100, 0x1.dp127}, {0x1.5p100, 0x1.bp127}, {0x1.5p-140, 0x1.3p-133}} {
			x, d := c[0], c[1]
			v := []float32{x, x}
			b.Strsm(blas.Left, blas.Lower, blas.NoTrans, blas.NonUnit, 1, 2, 1, []float32{d}, 1, v, 2)
			if !(math.Abs(float64(v[1]-x/d)) <= float64(x/d)*0x1p-23) {
				t.Errorf("%v/%v is %v", x, d, v[1])
			}
		}
	})
}

// TestNorm: nrm2 neither overflows nor underflows before its result does.
func TestNorm(t *testing.T) {
	b := New(newEngine(t, "", 1))
	for _, size := range []float64{1, 0x1p-1060, 0x1p-600, 0x1p-452, 0x1p-450, 0x1p505, 0x1p600, 0x1p1010} {
		x := make([]float64, 100)
		for i := range x {
			x[i] = size
		}
		if got := b.Dnrm2(len(x), x, 1); !(math.Abs(got-10*size) <= 1e-14*10*size) {
			t.Errorf("norm of 100 times %v is %v", size, got)
		}
	}
	for _, size := range []float32{1, 0x1p-140, 0x1p-70, 0x1p-47, 0x1p-43, 0x1p55, 0x1p62, 0x1p120} {
		x := make([]float32, 100)
		for i := range x {
			x[i] = size
		}
		if got := b.Snrm2(len(x), x, 1); !(math.Abs(float64(got-10*size)) <= 1e-5*10*float64(size)) {
			t.Errorf("norm of 100 times %v is %v", size, got)
		}
	}
}

// TestPanics holds messages to gonum's.
func TestPanics(t *testing.T) {
	if raceDetector {
		t.Skip("takes half a minute")
	}
	message := func(f func()) (v any) {
		defer func() { v = recover() }()
		f()
		return nil
	}
	e := newEngine(t, "", 1)
	gonum64, gonum32 := api64(gonum.Implementation{}), api32(gonum.Implementation{})
	seen := map[any]bool{}
	for _, u := range tunings {
		b := u.make(e)
		for _, routines := range levels {
			for _, routine := range routines {
				try := func(what string, short int, change func(c *call)) {
					r := rand.New(rand.NewPCG(1, 2))
					for range 12 {
						c := newCall[float64](r, routine, 37, 41, 39)
						forms := c.forms()
						d, d32 := make([][]float64, len(forms)), make([][]float32, len(forms))
						for i, f := range forms {
							n := f.length(c.ld[i])
							if i == short {
								n--
							}
							d[i], d32[i] = make([]float64, n), make([]float32, n)
							for j := range d[i] {
								d[i][j], d32[i][j] = 1, 1
							}
						}
						change(c)
						want := message(func() { invoke(gonum64, c, d) })
						if got := message(func() { invoke(api64(b), c, d) }); got != want {
							t.Errorf("%s %s: D%v panics with %v, want %v", u.name, what, c, got, want)
						}
						want32 := message(func() { invoke(gonum32, c, d32) })
						if got := message(func() { invoke(api32(b), c, d32) }); got != want32 {
							t.Errorf("%s %s: S%v panics with %v, want %v", u.name, what, c, got, want32)
						}
						seen[want] = true
					}
				}
				try("good", -1, func(*call) {})
				try("tA", -1, func(c *call) { c.tA = 'X' })
				try("tB", -1, func(c *call) { c.tB = 'X' })
				try("side", -1, func(c *call) { c.side = 'X' })
				try("ul", -1, func(c *call) { c.ul = blas.All })
				try("diag", -1, func(c *call) { c.diag = 'X' })
				try("m", -1, func(c *call) { c.m = -1 })
				try("n", -1, func(c *call) { c.n = -1 })
				try("k", -1, func(c *call) { c.k = -1 })
				try("m", -1, func(c *call) { c.m = 0 })
				try("n", -1, func(c *call) { c.n = 0 })
				try("k", -1, func(c *call) { c.k = 0 })
				for i := range 3 {
					try("short", i, func(*call) {})
					try("ld 0", -1, func(c *call) { c.ld[i] = 0 })
					try("ld 5", -1, func(c *call) { c.ld[i] = 5 })
					try("empty and ld 0", -1, func(c *call) { c.n, c.ld[i] = 0, 0 })
					try("k 0 and ld 0", -1, func(c *call) { c.k, c.ld[i] = 0, 0 })
				}
			}
		}
	}
	if len(seen) < 18 {
		t.Errorf("%d different messages: %v", len(seen), seen)
	}
}

// TestAllocations: calls allocate nothing in steady state.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const n = 100
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		b := New(e)
		for _, routines := range levels {
			for _, routine := range routines {
				for _, inc := range []int{1, 2, -2} {
					for _, side := range []blas.Side{blas.Left, blas.Right} {
						for _, tA := range []blas.Transpose{blas.NoTrans, blas.Trans} {
							c := &call{routine: routine, tA: tA, tB: blas.NoTrans, side: side, ul: blas.Lower, diag: blas.Unit,
								m: n, n: n, k: n, alpha: 1e-3, beta: 1}
							forms := c.forms()
							d, d32 := make([][]float64, len(forms), 8), make([][]float32, len(forms), 8)
							for i, f := range forms {
								c.ld[i] = f.cols
								if f.vector {
									c.ld[i] = inc
								}
								d[i], d32[i] = make([]float64, f.length(c.ld[i])), make([]float32, f.length(c.ld[i]))
							}
							f, f32 := api64(b), api32(b)
							if got := testing.AllocsPerRun(3, func() { invoke(f, c, d); invoke(f32, c, d32) }); got != 0 {
								t.Errorf("%v: %v allocations", c, got)
							}
						}
					}
				}
			}
		}
	})
}
