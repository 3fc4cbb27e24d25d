package onnx

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"batchrnn/kernels"
)

// A Description says what is in a file, also in one that [Load] refuses. Nodes and tensors
// of graphs in graphs count too.
type Description struct {
	IRVersion int64
	Producer  string
	Graph     string           // its name
	Opsets    map[string]int64 // the versions of operators, by domain; "" is the standard
	Metadata  map[string]string

	// Inputs leaves out those with a value in the file, as [Model.Inputs] does.
	Inputs, Outputs []Value
	Operators       []Operator // the most frequent first
	Recurrent       []Recurrent

	Tensors    int      // with a value in the file or beside it
	Parameters int64    // elements of the tensors of floats
	Bytes      int64    // of all tensors that are in the file
	External   []string // the names of files that hold other tensors

	// Refused says why Load refuses the file, a line for each reason. It is empty for a
	// file that Load takes.
	Refused []string
}

// An Operator is one that a file uses.
type Operator struct {
	Name, Domain string // the domain is "" for the standard operators
	Nodes        int
	// Refused is what is wrong with the first such node that is not supported, or "". A
	// node in a branch of an If is refused by the run that takes the branch.
	Refused string
}

// A Recurrent is a node that is an RNN, GRU or LSTM.
type Recurrent struct {
	Node, Operator string
	Direction      string // "forward", "reverse" or "bidirectional"
	Inputs, Units  int    // of each direction; 0 where the file doesn't tell
}

// Describe reads a model of at most 2 GiB, and says what is in it. Its operators and its
// types need not be supported. It returns an error if r is no ONNX file, or if its
// messages are damaged.
func Describe(r io.Reader) (Description, error) {
	d, err := describe(r)
	if err != nil {
		return Description{}, fmt.Errorf("onnx: %w", err)
	}
	return d, nil
}

func describe(r io.Reader) (d Description, err error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return d, err
	}
	if len(b) > maxFile {
		return d, fmt.Errorf("the file has more than the %d bytes that are supported", maxFile)
	}
	var p modelProto
	if err := new(reader).model(&p, b); err != nil {
		return d, err
	}
	d = Description{IRVersion: p.irVersion, Producer: p.producer, Graph: p.graph.name, Opsets: map[string]int64{}, Metadata: map[string]string{}}
	for _, o := range p.opsets {
		d.Opsets[standard(o.domain)] = o.version
	}
	for _, e := range p.metadata {
		d.Metadata[e.key] = e.value
	}
	valued := map[string]bool{}
	for _, t := range p.graph.initializers {
		valued[t.name] = true
	}
	for i := range p.graph.inputs {
		if v := &p.graph.inputs[i]; !valued[v.name] {
			d.Inputs = append(d.Inputs, valueOf(v))
		}
	}
	for i := range p.graph.outputs {
		d.Outputs = append(d.Outputs, valueOf(&p.graph.outputs[i]))
	}
	m := &Model{opset: min(max(d.Opsets[""], minOpset), maxOpset), functions: p.functions}
	f := describer{d: &d, m: m, operators: map[[2]string]*counted{}, other: map[Type]int{}}
	f.graph(&p.graph, nil)
	for _, op := range f.operators {
		d.Operators = append(d.Operators, op.Operator)
	}
	slices.SortFunc(d.Operators, func(a, b Operator) int {
		return cmp.Or(b.Nodes-a.Nodes, strings.Compare(a.Domain, b.Domain), strings.Compare(a.Name, b.Name))
	})
	slices.Sort(d.External)
	d.External = slices.Compact(d.External)
	d.Refused = f.reasons(&p, b)
	return d, nil
}

// standard returns the domain of an operator, "" for both names of the standard one.
func standard(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// A describer counts what is in the graphs of a file.
type describer struct {
	d         *Description
	m         *Model // that its nodes are checked for
	operators map[[2]string]*counted
	refused   []string // of nodes of the main graph, a line for each operator

	external int // tensors in other files
	segments int
	sparse   int
	other    map[Type]int // tensors of types that a run doesn't hold
}

// A counted is an operator, and whether describer.refused has it.
type counted struct {
	Operator
	listed bool
}

// shapes holds the shapes of the tensors of a graph by their names.
type shapes struct {
	own   map[string][]int64
	outer *shapes
}

func (s *shapes) find(name string) []int64 {
	for ; s != nil; s = s.outer {
		if shape, ok := s.own[name]; ok {
			return shape
		}
	}
	return nil
}

func (f *describer) graph(g *graphProto, outer *shapes) {
	s := &shapes{map[string][]int64{}, outer}
	f.sparse += g.sparse
	for _, t := range g.initializers {
		f.tensor(t)
		s.own[t.name] = t.dims
	}
	for i, n := range g.nodes {
		f.node(n, i, s)
	}
}

func (f *describer) node(n *nodeProto, number int, s *shapes) {
	key := [2]string{standard(n.domain), n.op}
	op := f.operators[key]
	if op == nil {
		op = &counted{Operator: Operator{Name: n.op, Domain: key[0]}}
		f.operators[key] = op
	}
	op.Nodes++
	main := s.outer == nil
	if op.Refused == "" || main && !op.listed {
		checked := node{nodeProto: n, label: labelOf(n, number), graphs: map[string]*graph{}}
		for i := range n.attributes { // what Load makes of them
			switch a := &n.attributes[i]; {
			case a.t != nil:
				checked.tensor = new(tensor)
			case a.g != nil:
				checked.graphs[a.name] = new(graph)
			}
		}
		if _, err := f.m.operator(&checked); err != nil {
			op.Refused = err.Error()
			if main {
				op.listed = true
				f.refused = append(f.refused, op.Refused)
			}
		}
	}
	if key[0] == "" && (n.op == "RNN" || n.op == "GRU" || n.op == "LSTM") {
		f.d.Recurrent = append(f.d.Recurrent, recurrentOf(n, s))
	}
	for i := range n.attributes {
		switch a := &n.attributes[i]; {
		case a.g != nil:
			f.graph(a.g, s)
		case a.t != nil:
			f.tensor(a.t)
			if n.op == "Constant" && len(n.outputs) == 1 {
				s.own[n.outputs[0]] = a.t.dims
			}
		}
	}
}

// recurrentOf returns the sizes of a node. Its weights W are [D,G·H,E], and R are [D,G·H,H].
func recurrentOf(n *nodeProto, s *shapes) Recurrent {
	r := Recurrent{Node: n.name, Operator: n.op, Direction: "forward"}
	size := func(v int64) int {
		if v < 1 || v > math.MaxInt32 {
			return 0
		}
		return int(v)
	}
	last := func(i int) int {
		if i >= len(n.inputs) {
			return 0
		}
		shape := s.find(n.inputs[i])
		if len(shape) != 3 {
			return 0
		}
		return size(shape[2])
	}
	r.Inputs, r.Units = last(1), last(2)
	for i := range n.attributes {
		switch a := &n.attributes[i]; a.name {
		case "direction":
			r.Direction = a.s
		case "hidden_size":
			r.Units = size(a.i)
		}
	}
	return r
}

// tensor counts a tensor of the file.
func (f *describer) tensor(t *tensorProto) {
	f.d.Tensors++
	n, bytes := t.size()
	f.d.Bytes += bytes
	switch t.kind {
	case Float, Float16, Double, BFloat:
		f.d.Parameters += n
	}
	switch {
	case t.external:
		f.external++
		if t.location != "" {
			f.d.External = append(f.d.External, t.location)
		}
	case t.segment:
		f.segments++
	case !t.kind.held():
		f.other[t.kind]++
	}
}

// size returns how many elements a tensor has, and how many bytes its data takes in memory.
// Where the data are in another file, its shape is believed.
func (t *tensorProto) size() (n, bytes int64) {
	width := int64(4)
	switch t.kind {
	case 2, 3, Bool:
		width = 1
	case 4, 5, Float16, BFloat:
		width = 2
	case Int64, Double, 13, 14:
		width = 8
	case 15:
		width = 16
	}
	switch {
	case t.external:
		n = 1
		for _, d := range t.dims {
			if d < 0 || d > 0 && n > math.MaxInt32/d {
				return 0, 0
			}
			n *= d
		}
		return n, 0
	case t.hasRaw:
		return int64(len(t.raw)) / width, int64(len(t.raw))
	}
	n = int64(len(t.floats) + len(t.int32s) + len(t.int64s) + len(t.doubles) + t.uint64s + t.texts)
	return n, n * width
}

// reasons returns why Load refuses a file, whose messages are whole.
func (f *describer) reasons(p *modelProto, b []byte) (all []string) {
	e, err := kernels.New("", 1)
	if err != nil {
		return []string{err.Error()}
	}
	defer e.Close()
	if _, err = Load(e, bytes.NewReader(b)); err == nil {
		return nil
	}
	err = errors.Unwrap(err)
	if err := new(Model).takeOpset(p.opsets); err != nil {
		all = append(all, err.Error())
	}
	all = append(all, f.refused...)
	if f.external > 0 {
		all = append(all, fmt.Sprintf("weights in other files are not supported (%d of %d tensors): save the model with its weights inside (onnx.save with save_as_external_data=False)", f.external, f.d.Tensors))
	}
	if f.segments > 0 {
		all = append(all, fmt.Sprintf("tensors in segments are not supported (%d of %d)", f.segments, f.d.Tensors))
	}
	if f.sparse > 0 {
		all = append(all, fmt.Sprintf("sparse initializers are not supported (%d): save them as dense ones", f.sparse))
	}
	for _, kind := range slices.Sorted(maps.Keys(f.other)) {
		all = append(all, fmt.Sprintf("tensors of type %v are not supported (%d of %d), and there are float, int64, int32 and bool: convert the model", kind, f.other[kind], f.d.Tensors))
	}
	// Load stops at its first reason, which need not be among these.
	if first := err.Error(); f.external+f.segments+f.sparse+len(f.other) == 0 && !slices.Contains(all, first) {
		all = append(all, first)
	}
	return all
}
