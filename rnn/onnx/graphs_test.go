package onnx

import (
	"math"
	"slices"
	"strings"
	"testing"

	"batchrnn/internal/ort"
)

// A networkMaker writes a network of recurrent nodes, as exporters do: with what stands
// around the nodes.
type networkMaker struct {
	*graphMaker
	steps, batch int
	// peer makes the graph for ONNX Runtime, which has no batch in front (layout): there
	// Transposes stand around the node.
	peer   bool
	states []string // [D,B,H] each, of all layers
	widths []int    // D and H of each of the states
	lens   string
}

// weights draws elements that keep sums of n products small.
func (n *networkMaker) weights(width int, shape ...int) array {
	a := array{Float, Tensor{Shape: shape}}
	for range count(shape) {
		a.Floats = append(a.Floats, float32((2*n.Float64()-1)*1.5/math.Sqrt(float64(width))))
	}
	return a
}

// weight makes weights that stand in the file: at once, or as exporters put them together.
func (n *networkMaker) weight(a array) string {
	axes := intsAttribute("axes", 0)
	switch {
	case len(a.Shape) == 3 && a.Shape[0] == 2 && n.IntN(3) == 0: // a part for each direction
		size := count(a.Shape[1:])
		var parts []string
		for d := range 2 {
			part := n.constant(floatArray(a.Floats[d*size:][:size], a.Shape[1:]...))
			if n.opset < 13 {
				parts = append(parts, n.one("Unsqueeze", []string{part}, axes))
			} else {
				parts = append(parts, n.one("Unsqueeze", []string{part, n.constant(vector(0))}))
			}
		}
		return n.one("Concat", parts, intAttribute("axis", 0))
	case len(a.Shape) == 3 && n.IntN(4) == 0: // its transpose
		d, r, c := a.Shape[0], a.Shape[1], a.Shape[2]
		b := floatArray(make([]float32, len(a.Floats)), d, c, r)
		for i := range d {
			for j := range r {
				for k := range c {
					b.Floats[(i*c+k)*r+j] = a.Floats[(i*r+j)*c+k]
				}
			}
		}
		return n.one("Transpose", []string{n.constant(b)}, intsAttribute("perm", 0, 2, 1))
	case n.IntN(12) == 0: // of the run
		return n.input(a)
	}
	return n.constant(a)
}

// squeeze removes an axis, unsqueeze adds one.
func (n *networkMaker) squeeze(in string, axis int64) string {
	return n.axesNode("Squeeze", in, []int64{axis}, 13)
}

func (n *networkMaker) unsqueeze(in string, axis int64) string {
	return n.axesNode("Unsqueeze", in, []int64{axis}, 13)
}

// negative returns an axis of rank dimensions, perhaps counted from the end. Before
// version 11 there is no such count.
func (n *networkMaker) negative(axis, rank int64) int64 {
	if n.IntN(2) == 0 && n.opset >= 11 {
		return axis - rank
	}
	return axis
}

// start makes the input of the first layer, [T,B,width].
func (n *networkMaker) start(width int) string {
	t, b := n.steps, n.batch
	switch n.IntN(7) {
	case 0: // the batch in front
		return n.one("Transpose", []string{n.input(n.finite(b, t, width))}, intsAttribute("perm", 1, 0, 2))
	case 1: // an axis more
		return n.squeeze(n.input(n.finite(t, 1, b, width)), n.negative(1, 4))
	case 2: // one sequence without an axis for it
		if b == 1 {
			return n.unsqueeze(n.input(n.finite(t, width)), n.negative(1, 3))
		}
	case 3: // ids
		ids := n.array(Int64, t, b)
		const words = 11
		for i := range ids.Ints {
			ids.Ints[i] = n.Int64N(words)
		}
		return n.one("Gather", []string{n.constant(n.finite(words, width)), n.input(ids)})
	case 4: // a layer before
		in := 1 + n.IntN(6)
		m := n.one("MatMul", []string{n.input(n.finite(t, b, in)), n.constant(n.weights(in, in, width))})
		if n.IntN(3) > 0 {
			m = n.one("Add", []string{m, n.constant(n.weights(in, width))})
		}
		return n.one(pick(n.graphMaker, "Relu", "Tanh", "Sigmoid"), []string{m})
	case 5: // a part of a longer sequence
		in := n.input(n.finite(t+3, b, width))
		if n.opset < 10 {
			return n.one("Slice", []string{in}, intsAttribute("axes", 0), intsAttribute("starts", 1), intsAttribute("ends", -2))
		}
		return n.one("Slice", []string{in, n.given(vector(1)), n.given(vector(-2)), n.constant(vector(0))})
	}
	return n.input(n.finite(t, b, width))
}

// state makes an initial state, [d,B,h].
func (n *networkMaker) state(d, h int, like string) string {
	shape := []int{d, n.batch, h}
	switch n.IntN(8) {
	case 0, 1:
		return ""
	case 2: // zeros
		return n.constant(floatArray(make([]float32, count(shape)), shape...))
	case 3: // zeros for the batch of an input
		if n.opset >= 9 {
			batch := n.one("Gather", []string{n.one("Shape", []string{like}), n.constant(scalar(1))})
			sizes := n.one("Concat", []string{n.constant(vector(int64(d))), n.unsqueeze(batch, 0), n.constant(vector(int64(h)))}, intAttribute("axis", 0))
			return n.one("ConstantOfShape", []string{sizes}, tensorAttribute("value", pick(n.graphMaker, floatArray([]float32{0}, 1), floatArray([]float32{0.3}, 1)).proto("")))
		}
	case 4: // for all sequences the same
		if n.opset >= 8 {
			return n.one("Expand", []string{n.constant(n.finite(d, 1, h)), n.constant(vector(int64(d), int64(n.batch), int64(h)))})
		}
	case 5: // of the file
		return n.constant(n.finite(shape...))
	case 6: // of a stack of states
		in := n.input(n.finite(d+2, n.batch, h))
		if n.opset < 10 {
			return n.one("Slice", []string{in}, intsAttribute("axes", 0), intsAttribute("starts", 1), intsAttribute("ends", int64(d)+1))
		}
		return n.one("Slice", []string{in, n.constant(vector(1)), n.constant(vector(int64(d) + 1)), n.constant(vector(0))})
	}
	return n.input(n.finite(shape...))
}

// layer adds a recurrent node for x, [T,B,width]. It returns the input of the next layer,
// [T,B,D·H], and its width. The last state is "" if the node does not give it.
func (n *networkMaker) layer(x string, width int) (next string, w int, last string) {
	op := pick(n.graphMaker, "RNN", "GRU", "LSTM")
	gates, places := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}[op], map[string]int{"RNN": 1, "GRU": 2, "LSTM": 3}[op]
	d, h := 1, 1+n.IntN(20)
	if n.IntN(3) == 0 {
		h = 6 // so that layers have states of one size
	}
	var attributes []attributeProto
	switch n.IntN(4) {
	case 0:
		attributes, d = append(attributes, textAttribute("direction", "bidirectional")), 2
	case 1:
		attributes = append(attributes, textAttribute("direction", "reverse"))
	case 2:
		attributes = append(attributes, textAttribute("direction", "forward"))
	}
	if n.IntN(4) > 0 || n.peer { // ONNX Runtime wants it
		attributes = append(attributes, intAttribute("hidden_size", int64(h)))
	}
	clipped := n.IntN(3) == 0
	if clipped {
		attributes = append(attributes, floatAttribute("clip", 0.2+n.Float32()))
	}
	if n.IntN(3) == 0 {
		var names []string
		var alpha, beta []float32
		parameters := n.IntN(2) == 0
		for i := range d * places {
			k := pick(n.graphMaker, activationKinds...)
			for bounded := []string{"Sigmoid", "HardSigmoid"}; op != "RNN" && i%places == 0 && !clipped && !slices.Contains(bounded, k.name); {
				k = pick(n.graphMaker, activationKinds...) // errors grow from step to step where gates are not from 0 to 1
			}
			name := k.name
			if n.IntN(4) == 0 && !(n.peer && op == "RNN") { // ONNX Runtime's RNN knows ONNX's spelling
				name = strings.ToLower(name)
			}
			names = append(names, name)
			if k.params > 0 && (parameters || k.name == "Affine" || k.name == "ScaledTanh" || k.name == "ThresholdedRelu") {
				alpha = append(alpha, 0.2+0.6*n.Float32())
			} else if k.params > 0 {
				alpha = append(alpha, k.alpha)
			}
			if k.params > 1 {
				beta = append(beta, 0.2+0.6*n.Float32())
			}
		}
		attributes = append(attributes, textsAttribute("activations", names...))
		if alpha != nil {
			attributes = append(attributes, floatsAttribute("activation_alpha", alpha...))
		}
		if beta != nil {
			attributes = append(attributes, floatsAttribute("activation_beta", beta...))
		}
	}
	if op == "GRU" && n.IntN(2) == 0 {
		attributes = append(attributes, intAttribute("linear_before_reset", n.Int64N(2)))
	}
	if op == "LSTM" && n.IntN(3) == 0 {
		attributes = append(attributes, intAttribute("input_forget", n.Int64N(2)))
	}
	inputs := []string{x, n.weight(n.weights(width, d, gates*h, width)), n.weight(n.weights(h, d, gates*h, h)), "", "", ""}
	if n.IntN(3) > 0 {
		inputs[3] = n.weight(n.weights(h, d, 2*gates*h))
	}
	if n.IntN(3) == 0 {
		if n.lens == "" {
			lens := n.array(Int32, n.batch)
			for i := range lens.Ints {
				lens.Ints[i] = 1 + n.Int64N(int64(n.steps))
			}
			n.lens = pick(n.graphMaker, n.input, n.constant)(lens)
		}
		inputs[4] = n.lens
	}
	inputs[5] = n.state(d, h, x)
	if op == "LSTM" {
		inputs = append(inputs, n.state(d, h, x), "")
		if n.IntN(3) == 0 {
			inputs[7] = n.weight(n.weights(h, d, 3*h))
		}
	}
	for inputs[len(inputs)-1] == "" {
		inputs = inputs[:len(inputs)-1]
	}
	batchFirst := n.opset >= 14 && n.IntN(6) == 0
	swap := func(name string) string {
		return n.one("Transpose", []string{name}, intsAttribute("perm", 1, 0, 2))
	}
	if batchFirst && !n.peer {
		attributes = append(attributes, intAttribute("layout", 1))
		for _, i := range []int{0, 5, 6} {
			if i < len(inputs) && inputs[i] != "" {
				inputs[i] = swap(inputs[i])
			}
		}
	}
	outputs := 1 + n.IntN(2)
	if op == "LSTM" {
		outputs = 1 + n.IntN(3)
	}
	out := n.node(op, inputs, outputs, attributes...)
	names := n.graph.nodes[len(n.graph.nodes)-1].outputs
	if batchFirst && !n.peer {
		out = slices.Clone(out)
		out[0] = n.one("Transpose", []string{out[0]}, intsAttribute("perm", 1, 2, 0, 3))
		for i := range out[1:] {
			out[1+i] = swap(out[1+i])
		}
	}
	for i := range out[1:] {
		n.states, n.widths = append(n.states, out[1+i]), append(n.widths, d*100+h)
		last = out[1]
	}
	if outputs == 3 && n.IntN(3) == 0 && !batchFirst { // the state is left out, and the cell stays
		k := len(n.states) - 2
		n.states, n.widths = slices.Delete(n.states, k, k+1), slices.Delete(n.widths, k, k+1)
		names[1], last = "", ""
	}
	y := out[0] // [T,D,B,H]
	switch {
	case d == 1 && n.IntN(2) == 0:
		return n.squeeze(y, 1), h, last
	case d == 1 && n.IntN(2) == 0:
		return n.one("Gather", []string{y, n.constant(scalar(0))}, intAttribute("axis", 1)), h, last
	case d == 2 && n.IntN(3) == 0: // both directions, one behind the other
		parts := []string{}
		for i := range int64(2) {
			parts = append(parts, n.one("Gather", []string{y, n.constant(scalar(i))}, intAttribute("axis", 1)))
		}
		return n.one("Concat", parts, intAttribute("axis", 2)), 2 * h, last
	}
	y = n.one("Transpose", []string{y}, intsAttribute("perm", 0, 2, 1, 3))
	return n.one("Reshape", []string{y, n.constant(vector(0, 0, -1))}), d * h, last
}

// dense adds a layer of outputs for x, whose last axis has width elements.
func (n *networkMaker) dense(x string, width int, matrix bool) string {
	out := 1 + n.IntN(9)
	switch {
	case matrix && n.IntN(2) == 0:
		in := []string{x, n.constant(n.weights(width, width, out))}
		var attributes []attributeProto
		if n.IntN(2) == 0 {
			in[1] = n.constant(n.weights(width, out, width))
			attributes = append(attributes, intAttribute("transB", 1))
		}
		if n.IntN(3) > 0 || n.opset < 11 {
			in = append(in, n.constant(n.weights(width, out)))
		}
		attributes = append(attributes, n.some(floatAttribute("alpha", pick(n.graphMaker, float32(1), 0.5)), floatAttribute("beta", pick(n.graphMaker, float32(1), 2)))...)
		x = n.one("Gemm", in, attributes...)
	default:
		x = n.one("MatMul", []string{x, n.constant(n.weights(width, width, out))})
		if n.IntN(3) > 0 {
			in := []string{x, n.constant(n.weights(width, out))}
			if n.IntN(2) == 0 {
				in[0], in[1] = in[1], in[0]
			}
			x = n.one("Add", in)
		}
	}
	switch op := pick(n.graphMaker, "", "Relu", "Tanh", "Sigmoid", "Softmax", "LogSoftmax", "If"); op {
	case "":
	case "Softmax", "LogSoftmax":
		axis := int64(-1)
		if n.opset < 11 {
			axis = 1
			if !matrix {
				axis = 2
			}
		}
		x = n.one(op, []string{x}, intAttribute("axis", axis))
	case "If":
		branch := func(op string) *graphProto {
			out := n.name("b")
			return &graphProto{name: op, nodes: []*nodeProto{newNode(op, []string{x}, []string{out})}, outputs: []valueProto{{name: out, kind: Float}}}
		}
		condition := n.given(intArray(Bool, []int64{n.Int64N(2)}))
		x = n.one("If", []string{condition}, graphAttribute("then_branch", branch("Relu")), graphAttribute("else_branch", branch("Tanh")))
	default:
		x = n.one(op, []string{x})
	}
	return x
}

// network writes the graph of a seed. All draws are the same for both readers.
func network(seed uint64, peer bool) *networkMaker {
	n := &networkMaker{graphMaker: newGraphMaker(seed, 0), peer: peer}
	n.opset = 7 + n.Int64N(16)
	n.steps, n.batch = 1+n.IntN(9), 1+n.IntN(5)
	width := 1 + n.IntN(12)
	x, last := n.start(width), ""
	layers := 1 + n.IntN(3)
	for range layers {
		x, width, last = n.layer(x, width)
	}
	n.output(Float, x)
	if n.IntN(2) == 0 {
		n.output(Float, n.dense(x, width, false))
	}
	// One row for each sequence.
	switch n.IntN(4) {
	case 0:
		row := n.one("Gather", []string{x, n.constant(scalar(int64(n.steps) - 1))}, intAttribute("axis", 0))
		n.output(Float, n.dense(row, width, true))
	case 1:
		starts, ends := vector(-1), vector(math.MaxInt64)
		if n.opset < 10 {
			x = n.one("Slice", []string{x}, intsAttribute("axes", 0), intsAttribute("starts", -1), intsAttribute("ends", math.MaxInt64))
		} else {
			x = n.one("Slice", []string{x, n.constant(starts), n.constant(ends), n.constant(vector(0))})
		}
		n.output(Float, n.dense(n.squeeze(x, 0), width, true))
	case 2:
		if last != "" { // [D,B,H] to [B,D·H]
			rows := n.one("Transpose", []string{last}, intsAttribute("perm", 1, 0, 2))
			n.output(Float, n.dense(n.one("Reshape", []string{rows, n.constant(vector(0, -1))}), width, true))
		}
	}
	// The states: those of one size together, the others one by one.
	for _, size := range n.widths {
		var same, rest []string
		var widths []int
		for i, s := range n.states {
			if n.widths[i] == size {
				same = append(same, s)
			} else {
				rest, widths = append(rest, s), append(widths, n.widths[i])
			}
		}
		switch {
		case len(same) > 1 && n.IntN(3) > 0:
			n.output(Float, n.one("Concat", same, intAttribute("axis", 0)))
		case n.IntN(3) > 0:
			n.output(Float, same...)
		}
		n.states, n.widths = rest, widths
	}
	return n
}

// TestRandomNetworks compares networks of recurrent nodes with ONNX Runtime.
func TestRandomNetworks(t *testing.T) {
	r, e := ort.Start(t), testEngine(t)
	graphs := uint64(30)
	if long() {
		graphs = 200
	}
	covered := map[string]int{}
	for seed := range graphs {
		ours, theirs := network(seed, false), network(seed, true)
		ours.cover(covered)
		want, err := theirs.theirs(r)
		if err != nil {
			t.Errorf("seed %d: ONNX Runtime: %v\n%v", seed, err, theirs)
			continue
		}
		got, err := ours.ours(e)
		if err != nil {
			t.Errorf("seed %d: %v\n%v", seed, err, ours)
			continue
		}
		for i, v := range ours.graph.outputs {
			w := want[theirs.graph.outputs[i].name]
			if err := near(got[v.name], &w.Tensor, 1e-5); err != nil {
				t.Errorf("seed %d, output %d, %s: %v\n%v", seed, i, v.name, err, ours)
				break
			}
		}
	}
	for _, op := range []string{"RNN", "GRU", "LSTM"} {
		for _, what := range []string{"forward", "reverse", "bidirectional", "activations", "clip", "layout", "no hidden_size",
			"B", "no B", "sequence_lens", "initial_h", "no initial_h", "initial_c", "P", "linear_before_reset", "input_forget"} {
			if lstm := what == "initial_c" || what == "P" || what == "input_forget"; lstm && op != "LSTM" || what == "linear_before_reset" && op != "GRU" {
				continue
			}
			if long() && covered[op+" "+what] == 0 {
				t.Errorf("no %s with %s", op, what)
			}
		}
	}
}

// cover counts the attributes and inputs of recurrent nodes.
func (n *networkMaker) cover(all map[string]int) {
	for _, node := range n.graph.nodes {
		if !slices.Contains([]string{"RNN", "GRU", "LSTM"}, node.op) {
			continue
		}
		for i, what := range []string{"X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"} {
			if i >= len(node.inputs) || node.inputs[i] == "" {
				what = "no " + what
			}
			all[node.op+" "+what]++
		}
		sized := false
		for _, a := range node.attributes {
			all[node.op+" "+a.name]++
			all[node.op+" "+a.s]++ // the direction
			sized = sized || a.name == "hidden_size"
		}
		if !sized {
			all[node.op+" no hidden_size"]++
		}
	}
}
