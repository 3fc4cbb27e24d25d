package onnx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"batchrnn/rnn"
)

const (
	// opset is the version of the standard operators that a file needs. It is the first
	// in which Squeeze and Unsqueeze have their axes as inputs.
	opset = 13
	// irVersion is the version of the file's format that came with the opset.
	irVersion = 7
	// configKey is the key of the network's Config in the file's metadata.
	configKey = "rnn.Config"
)

// Write writes a network as an ONNX model, and returns the number of bytes written. The
// model has standard operators of opset 13 alone. The same network gives the same bytes.
// Write holds the whole file in memory.
//
// These are the inputs and outputs, in the symbols of package rnn. T and B are free.
//
//	ids      [T,B] int64      of a network that reads ids; one below 0, as rnn.None, is no input
//	input    [T,B,E] float    of a network with a dense input
//	h0       [L·D,B,P] float  the initial states
//	c0       [L·D,B,H] float  the initial cell states of an LSTM
//
//	output   [T,B,V] float    what Workspace.Logits gives at each step; [B,V] with LastStep,
//	                          and [T,B,W] as Workspace.States without an output layer
//	hn, cn                    the last states, in the shapes of h0 and c0
//
// All sequences of a batch have the same length. With an embedding, an id that is too
// large is an error of the run. Without one it reads as no input: the ids become one-hot
// vectors, which are slow and large where there are many ids.
//
// Each layer is one RNN, LSTM or GRU node. These operators have neither TimeSkip nor
// Projection: each direction of such a layer is a Scan node, which [Load] does not have.
// The metadata holds the Config as JSON, under rnn.Config.
//
// A model that has been made compact is an error. So is one whose file would have 2 GiB or
// more, the limit of protocol buffers. Nothing is written then.
func Write(w io.Writer, m *rnn.Model) (int64, error) {
	switch {
	case m.Int8:
		return 0, errors.New("onnx: Write: the weights of the model are int8: write the model that Model.Quantise was called on")
	case m.Slab == nil:
		return 0, errors.New("onnx: Write: the model has been made compact and lacks most of its weights: write it before Model.Compact")
	case len(m.Slab) > math.MaxInt32/4:
		return 0, tooLarge(4 * len(m.Slab))
	}
	config, err := json.Marshal(m.Config)
	if err != nil {
		return 0, fmt.Errorf("onnx: Write: %w", err)
	}
	file := modelProto{
		irVersion: irVersion,
		producer:  "batchrnn",
		graph:     newWriter(m).network(),
		opsets:    []opsetProto{{version: opset}},
		metadata:  []entryProto{{configKey, string(config)}},
	}
	data := file.encode(make([]byte, 0, 4*len(m.Slab)+1<<16))
	if len(data) > math.MaxInt32 {
		return 0, tooLarge(len(data))
	}
	n, err := w.Write(data)
	return int64(n), err
}

func tooLarge(bytes int) error {
	return fmt.Errorf("onnx: Write: the file would have %d bytes, and an ONNX file has less than 2 GiB: use Model.WriteSafetensors", bytes)
}

// A writer makes the graph of a network.
type writer struct {
	m                  *rnn.Model
	graph              graphProto
	directions         int // D
	state, width, gate int // P, W, G
}

// The dims of T and B.
var steps, batch = named("length"), named("batch")

func newWriter(m *rnn.Model) *writer {
	w := &writer{m: m, directions: 1, state: m.Hidden, gate: len(m.Cells[0].Bh) / m.Hidden}
	if m.Bidirectional {
		w.directions = 2
	}
	if m.Projection > 0 {
		w.state = m.Projection
	}
	w.width = w.directions * w.state
	return w
}

// node adds a node and returns its first output.
func (w *writer) node(op string, outputs, inputs []string, attributes ...attributeProto) string {
	n := newNode(op, inputs, outputs, attributes...)
	n.name = outputs[0]
	w.graph.nodes = append(w.graph.nodes, n)
	return outputs[0]
}

// op adds a node of one output and returns the output.
func (w *writer) op(op, output string, inputs []string, attributes ...attributeProto) string {
	return w.node(op, []string{output}, inputs, attributes...)
}

// floats adds a constant and returns its name.
func (w *writer) floats(name string, values []float32, dims ...int64) string {
	w.graph.initializers = append(w.graph.initializers, newFloats(name, values, dims...))
	return name
}

// matrix adds a row-major constant of so many columns.
func (w *writer) matrix(name string, values []float32, cols int) string {
	return w.floats(name, values, int64(len(values)/cols), int64(cols))
}

// ints adds a vector of integers, unless it is there, and returns its name.
func (w *writer) ints(values ...int64) string {
	return w.index("ints", values, int64(len(values)))
}

// scalar adds an integer, unless it is there, and returns its name.
func (w *writer) scalar(value int64) string {
	return w.index("int", []int64{value})
}

func (w *writer) index(name string, values []int64, dims ...int64) string {
	for _, v := range values {
		name += strings.ReplaceAll(fmt.Sprintf("_%d", v), "-", "minus_") // names are identifiers of C
	}
	if !slices.ContainsFunc(w.graph.initializers, func(t *tensorProto) bool { return t.name == name }) {
		w.graph.initializers = append(w.graph.initializers, newInts(name, values, dims...))
	}
	return name
}

// slice adds the range lo to hi of an axis.
func (w *writer) slice(output, x string, axis, lo, hi int) string {
	return w.op("Slice", output, []string{x, w.ints(int64(lo)), w.ints(int64(hi)), w.ints(int64(axis))})
}

// network returns the graph.
func (w *writer) network() graphProto {
	m := w.m
	cells := sized(len(m.Cells))
	w.graph.name = m.Cell.String()
	x := w.input()
	w.graph.inputs = append(w.graph.inputs, newValue("h0", Float, cells, batch, sized(w.state)))
	if m.Cell == rnn.LSTM {
		w.graph.inputs = append(w.graph.inputs, newValue("c0", Float, cells, batch, sized(m.Hidden)))
	}
	var hn, cn []string
	for k := range m.Layers {
		layer := w.operator
		if m.TimeSkip != 0 || m.Projection > 0 {
			layer = w.scans
		}
		top := k == m.Layers-1 && m.Output == 0
		y, h, c := layer(k, x, w.layerOutput(k, "states", top && !(m.Residual && k > 0)))
		if m.Residual && k > 0 {
			y = w.op("Add", w.layerOutput(k, "sum", top), []string{y, x})
		}
		x, hn, cn = y, append(hn, h...), append(cn, c...)
	}
	if m.Output > 0 {
		w.output(x)
	}
	dims := []dimProto{steps, batch, sized(w.width)}
	if m.Output > 0 {
		dims[2] = sized(m.Output)
	}
	if m.LastStep {
		dims = dims[1:]
	}
	w.op("Concat", "hn", hn, intAttribute("axis", 0))
	w.graph.outputs = append(w.graph.outputs, newValue("output", Float, dims...), newValue("hn", Float, cells, batch, sized(w.state)))
	if m.Cell == rnn.LSTM {
		w.op("Concat", "cn", cn, intAttribute("axis", 0))
		w.graph.outputs = append(w.graph.outputs, newValue("cn", Float, cells, batch, sized(m.Hidden)))
	}
	return w.graph
}

// layerOutput names an output of a layer, or that of the graph.
func (w *writer) layerOutput(k int, name string, last bool) string {
	if last {
		return "output"
	}
	return fmt.Sprintf("layer%d_%s", k, name)
}

// input returns what the first layer reads, [T,B,E].
func (w *writer) input() string {
	m := w.m
	if m.Dense {
		w.graph.inputs = append(w.graph.inputs, newValue("input", Float, steps, batch, sized(m.Input)))
		return "input"
	}
	w.graph.inputs = append(w.graph.inputs, newValue("ids", Int64, steps, batch))
	absent := w.op("Less", "absent", []string{"ids", w.scalar(0)})
	if m.Embedding == 0 {
		// Of an index that is out of range, OneHot makes zeros. A negative one would
		// count from the end.
		ids := w.op("Where", "indices", []string{absent, w.scalar(int64(m.Input)), "ids"})
		values := w.floats("off_on", []float32{0, 1}, 2)
		return w.op("OneHot", "onehot", []string{ids, w.scalar(int64(m.Input)), values}, intAttribute("axis", -1))
	}
	ids := w.op("Where", "indices", []string{absent, w.scalar(0), "ids"})
	rows := w.op("Gather", "rows", []string{w.matrix("embedding", m.We, m.Embedding), ids}, intAttribute("axis", 0))
	absent = w.op("Unsqueeze", "absent_rows", []string{absent, w.ints(-1)})
	return w.op("Where", "embedded", []string{absent, w.floats("zero", []float32{0}), rows})
}

// operator adds layer k, which reads x, as one node. It returns the layer's output
// [T,B,W], and its last states [D,B,H].
func (w *writer) operator(k int, x, output string) (y string, hn, cn []string) {
	m := w.m
	var wx, wh, b []float32
	for _, c := range w.cells(k) {
		wx = append(wx, w.gates(c.Wx)...)
		wh = append(wh, w.gates(c.Wh)...)
		b = append(b, w.gates(c.Bh)...)
		if c.Br != nil {
			b = append(b, w.gates(c.Br)...)
		} else {
			b = append(b, make([]float32, len(c.Bh))...)
		}
	}
	name := func(s string) string { return fmt.Sprintf("layer%d_%s", k, s) }
	d, gh := int64(w.directions), int64(w.gate*m.Hidden)
	inputs := []string{
		x,
		w.floats(name("W"), wx, d, gh, int64(len(wx))/(d*gh)),
		w.floats(name("R"), wh, d, gh, int64(m.Hidden)),
		w.floats(name("B"), b, d, 2*gh),
		"", // sequence_lens
		w.slice(name("h0"), "h0", 0, k*w.directions, (k+1)*w.directions),
	}
	outputs := []string{name("Y"), name("hn")}
	hn = outputs[1:]
	op, attributes := "RNN", []attributeProto{intAttribute("hidden_size", int64(m.Hidden))}
	if m.Bidirectional {
		attributes = append(attributes, textAttribute("direction", "bidirectional"))
	}
	switch m.Cell {
	case rnn.Vanilla:
		attributes = append(attributes, w.activation()...)
	case rnn.LSTM:
		op = "LSTM"
		inputs = append(inputs, w.slice(name("c0"), "c0", 0, k*w.directions, (k+1)*w.directions))
		outputs = append(outputs, name("cn"))
		hn, cn = outputs[1:2], outputs[2:]
	case rnn.GRU:
		op = "GRU"
		attributes = append(attributes, intAttribute("linear_before_reset", 1))
	case rnn.GRUResetBefore:
		op = "GRU"
	}
	w.node(op, outputs, inputs, attributes...) // Y is [T,D,B,H]
	if !m.Bidirectional {
		return w.op("Squeeze", output, []string{name("Y"), w.ints(1)}), hn, cn
	}
	y = w.op("Transpose", name("beside"), []string{name("Y")}, intsAttribute("perm", 0, 2, 1, 3))
	return w.op("Reshape", output, []string{y, w.ints(0, 0, int64(w.width))}), hn, cn
}

// cells returns those of layer k.
func (w *writer) cells(k int) []rnn.Cell {
	return w.m.Cells[k*w.directions:][:w.directions]
}

// gates returns the transpose of a weight, [rows,G·H], with the gates in ONNX's order: i,
// o, f, c of an LSTM and z, r, h of a GRU.
func (w *writer) gates(values []float32) []float32 {
	order := []int{0}
	switch w.m.Cell {
	case rnn.LSTM: // of i, f, g, o
		order = []int{0, 3, 1, 2}
	case rnn.GRU, rnn.GRUResetBefore: // of r, z, n
		order = []int{1, 0, 2}
	}
	h, cols := w.m.Hidden, w.gate*w.m.Hidden
	to := make([]float32, 0, len(values))
	for _, g := range order {
		for j := g * h; j < (g+1)*h; j++ {
			for at := j; at < len(values); at += cols {
				to = append(to, values[at])
			}
		}
	}
	return to
}

// activations are those of vanilla cells: their names as an attribute of RNN, and as
// operators.
var activations = map[rnn.Activation]struct{ attribute, op string }{
	rnn.Tanh:     {"Tanh", "Tanh"},
	rnn.ReLU:     {"Relu", "Relu"},
	rnn.Sigmoid:  {"Sigmoid", "Sigmoid"},
	rnn.Identity: {"Affine", "Identity"}, // 1·x + 0
}

// activation returns the attributes for that of vanilla cells.
func (w *writer) activation() []attributeProto {
	name := activations[w.m.Activation].attribute
	all := []attributeProto{textsAttribute("activations", slices.Repeat([]string{name}, w.directions)...)}
	if name == "Affine" {
		all = append(all,
			floatsAttribute("activation_alpha", slices.Repeat([]float32{1}, w.directions)...),
			floatsAttribute("activation_beta", make([]float32, w.directions)...))
	}
	return all
}

// scans adds layer k as a Scan node for each direction. It returns what operator does.
func (w *writer) scans(k int, x, output string) (y string, hn, cn []string) {
	var outputs []string
	for d := range w.directions {
		i := k*w.directions + d
		name := func(s string) string { return fmt.Sprintf("cell%d_%s", i, s) }
		c := w.m.Cells[i]
		bias := slices.Clone(c.Bh)
		for i, v := range c.Br {
			bias[i] += v
		}
		start := w.dense(name("start"), x, w.matrix(name("W"), c.Wx, len(bias)), bias)
		outer := w.graph.nodes
		w.graph.nodes = nil
		body := w.step(name, c)
		body.nodes, w.graph.nodes = w.graph.nodes, outer

		inputs := []string{w.op("Gather", name("h0"), []string{"h0", w.scalar(int64(i))}, intAttribute("axis", 0))}
		last := []string{name("h_last")}
		if w.m.Cell == rnn.LSTM {
			inputs = append(inputs, w.op("Gather", name("c0"), []string{"c0", w.scalar(int64(i))}, intAttribute("axis", 0)))
			last = append(last, name("c_last"))
		}
		w.node("Scan", append(slices.Clone(last), name("states")), append(inputs, start),
			graphAttribute("body", body),
			intAttribute("num_scan_inputs", 1),
			intsAttribute("scan_input_directions", int64(d)),
			intsAttribute("scan_output_directions", int64(d)))
		outputs = append(outputs, name("states"))
		hn = append(hn, w.op("Unsqueeze", name("hn"), []string{last[0], w.ints(0)}))
		if w.m.Cell == rnn.LSTM {
			cn = append(cn, w.op("Unsqueeze", name("cn"), []string{last[1], w.ints(0)}))
		}
	}
	return w.op("Concat", output, outputs, intAttribute("axis", 2)), hn, cn
}

// step adds the nodes of one step of a cell, and returns a graph for them. It takes the
// states [B,P] and [B,H], and a step's start value [B,G·H]. It returns the next states,
// and the first of them again.
func (w *writer) step(name func(string) string, c rnn.Cell) *graphProto {
	h := newValue(name("h"), Float, batch, sized(w.state))
	z := w.op("MatMul", name("recurrent"), []string{h.name, w.matrix(name("R"), c.Wh, len(c.Bh))})
	z = w.op("Add", name("z"), []string{name("begin"), z})
	states, next := []valueProto{h}, []valueProto{h}
	if w.m.Cell == rnn.LSTM {
		cell := newValue(name("c"), Float, batch, sized(w.m.Hidden))
		states, next = append(states, cell), append(next, cell)
		next[0].name, next[1].name = w.projected(name, z, c)
	} else {
		g := w.op(activations[w.m.Activation].op, name("g"), []string{z})
		g = w.op("Mul", name("scaled"), []string{g, w.floats(name("alpha"), []float32{w.m.TimeSkip})})
		next[0].name = w.op("Add", name("h_next"), []string{h.name, g})
	}
	out := h
	out.name = w.op("Identity", name("h_out"), []string{next[0].name})
	return &graphProto{
		name:    name("step"),
		inputs:  append(states, newValue(name("begin"), Float, batch, sized(len(c.Bh)))),
		outputs: append(next, out),
	}
}

// projected adds what follows the pre-activations z of an LSTM with a projection. It
// returns the next states.
func (w *writer) projected(name func(string) string, z string, c rnn.Cell) (h, cell string) {
	n := w.m.Hidden
	gate := func(i int, s, op string) string {
		return w.op(op, name(s), []string{w.slice(name(s+"_z"), z, 1, i*n, (i+1)*n)})
	}
	i, f, g, o := gate(0, "i", "Sigmoid"), gate(1, "f", "Sigmoid"), gate(2, "g", "Tanh"), gate(3, "o", "Sigmoid")
	kept := w.op("Mul", name("kept"), []string{f, name("c")})
	added := w.op("Mul", name("added"), []string{i, g})
	cell = w.op("Add", name("c_next"), []string{kept, added})
	out := w.op("Mul", name("out"), []string{o, w.op("Tanh", name("tanh_c"), []string{cell})})
	return w.op("MatMul", name("h_next"), []string{out, w.matrix(name("P"), c.Wr, w.state)}), cell
}

// output adds the output layer, which reads y, [T,B,W].
func (w *writer) output(y string) {
	m := w.m
	if m.LastStep {
		last := w.op("Gather", "last", []string{y, w.scalar(-1)}, intAttribute("axis", 0))
		if m.Bidirectional { // the second direction ends at the first step
			first := w.op("Gather", "first", []string{y, w.scalar(0)}, intAttribute("axis", 0))
			last = w.op("Concat", "ends", []string{
				w.slice("forward_end", last, 1, 0, w.state), w.slice("reverse_end", first, 1, w.state, w.width),
			}, intAttribute("axis", 1))
		}
		y = last
	}
	if len(m.Cutoffs) == 0 {
		w.dense("output", y, w.outputWeights(), m.By)
		return
	}
	shortlist := m.Cutoffs[0]
	head := w.dense("head_logits", y, w.matrix("head_W", m.Wy, len(m.By)), m.By)
	head = w.op("LogSoftmax", "head", []string{head}, intAttribute("axis", -1))
	parts := []string{w.slice("shortlist", head, -1, 0, shortlist)}
	for i, t := range m.Tails {
		name := func(s string) string { return fmt.Sprintf("tail%d_%s", i, s) }
		features := len(t.Proj) / w.width
		z := w.op("MatMul", name("features"), []string{y, w.matrix(name("Proj"), t.Proj, features)})
		z = w.dense(name("logits"), z, w.matrix(name("W"), t.Wy, len(t.By)), t.By)
		z = w.op("LogSoftmax", name("within"), []string{z}, intAttribute("axis", -1))
		mass := w.slice(name("mass"), head, -1, shortlist+i, shortlist+i+1)
		parts = append(parts, w.op("Add", name("tail"), []string{z, mass}))
	}
	w.op("Concat", "output", parts, intAttribute("axis", -1))
}

// dense adds a product and a bias.
func (w *writer) dense(output, x, weights string, bias []float32) string {
	product := w.op("MatMul", output+"_product", []string{x, weights})
	return w.op("Add", output, []string{product, w.floats(output+"_B", bias, int64(len(bias)))})
}

// outputWeights returns Wy, [W,V]. A tied one is made of the weights that read the ids,
// which so stand once in the file.
func (w *writer) outputWeights() string {
	switch {
	case !w.m.Tied:
		return w.matrix("output_W", w.m.Wy, w.m.Output)
	case w.m.Embedding > 0:
		return w.op("Transpose", "output_W", []string{"embedding"}, intsAttribute("perm", 1, 0))
	case w.m.TimeSkip != 0: // W of a Scan is [V,W]
		return w.op("Transpose", "output_W", []string{"cell0_W"}, intsAttribute("perm", 1, 0))
	}
	return w.op("Squeeze", "output_W", []string{"layer0_W", w.ints(0)}) // W of an RNN is [1,W,V]
}
