package rnn

import "batchrnn/kernels"

// A cell is one direction of a layer. Stage 2 computes its state after a step from the
// start value of stage 1 and the state before. Each kind of cell has a file with its
// stage 2. Backward 2 turns the gradient of the states, dH, into that of the
// pre-activations, dZ. All gradients of the cell's weights come from dZ.

// A layer holds the activations of one layer. The two directions of a bidirectional
// layer stand side by side in rows of width W = 2H.
type layer struct {
	// h holds the states, [T+1,B,W]. Slot 0 is the initial state, slot t+1 the state
	// after step t. A second direction has its initial state in an additional slot T+1.
	h   []float32
	g   []float32 // [T,B,W], the activations g(·); nil without TimeSkip, where they equal the states
	out []float32 // [T,B,W], the output: the states after each step; with Residual, the input is added
	up  []float32 // [T,B,W], the input of the layer above: out, or out after dropout
	dh  []float32 // [T,B,W], dJ/dh_t; nil unless KeepStateGradients was called
}

// newLayer allocates the activations of layer k.
func (m *Model) newLayer(k, steps, batch int) layer {
	rows, width := steps*batch, m.width()
	l := layer{h: kernels.Floats((steps + m.directions()) * batch * width)}
	l.out = l.h[batch*width:][:rows*width]
	if m.TimeSkip != 0 {
		l.g = kernels.Floats(rows * width)
	}
	if m.Residual && k > 0 {
		l.out = kernels.Floats(rows * width)
	}
	l.up = l.out
	return l
}

// top returns the last layer.
func (ws *Workspace) top() *layer { return &ws.layers[len(ws.layers)-1] }

// time returns the index of the s-th step that direction d takes.
func (ws *Workspace) time(d, s int) int {
	if d == 1 {
		return ws.T - 1 - s
	}
	return s
}

// slots returns the slots of the states before and after step t in direction d.
func slots(d, t int) (before, after int) { return t + 2*d, t + 1 }

// slot returns element i of a, [·,B,W]: a slot of the states, or a step.
func (ws *Workspace) slot(a []float32, i int) []float32 {
	n := ws.B * ws.m.width()
	return a[i*n:][:n:n]
}

// layerGrads returns the buffers of layer k's gradients: of its output, dh; of its
// pre-activations, dz; and of its input, below. dz overwrites dh, except with Residual,
// which needs dh again.
func (ws *Workspace) layerGrads(k int) (dh, dz, below []float32) {
	i := (len(ws.layers) - 1 - k) % 2
	dh, dz, below = ws.grads[i], ws.grads[i], ws.grads[1-i]
	if ws.m.Residual {
		dh, dz, below = ws.grads[0], ws.grads[1], ws.grads[0]
	}
	if k == len(ws.layers)-1 {
		dh = ws.pass.dout
	}
	return dh, dz, below
}

// timesDZ sets dw, [n,H], to aᵀ·dZ. a is [T·B,n] with row stride lda. Workers share the
// columns, and the product is split into phases by rows of dZ.
func (ws *Workspace) timesDZ(w *kernels.Worker, dw, a []float32, n, lda int, dz []float32) {
	hidden, width, rows := ws.m.Hidden, ws.m.width(), ws.T*ws.B
	phase := rows
	if workers := ws.plan.grads[ws.at]; workers > 1 {
		phase = roundUp(ws.plan.phaseLength(n*hidden, workers), phaseRows)
	}
	for lo := 0; lo < rows; lo += phase {
		p := kernels.Product{M: n, A: a[lo*lda:], LDA: lda, TransA: true, C: dw, LDC: hidden}
		if lo > 0 {
			w.Barrier()
			p.Add, p.LDAdd = dw, hidden
		}
		w.GemmPlain(p, kernels.Matrix{K: min(phase, rows-lo), N: hidden, Data: dz[lo*width:], LD: width}, w.Share(w.Panels(hidden)))
	}
}

// phaseRows is a multiple of the number of rows of a plain matrix that products pack at
// a time.
const phaseRows = 512
