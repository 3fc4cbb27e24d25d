package onnx

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/kernels"
)

// TestConformance runs cases of the ONNX project: a model, its inputs and outputs.
func TestConformance(t *testing.T) {
	folders, _ := filepath.Glob("../../../shared/onnx/test_*")
	if len(folders) == 0 {
		t.Skip("the conformance cases are not beside the project, in ../shared/onnx")
	}
	engine := testEngine(t)
	for _, folder := range folders {
		t.Run(strings.TrimPrefix(filepath.Base(folder), "test_"), func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(folder, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			m, err := Load(engine, bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]*Tensor{}
			for i, v := range m.inputs {
				in[v.Name] = readTensor(t, filepath.Join(folder, "test_data_set_0", fmt.Sprintf("input_%d.pb", i)))
			}
			out := map[string]*Tensor{}
			for _, v := range m.outputs {
				out[v.Name] = new(Tensor)
			}
			if err := m.Run(in, out); err != nil {
				t.Fatal(err)
			}
			for i, v := range m.outputs {
				want := readTensor(t, filepath.Join(folder, "test_data_set_0", fmt.Sprintf("output_%d.pb", i)))
				compare(t, v.Name, out[v.Name], want, 1e-5)
			}
		})
	}
}

func readTensor(t *testing.T, file string) *Tensor {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var p tensorProto
	if err := new(reader).tensor(&p, b); err != nil {
		t.Fatal(err)
	}
	d, err := p.decode()
	if err != nil {
		t.Fatal(err)
	}
	return &Tensor{d.shape, d.floats, d.ints}
}

// compare fails unless got has the shape of want and each element is within tol.
func compare(t *testing.T, name string, got, want *Tensor, tol float64) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) || !slices.Equal(got.Ints, want.Ints) || len(got.Floats) != len(want.Floats) {
		t.Fatalf("%s: got shape %v, want %v", name, got.Shape, want.Shape)
	}
	for i, w := range want.Floats {
		if d := float64(got.Floats[i] - w); !(max(d, -d) <= tol) {
			t.Fatalf("%s: element %d is %v, want %v", name, i, got.Floats[i], w)
		}
	}
}

func testEngine(t testing.TB) *kernels.Engine {
	e, err := kernels.New("", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// TestCases has the cases that the ONNX project's generator makes for RNN, GRU and LSTM,
// in onnx/backend/test/case/node, and those of both other directions. Their inputs count
// from 1. Weights are one number, or random; they are inputs, as in the cases, or stand in
// the file. The oracle is our own: see recurrentCase.
func TestCases(t *testing.T) {
	e := testEngine(t)
	const batchFirst, random, peepholes = 1, 2, 4
	for _, k := range []struct {
		name                        string
		steps, batch, inputs, units int
		scale, bias                 float32
		has                         int
	}{
		{"RNN defaults", 1, 3, 2, 4, 0.1, 0, 0},
		{"RNN initial_bias", 1, 3, 3, 5, 0.1, 0.1, 0},
		{"RNN seq_length", 2, 3, 3, 5, 0, 0, random},
		{"RNN batchwise", 1, 3, 2, 4, 0.5, 0, batchFirst},
		{"RNN reverse", 3, 1, 2, 4, 0.1, 0.1, 0},
		{"RNN bidirectional", 3, 2, 2, 4, 0.1, 0, 0},
		{"GRU defaults", 1, 3, 2, 5, 0.1, 0, 0},
		{"GRU initial_bias", 1, 3, 3, 3, 0.1, 0.1, 0},
		{"GRU seq_length", 2, 3, 3, 5, 0, 0, random},
		{"GRU batchwise", 1, 3, 2, 6, 0.2, 0, batchFirst},
		{"GRU reverse", 3, 1, 2, 4, 0.1, 0.1, 0},
		{"GRU bidirectional", 3, 2, 2, 4, 0.1, 0, 0},
		{"LSTM defaults", 1, 3, 2, 3, 0.1, 0, 0},
		{"LSTM initial_bias", 1, 3, 3, 4, 0.1, 0.1, 0},
		{"LSTM peepholes", 1, 2, 4, 3, 0.1, 0, peepholes},
		{"LSTM batchwise", 1, 3, 2, 7, 0.3, 0, batchFirst},
		{"LSTM reverse", 3, 1, 2, 4, 0.1, 0.1, 0},
		{"LSTM bidirectional", 3, 2, 2, 4, 0.1, 0, 0},
	} {
		for variant := range 8 { // bits: weights in the file; random ones; all inputs
			r := rand.New(rand.NewPCG(uint64(variant), 5))
			op, what, _ := strings.Cut(k.name, " ")
			c := &recurrentCase{recurrentSpec: recurrentSpec{op: op}, steps: k.steps, batch: k.batch, inputs: k.inputs, units: k.units}
			if what == "reverse" || what == "bidirectional" {
				c.direction = what
			}
			all := variant&4 != 0
			c.fill(r, func() bool { return all })
			if all || k.has&peepholes != 0 {
				c.p = randomConstant(r, c.units, c.directions(), 3*c.units)
			}
			if op != "LSTM" {
				c.p = nil
			}
			if k.has&peepholes != 0 {
				c.lens = slices.Repeat([]int32{int32(c.steps)}, c.batch)
				c.h0, c.c0 = make([]float32, c.batch*c.units), make([]float32, c.batch*c.units)
			}
			if variant&2 == 0 && k.has&random == 0 && !all {
				for i := range c.x {
					c.x[i] = float32(i + 1)
				}
				c.b = &constant{[]int{c.directions(), 2 * c.gates() * c.units}, make([]float32, 2*c.directions()*c.gates()*c.units)}
				for i := range c.b.data {
					if i/(c.gates()*c.units)%2 == 0 { // beside W, and not beside R
						c.b.data[i] = k.bias
					}
				}
				for _, w := range []*constant{c.w, c.r, c.p} {
					for i := range w.len() {
						w.data[i] = k.scale
					}
				}
			}
			g := c.graph(variant&1 != 0, k.has&batchFirst != 0)
			got, err := g.ours(e)
			if err != nil {
				t.Fatalf("%s: %v\n%v", k.name, err, g)
			}
			y, yh, yc := c.oracle()
			for i, want := range [][]float64{y, yh, yc}[:len(g.graph.outputs)] {
				shape, perm := []int{c.directions(), c.batch, c.units}, []int{1, 0, 2}
				if i == 0 {
					shape, perm = []int{c.steps, c.directions(), c.batch, c.units}, []int{2, 0, 1, 3}
				}
				w := &tensor{kind: Float, shape: shape, stride: rowMajor(shape)}
				for _, v := range want {
					w.floats = append(w.floats, float32(v))
				}
				if k.has&batchFirst != 0 {
					w = w.permuted(perm...)
				}
				flat := &Tensor{Shape: w.shape, Floats: make([]float32, w.count())}
				if err := newCopy(&tensor{kind: Float, shape: w.shape, stride: rowMajor(w.shape), floats: flat.Floats}, w)(); err != nil {
					t.Fatal(err)
				}
				if err := near(got[g.graph.outputs[i].name], flat, 1e-6); err != nil {
					t.Errorf("%s, variant %d, output %d: %v\n%v", k.name, variant, i, err, g)
				}
			}
		}
	}
}

func (c *constant) len() int {
	if c == nil {
		return 0
	}
	return len(c.data)
}

// graph makes the graph of c's node. Its weights are inputs, or stand in the file.
func (c *recurrentCase) graph(fixed, batchFirst bool) *graphMaker {
	g := newGraphMaker(1, 14)
	weight := func(w *constant) string {
		switch {
		case w == nil:
			return ""
		case fixed:
			return g.constant(floatArray(w.data, w.shape...))
		}
		return g.input(floatArray(w.data, w.shape...))
	}
	// states makes the input of a, [m,n,k], with m and n exchanged where the batch is first.
	states := func(a []float32, m, n, k int) string {
		switch {
		case a == nil:
			return ""
		case !batchFirst:
			return g.input(floatArray(a, m, n, k))
		}
		b := make([]float32, 0, len(a))
		for j := range n {
			for i := range m {
				b = append(b, a[(i*n+j)*k:][:k]...)
			}
		}
		return g.input(floatArray(b, n, m, k))
	}
	d := c.directions()
	in := []string{states(c.x, c.steps, c.batch, c.inputs), weight(c.w), weight(c.r), weight(c.b), "", states(c.h0, d, c.batch, c.units)}
	if c.lens != nil {
		lens := array{Int32, Tensor{Shape: []int{c.batch}}}
		for _, n := range c.lens {
			lens.Ints = append(lens.Ints, int64(n))
		}
		in[4] = g.input(lens)
	}
	outputs := 2
	if c.op == "LSTM" {
		in, outputs = append(in, states(c.c0, d, c.batch, c.units), weight(c.p)), 3
	}
	attributes := []attributeProto{intAttribute("hidden_size", int64(c.units))}
	if c.direction != "" {
		attributes = append(attributes, textAttribute("direction", c.direction))
	}
	if batchFirst {
		attributes = append(attributes, intAttribute("layout", 1))
	}
	g.output(Float, g.node(c.op, in, outputs, attributes...)...)
	return g
}
