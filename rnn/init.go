package rnn

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// InitUniform draws all weights uniformly and sets the biases to zero. The bounds are
// ±1/√W for weights that read W states. They are ±1/√F for weights that read a
// cluster's F features, and ±1/√H for all others. [New] calls it.
func (m *Model) InitUniform(seed uint64) {
	m.checkWhole("InitUniform")
	m.draw(rand.New(rand.NewPCG(seed, 0)))
	m.Update()
}

func (m *Model) draw(r *rand.Rand) {
	m.engine.Clear(m.Slab)
	for i := range m.table {
		w := &m.table[i]
		if w.bias() || w.tied {
			continue
		}
		bound, values := 1/math.Sqrt(float64(w.fan)), m.values(w)
		for j := range values {
			values[j] = float32((2*r.Float64() - 1) * bound)
		}
	}
}

// InitIdentity sets each Wh to scale times the identity, and the biases of the cells to
// zero. Other parameters stay. It panics if scale is not finite.
//
// With ReLU and scale 1, a state without further input stays, and so does its gradient
// (IRNN; Le, Jaitly & Hinton 2015). A smaller scale forgets. With TimeSkip, which keeps
// the state itself, use 0.
func (m *Model) InitIdentity(scale float32) {
	m.checkWhole("InitIdentity")
	checkScale("InitIdentity", scale)
	for _, p := range m.Cells {
		m.engine.Clear(p.Wh)
		m.engine.Clear(p.Bh)
		for i := range m.Hidden {
			p.Wh[i*m.Hidden+i] = scale
		}
	}
	m.Update()
}

// InitOrthogonal sets each Wh to gain times a random orthogonal matrix. Other
// parameters stay. It panics if gain is not finite. It takes time in proportion to H³.
//
// An orthogonal matrix keeps the length of every state (Saxe, McClelland & Ganguli
// 2014). The matrix is the Q of the QR decomposition of a matrix of normal values, by
// Householder reflections. Its signs make it uniform over all orthogonal matrices
// (Mezzadri 2007).
func (m *Model) InitOrthogonal(gain float32, seed uint64) {
	m.checkWhole("InitOrthogonal")
	checkScale("InitOrthogonal", gain)
	r := rand.New(rand.NewPCG(seed, 2))
	for _, p := range m.Cells {
		for i, v := range orthogonal(m.Hidden, r) {
			p.Wh[i] = gain * float32(v)
		}
	}
	m.Update()
}

func checkScale(op string, scale float32) {
	if s := float64(scale); math.IsNaN(s) || math.IsInf(s, 0) {
		panic(fmt.Sprintf("rnn: %s: scale is %v, want a finite number", op, scale))
	}
}

// orthogonal returns an orthogonal matrix, [n,n]. It is the product of reflections by
// normal vectors of 1, 2, ... n elements, each with a sign at its first element
// (Stewart 1980).
func orthogonal(n int, r *rand.Rand) []float64 {
	q := make([]float64, n*n)
	for i := range n {
		q[i*n+i] = 1
	}
	v := make([]float64, n)
	for k := n - 1; k >= 0; k-- {
		x := v[k:]
		var norm float64
		for i := range x {
			x[i] = r.NormFloat64()
			norm += x[i] * x[i]
		}
		norm = math.Sqrt(norm)
		sign := math.Copysign(1, x[0])
		x[0] += sign * norm
		var length float64
		for _, xi := range x {
			length += xi * xi
		}
		// Rows from k on of the product so far equal the identity left of column k.
		for j := k; j < n; j++ {
			var dot float64
			for i, xi := range x {
				dot += xi * q[(k+i)*n+j]
			}
			dot *= 2 / length
			for i, xi := range x {
				q[(k+i)*n+j] -= dot * xi
			}
		}
		for j := k; j < n; j++ {
			q[k*n+j] *= -sign
		}
	}
	return q
}
