package main

import (
	"encoding/binary"
	"math"
	"slices"
)

// rnnModel returns an ONNX model of one RNN, LSTM or GRU operator with the weights of d
// as constants; of int8 that is DynamicQuantizeLSTM of ONNX Runtime. It is encoded in
// protocol buffers (onnx.proto of the ONNX project). rnnCall has its inputs and outputs.
func rnnModel(w Workload, d *Data) []byte {
	c := rnnCall(w, d)
	var graph message
	graph.sub(1, operator(w, "h", c.States))
	graph.text(2, "rnn")
	addWeights(&graph, w, d)
	addArguments(&graph, c)
	return encoded(graph)
}

// rnnCall returns the arguments of rnnModel: the input X [T,B,E] and the output h
// [T,1,B,H]. With carry there are the states h, and of an LSTM c, [1,B,H].
func rnnCall(w Workload, d *Data) *Call {
	c := &Call{
		Frames:  1,
		Inputs:  []Argument{{Name: "X", Shape: []int{w.T, w.B, w.E}, Floats: d.X}},
		Outputs: []Argument{{Name: "h", Shape: []int{w.T, 1, w.B, w.H}}},
	}
	if w.Carry() {
		c.States = carried(w, d)
	}
	return c
}

// streamsModel returns an ONNX model of the operator and an output layer, which reads the
// operator's last state. streamsCall has its inputs and outputs.
func streamsModel(w Workload, d *Data) []byte {
	var graph message
	graph.sub(1, operator(w, "", d.Call.States))
	addNode(&graph, "MatMul", "product", "H1", "Wy")
	addNode(&graph, "Add", "logits", "product", "By")
	graph.text(2, "streams")
	addWeights(&graph, w, d)
	addOutputWeights(&graph, w, d)
	addArguments(&graph, d.Call)
	return encoded(graph)
}

// gemmModel returns a model of the same step of Gemm and functions of elements in the place
// of the operator, for vanilla cells and GRUs. rowsCall has its inputs and outputs.
func gemmModel(w Workload, d *Data) []byte {
	var graph message
	// z adds x·Wx + h·Wh + b of the gates [lo,hi).
	z := func(name string, lo, hi int) string {
		b := slices.Clone(d.Bh[lo*w.H : hi*w.H])
		if d.Br != nil {
			for i, v := range d.Br[lo*w.H : hi*w.H] {
				b[i] += v
			}
		}
		addColumns(&graph, w, name+"_Wx", d.Wx, lo, hi)
		addColumns(&graph, w, name+"_Wh", d.Wh, lo, hi)
		graph.sub(5, constant(name+"_b", b, len(b)))
		addNode(&graph, "Gemm", name+"_x", "X", name+"_Wx", name+"_b")
		addNode(&graph, "Gemm", name, "H0", name+"_Wh", name+"_x")
		return name
	}
	if w.Cell == "gru" { // r, z, n
		addNode(&graph, "Sigmoid", "rz", z("rz_z", 0, 2))
		var split message
		split.text(1, "rz")
		split.text(2, "r")
		split.text(2, "z")
		split.text(4, "Split")
		split.sub(5, attribute("axis", attributeInt, func(a *message) { a.varint(3, 1) }))
		graph.sub(1, split)
		addColumns(&graph, w, "n_Wx", d.Wx, 2, 3)
		addColumns(&graph, w, "n_Wh", d.Wh, 2, 3)
		graph.sub(5, constant("n_bx", d.Bh[2*w.H:], w.H))
		graph.sub(5, constant("n_bh", d.Br[2*w.H:], w.H))
		addNode(&graph, "Gemm", "n_x", "X", "n_Wx", "n_bx")
		addNode(&graph, "Gemm", "n_h", "H0", "n_Wh", "n_bh")
		addNode(&graph, "Mul", "r_h", "r", "n_h")
		addNode(&graph, "Add", "n_z", "n_x", "r_h")
		addNode(&graph, "Tanh", "n", "n_z")
		addNode(&graph, "Sub", "ahead", "H0", "n")
		addNode(&graph, "Mul", "kept", "z", "ahead")
		addNode(&graph, "Add", "H1", "n", "kept")
	} else {
		addNode(&graph, "Tanh", "H1", z("z", 0, 1))
	}
	addNode(&graph, "Gemm", "logits", "H1", "Wy", "By")
	graph.text(2, "streams")
	addOutputWeights(&graph, w, d)
	addArguments(&graph, rowsCall(d.Call))
	return encoded(graph)
}

// rowsCall returns a call whose shapes lack the first axis: [B,·] in the place of [1,B,·].
func rowsCall(c *Call) *Call {
	rows := &Call{Frames: c.Frames}
	for _, a := range c.Inputs {
		a.Shape = a.Shape[1:]
		rows.Inputs = append(rows.Inputs, a)
	}
	for _, a := range c.Outputs {
		a.Shape = a.Shape[1:]
		rows.Outputs = append(rows.Outputs, a)
	}
	for _, s := range c.States {
		s.Shape = s.Shape[1:]
		rows.States = append(rows.States, s)
	}
	return rows
}

// addNode adds a node of one output.
func addNode(graph *message, op, output string, inputs ...string) {
	var node message
	for _, in := range inputs {
		node.text(1, in)
	}
	node.text(2, output)
	node.text(4, op)
	graph.sub(1, node)
}

// addColumns adds the columns of the gates [lo,hi) of a weight.
func addColumns(graph *message, w Workload, name string, x []float32, lo, hi int) {
	var part []float32
	rows := 0
	for row := range slices.Chunk(x, w.Gates()*w.H) {
		part = append(part, row[lo*w.H:hi*w.H]...)
		rows++
	}
	graph.sub(5, constant(name, part, rows, (hi-lo)*w.H))
}

func addOutputWeights(graph *message, w Workload, d *Data) {
	graph.sub(5, constant("Wy", d.Wy, w.H, w.V))
	graph.sub(5, constant("By", d.By, w.V))
}

// streamsCall returns the arguments of streamsModel: the input X [1,B,E], embeddings of
// the ids of each frame, and the output logits [1,B,V]. The states are those of rnnCall.
func streamsCall(w Workload, d *Data) *Call {
	var x []float32
	for _, id := range d.IDs {
		x = append(x, d.We[int(id)*w.E:][:w.E]...)
	}
	return &Call{
		Frames:  frames,
		Inputs:  []Argument{{Name: "X", Shape: []int{1, w.B, w.E}, Floats: x}},
		States:  carried(w, d),
		Outputs: []Argument{{Name: "logits", Shape: []int{1, w.B, w.V}}},
	}
}

// carried returns the states of an operator.
func carried(w Workload, d *Data) []Carried {
	states := []Carried{{In: "H0", Out: "H1", Shape: []int{1, w.B, w.H}, Start: d.H0}}
	if w.Cell == "lstm" {
		states = append(states, Carried{In: "C0", Out: "C1", Shape: []int{1, w.B, w.H}, Start: d.C0})
	}
	return states
}

// operator returns a node of RNN, LSTM, GRU or DynamicQuantizeLSTM. Its output is that of
// all steps; if it is empty there are the last states alone.
func operator(w Workload, output string, states []Carried) message {
	inputs := []string{"X", "W", "R", "B"}
	if len(states) > 0 {
		inputs = append(inputs, "") // no sequence_lens
	}
	for _, s := range states {
		inputs = append(inputs, s.In)
	}
	name := map[string]string{"": "RNN", "lstm": "LSTM", "gru": "GRU"}[w.Cell]
	var node message
	if w.Kind == "int8" {
		name = "DynamicQuantize" + name
		node.text(7, microsoft)
		for len(inputs) < 8 {
			inputs = append(inputs, "") // no sequence_lens, states or peepholes
		}
		inputs = append(inputs, "W_scale", "W_zero", "R_scale", "R_zero")
	}
	for _, in := range inputs {
		node.text(1, in)
	}
	node.text(2, output)
	for _, s := range states {
		node.text(2, s.Out)
	}
	node.text(4, name)
	node.sub(5, attribute("hidden_size", attributeInt, func(a *message) { a.varint(3, uint64(w.H)) }))
	switch w.Cell {
	case "":
		act := map[string]string{"tanh": "Tanh", "relu": "Relu"}[w.Act]
		node.sub(5, attribute("activations", attributeStrings, func(a *message) { a.text(9, act) }))
	case "gru": // the reset gate after the product
		node.sub(5, attribute("linear_before_reset", attributeInt, func(a *message) { a.varint(3, 1) }))
	}
	return node
}

// addWeights adds the operator's weights. They are [1,G·H,·], the transpose of ours. It
// has two biases. Those of int8 are not transposed, and have a scale and a zero for each
// column.
func addWeights(graph *message, w Workload, d *Data) {
	theirs := func(x []float32) []float32 { return regated(x, w.H, gates[w.Cell], onnxGates[w.Cell]) }
	width := w.Gates() * w.H
	for _, x := range []struct {
		name   string
		values []float32
		rows   int
	}{{"W", theirs(d.Wx), w.E}, {"R", theirs(d.Wh), w.H}} {
		if w.Kind != "int8" {
			graph.sub(5, constant(x.name, transposed(x.values, x.rows, width), 1, width, x.rows))
			continue
		}
		q, scales := quantised(x.values, x.rows, width)
		graph.sub(5, int8Constant(x.name, q, 1, x.rows, width))
		graph.sub(5, constant(x.name+"_scale", scales, 1, width))
		graph.sub(5, int8Constant(x.name+"_zero", make([]int8, width), 1, width))
	}
	br := d.Br
	if br == nil {
		br = make([]float32, width)
	}
	graph.sub(5, constant("B", slices.Concat(theirs(d.Bh), theirs(br)), 1, 2*width))
}

// addArguments describes the inputs and outputs of a graph.
func addArguments(graph *message, c *Call) {
	for _, a := range c.Inputs {
		graph.sub(11, value(a.Name, a.Shape...))
	}
	for _, a := range c.Outputs {
		graph.sub(12, value(a.Name, a.Shape...))
	}
	for _, s := range c.States {
		graph.sub(11, value(s.In, s.Shape...))
		graph.sub(12, value(s.Out, s.Shape...))
	}
}

// addModel returns a model of one operator on one element, Y = X + X. Its time is that of
// a call.
func addModel() []byte {
	var node, graph message
	node.text(1, "X")
	node.text(1, "X")
	node.text(2, "Y")
	node.text(4, "Add")
	graph.sub(1, node)
	graph.text(2, "add")
	graph.sub(11, value("X", 1))
	graph.sub(12, value("Y", 1))
	return encoded(graph)
}

// encoded returns a model of a graph.
func encoded(graph message) []byte {
	var model message
	model.varint(1, 8) // version of the format
	model.text(2, "batchrnn")
	model.sub(7, graph)
	for _, operators := range []struct {
		domain  string
		version uint64
	}{{"", 13}, {microsoft, 1}} {
		var opset message
		opset.text(1, operators.domain)
		opset.varint(2, operators.version)
		model.sub(8, opset)
	}
	return model
}

// microsoft is the domain of ONNX Runtime's own operators.
const microsoft = "com.microsoft"

const (
	attributeInt     = 2
	attributeStrings = 8
	elementFloat     = 1
	elementInt8      = 3
)

func attribute(name string, kind uint64, set func(*message)) message {
	var a message
	a.text(1, name)
	set(&a)
	a.varint(20, kind)
	return a
}

// constant returns a tensor with its values.
func constant(name string, x []float32, dims ...int) message {
	raw := make([]byte, 0, 4*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return initializer(name, elementFloat, raw, dims)
}

func int8Constant(name string, x []int8, dims ...int) message {
	raw := make([]byte, len(x))
	for i, v := range x {
		raw[i] = byte(v)
	}
	return initializer(name, elementInt8, raw, dims)
}

func initializer(name string, element uint64, raw []byte, dims []int) message {
	var t message
	for _, n := range dims {
		t.varint(1, uint64(n))
	}
	t.varint(2, element)
	t.text(8, name)
	t.sub(9, raw)
	return t
}

// value describes an input or output.
func value(name string, dims ...int) message {
	var shape message
	for _, n := range dims {
		var dim message
		dim.varint(1, uint64(n))
		shape.sub(1, dim)
	}
	var tensor, kind, v message
	tensor.varint(1, elementFloat)
	tensor.sub(2, shape)
	kind.sub(1, tensor)
	v.text(1, name)
	v.sub(2, kind)
	return v
}

// A message is an encoded protocol-buffer message.
type message []byte

func (m *message) varint(field int, v uint64) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3)
	*m = binary.AppendUvarint(*m, v)
}

func (m *message) sub(field int, b []byte) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|2)
	*m = binary.AppendUvarint(*m, uint64(len(b)))
	*m = append(*m, b...)
}

func (m *message) text(field int, s string) { m.sub(field, []byte(s)) }

// transposed returns the rows×cols matrix x as cols×rows.
func transposed(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return y
}
