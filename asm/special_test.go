package asm

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels/ref"
)

var (
	inf          = float32(math.Inf(1))
	nan          = float32(math.NaN())
	negativeZero = float32(math.Copysign(0, -1))
)

// specials are the values that a kernel is most likely to get wrong.
var specials = []float32{
	0, negativeZero, inf, -inf, nan, -nan, canary[float32](),
	math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
	0x1p-127, -0x1p-127, // subnormal
	0x1p-126, -0x1p-126, // the least normal
	math.MaxFloat32, -math.MaxFloat32,
	1, -1, 1 - 0x1p-24, 1 + 0x1p-23,
	0x1p-12, -0x1p-12, 0x1p-25,
	// About the ends of exp: overflow, the least normal, the least subnormal.
	88.72283, 88.72284, 89, -87.33654, -87.33655, -103.2789, -103.97207, -103.97208, -104.5,
	// About where tanh and sigmoid become 1.
	9.010913, 9.02, -9.02, 10, -10, 16.635532, 17.4, -17.4, 44, -44, 200, -200,
}

var doubleSpecials = []float64{
	0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), -math.NaN(), canary[float64](),
	math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64,
	0x1p-1023, -0x1p-1023, // subnormal
	0x1p-1022, -0x1p-1022, // the least normal
	math.MaxFloat64, -math.MaxFloat64,
	math.MaxFloat32, 0x1p-149, 0x1p128, // what float32 ends at
	1, -1, 1 - 0x1p-53, 1 + 0x1p-52,
	0x1p-26, -0x1p-26, 0x1p-54, 0x1p511, 0x1p512, 0x1p-537,
}

// exactPoints are where a function must not be a single bit off.
var exactPoints = map[string][]struct{ x, y float32 }{
	"tanh": {
		{0, 0}, {negativeZero, negativeZero}, {inf, 1}, {-inf, -1}, {math.MaxFloat32, 1}, {-math.MaxFloat32, -1},
		{math.SmallestNonzeroFloat32, math.SmallestNonzeroFloat32}, {-0x1p-127, -0x1p-127}, {10, 1}, {-10, -1},
	},
	"sigmoid": {
		{0, 0.5}, {negativeZero, 0.5}, {inf, 1}, {-inf, 0}, {math.MaxFloat32, 1}, {-math.MaxFloat32, 0}, {200, 1}, {-200, 0},
	},
	"exp": {
		{0, 1}, {negativeZero, 1}, {inf, inf}, {-inf, 0}, {math.MaxFloat32, inf}, {-math.MaxFloat32, 0}, {89, inf}, {-104.5, 0},
	},
	"log": {
		{0, -inf}, {negativeZero, -inf}, {inf, inf}, {-inf, nan}, {-1, nan}, {-math.SmallestNonzeroFloat32, nan}, {1, 0},
		{math.SmallestNonzeroFloat32, -0x1.9d1dap+06}, {math.MaxFloat32, 0x1.62e43p+06},
	},
	"sqrt": {
		{0, 0}, {negativeZero, negativeZero}, {inf, inf}, {4, 2}, {0x1p-148, 0x1p-74},
	},
	"relu": {
		{0, 0}, {negativeZero, negativeZero}, {inf, inf}, {-inf, 0}, {-math.SmallestNonzeroFloat32, 0}, {-1, 0},
	},
}

// TestSpecialValues runs the functions of one variable on every special value
// in every position of a vector.
func TestSpecialValues(t *testing.T) {
	const n = 67
	eachSet(t, func(t *testing.T, s *Set) {
		for _, f := range functions {
			dst := make([]float32, n)
			for _, x := range specials {
				for at := range n {
					src := fillWith[float32](n, 0.25)
					src[at] = x
					f.slot(s)(dst, src)
					for i, y := range dst {
						if err := ref.ULPError(y, f.truth(float64(src[i]))); !(err <= f.ulps) {
							t.Fatalf("%s(%x) at %d of %d is %x, %.2f ULP off", f.name, src[i], i, n, y, err)
						}
					}
				}
			}
			for _, p := range exactPoints[f.name] {
				f.slot(s)(dst, fillWith(n, p.x))
				for i, y := range dst {
					if !sameBits(y, p.y) {
						t.Errorf("%s(%x) at %d is %x, want %x", f.name, p.x, i, y, p.y)
						break
					}
				}
			}
		}
	})
}

// TestNaNPropagates puts one NaN into each operand of each kernel and looks for
// it in the results that depend on it: of an element-wise kernel the element
// at its place, of a reduction the sum.
func TestNaNPropagates(t *testing.T) {
	const m, n, at = 3, 67, 41
	eachSet(t, func(t *testing.T, s *Set) {
		x := func() []float32 { return fillWith[float32](m*n, 0.5) }
		poisoned := func() []float32 {
			v := x()
			v[at] = nan
			return v
		}
		check := func(name string, y ...float32) {
			t.Helper()
			for _, v := range y {
				if v == v {
					t.Errorf("%s: NaN became %g", name, v)
				}
			}
		}

		for name, grad := range map[string]func(m, n int, d *float32, ldd int, y *float32, ldy int){
			"TanhGrad": s.TanhGrad, "SigmoidGrad": s.SigmoidGrad, "ReLUGrad": s.ReLUGrad,
		} {
			d := poisoned()
			grad(m, n, &d[0], n, &x()[0], n)
			check(name+", d", d[at])
			if name == "ReLUGrad" { // asks only for the sign of y
				continue
			}
			d = x()
			grad(m, n, &d[0], n, &poisoned()[0], n)
			check(name+", y", d[at])
		}

		d := poisoned()
		_, sum := s.Softmax(d, 1)
		check("Softmax", sum)
		check("Softmax", d...)

		d = x()
		s.Add(d, poisoned(), x())
		check("Add, a", d[at])
		s.Add(d, x(), poisoned())
		check("Add, b", d[at])
		s.Mul(d, poisoned(), make([]float32, len(d))) // NaN times 0 is NaN
		check("Mul, a", d[at])
		s.Mul(d, make([]float32, len(d)), poisoned())
		check("Mul, b", d[at])
		d = x()[:n]
		s.ColSums(m, d, &poisoned()[0], n)
		check("ColSums", d[at])

		d = x()
		s.SGD(d, poisoned(), 1, 0)
		check("SGD", d[at])
		d = x()
		state := x()
		s.Adagrad(d, poisoned(), state, 1, 0, 1)
		check("Adagrad", d[at], state[at])
		d = x()
		first, second := x(), x()
		s.Adam(d, poisoned(), first, second, adamArgs)
		check("Adam", d[at], first[at], second[at])
	})
}

// TestNaNPropagatesInBoth is TestNaNPropagates for kernels of both types of element.
func TestNaNPropagatesInBoth(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		testNaNPropagates[float32](t, s)
		testNaNPropagates[float64](t, s)
	})
}

func testNaNPropagates[T Float](t *testing.T, s *Set) {
	const m, n = 3, 67
	k, nan := of[T](s), T(math.NaN())
	x := func() []T { return fillWith(m*n, T(0.5)) }
	check := func(name string, at int, y ...T) {
		t.Helper()
		for _, v := range y {
			if v == v {
				t.Fatalf("%s of %T, NaN at %d: became %g", name, v, at, v)
			}
		}
	}
	for at := range m * n {
		poisoned := func() []T {
			v := x()
			v[at] = nan
			return v
		}
		d := x()
		k.Axpy(d, poisoned(), 0) // 0 times NaN is NaN
		check("Axpy, x", at, d[at])
		d = x()
		k.Axpy(d, x(), nan)
		check("Axpy, alpha", at, d...)
		d = poisoned()
		k.Scale(d, 0)
		check("Scale", at, d[at])
		check("Dot", at, k.Dot(poisoned(), x()), k.Dot(x(), poisoned()), k.SumSq(poisoned()), k.AbsSum(poisoned()))
		d = poisoned()
		d[(at+1)%len(d)] = T(math.Inf(-1))
		if got := k.MaxAbs(d); got != T(math.Inf(1)) {
			t.Errorf("%s: MaxAbs with NaN at %d: %v, want +Inf", s.Name, at, got)
		}
		d[(at+1)%len(d)] = -1e30
		if got := k.MaxAbs(d); got != 1e30 {
			t.Errorf("%s: MaxAbs with NaN at %d: %v, want 1e30", s.Name, at, got)
		}
		d = x()[:m]
		k.Gemv(m, &d[0], &poisoned()[0], n, make([]T, n), 1, 0)
		check("Gemv, A", at, d[at/n])
		d = x()[:n]
		k.GemvT(m, d, &poisoned()[0], n, &make([]T, m)[0], 1)
		check("GemvT, A", at, d[at%n])
		d = x()[:n]
		k.GemvT(m, d, &make([]T, m*n)[0], n, &make([]T, m)[0], nan)
		check("GemvT, alpha", at, d...)
		for _, factors := range [][2]T{{nan, 0}, {0, nan}, {nan, nan}} {
			d = x()[:m]
			k.Gemv(m, &d[0], &make([]T, m*n)[0], n, make([]T, n), factors[0], factors[1])
			check("Gemv, alpha and beta", at, d...)
		}
		if at < m {
			d = poisoned()[:m]
			k.Gemv(m, &d[0], &make([]T, m*n)[0], n, make([]T, n), 1, 1)
			check("Gemv, y", at, d[at])
			k.Gemv(m, &d[0], &make([]T, m*n)[0], n, make([]T, n), 1, T(math.Copysign(0, -1)))
			if d[at] != 0 {
				t.Errorf("%s: Gemv with beta = -0 reads y[%d]", s.Name, at)
			}
		}
		if at < n {
			d = x()[:m]
			k.Gemv(m, &d[0], &make([]T, m*n)[0], n, poisoned()[:n], 1, 0)
			check("Gemv, x", at, d...)
		}
		if at < m {
			d = x()[:n]
			k.GemvT(m, d, &make([]T, m*n)[0], n, &poisoned()[0], 1)
			check("GemvT, x", at, d...)
		}
	}
}

// TestReLUGradAtZero holds the sign rule of ReLUGrad, where y <= 0 takes
// whatever d is away.
func TestReLUGradAtZero(t *testing.T) {
	y := []float32{0, negativeZero, -1, -inf, math.SmallestNonzeroFloat32, 1, inf, nan}
	want := []float32{0, 0, 0, 0, 7, 7, 7, 7}
	eachSet(t, func(t *testing.T, s *Set) {
		d := fillWith[float32](len(y), 7)
		s.ReLUGrad(1, len(y), &d[0], len(y), &y[0], len(y))
		if !slices.Equal(d, want) {
			t.Errorf("for y = %v: %v, want %v", y, d, want)
		}
		d = fillWith(len(y), nan)
		s.ReLUGrad(1, len(y), &d[0], len(y), &y[0], len(y))
		if d[0] != 0 || d[2] != 0 || d[5] == d[5] {
			t.Errorf("for y = %v and d = NaN: %v", y, d)
		}
	})
}

// TestSoftmaxExtremes checks rows that overflow without the maximum.
func TestSoftmaxExtremes(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		x := []float32{math.MaxFloat32, -math.MaxFloat32, -inf, 0}
		max, sum := s.Softmax(x, 2)
		if max != math.MaxFloat32 || sum != 1 || !slices.Equal(x, []float32{2, 0, 0, 0}) {
			t.Errorf("one large: max %g, sum %g, %v", max, sum, x)
		}
		x = fillWith[float32](100, -1000)
		max, sum = s.Softmax(x, 1)
		if max != -1000 || sum != 100 || !(math.Abs(float64(x[99])-0.01) <= 1e-9) {
			t.Errorf("all equal: max %g, sum %g, %v", max, sum, x[99])
		}
	})
}

// TestTilesSkipNothing multiplies zeros with NaN and infinities, at every place
// of A and of B and in every tile.
func TestTilesSkipNothing(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		testTilesSkipNothing[float32](t, s)
		testTilesSkipNothing[float64](t, s)
	})
}

func testTilesSkipNothing[T Float](t *testing.T, s *Set) {
	const k = 9
	nr := of[T](s).NR
	for _, tile := range tiles[T](s) {
		sh := shape{n: tile.cols, k: k, tile: tile.shape()}
		x := laid[T](tileOperands(nr, sh), nil, func(*rand.Rand) float64 { return 0 })
		a, b, c := x[1], x[2], x[0]
		for _, v := range []T{T(nan), T(inf), T(-inf)} {
			for i := range a {
				a[i] = v
				callTile(tile, nr, sh, x)
				a[i] = 0
				for j := range c {
					if bad := c[j] != c[j]; bad != (j/sh.ldc() == i/sh.lda()) {
						t.Fatalf("%s: %g at %d of A gives %g at %d of C", tile.name, v, i, c[j], j)
					}
				}
			}
			for i := range b {
				column := i/panelStride(nr, sh)*nr + i%nr
				b[i] = v
				callTile(tile, nr, sh, x)
				b[i] = 0
				for j := range c {
					if bad := c[j] != c[j]; bad != (j%sh.ldc() == column) {
						t.Fatalf("%s: %g at %d of B gives %g at %d of C", tile.name, v, i, c[j], j)
					}
				}
			}
		}
	}
}

// TestMulSpecials multiplies every special value by every other, at every place of a
// vector with a tail.
func TestMulSpecials(t *testing.T) {
	const n = 67
	eachSet(t, func(t *testing.T, s *Set) {
		dst := make([]float32, n)
		for _, v := range specials {
			for _, w := range specials {
				s.Mul(dst, fillWith(n, v), fillWith(n, w))
				want := v * w
				for i, got := range dst {
					if !sameBits(got, want) && (got == got || want == want) {
						t.Fatalf("%x·%x at %d is %x, want %x", v, w, i, got, want)
					}
				}
			}
		}
	})
}

func fillWith[T Float](n int, v T) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = v
	}
	return x
}
