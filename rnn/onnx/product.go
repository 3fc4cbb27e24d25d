package onnx

import (
	"fmt"
	"slices"

	"batchrnn/kernels"
)

// A product is a product with a matrix of the file. Until the plan is ready, a node that
// alone reads the result may add its bias or its activation.
type product struct {
	kernels.Product
	act kernels.Activation
}

// run computes the product.
func (p *product) run(e *kernels.Engine) func() error {
	return func() error {
		p.Product.Act = p.act
		e.Gemm(p.Product)
		return nil
	}
}

// rows returns t's elements as a matrix whose columns are t's last axis, and its row stride.
// It makes a copy of t where the elements of a row don't follow each other.
func (c *call) rows(t *tensor) (a []float32, ld int, err error) {
	k := len(t.shape) - 1
	if len(t.shape) == 2 && (t.stride[1] == 1 || t.shape[1] == 1) && t.stride[0] >= t.shape[1] {
		return t.floats, t.stride[0], nil
	}
	flat, err := c.flat(t)
	if err != nil {
		return nil, 0, err
	}
	return flat.floats, max(t.shape[k], 1), nil
}

// times adds the step of a product of the rows of a and a fixed matrix b, [K,N] or its
// transpose [N,K].
func (c *call) times(a, b *tensor, trans bool, shape []int) (*tensor, *product, error) {
	k, n := b.shape[0], b.shape[1]
	if trans {
		k, n = n, k
	}
	if a.shape[len(a.shape)-1] != k || k == 0 || n == 0 {
		return nil, nil, fmt.Errorf("shapes %v and %v do not fit", a.shape, b.shape)
	}
	if err := c.spend(1, count(shape), k); err != nil {
		return nil, nil, err
	}
	packed, err := c.packed(b, trans)
	if err != nil {
		return nil, nil, err
	}
	out, err := c.out(Float, shape, nil)
	if err != nil {
		return nil, nil, err
	}
	p := new(product)
	p.B, p.C, p.LDC = packed, out.floats, n
	if p.M = out.count() / n; p.M == 0 {
		return out, p, nil
	}
	if p.A, p.LDA, err = c.rows(a); err != nil {
		return nil, nil, err
	}
	if !c.known { // what runs at once can't be changed later
		out.product = p
	}
	return out, p, nil
}

// gemm plans alpha·op(A)·op(B) + beta·C.
func (c *call) gemm() ([]*tensor, error) {
	a, b := c.in[0], c.in[1]
	if a.kind != Float || b.kind != Float || len(a.shape) != 2 || len(b.shape) != 2 {
		return nil, fmt.Errorf("types %v and %v of shapes %v and %v, want float matrices", a.kind, b.kind, a.shape, b.shape)
	}
	if c.integer("transA", 0) != 0 {
		a = a.permuted(1, 0)
	}
	trans := c.integer("transB", 0) != 0
	n := b.shape[1]
	if trans {
		n = b.shape[0]
	}
	if !b.known || b.count() == 0 {
		if trans {
			b = b.permuted(1, 0)
		}
		out, err := c.matrices(a, b, []int{a.shape[0], n})
		if err != nil {
			return nil, err
		}
		return c.scaled(out)
	}
	out, p, err := c.times(a, b, trans, []int{a.shape[0], n})
	if err != nil {
		return nil, err
	}
	alpha, beta := c.float("alpha", 1), c.float("beta", 1)
	bias := c.in[2:]
	if alpha == 1 && (len(bias) == 0 || bias[0] == nil || beta == 1 && isRow(bias[0], out.shape)) {
		if len(bias) > 0 && bias[0] != nil {
			row, err := c.flat(bias[0])
			if err != nil {
				return nil, err
			}
			p.Bias = row.floats[:n]
		}
		return []*tensor{out}, c.multiply(p)
	}
	out.product = nil
	if err := c.multiply(p); err != nil {
		return nil, err
	}
	return c.scaled(out)
}

// multiply adds the step of a product, unless it has no rows.
func (c *call) multiply(p *product) error {
	if p.M == 0 {
		return nil
	}
	return c.step(p.run(c.m.engine))
}

// isRow says whether t is one row of a matrix, of all its columns.
func isRow(t *tensor, matrix []int) bool {
	n := matrix[len(matrix)-1]
	return t.kind == Float && len(t.shape) >= 1 && t.count() == n && t.shape[len(t.shape)-1] == n && len(t.shape) <= len(matrix)
}

// scaled plans the rest of a Gemm: alpha·out + beta·C, in place.
func (c *call) scaled(out *tensor) ([]*tensor, error) {
	alpha, beta := c.float("alpha", 1), c.float("beta", 1)
	if !c.has(2) {
		beta = 0
	}
	var add *nest
	var from *tensor
	if beta != 0 {
		from = c.in[2]
		shape, err := broadcast(from.shape, out.shape)
		if err != nil || !slices.Equal(shape, out.shape) || from.kind != Float {
			return nil, fmt.Errorf("input C of type %v and shape %v can't be added to a matrix of shape %v", from.kind, from.shape, out.shape)
		}
		add = newNest(out.shape, out.stride, from.spread(out.shape))
	}
	e := c.m.engine
	return []*tensor{out}, c.step(func() error {
		if alpha != 1 {
			e.Scale(alpha, out.floats)
		}
		if add != nil {
			add.each(func(at *[maxOperands]int) {
				for i := range add.size {
					out.floats[at[0]+i*add.step[0]] += float32(beta * from.floats[at[1]+i*add.step[1]])
				}
			})
		}
		return nil
	})
}

// matMul plans a product of matrices, or of stacks of them, as numpy.matmul has it.
func (c *call) matMul() ([]*tensor, error) {
	a, b := c.in[0], c.in[1]
	if a.kind != Float || b.kind != Float || len(a.shape) == 0 || len(b.shape) == 0 {
		return nil, fmt.Errorf("types %v and %v of shapes %v and %v, want float matrices", a.kind, b.kind, a.shape, b.shape)
	}
	row, column := len(a.shape) == 1, len(b.shape) == 1
	if row {
		a = a.view([]int{1, a.shape[0]}, []int{a.shape[0] * a.stride[0], a.stride[0]}, 0)
	}
	if column {
		b = b.column()
	}
	ra, rb := len(a.shape), len(b.shape)
	if a.shape[ra-1] != b.shape[rb-2] {
		return nil, fmt.Errorf("shapes %v and %v do not fit", a.shape, b.shape)
	}
	stack, err := broadcast(a.shape[:ra-2], b.shape[:rb-2])
	if err != nil {
		return nil, err
	}
	shape := slices.Concat(stack, []int{a.shape[ra-2], b.shape[rb-1]})
	var out *tensor
	if rb == 2 && b.known && b.count() > 0 {
		var p *product
		if out, p, err = c.times(a, b, false, shape); err == nil {
			err = c.multiply(p)
		}
	} else {
		out, err = c.matrices(a, b, shape)
	}
	if err != nil || !row && !column {
		return []*tensor{out}, err
	}
	final := slices.Clone(stack)
	if !row {
		final = append(final, a.shape[ra-2])
	}
	if !column {
		final = append(final, b.shape[rb-1])
	}
	return []*tensor{out.view(final, rowMajor(final), 0)}, nil
}

// column returns a vector as a matrix of one column.
func (t *tensor) column() *tensor {
	return t.view([]int{t.shape[0], 1}, []int{t.stride[0], 1}, 0)
}

// matrices plans the products of two stacks of matrices that are both made in the run.
func (c *call) matrices(a, b *tensor, shape []int) (*tensor, error) {
	out, err := c.out(Float, shape, nil)
	if err != nil {
		return nil, err
	}
	rank := len(shape)
	m, n, k := shape[rank-2], shape[rank-1], a.shape[len(a.shape)-1]
	if b.shape[len(b.shape)-2] != k {
		return nil, fmt.Errorf("shapes %v and %v do not fit", a.shape, b.shape)
	}
	if out.count() == 0 {
		return out, nil
	}
	if k == 0 { // zeros in each run: a Gemm adds its C to them
		return out, c.step(func() error { clear(out.floats); return nil })
	}
	stack := shape[:rank-2]
	if err := c.spend(1, out.count(), k); err != nil {
		return nil, err
	}
	if err := c.spend(callWork, count(stack)); err != nil {
		return nil, err
	}
	fa, err := c.flat(a)
	if err != nil {
		return nil, err
	}
	fb, err := c.flat(b)
	if err != nil {
		return nil, err
	}
	stackOf := func(t *tensor) []int {
		s := &tensor{shape: t.shape[:len(t.shape)-2], stride: t.stride[:len(t.stride)-2]}
		return s.spread(stack)
	}
	each := newNest(stack, out.stride[:rank-2], stackOf(fa), stackOf(fb))
	e := c.m.engine
	return out, c.step(func() error {
		each.each(func(at *[maxOperands]int) {
			for i := range each.size {
				e.GemmPlain(kernels.Product{
					M: m,
					A: fa.floats[at[1]+i*each.step[1]:], LDA: k,
					C: out.floats[at[0]+i*each.step[0]:], LDC: n,
				}, kernels.Matrix{K: k, N: n, Data: fb.floats[at[2]+i*each.step[2]:], LD: n})
			}
		})
		return nil
	})
}

// addBias makes an Add the bias of the product that one of its inputs is, if the other is
// one row. Otherwise it returns nil.
func (c *call) addBias(shape []int) *tensor {
	for i, t := range c.in {
		other := c.in[1-i]
		p := t.product
		if p == nil || p.Bias != nil || p.act != 0 || !other.known || !other.flat() || !c.alone(i) ||
			!slices.Equal(t.shape, shape) || !isRow(other, shape) || p.LDC != other.count() || t.stride[len(shape)-1] != 1 {
			continue
		}
		p.Bias = other.floats[:other.count()]
		return t
	}
	return nil
}
