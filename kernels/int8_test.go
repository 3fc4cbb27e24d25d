package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// An int8Problem is a product with a B of int8.
type int8Problem struct {
	m, n, k int
	ids     bool // start values are rows of a table
	bias    bool
	act     Activation
}

func (p int8Problem) String() string {
	return fmt.Sprintf("m=%d n=%d k=%d ids=%v bias=%v act=%d", p.m, p.n, p.k, p.ids, p.bias, p.act)
}

var int8Problems = []int8Problem{
	{m: 1, n: 1, k: 1},
	{m: 1, n: 200, k: 64, bias: true, act: Tanh},
	{m: 2, n: 33, k: 7, ids: true},
	{m: 5, n: 65, k: 130, ids: true, bias: true, act: Sigmoid},
	{m: 13, n: 47, k: 66, bias: true, act: ReLU},
	{m: 29, n: 130, k: 259},
	{m: 50, n: 17, k: 1030},
	{m: 3, n: 70, k: int8Depth + 5, bias: true, act: Tanh},
	{m: 27, n: 20, k: 2*int8Depth + 1},
}

// operands returns random operands. Rows of A differ in size; one of them is zero.
func (p int8Problem) operands(r *rand.Rand) (q []int8, scales []float32, x Product) {
	q, scales = make([]int8, p.n*p.k), make([]float32, p.n)
	for i := range q {
		q[i] = int8(r.IntN(255) - 127)
	}
	for j := range scales {
		scales[j] = r.Float32() / 50
	}
	x = Product{M: p.m, A: make([]float32, p.m*(p.k+3)), LDA: p.k + 3, C: make([]float32, p.m*(p.n+2)), LDC: p.n + 2, Act: p.act}
	for i := range p.m {
		size := float32(math.Exp(r.NormFloat64()))
		if i == 2 {
			size = 0
		}
		for j := range p.k {
			x.A[i*x.LDA+j] = (2*r.Float32() - 1) * size
		}
	}
	if p.bias {
		x.Bias = randoms(r, p.n)
	}
	if p.ids {
		x.Add, x.LDAdd, x.AddRows = randoms(r, 4*(p.n+1)), p.n+1, make([]int32, p.m)
		for i := range x.AddRows {
			x.AddRows[i] = r.Int32N(4)
		}
	}
	return q, scales, x
}

// want computes a product by definition, in float64.
func (p int8Problem) want(q []int8, scales []float32, x *Product) []float64 {
	c := make([]float64, p.m*p.n)
	for i := range p.m {
		for j := range p.n {
			sum := 0.0
			if x.Bias != nil {
				sum = float64(x.Bias[j])
			}
			if x.AddRows != nil {
				sum = float64(x.Add[int(x.AddRows[i])*x.LDAdd+j] + float32(sum))
			}
			blocks, quads := (p.k+int8Depth-1)/int8Depth, (p.k+3)/4
			for b := range blocks {
				lo, hi := 4*(quads*b/blocks), min(4*(quads*(b+1)/blocks), p.k)
				row := make([]int8, hi-lo)
				scale, _ := Quantise(row, x.A[i*x.LDA+lo:][:hi-lo])
				dot := 0
				for k, v := range row {
					dot += int(v) * int(q[j*p.k+lo+k])
				}
				sum = float64(float32(sum + float64(float32(dot))*float64(scale*scales[j])))
			}
			c[i*p.n+j] = activated(sum, x.Act)
		}
	}
	return c
}

func activated(x float64, act Activation) float64 {
	switch act {
	case Tanh:
		return math.Tanh(x)
	case Sigmoid:
		return 1 / (1 + math.Exp(-x))
	case ReLU:
		return max(x, 0)
	}
	return x
}

// TestInt8 holds products with a B of int8 against their definition, and the elements
// against what was packed.
func TestInt8(t *testing.T) {
	for _, threads := range []int{1, 3} {
		eachInt8Engine(t, threads, func(t *testing.T, e *Engine) {
			for _, p := range int8Problems {
				r := rand.New(rand.NewPCG(1, uint64(p.k)))
				q, scales, x := p.operands(r)
				x.B = e.NewPackedInt8(p.k, p.n)
				e.PackInt8(x.B, q, scales)
				checkInt8Elements(t, x.B, q, scales)
				if got, want := e.PackedInt8Bytes(p.k, p.n), int64(4*len(x.B.data)); got != want {
					t.Errorf("%v: PackedInt8Bytes is %d, want %d", p, got, want)
				}
				e.Gemm(x)
				want := p.want(q, scales, &x)
				for i := range p.m {
					for j := range p.n {
						got, want := float64(x.C[i*x.LDC+j]), want[i*p.n+j]
						if !(math.Abs(got-want) <= 1e-5*math.Max(1, math.Abs(want))) {
							t.Fatalf("%v: C[%d,%d] is %g, want %g", p, i, j, got, want)
						}
					}
				}
			}
		})
	}
}

// TestInt8Exact: the bits don't depend on the instruction set, on the number of threads, or
// on the other rows.
func TestInt8Exact(t *testing.T) {
	for _, p := range int8Problems {
		var want []float32
		var from string
		for _, isa := range ISAs() {
			if isa == "generic" { // which rounds in another way
				continue
			}
			for _, threads := range []int{1, 3} {
				q, scales, x := p.operands(rand.New(rand.NewPCG(2, uint64(p.k))))
				e := open(t, isa, threads)
				x.B = e.NewPackedInt8(p.k, p.n)
				e.PackInt8(x.B, q, scales)
				e.Gemm(x)
				if want == nil {
					want, from = x.C, isa
				}
				if i := firstDifference(x.C, want); i >= 0 {
					t.Errorf("%v: %s with %d threads differs from %s at %d: %x, %x", p, isa, threads, from, i, x.C[i], want[i])
				}
				alone := x.rows(p.m/2, 1)
				alone.C = make([]float32, p.n)
				e.Gemm(alone)
				if i := firstDifference(alone.C, want[p.m/2*x.LDC:][:p.n]); i >= 0 {
					t.Errorf("%v: %s, row %d alone differs at %d", p, isa, p.m/2, i)
				}
			}
		}
	}
}

func checkInt8Elements(t *testing.T, p *Packed, q []int8, scales []float32) {
	t.Helper()
	gotQ, gotScales := make([]int8, len(q)), make([]float32, len(scales))
	p.Int8(gotQ, gotScales)
	for j := range p.N {
		for k := range p.K {
			if i := j*p.K + k; gotQ[i] != q[i] || gotScales[j] != scales[j] {
				t.Fatalf("element [%d,%d] is %d·%g, want %d·%g", k, j, gotQ[i], gotScales[j], q[i], scales[j])
			}
		}
	}
	for _, k := range []int{0, p.K / 2, p.K - 1} {
		if got, want := p.At(k, p.N-1), scales[p.N-1]*float32(q[(p.N-1)*p.K+k]); got != want {
			t.Fatalf("At(%d,%d) is %g, want %g", k, p.N-1, got, want)
		}
	}
}

// TestInt8Refuses: a packed matrix of one format is refused where another is asked for.
func TestInt8Refuses(t *testing.T) {
	e := open(t, "generic", 1)
	floats, p := e.NewPacked(5, 3), e.NewPackedInt8(5, 3)
	q, scales, x := make([]int8, 15), make([]float32, 3), make([]float32, 15)
	lowest := make([]int8, 15)
	lowest[7] = math.MinInt8
	var view Packed
	for want, call := range map[string]func(){
		"PackInt8: the packed matrix is of float32: make it with NewPackedInt8": func() { e.PackInt8(floats, q, scales) },
		"Int8: the packed matrix is of float32: make it with NewPackedInt8":     func() { floats.Int8(q, scales) },
		"Pack: the packed matrix is of int8: make it with NewPacked":            func() { e.Pack(p, false, x, 3) },
		"PackRows: the packed matrix is of int8":                                func() { e.PackRows(p, Span{0, 5}, x, 3) },
		"Part: the packed matrix is of int8":                                    func() { p.Part(&view, Span{0, 2}) },
		"PackInt8: q[7] is -128":                                                func() { e.PackInt8(p, lowest, scales) },
		"PackInt8: q has length 14":                                             func() { e.PackInt8(p, q[:14], scales) },
		"PackInt8: scales has length 2":                                         func() { e.PackInt8(p, q, scales[:2]) },
		"NewPackedInt8 of 0×3":                                                  func() { e.NewPackedInt8(0, 3) },
		"Quantise: q has length 3":                                              func() { Quantise(q[:3], x[:4]) },
		"Gemm: A is transposed, and B is of int8": func() {
			e.Gemm(Product{M: 2, A: x, LDA: 2, TransA: true, B: p, C: make([]float32, 6), LDC: 3})
		},
	} {
		mustPanicWith(t, "kernels: "+want, call)
	}
}

// TestQuantise holds Quantise against values of its definition.
func TestQuantise(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		x     []float32
		q     []int8
		scale float32
		ok    bool
	}{
		{nil, nil, 0, true},
		{[]float32{127, -127, 0.5, 1.5, -2.5, 2.51}, []int8{127, -127, 0, 2, -2, 3}, 1, true},
		{[]float32{1, -254}, []int8{0, -127}, 2, true},
		{[]float32{0, float32(math.Copysign(0, -1))}, []int8{0, 0}, 0, true},
		{[]float32{0x1p-100, 0}, []int8{127, 0}, 0x1p-100 / float32(127), true},
		{[]float32{0x1.fffffep-101, 1e-45}, []int8{0, 0}, 0, true},
		{[]float32{math.MaxFloat32, 1}, []int8{127, 0}, float32(math.MaxFloat32) / 127, true},
		{[]float32{1, nan}, nil, 0, false},
		{[]float32{inf, 1}, nil, 0, false},
		{[]float32{1, -inf}, nil, 0, false},
	} {
		q := make([]int8, len(test.x))
		for i := range q {
			q[i] = 55
		}
		scale, ok := Quantise(q, test.x)
		if ok != test.ok || ok && (scale != test.scale || !slices.Equal(q, test.q)) {
			t.Errorf("Quantise of %v gives %v, %v, %v, want %v, %v, %v", test.x, q, scale, ok, test.q, test.scale, test.ok)
		}
	}
}
