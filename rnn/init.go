package rnn

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// InitUniform draws all weights uniformly and sets the biases to zero, those of the
// forget gates of an LSTM to 1 (Jozefowicz, Zaremba & Sutskever 2015). The bounds are
// ±1/√W for weights that read W states. They are ±1/√F for weights that read a
// cluster's F features, and ±1/√H for all others. Embeddings have ±1, tied ones ±1/3. [New]
// calls it.
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
	if m.Cell == LSTM {
		m.setForget(func() float32 { return 1 })
	}
}

// forgetGate is the gate that keeps the state where it is 1: f of an LSTM, z of a
// GRU.
const forgetGate = 1

// setForget sets the bias of each unit's forget gate. Where there are two biases, the
// second becomes 0.
func (m *Model) setForget(bias func() float32) {
	lo, hi := forgetGate*m.Hidden, (forgetGate+1)*m.Hidden
	for _, c := range m.Cells {
		for j := lo; j < hi; j++ {
			c.Bh[j] = bias()
		}
		if c.Br != nil {
			m.engine.Clear(c.Br[lo:hi])
		}
	}
}

// InitForget sets the biases of the forget gates: f of an LSTM, z of a GRU. A large bias
// keeps the state at first. Other parameters stay. It panics if the cells have no forget
// gate, or if bias is not finite.
func (m *Model) InitForget(bias float32) {
	m.checkForget("InitForget")
	if b := float64(bias); math.IsNaN(b) || math.IsInf(b, 0) {
		panic(fmt.Sprintf("rnn: InitForget: bias is %v, want a finite number", bias))
	}
	m.setForget(func() float32 { return bias })
	m.Update()
}

// InitChrono draws the biases of the forget gates so that the memories of the units span
// from 2 to longest steps: log(u) for u uniform from 1 to longest-1. Those of the input
// gates of an LSTM become the negatives (Tallec & Ollivier 2018). Other parameters stay.
// It panics if the cells have no forget gate, or if longest is below 3.
func (m *Model) InitChrono(longest int, seed uint64) {
	m.checkForget("InitChrono")
	if longest < 3 {
		panic(fmt.Sprintf("rnn: InitChrono: the longest range is %d steps, want at least 3", longest))
	}
	r := rand.New(rand.NewPCG(seed, 3))
	m.setForget(func() float32 { return float32(math.Log(1 + r.Float64()*float64(longest-2))) })
	if m.Cell == LSTM {
		for _, c := range m.Cells {
			for j, b := range c.Bh[forgetGate*m.Hidden:][:m.Hidden] {
				c.Bh[j] = -b
			}
			if c.Br != nil {
				m.engine.Clear(c.Br[:m.Hidden])
			}
		}
	}
	m.Update()
}

func (m *Model) checkForget(op string) {
	m.checkWhole(op)
	if m.Cell == Vanilla {
		panic("rnn: " + op + ": vanilla cells have no forget gate: set Config.Cell to LSTM or GRU")
	}
}

// InitIdentity sets each Wh to scale times the identity, and the biases of the cells to
// zero. Other parameters stay. It panics if scale is not finite, or if the cells are not
// vanilla ones.
//
// With ReLU and scale 1, a state without further input stays, and so does its gradient
// (IRNN; Le, Jaitly & Hinton 2015). A smaller scale forgets. With TimeSkip, which keeps
// the state itself, use 0.
func (m *Model) InitIdentity(scale float32) {
	m.checkWhole("InitIdentity")
	checkScale("InitIdentity", scale)
	if m.Cell != Vanilla {
		panic(fmt.Sprintf("rnn: InitIdentity: it is for vanilla cells, and these are %v: use InitForget or InitChrono", m.Cell))
	}
	for _, p := range m.Cells {
		m.engine.Clear(p.Wh)
		m.engine.Clear(p.Bh)
		m.engine.Clear(p.Br)
		for i := range m.Hidden {
			p.Wh[i*m.Hidden+i] = scale
		}
	}
	m.Update()
}

// InitOrthogonal sets the part of Wh of each gate to gain times a random orthogonal
// matrix. With a projection it takes the matrix's first P rows. Other parameters stay.
// It panics if gain is not finite. It takes time in proportion to H³.
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
		for g := range m.Cell.gates() {
			q := orthogonal(m.Hidden, r)
			for i := range m.stateWidth() {
				for j, v := range q[i*m.Hidden:][:m.Hidden] {
					p.Wh[(i*m.Cell.gates()+g)*m.Hidden+j] = gain * float32(v)
				}
			}
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
