package onnx

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"batchrnn/internal/ort"
)

// describedFile is an LSTM of 2 directions with an If behind it.
func describedFile() *modelProto {
	branch := func(op string) *graphProto {
		return &graphProto{nodes: []*nodeProto{newNode(op, []string{"hn"}, []string{op})}, outputs: []valueProto{{name: op}}}
	}
	lstm := newNode("LSTM", []string{"x", "w", "r"}, []string{"", "hn"}, intAttribute("hidden_size", 3), textAttribute("direction", "bidirectional"))
	lstm.name = "encoder"
	return &modelProto{
		irVersion: 8, producer: "somebody",
		opsets:   []opsetProto{{"ai.onnx", 14}, {"other", 2}},
		metadata: []entryProto{{"key", "value"}},
		graph: graphProto{
			name: "main",
			nodes: []*nodeProto{
				newNode("Constant", nil, []string{"w"}, tensorAttribute("value", newFloats("", make([]float32, 2*12*5), 2, 12, 5))),
				lstm,
				newNode("If", []string{"condition"}, []string{"y"}, graphAttribute("then_branch", branch("Relu")), graphAttribute("else_branch", branch("Tanh"))),
				newNode("Relu", []string{"y"}, []string{"z"}),
			},
			initializers: []*tensorProto{
				newFloats("r", make([]float32, 2*12*3), 2, 12, 3),
				{name: "condition", kind: Bool, int32s: []int32{1}},
			},
			inputs:  []valueProto{newValue("x", Float, named("T"), named("B"), sized(5)), newValue("condition", Bool)},
			outputs: []valueProto{newValue("z", Float)},
		},
	}
}

func TestDescribe(t *testing.T) {
	d, err := Describe(bytes.NewReader(describedFile().encode(nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := Description{
		IRVersion: 8, Producer: "somebody", Graph: "main",
		Opsets: map[string]int64{"": 14, "other": 2}, Metadata: map[string]string{"key": "value"},
		Inputs:  []Value{{"x", Float, []int{-1, -1, 5}, []string{"T", "B", ""}}},
		Outputs: []Value{{"z", Float, []int{}, []string{}}},
		Operators: []Operator{
			{Name: "Relu", Nodes: 2}, {Name: "Constant", Nodes: 1}, {Name: "If", Nodes: 1}, {Name: "LSTM", Nodes: 1}, {Name: "Tanh", Nodes: 1},
		},
		Recurrent: []Recurrent{{"encoder", "LSTM", "bidirectional", 5, 3}},
		Tensors:   3, Parameters: 2*12*5 + 2*12*3, Bytes: 4*(2*12*5+2*12*3) + 1,
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("%+v, want\n%+v", d, want)
	}
}

// TestDescribeRefused: a file that Load refuses is described, and every reason is there.
func TestDescribeRefused(t *testing.T) {
	engine := testEngine(t)
	add := func(op, domain string) func(*modelProto) {
		return func(m *modelProto) {
			n := newNode(op, []string{"x"}, []string{op})
			n.domain = domain
			m.graph.nodes = append(m.graph.nodes, n)
		}
	}
	tensor := func(p *tensorProto) func(*modelProto) {
		return func(m *modelProto) { m.graph.initializers = append(m.graph.initializers, p) }
	}
	for _, test := range []struct {
		name    string
		changes []func(*modelProto)
		want    []string // the beginnings of the reasons
	}{
		{"as it is", nil, nil},
		{"operators", []func(*modelProto){add("Loop", ""), add("Loop2", ""), add("Gelu", "com.microsoft")}, []string{
			`"Loop" node number 4: the operator is not supported`, `"Loop2" node number 5: the operator is not supported`, `"Gelu" node number 6 is of the domain "com.microsoft"`}},
		{"an attribute", []func(*modelProto){func(m *modelProto) {
			m.graph.nodes[1].attributes = append(m.graph.nodes[1].attributes, intAttribute("quick", 1))
		}}, []string{`LSTM node "encoder": the attribute "quick" is not supported`}},
		{"a long name", []func(*modelProto){add(strings.Repeat("x", 9999), "")}, []string{`"xxx`}},
		{"opset and operator", []func(*modelProto){func(m *modelProto) { m.opsets = []opsetProto{{"", 5}} }, add("Loop", "")}, []string{
			"the file has version 5 of the standard operators", `"Loop" node number 4: `}},
		{"no opset", []func(*modelProto){func(m *modelProto) { m.opsets = nil }}, []string{"the file does not tell its version"}},
		{"tensors", []func(*modelProto){
			tensor(&tensorProto{name: "a", dims: []int64{1 << 40, 1 << 40}, kind: Float, external: true, location: "weights.bin"}),
			tensor(&tensorProto{name: "b", dims: []int64{2, 3}, kind: Float, external: true, location: "weights.bin"}),
			tensor(&tensorProto{name: "c", kind: Double, doubles: []float64{1}}),
			func(m *modelProto) { m.graph.sparse = 2 },
		}, []string{"weights in other files are not supported (2 of 6 tensors)", "sparse initializers are not supported (2)", "tensors of type double are not supported (1 of 6)"}},
		{"a cycle", []func(*modelProto){func(m *modelProto) {
			m.graph.nodes = append(m.graph.nodes, newNode("Add", []string{"b", "x"}, []string{"a"}), newNode("Relu", []string{"a"}, []string{"b"}))
		}}, []string{"Add node number 4 reads what depends on its own output"}},
		{"an operator and a name", []func(*modelProto){add("Loop", ""), func(m *modelProto) { m.graph.nodes[3].inputs[0] = "none" }}, []string{
			`"Loop" node number 4: `, "Relu node number 3: input 0"}},
		{"an operator in a branch and outside", []func(*modelProto){func(m *modelProto) { m.graph.nodes[2].attributes[0].g.nodes[0].op = "Loop" }, add("Loop", "")}, []string{`"Loop" node number 4: `}},
		{"an input", []func(*modelProto){func(m *modelProto) { m.graph.inputs[0].kind = Float16 }}, []string{`input "x" has type float16`}},
	} {
		m := describedFile()
		for _, change := range test.changes {
			change(m)
		}
		b := m.encode(nil)
		d, err := Describe(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for i, reason := range d.Refused {
			if i >= len(test.want) || !strings.HasPrefix(reason, test.want[i]) || len(reason) > 400 || strings.Contains(reason, "\n") {
				t.Errorf("%s: reason %d is %s, want %q", test.name, i, reason, test.want)
			}
		}
		if _, err := Load(engine, bytes.NewReader(b)); (err == nil) != (len(d.Refused) == 0) || len(d.Refused) != len(test.want) {
			t.Errorf("%s: refused for %q, want %q; error of Load %v", test.name, d.Refused, test.want, err)
		}
		if len(d.Recurrent) != 1 || len(d.Outputs) != 1 {
			t.Errorf("%s: described as %+v", test.name, d)
		}
		if test.name == "tensors" && (!slices.Equal(d.External, []string{"weights.bin"}) || d.Parameters != 2*12*5+2*12*3+6+1) {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
	// A node in a branch is refused by the run that takes the branch.
	m := describedFile()
	m.graph.nodes[2].attributes[0].g.nodes[0].op = "Gelu"
	d, err := Describe(bytes.NewReader(m.encode(nil)))
	if i := slices.IndexFunc(d.Operators, func(o Operator) bool { return o.Name == "Gelu" }); err != nil || len(d.Refused) > 0 || i < 0 || !strings.HasPrefix(d.Operators[i].Refused, `"Gelu" node number 0: `) {
		t.Errorf("%+v, error %v", d, err)
	}
}

// TestDescribeDamaged: a file whose messages are damaged is an error of one line.
func TestDescribeDamaged(t *testing.T) {
	whole := describedFile().encode(nil)
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte("Call me Ishmael."), "truncated": whole[:len(whole)/2], "another graph": append(slices.Clone(whole), 0x3a, 0),
	} {
		if _, err := Describe(bytes.NewReader(b)); err == nil || !strings.HasPrefix(err.Error(), "onnx: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestDescribePublicModels(t *testing.T) {
	for file, want := range map[string]string{
		"ndm.onnx":               "[GRU forward 4 256]",
		"silero_vad_legacy.onnx": "[LSTM forward 64 64]",
		"silero_vad_v5.onnx":     "[LSTM forward 0 128]",
		"silero_vad_v6.onnx":     "[LSTM forward 0 128]",
	} {
		b, err := os.ReadFile(ort.File(t, file))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Describe(bytes.NewReader(b))
		if err != nil || len(d.Refused) > 0 {
			t.Errorf("%s: error %v, refused for %q", file, err, d.Refused)
		}
		for _, r := range d.Recurrent {
			if got := fmt.Sprintf("[%s %s %d %d]", r.Operator, r.Direction, r.Inputs, r.Units); got != want {
				t.Errorf("%s: %s, want %s", file, got, want)
			}
		}
		for _, o := range d.Operators {
			if o.Refused != "" {
				t.Errorf("%s: %s", file, o.Refused)
			}
		}
		if len(d.Recurrent) == 0 || d.Bytes > int64(len(b)) || d.Bytes < int64(len(b))/2 {
			t.Errorf("%s: %d recurrent nodes, %d bytes of tensors in %d", file, len(d.Recurrent), d.Bytes, len(b))
		}
	}
}

// FuzzDescribe: Describe has reasons where Load refuses a file, and only there.
func FuzzDescribe(f *testing.F) {
	f.Add(describedFile().encode(nil))
	f.Add(everyField().encode(nil))
	engine := testEngine(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Describe(bytes.NewReader(b))
		_, refused := Load(engine, bytes.NewReader(b))
		if (refused == nil) != (err == nil && len(d.Refused) == 0) {
			t.Errorf("Describe: %v, %q; Load: %v", err, d.Refused, refused)
		}
	})
}
