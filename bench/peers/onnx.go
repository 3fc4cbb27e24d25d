package main

import (
	"encoding/binary"
	"math"
	"slices"
)

// rnnModel returns an ONNX model of one RNN, LSTM or GRU operator with the weights of d
// as constants. It is encoded in protocol buffers (onnx.proto of the ONNX project).
// rnnCall has its inputs and outputs.
func rnnModel(w Workload, d *Data) []byte {
	c := rnnCall(w, d)
	var node message
	for _, in := range []string{"X", "W", "R", "B"} {
		node.text(1, in)
	}
	if w.Carry() {
		node.text(1, "") // no sequence_lens
	}
	node.text(2, "h")
	for _, s := range c.States {
		node.text(1, s.In)
		node.text(2, s.Out)
	}
	node.text(4, map[string]string{"": "RNN", "lstm": "LSTM", "gru": "GRU"}[w.Cell])
	node.sub(5, attribute("hidden_size", attributeInt, func(a *message) { a.varint(3, uint64(w.H)) }))
	switch w.Cell {
	case "":
		act := map[string]string{"tanh": "Tanh", "relu": "Relu"}[w.Act]
		node.sub(5, attribute("activations", attributeStrings, func(a *message) { a.text(9, act) }))
	case "gru": // the reset gate after the product
		node.sub(5, attribute("linear_before_reset", attributeInt, func(a *message) { a.varint(3, 1) }))
	}

	var graph message
	graph.sub(1, node)
	graph.text(2, "rnn")
	// The operator's weights are [1,G·H,·], the transpose of ours. It has two biases.
	theirs := func(x []float32) []float32 { return regated(x, w.H, gates[w.Cell], onnxGates[w.Cell]) }
	width := w.Gates() * w.H
	br := d.Br
	if br == nil {
		br = make([]float32, width)
	}
	graph.sub(5, constant("W", transposed(theirs(d.Wx), w.E, width), 1, width, w.E))
	graph.sub(5, constant("R", transposed(theirs(d.Wh), w.H, width), 1, width, w.H))
	graph.sub(5, constant("B", slices.Concat(theirs(d.Bh), theirs(br)), 1, 2*width))
	graph.sub(11, value("X", w.T, w.B, w.E))
	graph.sub(12, value("h", w.T, 1, w.B, w.H))
	for _, s := range c.States {
		graph.sub(11, value(s.In, s.Shape...))
		graph.sub(12, value(s.Out, s.Shape...))
	}
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
		c.States = []Carried{{In: "H0", Out: "H1", Shape: []int{1, w.B, w.H}, Start: d.H0}}
		if w.Cell == "lstm" {
			c.States = append(c.States, Carried{In: "C0", Out: "C1", Shape: []int{1, w.B, w.H}, Start: d.C0})
		}
	}
	return c
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
	var opset, model message
	opset.text(1, "") // the standard operators
	opset.varint(2, 13)
	model.varint(1, 8) // version of the format
	model.text(2, "batchrnn")
	model.sub(7, graph)
	model.sub(8, opset)
	return model
}

const (
	attributeInt     = 2
	attributeStrings = 8
	elementFloat     = 1
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
	var t message
	for _, n := range dims {
		t.varint(1, uint64(n))
	}
	t.varint(2, elementFloat)
	t.text(8, name)
	raw := make([]byte, 0, 4*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
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
