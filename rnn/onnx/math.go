package onnx

import (
	"fmt"
	"math"
	"slices"

	"batchrnn/kernels"
)

// The operators on single elements, and those that join the elements of an axis.

// A unaryFunc sets dst to a function of src. Both have one length, and may be the same.
type unaryFunc func(dst, src []float32)

// unary plans an operator on the elements of input 0.
func (c *call) unary(of func(*call) (unaryFunc, error)) ([]*tensor, error) {
	f, err := of(c)
	if err != nil {
		return nil, err
	}
	t := c.in[0]
	if t.kind != Float {
		return nil, fmt.Errorf("the input has type %v, want float: put a Cast before it", t.kind)
	}
	out, err := c.over(0, t.shape, t)
	if err != nil {
		return nil, err
	}
	n := t.count()
	if t.dense() && newNest(t.shape, out.stride, t.stride).outer == nil {
		dst, src := out.floats[:n], t.floats[:n]
		return []*tensor{out}, c.step(func() error { f(dst, src); return nil })
	}
	load := newCopy(out, t)
	return []*tensor{out}, c.step(func() error {
		err := load()
		f(out.floats, out.floats)
		return err
	})
}

// plain is a unary operator without attributes.
func plain(f unaryFunc) func(*call) (unaryFunc, error) {
	return func(*call) (unaryFunc, error) { return f, nil }
}

func abs(dst, src []float32) {
	for i, v := range src {
		dst[i] = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
	}
}

func negative(dst, src []float32) {
	for i, v := range src {
		dst[i] = -v
	}
}

func reciprocal(dst, src []float32) {
	for i, v := range src {
		dst[i] = 1 / v
	}
}

func softplus(dst, src []float32) {
	for i, v := range src {
		x := float64(v)
		dst[i] = float32(max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))))
	}
}

func erf(dst, src []float32) {
	for i, v := range src {
		dst[i] = float32(math.Erf(float64(v)))
	}
}

func softsign(dst, src []float32) {
	for i, v := range src {
		dst[i] = v / (1 + float32(math.Abs(float64(v))))
	}
}

func exponential(c *call) (unaryFunc, error) { return c.m.engine.Exp, nil }
func logarithm(c *call) (unaryFunc, error)   { return c.m.engine.Log, nil }
func root(c *call) (unaryFunc, error)        { return c.m.engine.Sqrt, nil }

func leakyRelu(c *call) (unaryFunc, error) {
	alpha := c.float("alpha", 0.01)
	return func(dst, src []float32) {
		for i, v := range src {
			if v < 0 {
				v *= alpha
			}
			dst[i] = v
		}
	}, nil
}

func elu(c *call) (unaryFunc, error) {
	alpha := float64(c.float("alpha", 1))
	return func(dst, src []float32) {
		for i, v := range src {
			if v < 0 {
				v = float32(alpha * math.Expm1(float64(v)))
			}
			dst[i] = v
		}
	}, nil
}

func hardSigmoid(c *call) (unaryFunc, error) {
	alpha, beta := c.float("alpha", 0.2), c.float("beta", 0.5)
	return func(dst, src []float32) {
		for i, v := range src {
			dst[i] = min(max(float32(alpha*v)+beta, 0), 1)
		}
	}, nil
}

// applied plans an operator that a product may apply to its result. It does so if
// nothing else reads the product.
func applied(name string) func(*call) ([]*tensor, error) {
	act := map[string]kernels.Activation{"ReLU": kernels.ReLU, "Tanh": kernels.Tanh, "Sigmoid": kernels.Sigmoid}[name]
	return func(c *call) ([]*tensor, error) {
		if p := c.in[0].product; p != nil && p.act == 0 && c.alone(0) {
			p.act = act
			return c.in, nil
		}
		e := c.m.engine
		return c.unary(plain(map[string]unaryFunc{"ReLU": e.ReLU, "Tanh": e.Tanh, "Sigmoid": e.Sigmoid}[name]))
	}
}

func (c *call) clip() ([]*tensor, error) {
	if t := c.in[0]; t.kind != Float {
		return c.clipInts()
	}
	// The first element of a bound is its value. Without a bound it is the largest float, as
	// in ONNX Runtime: infinity becomes finite.
	bound := func(i int, name string, other float32) ([]float32, error) {
		if !c.moved() {
			return []float32{c.float(name, other)}, nil
		}
		if !c.has(i) {
			return []float32{other}, nil
		}
		if t := c.in[i]; t.kind == Float && t.count() == 1 {
			return t.floats, nil
		}
		return nil, wrongShape("the bound "+name, c.in[i], "one float")
	}
	least, err := bound(1, "min", -math.MaxFloat32)
	if err != nil {
		return nil, err
	}
	most, err := bound(2, "max", math.MaxFloat32)
	if err != nil {
		return nil, err
	}
	return c.unary(plain(func(dst, src []float32) {
		low, high := least[0], most[0]
		for i, v := range src {
			dst[i] = min(max(v, low), high) // NaN stays
		}
	}))
}

// clipInts plans Clip of integers.
func (c *call) clipInts() ([]*tensor, error) {
	out := c.in[0]
	for i, op := range []binaryOp{largest, smallest} {
		if !c.has(i + 1) {
			continue
		}
		bound, name := c.in[i+1], "the bound "+[...]string{"min", "max"}[i]
		if bound.kind != out.kind {
			return nil, fmt.Errorf("%s has type %v, want one %v: put a Cast before it", name, bound.kind, out.kind)
		}
		if bound.count() != 1 {
			return nil, wrongShape(name, bound, "one "+out.kind.String())
		}
		of, err := c.of(out, bound.view([]int{}, []int{}, 0)).binary(op)
		if err != nil {
			return nil, err
		}
		out = of[0]
	}
	if out == c.in[0] {
		return c.identity()
	}
	return []*tensor{out}, nil
}

// A binaryOp is an operator on the elements of two tensors. A nil function means that the
// operator is not of that type.
type binaryOp struct {
	floats func(a, b float32) float32
	ints   func(a, b int64) int64
	// compare has the comparisons of both types. The result is Bool.
	compare *comparison
	// vector sets dst to the results for elements that follow each other.
	vector func(e *kernels.Engine, dst, a, b []float32)
	bools  bool // it takes Bool alone
}

var (
	add = binaryOp{
		floats: func(a, b float32) float32 { return a + b }, ints: func(a, b int64) int64 { return a + b },
		vector: (*kernels.Engine).Add,
	}
	sub = binaryOp{
		floats: func(a, b float32) float32 { return a - b }, ints: func(a, b int64) int64 { return a - b },
		vector: func(_ *kernels.Engine, dst, a, b []float32) {
			for i := range dst {
				dst[i] = a[i] - b[i]
			}
		},
	}
	mul = binaryOp{
		floats: func(a, b float32) float32 { return a * b }, ints: func(a, b int64) int64 { return a * b },
		vector: (*kernels.Engine).Mul,
	}
	div = binaryOp{
		floats: func(a, b float32) float32 { return a / b },
		ints: func(a, b int64) int64 {
			if b == 0 {
				return 0
			}
			return a / b
		},
		vector: func(_ *kernels.Engine, dst, a, b []float32) {
			for i := range dst {
				dst[i] = a[i] / b[i]
			}
		},
	}
	pow     = binaryOp{floats: func(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) }}
	and     = binaryOp{bools: true, ints: func(a, b int64) int64 { return a & b }}
	or      = binaryOp{bools: true, ints: func(a, b int64) int64 { return a | b }}
	equal   = binaryOp{compare: &comparison{func(a, b float32) bool { return a == b }, func(a, b int64) bool { return a == b }}}
	less    = binaryOp{compare: &comparison{func(a, b float32) bool { return a < b }, func(a, b int64) bool { return a < b }}}
	greater = binaryOp{compare: &comparison{func(a, b float32) bool { return a > b }, func(a, b int64) bool { return a > b }}}

	lessOrEqual    = binaryOp{compare: &comparison{func(a, b float32) bool { return a <= b }, func(a, b int64) bool { return a <= b }}}
	greaterOrEqual = binaryOp{compare: &comparison{func(a, b float32) bool { return a >= b }, func(a, b int64) bool { return a >= b }}}

	largest  = binaryOp{floats: func(a, b float32) float32 { return max(a, b) }, ints: func(a, b int64) int64 { return max(a, b) }}
	smallest = binaryOp{floats: func(a, b float32) float32 { return min(a, b) }, ints: func(a, b int64) int64 { return min(a, b) }}
)

type comparison struct {
	floats func(a, b float32) bool
	ints   func(a, b int64) bool
}

func pairwise(op binaryOp) operator {
	return operator{7, 2, 2, 1, nil, func(c *call) ([]*tensor, error) { return c.binary(op) }}
}

func (c *call) binary(op binaryOp) ([]*tensor, error) {
	a, b := c.in[0], c.in[1]
	if c.n.op == "Pow" && a.kind == Float && b.kind != Float {
		cast, err := c.castTo(b, Float)
		if err != nil {
			return nil, err
		}
		b = cast
	}
	if a.kind != b.kind {
		return nil, fmt.Errorf("the inputs have types %v and %v, and must have one: put a Cast before it", a.kind, b.kind)
	}
	shape, err := broadcast(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	if c.n.op == "Add" {
		if t := c.addBias(shape); t != nil {
			return []*tensor{t}, nil
		}
	}
	if c.n.op == "Pow" && b.kind == Float && b.known && b.count() == 1 {
		switch v := b.floats[0]; {
		case v == 2:
			b = a
			op = mul
		case v == 0.5 && slices.Equal(a.shape, shape): // that of -Inf is NaN, and not +Inf
			return c.unary(root)
		}
	}
	kind := a.kind
	switch {
	case op.compare != nil:
		kind = Bool
	case kind == Float && op.floats == nil || kind != Float && op.ints == nil || (kind == Bool) != op.bools:
		return nil, fmt.Errorf("the inputs have type %v, which the operator does not take here: put a Cast before it", kind)
	}
	var order *tensor
	like := 0 // the input that the result is like
	switch {
	case slices.Equal(a.shape, shape):
		order = a
	case slices.Equal(b.shape, shape):
		order, like = b, 1
	}
	var out *tensor
	if kind == Float {
		out, err = c.over(like, shape, order)
	} else {
		out, err = c.out(kind, shape, order)
	}
	if err != nil {
		return nil, err
	}
	n := newNest(shape, out.stride, a.spread(shape), b.spread(shape))
	return []*tensor{out}, c.step(binaryRun(c.m.engine, op, n, out, a, b))
}

// folded plans an operator on the elements of any number of tensors: of the first two, of
// the result and the third, and so on.
func (c *call) folded(op binaryOp) ([]*tensor, error) {
	out := c.in[0]
	for i, t := range c.in[1:] {
		if t == nil {
			return nil, fmt.Errorf("input %d is left out, and it must be there: damaged, export the model anew", i+1)
		}
		of, err := c.of(out, t).binary(op)
		if err != nil {
			return nil, err
		}
		out = of[0]
	}
	if len(c.in) == 1 {
		return c.identity()
	}
	return []*tensor{out}, nil
}

// of returns a call of the same node with other inputs. They have no names, so that no
// step writes over them.
func (c *call) of(in ...*tensor) *call {
	proto, n, other := *c.n.nodeProto, *c.n, *c
	proto.inputs, n.nodeProto = make([]string, len(in)), &proto
	other.n, other.in = &n, in
	return &other
}

// binaryRun returns a step of a binary operator.
func binaryRun(e *kernels.Engine, op binaryOp, n *nest, out, a, b *tensor) func() error {
	so, sa, sb, size := n.step[0], n.step[1], n.step[2], n.size
	var inner func(at *[maxOperands]int)
	switch {
	case op.compare != nil && a.kind == Float:
		inner = func(at *[maxOperands]int) {
			i, j, k := at[0], at[1], at[2]
			for range size {
				out.ints[i] = 0
				if op.compare.floats(a.floats[j], b.floats[k]) {
					out.ints[i] = 1
				}
				i, j, k = i+so, j+sa, k+sb
			}
		}
	case op.compare != nil:
		inner = func(at *[maxOperands]int) {
			i, j, k := at[0], at[1], at[2]
			for range size {
				out.ints[i] = 0
				if op.compare.ints(a.ints[j], b.ints[k]) {
					out.ints[i] = 1
				}
				i, j, k = i+so, j+sa, k+sb
			}
		}
	case a.kind != Float:
		inner = func(at *[maxOperands]int) {
			i, j, k := at[0], at[1], at[2]
			for range size {
				v := op.ints(a.ints[j], b.ints[k])
				if out.kind == Int32 {
					v = int64(int32(v))
				}
				out.ints[i] = v
				i, j, k = i+so, j+sa, k+sb
			}
		}
	case op.vector != nil && so == 1 && sa|sb == 1:
		// One that repeats an element is written out: a loop of calls takes ten times as long.
		fa, fb := newRun(a, sa, size), newRun(b, sb, size)
		inner = func(at *[maxOperands]int) {
			op.vector(e, out.floats[at[0]:][:size], fa(at[1]), fb(at[2]))
		}
	default:
		inner = func(at *[maxOperands]int) {
			i, j, k := at[0], at[1], at[2]
			for range size {
				out.floats[i] = op.floats(a.floats[j], b.floats[k])
				i, j, k = i+so, j+sa, k+sb
			}
		}
	}
	return func() error { n.each(inner); return nil }
}

// newRun returns a function for size elements of t from an offset on. They follow each
// other in memory, or are one element that repeats.
func newRun(t *tensor, step, size int) func(at int) []float32 {
	if step == 1 {
		return func(at int) []float32 { return t.floats[at:][:size] }
	}
	run := make([]float32, size)
	return func(at int) []float32 {
		v := t.floats[at]
		if math.Float32bits(run[0]) != math.Float32bits(v) { // all of run are equal
			for i := range run {
				run[i] = v
			}
		}
		return run
	}
}

func (c *call) not() ([]*tensor, error) {
	t := c.in[0]
	if t.kind != Bool {
		return nil, fmt.Errorf("the input has type %v, want bool: put a Cast before it", t.kind)
	}
	out, err := c.out(Bool, t.shape, t)
	if err != nil {
		return nil, err
	}
	n := newNest(t.shape, out.stride, t.stride)
	return []*tensor{out}, c.step(func() error {
		n.each(func(at *[maxOperands]int) {
			for i := range n.size {
				v := int64(0)
				if t.ints[at[1]+i*n.step[1]] == 0 {
					v = 1
				}
				out.ints[at[0]+i*n.step[0]] = v
			}
		})
		return nil
	})
}

func (c *call) where() ([]*tensor, error) {
	condition, a, b := c.in[0], c.in[1], c.in[2]
	if condition.kind != Bool || a.kind != b.kind {
		return nil, fmt.Errorf("the inputs have types %v, %v and %v, want bool and two of one type", condition.kind, a.kind, b.kind)
	}
	shape, err := broadcast(a.shape, b.shape)
	if err == nil {
		shape, err = broadcast(shape, condition.shape)
	}
	if err != nil {
		return nil, err
	}
	out, err := c.out(a.kind, shape, nil)
	if err != nil {
		return nil, err
	}
	n := newNest(shape, out.stride, condition.spread(shape), a.spread(shape), b.spread(shape))
	return []*tensor{out}, c.step(func() error {
		n.each(func(at *[maxOperands]int) {
			for i := range n.size {
				from, k := a, at[2]+i*n.step[2]
				if condition.ints[at[1]+i*n.step[1]] == 0 {
					from, k = b, at[3]+i*n.step[3]
				}
				to := at[0] + i*n.step[0]
				if out.kind == Float {
					out.floats[to] = from.floats[k]
				} else {
					out.ints[to] = from.ints[k]
				}
			}
		})
		return nil
	})
}

// softmax plans Softmax and LogSoftmax. Before version 13 they take all axes from one on
// as one.
func (c *call) softmax() ([]*tensor, error) {
	t := c.in[0]
	rank := len(t.shape)
	if t.kind != Float {
		return nil, fmt.Errorf("the input has type %v, want float: put a Cast before it", t.kind)
	}
	other := int64(-1)
	if c.m.opset < 13 {
		other = 1
	}
	k, err := axis(c.integer("axis", other), rank)
	if err != nil {
		return nil, err
	}
	moved := make([]int, 0, rank) // the axis comes last
	size := t.shape[k]
	if c.m.opset < 13 {
		for i := range rank {
			moved = append(moved, i)
		}
		size = count(t.shape[k:])
	} else {
		for i := range rank {
			if i != k {
				moved = append(moved, i)
			}
		}
		moved = append(moved, k)
	}
	from := t.permuted(moved...)
	out, err := c.out(Float, from.shape, nil)
	if err != nil {
		return nil, err
	}
	load := newCopy(out, from)
	rows := 0
	if size > 0 {
		rows = len(out.floats) / size
	}
	var scratch []float32
	if c.n.op == "LogSoftmax" {
		scratch = kernels.Floats(size)
	}
	back := make([]int, rank)
	for i, a := range moved {
		back[a] = i
	}
	e := c.m.engine
	return []*tensor{out.permuted(back...)}, c.step(func() error {
		err := load()
		if scratch != nil {
			e.LogSoftmax(rows, size, out.floats, size, scratch)
		} else {
			e.Softmax(rows, size, out.floats, size)
		}
		return err
	})
}

// sum returns the sum of x, of four partial sums.
func sum(x []float32) float32 {
	var s [4]float32
	for ; len(x) >= len(s); x = x[len(s):] {
		s[0] += x[0]
		s[1] += x[1]
		s[2] += x[2]
		s[3] += x[3]
	}
	for i, v := range x {
		s[i] += v
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// reduce plans ReduceSum and ReduceMax, and ReduceMean of floats. Sums of floats are in
// float32. Their order depends on where the elements lie in memory.
func (c *call) reduce() ([]*tensor, error) {
	t := c.in[0]
	if t.kind == Bool || t.kind != Float && c.n.op == "ReduceMean" {
		return nil, fmt.Errorf("the input has type %v: put a Cast to float before it", t.kind)
	}
	axes, err := c.list("axes", 1)
	if err != nil {
		return nil, err
	}
	if len(axes) == 0 {
		if c.integer("noop_with_empty_axes", 0) != 0 {
			return c.identity()
		}
		for i := range t.shape {
			axes = append(axes, int64(i))
		}
	}
	set, err := axisSet(axes, len(t.shape))
	if err != nil {
		return nil, err
	}
	kept := slices.Clone(t.shape) // with 1 for the axes that are joined
	var shape []int
	joined := 1
	for i, d := range t.shape {
		switch {
		case set[i]:
			joined *= d
			kept[i] = 1
			if c.integer("keepdims", 1) != 0 {
				shape = append(shape, 1)
			}
		default:
			shape = append(shape, d)
		}
	}
	if joined == 0 && c.n.op != "ReduceSum" {
		return nil, fmt.Errorf("the axes to join of shape %v have no elements: give at least one", t.shape)
	}
	out, err := c.out(t.kind, kept, nil)
	if err != nil {
		return nil, err
	}
	n := newNest(t.shape, t.stride, out.spread(t.shape))
	largest := c.n.op == "ReduceMax"
	if t.kind != Float {
		inner, least := reduceInner(n, largest, out.ints, t.ints), int64(0)
		if largest {
			least = math.MinInt64
		}
		err = c.step(func() error {
			for i := range out.ints {
				out.ints[i] = least
			}
			n.each(inner)
			if t.kind == Int32 {
				for i, v := range out.ints {
					out.ints[i] = int64(int32(v))
				}
			}
			return nil
		})
		return []*tensor{out.view(shape, rowMajor(shape), 0)}, err
	}
	inner, least := reduceInner(n, largest, out.floats, t.floats), float32(0)
	switch {
	case largest:
		least = float32(math.Inf(-1))
	case n.step[0] == 1 && n.step[1] == 0:
		inner = func(at *[maxOperands]int) { out.floats[at[1]] += sum(t.floats[at[0]:][:n.size]) }
	}
	scale := float32(1)
	if c.n.op == "ReduceMean" {
		scale = 1 / float32(joined)
	}
	e := c.m.engine
	err = c.step(func() error {
		for i := range out.floats {
			out.floats[i] = least
		}
		n.each(inner)
		if scale != 1 {
			e.Scale(scale, out.floats)
		}
		return nil
	})
	return []*tensor{out.view(shape, rowMajor(shape), 0)}, err
}

// reduceInner returns the innermost loop of a sum, or of the largest element.
func reduceInner[E float32 | int64](n *nest, largest bool, dst, src []E) func(at *[maxOperands]int) {
	if largest {
		return func(at *[maxOperands]int) {
			i, j := at[0], at[1]
			for range n.size {
				dst[j] = max(dst[j], src[i])
				i, j = i+n.step[0], j+n.step[1]
			}
		}
	}
	return func(at *[maxOperands]int) {
		i, j := at[0], at[1]
		for range n.size {
			dst[j] += src[i]
			i, j = i+n.step[0], j+n.step[1]
		}
	}
}
