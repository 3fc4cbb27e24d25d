package rnn

import "batchrnn/kernels"

// A cell is one direction of a layer. It turns the start values of stage 1 and its
// state before a step into its state after it: stage 2, in the file of its kind.
// Backward 2 turns the gradient of its states, dH, into that of its
// pre-activations, dZ, from which all gradients of its weights come.

// A layer is what a pass leaves in one layer. Both directions of a layer that has
// two stand side by side in rows of W = 2H.
type layer struct {
	// h holds the states, [T+1,B,W]: slot 0 the initial one, slot t+1 that after
	// step t. A second direction has its initial state in a slot T+1 more.
	h   []float32
	g   []float32 // [T,B,W], the activations; nil without TimeSkip, where they are the states
	out []float32 // [T,B,W], what the layer gives: the states after each step, or with what it read
	up  []float32 // [T,B,W], out as the layer above reads it: itself, or after dropout
	dh  []float32 // [T,B,W], dJ/dh of each step; nil unless KeepStateGradients was called
}

// newLayer makes what a pass needs of layer k.
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

// top is the last layer.
func (ws *Workspace) top() *layer { return &ws.layers[len(ws.layers)-1] }

// time returns the s-th step that direction d takes.
func (ws *Workspace) time(d, s int) int {
	if d == 1 {
		return ws.T - 1 - s
	}
	return s
}

// slots returns the slots of the states before and after step t, as direction d goes.
func slots(d, t int) (before, after int) { return t + 2*d, t + 1 }

// slot returns slot or step i of a, [·,B,W].
func (ws *Workspace) slot(a []float32, i int) []float32 {
	n := ws.B * ws.m.width()
	return a[i*n:][:n:n]
}

// layerGrads returns where the gradient of what layer k gives is, where its dZ
// goes, and where the gradient of what it reads. dZ replaces dH, unless a residual
// connection needs that once more.
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

// timesDZ sets dw, [n,H], to aᵀ·dZ, where a is [T·B,n] with row stride lda. Columns are
// shared out, phases are of rows of dZ.
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

// phaseRows is a multiple of the rows of a plain matrix that products pack together.
const phaseRows = 512
