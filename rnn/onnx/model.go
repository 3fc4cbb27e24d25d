package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"batchrnn/kernels"
)

// The versions of the standard operators that are read. Before 7 operators broadcast by
// attributes.
const (
	minOpset = 7
	maxOpset = 24
)

// maxFile is the maximum size of a protocol buffer.
const maxFile = math.MaxInt32

// A Model is a graph that runs. Any number of goroutines may use it at once.
type Model struct {
	engine          *kernels.Engine
	opset           int64
	functions       int // number of functions in the file
	size            int // of the file, in bytes
	inputs, outputs []Value
	main            *graph

	compiling sync.Mutex // held while a plan is made
	weights   map[weightKey]any
	packed    int // elements of weights

	mu      sync.Mutex
	key     []byte // of the plan that a run asks for
	byValue []bool // [inputs], those whose elements decide the plan
	idle    map[string][]*plan
	idleSum idleSum
	clock   int64
}

// A Value describes an input or an output of a model.
type Value struct {
	Name string
	Type Type
	// Shape has -1 for sizes that are free or depend on the inputs. It is nil if the file
	// does not tell the number of dimensions.
	Shape []int
	// Dims holds the file's names of the free sizes, such as "batch", and "" elsewhere.
	Dims []string
}

// String returns the name, the type and the shape, such as "input" float[batch,512]. A
// free size without a name is a question mark.
func (v Value) String() string {
	return quote(v.Name) + " " + v.kind()
}

// kind returns the type and the shape of a value.
func (v *Value) kind() string {
	if v.Shape == nil {
		return v.Type.String() + " of any shape"
	}
	var sizes []string
	for i, d := range v.Shape {
		switch {
		case d >= 0:
			sizes = append(sizes, strconv.Itoa(d))
		case v.Dims[i] != "":
			sizes = append(sizes, v.Dims[i])
		default:
			sizes = append(sizes, "?")
		}
	}
	return fmt.Sprintf("%v[%.200s]", v.Type, strings.Join(sizes, ","))
}

// Load reads a model of less than 2 GiB. It returns an error if r is no ONNX file, or if
// the file is damaged. It refuses by name an operator or an attribute that this package
// doesn't have, and weights outside the file. Nodes in the branches of an If are
// checked when a run first takes the branch.
//
// Load computes what depends on the file alone, and packs the weights for the engine.
// The file's own copies of these are then dropped.
func Load(e *kernels.Engine, r io.Reader) (*Model, error) {
	if e == nil {
		return nil, errors.New("onnx: Load: the engine is nil: make one with kernels.New")
	}
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	m := &Model{engine: e, weights: map[weightKey]any{}, idle: map[string][]*plan{}}
	if err := m.load(b); err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return m, nil
}

func (m *Model) load(b []byte) error {
	switch {
	case len(b) > maxFile:
		return fmt.Errorf("the file has more than the %d bytes that are supported: split the model", maxFile)
	case len(b) == 0:
		return errors.New("the file is empty: give an ONNX file")
	}
	var p modelProto
	if err := new(reader).model(&p, b); err != nil {
		return err
	}
	if err := m.takeOpset(p.opsets); err != nil {
		return err
	}
	m.functions, m.size = p.functions, len(b)
	g, err := m.newGraph(&p.graph, nil)
	if err != nil {
		return err
	}
	if err := g.check(m); err != nil {
		return err
	}
	m.main = g
	for i := range p.graph.inputs {
		if v := &p.graph.inputs[i]; g.constants[v.name] == nil { // a default value is a constant
			m.inputs = append(m.inputs, valueOf(v))
		}
	}
	for i := range p.graph.outputs {
		m.outputs = append(m.outputs, valueOf(&p.graph.outputs[i]))
	}
	for _, v := range m.inputs {
		switch {
		case v.Type == 0:
			return fmt.Errorf("input %s is no tensor, and only tensors are supported: export the model without it", quote(v.Name))
		case !v.Type.held():
			return fmt.Errorf("input %s has type %v, and there are float, int64, int32 and bool: convert the model", quote(v.Name), v.Type)
		case len(v.Shape) > maxRank:
			return fmt.Errorf("input %s has %d dimensions, at most %d are supported", quote(v.Name), len(v.Shape), maxRank)
		}
	}
	for _, v := range m.outputs {
		if v.Type != 0 && !v.Type.held() {
			return fmt.Errorf("output %s has type %v, and there are float, int64, int32 and bool: convert the model", quote(v.Name), v.Type)
		}
	}
	m.byValue = make([]bool, len(m.inputs))
	return m.settle(&scope{g: g})
}

func (m *Model) takeOpset(all []opsetProto) error {
	for _, o := range all {
		if o.domain != "" && o.domain != "ai.onnx" {
			continue
		}
		if m.opset = o.version; o.version < minOpset || o.version > maxOpset {
			return fmt.Errorf("the file has version %d of the standard operators, and versions %d to %d are supported: convert it (onnx.version_converter.convert_version)", o.version, minOpset, maxOpset)
		}
	}
	if m.opset == 0 {
		return errors.New("the file does not tell its version of the standard operators: set opset_import")
	}
	return nil
}

func valueOf(p *valueProto) Value {
	v := Value{Name: p.name, Type: p.kind}
	if !p.ranked {
		return v
	}
	v.Shape, v.Dims = make([]int, len(p.dims)), make([]string, len(p.dims))
	for i, d := range p.dims {
		v.Shape[i], v.Dims[i] = -1, d.param
		if d.sized && d.size > 0 && d.size <= math.MaxInt32 {
			v.Shape[i] = int(d.size)
		}
	}
	return v
}

// Inputs describes the inputs, in the file's order. Inputs with a value in the file are
// constants, and not among them.
func (m *Model) Inputs() []Value { return slices.Clone(m.inputs) }

// Outputs describes the outputs, in the file's order.
func (m *Model) Outputs() []Value { return slices.Clone(m.outputs) }

// decode returns the elements of a tensor in a file.
func (t *tensorProto) decode() (*tensor, error) {
	name := quote(t.name)
	switch {
	case t.external:
		return nil, fmt.Errorf("tensor %s is in another file, which is not supported: save the model with its weights inside (onnx.save with save_as_external_data=False)", name)
	case t.segment:
		return nil, fmt.Errorf("tensor %s is stored in segments, which is not supported: save the model anew (onnx.save)", name)
	case len(t.dims) > maxRank:
		return nil, fmt.Errorf("tensor %s has %d dimensions, at most %d are supported", name, len(t.dims), maxRank)
	case t.kind == Double:
		return nil, fmt.Errorf("tensor %s has type double, and there are float, int64, int32 and bool: convert the model to float", name)
	case !t.kind.held():
		return nil, fmt.Errorf("tensor %s has type %v, and there are float, int64, int32 and bool: convert the model", name, t.kind)
	}
	// The data bounds the size: no dimension is believed before.
	have, what := 0, "values"
	switch {
	case t.hasRaw:
		have, what = len(t.raw), "bytes"
	case t.kind == Float:
		have = len(t.floats)
	case t.kind == Int64:
		have = len(t.int64s)
	default:
		have = len(t.int32s)
	}
	shape, n := make([]int, len(t.dims)), int64(1)
	if t.hasRaw {
		n = map[Type]int64{Float: 4, Int32: 4, Int64: 8, Bool: 1}[t.kind]
	}
	most := int64(have)
	if have == 0 && slices.Contains(t.dims, 0) {
		most = int64(maxElements) // sizes beside a 0 are free
	}
	for i, d := range t.dims {
		if d < 0 || d > 0 && n > most/d {
			return nil, fmt.Errorf("tensor %s has shape %.200s and %d %s of data: damaged, export the model anew", name, fmt.Sprint(t.dims), have, what)
		}
		shape[i] = int(d)
		n *= d
	}
	if n != int64(have) {
		return nil, fmt.Errorf("tensor %s has shape %.200s and %d %s of data, want %d: damaged, export the model anew", name, fmt.Sprint(t.dims), have, what, n)
	}
	out := &tensor{kind: t.kind, shape: shape, stride: rowMajor(shape), known: true, fixed: true}
	if _, err := extent(shape); err != nil {
		return nil, fmt.Errorf("tensor %s: %w", name, err)
	}
	n = int64(count(shape))
	switch {
	case t.kind == Float && t.hasRaw:
		out.floats = kernels.Floats(int(n))
		for i := range out.floats {
			out.floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.raw[4*i:]))
		}
	case t.kind == Float:
		out.floats = t.floats
	default:
		out.ints = make([]int64, n)
		for i := range out.ints {
			switch {
			case t.hasRaw && t.kind == Int64:
				out.ints[i] = int64(binary.LittleEndian.Uint64(t.raw[8*i:]))
			case t.hasRaw && t.kind == Int32:
				out.ints[i] = int64(int32(binary.LittleEndian.Uint32(t.raw[4*i:])))
			case t.hasRaw:
				out.ints[i] = int64(t.raw[i])
			case t.kind == Int64:
				out.ints[i] = t.int64s[i]
			default:
				out.ints[i] = int64(t.int32s[i])
			}
			if t.kind == Bool && out.ints[i] != 0 {
				out.ints[i] = 1
			}
		}
	}
	return out, nil
}

// quote returns a name of a file for an error message.
func quote(name string) string {
	const most = 100
	if len(name) > most {
		return fmt.Sprintf("%q and %d bytes more", name[:most], len(name)-most)
	}
	return fmt.Sprintf("%q", name)
}

// IsModel says whether a file that begins with these bytes may be an ONNX model. Three
// bytes are enough.
func IsModel(head []byte) bool {
	// The first field is ir_version, a small integer. A field of the model follows.
	return len(head) > 2 && head[0] == 0x08 && head[1] > 0 && head[1] < 0x40 && bytes.IndexByte([]byte{0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42}, head[2]) >= 0
}
