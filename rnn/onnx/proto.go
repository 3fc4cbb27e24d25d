package onnx

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of onnx.proto3, of the ONNX project, as far as models of this package use
// them. Fields that a run doesn't need are skipped. Each message has a method that reads
// it, and one in encode.go that appends it.

type modelProto struct {
	irVersion int64
	producer  string
	graph     graphProto
	opsets    []opsetProto
	metadata  []entryProto
	functions int // number of model-local functions
}

type opsetProto struct {
	domain  string
	version int64
}

type entryProto struct{ key, value string }

type graphProto struct {
	name         string
	nodes        []*nodeProto
	initializers []*tensorProto
	sparse       int // number of sparse initializers
	inputs       []valueProto
	outputs      []valueProto
}

type nodeProto struct {
	name, op, domain string
	inputs, outputs  []string
	attributes       []attributeProto
}

// The types of attributes.
const (
	attributeFloat  = 1
	attributeInt    = 2
	attributeString = 3
	attributeTensor = 4
	attributeGraph  = 5
	attributeFloats = 6
	attributeInts   = 7
	attributeTexts  = 8
)

type attributeProto struct {
	name   string
	kind   int64 // 0 in files of old writers
	f      float32
	i      int64
	s      string
	t      *tensorProto
	g      *graphProto
	floats []float32
	ints   []int64
	texts  []string
	ref    string // an attribute of the function around it
	other  bool   // has tensors, graphs, types or sparse tensors
}

type tensorProto struct {
	name     string
	dims     []int64
	kind     Type
	raw      []byte // little-endian; a part of the file
	hasRaw   bool
	floats   []float32
	int32s   []int32
	int64s   []int64
	doubles  []float64
	uint64s  int // number of uint64_data
	texts    int // number of string_data
	external bool
	location string // the file of its data, if that is another one
	segment  bool
}

type valueProto struct {
	name string
	kind Type // 0 if it is no tensor
	// ranked is whether the file gives a shape.
	ranked bool
	dims   []dimProto
}

// A dimProto is a size, or a name for one, or neither.
type dimProto struct {
	size  int64
	sized bool
	param string
}

const (
	// maxDepth is the maximum depth of graphs in graphs. Silero's files have 6.
	maxDepth = 16
	// maxParts is the maximum number of nodes, tensors, attributes and other parts of a
	// file. It bounds the memory that a small file can ask for.
	maxParts = 1 << 20
	// maxAttributes is more than the attributes of any operator.
	maxAttributes = 100
)

// A reader reads messages. It counts their parts.
type reader struct{ parts int }

// A field is one field of a message. bytes is set for strings, messages and packed lists,
// bits for the other types.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	bits  uint64
	bytes []byte
}

// walk calls set with every field of message b.
func (r *reader) walk(what string, b []byte, set func(f field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%s: a damaged field: truncated, or not an ONNX file", what)
		}
		b = b[n:]
		f := field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			f.bits, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.bits = uint64(v)
		case protowire.Fixed64Type:
			f.bits, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("%s: field %d has wire type %d: damaged, or not an ONNX file", what, num, typ)
		}
		if n < 0 {
			return fmt.Errorf("%s: field %d ends behind the %d bytes that are left: truncated, or not an ONNX file", what, num, len(b))
		}
		b = b[n:]
		if r.parts++; r.parts > maxParts {
			return fmt.Errorf("%s: the file has more than the %d parts that are supported", what, maxParts)
		}
		if err := set(f); err != nil {
			return err
		}
	}
	return nil
}

// message returns the bytes of a field that must be a message, a string or a packed list.
func (f field) message(what string) ([]byte, error) {
	if f.typ != protowire.BytesType {
		return nil, fmt.Errorf("%s: field %d has wire type %d, want %d: damaged, or not an ONNX file", what, f.num, f.typ, protowire.BytesType)
	}
	return f.bytes, nil
}

func (f field) text(what string, to *string) error {
	b, err := f.message(what)
	*to = string(b)
	return err
}

func (f field) varint(what string, to *int64) error {
	if f.typ != protowire.VarintType {
		return fmt.Errorf("%s: field %d has wire type %d, want %d: damaged, or not an ONNX file", what, f.num, f.typ, protowire.VarintType)
	}
	*to = int64(f.bits)
	return nil
}

func (f field) kind(what string, to *Type) error {
	var n int64
	err := f.varint(what, &n)
	if err == nil && n != int64(int32(n)) {
		err = fmt.Errorf("%s: field %d holds %d, which is no type: damaged", what, f.num, n)
	}
	*to = Type(n)
	return err
}

// varints appends a varint, or a packed list of them.
func (f field) varints(what string, to []int64) ([]int64, error) {
	switch f.typ {
	case protowire.VarintType:
		return append(to, int64(f.bits)), nil
	case protowire.BytesType:
		for b := f.bytes; len(b) > 0; {
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return nil, fmt.Errorf("%s: field %d holds a damaged list", what, f.num)
			}
			to, b = append(to, int64(v)), b[n:]
		}
		return to, nil
	}
	return nil, fmt.Errorf("%s: field %d has wire type %d, want a list of integers", what, f.num, f.typ)
}

// float32s appends a float32, or a packed list of them.
func (f field) float32s(what string, to []float32) ([]float32, error) {
	switch {
	case f.typ == protowire.Fixed32Type:
		return append(to, math.Float32frombits(uint32(f.bits))), nil
	case f.typ == protowire.BytesType && len(f.bytes)%4 == 0:
		for b := f.bytes; len(b) > 0; b = b[4:] {
			v, _ := protowire.ConsumeFixed32(b)
			to = append(to, math.Float32frombits(v))
		}
		return to, nil
	}
	return nil, fmt.Errorf("%s: field %d is no list of 32-bit floats: damaged", what, f.num)
}

// float64s appends a float64, or a packed list of them.
func (f field) float64s(what string, to []float64) ([]float64, error) {
	switch {
	case f.typ == protowire.Fixed64Type:
		return append(to, math.Float64frombits(f.bits)), nil
	case f.typ == protowire.BytesType && len(f.bytes)%8 == 0:
		for b := f.bytes; len(b) > 0; b = b[8:] {
			v, _ := protowire.ConsumeFixed64(b)
			to = append(to, math.Float64frombits(v))
		}
		return to, nil
	}
	return nil, fmt.Errorf("%s: field %d is no list of 64-bit floats: damaged", what, f.num)
}

func (r *reader) model(m *modelProto, b []byte) error {
	graphs := 0
	err := r.walk("model", b, func(f field) error {
		switch f.num {
		case 1:
			return f.varint("model", &m.irVersion)
		case 2:
			return f.text("model", &m.producer)
		case 7:
			b, err := f.message("model")
			if err != nil {
				return err
			}
			if graphs++; graphs > 1 {
				return errors.New("model: a second graph: damaged")
			}
			return r.graph(&m.graph, b, 0)
		case 8:
			b, err := f.message("model")
			if err != nil {
				return err
			}
			var o opsetProto
			err = r.walk("opset_import", b, func(f field) error {
				switch f.num {
				case 1:
					return f.text("opset_import", &o.domain)
				case 2:
					return f.varint("opset_import", &o.version)
				}
				return nil
			})
			m.opsets = append(m.opsets, o)
			return err
		case 14:
			b, err := f.message("model")
			if err != nil {
				return err
			}
			e, err := r.entry(b)
			m.metadata = append(m.metadata, e)
			return err
		case 25:
			m.functions++
		}
		return nil
	})
	if err == nil && graphs == 0 {
		err = errors.New("no graph: not an ONNX file, or a damaged one")
	}
	return err
}

func (r *reader) entry(b []byte) (e entryProto, err error) {
	err = r.walk("metadata", b, func(f field) error {
		switch f.num {
		case 1:
			return f.text("metadata", &e.key)
		case 2:
			return f.text("metadata", &e.value)
		}
		return nil
	})
	return e, err
}

func (r *reader) graph(g *graphProto, b []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("graphs stand in each other more than %d deep, which is not supported", maxDepth)
	}
	return r.walk("graph", b, func(f field) error {
		switch f.num {
		case 1, 5, 11, 12:
		case 2:
			return f.text("graph", &g.name)
		case 15:
			g.sparse++
			return nil
		default:
			return nil
		}
		b, err := f.message("graph")
		if err != nil {
			return err
		}
		switch f.num {
		case 1:
			n := new(nodeProto)
			g.nodes = append(g.nodes, n)
			if err := r.node(n, b, depth); err != nil {
				return fmt.Errorf("node number %d: %w", len(g.nodes)-1, err)
			}
			return nil
		case 5:
			t := new(tensorProto)
			g.initializers = append(g.initializers, t)
			if err := r.tensor(t, b); err != nil {
				return fmt.Errorf("initializer number %d: %w", len(g.initializers)-1, err)
			}
			if t.name == "" {
				return fmt.Errorf("initializer number %d has no name: damaged", len(g.initializers)-1)
			}
			return nil
		case 11:
			v, err := r.value(b)
			g.inputs = append(g.inputs, v)
			return err
		default:
			v, err := r.value(b)
			g.outputs = append(g.outputs, v)
			return err
		}
	})
}

func (r *reader) node(n *nodeProto, b []byte, depth int) error {
	err := r.walk("node", b, func(f field) error {
		var s string
		switch f.num {
		case 1:
			err := f.text("node", &s)
			n.inputs = append(n.inputs, s)
			return err
		case 2:
			err := f.text("node", &s)
			n.outputs = append(n.outputs, s)
			return err
		case 3:
			return f.text("node", &n.name)
		case 4:
			return f.text("node", &n.op)
		case 5:
			b, err := f.message("node")
			if err != nil {
				return err
			}
			if len(n.attributes) == maxAttributes {
				return fmt.Errorf("%s node %s has more than %d attributes: damaged, export the model anew", quote(n.op), quote(n.name), maxAttributes)
			}
			var a attributeProto
			err = r.attribute(&a, b, depth)
			n.attributes = append(n.attributes, a)
			return err
		case 7:
			return f.text("node", &n.domain)
		}
		return nil
	})
	if err == nil && n.op == "" {
		err = errors.New("node: no operator: damaged")
	}
	return err
}

func (r *reader) attribute(a *attributeProto, b []byte, depth int) error {
	const what = "attribute"
	err := r.walk(what, b, func(f field) (err error) {
		switch f.num {
		case 1:
			return f.text(what, &a.name)
		case 2:
			var one []float32
			if one, err = f.float32s(what, nil); err == nil && len(one) == 1 {
				a.f = one[0]
			}
		case 3:
			return f.varint(what, &a.i)
		case 4:
			return f.text(what, &a.s)
		case 5, 6:
			b, err := f.message(what)
			if err != nil {
				return err
			}
			if f.num == 5 {
				a.t = new(tensorProto)
				return r.tensor(a.t, b)
			}
			a.g = new(graphProto)
			return r.graph(a.g, b, depth+1)
		case 7:
			a.floats, err = f.float32s(what, a.floats)
		case 8:
			a.ints, err = f.varints(what, a.ints)
		case 9:
			var s string
			err = f.text(what, &s)
			a.texts = append(a.texts, s)
		case 10, 11, 14, 15, 22, 23:
			a.other = true
		case 20:
			return f.varint(what, &a.kind)
		case 21:
			return f.text(what, &a.ref)
		}
		return err
	})
	if err == nil && a.name == "" {
		err = errors.New("attribute: no name: damaged")
	}
	return err
}

func (r *reader) tensor(t *tensorProto, b []byte) error {
	const what = "tensor"
	return r.walk(what, b, func(f field) (err error) {
		var n int64
		var list []int64
		switch f.num {
		case 1:
			t.dims, err = f.varints(what, t.dims)
		case 2:
			err = f.kind(what, &t.kind)
		case 3:
			t.segment = true
		case 4:
			t.floats, err = f.float32s(what, t.floats)
		case 5:
			list, err = f.varints(what, nil)
			for _, v := range list {
				t.int32s = append(t.int32s, int32(v))
			}
		case 6:
			t.texts++
		case 7:
			t.int64s, err = f.varints(what, t.int64s)
		case 8:
			err = f.text(what, &t.name)
		case 9:
			t.hasRaw = true
			t.raw, err = f.message(what)
		case 10:
			t.doubles, err = f.float64s(what, t.doubles)
		case 11:
			t.uint64s++
		case 13:
			t.external = true
			return r.location(t, f)
		case 14:
			err = f.varint(what, &n)
			t.external = t.external || n != 0
		}
		return err
	})
}

// location reads an entry of a tensor's external_data.
func (r *reader) location(t *tensorProto, f field) error {
	b, err := f.message("tensor")
	if err != nil {
		return err
	}
	e, err := r.entry(b)
	if e.key == "location" {
		t.location = e.value
	}
	return err
}

// value reads a ValueInfoProto. Its type is a TypeProto, of which a tensor's is used.
func (r *reader) value(b []byte) (v valueProto, err error) {
	const what = "value"
	err = r.walk(what, b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(what, &v.name)
		case 2:
			b, err := f.message(what)
			if err != nil {
				return err
			}
			return r.walk(what, b, func(f field) error {
				if f.num != 1 { // a sequence, a map, an optional or a sparse tensor
					return nil
				}
				b, err := f.message(what)
				if err != nil {
					return err
				}
				return r.tensorType(&v, b)
			})
		}
		return nil
	})
	return v, err
}

func (r *reader) tensorType(v *valueProto, b []byte) error {
	const what = "value"
	return r.walk(what, b, func(f field) error {
		switch f.num {
		case 1:
			return f.kind(what, &v.kind)
		case 2:
			b, err := f.message(what)
			if err != nil {
				return err
			}
			v.ranked = true
			return r.walk(what, b, func(f field) error {
				if f.num != 1 {
					return nil
				}
				b, err := f.message(what)
				if err != nil {
					return err
				}
				var d dimProto
				err = r.walk(what, b, func(f field) error {
					switch f.num {
					case 1:
						d.sized = true
						return f.varint(what, &d.size)
					case 2:
						return f.text(what, &d.param)
					}
					return nil
				})
				v.dims = append(v.dims, d)
				return err
			})
		}
		return nil
	})
}
