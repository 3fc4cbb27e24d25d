package rnn

import "batchrnn/kernels"

// Params are the parameters of a model, or their gradients: one slab, and
// views of its parts, row-major. Whatever treats all alike (clipping, updating,
// saving) walks the slab.
type Params struct {
	Slab []float32
	Wx   []float32 // [E,H]
	Wh   []float32 // [H,H]
	Bh   []float32 // [H]
	Wy   []float32 // [H,V], empty without an output layer
	By   []float32 // [V], empty without an output layer
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
	p.Wx = cut(c.Input * c.Hidden)
	p.Wh = cut(c.Hidden * c.Hidden)
	p.Bh = cut(c.Hidden)
	p.Wy = cut(c.Hidden * c.Output)
	p.By = cut(c.Output)
	return p
}
