package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/encoding/protowire"
)

// lstm returns a model of one LSTM with weights in the file.
func lstm() *modelProto {
	return modelOf([]valueProto{newValue("x", Float, named("t"), named("n"), sized(3))},
		[]*tensorProto{weights("w", 1, 8, 3), weights("r", 1, 8, 2), weights("b", 1, 16)},
		&nodeProto{op: "LSTM", name: "cell", inputs: []string{"x", "w", "r", "b"}, outputs: []string{"y", "h", "c"},
			attributes: []attributeProto{intAttribute("hidden_size", 2)}})
}

// TestBadFiles: each file is refused by one line that names the node or the tensor, and
// the remedy.
func TestBadFiles(t *testing.T) {
	relu := func() *modelProto {
		return modelOf([]valueProto{newValue("x", Float, named("n"))}, nil, newNode("Relu", []string{"x"}, []string{"y"}))
	}
	deep := relu().graph
	for range maxDepth + 1 {
		inner := deep
		deep = graphProto{nodes: []*nodeProto{newNode("If", []string{"x"}, []string{"y"}, graphAttribute("then_branch", &inner), graphAttribute("else_branch", &inner))},
			outputs: []valueProto{newValue("y", Float)}}
	}
	deep.inputs = relu().graph.inputs
	huge := func(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff, 0x03) } // a length of 1 GiB
	for _, test := range []struct {
		name string
		file any // bytes, a model, or a function that changes an LSTM's
		want []string
	}{
		{"empty", []byte{}, []string{"empty", "give an ONNX file"}},
		{"text", []byte("The quick brown fox jumps over the lazy dog\n"), []string{"not an ONNX file"}},
		{"safetensors", append([]byte{64, 0, 0, 0, 0, 0, 0, 0}, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`...), []string{"not an ONNX file"}},
		{"language model", []byte("\x89RNNLM\r\n\x02\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00"), []string{"not an ONNX file"}},
		{"zeros", make([]byte, 100), []string{"not an ONNX file"}},
		{"no graph", appendVarint(nil, 1, 8), []string{"no graph", "not an ONNX file"}},
		{"two graphs", append(relu().encode(nil), relu().encode(nil)...), []string{"second graph"}},
		{"graph of a gigabyte", huge([]byte{0x08, 0x08, 0x3a}), []string{"model: field 7 ends behind", "truncated"}},
		{"tensor of a gigabyte", appendMessage(nil, 7, func(b []byte) []byte {
			return appendMessage(b, 5, func(b []byte) []byte { return huge(append(b, 0x4a)) })
		}), []string{"initializer number 0: tensor: field 9 ends behind", "truncated"}},
		{"node of a gigabyte", appendMessage(nil, 7, func(b []byte) []byte { return huge(append(b, 0x0a)) }), []string{"graph: field 1 ends behind", "truncated"}},
		{"groups", []byte{0x08, 0x08, 0x3b}, []string{"wire type 3", "not an ONNX file"}},

		{"no version", func(m *modelProto) { m.opsets = nil }, []string{"set opset_import"}},
		{"version of another domain", func(m *modelProto) { m.opsets[0].domain = "ai.onnx.ml" }, []string{"set opset_import"}},
		{"old version", func(m *modelProto) { m.opsets[0].version = 6 }, []string{"version 6", "7 to 24", "convert_version"}},
		{"new version", func(m *modelProto) { m.opsets[0].version = 25 }, []string{"version 25", "7 to 24", "convert_version"}},
		{"negative version", func(m *modelProto) { m.opsets[0].version = -1 }, []string{"version -1", "convert_version"}},
		{"operator newer than the version", func(m *modelProto) {
			m.opsets[0].version, m.graph.nodes[0] = 7, &nodeProto{op: "Where", name: "choice", inputs: []string{"x", "x", "x"}, outputs: []string{"y"}}
			m.graph.outputs = m.graph.outputs[:1]
		}, []string{`Where node "choice"`, "from version 9", "export"}},

		{"external data", func(m *modelProto) { m.graph.initializers[0].external = true }, []string{`tensor "w" is in another file`, "save_as_external_data=False"}},
		{"segments", func(m *modelProto) { m.graph.initializers[0].segment = true }, []string{`tensor "w"`, "segments", "save the model anew"}},
		{"sparse tensors", func(m *modelProto) { m.graph.sparse = 2 }, []string{"2 sparse initializers", "dense"}},
		{"strings", func(m *modelProto) {
			*m.graph.initializers[0] = tensorProto{name: "w", kind: 8, texts: 1, dims: []int64{1}}
		}, []string{`tensor "w" has type string`, "convert"}},
		{"float16", func(m *modelProto) { m.graph.initializers[0].kind = Float16 }, []string{`tensor "w" has type float16`, "convert"}},
		{"double", func(m *modelProto) { m.graph.initializers[1].kind = Double }, []string{`tensor "r" has type double`, "convert the model to float"}},
		{"unknown type", func(m *modelProto) { m.graph.initializers[1].kind = 99 }, []string{`tensor "r" has type type 99`, "convert"}},
		{"type beyond 32 bits", append(appendMessage(nil, 7, func(b []byte) []byte {
			return appendMessage(b, 5, func(b []byte) []byte { return appendVarint(b, 2, 1<<32+1) })
		}), 0), []string{"initializer number 0", "no type"}},
		{"shape larger than the data", func(m *modelProto) { m.graph.initializers[0].dims[1] = 1 << 40 }, []string{`tensor "w" has shape [1 1099511627776 3]`, "96 bytes"}},
		{"shape smaller than the data", func(m *modelProto) { m.graph.initializers[0].dims[1] = 7 }, []string{`tensor "w" has shape [1 7 3]`, "want 84"}},
		{"negative size", func(m *modelProto) { m.graph.initializers[0].dims[1] = -8 }, []string{`tensor "w" has shape [1 -8 3]`}},
		{"sizes that overflow", func(m *modelProto) {
			m.graph.initializers[0].dims = []int64{1 << 32, 1 << 32, 0, 1 << 62}
			m.graph.initializers[0].raw = nil
		}, []string{`tensor "w"`, "shape"}},
		{"many dimensions", func(m *modelProto) { m.graph.initializers[0].dims = make([]int64, 40) }, []string{`tensor "w" has 40 dimensions`, "32"}},
		{"no name", func(m *modelProto) { m.graph.initializers[1].name = "" }, []string{"initializer number 1", "no name"}},

		{"two initializers of one name", func(m *modelProto) { m.graph.initializers[0].name = "r" }, []string{`two initializers`, `"r"`, "export"}},
		{"two inputs of one name", func(m *modelProto) { m.graph.inputs = append(m.graph.inputs, m.graph.inputs[0]) }, []string{`two inputs`, `"x"`, "export"}},
		{"input without a name", func(m *modelProto) { m.graph.inputs = append(m.graph.inputs, newValue("", Float)) }, []string{"an input of the graph has no name"}},
		{"two outputs of one name", func(m *modelProto) { m.graph.outputs[1].name = "y" }, []string{`two outputs`, `"y"`, "Identity"}},
		{"output that nothing makes", func(m *modelProto) { m.graph.outputs[0].name = "z" }, []string{`output "z", which no node makes`}},
		{"no output", func(m *modelProto) { m.graph.outputs = nil }, []string{"no output"}},
		{"two nodes with one output", func(m *modelProto) {
			m.graph.nodes = append(m.graph.nodes, newNode("Relu", []string{"x"}, []string{"y"}))
		}, []string{`LSTM node "cell" and Relu node number 1 have one output, "y"`, "export"}},
		{"one node with one output twice", func(m *modelProto) { m.graph.nodes[0].outputs[1] = "y" }, []string{`LSTM node "cell" and LSTM node "cell" have one output, "y"`}},
		{"output that is an input", func(m *modelProto) { m.graph.nodes[0].outputs[0] = "x" }, []string{`LSTM node "cell" has the output "x"`}},
		{"output that is an initializer", func(m *modelProto) { m.graph.nodes[0].outputs[0] = "w" }, []string{`LSTM node "cell" has the output "w"`}},
		{"input that nothing makes", func(m *modelProto) { m.graph.nodes[0].inputs[0] = "z" }, []string{`LSTM node "cell": input 0, "z", is made by no node`}},
		{"cyclic", func(m *modelProto) {
			m.graph.nodes = append(m.graph.nodes, newNode("Relu", []string{"b2"}, []string{"a2"}), newNode("Tanh", []string{"a2"}, []string{"b2"}))
		}, []string{`Relu node number 1`, "cyclic"}},
		{"a node that reads itself", func(m *modelProto) { m.graph.nodes[0].inputs[0] = "y" }, []string{`LSTM node "cell"`, "cyclic"}},
		{"a node without an operator", func(m *modelProto) { m.graph.nodes[0].op = "" }, []string{"node number 0", "no operator"}},

		{"operator", func(m *modelProto) { m.graph.nodes[0].op = "Loop" }, []string{`"Loop" node "cell"`, "not supported", "export the model without it"}},
		{"operator with a graph of its own", func(m *modelProto) {
			m.graph.nodes[0].op, m.graph.nodes[0].attributes = "Loop", []attributeProto{graphAttribute("body", &graphProto{inputs: []valueProto{newValue("step", Int64)}})}
		}, []string{`"Loop" node "cell": the operator is not supported`}},
		{"operator of others with a graph of its own", func(m *modelProto) {
			n := m.graph.nodes[0]
			n.op, n.domain, n.attributes = "If", "com.example", []attributeProto{graphAttribute("then_branch", &graphProto{inputs: []valueProto{newValue("step", Int64)}})}
		}, []string{`If node "cell" is of the domain "com.example"`}},
		{"operator of many lines", func(m *modelProto) { m.graph.nodes[0].op = strings.Repeat("A\n", 5000) }, []string{`A\n`, "9900 bytes more", "not supported"}},
		{"domain", func(m *modelProto) { m.graph.nodes[0].domain = "com.microsoft" }, []string{`LSTM node "cell"`, `"com.microsoft"`, "export"}},
		{"function", func(m *modelProto) { m.graph.nodes[0].domain, m.functions = "local", 1 }, []string{`LSTM node "cell"`, `"local"`, "inline_local_functions"}},
		{"attribute", func(m *modelProto) {
			m.graph.nodes[0].attributes = append(m.graph.nodes[0].attributes, intAttribute("linear_before_reset", 1))
		}, []string{`LSTM node "cell"`, `"linear_before_reset" is not supported`, "export"}},
		{"type of an attribute", func(m *modelProto) { m.graph.nodes[0].attributes[0] = floatAttribute("hidden_size", 2) }, []string{`LSTM node "cell"`, `"hidden_size" has the wrong type, want an int`}},
		{"two attributes of one name", func(m *modelProto) {
			m.graph.nodes[0].attributes = append(m.graph.nodes[0].attributes, intAttribute("hidden_size", 2))
		}, []string{`LSTM node "cell" has two attributes "hidden_size"`}},
		{"many attributes", func(m *modelProto) {
			m.graph.nodes[0].attributes = make([]attributeProto, 200)
			for i := range m.graph.nodes[0].attributes {
				m.graph.nodes[0].attributes[i].name = "a"
			}
		}, []string{`"LSTM" node "cell" has more than 100 attributes`}},
		{"attribute of a function", func(m *modelProto) { m.graph.nodes[0].attributes[0].ref = "size" }, []string{`LSTM node "cell"`, `"hidden_size"`, "inlined"}},
		{"external attribute", func(m *modelProto) {
			w := weights("", 2)
			w.external = true
			m.graph.nodes = append(m.graph.nodes, &nodeProto{op: "Constant", name: "k", outputs: []string{"k"}, attributes: []attributeProto{tensorAttribute("value", w)}})
		}, []string{`Constant node "k", attribute "value"`, "another file", "save"}},
		{"constant without a value", func(m *modelProto) {
			m.graph.nodes = append(m.graph.nodes, &nodeProto{op: "Constant", name: "k", outputs: []string{"k"}})
		}, []string{`Constant node "k"`, "value"}},
		{"few inputs", func(m *modelProto) { m.graph.nodes[0].inputs = []string{"x", "w"} }, []string{`LSTM node "cell" has 2 inputs, want at least 3`}},
		{"many inputs", func(m *modelProto) { m.graph.nodes[0].inputs = make([]string, 9) }, []string{`LSTM node "cell" has 9 inputs, want at most 8`}},
		{"an input left out", func(m *modelProto) { m.graph.nodes[0].inputs[1] = "" }, []string{`LSTM node "cell": input 1 is left out`}},
		{"no outputs", func(m *modelProto) {
			m.graph.nodes[0].outputs = nil
			m.graph.outputs[0].name = "x"
			m.graph.outputs = m.graph.outputs[:1]
		}, []string{`LSTM node "cell" has no output`}},
		{"many outputs", func(m *modelProto) { m.graph.nodes[0].outputs = append(m.graph.nodes[0].outputs, "d") }, []string{`LSTM node "cell" has 4 outputs, want at most 3`}},

		{"shape of W", func(m *modelProto) { m.graph.initializers[0] = weights("w", 1, 9, 3) }, []string{`LSTM node "cell": input W has shape [1 9 3]`, "want shape [1 8 3]"}},
		{"shape of R", func(m *modelProto) { m.graph.initializers[1] = weights("r", 8, 2) }, []string{`LSTM node "cell": input R has shape [8 2]`, "want"}},
		{"shape of B", func(m *modelProto) { m.graph.initializers[2] = weights("b", 1, 8) }, []string{`LSTM node "cell": input B has shape [1 8]`, "want shape [1 16]"}},
		{"type of B", func(m *modelProto) { m.graph.initializers[2] = newInts("b", make([]int64, 16), 1, 16) }, []string{`LSTM node "cell": B, input 3, has type int64, want float`}},
		{"hidden_size", func(m *modelProto) { m.graph.nodes[0].attributes[0].i = 5 }, []string{`LSTM node "cell": hidden_size is 5`, "2"}},
		{"clip of 0", func(m *modelProto) {
			m.graph.nodes[0].attributes = append(m.graph.nodes[0].attributes, floatAttribute("clip", 0))
		}, []string{`LSTM node "cell"`, "clip is 0", "above 0", "leave it out"}},
		{"activation", func(m *modelProto) {
			m.graph.nodes[0].attributes = append(m.graph.nodes[0].attributes, textsAttribute("activations", "Sin", "Tanh", "Tanh"))
		}, []string{`LSTM node "cell"`, `"Sin"`, "Sigmoid"}},
		{"shape of a filter", modelOf([]valueProto{newValue("x", Float, named("n"), sized(2), named("l"))}, []*tensorProto{weights("w", 3, 2, 3, 3)},
			&nodeProto{op: "Conv", name: "c", inputs: []string{"x", "w"}, outputs: []string{"y"}}), []string{`Conv node "c"`, "[3 2 3 3]", "one axis"}},
		{"groups of a filter", modelOf([]valueProto{newValue("x", Float, named("n"), sized(2), named("l"))}, []*tensorProto{weights("w", 3, 2, 3)},
			&nodeProto{op: "Conv", name: "c", inputs: []string{"x", "w"}, outputs: []string{"y"}, attributes: []attributeProto{intAttribute("group", 2)}}), []string{`Conv node "c"`, "2 groups"}},
		{"constants that don't fit", modelOf(nil, []*tensorProto{weights("a", 2), weights("b", 3)},
			&nodeProto{op: "Add", name: "sum", inputs: []string{"a", "b"}, outputs: []string{"y"}}), []string{`Add node "sum"`, "[2]", "[3]"}},
		{"type of an input", func(m *modelProto) { m.graph.inputs[0].kind = Double }, []string{`input "x" has type double`, "convert"}},
		{"type of an output", func(m *modelProto) { m.graph.outputs[0].kind = Double }, []string{`output "y" has type double`, "convert"}},
		{"an input that is no tensor", func(m *modelProto) { m.graph.inputs[0] = valueProto{name: "x"} }, []string{`input "x" is no tensor`, "export"}},

		{"graphs in graphs", &modelProto{irVersion: 8, opsets: []opsetProto{{"", 17}}, graph: deep}, []string{"deep", "16"}},
		{"inputs of a branch", modelOf(relu().graph.inputs, nil,
			&nodeProto{op: "If", name: "choice", inputs: []string{"x"}, outputs: []string{"z"}, attributes: []attributeProto{graphAttribute("then_branch", &graphProto{
				inputs: []valueProto{newValue("i", Float)}, outputs: []valueProto{newValue("i", Float)}})}}), []string{`If node "choice", "then_branch"`, `input "i"`}},
		{"cyclic through a branch", modelOf(relu().graph.inputs, nil,
			&nodeProto{op: "If", name: "choice", inputs: []string{"x"}, outputs: []string{"z"}, attributes: []attributeProto{graphAttribute("then_branch", &graphProto{
				nodes: []*nodeProto{newNode("Relu", []string{"z"}, []string{"i"})}, outputs: []valueProto{newValue("i", Float)}})}}), []string{`If node "choice"`, "cyclic"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b []byte
			switch file := test.file.(type) {
			case []byte:
				b = file
			case *modelProto:
				b = file.encode(nil)
			case func(*modelProto):
				m := lstm()
				file(m)
				b = m.encode(nil)
			}
			m, err := Load(testEngine(t), bytes.NewReader(b))
			if err == nil || m != nil {
				t.Fatalf("the file is read: error %v", err)
			}
			checkWords(t, err, test.want)
		})
	}
}

// TestMoves: attributes are refused from the version on that has them as inputs, and these
// inputs before it.
func TestMoves(t *testing.T) {
	e := testEngine(t)
	for op, v := range moves {
		var outputs []string
		for i := range 2 {
			if outputs = append(outputs, fmt.Sprint("y", i)); op != "Split" {
				break
			}
		}
		load := func(opset int64, inputs []string, attributes ...attributeProto) error {
			m := modelOf([]valueProto{newValue("x", Float, named("n"), sized(2))}, []*tensorProto{newInts("i", []int64{1}, 1), newInts("j", []int64{1, 1}, 2)},
				&nodeProto{op: op, name: "moved", inputs: inputs, outputs: outputs, attributes: attributes})
			m.opsets[0].version = opset
			_, err := Load(e, bytes.NewReader(m.encode(nil)))
			return err
		}
		inputs := map[string][]string{"Slice": {"x", "i", "i"}, "Split": {"x", "j"}}[op]
		if inputs == nil {
			inputs = []string{"x", "i"}
		}
		if err := load(v.version, inputs); err != nil {
			t.Errorf("%s with inputs: %v", op, err)
		}
		checkWords(t, load(v.version-1, inputs), []string{op + ` node "moved"`, fmt.Sprint("version ", v.version), fmt.Sprint("the file has ", v.version-1), "export"})
		for _, name := range v.attributes {
			a := attributeProto{name: name, kind: operators[op].attributes[name]}
			if err := load(v.version-1, inputs[:1], a); err != nil {
				t.Errorf("%s with %s: %v", op, name, err)
			}
			checkWords(t, load(v.version, inputs, a), []string{op + ` node "moved"`, quote(name), "became an input", fmt.Sprint("the file has ", v.version), "export"})
		}
	}
}

// checkWords fails unless err is one line with all these words.
func checkWords(t *testing.T, err error, want []string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	checkError(t, err)
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v\ndoes not tell %q", err, w)
		}
	}
}

// TestCutFiles: every file that is cut off is refused.
func TestCutFiles(t *testing.T) {
	engine := testEngine(t)
	for _, s := range seeds() {
		b := s.bytes()
		whole := len(b)
		for n := range whole {
			_, err := Load(engine, bytes.NewReader(b[:n]))
			if err == nil {
				t.Fatalf("%s: %d of %d bytes are read", s.name, n, whole)
			}
			checkError(t, err)
		}
	}
}

func TestLoadPassesOnErrors(t *testing.T) {
	broken := errors.New("read /dev/x: is a directory")
	_, err := Load(testEngine(t), io.MultiReader(bytes.NewReader(lstm().encode(nil)), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
	if _, err := Load(nil, bytes.NewReader(nil)); err == nil || !strings.Contains(err.Error(), "kernels.New") {
		t.Errorf("no engine: error %v", err)
	}
}

// TestBadInputs: a run refuses tensors that don't fit, tells what is wanted, and leaves the
// outputs as they are.
func TestBadInputs(t *testing.T) {
	model := modelOf([]valueProto{
		newValue("x", Float, named("t"), named("n"), sized(3)), newValue("l", Int32, named("n")),
	}, lstm().graph.initializers, &nodeProto{op: "LSTM", name: "cell", inputs: []string{"x", "w", "r", "b", "l"}, outputs: []string{"y"}})
	m, err := Load(testEngine(t), bytes.NewReader(model.encode(nil)))
	if err != nil {
		t.Fatal(err)
	}
	x := func(shape ...int) *Tensor { return &Tensor{Shape: shape, Floats: ramp(max(count(shape), 0))} }
	l := &Tensor{Shape: []int{2}, Ints: []int64{4, 1}}
	for _, test := range []struct {
		name    string
		in, out map[string]*Tensor
		want    []string
	}{
		{"nothing", nil, nil, []string{`input "x" is missing`, "float[t,n,3]"}},
		{"one is missing", map[string]*Tensor{"x": x(4, 2, 3)}, nil, []string{`input "l" is missing`, "int32[n]"}},
		{"nil", map[string]*Tensor{"x": nil, "l": l}, nil, []string{`the tensor for input "x" is nil`}},
		{"another name", map[string]*Tensor{"X": x(4, 2, 3), "l": l}, nil, []string{`no input "X"`, `give "x", "l"`}},
		{"one more", map[string]*Tensor{"x": x(4, 2, 3), "l": l, "z": l}, nil, []string{`no input "z"`, `give "x", "l"`}},
		{"type", map[string]*Tensor{"x": {Shape: []int{1, 1, 3}, Ints: []int64{1, 2, 3}}, "l": l}, nil, []string{`input "x"`, "3 integers", "want 3 floats", "float[t,n,3]"}},
		{"type of lengths", map[string]*Tensor{"x": x(4, 2, 3), "l": {Shape: []int{2}, Floats: []float32{1, 1}}}, nil, []string{`input "l"`, "want 2 integers", "int32[n]"}},
		{"range", map[string]*Tensor{"x": x(4, 2, 3), "l": {Shape: []int{2}, Ints: []int64{1, 1 << 40}}}, nil, []string{`input "l"`, "element 1 is 1099511627776", "int32"}},
		{"rank", map[string]*Tensor{"x": x(4, 3), "l": l}, nil, []string{`input "x"`, "2 dimensions, want 3", "float[t,n,3]"}},
		{"size", map[string]*Tensor{"x": x(4, 2, 4), "l": l}, nil, []string{`input "x"`, "[4 2 4]", "want float[t,n,3]"}},
		{"elements", map[string]*Tensor{"x": {Shape: []int{4, 2, 3}, Floats: ramp(23)}, "l": l}, nil, []string{`input "x"`, "23 floats", "want 24"}},
		{"negative", map[string]*Tensor{"x": x(-4, 2, 3), "l": l}, nil, []string{`input "x"`, "[-4 2 3]", "impossible"}},
		{"overflow", map[string]*Tensor{"x": {Shape: []int{1 << 40, 1 << 40, 3}}, "l": l}, nil, []string{`input "x"`, "elements that are supported"}},
		{"overflow of none", map[string]*Tensor{"x": {Shape: []int{0, 1 << 40, 3}}, "l": l}, nil, []string{`input "x"`, "elements that are supported"}},
		{"no steps", map[string]*Tensor{"x": x(0, 2, 3), "l": l}, nil, []string{`LSTM node "cell"`, "at least one step"}},
		{"batches that differ", map[string]*Tensor{"x": x(4, 3, 3), "l": l}, nil, []string{`LSTM node "cell"`, "sequence_lens", "[3]"}},
		{"length", map[string]*Tensor{"x": x(4, 2, 3), "l": {Shape: []int{2}, Ints: []int64{1, 5}}}, nil, []string{`LSTM node "cell"`, "sequence 1 has the length 5", "0 to 4"}},
		{"output", map[string]*Tensor{"x": x(4, 2, 3), "l": l}, map[string]*Tensor{"Y": {}}, []string{`no output "Y"`, `ask for "y"`}},
		{"nil output", map[string]*Tensor{"x": x(4, 2, 3), "l": l}, map[string]*Tensor{"y": nil}, []string{`output "y" is nil`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			y := &Tensor{Shape: []int{1}, Floats: []float32{7}}
			out := map[string]*Tensor{"y": y}
			for name, o := range test.out {
				out[name] = o
			}
			checkWords(t, m.Run(test.in, out), test.want)
			if len(y.Shape) != 1 || len(y.Floats) != 1 || y.Floats[0] != 7 {
				t.Errorf("the output has changed: %v", *y)
			}
		})
	}
	if err := m.Run(map[string]*Tensor{"x": x(4, 2, 3), "l": l}, map[string]*Tensor{"y": {}}); err != nil {
		t.Error("after the errors:", err)
	}
}

// TestConditionOfTheRun: an If whose condition depends on floats of the run is refused.
func TestConditionOfTheRun(t *testing.T) {
	branch := &graphProto{nodes: []*nodeProto{newNode("Relu", []string{"x"}, []string{"q"})}, outputs: []valueProto{newValue("q", Float)}}
	model := modelOf([]valueProto{newValue("x", Float)}, []*tensorProto{newFloats("zero", []float32{0})},
		newNode("Greater", []string{"x", "zero"}, []string{"c"}),
		&nodeProto{op: "If", name: "choice", inputs: []string{"c"}, outputs: []string{"y"}, attributes: []attributeProto{graphAttribute("then_branch", branch), graphAttribute("else_branch", branch)}})
	m, err := Load(testEngine(t), bytes.NewReader(model.encode(nil)))
	if err != nil {
		t.Fatal(err)
	}
	err = m.Run(map[string]*Tensor{"x": {Shape: []int{}, Floats: []float32{1}}}, outputsOf(m))
	checkWords(t, err, []string{`If node "choice"`, `"c"`, "floats of the run", "export"})
}

// TestLargeRuns: what would take too much memory or time is refused before.
func TestLargeRuns(t *testing.T) {
	ints := func(name string, v ...int64) *tensorProto { return newInts(name, v, int64(len(v))) }
	x := newValue("x", Float, named("n"))
	var double, reduce []*nodeProto
	reduce = append(reduce, newNode("Expand", []string{"x", "s"}, []string{"wide"}))
	for i := range 40 {
		double = append(double, newNode("Concat", []string{fmt.Sprint("x", i), fmt.Sprint("x", i)}, []string{fmt.Sprint("x", i+1)}, intAttribute("axis", 0)))
		reduce = append(reduce, newNode("ReduceMax", []string{"wide"}, []string{fmt.Sprint("r", i)}))
	}
	double[0].inputs = []string{"x", "x"}
	for _, test := range []struct {
		name  string
		model *modelProto
		work  int64
		want  []string
	}{
		{"doubling", modelOf([]valueProto{x}, nil, double...), 1 << 40, []string{"Concat node", "elements", "split"}},
		{"expanding", modelOf([]valueProto{x}, []*tensorProto{ints("s", 1<<20, 4)}, newNode("Expand", []string{"x", "s"}, []string{"y"})), 1 << 40, []string{"Expand node", "elements"}},
		{"constants", modelOf(nil, []*tensorProto{ints("s", 1<<20)}, newNode("ConstantOfShape", []string{"s"}, []string{"y"})), 1 << 40, []string{"ConstantOfShape node", "elements"}},
		{"padding", modelOf([]valueProto{x}, []*tensorProto{ints("s", 1<<19, 1<<19)}, newNode("Pad", []string{"x", "s"}, []string{"y"}, textAttribute("mode", "edge"))), 1 << 40, []string{"Pad node"}},
		{"packing", modelOf([]valueProto{newValue("x", Float, named("n"), sized(1<<15))}, []*tensorProto{ints("s", 1<<15, 1)},
			newNode("ConstantOfShape", []string{"s"}, []string{"w"}), newNode("MatMul", []string{"x", "w"}, []string{"y"})), 1 << 40, []string{"MatMul node", "elements"}},
		{"packing in a run", modelOf([]valueProto{newValue("x", Float, named("n"), sized(1<<14))}, []*tensorProto{ints("zero", 0), ints("one", 1)},
			newNode("Transpose", []string{"x"}, []string{"t"}), newNode("Slice", []string{"t", "zero", "one", "one"}, []string{"c"}), newNode("Shape", []string{"c"}, []string{"s"}),
			newNode("ConstantOfShape", []string{"s"}, []string{"w"}), newNode("MatMul", []string{"x", "w"}, []string{"y"})), 1 << 40, []string{"MatMul node", "elements"}},
		{"reducing", modelOf([]valueProto{x}, []*tensorProto{ints("s", 1<<12, 4)}, reduce...), 1 << 24, []string{"multiply-adds", "split"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			limit(t, 1<<16, test.work)
			m, err := Load(testEngine(t), bytes.NewReader(test.model.encode(nil)))
			if err == nil {
				in := small(m, 4)
				if in == nil {
					in = map[string]*Tensor{"x": {Shape: []int{1, 1 << 14}, Floats: ramp(1 << 14)}}
				}
				err = m.Run(in, outputsOf(m))
			}
			checkWords(t, err, test.want)
		})
	}
}

// TestNaN: NaN in an input comes out.
func TestNaN(t *testing.T) {
	engine := testEngine(t)
	nan := float32(math.NaN())
	for _, s := range seeds() {
		switch s.name { // these select, count or turn to integers
		case "Shape", "Size", "Cast", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Where", "Constant", "ConstantOfShape", "Constant floats", "Gather":
			continue
		}
		m, err := Load(engine, bytes.NewReader(s.bytes()))
		if err != nil {
			t.Fatal(err)
		}
		in, floats := small(m, 2), false
		for _, x := range in {
			for i := range x.Floats {
				x.Floats[i], floats = nan, true
			}
		}
		if !floats {
			continue
		}
		out := outputsOf(m)
		if err := m.Run(in, out); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		found := false
		for _, o := range out {
			for _, v := range o.Floats {
				found = found || v != v
			}
		}
		if !found {
			t.Errorf("%s: NaN does not come out", s.name)
		}
	}
}

// TestManyParts: files of many small parts take memory in proportion to their size.
func TestManyParts(t *testing.T) {
	engine := testEngine(t)
	const n = 1 << 14
	repeated := func(num protowire.Number, part []byte) []byte {
		one := protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), part)
		return bytes.Repeat(one, n)
	}
	graph := func(b []byte) []byte {
		file := appendMessage(appendVarint(nil, 1, 8), 7, func(to []byte) []byte { return append(to, b...) })
		return appendMessage(file, 8, opsetProto{"", 17}.encode)
	}
	node := func(b []byte) []byte {
		return graph(appendMessage(nil, 1, func(to []byte) []byte { return append(appendText(to, 4, "Neg"), b...) }))
	}
	chain := modelOf([]valueProto{newValue("x", Float)}, nil, newNode("Neg", []string{"x"}, []string{"0"}))
	for i := range n {
		chain.graph.nodes = append(chain.graph.nodes, newNode("Neg", []string{fmt.Sprint(i)}, []string{fmt.Sprint(i + 1)}))
	}
	slices.Reverse(chain.graph.nodes)
	shared := modelOf([]valueProto{newValue("x", Float)}, nil, newNode("Neg", []string{"x"}, []string{"y"}))
	for i := range n {
		shared.graph.nodes = append(shared.graph.nodes, newNode("Neg", []string{"x"}, []string{fmt.Sprint(i)}))
	}
	joined := modelOf([]valueProto{newValue("x", Float, sized(1))}, nil, newNode("Concat", nil, []string{"y"}, intAttribute("axis", 0)))
	for range n {
		joined.graph.nodes[0].inputs = append(joined.graph.nodes[0].inputs, "x")
	}
	inner := graphProto{outputs: []valueProto{{name: "x"}}}
	for i := range n {
		inner.nodes = append(inner.nodes, newNode("Neg", []string{fmt.Sprint(i)}, []string{fmt.Sprint(i, "a")}))
	}
	deep := modelOf([]valueProto{newValue("x", Float)}, nil, newNode("Neg", []string{"x"}, []string{"x1"}))
	for i := range n {
		deep.graph.inputs = append(deep.graph.inputs, valueProto{name: fmt.Sprint(i), kind: Float})
	}
	for range maxDepth - 1 {
		part := inner
		inner = graphProto{outputs: inner.outputs, nodes: []*nodeProto{newNode("If", []string{"x"}, []string{"z"}, graphAttribute("then_branch", &part))}}
	}
	deep.graph.nodes = append(deep.graph.nodes, newNode("If", []string{"x"}, []string{"z"}, graphAttribute("then_branch", &inner)))
	for name, b := range map[string][]byte{
		"nodes":             graph(repeated(1, appendText(nil, 4, "A"))),
		"nodes of nothing":  graph(repeated(1, nil)),
		"initializers":      graph(repeated(5, nil)),
		"inputs":            graph(repeated(11, nil)),
		"attributes":        node(repeated(5, appendText(nil, 1, "a"))),
		"inputs of a node":  node(repeated(1, nil)),
		"outputs of a node": node(repeated(2, nil)),
		"names of a node":   node(repeated(3, nil)),
		"versions":          repeated(8, nil),
		"metadata":          append(graph(nil), repeated(14, nil)...),
		"dims": graph(appendMessage(nil, 5, func(b []byte) []byte {
			return appendMessage(b, 1, func(b []byte) []byte { return append(b, make([]byte, n)...) })
		})),
		"a chain":        chain.encode(nil),
		"one input":      shared.encode(nil),
		"many inputs":    joined.encode(nil),
		"names of outer": deep.encode(nil),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Load(engine, bytes.NewReader(b))
		runtime.ReadMemStats(&after)
		checkError(t, err)
		allocated := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes for a file of %d: %v", name, allocated, len(b), err)
		if allocated > uint64(perByte*len(b)+perRun) {
			t.Errorf("%s: %d bytes are allocated for a file of %d", name, allocated, len(b))
		}
		if m == nil {
			continue
		}
		runtime.ReadMemStats(&before)
		err = m.Run(small(m, 1), outputsOf(m))
		runtime.ReadMemStats(&after)
		checkError(t, err)
		t.Logf("%s: a run %d bytes: %v", name, after.TotalAlloc-before.TotalAlloc, err)
	}
}

// TestLargeConstants: a small file asks for large constants, or for long work on them. It is
// refused when it is loaded.
func TestLargeConstants(t *testing.T) {
	ints := func(name string, v ...int64) *tensorProto { return newInts(name, v, int64(len(v))) }
	for name, nodes := range map[string][]*nodeProto{
		"elements":      {newNode("Neg", []string{"a"}, []string{"y"})},
		"multiply-adds": {newNode("Slice", []string{"a", "zero", "some"}, []string{"b"}), newNode("Transpose", []string{"b"}, []string{"c"}), newNode("MatMul", []string{"b", "c"}, []string{"y"})},
	} {
		m := modelOf(nil, []*tensorProto{ints("s", 1<<14, 1<<14), ints("zero", 0, 0), ints("some", 1<<12, 1<<13)},
			append([]*nodeProto{newNode("ConstantOfShape", []string{"s"}, []string{"a"})}, nodes...)...)
		m.graph.outputs[0].name = "y"
		_, err := Load(testEngine(t), bytes.NewReader(m.encode(nil)))
		checkWords(t, err, []string{name, "smaller constants", "node number"})
	}
}

// TestNormalizationsRefuse: what the operators of norm.go, Max and Clip do not take is an
// error that says what they want.
func TestNormalizationsRefuse(t *testing.T) {
	e := testEngine(t)
	x := []valueProto{newValue("x", Float, sized(2), sized(3))}
	i := []valueProto{newValue("i", Int64, sized(2), sized(3))}
	w, w2 := weights("w", 3), weights("w2", 2)
	y := []string{"y"}
	for _, test := range []struct {
		inputs []valueProto
		node   *nodeProto
		want   string
	}{
		{x, newNode("LayerNormalization", []string{"x", "w2"}, y), "the scale has shape [2], want 3 floats"},
		{x, newNode("LayerNormalization", []string{"x", "w", "w2"}, y), "the bias has shape [2], want 3 floats"},
		{x, newNode("LayerNormalization", []string{"x", "w"}, y, intAttribute("axis", 2)), "axis 2 is outside"},
		{x, newNode("LayerNormalization", []string{"x", "w"}, y, intAttribute("stash_type", 16)), `"stash_type" must be 1`},
		{i, newNode("LayerNormalization", []string{"i", "w"}, y), "has type int64, want float"},
		{x, newNode("BatchNormalization", []string{"x", "w", "w", "w", "w2"}, y), "the variance has shape [2], want 3 floats"},
		{x, newNode("BatchNormalization", []string{"x", "w", "w", "w", "w"}, y, intAttribute("training_mode", 1)), "after model.eval()"},
		{x, newNode("BatchNormalization", []string{"w", "w", "w", "w", "w"}, y), "want floats of at least 2 dimensions"},
		{x, newNode("Max", []string{"x", "", "w"}, y), "input 1 is left out"},
		{i, newNode("Clip", []string{"i", "w"}, y), "the bound min has type float, want one int64"},
		{i, newNode("Clip", []string{"i", "", "i"}, y), "the bound max has shape [2 3], want one int64"},
	} {
		m, err := Load(e, bytes.NewReader(seed{"", modelOf(test.inputs, []*tensorProto{w, w2}, test.node)}.bytes()))
		if err == nil {
			err = m.Run(small(m, 1), outputsOf(m))
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.node.op+" node") {
			t.Errorf("%s %v: error %v, want %q", test.node.op, test.node.inputs, err, test.want)
		}
	}
}
