package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"

	"batchrnn/kernels/ref"
)

// start says where a product finds its start values.
type start int

const (
	zero    start = iota // S is nil
	bias                 // one row for all
	matrix               // a matrix of its own
	inPlace              // C
	table                // rows of a matrix, in any order, and a bias
)

// A problem is one product with all that it reads.
type problem struct {
	m, n, k        int
	transA, transB bool
	start          start
	act            Activation
	gap            int // unused floats between rows, of a different number in each matrix

	a, b, s []float32
	ids     []int32   // of a table
	add     []float32 // the bias, alone or beside a table
}

func (p *problem) String() string {
	return fmt.Sprintf("%dx%dx%d transA=%t transB=%t start=%s act=%s gap=%d", p.m, p.n, p.k, p.transA, p.transB,
		[]string{"zero", "bias", "matrix", "inPlace", "table"}[p.start],
		[]string{"identity", "relu", "tanh", "sigmoid"}[p.act], p.gap)
}

// The strides differ where they can, so that one taken for another is found out.
func (p *problem) ldc() int { return p.n + p.gap }
func (p *problem) lda() int {
	if p.transA {
		return p.m + 2*p.gap
	}
	return p.k + 2*p.gap
}
func (p *problem) ldb() int {
	if p.transB {
		return p.k + 3*p.gap
	}
	return p.n + 3*p.gap
}
func (p *problem) lds() int {
	switch p.start {
	case matrix, table:
		return p.n + 4*p.gap
	case inPlace:
		return p.ldc()
	case zero:
		return 1 << 28 // to be ignored: whoever follows it faults
	}
	return 0
}

// span is the number of floats from the first of a matrix to the last.
func span(rows, cols, ld int) int { return (rows-1)*ld + cols }

// fill draws the operands, B so small that sums stay where tanh is not flat.
// What lies between rows is NaN: whoever reads it shows it.
func (p *problem) fill(r *rand.Rand) *problem {
	draw := func(rows, cols, ld int, scale float64) []float32 {
		x := filled(span(rows, cols, ld), nan)
		for i := range rows {
			for j := range cols {
				x[i*ld+j] = float32(r.NormFloat64() * scale)
			}
		}
		return x
	}
	if p.transA {
		p.a = draw(p.k, p.m, p.lda(), 1)
	} else {
		p.a = draw(p.m, p.k, p.lda(), 1)
	}
	scale := 1 / math.Sqrt(float64(p.k))
	if p.transB {
		p.b = draw(p.n, p.k, p.ldb(), scale)
	} else {
		p.b = draw(p.k, p.n, p.ldb(), scale)
	}
	switch p.start {
	case bias:
		p.add = draw(1, p.n, p.n, 1)
	case matrix, inPlace:
		p.s = draw(p.m, p.n, p.lds(), 1)
	case table:
		const rows = 7
		p.s, p.add = draw(rows, p.n, p.lds(), 1), draw(1, p.n, p.n, 1)
		p.ids = make([]int32, p.m)
		for i := range p.ids {
			p.ids[i] = int32(r.IntN(rows))
		}
	}
	return p
}

// pack returns B for an engine.
func (p *problem) pack(e *Engine) *Packed {
	w := e.NewPacked(p.k, p.n)
	e.Pack(w, p.transB, p.b, p.ldb())
	return w
}

// product returns the call that computes the problem, with a C of its own: NaN
// where it is only written.
func (p *problem) product(w *Packed) Product {
	q := Product{
		M: p.m, A: p.a, LDA: p.lda(), TransA: p.transA, B: w,
		Add: p.s, LDAdd: p.lds(), AddRows: p.ids, Bias: p.add, C: filled(span(p.m, p.n, p.ldc()), canary), LDC: p.ldc(), Act: p.act,
	}
	if p.start == inPlace {
		for i := range p.m {
			copy(q.C[i*p.ldc():][:p.n], p.s[i*p.lds():])
		}
		q.Add = q.C
	}
	return q
}

// compute returns the C of the problem.
func (p *problem) compute(e *Engine) []float32 {
	q := p.product(p.pack(e))
	e.Gemm(q)
	return q.C
}

// computePlain is compute with B as it is.
func (p *problem) computePlain(e *Engine) []float32 {
	q := p.product(nil)
	e.GemmPlain(q, p.plain())
	return q.C
}

func (p *problem) plain() Matrix {
	return Matrix{K: p.k, N: p.n, Data: p.b, LD: p.ldb(), Trans: p.transB}
}

var oracles = []func(float64) float64{0: ref.Identity, Identity: ref.Identity, ReLU: ref.ReLU, Tanh: ref.Tanh, Sigmoid: ref.Sigmoid}

// want returns C and how far from it each element may be: one rounding a step
// and two where the product is rounded on its own, which adds up to K+1; no
// activation steeper than 1; and the 2 ULP of tanh and sigmoid.
func (p *problem) want() (c, tolerance []float64) {
	s, lds := p.startValues()
	c, tolerance = ref.Gemm(p.transA, p.transB, p.m, p.n, p.k, p.a, p.lda(), p.b, p.ldb(), s, lds, oracles[p.act])
	for i := range tolerance {
		tolerance[i] = float64(p.k+3)*eps*tolerance[i] + slack
		if p.act == Tanh || p.act == Sigmoid {
			tolerance[i] += 2 * ref.ULP(c[i])
		}
	}
	return c, tolerance
}

// startValues returns what the rows start from as a matrix, or as one row with
// stride 0.
func (p *problem) startValues() (s []float32, lds int) {
	switch p.start {
	case bias:
		return p.add, 0
	case table:
		s = make([]float32, p.m*p.n)
		for i, id := range p.ids {
			for j := range p.n {
				s[i*p.n+j] = p.s[int(id)*p.lds()+j] + p.add[j]
			}
		}
		return s, p.n
	}
	return p.s, p.lds()
}

// check compares a computed C with want and looks for canaries between its rows.
func (p *problem) check(got []float32, want, tolerance []float64) error {
	for x, v := range got {
		i, j := x/p.ldc(), x%p.ldc()
		if j >= p.n {
			if !sameBits(v, canary) {
				return fmt.Errorf("wrote %g behind row %d, at %d", v, i, j)
			}
			continue
		}
		// Written so that NaN fails.
		if w, d := want[i*p.n+j], tolerance[i*p.n+j]; !(math.Abs(float64(v)-w) <= d) {
			return fmt.Errorf("row %d, column %d is %g, want %g ± %g", i, j, v, w, d)
		}
	}
	return nil
}

// Sizes in floats.
var (
	aliasFloats = aliasBytes / 4
	nearFloats  = nearBytes / 4
)
