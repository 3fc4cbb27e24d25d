package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"batchrnn/kernels"
)

// The general path: recurrent cells with every attribute of ONNX. The equations are those
// of the operators RNN, GRU and LSTM in ONNX's Operators.md. clip limits what each
// activation of a gate reads, as in ONNX Runtime.

// A cell is one direction of a node on the general path. Its gates are in ONNX's order.
type cell struct {
	acts [3]activation // f, g and h

	w     *kernels.Packed // [E,G·H]
	r     *kernels.Packed // [H,G·H]; of a GRU [H,2·H]: z and r
	n     *kernels.Packed // [H,H], the candidate of a GRU; nil otherwise
	start []float32       // [G·H], the bias of the input's product
	after []float32       // [H], the bias of n with linear_before_reset; nil otherwise
	peep  []float32       // [3·H], the peepholes i, o, f of an LSTM; nil for none
}

// newCells makes the cells of the general path.
func (n *recurrent) newCells(acts []activation, w, r, b, p *constant) {
	h, gates, each := n.hidden, n.kind.gates*n.hidden, len(n.kind.activations)
	for d := range n.directions {
		var c cell
		copy(c.acts[:], acts[d*each:][:each])
		c.w = n.engine.NewPacked(n.inputs, gates)
		n.engine.Pack(c.w, true, w.data[d*gates*n.inputs:], n.inputs)
		rows, width := r.data[d*gates*h:], gates
		if n.spec.op == "GRU" {
			width = 2 * h
			c.n = n.engine.NewPacked(h, h)
			n.engine.Pack(c.n, true, rows[width*h:], h)
		}
		c.r = n.engine.NewPacked(h, width)
		n.engine.Pack(c.r, true, rows, h)
		c.start = make([]float32, gates)
		if n.after() {
			c.after = make([]float32, h)
		}
		if b != nil {
			bw, br := n.biases(b, d)
			n.engine.Add(c.start, bw, br)
			if n.after() {
				n.engine.Copy(c.start[2*h:], bw[2*h:])
				n.engine.Copy(c.after, br[2*h:])
			}
		}
		if p != nil {
			c.peep = slices.Clone(p.data[d*3*h:][:3*h])
		}
		n.cells = append(n.cells, c)
	}
}

// after says whether a GRU's reset gate acts after the product.
func (n *recurrent) after() bool { return n.spec.op == "GRU" && n.spec.linearBeforeReset }

// cellBuffers hold what the general path computes. Directions share them.
type cellBuffers struct {
	z    []float32 // [T,B,G·H]: first what the input adds to the gates, then the gates
	h, c []float32 // [B,H], the states
	q    []float32 // [B,H], r∘h of a GRU, or the state's part of its candidate
}

func (n *recurrent) newBuffers(steps, batch int) cellBuffers {
	buf := cellBuffers{z: kernels.Floats(steps * batch * n.kind.gates * n.hidden), h: kernels.Floats(batch * n.hidden)}
	switch n.spec.op {
	case "LSTM":
		buf.c = kernels.Floats(batch * n.hidden)
	case "GRU":
		buf.q = kernels.Floats(batch * n.hidden)
	}
	return buf
}

// passCells is a pass of the general path.
func (run *recurrentRun) passCells(x, h0, c0, y, yh, yc []float32) {
	r, buf := run.r, &run.buffers
	gates, states := r.kind.gates*r.hidden, run.batch*r.hidden
	for d := range r.cells {
		c := &r.cells[d]
		run.begin(buf.h, h0, d)
		run.begin(buf.c, c0, d)
		r.engine.Gemm(kernels.Product{
			M: run.steps * run.batch,
			A: x, LDA: r.inputs,
			B:    c.w,
			Bias: c.start,
			C:    buf.z, LDC: gates,
		})
		for s := range run.steps {
			t := s
			if d == 1 || r.reverse() { // a sequence begins at its own last step
				t = run.steps - 1 - s
			}
			z := buf.z[t*run.batch*gates:][:run.batch*gates]
			switch r.spec.op {
			case "RNN":
				run.stepRNN(c, z, t)
			case "GRU":
				run.stepGRU(c, z, t)
			case "LSTM":
				run.stepLSTM(c, z, t)
			}
			if y != nil {
				to := y[(t*r.directions+d)*states:][:states]
				r.engine.Copy(to, buf.h)
				for b := range run.lens {
					if t >= run.length(b) {
						r.engine.Clear(run.row(to, 0, b))
					}
				}
			}
		}
		if yh != nil {
			r.engine.Copy(yh[d*states:][:states], buf.h)
		}
		if yc != nil {
			r.engine.Copy(yc[d*states:][:states], buf.c)
		}
	}
}

// begin sets a state, [B,H], to direction d of its initial value, [D,B,H].
func (run *recurrentRun) begin(state, initial []float32, d int) {
	if initial == nil {
		run.r.engine.Clear(state)
		return
	}
	run.r.engine.Copy(state, initial[d*len(state):][:len(state)])
}

// addState adds a state's product with the recurrent weights of c to the first columns of
// z.
func (run *recurrentRun) addState(c *cell, z []float32) {
	gates := run.r.kind.gates * run.r.hidden
	run.r.engine.Gemm(kernels.Product{
		M: run.batch,
		A: run.buffers.h, LDA: run.r.hidden,
		B:   c.r,
		Add: z, LDAdd: gates,
		C: z, LDC: gates,
	})
}

// stepRNN is H = f(X·Wᵀ + H·Rᵀ + Wb + Rb).
func (run *recurrentRun) stepRNN(c *cell, z []float32, t int) {
	n := run.r.hidden
	run.addState(c, z)
	for b := range run.batch {
		if t >= run.length(b) {
			continue
		}
		z := z[b*n:][:n]
		run.gate(c.acts[0], z)
		run.r.engine.Copy(run.row(run.buffers.h, 0, b), z)
	}
}

// stepGRU is
//
//	z, r = f(X·Wᵀ + H·Rᵀ + Wb + Rb)
//	n    = g(X·Wᵀ + (r∘H)·Rᵀ + Rb + Wb)      or with linear_before_reset
//	n    = g(X·Wᵀ + r∘(H·Rᵀ + Rb) + Wb)
//	H    = (1-z)∘n + z∘H
func (run *recurrentRun) stepGRU(c *cell, z []float32, t int) {
	e, buf, n := run.r.engine, &run.buffers, run.r.hidden
	run.addState(c, z)
	for b := range run.batch {
		if t >= run.length(b) {
			continue
		}
		z := z[b*3*n:][:2*n]
		run.gate(c.acts[0], z)
		if c.after == nil {
			e.Mul(run.row(buf.q, 0, b), z[n:], run.row(buf.h, 0, b))
		}
	}
	p := kernels.Product{
		M: run.batch,
		A: buf.q, LDA: n,
		B:   c.n,
		Add: z[2*n:], LDAdd: 3 * n,
		C: z[2*n:], LDC: 3 * n,
	}
	if c.after != nil {
		p.A, p.Add, p.Bias, p.C, p.LDC = buf.h, nil, c.after, buf.q, n
	}
	e.Gemm(p)
	for b := range run.batch {
		if t >= run.length(b) {
			continue
		}
		h, z, r, n := run.row(buf.h, 0, b), z[b*3*n:][:n], z[b*3*n+n:][:n], z[b*3*n+2*n:][:n]
		if c.after != nil {
			addProduct(n, r, run.row(buf.q, 0, b))
		}
		run.gate(c.acts[1], n)
		for j, z := range z {
			h[j] = float32((1-z)*n[j]) + float32(z*h[j])
		}
	}
}

// stepLSTM is
//
//	i, f = f(X·Wᵀ + H·Rᵀ + P∘C + Wb + Rb)      or with input_forget f = 1 - i
//	c    = g(X·Wᵀ + H·Rᵀ + Wb + Rb)
//	C    = f∘C + i∘c
//	o    = f(X·Wᵀ + H·Rᵀ + P∘C + Wb + Rb)
//	H    = o∘h(C)
func (run *recurrentRun) stepLSTM(cl *cell, z []float32, t int) {
	e, n := run.r.engine, run.r.hidden
	run.addState(cl, z)
	for b := range run.batch {
		if t >= run.length(b) {
			continue
		}
		z := z[b*4*n:][:4*n]
		i, o, f, g := z[:n], z[n:2*n], z[2*n:3*n], z[3*n:]
		h, c := run.row(run.buffers.h, 0, b), run.row(run.buffers.c, 0, b)
		if cl.peep != nil {
			addProduct(i, cl.peep[:n], c)
			addProduct(f, cl.peep[2*n:], c)
		}
		run.gate(cl.acts[0], i)
		if run.r.spec.inputForget {
			for j, v := range i {
				f[j] = 1 - v
			}
		} else {
			run.gate(cl.acts[0], f)
		}
		run.gate(cl.acts[1], g)
		for j, v := range c {
			c[j] = float32(f[j]*v) + float32(i[j]*g[j])
		}
		if cl.peep != nil {
			addProduct(o, cl.peep[n:2*n], c)
		}
		run.gate(cl.acts[0], o)
		e.Copy(h, c)
		cl.acts[2].apply(e, h)
		e.Mul(h, o, h)
	}
}

// addProduct adds a∘b to dst. The conversion keeps the compiler from joining the two
// operations, which only some machines would do.
func addProduct(dst, a, b []float32) {
	for j := range dst {
		dst[j] += float32(a[j] * b[j])
	}
}

// gate clips x, and applies an activation to it.
func (run *recurrentRun) gate(a activation, x []float32) {
	if limit := run.r.spec.clip; limit > 0 {
		for j, v := range x {
			x[j] = min(max(v, -limit), limit)
		}
	}
	a.apply(run.r.engine, x)
}

// An activation is one of ONNX's with its parameters.
type activation struct {
	kind        *activationKind
	alpha, beta float32
}

func (a activation) apply(e *kernels.Engine, x []float32) { a.kind.apply(e, x, a.alpha, a.beta) }

// known returns the activation of package kernels that computes the same, or 0.
func (a activation) known() kernels.Activation {
	switch a.kind.name {
	case "Tanh":
		return kernels.Tanh
	case "Relu":
		return kernels.ReLU
	case "Sigmoid":
		return kernels.Sigmoid
	case "Affine":
		if a.alpha == 1 && a.beta == 0 {
			return kernels.Identity
		}
	}
	return 0
}

// An activationKind is a function of each element, in place. NaN propagates.
type activationKind struct {
	name   string
	params int // 0, 1 for alpha, or 2 for alpha and beta
	// The defaults are ONNX Runtime's. It takes 0 where ONNX has no default. It also takes
	// 0 as the threshold, which is 1 in ONNX.
	alpha, beta float32
	apply       func(e *kernels.Engine, x []float32, alpha, beta float32)
}

var activationKinds = []activationKind{
	{"Relu", 0, 0, 0, func(e *kernels.Engine, x []float32, _, _ float32) { e.ReLU(x, x) }},
	{"Tanh", 0, 0, 0, func(e *kernels.Engine, x []float32, _, _ float32) { e.Tanh(x, x) }},
	{"Sigmoid", 0, 0, 0, func(e *kernels.Engine, x []float32, _, _ float32) { e.Sigmoid(x, x) }},
	{"Affine", 2, 0, 0, func(_ *kernels.Engine, x []float32, alpha, beta float32) {
		for i, v := range x {
			x[i] = float32(alpha*v) + beta
		}
	}},
	{"LeakyRelu", 1, 0.01, 0, func(_ *kernels.Engine, x []float32, alpha, _ float32) {
		for i, v := range x {
			if v < 0 {
				x[i] = alpha * v
			}
		}
	}},
	{"ThresholdedRelu", 1, 0, 0, func(_ *kernels.Engine, x []float32, alpha, _ float32) {
		for i, v := range x {
			if v <= alpha { // ONNX Runtime's, where ONNX keeps alpha itself
				x[i] = 0
			}
		}
	}},
	{"ScaledTanh", 2, 0, 0, func(e *kernels.Engine, x []float32, alpha, beta float32) {
		e.Scale(beta, x)
		e.Tanh(x, x)
		e.Scale(alpha, x)
	}},
	{"HardSigmoid", 2, 0.2, 0.5, func(_ *kernels.Engine, x []float32, alpha, beta float32) {
		for i, v := range x {
			x[i] = min(max(float32(alpha*v)+beta, 0), 1)
		}
	}},
	{"Elu", 1, 1, 0, func(_ *kernels.Engine, x []float32, alpha, _ float32) {
		for i, v := range x {
			if v < 0 {
				x[i] = alpha * float32(math.Expm1(float64(v)))
			}
		}
	}},
	{"Softsign", 0, 0, 0, func(_ *kernels.Engine, x []float32, _, _ float32) {
		for i, v := range x {
			x[i] = v / (1 + float32(math.Abs(float64(v))))
		}
	}},
	{"Softplus", 0, 0, 0, func(_ *kernels.Engine, x []float32, _, _ float32) {
		for i, v := range x { // e^v overflows where the result is v
			x[i] = max(v, 0) + float32(math.Log1p(math.Exp(-math.Abs(float64(v)))))
		}
	}},
}

// newActivations returns activations by name, in upper or lower case. As in ONNX Runtime,
// each takes the next alpha and beta only if it has such a parameter. Where they run out,
// the defaults follow.
func newActivations(names []string, alpha, beta []float32) ([]activation, error) {
	var all []activation
	for _, name := range names {
		i := slices.IndexFunc(activationKinds, func(k activationKind) bool { return strings.EqualFold(k.name, name) })
		if i < 0 {
			var known []string
			for _, k := range activationKinds {
				known = append(known, k.name)
			}
			return nil, fmt.Errorf("activation %.40q is unknown: there are %s", name, strings.Join(known, ", "))
		}
		k := &activationKinds[i]
		a := activation{k, k.alpha, k.beta}
		if k.params > 0 && len(alpha) > 0 {
			a.alpha, alpha = alpha[0], alpha[1:]
		}
		if k.params > 1 && len(beta) > 0 {
			a.beta, beta = beta[0], beta[1:]
		}
		all = append(all, a)
	}
	return all, nil
}
