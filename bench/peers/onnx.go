package main

import (
	"encoding/binary"
	"math"
	"slices"
)

// rnnModel returns an ONNX model of one RNN, LSTM or GRU operator with the weights of d
// as constants. It is encoded in protocol buffers (onnx.proto of the ONNX project). Its
// input is X [T,B,E], its output Y [T,1,B,H]. With carry it also has the inputs H0 and
// the outputs H1, [1,B,H]; of an LSTM C0 and C1 too. Its length is a multiple of 4.
func rnnModel(w Workload, d *Data) []byte {
	var states []string
	if w.Carry() {
		states = append(states, "H")
		if w.Cell == "lstm" {
			states = append(states, "C")
		}
	}

	var node message
	for _, in := range []string{"X", "W", "R", "B"} {
		node.text(1, in)
	}
	if w.Carry() {
		node.text(1, "") // no sequence_lens
	}
	node.text(2, "Y")
	for _, s := range states {
		node.text(1, s+"0")
		node.text(2, s+"1")
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
	graph.sub(12, value("Y", w.T, 1, w.B, w.H))
	for _, s := range states {
		graph.sub(11, value(s+"0", 1, w.B, w.H))
		graph.sub(12, value(s+"1", 1, w.B, w.H))
	}

	var opset message
	opset.text(1, "") // the standard operators
	opset.varint(2, 14)

	var model message
	model.varint(1, 8) // version of the format
	model.sub(7, graph)
	model.sub(8, opset)
	// The length of the producer's name pads the model to whole words. Two bytes
	// precede the name.
	pad := (4 - (len(model)+2+8)%4) % 4
	model.text(2, "batchrnn"+"    "[:pad])
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
