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
		return nil, errors.New("a constant with no value, or several")
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

func (c *call) identity() ([]*tensor, error) {
	c.in[0].shared = true
	return c.in, nil
}

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
	c.in[0].shared = true
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
		return nil, fmt.Errorf("a cast to %v, and there are float, int64, int32 and bool", to)
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

// axesOf returns the axes that an attribute has, or input i from a version on. It returns
// nil if there are none.
func (c *call) axesOf(i int, from int64) ([]int64, error) {
	if c.m.opset < from {
		return c.integers("axes"), nil
	}
	if c.attribute("axes") != nil {
		return nil, fmt.Errorf("the attribute \"axes\" became an input in version %d of the standard operators, and the file has version %d", from, c.m.opset)
	}
	if !c.has(i) {
		return nil, nil
	}
	return c.values(i)
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
	axes, err := c.axesOf(1, 13)
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
	axes, err := c.axesOf(1, 13)
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
	switch {
	case c.m.opset < 13:
		sizes = c.integers("split")
	case c.has(1):
		if sizes, err = c.values(1); err != nil {
			return nil, err
		}
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

// A cut is a part of an axis: size elements from first on, one of every step.
type cut struct{ axis, first, step, size int }

func (c *call) cuts() ([]cut, error) {
	t := c.in[0]
	list := func(i int, name string) ([]int64, error) {
		if c.m.opset < 10 {
			return c.integers(name), nil
		}
		if c.attribute("starts") != nil || c.attribute("ends") != nil || c.attribute("axes") != nil {
			return nil, errors.New("its attributes became inputs in version 10 of the standard operators")
		}
		if !c.has(i) {
			return nil, nil
		}
		return c.values(i)
	}
	var lists [4][]int64
	for i, name := range []string{"starts", "ends", "axes", ""} {
		var err error
		if lists[i], err = list(i+1, name); err != nil {
			return nil, err
		}
	}
	starts, ends, axes, steps := lists[0], lists[1], lists[2], lists[3]
	if axes == nil {
		for i := range starts {
			axes = append(axes, int64(i))
		}
	}
	if steps == nil {
		steps = slices.Repeat([]int64{1}, len(starts))
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes and %d steps: give as many of each", len(starts), len(ends), len(axes), len(steps))
	}
	if _, err := axisSet(axes, len(t.shape)); err != nil {
		return nil, err
	}
	var cuts []cut
	for i := range starts {
		k, _ := axis(axes[i], len(t.shape))
		n, step := int64(t.shape[k]), steps[i]
		if step == 0 || step == math.MinInt64 {
			return nil, fmt.Errorf("a step of %d along axis %d", step, k)
		}
		bound := func(v, low, high int64) int64 {
			if v < 0 {
				v += n
			}
			return min(max(v, low), high)
		}
		start, end := bound(starts[i], 0, n), bound(ends[i], 0, n)
		if step < 0 {
			start, end = bound(starts[i], 0, n-1), bound(ends[i], -1, n-1)
			if ends[i] == math.MaxInt32 || ends[i] == math.MaxInt64 { // to the end that lies ahead, as in ONNX Runtime
				end = -1
			}
		}
		size := int64(0)
		switch {
		case step > 0 && end > start:
			size = (end-start-1)/step + 1
		case step < 0 && start > end:
			size = (start-end-1)/-step + 1
		}
		cuts = append(cuts, cut{k, int(max(start, 0)), int(min(max(step, -n), max(n, 1))), int(size)})
	}
	return cuts, nil
}

func (c *call) slice() ([]*tensor, error) {
	cuts, err := c.cuts()
	if err != nil {
		return nil, err
	}
	t := c.in[0]
	for _, part := range cuts {
		if part.step < 0 { // a view has no negative strides
			if t, err = c.pick(t, part.axis, []cut{part}); err != nil {
				return nil, err
			}
			continue
		}
		shape, stride := slices.Clone(t.shape), slices.Clone(t.stride)
		shape[part.axis] = part.size
		stride[part.axis] *= part.step
		t = t.view(shape, stride, part.first*t.stride[part.axis])
	}
	return []*tensor{t}, nil
}

// pick returns parts of t along an axis, one after the other.
func (c *call) pick(t *tensor, axis int, parts []cut) (*tensor, error) {
	shape := slices.Clone(t.shape)
	shape[axis] = 0
	for _, part := range parts {
		shape[axis] += part.size
	}
	out, err := c.out(t.kind, shape, t)
	if err != nil || out.count() == 0 {
		return out, err
	}
	var runs []pickRun
	to := 0
	for _, part := range parts {
		runs = append(runs, pickRun{to * out.stride[axis], part.first * t.stride[axis], part.step * t.stride[axis], part.size})
		to += part.size
	}
	rest := slices.Clone(shape)
	rest[axis] = 1
	n := newNest(rest, out.stride, t.stride)
	inner := pickInner(n, runs, out.stride[axis], out.floats, t.floats)
	if t.kind != Float {
		inner = pickInner(n, runs, out.stride[axis], out.ints, t.ints)
	}
	return out, c.step(func() error { n.each(inner); return nil })
}

// A pickRun is n places of an axis: the offsets of the first in both tensors, and the step
// in the one that is read.
type pickRun struct{ to, from, step, n int }

// pickInner returns the innermost loop of pick.
func pickInner[E float32 | int64](n *nest, runs []pickRun, to int, dst, src []E) func(at *[maxOperands]int) {
	return func(at *[maxOperands]int) {
		for i := range n.size {
			d, s := dst[at[0]+i*n.step[0]:], src[at[1]+i*n.step[1]:]
			for _, r := range runs {
				if r.n > 1 && to == 1 && r.step == 1 {
					copy(d[r.to:][:r.n], s[r.from:])
					continue
				}
				for j := range r.n {
					d[r.to+j*to] = s[r.from+j*r.step]
				}
			}
		}
	}
}

func (c *call) gather() ([]*tensor, error) {
	t, ids := c.in[0], c.in[1]
	if ids.kind == Float {
		return nil, errors.New("the indices have type float, want integers")
	}
	k, err := axis(c.integer("axis", 0), len(t.shape))
	if err != nil {
		return nil, err
	}
	n := t.shape[k]
	place := func(v int64, i int) (int, error) {
		if v < -int64(n) || v >= int64(n) {
			return 0, fmt.Errorf("index %d, number %d, is outside the %d elements of axis %d", v, i, n, k)
		}
		if v < 0 {
			v += int64(n)
		}
		return int(v), nil
	}
	if ids.known && len(ids.shape) == 0 { // one element of the axis
		i, err := place(ids.ints[0], 0)
		if err != nil {
			return nil, err
		}
		shape, stride := slices.Delete(slices.Clone(t.shape), k, k+1), slices.Delete(slices.Clone(t.stride), k, k+1)
		return []*tensor{t.view(shape, stride, i*t.stride[k])}, nil
	}
	if t, err = c.flat(t); err != nil {
		return nil, err
	}
	if ids, err = c.flat(ids); err != nil {
		return nil, err
	}
	out, err := c.out(t.kind, slices.Concat(t.shape[:k], ids.shape, t.shape[k+1:]), nil)
	if err != nil {
		return nil, err
	}
	outer, inner, many := count(t.shape[:k]), count(t.shape[k+1:]), ids.count()
	return []*tensor{out}, c.step(func() error {
		for i, v := range ids.ints[:many] {
			at, err := place(v, i)
			if err != nil {
				return err
			}
			for o := range outer {
				to, from := (o*many+i)*inner, (o*n+at)*inner
				if t.kind == Float {
					copy(out.floats[to:][:inner], t.floats[from:][:inner])
				} else {
					copy(out.ints[to:][:inner], t.ints[from:][:inner])
				}
			}
		}
		return nil
	})
}

// oneHot sets a row of values for each index: the second value at the index, and the
// first elsewhere.
func (c *call) oneHot() ([]*tensor, error) {
	ids, values := c.in[0], c.in[2]
	depths, err := c.values(1)
	if err != nil {
		return nil, err
	}
	switch {
	case len(depths) != 1 || depths[0] < 1:
		return nil, errors.New("the depth is not one number above 0")
	case ids.kind == Float || len(values.shape) != 1 || values.count() != 2:
		return nil, fmt.Errorf("indices of type %v and values of shape %v, want integers and two values", ids.kind, values.shape)
	case c.integer("axis", -1) != -1 && c.integer("axis", -1) != int64(len(ids.shape)):
		return nil, errors.New("the new axis must be the last one: set axis to -1")
	}
	if ids, err = c.flat(ids); err != nil {
		return nil, err
	}
	if values, err = c.flat(values); err != nil {
		return nil, err
	}
	shape, err := shapeOf(depths)
	if err != nil {
		return nil, err
	}
	depth, many := shape[0], ids.count()
	out, err := c.out(values.kind, append(slices.Clone(ids.shape), depth), nil)
	if err != nil {
		return nil, err
	}
	return []*tensor{out}, c.step(func() error {
		if out.kind == Float {
			hot(out.floats, values.floats, ids.ints[:many])
		} else {
			hot(out.ints, values.ints, ids.ints[:many])
		}
		return nil
	})
}

// hot sets a row of dst for each index.
func hot[E float32 | int64](dst, values []E, ids []int64) {
	for _, v := range ids {
		row := dst[:len(dst)/len(ids)]
		for j := range row {
			row[j] = values[0]
		}
		if v < 0 {
			v += int64(len(row))
		}
		if v >= 0 && v < int64(len(row)) { // others have no place
			row[v] = values[1]
		}
		dst, ids = dst[len(row):], ids[1:]
	}
}

func (c *call) pad() ([]*tensor, error) {
	t := c.in[0]
	pads := c.integers("pads")
	value := &tensor{kind: t.kind, floats: []float32{c.float("value", 0)}, ints: []int64{0}}
	rank := len(t.shape)
	axes := make([]int64, rank)
	for i := range axes {
		axes[i] = int64(i)
	}
	if c.m.opset >= 11 {
		if !c.has(1) {
			return nil, errors.New("input 1, the pads, is missing")
		}
		var err error
		if pads, err = c.values(1); err != nil {
			return nil, err
		}
		if c.has(2) {
			if value = c.in[2]; value.kind != t.kind || !value.known || value.count() != 1 {
				return nil, fmt.Errorf("input 2, %s, the padding value, must be one %v of the file: export the model so", quote(c.n.inputs[2]), t.kind)
			}
		}
		if c.has(3) {
			if axes, err = c.values(3); err != nil {
				return nil, err
			}
			if _, err := axisSet(axes, rank); err != nil {
				return nil, err
			}
		}
	}
	if len(pads) != 2*len(axes) {
		return nil, fmt.Errorf("%d pads of %d axes, want %d", len(pads), len(axes), 2*len(axes))
	}
	mode := c.text("mode", "constant")
	before, after := make([]int, rank), make([]int, rank)
	for i, a := range axes {
		k, _ := axis(a, rank)
		lo, hi := pads[i], pads[len(axes)+i]
		n := int64(t.shape[k])
		if cut := max(0, -lo) + max(0, -hi); lo < -n || hi < -n || lo > int64(maxElements) || hi > int64(maxElements) || cut > n || cut > 0 && mode != "constant" {
			return nil, fmt.Errorf("pads %d and %d of axis %d in mode %q, which has %d elements: give numbers from 0 to %d", lo, hi, k, mode, n, maxElements)
		} else if cut > 0 { // negative pads leave out elements
			shape := slices.Clone(t.shape)
			shape[k] -= int(cut)
			t = t.view(shape, t.stride, int(max(0, -lo))*t.stride[k])
		}
		before[k], after[k] = int(max(0, lo)), int(max(0, hi))
	}
	if mode == "constant" {
		return c.padConstant(t, before, after, value)
	}
	for k, n := range t.shape {
		if before[k] == 0 && after[k] == 0 {
			continue
		}
		var parts []cut
		switch lo, hi := before[k], after[k]; {
		case mode == "edge" && n > 0:
			parts = []cut{{k, 0, 0, lo}, {k, 0, 1, n}, {k, n - 1, 0, hi}}
		case mode == "reflect" && lo < n && hi < n:
			parts = []cut{{k, lo, -1, lo}, {k, 0, 1, n}, {k, n - 2, -1, hi}}
		default:
			return nil, fmt.Errorf("padding %s by %d and %d of an axis of %d elements: constant and edge pad any axis, reflect by fewer elements than it has", quote(mode), lo, hi, n)
		}
		var err error
		if t, err = c.pick(t, k, parts); err != nil {
			return nil, err
		}
	}
	return []*tensor{t}, nil
}

// padConstant plans padding by the one element of value.
func (c *call) padConstant(t *tensor, before, after []int, value *tensor) ([]*tensor, error) {
	shape := slices.Clone(t.shape)
	for k := range shape {
		shape[k] += before[k] + after[k]
	}
	out, err := c.out(t.kind, shape, t)
	if err != nil {
		return nil, err
	}
	for i := range out.floats { // the borders stay as they are
		out.floats[i] = value.floats[0]
	}
	for i := range out.ints {
		out.ints[i] = value.ints[0]
	}
	offset := 0
	for k, n := range before {
		offset += n * out.stride[k]
	}
	return []*tensor{out}, c.step(newCopy(out.view(t.shape, out.stride, offset), t))
}
