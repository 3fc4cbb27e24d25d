package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"unsafe"

	"batchrnn/kernels/ref"
)

// This file is the one list of what there is to test. A kernel is added to it
// by describing its operands and its result; the tests of memory, values,
// special values, exactness and allocation then all take it up.

// A slot is one kernel of one Set.
type slot[T Float] struct {
	name  string // as in "Gemm/4x3"
	field string // of Set
	// shapes are the calls that the tests make.
	shapes []shape
	// operands lists the slices that a call takes.
	operands func(shape) []operand
	// call runs the kernel on slices in the order of operands and stores what
	// it returns in scalars.
	call func(sh shape, x [][]T, scalars *[2]T)
	// want computes from the operands before a call what the written ones hold
	// after it, as dense matrices, nil for the others, and what it returns.
	want func(sh shape, x [][]T) (written [][]expect, scalars []expect)
}

// A shape is all that a call's slices and strides follow from. Each kernel uses
// what it needs of it.
type shape struct {
	m, n, k int
	gap     int // unused floats between one row and the next
	alias   int // if not 0, operand 0 is also operand alias
	tile    tileShape
}

// An operand is a matrix in a slice, or a vector as its only row.
type operand struct {
	rows, cols, ld int
	access         access
	aligned        bool // to 64 bytes
	fill           func(*rand.Rand) float64
	encode         func(r *rand.Rand, x []float32) // if not nil, sets all elements in the place of fill
}

type access int

const (
	in access = iota
	out
	inOut
)

// len is the number of floats from the first element to the last.
func (o operand) len() int {
	if o.rows == 0 || o.cols == 0 {
		return 0
	}
	return (o.rows-1)*o.ld + o.cols
}

// has reports whether element i of the slice belongs to the matrix, not to a
// gap between its rows.
func (o operand) has(i int) bool { return o.ld == 0 || i%o.ld < o.cols }

func vector(n int, a access, fill func(*rand.Rand) float64) operand {
	return operand{rows: 1, cols: n, ld: max(n, 1), access: a, fill: fill}
}

// expect is a value and how far from it a result may be.
type expect struct{ value, tolerance float64 }

func exactly[T Float](v T) expect { return expect{value: float64(v)} }

func met[T Float](e expect, got T) bool {
	g := float64(got)
	switch {
	case math.IsNaN(e.value):
		return math.IsNaN(g)
	case math.IsInf(g, 0) && isDouble[T]():
		return g == e.value
	case math.IsInf(g, 0): // an infinity stands for what it is rounded from
		return ref.ULPError(float32(got), e.value)*ref.ULP(e.value) <= e.tolerance
	}
	return math.Abs(g-e.value) <= e.tolerance
}

// eps is half a unit in the last place of 1: what one rounding may do.
const eps = 0x1p-24

// slack covers a rounding among the subnormals.
const slack = 0x1p-148

// rounding and least are eps and slack for a type of element.
func rounding[T Float]() float64 {
	if isDouble[T]() {
		return 0x1p-53
	}
	return eps
}

func least[T Float]() float64 {
	if isDouble[T]() {
		return 0x1p-1073
	}
	return slack
}

func normal(r *rand.Rand) float64   { return r.NormFloat64() * 2 }
func positive(r *rand.Rand) float64 { return r.ExpFloat64() }
func unit(r *rand.Rand) float64     { return r.Float64() }
func signed(r *rand.Rand) float64   { return 2*r.Float64() - 1 }

// sizes are the lengths of vectors: every tail behind up to four rounds of the
// longest reduction, then a few blocks.
var sizes = func() (n []int) {
	for i := range 4*Lanes + 2 {
		n = append(n, i)
	}
	return append(n, 1000, 1023, 1025, 4099)
}()

func vectors(least int, aliases ...int) (sh []shape) {
	for _, n := range sizes {
		if n < least {
			continue
		}
		sh = append(sh, shape{n: n})
		for _, a := range aliases {
			sh = append(sh, shape{n: n, alias: a})
		}
	}
	return sh
}

func matrices() (sh []shape) {
	for n := range 4*16 + 2 {
		for _, m := range []int{0, 1, 2, 5} {
			sh = append(sh, shape{m: m, n: n, gap: (m + n) % 3 * 5})
		}
	}
	return append(sh, shape{m: 3, n: 1001, gap: 7})
}

// gemvShapes are shapes of Gemv. k tells those in which y is read.
func gemvShapes() (sh []shape) {
	for i, s := range blockShapes() {
		s.k = i % 2
		sh = append(sh, s)
		if s.m > 2 {
			s.k = 1 - s.k
			sh = append(sh, s)
		}
	}
	return sh
}

func gemvBeta(sh shape) float64 { return 0.75 * float64(sh.k) }

// blockShapes are matrices with all numbers of vectors in a block of columns, and more
// rows than are computed together.
func blockShapes() []shape {
	sh := matrices()
	for n := 65; n < 280; n += 5 {
		sh = append(sh, shape{m: 1 + n%11, n: n, gap: n % 4 * 8})
	}
	return append(sh, shape{m: 9, n: 128}, shape{m: 8, n: 256, gap: 1})
}

// slots lists every kernel of s.
func slots(s *Set) []slot[float32] {
	list := []slot[float32]{
		elementwise("Tanh", s.Tanh, functions[0]),
		elementwise("Sigmoid", s.Sigmoid, functions[1]),
		elementwise("Exp", s.Exp, functions[2]),
		elementwise("ReLU", s.ReLU, functions[3]),
		elementwise("Log", s.Log, functions[4]),
		elementwise("Sqrt", s.Sqrt, functions[5]),
		gradient("TanhGrad", s.TanhGrad, ref.TanhGrad, 4*eps, signed),
		gradient("SigmoidGrad", s.SigmoidGrad, ref.SigmoidGrad, 4*eps, unit),
		gradient("ReLUGrad", s.ReLUGrad, ref.ReLUGrad, 0, normal),
		softmaxSlot(s),
		twoVectors("Add", s.Add, func(a, b float32) float32 { return a + b }),
		twoVectors("Mul", s.Mul, func(a, b float32) float32 { return a * b }),
		{
			name: "ColSums", field: "ColSums",
			shapes: matrices(),
			operands: func(sh shape) []operand {
				return []operand{vector(sh.n, inOut, normal), {rows: sh.m, cols: sh.n, ld: sh.n + sh.gap, fill: normal}}
			},
			call: func(sh shape, x [][]float32, _ *[2]float32) {
				s.ColSums(sh.m, x[0], first(x[1]), sh.n+sh.gap)
			},
			want: func(sh shape, x [][]float32) ([][]expect, []expect) {
				y := make([]expect, sh.n)
				sums, magnitude := ref.ColSums(sh.m, x[0], x[1], sh.n+sh.gap)
				for i, v := range sums {
					y[i] = expect{v, float64(sh.m)*eps*magnitude[i] + slack}
				}
				return [][]expect{y, nil}, nil
			},
		},
		optimizer("SGD", 0, nil,
			func(x [][]float32) { s.SGD(x[0], x[1], gradScale, learnRate) },
			func(x [][]float64) { ref.SGD(x[0], x[1], gradScale, learnRate) }),
		optimizer("Adagrad", 1, positive,
			func(x [][]float32) { s.Adagrad(x[0], x[1], x[2], gradScale, learnRate, rootEps) },
			func(x [][]float64) { ref.Adagrad(x[0], x[1], x[2], gradScale, learnRate, rootEps) }),
		optimizer("Adam", 2, positive,
			func(x [][]float32) { s.Adam(x[0], x[1], x[2], x[3], adamArgs) },
			func(x [][]float64) {
				ref.Adam(x[0], x[1], x[2], x[3], adamTime, gradScale, learnRate, adamBeta1, adamBeta2, rootEps)
			}),
		{
			name: "ReadControl", field: "ReadControl",
			shapes:   []shape{{}},
			operands: func(shape) []operand { return nil },
			call:     func(shape, [][]float32, *[2]float32) { control = s.ReadControl() },
			want:     func(shape, [][]float32) ([][]expect, []expect) { return nil, nil },
		},
		{
			name: "WriteControl", field: "WriteControl",
			shapes:   []shape{{}},
			operands: func(shape) []operand { return nil },
			call:     func(shape, [][]float32, *[2]float32) { s.WriteControl(Control) },
			want:     func(shape, [][]float32) ([][]expect, []expect) { return nil, nil },
		},
	}
	return slices.Concat(list, gatedSlots(s), kernelSlots[float32](s))
}

// doubleSlots lists every kernel of s on float64.
func doubleSlots(s *Set) []slot[float64] { return kernelSlots[float64](s) }

// of returns the kernels of s on a type of element.
func of[T Float](s *Set) *Kernels[T] {
	if k, ok := any(&s.Kernels).(*Kernels[T]); ok {
		return k
	}
	return any(&s.Double).(*Kernels[T])
}

// kernelSlots lists the kernels that exist for both types of element.
func kernelSlots[T Float](s *Set) []slot[T] { return append(linearSlots[T](s), tileSlots[T](s)...) }

// prefix begins the names of slots.
func prefix[T Float]() string {
	if isDouble[T]() {
		return "Double."
	}
	return ""
}

// linearSlots lists those that are no tiles.
func linearSlots[T Float](s *Set) []slot[T] {
	k := of[T](s)
	return append(triangleSlots(k), []slot[T]{
		{
			name: prefix[T]() + "Axpy", field: "Axpy",
			shapes: vectors(0),
			operands: func(sh shape) []operand {
				return []operand{vector(sh.n, inOut, normal), vector(sh.n, in, normal)}
			},
			call: func(sh shape, x [][]T, _ *[2]T) { k.Axpy(x[0], x[1], alpha) },
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				y := make([]expect, sh.n)
				for i, x1 := range x[1] {
					product := alpha * float64(x1)
					v := pair{hi: float64(x[0][i])}.add(alpha, float64(x1)).hi
					y[i] = expect{v, rounding[T]()*(math.Abs(product)+math.Abs(v)*1.01) + 0x1p-53*math.Abs(v) + least[T]()}
				}
				return [][]expect{y, nil}, nil
			},
		},
		{
			name: prefix[T]() + "Scale", field: "Scale",
			shapes:   vectors(0),
			operands: func(sh shape) []operand { return []operand{vector(sh.n, inOut, normal)} },
			call:     func(sh shape, x [][]T, _ *[2]T) { k.Scale(x[0], alpha) },
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				y := make([]expect, sh.n)
				for i, v := range x[0] {
					y[i] = exactly(alpha * v)
				}
				return [][]expect{y}, nil
			},
		},
		{
			name: prefix[T]() + "Dot", field: "Dot",
			shapes: vectors(0),
			operands: func(sh shape) []operand {
				return []operand{vector(sh.n, in, normal), vector(sh.n, in, normal)}
			},
			call: func(sh shape, x [][]T, scalars *[2]T) { scalars[0] = k.Dot(x[0], x[1]) },
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				return make([][]expect, 2), []expect{dotExpect(x[0], x[1])}
			},
		},
		{
			name: prefix[T]() + "SumSq", field: "SumSq",
			shapes:   vectors(0),
			operands: func(sh shape) []operand { return []operand{vector(sh.n, in, normal)} },
			call:     func(sh shape, x [][]T, scalars *[2]T) { scalars[0] = k.SumSq(x[0]) },
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				return make([][]expect, 1), []expect{dotExpect(x[0], x[0])}
			},
		},
		{
			name: prefix[T]() + "AbsSum", field: "AbsSum",
			shapes:   vectors(0),
			operands: func(sh shape) []operand { return []operand{vector(sh.n, in, normal)} },
			call:     func(sh shape, x [][]T, scalars *[2]T) { scalars[0] = k.AbsSum(x[0]) },
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				signs := make([]T, sh.n)
				for i, v := range x[0] {
					signs[i] = T(math.Copysign(1, float64(v)))
				}
				return make([][]expect, 1), []expect{dotExpect(x[0], signs)}
			},
		},
		{
			name: prefix[T]() + "MaxAbs", field: "MaxAbs",
			shapes:   vectors(0),
			operands: func(sh shape) []operand { return []operand{vector(sh.n, in, normal)} },
			call:     func(sh shape, x [][]T, scalars *[2]T) { scalars[0] = k.MaxAbs(x[0]) },
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				var largest T
				for _, v := range x[0] {
					largest = max(largest, v, -v)
				}
				return make([][]expect, 1), []expect{exactly(largest)}
			},
		},
		{
			name: prefix[T]() + "Gemv", field: "Gemv",
			shapes: gemvShapes(),
			operands: func(sh shape) []operand {
				y := vector(sh.m, out, nil)
				if gemvBeta(sh) != 0 {
					y = vector(sh.m, inOut, normal)
				}
				return []operand{y, {rows: sh.m, cols: sh.n, ld: sh.n + sh.gap, fill: normal}, vector(sh.n, in, normal)}
			},
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.Gemv(sh.m, first(x[0]), first(x[1]), sh.n+sh.gap, x[2], alpha, T(gemvBeta(sh)))
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				y := make([]expect, sh.m)
				for i := range y {
					if sh.n > 0 { // without columns A has no memory
						y[i] = dotExpect(x[1][i*(sh.n+sh.gap):][:sh.n], x[2])
					}
					y[i].value *= alpha
					y[i].tolerance += 2*rounding[T]()*math.Abs(y[i].value) + least[T]()
					if beta := gemvBeta(sh); beta != 0 {
						before := beta * float64(x[0][i])
						y[i].value += before
						y[i].tolerance += 2*rounding[T]()*(math.Abs(before)+math.Abs(y[i].value)) + least[T]()
					}
				}
				return [][]expect{y, nil, nil}, nil
			},
		},
		{
			name: prefix[T]() + "GemvT", field: "GemvT",
			shapes: blockShapes(),
			operands: func(sh shape) []operand {
				return []operand{vector(sh.n, inOut, normal), {rows: sh.m, cols: sh.n, ld: sh.n + sh.gap, fill: normal}, vector(sh.m, in, normal)}
			},
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.GemvT(sh.m, x[0], first(x[1]), sh.n+sh.gap, first(x[2]), alpha)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				y := make([]expect, sh.n)
				for j := range y {
					sum, magnitude := float64(x[0][j]), math.Abs(float64(x[0][j]))
					for i, v := range x[2] {
						product := float64(alpha*v) * float64(x[1][i*(sh.n+sh.gap)+j])
						sum += product
						magnitude += math.Abs(product)
					}
					y[j] = expect{sum, 2*float64(sh.m)*rounding[T]()*magnitude + least[T]()}
				}
				return [][]expect{y, nil, nil}, nil
			},
		},
		{
			name: prefix[T]() + "Ger", field: "Ger",
			shapes: blockShapes(),
			operands: func(sh shape) []operand {
				return []operand{{rows: sh.m, cols: sh.n, ld: sh.n + sh.gap, access: inOut, fill: normal}, {rows: sh.m, cols: 1, ld: 1 + sh.gap, fill: normal}, vector(sh.n, in, normal)}
			},
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.Ger(sh.m, first(x[0]), sh.n+sh.gap, first(x[1]), 1+sh.gap, x[2], alpha)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				a := make([]expect, 0, sh.m*sh.n)
				for i := range sh.m {
					for j, w := range x[2] {
						v := x[1][i*(1+sh.gap)]
						start, product := float64(x[0][i*(sh.n+sh.gap)+j]), float64(alpha*v)*float64(w)
						a = append(a, expect{start + product, 2*rounding[T]()*(math.Abs(start)+math.Abs(product)) + least[T]()})
					}
				}
				return [][]expect{a, nil, nil}, nil
			},
		},
		{
			name: prefix[T]() + "Pack", field: "Pack",
			shapes: packShapes(k.NR),
			operands: func(sh shape) []operand {
				panel := vector(sh.k*k.NR, out, nil)
				panel.aligned = true
				return []operand{panel, {rows: sh.k, cols: sh.n, ld: sh.n + sh.gap, fill: normal}}
			},
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.Pack(sh.k, sh.n, first(x[0]), first(x[1]), sh.n+sh.gap)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				panel := make([]expect, sh.k*k.NR)
				for p := range sh.k {
					for j := range sh.n {
						panel[p*k.NR+j] = exactly(x[1][p*(sh.n+sh.gap)+j])
					}
				}
				return [][]expect{panel, nil}, nil
			},
		},
		{
			name: prefix[T]() + "PackT", field: "PackT",
			shapes: packShapes(k.NR),
			operands: func(sh shape) []operand {
				panel := vector(sh.k*k.NR, out, nil)
				panel.aligned = true
				return []operand{panel, {rows: sh.n, cols: sh.k, ld: sh.k + sh.gap, fill: normal}}
			},
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.PackT(sh.k, sh.n, first(x[0]), first(x[1]), sh.k+sh.gap)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				panel := make([]expect, sh.k*k.NR)
				for p := range sh.k {
					for j := range sh.n {
						panel[p*k.NR+j] = exactly(x[1][j*(sh.k+sh.gap)+p])
					}
				}
				return [][]expect{panel, nil}, nil
			},
		},
		{
			name: prefix[T]() + "Strip", field: "Strip",
			shapes: packShapes(k.MR),
			operands: func(sh shape) []operand {
				return []operand{vector(sh.k*sh.n, out, nil), {rows: sh.k, cols: sh.n, ld: sh.n + sh.gap, fill: normal}}
			},
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.Strip(sh.k, sh.n, first(x[0]), first(x[1]), sh.n+sh.gap)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				strip := make([]expect, sh.k*sh.n)
				for i := range strip {
					strip[i] = exactly(x[1][i/sh.n*(sh.n+sh.gap)+i%sh.n])
				}
				return [][]expect{strip, nil}, nil
			},
		},
		{
			name: prefix[T]() + "FMAPeak", field: "FMAPeak",
			shapes:   []shape{{n: 0}, {n: 1}, {n: 7}},
			operands: func(shape) []operand { return nil },
			call:     func(sh shape, _ [][]T, _ *[2]T) { k.FMAPeak(sh.n) },
			want:     func(shape, [][]T) ([][]expect, []expect) { return nil, nil },
		},
	}...)
}

// A pair is an unevaluated sum of two float64: the oracle's accumulator, with about
// 106 bits.
type pair struct{ hi, lo float64 }

// add returns s + a·b, with a product that is exact.
func (s pair) add(a, b float64) pair {
	p := a * b
	low := math.FMA(a, b, -p)
	// Knuth's two-sum.
	sum := s.hi + p
	t := sum - s.hi
	low += s.lo + (s.hi - (sum - t)) + (p - t)
	hi := sum + low
	return pair{hi, low - (hi - sum)}
}

// dotExpect is Σ x·y in lanes.
func dotExpect[T Float](x, y []T) expect {
	sum, magnitude := pair{}, 0.0
	for i := range x {
		a, b := float64(x[i]), float64(y[i])
		sum = sum.add(a, b)
		magnitude += math.Abs(a * b)
	}
	roundings := float64(len(x))/float64(laneCount[T]()) + 8
	return expect{sum.hi, roundings*rounding[T]()*magnitude*1.01 + least[T]()}
}

var control uint32 // where the result of ReadControl goes; TestControl looks at it

// Scalar arguments. They have few bits, so that float64 reads them as float32
// does.
const (
	alpha     = -0.8125
	gradScale = 0.75
	learnRate = 0.0625
	rootEps   = 0x1p-20
	adamBeta1 = 0.875
	adamBeta2 = 0.96875
	adamTime  = 3
)

var adamArgs = &AdamArgs{
	Scale: gradScale,
	Beta1: adamBeta1, OneMinusBeta1: 1 - adamBeta1,
	Beta2: adamBeta2, OneMinusBeta2: 1 - adamBeta2,
	Step:      float32(learnRate / (1 - math.Pow(adamBeta1, adamTime))),
	RootScale: float32(1 / math.Sqrt(1-math.Pow(adamBeta2, adamTime))),
	Eps:       rootEps,
}

func elementwise(field string, f func(dst, src []float32), truth function) slot[float32] {
	return slot[float32]{
		name: field, field: field,
		shapes: vectors(0, 1),
		operands: func(sh shape) []operand {
			return []operand{vector(sh.n, out, nil), vector(sh.n, in, normal)}
		},
		call: func(sh shape, x [][]float32, _ *[2]float32) { f(x[0], x[1]) },
		want: func(sh shape, x [][]float32) ([][]expect, []expect) {
			y := make([]expect, sh.n)
			for i, v := range x[1] {
				value := truth.truth(float64(v))
				y[i] = expect{value, truth.ulps * ref.ULP(value)}
			}
			return [][]expect{y, nil}, nil
		},
	}
}

// twoVectors describes an operation on two vectors that is rounded once.
func twoVectors(field string, f func(dst, a, b []float32), op func(a, b float32) float32) slot[float32] {
	return slot[float32]{
		name: field, field: field,
		shapes: vectors(0, 1, 2),
		operands: func(sh shape) []operand {
			return []operand{vector(sh.n, out, nil), vector(sh.n, in, normal), vector(sh.n, in, normal)}
		},
		call: func(sh shape, x [][]float32, _ *[2]float32) { f(x[0], x[1], x[2]) },
		want: func(sh shape, x [][]float32) ([][]expect, []expect) {
			y := make([]expect, sh.n)
			for i := range y {
				y[i] = exactly(op(x[1][i], x[2][i]))
			}
			return [][]expect{y, nil, nil}, nil
		},
	}
}

// gradient describes D = D ∘ g'; tolerance is relative to |d|, of which g' takes
// at most all.
func gradient(field string, f func(m, n int, d *float32, ldd int, y *float32, ldy int), g func(y float64) float64, tolerance float64, fill func(*rand.Rand) float64) slot[float32] {
	ldy := func(sh shape) int { return sh.n + 2*sh.gap }
	return slot[float32]{
		name: field, field: field,
		shapes: matrices(),
		operands: func(sh shape) []operand {
			return []operand{
				{rows: sh.m, cols: sh.n, ld: sh.n + sh.gap, access: inOut, fill: normal},
				{rows: sh.m, cols: sh.n, ld: ldy(sh), fill: fill},
			}
		},
		call: func(sh shape, x [][]float32, _ *[2]float32) {
			f(sh.m, sh.n, first(x[0]), sh.n+sh.gap, first(x[1]), ldy(sh))
		},
		want: func(sh shape, x [][]float32) ([][]expect, []expect) {
			d := make([]expect, 0, sh.m*sh.n)
			for i := range sh.m {
				for j := range sh.n {
					dij, y := float64(x[0][i*(sh.n+sh.gap)+j]), float64(x[1][i*ldy(sh)+j])
					d = append(d, expect{dij * g(y), tolerance * math.Abs(dij)})
				}
			}
			return [][]expect{d, nil}, nil
		},
	}
}

func softmaxSlot(s *Set) slot[float32] {
	const scale = 0.375
	return slot[float32]{
		name: "Softmax", field: "Softmax",
		shapes:   vectors(1),
		operands: func(sh shape) []operand { return []operand{vector(sh.n, inOut, normal)} },
		call: func(sh shape, x [][]float32, scalars *[2]float32) {
			scalars[0], scalars[1] = s.Softmax(x[0], scale)
		},
		want: func(sh shape, x [][]float32) ([][]expect, []expect) {
			p, max, sum := ref.Softmax(x[0])
			// The sum has len/Lanes roundings in a lane and six in the tree; a
			// term has those of x - max, of exp and of two products.
			sumTolerance := (float64(sh.n)/Lanes + 6) * eps
			y := make([]expect, sh.n)
			for i, v := range p {
				relative := sumTolerance + eps*(max-float64(x[0][i])+8)
				y[i] = expect{scale * v, scale*v*relative + slack}
				sumTolerance = math.Max(sumTolerance, relative)
			}
			return [][]expect{y}, []expect{{value: max}, {sum, sum * 2 * sumTolerance}}
		},
	}
}

// optimizer describes an update of p by g with so many slices of state.
func optimizer(field string, states int, fill func(*rand.Rand) float64, call func([][]float32), oracle func([][]float64)) slot[float32] {
	return slot[float32]{
		name: field, field: field,
		shapes: vectors(0),
		operands: func(sh shape) []operand {
			ops := []operand{vector(sh.n, inOut, normal), vector(sh.n, in, normal)}
			for range states {
				ops = append(ops, vector(sh.n, inOut, fill))
			}
			return ops
		},
		call: func(sh shape, x [][]float32, _ *[2]float32) { call(x) },
		want: func(sh shape, x [][]float32) ([][]expect, []expect) {
			after := make([][]float64, len(x))
			for i := range x {
				after[i] = widen(x[i])
			}
			oracle(after)
			written := make([][]expect, len(x))
			for i := range x {
				if i == 1 { // the gradient
					continue
				}
				written[i] = make([]expect, sh.n)
				for j, v := range after[i] {
					// Up to eight roundings of the state, or of p and of its step.
					scale := math.Abs(v) + math.Abs(float64(x[i][j])) + math.Abs(v-float64(x[i][j]))
					g := math.Abs(float64(x[1][j]))
					switch {
					case i > 1:
						scale += g + g*g
					case states == 2: // m may be the small difference of two terms
						scale += float64(adamArgs.Step) * (math.Abs(float64(x[2][j])) + g) / (math.Sqrt(after[3][j]) + rootEps)
					}
					written[i][j] = expect{v, 8*eps*scale + slack}
				}
			}
			return written, nil
		},
	}
}

func packShapes(nr int) (sh []shape) {
	for n := 1; n <= nr; n++ {
		for _, k := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100} {
			sh = append(sh, shape{n: n, k: k, gap: (n + k) % 3 * 3})
		}
	}
	return sh
}

// first points to the first element of x, and somewhere if there is none.
func first[T Float](x []T) *T { return unsafe.SliceData(x) }

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func (sh shape) String() string {
	s := fmt.Sprintf("m=%d n=%d k=%d gap=%d", sh.m, sh.n, sh.k, sh.gap)
	if sh.alias != 0 {
		s += fmt.Sprintf(" operand 0 = operand %d", sh.alias)
	}
	return s + sh.tile.String()
}
