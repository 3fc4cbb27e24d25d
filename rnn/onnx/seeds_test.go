package onnx

import (
	"bytes"
	"fmt"
	"testing"
)

// A seed is a small model: a node of one operator, or a few nodes.
type seed struct {
	name  string
	model *modelProto
}

func (s seed) bytes() []byte { return s.model.encode(nil) }

// ramp returns n floats that differ, from -1 on.
func ramp(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i)/8 - 1
	}
	return v
}

// weights returns a tensor of floats.
func weights(name string, dims ...int64) *tensorProto {
	n := 1
	for _, d := range dims {
		n *= int(d)
	}
	return newFloats(name, ramp(n), dims...)
}

// modelOf returns a model with the outputs of its last node, whose type is float unless
// kind says another one.
func modelOf(inputs []valueProto, constants []*tensorProto, nodes ...*nodeProto) *modelProto {
	m := &modelProto{irVersion: 8, opsets: []opsetProto{{"", 17}}, graph: graphProto{
		name: "g", nodes: nodes, initializers: constants, inputs: inputs,
	}}
	for _, name := range nodes[len(nodes)-1].outputs {
		if name != "" {
			m.graph.outputs = append(m.graph.outputs, newValue(name, Float))
		}
	}
	return m
}

// seeds returns small models that run, at least one of each operator.
func seeds() (all []seed) {
	add := func(name string, m *modelProto) { all = append(all, seed{name, m}) }
	x := newValue("x", Float, named("n"), sized(4))
	x3 := newValue("x", Float, named("n"), sized(4), sized(3))
	i := newValue("i", Int64, named("n"))
	b := newValue("b", Bool, named("n"), sized(4))
	y, in := []string{"y"}, []string{"x"}
	node := func(op string, inputs []string, attributes ...attributeProto) *nodeProto {
		return newNode(op, inputs, y, attributes...)
	}
	ints := func(name string, v ...int64) *tensorProto { return newInts(name, v, int64(len(v))) }
	const1 := func(name string, v int64) *tensorProto { return newInts(name, []int64{v}) }

	for _, op := range []string{
		"Abs", "Elu", "Erf", "Exp", "HardSigmoid", "Identity", "LeakyRelu", "Log", "Neg", "Reciprocal", "Relu", "Sigmoid",
		"Softplus", "Softsign", "Sqrt", "Tanh", "Softmax", "LogSoftmax", "ReduceMax", "ReduceMean", "Flatten", "Transpose", "Dropout", "Shape", "Size",
	} {
		add(op, modelOf([]valueProto{x}, nil, node(op, in)))
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Max", "Min"} {
		add(op, modelOf([]valueProto{x}, []*tensorProto{weights("w", 4)}, node(op, []string{"x", "w"})))
		add(op+" of ints", modelOf([]valueProto{i}, []*tensorProto{const1("w", 3)}, node(op, []string{"i", "w"})))
	}
	all = slicesWithout(all, "Pow of ints")
	for _, op := range []string{"And", "Or"} {
		add(op, modelOf([]valueProto{b}, nil, node(op, []string{"b", "b"})))
	}
	add("Not", modelOf([]valueProto{b}, nil, node("Not", []string{"b"})))
	add("Where", modelOf([]valueProto{b, x}, []*tensorProto{weights("w", 4)}, node("Where", []string{"b", "x", "w"})))
	add("Clip", modelOf([]valueProto{x}, []*tensorProto{newFloats("w", []float32{-0.5})}, node("Clip", []string{"x", "w"})))
	add("Clip of ints", modelOf([]valueProto{i}, []*tensorProto{const1("w", 1)}, node("Clip", []string{"i", "w"})))
	add("LayerNormalization", modelOf([]valueProto{x3}, []*tensorProto{weights("w", 4, 3)}, node("LayerNormalization", []string{"x", "w", "w"}, intAttribute("axis", 1))))
	add("BatchNormalization", modelOf([]valueProto{x3}, []*tensorProto{weights("w", 4), newFloats("v", []float32{1, 2, 3, 4}, 4)}, node("BatchNormalization", []string{"x", "w", "w", "w", "v"})))
	add("Cast", modelOf([]valueProto{x}, nil, node("Cast", in, intAttribute("to", int64(Int64)))))
	add("Concat", modelOf([]valueProto{x}, []*tensorProto{weights("w", 2, 4)}, node("Concat", []string{"x", "w", "x"}, intAttribute("axis", 0))))
	add("Constant", modelOf(nil, nil, node("Constant", nil, tensorAttribute("value", weights("", 2, 3)))))
	add("Constant floats", modelOf(nil, nil, node("Constant", nil, floatsAttribute("value_floats", 1, 2))))
	add("ConstantOfShape", modelOf([]valueProto{i}, nil, node("ConstantOfShape", []string{"i"}, tensorAttribute("value", newFloats("", []float32{2}, 1)))))
	add("Expand", modelOf([]valueProto{x}, []*tensorProto{ints("w", 3, 1, 4)}, node("Expand", []string{"x", "w"})))
	add("Gather", modelOf([]valueProto{x}, []*tensorProto{ints("w", 1, -1, 0)}, node("Gather", []string{"x", "w"}, intAttribute("axis", 1))))
	add("Gather of ids", modelOf([]valueProto{i}, []*tensorProto{weights("w", 5, 3)}, node("Gather", []string{"w", "i"})))
	add("OneHot", modelOf([]valueProto{i}, []*tensorProto{const1("d", 5), newFloats("v", []float32{0, 1}, 2)}, node("OneHot", []string{"i", "d", "v"})))
	for _, mode := range []string{"constant", "edge", "reflect"} {
		add("Pad "+mode, modelOf([]valueProto{x}, []*tensorProto{ints("w", 0, 2, 0, 3)}, node("Pad", []string{"x", "w"}, textAttribute("mode", mode))))
	}
	add("Reshape", modelOf([]valueProto{x}, []*tensorProto{ints("w", 0, 2, -1)}, node("Reshape", []string{"x", "w"})))
	add("Slice", modelOf([]valueProto{x}, []*tensorProto{ints("s", 1), ints("e", 9), ints("a", 1), ints("t", 2)}, node("Slice", []string{"x", "s", "e", "a", "t"})))
	add("Slice backwards", modelOf([]valueProto{x}, []*tensorProto{ints("s", -1), ints("e", -99), ints("a", 1), ints("t", -1)}, node("Slice", []string{"x", "s", "e", "a", "t"})))
	add("Split", modelOf([]valueProto{x}, []*tensorProto{ints("w", 1, 3)}, newNode("Split", []string{"x", "w"}, []string{"y", "z"}, intAttribute("axis", 1))))
	add("Squeeze", modelOf([]valueProto{newValue("x", Float, named("n"), sized(1), sized(2))}, []*tensorProto{ints("w", 1)}, node("Squeeze", []string{"x", "w"})))
	add("Unsqueeze", modelOf([]valueProto{x}, []*tensorProto{ints("w", 0, -1)}, node("Unsqueeze", []string{"x", "w"})))
	add("ReduceSum", modelOf([]valueProto{x3}, []*tensorProto{ints("w", -2)}, node("ReduceSum", []string{"x", "w"}, intAttribute("keepdims", 0))))
	add("Conv", modelOf([]valueProto{newValue("x", Float, named("n"), sized(2), sized(9))}, []*tensorProto{weights("w", 3, 2, 3), weights("b", 3)},
		node("Conv", []string{"x", "w", "b"}, intsAttribute("strides", 2), intsAttribute("pads", 1, 2), intsAttribute("dilations", 2))))
	add("Conv of groups", modelOf([]valueProto{newValue("x", Float, named("n"), sized(4), sized(5))}, []*tensorProto{weights("w", 6, 2, 2)},
		node("Conv", []string{"x", "w"}, intAttribute("group", 2), textAttribute("auto_pad", "SAME_UPPER"))))
	add("Conv of channels", modelOf([]valueProto{newValue("x", Float, named("n"), sized(3), sized(5))}, []*tensorProto{weights("w", 3, 1, 2)},
		node("Conv", []string{"x", "w"}, intAttribute("group", 3))))
	add("Gemm", modelOf([]valueProto{x}, []*tensorProto{weights("w", 5, 4), weights("b", 5)}, node("Gemm", []string{"x", "w", "b"}, intAttribute("transB", 1))))
	add("Gemm scaled", modelOf([]valueProto{x}, []*tensorProto{weights("w", 4, 5)}, node("Gemm", []string{"x", "w", "b"}, floatAttribute("alpha", 2), floatAttribute("beta", 3))))
	all[len(all)-1].model.graph.initializers = append(all[len(all)-1].model.graph.initializers, weights("b", 1, 5))
	add("MatMul", modelOf([]valueProto{x3}, []*tensorProto{weights("w", 3, 2), weights("b", 2)},
		newNode("MatMul", []string{"x", "w"}, []string{"m"}), newNode("Add", []string{"m", "b"}, []string{"a"}), node("Tanh", []string{"a"})))
	add("MatMul of both", modelOf([]valueProto{x3}, nil,
		newNode("Transpose", in, []string{"t"}, intsAttribute("perm", 0, 2, 1)), node("MatMul", []string{"x", "t"})))
	add("MatMul of a vector", modelOf([]valueProto{x}, []*tensorProto{weights("w", 4)}, node("MatMul", []string{"x", "w"})))
	for _, kind := range recurrentKinds {
		for _, direction := range []string{"reverse", "bidirectional"} {
			d := int64(1)
			if direction == "bidirectional" {
				d = 2
			}
			g := int64(kind.gates)
			m := modelOf([]valueProto{newValue("x", Float, named("t"), named("n"), sized(3)), newValue("l", Int32, named("n"))},
				[]*tensorProto{weights("w", d, g*2, 3), weights("r", d, g*2, 2), weights("b", d, g*4)},
				newNode(kind.op, []string{"x", "w", "r", "b", "l"}, []string{"y", "h"}, intAttribute("hidden_size", 2), textAttribute("direction", direction)))
			add(kind.op+" "+direction, m)
		}
		g := int64(kind.gates)
		add(kind.op+" clipped", modelOf([]valueProto{newValue("x", Float, named("n"), named("t"), sized(3)), newValue("h0", Float, named("n"), sized(1), sized(2))},
			[]*tensorProto{weights("w", 1, g*2, 3), weights("r", 1, g*2, 2)},
			newNode(kind.op, []string{"x", "w", "r", "", "", "h0"}, []string{"y", "h"}, intAttribute("hidden_size", 2), floatAttribute("clip", 1), intAttribute("layout", 1))))
		add(kind.op+" of computed weights", modelOf([]valueProto{newValue("x", Float, named("t"), named("n"), sized(3)), newValue("k", Float, sized(1))},
			[]*tensorProto{weights("w", 1, g*2, 3), weights("r", 1, g*2, 2)},
			newNode("Mul", []string{"w", "k"}, []string{"v"}), newNode(kind.op, []string{"x", "v", "r"}, y, intAttribute("hidden_size", 2))))
	}
	branch := func(op string) *graphProto {
		return &graphProto{
			name: "b", initializers: []*tensorProto{weights("w", 4)},
			nodes:   []*nodeProto{newNode("Constant", nil, []string{"k"}, floatAttribute("value_float", 2)), newNode(op, []string{"x", "w"}, []string{"p"}), newNode("Mul", []string{"p", "k"}, []string{"q"})},
			outputs: []valueProto{newValue("q", Float)},
		}
	}
	condition := []*nodeProto{
		newNode("Equal", []string{"r", "sr"}, []string{"c"}),
		node("If", []string{"c"}, graphAttribute("then_branch", branch("Add")), graphAttribute("else_branch", branch("Sub"))),
	}
	add("If", modelOf([]valueProto{x, newValue("r", Int64)}, []*tensorProto{const1("sr", 3)}, condition...))
	add("Reshape by value", modelOf([]valueProto{x, newValue("i", Int64, sized(2))}, nil, node("Reshape", []string{"x", "i"})))
	add("old", &modelProto{irVersion: 3, opsets: []opsetProto{{"", 9}}, graph: graphProto{
		nodes: []*nodeProto{
			newNode("Unsqueeze", in, []string{"u"}, intsAttribute("axes", 0)),
			newNode("Slice", []string{"u"}, []string{"s"}, intsAttribute("axes", 2), intsAttribute("starts", 1), intsAttribute("ends", 3)),
			newNode("Pad", []string{"s"}, []string{"p"}, intsAttribute("pads", 0, 0, 1, 0, 0, 1), floatAttribute("value", 3)),
			newNode("Squeeze", []string{"p"}, []string{"q"}, intsAttribute("axes", 0)),
			newNode("Clip", []string{"q"}, []string{"y"}, floatAttribute("min", 0), floatAttribute("max", 6)),
		},
		inputs: []valueProto{x}, outputs: []valueProto{newValue("y", Float)},
	}})
	return all
}

func slicesWithout(all []seed, name string) (rest []seed) {
	for _, s := range all {
		if s.name != name {
			rest = append(rest, s)
		}
	}
	return rest
}

// small returns tensors for the inputs of a model: each free size is that one. It returns
// nil if one would be large.
func small(m *Model, free int) map[string]*Tensor {
	in := map[string]*Tensor{}
	for _, v := range m.Inputs() {
		t := &Tensor{Shape: []int{}}
		for _, d := range v.Shape {
			if d < 0 {
				d = free
			}
			t.Shape = append(t.Shape, d)
		}
		if n, err := extent(t.Shape); err != nil || n > 1<<12 {
			return nil
		}
		if n := count(t.Shape); v.Type == Float {
			t.Floats = ramp(n)
		} else {
			t.Ints = make([]int64, n)
			for i := range t.Ints {
				t.Ints[i] = int64((i + 1) % 3)
			}
			if v.Name == "i" && n == 2 {
				t.Ints = []int64{int64(free), 4} // a shape
			}
		}
		in[v.Name] = t
	}
	return in
}

func outputsOf(m *Model) map[string]*Tensor {
	out := map[string]*Tensor{}
	for _, v := range m.Outputs() {
		out[v.Name] = new(Tensor)
	}
	return out
}

// TestSeedsRun checks that every operator has a seed, and that all seeds run.
func TestSeedsRun(t *testing.T) {
	engine := testEngine(t)
	missing := map[string]bool{}
	for op := range operators {
		missing[op] = true
	}
	for _, s := range seeds() {
		for _, n := range s.model.graph.nodes {
			delete(missing, n.op)
		}
		m, err := Load(engine, bytes.NewReader(s.bytes()))
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		for free := 1; free <= 3; free++ {
			if err := m.Run(small(m, free), outputsOf(m)); err != nil {
				t.Errorf("%s with free sizes %d: %v", s.name, free, err)
			}
		}
	}
	for op := range missing {
		t.Error(fmt.Sprint("no seed has the operator ", op))
	}
}
