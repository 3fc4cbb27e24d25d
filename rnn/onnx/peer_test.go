package onnx

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"batchrnn/internal/ort"
	"batchrnn/kernels"
)

// An array is a tensor of a test.
type array struct {
	kind Type
	Tensor
}

func floatArray(data []float32, shape ...int) array {
	return array{Float, Tensor{Shape: shape, Floats: data}}
}

func intArray(kind Type, data []int64, shape ...int) array {
	return array{kind, Tensor{Shape: shape, Ints: data}}
}

// vector returns integers with one axis.
func vector(data ...int64) array { return intArray(Int64, data, len(data)) }

// scalar returns one integer without axes.
func scalar(v int64) array { return intArray(Int64, []int64{v}) }

// A graphMaker makes a graph, and the inputs of a run.
type graphMaker struct {
	*rand.Rand
	opset int64
	graph graphProto
	feeds map[string]array
	last  int
	// apart has each node read its inputs through nodes that no plan joins with others.
	apart bool
}

func newGraphMaker(seed uint64, opset int64) *graphMaker {
	return &graphMaker{Rand: rand.New(rand.NewPCG(seed, 7)), opset: opset, feeds: map[string]array{}}
}

func (g *graphMaker) name(what string) string {
	g.last++
	return what + strconv.Itoa(g.last)
}

// input makes an input with that value in the run.
func (g *graphMaker) input(a array) string {
	name := g.name("in")
	g.feeds[name] = a
	var dims []dimProto
	for i, d := range a.Shape {
		if g.IntN(2) == 0 {
			dims = append(dims, sized(d))
		} else {
			dims = append(dims, named(fmt.Sprint(name, "_", i)))
		}
	}
	g.graph.inputs = append(g.graph.inputs, newValue(name, a.kind, dims...))
	return name
}

// proto returns a as a tensor of a file.
func (a array) proto(name string) *tensorProto {
	t := &tensorProto{name: name, kind: a.kind}
	for _, d := range a.Shape {
		t.dims = append(t.dims, int64(d))
	}
	t.floats = a.Floats
	switch a.kind {
	case Int64:
		t.int64s = a.Ints
	case Int32, Bool:
		for _, v := range a.Ints {
			t.int32s = append(t.int32s, int32(v))
		}
	}
	return t
}

// constant makes an initializer, or a Constant.
func (g *graphMaker) constant(a array) string {
	if g.IntN(2) == 0 {
		return g.one("Constant", nil, tensorAttribute("value", a.proto("")))
	}
	name := g.name("c")
	g.graph.initializers = append(g.graph.initializers, a.proto(name))
	return name
}

// node adds a node with that number of outputs.
func (g *graphMaker) node(op string, inputs []string, outputs int, attributes ...attributeProto) []string {
	if g.apart {
		inputs = slices.Clone(inputs)
		for i, in := range inputs {
			if in != "" {
				inputs[i] = g.copied(in)
			}
		}
	}
	var out []string
	for range outputs {
		out = append(out, g.name("v"))
	}
	n := newNode(op, inputs, out, attributes...)
	n.name = g.name(op)
	g.graph.nodes = append(g.graph.nodes, n)
	return out
}

// copied adds nodes that copy a value: a Where between the value and itself.
func (g *graphMaker) copied(in string) string {
	yes, out := g.name("yes"), g.name("w")
	g.graph.initializers = append(g.graph.initializers, intArray(Bool, []int64{1}).proto(yes))
	g.graph.nodes = append(g.graph.nodes, newNode("Where", []string{yes, in, in}, []string{out}))
	return out
}

// one adds a node with one output.
func (g *graphMaker) one(op string, inputs []string, attributes ...attributeProto) string {
	return g.node(op, inputs, 1, attributes...)[0]
}

// output makes names outputs of the graph.
func (g *graphMaker) output(kind Type, names ...string) {
	for _, name := range names {
		g.graph.outputs = append(g.graph.outputs, valueProto{name: name, kind: kind})
	}
}

func (g *graphMaker) model() []byte {
	g.graph.name = "test"
	return (&modelProto{irVersion: 8, opsets: []opsetProto{{"", g.opset}}, graph: g.graph}).encode(nil)
}

// String lists the graph.
func (g *graphMaker) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "opset %d\n", g.opset)
	for _, v := range g.graph.inputs {
		a := g.feeds[v.name]
		fmt.Fprintf(&b, "  input %s %v %v %.300s\n", v.name, a.kind, a.Shape, fmt.Sprint(a.Floats, a.Ints))
	}
	for _, t := range g.graph.initializers {
		fmt.Fprintf(&b, "  initializer %s %v %v %.300s\n", t.name, t.kind, t.dims, fmt.Sprint(t.floats, t.int32s, t.int64s))
	}
	for _, n := range g.graph.nodes {
		fmt.Fprintf(&b, "  %v = %s%v", n.outputs, n.op, n.inputs)
		for _, a := range n.attributes {
			fmt.Fprintf(&b, " %s=%v", a.name, []any{nil, a.f, a.i, a.s, a.t, "graph", a.floats, a.ints, a.texts}[a.kind])
			if a.t != nil {
				fmt.Fprintf(&b, "{%v %v %.300s}", a.t.kind, a.t.dims, fmt.Sprint(a.t.floats, a.t.int32s, a.t.int64s))
			}
		}
		b.WriteByte('\n')
	}
	for _, v := range g.graph.outputs {
		fmt.Fprintf(&b, "  output %s\n", v.name)
	}
	return b.String()
}

// ours runs the graph here.
func (g *graphMaker) ours(e *kernels.Engine) (map[string]*Tensor, error) {
	m, err := Load(e, bytes.NewReader(g.model()))
	if err != nil {
		return nil, err
	}
	in, out := g.tensors()
	if err := m.Run(in, out); err != nil {
		return nil, err
	}
	first := out
	_, out = g.tensors()
	if err := m.Run(in, out); err != nil {
		return nil, fmt.Errorf("the second run: %w", err)
	}
	for name, a := range first {
		if err := near(out[name], a, 0); err != nil {
			return nil, fmt.Errorf("%s of the second run and the first: %w", name, err)
		}
	}
	return out, nil
}

// loaded returns the model.
func (g *graphMaker) loaded(t *testing.T, e *kernels.Engine) *Model {
	t.Helper()
	m, err := Load(e, bytes.NewReader(g.model()))
	if err != nil {
		t.Fatalf("%v\n%v", err, g)
	}
	return m
}

// tensors returns those of a run.
func (g *graphMaker) tensors() (in, out map[string]*Tensor) {
	in, out = map[string]*Tensor{}, map[string]*Tensor{}
	for name, a := range g.feeds {
		in[name] = &a.Tensor
	}
	for _, v := range g.graph.outputs {
		out[v.name] = new(Tensor)
	}
	return in, out
}

// theirs runs the graph in ONNX Runtime.
func (g *graphMaker) theirs(r *ort.Runtime) (map[string]array, error) {
	m, err := r.Load(g.model())
	if err != nil {
		return nil, err
	}
	defer m.Close()
	in := map[string]ort.Tensor{}
	for name, a := range g.feeds {
		in[name] = a.ort()
	}
	res, err := m.Run(in)
	if err != nil {
		return nil, err
	}
	out := map[string]array{}
	for name, t := range res {
		out[name] = arrayOf(t)
	}
	return out, nil
}

func (a array) ort() ort.Tensor {
	t := ort.Tensor{Shape: a.Shape}
	switch a.kind {
	case Float:
		t.Data = append([]float32{}, a.Floats...)
	case Int64:
		t.Data = append([]int64{}, a.Ints...)
	case Int32:
		data := make([]int32, len(a.Ints))
		for i, v := range a.Ints {
			data[i] = int32(v)
		}
		t.Data = data
	case Bool:
		data := make([]bool, len(a.Ints))
		for i, v := range a.Ints {
			data[i] = v != 0
		}
		t.Data = data
	}
	return t
}

func arrayOf(t ort.Tensor) array {
	a := array{Tensor: Tensor{Shape: t.Shape}}
	switch data := t.Data.(type) {
	case []float32:
		a.kind, a.Floats = Float, data
	case []int64:
		a.kind, a.Ints = Int64, data
	case []int32:
		a.kind = Int32
		for _, v := range data {
			a.Ints = append(a.Ints, int64(v))
		}
	case []bool:
		a.kind = Bool
		for _, v := range data {
			a.Ints = append(a.Ints, map[bool]int64{true: 1}[v])
		}
	}
	return a
}

// near returns an error unless got has the shape of want, its integers, and floats that
// differ by at most tol, relative to values above 1. NaN is near NaN alone.
func near(got, want *Tensor, tol float64) error {
	if !slices.Equal(got.Shape, want.Shape) || len(got.Floats) != len(want.Floats) || len(got.Ints) != len(want.Ints) {
		return fmt.Errorf("shape %v with %d floats and %d integers, want %v, %d and %d",
			got.Shape, len(got.Floats), len(got.Ints), want.Shape, len(want.Floats), len(want.Ints))
	}
	for i, w := range want.Ints {
		if got.Ints[i] != w {
			return fmt.Errorf("element %d is %d, want %d", i, got.Ints[i], w)
		}
	}
	for i, w := range want.Floats {
		v := got.Floats[i]
		if w != v && !(math.Abs(float64(v)-float64(w)) <= tol*max(1, math.Abs(float64(w)))) && !(v != v && w != w) {
			return fmt.Errorf("element %d is %v, want %v", i, v, w)
		}
	}
	return nil
}

// long says whether tests do all that they can.
func long() bool { return os.Getenv("BATCHRNN_LONG") != "" || os.Getenv("CI") != "" }

// A tally counts how graphs ended.
type tally struct {
	equal, both, ours int            // equal results; refused by both; taken here alone
	refused           map[string]int // refused here alone
}

// compare runs the graph here and in ONNX Runtime. A result of ours must be theirs within
// tol. An error of ours must name a node.
func (c *tally) compare(t *testing.T, e *kernels.Engine, r *ort.Runtime, g *graphMaker, tol float64) {
	t.Helper()
	want, refused := g.theirs(r)
	got, err := g.ours(e)
	switch {
	case refused != nil && strings.Contains(refused.Error(), "ONNX Runtime"):
		t.Fatalf("%v\n%v", refused, g)
	case refused != nil && err != nil:
		c.both++
	case refused != nil:
		c.ours++
	case err != nil:
		named := false
		for _, n := range g.graph.nodes {
			named = named || strings.Contains(err.Error(), n.op+" node "+quote(n.name))
		}
		if !named {
			t.Errorf("an error names no node: %v\n%v", err, g)
		}
		if c.refused == nil {
			c.refused = map[string]int{}
		}
		c.refused[err.Error()]++
	default:
		for name, w := range want {
			if err := near(got[name], &w.Tensor, tol); err != nil {
				t.Errorf("%s: %v\n%v", name, err, g)
				return
			}
		}
		c.equal++
	}
}
