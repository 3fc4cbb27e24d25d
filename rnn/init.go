package rnn

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// InitUniform draws all weights uniformly from ±1/√H, those that read W states
// from ±1/√W and those of a cluster's F features from ±1/√F, and clears the
// biases. [New] has done it.
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

// InitIdentity makes each Wh scale times the identity, and clears the biases of
// the cells: with ReLU and a scale of 1 a state that nothing is added to stays, and
// so does its gradient (IRNN; Le, Jaitly & Hinton 2015). A smaller scale forgets;
// beside TimeSkip, which keeps the state itself, take 0. Other parameters stay. It panics where scale is not finite.
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

// InitOrthogonal makes each Wh gain times an orthogonal matrix drawn at random,
// which keeps the length of every state (Saxe, McClelland & Ganguli 2014): the Q of
// the QR decomposition of a matrix of normal values, by Householder reflections,
// with the signs that make it uniform over all such matrices (Mezzadri 2007). It
// takes time in proportion to H³. Other parameters stay. It panics where gain is
// not finite.
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

// orthogonal returns an orthogonal matrix, [n,n]: the product of reflections of
// normal vectors of 1, 2, ... n elements, each with a sign at its first place
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
		// Rows k.. of the product so far are the identity left of column k.
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
