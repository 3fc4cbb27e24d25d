package onnx

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// The encode methods append the messages of proto.go. Fields come in the order of their
// numbers, and lists are packed where onnx.proto has them packed. So the bytes are those
// of the ONNX project's own Python package. The same message gives the same bytes.

func appendVarint(b []byte, num protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(v))
}

func appendText(b []byte, num protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

func appendFloat(b []byte, num protowire.Number, v float32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, num, protowire.Fixed32Type), math.Float32bits(v))
}

// appendMessage appends a field that holds what fill appends: a message or a packed list.
func appendMessage(b []byte, num protowire.Number, fill func(b []byte) []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	at := len(b)
	b = fill(b)
	var size [binary.MaxVarintLen64]byte
	return slices.Insert(b, at, protowire.AppendVarint(size[:0], uint64(len(b)-at))...)
}

// appendEmpty appends n empty messages, or empty strings.
func appendEmpty(b []byte, num protowire.Number, n int) []byte {
	for range n {
		b = appendText(b, num, "")
	}
	return b
}

func (m *modelProto) encode(b []byte) []byte {
	b = appendVarint(b, 1, m.irVersion)
	if m.producer != "" {
		b = appendText(b, 2, m.producer)
	}
	b = appendMessage(b, 7, m.graph.encode)
	for _, o := range m.opsets {
		b = appendMessage(b, 8, o.encode)
	}
	for _, e := range m.metadata {
		b = appendMessage(b, 14, e.encode)
	}
	return appendEmpty(b, 25, m.functions)
}

func (o opsetProto) encode(b []byte) []byte {
	return appendVarint(appendText(b, 1, o.domain), 2, o.version)
}

func (e entryProto) encode(b []byte) []byte {
	return appendText(appendText(b, 1, e.key), 2, e.value)
}

func (g *graphProto) encode(b []byte) []byte {
	for _, n := range g.nodes {
		b = appendMessage(b, 1, n.encode)
	}
	if g.name != "" {
		b = appendText(b, 2, g.name)
	}
	for _, t := range g.initializers {
		b = appendMessage(b, 5, t.encode)
	}
	for _, v := range g.inputs {
		b = appendMessage(b, 11, v.encode)
	}
	for _, v := range g.outputs {
		b = appendMessage(b, 12, v.encode)
	}
	return appendEmpty(b, 15, g.sparse)
}

func (n *nodeProto) encode(b []byte) []byte {
	for _, s := range n.inputs {
		b = appendText(b, 1, s)
	}
	for _, s := range n.outputs {
		b = appendText(b, 2, s)
	}
	if n.name != "" {
		b = appendText(b, 3, n.name)
	}
	if n.op != "" {
		b = appendText(b, 4, n.op)
	}
	for _, a := range n.attributes {
		b = appendMessage(b, 5, a.encode)
	}
	if n.domain != "" {
		b = appendText(b, 7, n.domain)
	}
	return b
}

// encode appends the value of the attribute's kind, and others that are not zero.
func (a attributeProto) encode(b []byte) []byte {
	b = appendText(b, 1, a.name)
	if a.f != 0 || a.kind == attributeFloat {
		b = appendFloat(b, 2, a.f)
	}
	if a.i != 0 || a.kind == attributeInt {
		b = appendVarint(b, 3, a.i)
	}
	if a.s != "" || a.kind == attributeString {
		b = appendText(b, 4, a.s)
	}
	if a.t != nil {
		b = appendMessage(b, 5, a.t.encode)
	}
	if a.g != nil {
		b = appendMessage(b, 6, a.g.encode)
	}
	for _, v := range a.floats {
		b = appendFloat(b, 7, v)
	}
	for _, v := range a.ints {
		b = appendVarint(b, 8, v)
	}
	for _, s := range a.texts {
		b = appendText(b, 9, s)
	}
	if a.other {
		b = appendEmpty(b, 10, 1)
	}
	if a.kind != 0 {
		b = appendVarint(b, 20, a.kind)
	}
	if a.ref != "" {
		b = appendText(b, 21, a.ref)
	}
	return b
}

func (t *tensorProto) encode(b []byte) []byte {
	for _, n := range t.dims {
		b = appendVarint(b, 1, n)
	}
	if t.kind != 0 {
		b = appendVarint(b, 2, int64(t.kind))
	}
	if t.segment {
		b = appendEmpty(b, 3, 1)
	}
	if len(t.floats) > 0 {
		b = appendMessage(b, 4, func(b []byte) []byte {
			for _, v := range t.floats {
				b = protowire.AppendFixed32(b, math.Float32bits(v))
			}
			return b
		})
	}
	if len(t.int32s) > 0 {
		b = appendMessage(b, 5, func(b []byte) []byte {
			for _, v := range t.int32s {
				b = protowire.AppendVarint(b, uint64(int64(v)))
			}
			return b
		})
	}
	b = appendEmpty(b, 6, t.texts)
	if len(t.int64s) > 0 {
		b = appendMessage(b, 7, func(b []byte) []byte {
			for _, v := range t.int64s {
				b = protowire.AppendVarint(b, uint64(v))
			}
			return b
		})
	}
	if t.name != "" {
		b = appendText(b, 8, t.name)
	}
	if t.hasRaw {
		b = protowire.AppendBytes(protowire.AppendTag(b, 9, protowire.BytesType), t.raw)
	}
	if len(t.doubles) > 0 {
		b = appendMessage(b, 10, func(b []byte) []byte {
			for _, v := range t.doubles {
				b = protowire.AppendFixed64(b, math.Float64bits(v))
			}
			return b
		})
	}
	for range t.uint64s {
		b = protowire.AppendBytes(protowire.AppendTag(b, 11, protowire.BytesType), []byte{0})
	}
	if t.location != "" {
		b = appendMessage(b, 13, entryProto{"location", t.location}.encode)
	}
	if t.external {
		b = appendVarint(b, 14, 1)
	}
	return b
}

// encode appends a ValueInfoProto and the types in it.
func (v valueProto) encode(b []byte) []byte {
	b = appendText(b, 1, v.name)
	if v.kind == 0 && !v.ranked {
		return b
	}
	return appendMessage(b, 2, func(b []byte) []byte {
		return appendMessage(b, 1, func(b []byte) []byte {
			b = appendVarint(b, 1, int64(v.kind))
			if !v.ranked {
				return b
			}
			return appendMessage(b, 2, func(b []byte) []byte {
				for _, d := range v.dims {
					b = appendMessage(b, 1, d.encode)
				}
				return b
			})
		})
	})
}

func (d dimProto) encode(b []byte) []byte {
	switch {
	case d.sized:
		return appendVarint(b, 1, d.size)
	case d.param != "":
		return appendText(b, 2, d.param)
	}
	return b
}

// newFloats returns a tensor of float32, row-major.
func newFloats(name string, values []float32, dims ...int64) *tensorProto {
	t := &tensorProto{name: name, dims: dims, kind: Float, hasRaw: true, raw: make([]byte, 0, 4*len(values))}
	for _, v := range values {
		t.raw = binary.LittleEndian.AppendUint32(t.raw, math.Float32bits(v))
	}
	return t
}

// newInts returns a tensor of int64, row-major.
func newInts(name string, values []int64, dims ...int64) *tensorProto {
	t := &tensorProto{name: name, dims: dims, kind: Int64, hasRaw: true, raw: make([]byte, 0, 8*len(values))}
	for _, v := range values {
		t.raw = binary.LittleEndian.AppendUint64(t.raw, uint64(v))
	}
	return t
}

// newNode returns a node of the standard operators. The empty name stands for an input
// or output that is left out.
func newNode(op string, inputs, outputs []string, attributes ...attributeProto) *nodeProto {
	return &nodeProto{op: op, inputs: inputs, outputs: outputs, attributes: attributes}
}

func floatAttribute(name string, v float32) attributeProto {
	return attributeProto{name: name, kind: attributeFloat, f: v}
}

func floatsAttribute(name string, v ...float32) attributeProto {
	return attributeProto{name: name, kind: attributeFloats, floats: v}
}

func intAttribute(name string, v int64) attributeProto {
	return attributeProto{name: name, kind: attributeInt, i: v}
}

func intsAttribute(name string, v ...int64) attributeProto {
	return attributeProto{name: name, kind: attributeInts, ints: v}
}

func textAttribute(name, v string) attributeProto {
	return attributeProto{name: name, kind: attributeString, s: v}
}

func textsAttribute(name string, v ...string) attributeProto {
	return attributeProto{name: name, kind: attributeTexts, texts: v}
}

func tensorAttribute(name string, t *tensorProto) attributeProto {
	return attributeProto{name: name, kind: attributeTensor, t: t}
}

func graphAttribute(name string, g *graphProto) attributeProto {
	return attributeProto{name: name, kind: attributeGraph, g: g}
}

// newValue returns an input or output of a graph. Its dims come from sized and named.
func newValue(name string, kind Type, dims ...dimProto) valueProto {
	return valueProto{name: name, kind: kind, ranked: true, dims: dims}
}

// sized returns a size that is fixed.
func sized(n int) dimProto { return dimProto{size: int64(n), sized: true} }

// named returns a size that is free. Equal names in one model mean equal sizes.
func named(s string) dimProto { return dimProto{param: s} }
