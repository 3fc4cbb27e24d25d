package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The tests of this file hold the promise of doc.go bit for bit: against a
// scalar emulation where it says which operations run in which order, and one
// Set against another for the rest.

// multiplyAdd returns a·b + c as s computes it: rounded once, or after each
// operation.
func multiplyAdd[T Float](s *Set, a, b, c T) T {
	switch {
	case !fused(s):
		return T(a*b) + c
	case isDouble[T]():
		return T(math.FMA(float64(a), float64(b), float64(c)))
	}
	return T(fma(float32(a), float32(b), float32(c)))
}

// fma returns a·b + c rounded once. The product of two float32 is exact in
// float64. The sum is not, and rounding it to float64 and then to float32 could
// err where the first rounding lands between two float32: so it is rounded to
// odd instead, which keeps the second rounding right (Boldo & Melquiond 2008).
func fma(a, b, c float32) float32 {
	x, y := float64(a)*float64(b), float64(c)
	sum := x + y
	// Knuth's two-sum: sum + rest is x + y exactly.
	t := sum - x
	rest := (x - (sum - t)) + (y - t)
	if bits := math.Float64bits(sum); rest != 0 && bits&1 == 0 && !math.IsInf(sum, 0) && !math.IsNaN(rest) {
		if (rest > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return float32(sum)
}

func TestFMA(t *testing.T) {
	for _, c := range []struct{ a, b, c, want float32 }{
		{2, 3, 4, 10},
		{1 + 0x1p-23, 1 + 0x1p-23, 0, 1 + 0x1p-22},
		{1 + 0x1p-23, 1 + 0x1p-23, -1 - 0x1p-22, 0x1p-46},
		// Half a unit and a little: rounding twice would go to even, down.
		{0x1p-24, 1 + 0x1p-23, 1 + 0x1p-22, 1 + 0x1p-22 + 0x1p-23},
		{0x1p-12, 0x1p-12, 1, 1},
		{0x1p-12, 0x1p-12 + 0x1p-35, 1, 1 + 0x1p-23},
		{-0x1p-100, 0x1p-100, 1 + 0x1p-23, 1 + 0x1p-23},
		{0x1p-75, 0x1p-75, 0, 0}, // a tie with even 0
		{0x1p-75, 0x1p-75 + 0x1p-98, 0, 0x1p-149},
		{math.MaxFloat32, 2, float32(math.Inf(-1)), float32(math.Inf(-1))},
	} {
		if got := fma(c.a, c.b, c.c); !sameBits(got, c.want) {
			t.Errorf("fma(%x, %x, %x) = %x, want %x", c.a, c.b, c.c, got, c.want)
		}
	}
}

// rough draws values of all sizes, and now and then one that is special.
func rough(r *rand.Rand) float64 {
	switch u := r.Uint32(); {
	case u < 1<<24: // one in 256
		return float64(specials[r.IntN(len(specials))])
	case u < 1<<31:
		return normal(r)
	}
	return math.Ldexp(r.NormFloat64(), r.IntN(120)-80)
}

// roughDouble is rough for the range of float64.
func roughDouble(r *rand.Rand) float64 {
	switch u := r.Uint32(); {
	case u < 1<<24: // one in 256
		return doubleSpecials[r.IntN(len(doubleSpecials))]
	case u < 1<<31:
		return normal(r)
	}
	return math.Ldexp(r.NormFloat64(), r.IntN(1000)-650)
}

func roughOf[T Float]() func(*rand.Rand) float64 {
	if isDouble[T]() {
		return roughDouble
	}
	return rough
}

// laid returns freshly filled operands in plain memory.
func laid[T Float](ops []operand, r *rand.Rand, fill func(*rand.Rand) float64) [][]T {
	x := make([][]T, len(ops))
	for i, op := range ops {
		x[i] = make([]T, op.len())
		if op.encode != nil {
			op.encode(r, any(x[i]).([]float32))
			continue
		}
		for j := range x[i] {
			x[i][j] = T(fill(r))
		}
	}
	return x
}

func cloneAll[T Float](x [][]T) [][]T {
	y := make([][]T, len(x))
	for i := range x {
		y[i] = slices.Clone(x[i])
	}
	return y
}

// TestTilesAreChains holds every element of every tile to the scalar chain
// k-ascending from its start value. So tiles of all heights and widths agree,
// and so do the Sets that fuse.
func TestTilesAreChains(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		t.Run("float32", testTilesAreChains[float32](s))
		t.Run("float64", testTilesAreChains[float64](s))
	})
}

func testTilesAreChains[T Float](s *Set) func(*testing.T) {
	return func(t *testing.T) {
		for _, tile := range tiles[T](s) {
			t.Run(tile.name, func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(3, 4))
				for i, sh := range tileShapes(tile) {
					fill := normal
					if i%2 == 0 {
						fill = roughOf[T]()
					}
					if err := checkChain(s, tile, sh, laid[T](tileOperands(of[T](s).NR, sh), r, fill)); err != nil {
						t.Fatalf("%v: %v", sh, err)
					}
				}
			})
		}
	}
}

// checkChain runs a tile on x and compares it with its chain. The activation of
// a tile is the Set's function on slices.
func checkChain[T Float](s *Set, tile namedTile[T], sh shape, x [][]T) error {
	want := chain(s, sh, x)
	if y, ok := any(want).([]float32); ok {
		applyAct(s, sh.tile.act, y)
	}
	callTile(tile, of[T](s).NR, sh, x)
	for i := range sh.tile.rows {
		for j := range sh.n {
			if got, want := x[0][i*sh.ldc()+j], want[i*sh.n+j]; !sameValue(got, want) {
				return fmt.Errorf("row %d, column %d is %x, the chain %x", i, j, got, want)
			}
		}
	}
	return nil
}

// applyAct applies the function of a tile.
func applyAct(s *Set, act Act, y []float32) {
	switch act {
	case ReLU:
		s.ReLU(y, y)
	case Tanh:
		s.Tanh(y, y)
	case Sigmoid:
		s.Sigmoid(y, y)
	}
}

// chain computes S + bias + A·B as doc.go says, dense.
func chain[T Float](s *Set, sh shape, x [][]T) []T {
	b := unpackB(of[T](s).NR, sh, x[2])
	start, lds := startOf(sh, x)
	c := make([]T, 0, sh.tile.rows*sh.n)
	for i := range sh.tile.rows {
		for j := range sh.n {
			sum := start[i*lds+j]
			for p := range sh.k {
				a := i*sh.lda() + p
				if sh.tile.transA {
					a = p*sh.lda() + i
				}
				sum = multiplyAdd(s, x[1][a], b[p*sh.n+j], sum)
			}
			c = append(c, sum)
		}
	}
	return c
}

// TestReductionsKeepLanes holds reductions to the lanes and the tree of Kernels.Dot, and
// vectors times rows to chains.
func TestReductionsKeepLanes(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		t.Run("float32", testReductions[float32](s))
		t.Run("float64", testReductions[float64](s))
		t.Run("softmax", func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			for _, n := range sizes[1:] {
				x := laid[float32]([]operand{vector(n, in, normal)}, r, normal)[0]
				top := slices.Max(x)
				e := make([]float32, n)
				for i := range e {
					e[i] = x[i] - top
				}
				s.Exp(e, e)
				want := inLanes(n, func(i int, sum float32) float32 { return sum + e[i] })
				max, sum := s.Softmax(x, 1)
				if !sameBits(max, top) || !sameBits(sum, want) {
					t.Errorf("Softmax of %d returned %x, %x, want %x, %x", n, max, sum, top, want)
				}
			}
		})
	})
}

func testReductions[T Float](s *Set) func(*testing.T) {
	const rows = 29 // every group of rows that a kernel takes at once, and a few left over
	return func(t *testing.T) {
		k := of[T](s)
		r := rand.New(rand.NewPCG(5, 6))
		for _, n := range append(sizes[:len(sizes):len(sizes)], 8195) { // Gemv of AVX2 treats long rows in another way
			fill, lda := normal, n+n%3
			if n%2 == 0 {
				fill = roughOf[T]()
			}
			all := laid[T]([]operand{vector(n, in, nil), vector(rows*lda, in, nil), vector(rows, in, nil), vector(n, in, nil)}, r, fill)
			x, a, z, y := all[0], all[1], all[2], all[3]
			product := func(y []T) T {
				return inLanes(n, func(i int, sum T) T { return multiplyAdd(s, x[i], y[i], sum) })
			}
			check := func(name string, got, want T) {
				t.Helper()
				if !sameValue(got, want) {
					t.Fatalf("%s of %d: %x, want %x", name, n, got, want)
				}
			}
			check("Dot", k.Dot(x, y), product(y))
			check("SumSq", k.SumSq(x), product(x))
			check("AbsSum", k.AbsSum(x), inLanes(n, func(i int, sum T) T { return sum + T(math.Abs(float64(x[i]))) }))

			var largest T
			for _, v := range x {
				if v = T(math.Abs(float64(v))); v > largest { // not NaN
					largest = v
				}
			}
			check("MaxAbs", k.MaxAbs(x), largest)

			m := n % (rows + 1)
			dots := make([]T, m)
			k.Gemv(m, first(dots), first(a), lda, x, 1, 0)
			for i, got := range dots {
				check("Gemv", got, product(a[i*lda:][:n]))
			}
			sum := slices.Clone(z[:m])
			k.Gemv(m, first(sum), first(a), lda, x, z[0], z[1])
			for i, got := range sum {
				check("Gemv", got, T(z[0]*dots[i])+T(z[1]*z[i]))
			}
			want, factor := slices.Clone(y), z[1]
			for i, v := range z[:m] {
				for j := range want {
					want[j] = multiplyAdd(s, factor*v, a[i*lda+j], want[j])
				}
			}
			sums := slices.Clone(y)
			k.GemvT(m, sums, first(a), lda, first(z), factor)
			for j := range sums {
				check("GemvT", sums[j], want[j])
			}
			outer := slices.Clone(a)
			k.Ger(m, first(outer), lda, first(z), 1, x, factor)
			for i := range m {
				for j := range n {
					check("Ger", outer[i*lda+j], multiplyAdd(s, factor*z[i], x[j], a[i*lda+j]))
				}
			}
			for j := range want {
				want[j] = multiplyAdd(s, z[0], x[j], y[j])
			}
			k.Axpy(y, x, z[0])
			for j := range y {
				check("Axpy", y[j], want[j])
			}
		}
	}
}

// inLanes is a reduction of n elements: add folds element i into a sum.
func inLanes[T Float](n int, add func(i int, sum T) T) T {
	lanes := make([]T, laneCount[T]())
	for i := range n {
		lanes[i%len(lanes)] = add(i, lanes[i%len(lanes)])
	}
	v := make([]T, len(lanes)/4)
	for i := range v {
		q := len(v)
		v[i] = (lanes[i] + lanes[q+i]) + (lanes[2*q+i] + lanes[3*q+i])
	}
	for half := len(v) / 2; half > 0; half /= 2 {
		for i := range half {
			v[i] += v[i+half]
		}
	}
	return v[0]
}

// TestZeroSums: a sum whose products underflow is +0, in each Set and for each length.
func TestZeroSums(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		testZeroSums[float32](t, s)
		testZeroSums[float64](t, s)
	})
}

func testZeroSums[T Float](t *testing.T, s *Set) {
	const rows, most = 5, 2*Lanes + 9
	k, tiny := of[T](s), least[T]()
	a, x := make([]T, rows*most), make([]T, most)
	for i := range a {
		a[i] = T(tiny)
	}
	for i := range x {
		x[i] = T(-tiny)
	}
	zero := func(what string, n int, v T) {
		if v != 0 || math.Signbit(float64(v)) {
			t.Errorf("%s of %d elements of %T is %v, want +0", what, n, v, v)
		}
	}
	for n := range most + 1 {
		zero("Dot", n, k.Dot(a[:n], x[:n]))
		var y [rows]T
		k.Gemv(rows, &y[0], &a[0], most, x[:n], 1, 0)
		for _, v := range y {
			zero("Gemv", n, v)
		}
	}
}

// TestSetsAgree gives the same operands to every Set that fuses and compares
// bits. Tiles, panels and triangles depend on the Set: TestTilesAreChains and
// TestTrianglesAreChains compare them.
func TestSetsAgree(t *testing.T) {
	sets := slices.DeleteFunc(floatSets(), func(s *Set) bool { return !fused(s) })
	if len(sets) < 2 {
		t.Skip("there are not two such Sets on this machine; BATCHRNN_REQUIRE_ISA makes a missing one fail")
	}
	testSetsAgree(t, sets, slots)
	testSetsAgree(t, sets, doubleSlots)
}

func testSetsAgree[T Float](t *testing.T, sets []*Set, slots func(*Set) []slot[T]) {
	first, others := slots(sets[0]), map[string][]slot[T]{}
	for _, s := range sets[1:] {
		others[s.Name] = slots(s)
	}
	for i, sl := range first {
		switch sl.field {
		case "Gemm", "Pack", "PackT", "Strip", "Trsm", "Trmm":
			continue
		}
		t.Run(sl.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 8))
			for j, sh := range sl.shapes {
				fill := normal
				if j%2 == 0 {
					fill = roughOf[T]()
				}
				x := laid[T](sl.operands(sh), r, fill)
				if sh.alias != 0 {
					x[0] = x[sh.alias]
				}
				for name, list := range others {
					if err := sameCall(sl, list[i], sh, x); err != nil {
						t.Fatalf("%s against %s, %v: %v", sets[0].Name, name, sh, err)
					}
				}
			}
		})
	}
}

// sameCall runs two kernels on copies of x.
func sameCall[T Float](a, b slot[T], sh shape, x [][]T) error {
	var scalarsA, scalarsB [2]T
	xa, xb := cloneAll(x), cloneAll(x)
	a.call(sh, xa, &scalarsA)
	b.call(sh, xb, &scalarsB)
	for i := range scalarsA {
		// What the maximum is where there is a NaN is nobody's business.
		if a.field == "Softmax" && math.IsNaN(float64(scalarsA[1])) && math.IsNaN(float64(scalarsB[1])) {
			break
		}
		if !sameValue(scalarsA[i], scalarsB[i]) {
			return fmt.Errorf("result %d: %x and %x", i, scalarsA[i], scalarsB[i])
		}
	}
	for i := range xa {
		for j := range xa[i] {
			if !sameValue(xa[i][j], xb[i][j]) {
				return fmt.Errorf("operand %d, element %d: %x and %x", i, j, xa[i][j], xb[i][j])
			}
		}
	}
	return nil
}
