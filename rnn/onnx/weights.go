package onnx

import (
	"fmt"

	"batchrnn/kernels"
)

// What depends on the file alone is computed once, when the model is loaded or a run
// first takes a branch. Weights are packed for the engine. Then a model holds each weight
// once: it drops the floats that no node reads any more.

// A weightKey names what is made of a node's weights once for all plans.
type weightKey struct {
	n    *node
	what string
}

// weight returns what make makes of the node's weights. It makes it once if the weights are
// fixed. size is its number of elements.
func weight[W any](c *call, what string, fixed bool, size int, make func() (W, error)) (w W, err error) {
	key := weightKey{c.n, what}
	if w, ok := c.m.weights[key]; ok && fixed {
		return w.(W), nil
	}
	if !fixed {
		if err := c.grow(size); err != nil {
			return w, err
		}
		return make()
	}
	if most := c.m.fixedLimits(); size > most.elements-c.m.packed {
		return w, fmt.Errorf("%d elements more would bring the weights above the %d that are supported: %s", size, most.elements, most.remedy)
	}
	if w, err = make(); err == nil {
		c.m.weights[key] = w
		c.m.packed += size
	}
	return w, err
}

// packedSize returns the number of elements of a packed matrix, [K,N].
func (c *call) packedSize(k, n int) int { return int(c.m.engine.PackedBytes(k, n) / 4) }

// packers pack the weights of nodes, if these are fixed. They return the inputs whose
// elements are not needed any more. They check the weights: a file with wrong ones is
// refused before a run.
var packers = map[string]func(*call) (used []int, err error){
	"Conv":   (*call).packConv,
	"Gemm":   (*call).packGemm,
	"GRU":    (*call).packRecurrent,
	"LSTM":   (*call).packRecurrent,
	"MatMul": (*call).packMatMul,
	"RNN":    (*call).packRecurrent,
}

// settle computes the nodes of a graph that depend on fixed tensors alone, and packs the
// weights of the others.
func (m *Model) settle(s *scope) error {
	g := s.g
	if g.settled {
		return g.err
	}
	g.settled = true
	// used counts the readers of a constant that don't read its elements any more.
	used := map[string]int{}
	c := &compiler{m, new(plan), m.fixedLimits()}
	var nodes []*node
	for _, n := range g.nodes {
		folded, err := c.settleNode(s, n, used)
		if err != nil {
			g.err = err
			return err
		}
		if !folded {
			nodes = append(nodes, n)
		}
	}
	g.nodes = nodes
	for name, t := range g.constants {
		switch {
		case g.uses[name] == 0:
			delete(g.constants, name)
		case g.uses[name] == used[name]:
			empty := *t // not t itself: others may be views of it
			empty.floats = nil
			g.constants[name] = &empty
		}
	}
	return nil
}

// settleNode says whether a node's outputs have become constants.
func (c *compiler) settleNode(s *scope, n *node, used map[string]int) (folded bool, err error) {
	if len(n.graphs) > 0 {
		return false, nil
	}
	op, err := c.m.operator(n)
	if err != nil {
		return false, err
	}
	call := &call{compiler: c, n: n, s: s, known: true, fixed: true, in: make([]*tensor, len(n.inputs))}
	work := int64(0)
	for i, name := range n.inputs {
		if name == "" {
			continue
		}
		// Tensors of the run are not fixed, and may be missing here.
		if call.in[i] = s.find(name); call.in[i] == nil || !call.in[i].fixed {
			call.known, call.fixed = false, false
		} else {
			work += elementWork * int64(call.in[i].count())
		}
	}
	g := s.g
	if !call.fixed {
		if pack := packers[n.op]; pack != nil {
			inputs, err := pack(call)
			if err != nil {
				return false, fmt.Errorf("%s: %w", n.label, err)
			}
			for _, i := range inputs {
				used[n.inputs[i]]++
			}
		}
		return false, nil
	}
	out, err := call.outputs(op, work)
	if err != nil {
		return false, fmt.Errorf("%s: %w", n.label, err)
	}
	for i, name := range n.outputs {
		if name != "" {
			t := *out[i]
			t.product = nil
			g.constants[name] = &t
		}
	}
	for _, name := range n.inputs {
		g.uses[name]--
	}
	return true, nil
}

// fixedWeights returns input i if it is fixed, nil otherwise.
func (c *call) fixedWeights(i int) *tensor {
	if !c.has(i) || !c.in[i].fixed {
		return nil
	}
	return c.in[i]
}

// packed returns a matrix, [K,N] or its transpose [N,K], packed.
func (c *call) packed(b *tensor, trans bool) (*kernels.Packed, error) {
	k, n := b.shape[0], b.shape[1]
	if trans {
		k, n = n, k
	}
	return weight(c, "matrix", b.fixed, c.packedSize(k, n), func() (*kernels.Packed, error) {
		b, err := c.flat(b)
		if err != nil {
			return nil, err
		}
		p := c.m.engine.NewPacked(k, n)
		c.m.engine.Pack(p, trans, b.floats, b.shape[1])
		return p, nil
	})
}

func (c *call) packGemm() ([]int, error) {
	b := c.fixedWeights(1)
	if b == nil || b.kind != Float || len(b.shape) != 2 || b.count() == 0 {
		return nil, nil
	}
	_, err := c.packed(b, c.integer("transB", 0) != 0)
	return []int{1}, err
}

func (c *call) packMatMul() ([]int, error) {
	b := c.fixedWeights(1)
	if b == nil || b.kind != Float || b.count() == 0 {
		return nil, nil
	}
	switch len(b.shape) {
	case 1:
		b = b.column()
	case 2:
	default:
		return nil, nil
	}
	_, err := c.packed(b, false)
	return []int{1}, err
}

func (c *call) packConv() ([]int, error) {
	if c.fixedWeights(1) == nil {
		return nil, nil
	}
	f, err := c.newFilter()
	if err != nil {
		return nil, err
	}
	if f.depthwise() {
		_, err := c.packChannels(f)
		return []int{1}, err
	}
	for g := range f.groups {
		if _, err := c.packFilters(f, g); err != nil {
			return nil, err
		}
	}
	return []int{1}, nil
}

func (c *call) packRecurrent() ([]int, error) {
	var used []int
	for _, i := range recurrentWeights {
		switch {
		case c.fixedWeights(i) != nil:
			used = append(used, i)
		case i < len(c.n.inputs) && c.n.inputs[i] != "":
			return nil, nil
		}
	}
	_, err := c.newRecurrent(true)
	return used, err
}
