package onnx

import (
	"bytes"
	"math"
	"os/exec"
	"reflect"
	"testing"
)

// everyField has each field of each message at least once, also with values that are
// zero, negative, empty or not finite.
func everyField() *modelProto {
	inner := graphProto{
		name:    "inner",
		nodes:   []*nodeProto{newNode("Relu", []string{"y"}, []string{"z"})},
		outputs: []valueProto{{name: "z"}},
	}
	return &modelProto{
		irVersion: 8,
		producer:  "batchrnn",
		opsets:    []opsetProto{{"", 14}, {"ai.onnx.ml", 3}},
		metadata:  []entryProto{{"key", "value"}, {"", ""}},
		functions: 2,
		graph: graphProto{
			name:   "graph",
			sparse: 1,
			nodes: []*nodeProto{
				{
					name: "node", op: "RNN", domain: "some.domain",
					inputs: []string{"x", "", "w"}, outputs: []string{"", "y"},
					attributes: []attributeProto{
						floatAttribute("clip", 1.5),
						floatAttribute("zero", 0),
						floatsAttribute("alphas", 0, -1, float32(math.Inf(1))),
						floatsAttribute("no_floats"),
						intAttribute("hidden_size", -3),
						intAttribute("layout", 0),
						intsAttribute("axes", 0, -1, 1<<40),
						textAttribute("direction", "reverse"),
						textAttribute("empty", ""),
						textsAttribute("activations", "Tanh", "", "Relu"),
						tensorAttribute("value", newInts("", []int64{-1, math.MinInt64}, 2)),
						graphAttribute("then_branch", &inner),
						{name: "many", kind: 9, other: true},
						{name: "referred", ref: "outer"},
						{name: "old", i: 5}, // files of old writers have no kind
						{name: "older", f: 5},
						{name: "oldest", s: "text"},
					},
				},
				newNode("Relu", nil, nil),
			},
			initializers: []*tensorProto{
				newFloats("w", []float32{1, float32(math.Copysign(0, -1)), float32(math.Inf(-1))}, 3, 1),
				{name: "f", dims: []int64{2}, kind: Float, floats: []float32{1, 2}},
				{name: "i", kind: Int32, int32s: []int32{-1, math.MaxInt32}},
				{name: "l", kind: Int64, int64s: []int64{-1, 0, math.MaxInt64}},
				{name: "d", kind: Double, doubles: []float64{0.5, math.Inf(1)}},
				{name: "u", kind: 13, uint64s: 1},
				{name: "s", kind: 8, texts: 2},
				{name: "x", kind: Float, external: true, segment: true, location: "weights.bin"},
				{name: "e", dims: []int64{0}, kind: Float, hasRaw: true, raw: []byte{}},
			},
			inputs: []valueProto{
				newValue("x", Float, named("length"), named("batch"), sized(5), sized(0), dimProto{}),
				newValue("scalar", Int64),
				{name: "unranked", kind: Bool},
			},
			outputs: []valueProto{{name: "y"}},
		},
	}
}

func TestEncodedMessagesAreReadAgain(t *testing.T) {
	want := everyField()
	data := want.encode(nil)
	var have modelProto
	if err := new(reader).model(&have, data); err != nil {
		t.Fatal(err)
	}
	if again := have.encode(nil); !bytes.Equal(again, data) {
		t.Errorf("what is read is encoded as\n%q, want\n%q", again, data)
	}
	if !reflect.DeepEqual(&have, want) {
		t.Errorf("read\n%+v, want\n%+v", have, *want)
	}
	g, w := have.graph, want.graph
	for i := range w.nodes {
		if !reflect.DeepEqual(g.nodes[i], w.nodes[i]) {
			t.Errorf("node %d is\n%+v, want\n%+v", i, g.nodes[i], w.nodes[i])
		}
	}
	for i := range w.initializers {
		if !reflect.DeepEqual(g.initializers[i], w.initializers[i]) {
			t.Errorf("initializer %d is\n%+v, want\n%+v", i, g.initializers[i], w.initializers[i])
		}
	}
	for i := range w.inputs {
		if !reflect.DeepEqual(g.inputs[i], w.inputs[i]) {
			t.Errorf("input %d is\n%+v, want\n%+v", i, g.inputs[i], w.inputs[i])
		}
	}
}

// TestEncodingIsThatOfPython has the ONNX project's own package read a model and write it
// again. Its bytes must be the same.
func TestEncodingIsThatOfPython(t *testing.T) {
	python := pythonONNX(t)
	data := everyField().encode(nil)
	again := exec.Command(python, "-c", `
import sys, onnx
model = onnx.ModelProto.FromString(sys.stdin.buffer.read())
sys.stdout.buffer.write(model.SerializeToString(deterministic=True))`)
	again.Stdin = bytes.NewReader(data)
	var out, messages bytes.Buffer
	again.Stdout, again.Stderr = &out, &messages
	if err := again.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &messages)
	}
	if !bytes.Equal(out.Bytes(), data) {
		t.Errorf("Python writes\n%q, want\n%q", out.Bytes(), data)
	}
}

// pythonONNX returns a Python that has the ONNX project's package.
func pythonONNX(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} { // the second has Debian's packages
		if exec.Command(python, "-c", "import onnx").Run() == nil {
			return python
		}
	}
	t.Skip("SKIPPED: Python has no package onnx: get it by apt-get install python3-onnx")
	return ""
}
