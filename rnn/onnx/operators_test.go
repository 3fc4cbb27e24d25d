package onnx

import (
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"batchrnn/internal/ort"
)

// shape draws a shape of up to rank axes.
func (g *graphMaker) shape(least, most int) []int {
	s := make([]int, least+g.IntN(most-least+1))
	for i := range s {
		if s[i] = 1 + g.IntN(5); g.IntN(30) == 0 {
			s[i] = 0
		}
	}
	return s
}

// array draws the elements of a tensor.
func (g *graphMaker) array(kind Type, shape ...int) array {
	a := array{kind, Tensor{Shape: shape}}
	special := g.IntN(8) == 0
	for range count(shape) {
		switch {
		case special && kind == Int64 && g.IntN(4) == 0:
			a.Ints = append(a.Ints, pick(g, int64(math.MaxInt64), math.MinInt64, 1<<53, 1<<53+1, -1<<31))
		case special && kind == Int32 && g.IntN(4) == 0:
			a.Ints = append(a.Ints, pick(g, int64(math.MaxInt32), math.MinInt32, 1<<30))
		case kind == Bool:
			a.Ints = append(a.Ints, g.Int64N(2))
		case kind != Float:
			a.Ints = append(a.Ints, g.Int64N(41)-20)
		case special && g.IntN(4) == 0:
			a.Floats = append(a.Floats, []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)),
				float32(math.NaN()), 1e-38, -1e-42, 90, -90, 1e30, -1e30}[g.IntN(11)])
		default:
			a.Floats = append(a.Floats, 6*g.Float32()-3)
		}
	}
	return a
}

// finite draws floats without special values.
func (g *graphMaker) finite(shape ...int) array {
	a := array{Float, Tensor{Shape: shape}}
	for range count(shape) {
		a.Floats = append(a.Floats, 6*g.Float32()-3)
	}
	return a
}

// axis draws an axis, from the front or from the end.
func (g *graphMaker) axis(rank int) int64 {
	a := g.Int64N(int64(rank))
	if g.IntN(2) == 0 {
		a -= int64(rank)
	}
	return a
}

// axes draws some axes, from none to all.
func (g *graphMaker) axes(rank int) []int64 {
	axes := []int64{}
	for _, i := range g.Perm(rank)[:g.IntN(rank+1)] {
		if g.IntN(2) == 0 {
			i -= rank
		}
		axes = append(axes, int64(i))
	}
	return axes
}

// some returns each of the attributes or not.
func (g *graphMaker) some(all ...attributeProto) (some []attributeProto) {
	for _, a := range all {
		if g.IntN(3) > 0 {
			some = append(some, a)
		}
	}
	return some
}

func pick[E any](g *graphMaker, of ...E) E { return of[g.IntN(len(of))] }

// given makes a value that must be known when the plan is made: it stands in the file, or
// it is an input of integers, or it comes from a shape.
func (g *graphMaker) given(a array) string {
	switch {
	case a.kind == Float:
		return g.constant(a)
	case g.IntN(3) == 0:
		return g.input(a)
	case g.IntN(4) == 0 && a.kind == Int64 && len(a.Shape) == 1 && len(a.Ints) > 0 && slices.Min(a.Ints) >= 0 && slices.Max(a.Ints) < 7:
		shape := []int{}
		for _, d := range a.Ints {
			shape = append(shape, int(d))
		}
		return g.one("Shape", []string{g.input(g.finite(shape...))})
	}
	return g.constant(a)
}

// value makes a value: an input, a constant, or a view of other elements.
func (g *graphMaker) value(a array) string {
	rank := len(a.Shape)
	switch k := g.IntN(9); {
	case k == 0:
		return g.constant(a)
	case k == 1 && rank > 1:
		perm, from := g.Perm(rank), array{a.kind, Tensor{Shape: make([]int, rank)}}
		var ints []int64
		for i, p := range perm {
			from.Shape[p] = a.Shape[i]
			ints = append(ints, int64(p))
		}
		from.Floats, from.Ints = a.Floats, a.Ints
		return g.one("Transpose", []string{g.input(from)}, intsAttribute("perm", ints...))
	case k == 2 && rank > 0: // a part of a longer axis
		axis, before, after := g.IntN(rank), g.IntN(3), g.IntN(3)
		long := slices.Clone(a.Shape)
		long[axis] += before + after
		start, end, at := []int64{int64(before)}, []int64{int64(before + a.Shape[axis])}, []int64{int64(axis)}
		from := g.input(g.array(a.kind, long...))
		if g.opset < 10 {
			return g.one("Slice", []string{from}, intsAttribute("starts", start...), intsAttribute("ends", end...), intsAttribute("axes", at...))
		}
		return g.one("Slice", []string{from, g.constant(vector(start...)), g.constant(vector(end...)), g.constant(vector(at...))})
	case k == 3 && rank > 0: // the second of two parts
		axis, before := g.IntN(rank), 1+g.IntN(3)
		long := slices.Clone(a.Shape)
		long[axis] += before
		from := g.input(g.array(a.kind, long...))
		sizes := []int64{int64(before), int64(a.Shape[axis])}
		if g.opset < 13 {
			return g.node("Split", []string{from}, 2, intAttribute("axis", int64(axis)), intsAttribute("split", sizes...))[1]
		}
		return g.node("Split", []string{from, g.constant(vector(sizes...))}, 2, intAttribute("axis", int64(axis)))[1]
	case k == 4 && rank > 0 && g.opset >= 8: // repeated elements
		axis := g.IntN(rank)
		short := slices.Clone(a.Shape)
		short[axis] = 1
		var to []int64
		for _, d := range a.Shape {
			to = append(to, int64(d))
		}
		return g.one("Expand", []string{g.input(g.array(a.kind, short...)), g.constant(vector(to...))})
	case k == 5 && rank == 3 && a.kind == Float && count(a.Shape) > 0: // channels last in memory
		n := a.Shape[1]
		from := g.input(g.finite(a.Shape...))
		return g.one("Conv", []string{from, g.constant(g.finite(n, n, 1))})
	}
	return g.input(a)
}

// spreads draws shapes that broadcast to one.
func (g *graphMaker) spreads(n int) (shapes [][]int) {
	all := g.shape(0, 4)
	for range n {
		s := slices.Clone(all)
		switch g.IntN(4) {
		case 0:
			s = s[g.IntN(len(s)+1):]
		case 1:
			for i := range s {
				if g.IntN(2) == 0 {
					s[i] = 1
				}
			}
		case 2:
			if g.IntN(2) == 0 {
				s = s[:0]
			}
		}
		shapes = append(shapes, s)
	}
	return shapes
}

// pair draws the inputs of an operator on two tensors of one type.
func pair(kinds ...Type) func(g *graphMaker) []string {
	return func(g *graphMaker) []string {
		kind, s := pick(g, kinds...), g.spreads(2)
		return []string{g.value(g.array(kind, s[0]...)), g.value(g.array(kind, s[1]...))}
	}
}

func floats(g *graphMaker) []string { return []string{g.value(g.array(Float, g.shape(0, 4)...))} }

// axesNode adds a node whose axes became an input in a version.
func (g *graphMaker) axesNode(op, in string, axes []int64, from int64, attributes ...attributeProto) string {
	switch {
	case axes == nil:
		return g.one(op, []string{in}, attributes...)
	case g.opset < from:
		return g.one(op, []string{in}, append(attributes, intsAttribute("axes", axes...))...)
	}
	return g.one(op, []string{in, g.given(vector(axes...))}, attributes...)
}

func reduction(from int64, kinds ...Type) func(g *graphMaker) []string {
	return func(g *graphMaker) []string {
		op := map[int64]string{13: "ReduceSum", 18: "ReduceMean", 19: "ReduceMax"}[from]
		s := g.shape(0, 4)
		for i, d := range s { // ONNX Runtime keeps an axis without elements
			s[i] = max(d, 1)
		}
		attributes := g.some(intAttribute("keepdims", g.Int64N(2)))
		from := min(from, 18)
		if g.opset >= from {
			attributes = append(attributes, g.some(intAttribute("noop_with_empty_axes", g.Int64N(2)))...)
		}
		var axes []int64
		if g.IntN(3) > 0 {
			axes = g.axes(len(s))
		}
		a := g.array(pick(g, kinds...), s...)
		for i, v := range a.Ints { // ONNX Runtime has no rule for sums that overflow
			a.Ints[i] = v % 1000
		}
		in := g.value(a)
		if a.kind != Float {
			in = pick(g, g.input, g.constant)(a)
		}
		return []string{g.axesNode(op, in, axes, from, attributes...)}
	}
}

// An operatorMaker draws the inputs of a node, and its attributes. With whole it makes
// the node itself, and draw returns outputs.
type operatorMaker struct {
	draw       func(g *graphMaker) []string
	attributes func(g *graphMaker) []attributeProto
	whole      bool
	tol        float64 // 0 for the usual one
}

func alphaBeta(names ...string) func(g *graphMaker) []attributeProto {
	return func(g *graphMaker) (some []attributeProto) {
		for _, name := range names {
			some = append(some, g.some(floatAttribute(name, 2*g.Float32()-0.5))...)
		}
		return some
	}
}

// operatorMakers has every operator that graphs of recurrent nodes have around them.
func operatorMakers() map[string]operatorMaker {
	anyKind := []Type{Float, Int64, Int32, Bool}
	data := func(g *graphMaker, least int) (string, []int) {
		s := g.shape(least, 4)
		return g.value(g.array(pick(g, anyKind...), s...)), s
	}
	m := map[string]operatorMaker{
		"Cast": {whole: true, draw: func(g *graphMaker) []string {
			a, to := g.array(pick(g, anyKind...), g.shape(0, 4)...), pick(g, anyKind...)
			if to != Float && to != Bool && a.kind == Float {
				a = g.finite(a.Shape...)
			}
			return []string{g.one("Cast", []string{g.value(a)}, intAttribute("to", int64(to)))}
		}},
		"Concat": {whole: true, draw: func(g *graphMaker) []string {
			kind, s := pick(g, anyKind...), g.shape(1, 4)
			axis := g.axis(len(s))
			var in []string
			for range 1 + g.IntN(4) {
				part := slices.Clone(s)
				part[(int(axis)+len(s))%len(s)] = g.IntN(4)
				in = append(in, g.value(g.array(kind, part...)))
			}
			return []string{g.one("Concat", in, intAttribute("axis", axis))}
		}},
		"Constant": {whole: true, draw: func(g *graphMaker) []string {
			a := tensorAttribute("value", g.array(pick(g, anyKind...), g.shape(0, 3)...).proto(""))
			if g.opset >= 12 {
				a = pick(g, a, floatAttribute("value_float", 2.5), floatsAttribute("value_floats", 1, 2), intAttribute("value_int", -3), intsAttribute("value_ints", 5, 6, 7))
			}
			return []string{g.one("Constant", nil, a)}
		}},
		"ConstantOfShape": {whole: true, draw: func(g *graphMaker) []string {
			var shape []int64
			for _, d := range g.shape(0, 3) {
				shape = append(shape, int64(d))
			}
			return []string{g.one("ConstantOfShape", []string{g.given(vector(shape...))}, g.some(tensorAttribute("value", g.array(pick(g, anyKind...), 1).proto("")))...)}
		}},
		"Dropout": {whole: true, draw: func(g *graphMaker) []string {
			in := floats(g)
			if g.opset < 12 {
				return []string{g.one("Dropout", in, g.some(floatAttribute("ratio", 0.3))...)}
			}
			if g.IntN(2) == 0 {
				in = append(in, g.constant(floatArray([]float32{0.4})))
				if g.IntN(2) == 0 {
					in = append(in, g.given(intArray(Bool, []int64{0})))
				}
			}
			return []string{g.node("Dropout", in, 1+g.IntN(2))[0]}
		}},
		"Expand": {whole: true, draw: func(g *graphMaker) []string {
			s := g.spreads(2)
			to := []int64{}
			for _, d := range s[1] {
				to = append(to, int64(d))
			}
			return []string{g.one("Expand", []string{g.value(g.array(pick(g, anyKind...), s[0]...)), g.given(vector(to...))})}
		}},
		"Flatten": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 0)
			axis := g.Int64N(int64(len(s) + 1))
			if g.opset >= 11 && g.IntN(2) == 0 && len(s) > 0 {
				axis = g.axis(len(s))
			}
			return []string{g.one("Flatten", []string{in}, g.some(intAttribute("axis", axis))...)}
		}},
		"Gather": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 1)
			axis := g.axis(len(s))
			n := s[(int(axis)+len(s))%len(s)]
			ids := g.array(pick(g, Int64, Int32), g.shape(0, 2)...)
			if n == 0 {
				ids = vector()
			}
			for i := range ids.Ints {
				ids.Ints[i] = g.Int64N(int64(n))
				if g.opset >= 11 && g.IntN(2) == 0 {
					ids.Ints[i] -= int64(n)
				}
			}
			attributes := []attributeProto{intAttribute("axis", axis)}
			if int(axis)%len(s) == 0 && g.IntN(2) == 0 {
				attributes = nil
			}
			return []string{g.one("Gather", []string{in, pick(g, g.input, g.constant)(ids)}, attributes...)}
		}},
		"Identity": {whole: true, draw: func(g *graphMaker) []string {
			in, _ := data(g, 0)
			return []string{g.one("Identity", []string{in})}
		}},
		"OneHot": {whole: true, draw: func(g *graphMaker) []string {
			depth := 1 + g.IntN(6)
			s := g.shape(1, 3)
			ids := g.array(Int64, s...)
			for i := range ids.Ints {
				ids.Ints[i] = g.Int64N(int64(2*depth+2)) - int64(depth) - 1
			}
			attributes := g.some(intAttribute("axis", pick(g, -1, int64(len(s)), -1, g.axis(len(s)))))
			return []string{g.one("OneHot", []string{g.value(ids), g.given(pick(g, scalar(int64(depth)), vector(int64(depth)))), g.value(g.array(pick(g, Float, Float, Int64), 2))}, attributes...)}
		}},
		"Pad": {whole: true, draw: func(g *graphMaker) []string {
			s := g.shape(1, 4)
			mode := pick(g, "constant", "reflect", "edge")
			kind := pick(g, Float, Float, Float, Int64)
			rank := len(s)
			var axes []int64
			if g.opset >= 18 && g.IntN(2) == 0 {
				axes = g.axes(rank)
				rank = len(axes)
			}
			pads := make([]int64, 2*rank)
			for i := range pads {
				pads[i] = g.Int64N(3)
				if g.IntN(20) == 0 {
					pads[i] = -1
				}
			}
			attributes := g.some(textAttribute("mode", mode))
			in := g.value(g.array(kind, s...))
			if g.opset < 11 {
				attributes = append(attributes, g.some(floatAttribute("value", 1.5))...)
				return []string{g.one("Pad", []string{in}, append(attributes, intsAttribute("pads", pads...))...)}
			}
			inputs := []string{in, g.given(vector(pads...))}
			if g.IntN(2) == 0 || axes != nil {
				v := g.value(g.finite())
				if axes != nil && g.IntN(2) == 0 {
					v = ""
				} else if kind != Float {
					v = g.value(scalar(4))
				}
				inputs = append(inputs, v)
			}
			if axes != nil {
				inputs = append(inputs, g.given(vector(axes...)))
			}
			return []string{g.one("Pad", inputs, attributes...)}
		}},
		"Reshape": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 0)
			// Factors in another order and grouping, then 0 and -1 in the place of some.
			var factors []int64
			for _, d := range s {
				factors = append(factors, int64(d))
			}
			g.Shuffle(len(factors), func(i, j int) { factors[i], factors[j] = factors[j], factors[i] })
			if len(factors) > 1 && g.IntN(2) == 0 {
				factors = append([]int64{factors[0] * factors[1]}, factors[2:]...)
			}
			if g.IntN(2) == 0 {
				factors = append(factors, 1)
			}
			for i := range factors {
				if i < len(s) && factors[i] == int64(s[i]) && g.IntN(2) == 0 {
					factors[i] = 0
				}
			}
			if len(factors) > 0 && g.IntN(2) == 0 {
				factors[g.IntN(len(factors))] = -1
			}
			var attributes []attributeProto
			if g.opset >= 14 && !slices.Contains(s, 0) {
				attributes = g.some(intAttribute("allowzero", g.Int64N(8)/7))
			}
			return []string{g.one("Reshape", []string{in, g.given(vector(factors...))}, attributes...)}
		}},
		"Shape": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 0)
			var attributes []attributeProto
			if n := int64(len(s)) + 2; g.opset >= 15 {
				attributes = g.some(intAttribute("start", g.Int64N(2*n)-n), intAttribute("end", g.Int64N(2*n)-n))
			}
			return []string{g.one("Shape", []string{in}, attributes...)}
		}},
		"Size": {whole: true, draw: func(g *graphMaker) []string {
			in, _ := data(g, 0)
			return []string{g.one("Size", []string{in})}
		}},
		"Slice": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 1)
			axes := g.axes(len(s))
			if g.IntN(4) == 0 {
				axes = axes[:0]
				for i := range 1 + g.IntN(len(s)) {
					axes = append(axes, int64(i))
				}
			}
			inOrder := true
			var starts, ends, steps []int64
			for i, a := range axes {
				bound := func() int64 {
					if g.IntN(8) == 0 {
						return pick(g, math.MaxInt64, math.MinInt64, int64(math.MaxInt32), int64(math.MinInt32)-1)
					}
					return g.Int64N(12) - 6
				}
				starts, ends, steps = append(starts, bound()), append(ends, bound()), append(steps, pick(g, int64(1), 1, 2, 3, -1, -2, math.MaxInt64, math.MinInt64+1))
				inOrder = inOrder && a == int64(i)
			}
			if g.opset < 10 {
				attributes := []attributeProto{intsAttribute("starts", starts...), intsAttribute("ends", ends...)}
				if !inOrder || g.IntN(2) == 0 {
					attributes = append(attributes, intsAttribute("axes", axes...))
				}
				return []string{g.one("Slice", []string{in}, attributes...)}
			}
			inputs := []string{in, g.given(vector(starts...)), g.given(vector(ends...))}
			if withSteps := g.IntN(2) == 0; withSteps || !inOrder {
				if inOrder && g.IntN(2) == 0 {
					inputs = append(inputs, "")
				} else {
					inputs = append(inputs, g.given(vector(axes...)))
				}
				if withSteps {
					inputs = append(inputs, g.given(vector(steps...)))
				}
			}
			return []string{g.one("Slice", inputs)}
		}},
		"Split": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 1)
			axis, parts := g.axis(len(s)), 1+g.IntN(4)
			n := s[(int(axis)+len(s))%len(s)]
			attributes := []attributeProto{intAttribute("axis", axis)}
			inputs := []string{in}
			if g.IntN(2) == 0 {
				sizes := make([]int64, parts)
				for range n {
					sizes[g.IntN(parts)]++
				}
				if g.opset < 13 {
					attributes = append(attributes, intsAttribute("split", sizes...))
				} else {
					inputs = append(inputs, g.given(vector(sizes...)))
				}
			} else if g.opset >= 18 {
				attributes = append(attributes, intAttribute("num_outputs", int64(parts)))
			}
			return g.node("Split", inputs, parts, attributes...)
		}},
		"Squeeze": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 0)
			var axes []int64
			for i, d := range s {
				if d == 1 && g.IntN(2) == 0 {
					axes = append(axes, int64(i-len(s)*g.IntN(2)))
				}
			}
			if g.IntN(8) == 0 {
				axes = []int64{}
			}
			return []string{g.axesNode("Squeeze", in, axes, 13)}
		}},
		"Transpose": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 0)
			var perm []int64
			for _, p := range g.Perm(len(s)) {
				perm = append(perm, int64(p))
			}
			return []string{g.one("Transpose", []string{in}, g.some(intsAttribute("perm", perm...))...)}
		}},
		"Unsqueeze": {whole: true, draw: func(g *graphMaker) []string {
			in, s := data(g, 0)
			n := len(s) + 1 + g.IntN(2)
			axes := []int64{}
			for _, p := range g.Perm(n)[:n-len(s)] {
				axes = append(axes, int64(p-n*g.IntN(2)))
			}
			return []string{g.axesNode("Unsqueeze", in, axes, 13)}
		}},
		"Clip": {whole: true, draw: func(g *graphMaker) []string {
			kind := Float
			if g.opset >= 12 {
				kind = pick(g, Float, Float, Float, Int64, Int32)
			}
			in := g.value(g.array(kind, g.shape(0, 4)...))
			low, high := 2*g.Float32()-2, 2*g.Float32()-0.5
			if g.opset < 11 {
				return []string{g.one("Clip", []string{in}, g.some(floatAttribute("min", low), floatAttribute("max", high))...)}
			}
			bound := func(v float32) string {
				switch {
				case kind != Float:
					return g.constant(intArray(kind, []int64{int64(3 * v)}))
				case g.IntN(4) == 0:
					return g.value(floatArray([]float32{v}))
				}
				return pick(g, "", g.constant(floatArray([]float32{v})))
			}
			return []string{g.one("Clip", append([]string{in}, pick(g, []string{}, []string{bound(low)}, []string{bound(low), bound(high)})...))}
		}},
		"Log": {draw: func(g *graphMaker) []string {
			return []string{g.one("Abs", floats(g))}
		}},
		"Not": {draw: func(g *graphMaker) []string { return []string{g.value(g.array(Bool, g.shape(0, 4)...))} }},
		"Where": {draw: func(g *graphMaker) []string {
			kind, s := pick(g, Float, Int64, Int32, Bool), g.spreads(3)
			return []string{g.value(g.array(Bool, s[0]...)), g.value(g.array(kind, s[1]...)), g.value(g.array(kind, s[2]...))}
		}},
		"Div": {draw: func(g *graphMaker) []string {
			kind, s := pick(g, Float, Int64, Int32), g.spreads(2)
			by := g.array(kind, s[1]...)
			for i, v := range by.Ints { // ONNX Runtime ends where an integer is divided by 0, or overflows
				if v == 0 || v == -1 {
					by.Ints[i] = 7
				}
			}
			if kind == Float {
				return []string{g.value(g.array(kind, s[0]...)), g.value(by)}
			}
			return []string{g.value(g.array(kind, s[0]...)), pick(g, g.input, g.constant)(by)}
		}},
		"Pow": {draw: func(g *graphMaker) []string {
			s := g.spreads(2)
			base := g.array(pick(g, Float, Float, Float, Int64, Int32), s[0]...)
			by := g.array(pick(g, Float, Float, Float, Int64), s[1]...)
			if g.opset < 12 {
				by = g.array(base.kind, s[1]...)
			}
			for i := range by.Ints {
				by.Ints[i] = g.Int64N(4)
			}
			for i, v := range base.Floats { // as square root, that of -Inf is NaN
				if math.IsInf(float64(v), -1) {
					base.Floats[i] = -1
				}
			}
			if base.kind != Float && by.kind == Float {
				for i := range by.Floats {
					by.Floats[i] = float32(g.IntN(4))
				}
			}
			if by.kind == Float && g.IntN(2) == 0 {
				return []string{g.value(base), g.constant(floatArray([]float32{pick(g, float32(0.5), 2, 3, -1, 0)}, pick(g, []int{}, []int{1}, []int{1, 1, 1, 1, 1})...))}
			}
			if base.kind != Float || by.kind != Float {
				return []string{g.input(base), g.input(by)}
			}
			return []string{g.value(base), g.value(by)}
		}},
		"Conv": {whole: true, draw: func(g *graphMaker) []string {
			group := pick(g, 1, 1, 2, 3)
			channels, filters, size := group*(1+g.IntN(3)), group*(1+g.IntN(3)), 1+g.IntN(4)
			if g.IntN(3) == 0 { // one filter for each channel
				group, filters = channels, channels
			}
			length := 1 + g.IntN(12)
			attributes := g.some(intsAttribute("dilations", 1+g.Int64N(3)), intsAttribute("strides", 1+g.Int64N(4)), intsAttribute("kernel_shape", int64(size)))
			if group > 1 || g.IntN(2) == 0 {
				attributes = append(attributes, intAttribute("group", int64(group)))
			}
			switch g.IntN(3) {
			case 0:
				attributes = append(attributes, intsAttribute("pads", g.Int64N(4), g.Int64N(4)))
			case 1:
				attributes = append(attributes, textAttribute("auto_pad", pick(g, "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")))
			}
			in := []string{g.value(g.finite(1+g.IntN(3), channels, length)), g.constant(g.finite(filters, channels/group, size))}
			if g.IntN(2) == 0 {
				in = append(in, g.value(g.finite(filters)))
			}
			return []string{g.one("Conv", in, attributes...)}
		}},
		"Gemm": {whole: true, draw: func(g *graphMaker) []string {
			m, k, n := 1+g.IntN(5), 1+g.IntN(7), 1+g.IntN(20)
			switch g.IntN(20) {
			case 0, 1:
				m = 0
			case 2:
				k = 0
			case 3:
				n = 0
			}
			a, b := []int{m, k}, []int{k, n}
			transA, transB := g.Int64N(2), g.Int64N(2)
			if transA == 1 {
				a = []int{k, m}
			}
			if transB == 1 {
				b = []int{n, k}
			}
			in := []string{g.value(g.finite(a...)), pick(g, g.value, g.constant)(g.finite(b...))}
			c := pick(g, nil, []int{n}, []int{1, n}, []int{m, n}, []int{m, 1}, []int{1}, []int{})
			if c != nil {
				in = append(in, g.value(g.finite(c...)))
			} else if g.opset < 11 {
				in = append(in, g.value(g.finite(n)))
			}
			betas := []float32{1, 2, 0}
			if k == 0 { // there ONNX Runtime forgets beta
				betas = betas[:1]
			}
			attributes := g.some(floatAttribute("alpha", pick(g, float32(1), 0.5, 0)), floatAttribute("beta", pick(g, betas...)))
			return []string{g.one("Gemm", in, append(attributes, intAttribute("transA", transA), intAttribute("transB", transB))...)}
		}},
		"MatMul": {draw: func(g *graphMaker) []string {
			m, k, n := g.IntN(6), 1+g.IntN(7), 1+g.IntN(20)
			stack := g.spreads(2)
			for i, s := range stack {
				if stack[i] = s[max(0, len(s)-2):]; g.IntN(2) == 0 {
					stack[i] = nil
				}
			}
			a, b := append(slices.Clone(stack[0]), m, k), append(slices.Clone(stack[1]), k, n)
			if g.IntN(6) == 0 {
				a = []int{k}
			}
			if g.IntN(6) == 0 {
				b = []int{k}
			}
			return []string{g.value(g.finite(a...)), pick(g, g.value, g.constant)(g.finite(b...))}
		}},
		"If": {whole: true, draw: func(g *graphMaker) []string {
			outer := g.value(g.finite(2, 3))
			branch := func(op string) *graphProto {
				return &graphProto{name: op, nodes: []*nodeProto{{op: op, name: op + "_in", inputs: []string{outer}, outputs: []string{op + "_out"}}},
					outputs: []valueProto{{name: op + "_out", kind: Float}}}
			}
			condition := g.given(intArray(Bool, []int64{g.Int64N(2)}, pick(g, []int{}, []int{1})...))
			return []string{g.one("If", []string{condition}, graphAttribute("then_branch", branch("Tanh")), graphAttribute("else_branch", branch("Neg")))}
		}},
		"BatchNormalization": {whole: true, draw: func(g *graphMaker) []string {
			s := append([]int{g.IntN(4), 1 + g.IntN(4)}, g.shape(0, 2)...)
			in := []string{g.value(g.finite(s...))}
			for range 3 {
				in = append(in, g.value(g.finite(s[1])))
			}
			variance := g.finite(s[1])
			for i, v := range variance.Floats {
				variance.Floats[i] = v * v
			}
			return []string{g.one("BatchNormalization", append(in, g.constant(variance)), g.some(floatAttribute("epsilon", 1e-3))...)}
		}},
		"LayerNormalization": {whole: true, draw: func(g *graphMaker) []string {
			s := g.shape(1, 4)
			axis := g.axis(len(s))
			part := s[(int(axis)+len(s))%len(s):]
			in := []string{g.value(g.finite(s...)), g.value(g.finite(part...))}
			if g.IntN(2) == 0 {
				in = append(in, g.value(g.finite(part...)))
			}
			return []string{g.one("LayerNormalization", in, append(g.some(floatAttribute("epsilon", 1e-3)), intAttribute("axis", axis))...)}
		}},
		"Add":            {draw: pair(Float, Int64, Int32)},
		"Sub":            {draw: pair(Float, Int64, Int32)},
		"Mul":            {draw: pair(Float, Int64, Int32)},
		"And":            {draw: pair(Bool)},
		"Or":             {draw: pair(Bool)},
		"Equal":          {draw: pair(anyKind...)},
		"Greater":        {draw: pair(Float, Int64, Int32)},
		"Less":           {draw: pair(Float, Int64, Int32)},
		"GreaterOrEqual": {draw: pair(Float, Int64, Int32)},
		"LessOrEqual":    {draw: pair(Float, Int64, Int32)},
		"ReduceSum":      {whole: true, draw: reduction(13, Float, Float, Int64, Int32)},
		"ReduceMean":     {whole: true, draw: reduction(18, Float)},
		"ReduceMax":      {whole: true, draw: reduction(19, Float, Float, Int64, Int32)},
		"Abs":            {draw: floats}, "Erf": {draw: floats}, "Exp": {draw: floats}, "Neg": {draw: floats}, "Reciprocal": {draw: floats}, "Relu": {draw: floats},
		"Sigmoid": {draw: floats}, "Softplus": {draw: floats}, "Softsign": {draw: floats}, "Sqrt": {draw: floats}, "Tanh": {draw: floats},
		"Elu":         {draw: floats, attributes: alphaBeta("alpha")},
		"HardSigmoid": {draw: floats, attributes: alphaBeta("alpha", "beta")},
		"LeakyRelu":   {draw: floats, attributes: alphaBeta("alpha")},
	}
	for _, op := range []string{"Max", "Min"} {
		m[op] = operatorMaker{whole: true, draw: func(g *graphMaker) []string {
			kind := Float
			if g.opset >= 12 {
				kind = pick(g, Float, Float, Int64, Int32)
			}
			var in []string
			for _, s := range g.spreads(1 + g.IntN(4)) {
				in = append(in, g.value(g.array(kind, s...)))
			}
			return []string{g.one(op, in)}
		}}
	}
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		m[op] = operatorMaker{whole: true, draw: func(g *graphMaker) []string {
			s := g.shape(1, 4)
			return []string{g.one(op, []string{g.value(g.finite(s...))}, g.some(intAttribute("axis", g.axis(len(s))))...)}
		}}
	}
	return m
}

// refusals are the errors that may refuse what ONNX Runtime runs. doc.go lists them.
var refusals = map[string][]string{
	"OneHot": {"the new axis must be the last one"},
	"Pad":    {"the padding value, must be one", "give numbers from 0"},
	"Pow":    {"put a Cast before it"},
}

// TestOperators compares every operator with ONNX Runtime.
func TestOperators(t *testing.T) {
	r, e := ort.Start(t), testEngine(t)
	makers := operatorMakers()
	for op := range operators {
		if _, ok := makers[op]; !ok && op != "RNN" && op != "GRU" && op != "LSTM" {
			t.Errorf("no test of %s", op)
		}
	}
	n := uint64(20)
	if long() {
		n = 80
	}
	for _, op := range slices.Sorted(maps.Keys(makers)) {
		k := makers[op]
		t.Run(op, func(t *testing.T) {
			var c tally
			for seed := range n {
				g := newGraphMaker(seed, 0)
				g.opset = max(operators[op].since, 7+g.Int64N(18))
				out := k.draw(g)
				if !k.whole {
					var attributes []attributeProto
					if k.attributes != nil {
						attributes = k.attributes(g)
					}
					out = []string{g.one(op, out, attributes...)}
				}
				for _, name := range out {
					g.output(0, name)
				}
				tol := k.tol
				if tol == 0 {
					tol = 1e-5
				}
				c.compare(t, e, r, g, tol)
			}
			if c.equal < int(n)/3 {
				t.Errorf("%d of %d graphs were compared: want more", c.equal, n)
			}
			for text := range c.refused {
				if !slices.ContainsFunc(refusals[op], func(known string) bool { return strings.Contains(text, known) }) {
					t.Errorf("refused, and ONNX Runtime runs it: %s", text)
				}
			}
			t.Logf("%d equal, refused by both %d, here alone %d, by ONNX Runtime alone %d", c.equal, c.both, len(c.refused), c.ours)
		})
	}
}

// TestDocListsOperators: the package's documentation has every operator.
func TestDocListsOperators(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(doc), "# What runs")
	list, _, _ = strings.Cut(list, "on tensors of")
	words := strings.Fields(strings.ReplaceAll(list, ",", ""))
	for op := range operators {
		if !slices.Contains(words, op) {
			t.Errorf("doc.go does not list %s", op)
		}
	}
}
