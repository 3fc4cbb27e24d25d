package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The operators that take some elements along an axis: Slice, Gather, OneHot and Pad.

// A cut is a part of an axis: size elements from first on, one of every step.
type cut struct{ axis, first, step, size int }

func (c *call) cuts() ([]cut, error) {
	t := c.in[0]
	var lists [4][]int64
	for i, name := range []string{"starts", "ends", "axes", ""} {
		var err error
		if lists[i], err = c.list(name, i+1); err != nil {
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
	if c.moved() {
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
	out.own = false // the borders are written once
	for i := range out.floats {
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
