package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// A graph is a graph of a file that has been checked.
type graph struct {
	nodes     []*node // in an order in which they can run
	constants map[string]*tensor
	outputs   []string
	// uses counts the readers of a name: inputs of nodes, outputs, and the inner graphs
	// of a node as one. outside holds the names among them that are of outer graphs.
	uses    map[string]int
	outside []string

	settled bool // its constants are computed and its weights are packed: see weights.go
	err     error
}

// A node is a node of a graph, with its graphs.
type node struct {
	*nodeProto
	label  string            // "LSTM node \"name\""
	graphs map[string]*graph // the attributes that are graphs
	reads  []string          // its inputs, and what its graphs read from outside
	tensor *tensor           // the value of an attribute that is a tensor
}

// labelOf names node number i of a graph in error messages.
func labelOf(n *nodeProto, i int) string {
	op := n.op
	if _, ok := operators[op]; !ok { // it may be any bytes
		op = quote(op)
	}
	if n.name == "" {
		return op + " node number " + strconv.Itoa(i)
	}
	return op + " node " + quote(n.name)
}

// newGraph checks the names in a graph. outer says whether a name exists outside of it.
func (m *Model) newGraph(p *graphProto, outer func(string) bool) (*graph, error) {
	g := &graph{constants: map[string]*tensor{}, uses: map[string]int{}}
	if p.sparse > 0 {
		return nil, fmt.Errorf("the graph has %d sparse initializers, which are not supported: save them as dense ones", p.sparse)
	}
	for _, t := range p.initializers {
		if g.constants[t.name] != nil {
			return nil, fmt.Errorf("two initializers have the name %s: damaged, export the model anew", quote(t.name))
		}
		c, err := t.decode()
		if err != nil {
			return nil, err
		}
		g.constants[t.name] = c
	}
	inputs := map[string]bool{}
	for _, v := range p.inputs {
		switch {
		case v.name == "":
			return nil, errors.New("an input of the graph has no name: damaged")
		case inputs[v.name]:
			return nil, fmt.Errorf("two inputs have the name %s: damaged, export the model anew", quote(v.name))
		case outer != nil && g.constants[v.name] == nil:
			return nil, fmt.Errorf("the inner graph has the input %s, and the branches of an If have none: damaged", quote(v.name))
		}
		inputs[v.name] = true
	}
	// makers holds the node that makes each name.
	makers := map[string]*node{}
	nodes := make([]*node, len(p.nodes))
	for i, n := range p.nodes {
		nodes[i] = &node{nodeProto: n, label: labelOf(n, i)}
		for _, out := range n.outputs {
			switch {
			case out == "":
			case makers[out] != nil:
				return nil, fmt.Errorf("%s and %s have one output, %s: damaged, export the model anew", makers[out].label, nodes[i].label, quote(out))
			case inputs[out] || g.constants[out] != nil:
				return nil, fmt.Errorf("%s has the output %s, which is an input or an initializer: damaged, export the model anew", nodes[i].label, quote(out))
			default:
				makers[out] = nodes[i]
			}
		}
	}
	own := func(name string) bool { return inputs[name] || g.constants[name] != nil || makers[name] != nil }
	exists := func(name string) bool { return own(name) || outer != nil && outer(name) }
	for _, n := range nodes {
		if err := m.checkNode(n, exists); err != nil {
			return nil, err
		}
		for _, name := range n.reads {
			g.uses[name]++
		}
	}
	outputs := map[string]bool{}
	for _, v := range p.outputs {
		switch {
		case !exists(v.name):
			return nil, fmt.Errorf("the graph has the output %s, which no node makes: damaged, export the model anew", quote(v.name))
		case outputs[v.name] && outer == nil:
			return nil, fmt.Errorf("two outputs have the name %s: pass one of them through a node Identity", quote(v.name))
		}
		outputs[v.name] = true
		g.outputs = append(g.outputs, v.name)
		g.uses[v.name]++
	}
	if outer == nil && len(g.outputs) == 0 {
		return nil, errors.New("the graph has no output")
	}
	for name := range g.uses {
		if !own(name) {
			g.outside = append(g.outside, name)
		}
	}
	slices.Sort(g.outside) // for one order of the nodes, and one error
	var err error
	g.nodes, err = sorted(nodes, makers)
	return g, err
}

// checkNode checks the names and the attributes of a node. It reads its graphs and
// tensors, and drops the messages of these, which refer to the file's bytes.
func (m *Model) checkNode(n *node, exists func(string) bool) error {
	for i := range n.attributes {
		a := &n.attributes[i]
		switch {
		case slices.ContainsFunc(n.attributes[:i], func(b attributeProto) bool { return a.name == b.name }):
			return fmt.Errorf("%s has two attributes %s: damaged, export the model anew", n.label, quote(a.name))
		case a.ref != "":
			return fmt.Errorf("%s: attribute %s refers to that of a function, which is not supported: export the model with its functions inlined", n.label, quote(a.name))
		}
		if _, known := operators[n.op]; !known || standard(n.domain) != "" {
			a.g = nil // of a Loop or a Scan: the operator is refused, whatever its graph is
		}
		if a.g != nil {
			g, err := m.newGraph(a.g, exists)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", n.label, quote(a.name), err)
			}
			if n.graphs == nil {
				n.graphs = map[string]*graph{}
			}
			n.graphs[a.name], a.g = g, nil
			n.reads = append(n.reads, g.outside...)
		}
		if a.t != nil {
			t, err := a.t.decode()
			if err != nil {
				return fmt.Errorf("%s, attribute %s: %w", n.label, quote(a.name), err)
			}
			n.tensor, a.t = t, nil
		}
	}
	for i, name := range n.inputs {
		if name == "" {
			continue
		}
		if !exists(name) {
			return fmt.Errorf("%s: input %d, %s, is made by no node, and is no input of the graph: damaged, export the model anew", n.label, i, quote(name))
		}
		n.reads = append(n.reads, name)
	}
	return nil
}

// sorted returns the nodes in an order in which each follows those whose outputs it
// reads. It keeps the file's order as far as possible.
func sorted(nodes []*node, makers map[string]*node) ([]*node, error) {
	const waiting, begun, done = 0, 1, 2
	state := make(map[*node]int, len(nodes))
	out := make([]*node, 0, len(nodes))
	type frame struct {
		n    *node
		next int
	}
	for _, first := range nodes {
		if state[first] != waiting {
			continue
		}
		state[first] = begun
		for stack := []frame{{n: first}}; len(stack) > 0; {
			top := &stack[len(stack)-1]
			if top.next == len(top.n.reads) {
				state[top.n] = done
				out = append(out, top.n)
				stack = stack[:len(stack)-1]
				continue
			}
			before := makers[top.n.reads[top.next]]
			top.next++
			switch {
			case before == nil || state[before] == done:
			case state[before] == begun:
				return nil, fmt.Errorf("%s reads what depends on its own output: the graph is cyclic, export the model anew", before.label)
			default:
				state[before] = begun
				stack = append(stack, frame{n: before})
			}
		}
	}
	return out, nil
}

// check returns an error unless every node of the graph has an operator and attributes
// that are supported. The nodes of inner graphs are checked when a run takes the branch.
func (g *graph) check(m *Model) error {
	for _, n := range g.nodes {
		if _, err := m.operator(n); err != nil {
			return err
		}
	}
	return nil
}

// operator returns the operator of a node.
func (m *Model) operator(n *node) (op operator, err error) {
	op, ok := operators[n.op]
	switch {
	case n.domain != "" && n.domain != "ai.onnx" && m.functions > 0:
		return op, fmt.Errorf("%s is of the domain %s, perhaps one of the file's functions, which are not supported: inline them (onnx.inliner.inline_local_functions)", n.label, quote(n.domain))
	case n.domain != "" && n.domain != "ai.onnx":
		return op, fmt.Errorf("%s is of the domain %s, and the standard operators alone are supported: export the model without it", n.label, quote(n.domain))
	case !ok:
		return op, fmt.Errorf("%s: the operator is not supported: leave it to the program before or after the model, or export the model without it", n.label)
	case m.opset < op.since:
		return op, fmt.Errorf("%s: the operator exists from version %d of the standard operators on, and the file has %d: damaged, export the model anew", n.label, op.since, m.opset)
	case len(n.inputs) < op.least:
		return op, fmt.Errorf("%s has %d inputs, want at least %d: damaged, export the model anew", n.label, len(n.inputs), op.least)
	case len(n.inputs) > op.most:
		return op, fmt.Errorf("%s has %d inputs, want at most %d: damaged, export the model anew", n.label, len(n.inputs), op.most)
	case len(n.outputs) < 1:
		return op, fmt.Errorf("%s has no output: damaged, export the model anew", n.label)
	case len(n.outputs) > op.outputs:
		return op, fmt.Errorf("%s has %d outputs, want at most %d: damaged, export the model anew", n.label, len(n.outputs), op.outputs)
	}
	for i := range op.least {
		if n.inputs[i] == "" {
			return op, fmt.Errorf("%s: input %d is left out, and it must be there: damaged, export the model anew", n.label, i)
		}
	}
	for i := range n.attributes {
		a := &n.attributes[i]
		known, ok := op.attributes[a.name]
		switch {
		case !ok:
			return op, fmt.Errorf("%s: the attribute %s is not supported: export the model without it", n.label, quote(a.name))
		case a.other || a.kind != 0 && a.kind != known,
			known == attributeTensor && n.tensor == nil, known == attributeGraph && n.graphs[a.name] == nil:
			return op, fmt.Errorf("%s: the attribute %s has the wrong type, want %s: damaged, export the model anew", n.label, quote(a.name), attributeTypes[known])
		}
	}
	return op, moves[n.op].check(n, m.opset)
}

// attributeTypes are the names of attribute types in error messages.
var attributeTypes = map[int64]string{
	attributeFloat: "a float", attributeInt: "an int", attributeString: "a string", attributeTensor: "a tensor",
	attributeGraph: "a graph", attributeFloats: "floats", attributeInts: "ints", attributeTexts: "strings",
}
