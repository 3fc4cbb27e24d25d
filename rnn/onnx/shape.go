package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The operators that move elements or compute shapes. Where it is possible they return
// views: no step, no memory.

func wrongShape(what string, t *tensor, want string) error {
	return fmt.Errorf("%s has shape %v, want %s", what, t.shape, want)
}

func missing(attribute string) error { return fmt.Errorf("the attribute %q is missing", attribute) }

// fixedInts returns a tensor of integers that are known now.
func (c *call) fixedInts(shape []int, ints []int64) *tensor {
	return &tensor{kind: Int64, shape: shape, stride: rowMajor(shape), ints: ints, known: true, fixed: c.fixed}
}

func (c *call) constant() ([]*tensor, error) {
	if len(c.n.attributes) != 1 {
		return nil, errors.New("it has no value, or several: damaged, export the model anew")
	}
	one := &tensor{kind: Float, shape: []int{}, stride: []int{}, known: true, fixed: true}
	switch a := &c.n.attributes[0]; a.name {
	case "value":
		return []*tensor{c.n.tensor}, nil
	case "value_float":
		one.floats = []float32{a.f}
	case "value_floats":
		one.floats, one.shape, one.stride = a.floats, []int{len(a.floats)}, []int{1}
	case "value_int":
		one.kind, one.ints = Int64, []int64{a.i}
	case "value_ints":
		one.kind, one.ints, one.shape, one.stride = Int64, a.ints, []int{len(a.ints)}, []int{1}
	}
	return []*tensor{one}, nil
}

// shapeOf returns integers as a shape.
func shapeOf(ints []int64) ([]int, error) {
	shape := make([]int, len(ints))
	for i, d := range ints {
		if d < 0 || d > int64(maxElements) {
			return nil, fmt.Errorf("the shape %.200s is impossible, or has more than the %d elements that are supported", fmt.Sprint(ints), maxElements)
		}
		shape[i] = int(d)
	}
	_, err := extent(shape)
	return shape, err
}

func (c *call) constantOfShape() ([]*tensor, error) {
	ints, err := c.values(0)
	if err != nil {
		return nil, err
	}
	shape, err := shapeOf(ints)
	if err != nil {
		return nil, err
	}
	t := &tensor{kind: Float, floats: make([]float32, 1)}
	if v := c.n.tensor; v != nil {
		if v.count() != 1 {
			return nil, wrongShape("the value", v, "one element")
		}
		*t = *v
	}
	t.known, t.fixed = true, c.fixed
	t.shape, t.stride = shape, make([]int, len(shape)) // one element for all
	return []*tensor{t}, nil
}

func (c *call) identity() ([]*tensor, error) { return c.in[:1], nil }

// dropout passes its input on: it acts in training alone.
func (c *call) dropout() ([]*tensor, error) {
	if c.has(2) {
		training, err := c.values(2)
		if err != nil {
			return nil, err
		}
		if len(training) != 1 || training[0] != 0 {
			return nil, errors.New("it is in training mode: export the model for inference")
		}
	}
	out := []*tensor{c.in[0], nil}
	if len(c.n.outputs) > 1 && c.s.g.uses[c.n.outputs[1]] == 0 {
		var err error
		if out[1], err = c.unread(c.in[0].shape); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *call) cast() ([]*tensor, error) {
	t, to := c.in[0], Type(c.integer("to", 0))
	switch {
	case !to.held():
		return nil, fmt.Errorf("a cast to %v, and there are float, int64, int32 and bool: convert the model", to)
	case to == t.kind:
		return c.identity()
	}
	out, err := c.castTo(t, to)
	return []*tensor{out}, err
}

// castTo returns t's elements as another type.
func (c *call) castTo(t *tensor, to Type) (*tensor, error) {
	out, err := c.out(to, t.shape, t)
	if err != nil {
		return nil, err
	}
	n := newNest(t.shape, out.stride, t.stride)
	return out, c.step(func() error {
		n.each(func(at *[maxOperands]int) {
			i, j := at[0], at[1]
			for range n.size {
				switch {
				case to == Float:
					out.floats[i] = float32(t.ints[j])
				case t.kind == Float:
					out.ints[i] = floatToInt(t.floats[j], to)
				default:
					out.ints[i] = intToInt(t.ints[j], to)
				}
				i, j = i+n.step[0], j+n.step[1]
			}
		})
		return nil
	})
}

func floatToInt(v float32, to Type) int64 {
	switch {
	case to == Bool && v != 0:
		return 1
	case to == Bool || v != v:
		return 0
	}
	low, high := float64(math.MinInt64), float64(math.MaxInt64)
	if to == Int32 {
		low, high = math.MinInt32, math.MaxInt32
	}
	switch x := float64(v); {
	case x >= high && to == Int64:
		return math.MaxInt64
	default:
		return int64(min(max(x, low), high))
	}
}

func intToInt(v int64, to Type) int64 {
	switch {
	case to == Bool && v != 0:
		return 1
	case to == Int32:
		return int64(int32(v))
	}
	return v
}

func (c *call) shape() ([]*tensor, error) {
	rank := int64(len(c.in[0].shape))
	bound := func(name string, other int64) int64 {
		v := c.integer(name, other)
		if v < 0 {
			v += rank
		}
		return min(max(v, 0), rank)
	}
	start, end := bound("start", 0), bound("end", rank)
	ints := []int64{}
	for i := start; i < end; i++ {
		ints = append(ints, int64(c.in[0].shape[i]))
	}
	return []*tensor{c.fixedInts([]int{len(ints)}, ints)}, nil
}

func (c *call) size() ([]*tensor, error) {
	return []*tensor{c.fixedInts([]int{}, []int64{int64(c.in[0].count())})}, nil
}

// list returns the integers of an attribute, or of input i if they have moved there. It
// returns nil if there are none.
func (c *call) list(name string, i int) ([]int64, error) {
	switch {
	case !c.moved():
		return c.integers(name), nil
	case c.has(i):
		return c.values(i)
	}
	return nil, nil
}

// axisSet returns which of rank axes are in a list.
func axisSet(axes []int64, rank int) ([]bool, error) {
	set := make([]bool, rank)
	for _, a := range axes {
		i, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if set[i] {
			return nil, fmt.Errorf("axis %d is there twice", a)
		}
		set[i] = true
	}
	return set, nil
}

func (c *call) squeeze() ([]*tensor, error) {
	t := c.in[0]
	axes, err := c.list("axes", 1)
	if err != nil {
		return nil, err
	}
	set, err := axisSet(axes, len(t.shape))
	if err != nil {
		return nil, err
	}
	shape, stride := []int{}, []int{}
	for i, d := range t.shape {
		switch {
		case set[i] && d != 1:
			return nil, fmt.Errorf("axis %d of shape %v is to go, and is not 1", i, t.shape)
		case set[i], len(axes) == 0 && d == 1:
		default:
			shape, stride = append(shape, d), append(stride, t.stride[i])
		}
	}
	return []*tensor{t.view(shape, stride, 0)}, nil
}

func (c *call) unsqueeze() ([]*tensor, error) {
	t := c.in[0]
	axes, err := c.list("axes", 1)
	if err != nil {
		return nil, err
	}
	if len(axes) > maxRank {
		return nil, fmt.Errorf("%d new axes, at most %d are supported", len(axes), maxRank)
	}
	set, err := axisSet(axes, len(t.shape)+len(axes))
	if err != nil {
		return nil, err
	}
	shape, stride := make([]int, len(set)), make([]int, len(set))
	k := len(t.shape)
	for i := len(set) - 1; i >= 0; i-- {
		if set[i] {
			shape[i], stride[i] = 1, 1
			if i+1 < len(set) {
				stride[i] = stride[i+1] * shape[i+1]
			}
			continue
		}
		k--
		shape[i], stride[i] = t.shape[k], t.stride[k]
	}
	return []*tensor{t.view(shape, stride, 0)}, nil
}

// reshaped returns t in another shape, which has as many elements.
func (c *call) reshaped(t *tensor, shape []int) ([]*tensor, error) {
	if count(shape) != t.count() {
		return nil, fmt.Errorf("shape %v of %d elements can't become %v", t.shape, t.count(), shape)
	}
	flat, err := c.flat(t)
	if err != nil {
		return nil, err
	}
	return []*tensor{flat.view(shape, rowMajor(shape), 0)}, nil
}

func (c *call) reshape() ([]*tensor, error) {
	t := c.in[0]
	ints, err := c.values(1)
	if err != nil {
		return nil, err
	}
	ints = slices.Clone(ints)
	rest, left := -1, int64(t.count())
	for i, d := range ints {
		if d == 0 && c.integer("allowzero", 0) == 0 {
			if i >= len(t.shape) {
				return nil, fmt.Errorf("size %d of the new shape %.200s is to be that of %v", i, fmt.Sprint(ints), t.shape)
			}
			ints[i] = int64(t.shape[i])
		}
		switch d = ints[i]; {
		case d == -1 && rest < 0:
			rest = i
		case d > 0 && left%d == 0:
			left /= d
		case d == 0:
			left = 0
		default:
			return nil, fmt.Errorf("shape %v can't become %.200s", t.shape, fmt.Sprint(ints))
		}
	}
	if rest >= 0 {
		ints[rest] = left
	}
	shape, err := shapeOf(ints)
	if err != nil {
		return nil, err
	}
	return c.reshaped(t, shape)
}

func (c *call) flatten() ([]*tensor, error) {
	t, k := c.in[0], 0
	if a := c.integer("axis", 1); a == int64(len(t.shape)) {
		k = len(t.shape)
	} else {
		var err error
		if k, err = axis(a, len(t.shape)); err != nil {
			return nil, err
		}
	}
	return c.reshaped(t, []int{count(t.shape[:k]), count(t.shape[k:])})
}

func (c *call) transpose() ([]*tensor, error) {
	t := c.in[0]
	perm := make([]int, len(t.shape))
	for i := range perm {
		perm[i] = len(perm) - 1 - i
	}
	if given := c.integers("perm"); given != nil {
		if len(given) != len(perm) {
			return nil, fmt.Errorf("the permutation %.200s is not one of the %d axes", fmt.Sprint(given), len(perm))
		}
		if _, err := axisSet(given, len(perm)); err != nil {
			return nil, err
		}
		for i, a := range given {
			perm[i], _ = axis(a, len(perm))
		}
	}
	return []*tensor{t.permuted(perm...)}, nil
}

// permuted returns t with its axes in another order.
func (t *tensor) permuted(perm ...int) *tensor {
	shape, stride := make([]int, len(perm)), make([]int, len(perm))
	for i, a := range perm {
		shape[i], stride[i] = t.shape[a], t.stride[a]
	}
	return t.view(shape, stride, 0)
}

// broadcast returns the shape that two shapes have in common.
func broadcast(a, b []int) ([]int, error) {
	shape := make([]int, max(len(a), len(b)))
	for i := range shape {
		x, y := 1, 1
		if k := i - len(shape) + len(a); k >= 0 {
			x = a[k]
		}
		if k := i - len(shape) + len(b); k >= 0 {
			y = b[k]
		}
		switch {
		case x == y || y == 1:
			shape[i] = x
		case x == 1:
			shape[i] = y
		default:
			return nil, fmt.Errorf("shapes %v and %v do not fit", a, b)
		}
	}
	return shape, nil
}

// spread returns the strides of t in a shape that it is broadcast to.
func (t *tensor) spread(shape []int) []int {
	stride := make([]int, len(shape))
	for i, d := range t.shape {
		if d != 1 {
			stride[len(shape)-len(t.shape)+i] = t.stride[i]
		}
	}
	return stride
}

func (c *call) expand() ([]*tensor, error) {
	ints, err := c.values(1)
	if err != nil {
		return nil, err
	}
	to, err := shapeOf(ints)
	if err != nil {
		return nil, err
	}
	shape, err := broadcast(c.in[0].shape, to)
	if err != nil {
		return nil, err
	}
	return []*tensor{c.in[0].view(shape, c.in[0].spread(shape), 0)}, nil
}

func (c *call) concat() ([]*tensor, error) {
	first := c.in[0]
	for i, t := range c.in {
		if t == nil || t.kind != first.kind || len(t.shape) != len(first.shape) {
			return nil, fmt.Errorf("input %d is missing, or has another type or number of dimensions than input 0", i)
		}
	}
	k, err := axis(c.integer("axis", 1), len(first.shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(first.shape)
	for i, t := range c.in[1:] {
		for d := range shape {
			if d != k && t.shape[d] != shape[d] {
				return nil, fmt.Errorf("inputs 0 and %d of shapes %v and %v don't fit along axis %d", i+1, first.shape, t.shape, k)
			}
		}
		if shape[k] += t.shape[k]; shape[k] > maxElements {
			return nil, fmt.Errorf("axis %d gets more than the %d elements that are supported", k, maxElements)
		}
	}
	out, err := c.out(first.kind, shape, first)
	if err != nil {
		return nil, err
	}
	from := 0
	var copies []func() error
	for _, t := range c.in {
		copies = append(copies, newCopy(out.view(t.shape, out.stride, from*out.stride[k]), t))
		from += t.shape[k]
	}
	return []*tensor{out}, c.step(func() error {
		for _, run := range copies {
			if err := run(); err != nil {
				return err
			}
		}
		return nil
	})
}

// sizesOf returns the sizes of the parts of a split of n elements.
func (c *call) sizesOf(n int) (sizes []int64, err error) {
	if sizes, err = c.list("split", 1); err != nil {
		return nil, err
	}
	if sizes == nil {
		parts := len(c.n.outputs)
		if c.m.opset < 18 && n%parts != 0 {
			return nil, fmt.Errorf("%d elements in %d equal parts: give the sizes", n, parts)
		}
		if k := c.integer("num_outputs", int64(parts)); k != int64(parts) {
			return nil, fmt.Errorf("%d outputs, and num_outputs is %d", parts, k)
		}
		size := (n + parts - 1) / parts
		for i := range parts {
			sizes = append(sizes, int64(max(0, min(size, n-i*size))))
		}
	}
	sum := int64(0)
	for _, s := range sizes {
		if s < 0 || s > int64(n) {
			return nil, fmt.Errorf("a part of %d elements, of %d", s, n)
		}
		sum += s
	}
	if sum != int64(n) || len(sizes) != len(c.n.outputs) {
		return nil, fmt.Errorf("parts of %.200s elements for %d outputs, of %d elements", fmt.Sprint(sizes), len(c.n.outputs), n)
	}
	return sizes, nil
}

func (c *call) split() ([]*tensor, error) {
	t := c.in[0]
	k, err := axis(c.integer("axis", 0), len(t.shape))
	if err != nil {
		return nil, err
	}
	sizes, err := c.sizesOf(t.shape[k])
	if err != nil {
		return nil, err
	}
	var out []*tensor
	from := 0
	for _, size := range sizes {
		shape := slices.Clone(t.shape)
		shape[k] = int(size)
		out = append(out, t.view(shape, t.stride, from*t.stride[k]))
		from += int(size)
	}
	return out, nil
}
