package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// A role is the purpose of a weight in its network.
type role int

const (
	cellWx role = iota
	cellWh
	cellBh
	headWy
	headBy
	tailProj
	tailWy
	tailBy
	roles
)

// A weight is one line of the table of a network's weights: a matrix or a bias.
type weight struct {
	role role
	i    int    // the cell, the cluster, or 0
	name string // in a safetensors file
	// rows and cols are the numbers of inputs and outputs of the product that reads the
	// weight. A bias has one row.
	rows, cols int
	// fan is n in ±1/√n, the bounds of the weight's initial values. A bias has fan 0
	// and starts at zero.
	fan int
	// packed says whether products read only the packed form of the weight.
	packed bool
	// tied marks a weight that is the transpose of the first one in the table.
	tied bool
}

// weights returns the table of all weights, in the order of the slab. Code that treats
// weights one by one loops over this table.
func (c Config) weights() []weight {
	var all []weight
	add := func(w weight) { all = append(all, w) }
	prefix := ""
	if c.Output > 0 {
		prefix = "rnn."
	}
	h, width := c.Hidden, c.width()
	for i := range c.cells() {
		k, d := c.place(i)
		suffix := fmt.Sprintf("_l%d%s", k, [...]string{"", "_reverse"}[d])
		add(weight{role: cellWx, i: i, name: prefix + "weight_ih" + suffix, rows: c.reads(k), cols: h, fan: h, packed: c.dense(k)})
		add(weight{role: cellWh, i: i, name: prefix + "weight_hh" + suffix, rows: h, cols: h, fan: h, packed: true})
		add(weight{role: cellBh, i: i, name: prefix + "bias_ih" + suffix, rows: 1, cols: h})
	}
	if c.Output > 0 {
		out := "out."
		if len(c.Cutoffs) > 0 {
			out = "out.head."
		}
		add(weight{role: headWy, name: out + "weight", rows: width, cols: c.head(), fan: width, packed: true, tied: c.Tied})
		add(weight{role: headBy, name: out + "bias", rows: 1, cols: c.head()})
	}
	for i := range c.Cutoffs {
		s, out := c.cluster(i), fmt.Sprintf("out.tail.%d.", i)
		add(weight{role: tailProj, i: i, name: out + "0.weight", rows: width, cols: s.features, fan: width, packed: true})
		add(weight{role: tailWy, i: i, name: out + "1.weight", rows: s.features, cols: s.Len(), fan: s.features, packed: true})
		add(weight{role: tailBy, i: i, name: out + "1.bias", rows: 1, cols: s.Len()})
	}
	return all
}

func (w *weight) bias() bool { return w.fan == 0 }

// params returns how many parameters the weight adds to the slab.
func (w *weight) params() int {
	if w.tied {
		return 0
	}
	return w.rows * w.cols
}

// Params returns the number of parameters:
//
//   - E·H + H·H + H for each cell; E is D·H above the first layer;
//   - W·V + V for an output layer, or V for a tied one.
//
// An adaptive softmax has W·n + n for its head of n = Cutoffs[0]+K classes. It has W·F
// + F·N + N for each of its K clusters.
func (c Config) Params() int {
	n := 0
	for _, w := range c.weights() {
		n += w.params()
	}
	return n
}

// Bytes returns the size of a model that only scores, after [Model.Compact]. The
// weights of products count in the packed form of engine e. The rows of ids and the
// biases count as plain parameters.
func (c Config) Bytes(e *kernels.Engine) int64 {
	var n int64
	for _, w := range c.weights() {
		if w.packed {
			n += e.PackedBytes(w.rows, w.cols)
		} else {
			n += 4 * int64(w.params())
		}
	}
	return n
}

// TrainingBytes returns the size of a model that is trained: all parameters, and the
// weights of products packed twice, as they are and transposed.
func (c Config) TrainingBytes(e *kernels.Engine) int64 {
	var n int64
	for _, w := range c.weights() {
		n += 4 * int64(w.params())
		if w.packed {
			n += e.PackedBytes(w.rows, w.cols) + e.PackedBytes(w.cols, w.rows)
		}
	}
	return n
}

// Params are the parameters of a model, or their gradients: one slab, and row-major
// views of its parts. Clipping, updating and saving treat all parameters alike, so they
// walk the slab.
type Params struct {
	Slab  []float32
	Cells []Cell    // [L·D]: layer by layer, in each the forward direction first
	Wy    []float32 // [W,V], empty without an output layer or with a tied one
	By    []float32 // [V], empty without an output layer

	// Tails has one element for each of the K clusters of an adaptive softmax. Wy and
	// By then belong to the head, which has Cutoffs[0]+K classes instead of V.
	Tails []Tail
}

// A Cell holds the parameters of one direction of a layer. E is the width of the
// layer's input.
type Cell struct {
	Wx []float32 // [E,H]; with Tied the first cell's Wx is also Wyᵀ, and its gradient that of both
	Wh []float32 // [H,H]
	Bh []float32 // [H]
}

// A Tail holds the parameters of one cluster of an adaptive softmax (Grave, Joulin,
// Cissé, Grangier & Jégou 2017). The cluster has N = Cutoffs[i+1]-Cutoffs[i] outputs:
//
//	log p(v | h) = log softmax(Wy_head·h + By_head)[Cutoffs[0]+i]
//	             + log softmax(Wy·(Proj·h) + By)[v-Cutoffs[i]]
//
// Cluster i, counted from 0, sees F = max(W/4^(i+1), 1) features of the state. Rare
// outputs get fewer features because they have little data to learn from.
type Tail struct {
	Proj []float32 // [W,F]
	Wy   []float32 // [F,N]
	By   []float32 // [N]
}

// emptyParams returns parameters of c without values.
func emptyParams(c Config) Params {
	return Params{Cells: make([]Cell, c.cells()), Tails: make([]Tail, len(c.Cutoffs))}
}

// newParams returns parameters of c, all zero.
func newParams(c Config) Params {
	p := emptyParams(c)
	p.Slab = kernels.Floats(c.Params())
	rest := p.Slab
	for _, w := range c.weights() {
		if n := w.params(); n > 0 {
			*p.view(&w), rest = rest[:n:n], rest[n:]
		}
	}
	return p
}

// view returns the field of p that holds w.
func (p *Params) view(w *weight) *[]float32 {
	switch w.role {
	case cellWx:
		return &p.Cells[w.i].Wx
	case cellWh:
		return &p.Cells[w.i].Wh
	case cellBh:
		return &p.Cells[w.i].Bh
	case headWy:
		return &p.Wy
	case headBy:
		return &p.By
	case tailProj:
		return &p.Tails[w.i].Proj
	case tailWy:
		return &p.Tails[w.i].Wy
	case tailBy:
		return &p.Tails[w.i].By
	}
	panic("rnn: a weight without a place")
}

// values returns the parameters of w. For a tied weight it returns those of its
// transpose.
func (p *Params) values(w *weight) []float32 {
	if w.tied {
		return p.Cells[0].Wx
	}
	return *p.view(w)
}

// A packedWeight holds the packed forms of a weight. Both are nil if no product reads
// the weight.
type packedWeight struct {
	plain *kernels.Packed // [rows,cols]
	trans *kernels.Packed // [cols,rows]; nil until a training workspace has been made
}
