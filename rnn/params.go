package rnn

import "batchrnn/kernels"

// Params are the parameters of a model, or their gradients: one slab, and
// views of its parts, row-major. Whatever treats all alike (clipping, updating,
// saving) walks the slab.
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

// newParams returns zeros in the shape of c.
func newParams(c Config) Params {
	p := Params{Slab: kernels.Floats(c.Params())}
	rest := p.Slab
	cut := func(n int) []float32 {
		v := rest[:n:n]
		rest = rest[n:]
		return v
	}
	for i := range c.cells() {
		p.Cells = append(p.Cells, Cell{
			Wx: cut(c.reads(i/c.directions()) * c.Hidden),
			Wh: cut(c.Hidden * c.Hidden),
			Bh: cut(c.Hidden),
		})
	}
	if !c.Tied {
		p.Wy = cut(c.width() * c.head())
	}
	p.By = cut(c.head())
	for i := range c.Cutoffs {
		s := c.tail(i)
		p.Tails = append(p.Tails, Tail{
			Proj: cut(c.width() * s.width),
			Wy:   cut(s.width * s.Len()),
			By:   cut(s.Len()),
		})
	}
	return p
}
