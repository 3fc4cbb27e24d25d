package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// A role is the purpose of a weight in its network.
type role int

const (
	embedding role = iota
	cellWx
	cellWh
	cellBh
	cellBr
	cellWr
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
	// plain and trans are the blocks of columns that products read one at a time, as
	// they are and transposed. Both are all columns where they are nil.
	plain, trans []kernels.Span
	// groups is the number of scales of a row that ids select, in int8: one for each gate.
	groups int
	// tied marks a weight that is the transpose of the first one in the table.
	tied bool
}

// weights returns the table of all weights, in the order of the slab. Code that treats
// weights one by one loops over this table.
func (c Config) weights() []weight {
	var all []weight
	add := func(w weight) { all = append(all, w) }
	prefix := ""
	if c.Output > 0 || c.embeds() {
		prefix = "rnn."
	}
	h, width := c.Hidden, c.width()
	gates := c.Cell.gates() * h
	if c.embeds() {
		fan := 1 // the cell reads one row at a time: ±1, where PyTorch has N(0,1)
		if c.Tied {
			fan = 9 // ±1/3: the output reads it too, and larger ones give large logits (bench/RESULTS.md, Embeddings)
		}
		add(weight{role: embedding, name: embeddingName, rows: c.Input, cols: c.Embedding, fan: fan, groups: 1})
	}
	for i := range c.cells() {
		k, d := c.place(i)
		suffix := fmt.Sprintf("_l%d%s", k, [...]string{"", "_reverse"}[d])
		add(weight{role: cellWx, i: i, name: prefix + "weight_ih" + suffix, rows: c.reads(k), cols: gates, fan: h, packed: c.dense(k), groups: c.Cell.gates()})
		add(weight{role: cellWh, i: i, name: prefix + "weight_hh" + suffix, rows: c.stateWidth(), cols: gates, fan: h, packed: true,
			plain: c.Cell.products(h), trans: c.Cell.mirrors(h)})
		add(weight{role: cellBh, i: i, name: prefix + "bias_ih" + suffix, rows: 1, cols: gates})
		if c.twoBiases() {
			add(weight{role: cellBr, i: i, name: prefix + "bias_hh" + suffix, rows: 1, cols: gates})
		}
		if c.Projection > 0 {
			add(weight{role: cellWr, i: i, name: prefix + "weight_hr" + suffix, rows: h, cols: c.Projection, fan: h, packed: true})
		}
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

// blocks returns the blocks of columns that products read one at a time.
func (w *weight) blocks(trans bool) []kernels.Span {
	blocks := w.plain
	if trans {
		blocks = w.trans
	}
	if blocks == nil {
		blocks = []kernels.Span{{Hi: w.cols}}
	}
	return blocks
}

// packedBytes returns the size of the packed weight, as it is or transposed.
func (w *weight) packedBytes(e *kernels.Engine, trans bool) (n int64) {
	for _, b := range w.blocks(trans) {
		if trans {
			n += e.PackedBytes(b.Len(), w.rows)
		} else {
			n += e.PackedBytes(w.rows, b.Len())
		}
	}
	return n
}

// int8Bytes returns the size of the weight in int8. A bias stays float32.
func (w *weight) int8Bytes(e *kernels.Engine) (n int64) {
	switch {
	case w.bias():
		return 4 * int64(w.params())
	case !w.packed:
		return int64(w.rows) * (int64(w.cols) + 4*int64(w.groups)) // with the scales
	}
	for _, b := range w.blocks(false) {
		n += e.PackedInt8Bytes(w.rows, b.Len())
	}
	return n
}

// Params returns the number of parameters:
//
//   - Input·E for an embedding of width E;
//   - E·G·H + P·G·H + G·H for each cell; E is D·P above the first layer;
//   - G·H more with a second bias, and H·P with a projection;
//   - W·V + V for an output layer, or V for a tied one;
//   - with an adaptive softmax W·n + n for its head of n = Cutoffs[0]+K classes,
//     and W·F + F·N + N for each of its K clusters.
func (c Config) Params() int {
	n := 0
	for _, w := range c.weights() {
		n += w.params()
	}
	return n
}

// Bytes returns the size of a model that only scores, after [Model.Compact] or
// [Model.Quantise]. The weights of products count in the packed form of engine e. The rows
// of ids and the biases count as plain parameters, and rows of int8 with their scales.
func (c Config) Bytes(e *kernels.Engine) int64 {
	var n int64
	for _, w := range c.weights() {
		switch {
		case c.Int8:
			n += w.int8Bytes(e)
		case w.packed:
			n += w.packedBytes(e, false)
		default:
			n += 4 * int64(w.params())
		}
	}
	return n + c.sumBytes()
}

// sumBytes returns the size of the sums of two biases.
func (c Config) sumBytes() int64 {
	if !c.twoBiases() {
		return 0
	}
	return 4 * int64(c.cells()) * int64(c.Cell.gates()*c.Hidden)
}

// TrainingBytes returns the size of a model that is trained: all parameters, and the
// weights of products packed twice, as they are and transposed.
func (c Config) TrainingBytes(e *kernels.Engine) int64 {
	var n int64
	for _, w := range c.weights() {
		n += 4 * int64(w.params())
		if w.packed {
			n += w.packedBytes(e, false) + w.packedBytes(e, true)
		}
	}
	return n + c.sumBytes()
}

// Params are the parameters of a model, or their gradients: one slab, and row-major
// views of its parts. Clipping, updating and saving treat all parameters alike, so they
// walk the slab.
type Params struct {
	Slab []float32
	// We is the embedding, [Input,E], a row for each id; empty without one. With Tied it
	// is Wyᵀ too, and its gradient is that of both.
	We    []float32
	Cells []Cell    // [L·D]: layer by layer, in each the forward direction first
	Wy    []float32 // [W,V], empty without an output layer or with a tied one
	By    []float32 // [V], empty without an output layer

	// Tails has one element for each of the K clusters of an adaptive softmax. Wy and
	// By then belong to the head, which has Cutoffs[0]+K classes instead of V.
	Tails []Tail
}

// A Cell holds the parameters of one direction of a layer. E is the width of the
// layer's input, P that of its output: H, or Config.Projection. The G·H columns are
// blocks of H for each gate, in PyTorch's order: i, f, g, o of an LSTM; r, z, n of a
// GRU.
type Cell struct {
	Wx []float32 // [E,G·H]; with Tied and no embedding, that of the first cell is Wyᵀ too, and its gradient is that of both
	Wh []float32 // [P,G·H]
	Bh []float32 // [G·H]
	Br []float32 // [G·H], the second bias, beside the state's product; nil without one
	Wr []float32 // [H,P], the projection; nil without one
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
	case embedding:
		return &p.We
	case cellWx:
		return &p.Cells[w.i].Wx
	case cellWh:
		return &p.Cells[w.i].Wh
	case cellBh:
		return &p.Cells[w.i].Bh
	case cellBr:
		return &p.Cells[w.i].Br
	case cellWr:
		return &p.Cells[w.i].Wr
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
		return p.tiedTo()
	}
	return *p.view(w)
}

// tiedTo returns the matrix whose transpose is a tied Wy, [V,W].
func (p *Params) tiedTo() []float32 {
	if p.We != nil {
		return p.We
	}
	return p.Cells[0].Wx
}

// A packedWeight holds the packed forms of a weight, one for each of its blocks. Both
// are nil if no product reads the weight.
type packedWeight struct {
	plain []*kernels.Packed // [rows,block]
	trans []*kernels.Packed // [block,rows]; nil until a training workspace has been made
	table int8Vectors       // with Config.Int8, of a weight whose rows ids select
}
