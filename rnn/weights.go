package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// A role is what a weight is to its network.
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

// A weight is a line of the table of a network's weights: a matrix, or a bias.
type weight struct {
	role role
	i    int    // the cell, the cluster, or 0
	name string // in a safetensors file
	// rows and cols are inputs and outputs, as products read the weight. A bias
	// has one row.
	rows, cols int
	// fan is the n of the bound ±1/√n from which a weight is drawn. A bias has 0
	// and begins as zeros.
	fan int
	// packed says whether products read the weight in packed form alone.
	packed bool
	// tied marks a weight that is the transpose of the first one in the table.
	tied bool
}

// weights returns the table of all weights, in the order of the slab. Whatever
// treats weights one by one is a loop over it.
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

// Params returns the number of parameters: E·H + H·H + H of a cell, whose E is W
// = D·H above the first of the layers of D directions, and with an output layer
// W·V + V, or V where it is tied. An adaptive softmax of K cutoffs has W·n + n of
// its head's n = Cutoffs[0]+K classes, and W·F + F·N + N of each cluster with F
// features.
func (c Config) Params() int {
	n := 0
	for _, w := range c.weights() {
		n += w.params()
	}
	return n
}

// Bytes returns what a model holds that only scores, after [Model.Compact]: the
// weights of its products in the packed form that engine e computes with, and of
// the others, which are the rows of ids and the biases, the parameters.
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

// TrainingBytes returns what a model holds that is trained: all parameters, and
// the weights of its products packed as they are and transposed.
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

// Params are the parameters of a model, or their gradients: one slab, and
// views of its parts, row-major. Whatever treats all alike (clipping, updating,
// saving) walks the slab. A change of a model's is followed by [Model.Update].
type Params struct {
	Slab  []float32
	Cells []Cell    // [L·D]: layer by layer, in each the forward direction first
	Wy    []float32 // [W,V], empty without an output layer or with a tied one
	By    []float32 // [V], empty without an output layer

	// With an adaptive softmax Wy and By are of its head, with Cutoffs[0]+K
	// classes in the place of V, and each of the K clusters has
	Tails []Tail
}

// A Cell holds the parameters of one direction of a layer, whose input is E wide.
type Cell struct {
	Wx []float32 // [E,H]; the first one's is Wyᵀ too where the output is tied, and the gradient of both
	Wh []float32 // [H,H]
	Bh []float32 // [H]
}

// A Tail holds the parameters of one cluster of an adaptive softmax (Grave,
// Joulin, Cissé, Grangier & Jégou 2017), of N = Cutoffs[i+1]-Cutoffs[i] outputs:
//
//	log p(v | h) = log softmax(Wy_head·h + By_head)[Cutoffs[0]+i]
//	             + log softmax(Wy·(Proj·h) + By)[v-Cutoffs[i]]
//
// The i-th cluster, from 0, sees F = W/4^(i+1) features of the state, at least
// one: rare outputs have little to learn from.
type Tail struct {
	Proj []float32 // [W,F]
	Wy   []float32 // [F,N]
	By   []float32 // [N]
}

// emptyParams returns parameters of c without values.
func emptyParams(c Config) Params {
	return Params{Cells: make([]Cell, c.cells()), Tails: make([]Tail, len(c.Cutoffs))}
}

// newParams returns zeros in the shape of c.
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

// view returns the field of p that shows w.
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

// values returns the parameters of w: of a tied one, those of its transpose.
func (p *Params) values(w *weight) []float32 {
	if w.tied {
		return p.Cells[0].Wx
	}
	return *p.view(w)
}

// A packedWeight is a weight as products read it. Both are nil where none do.
type packedWeight struct {
	plain *kernels.Packed // [rows,cols]
	trans *kernels.Packed // [cols,rows]; nil until a training workspace has been made
}
