package rnn

import (
	"fmt"
	"slices"
	"strings"

	"batchrnn/kernels"
)

// A cell is one direction of a layer. Stage 2 computes its state after a step from the
// start value of stage 1 and the state before. Each kind of cell has a file with its
// stage 2. Backward 2 turns the gradient of the states, dH, into that of the
// pre-activations, dZ. All gradients of the cell's weights come from dZ.

// A CellKind is a kind of cell. doc.go has the equations.
type CellKind int

const (
	Vanilla CellKind = iota
	LSTM             // Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000
	GRU              // with the reset gate after the product: PyTorch, cuDNN, linear_before_reset=1 of ONNX
	// GRUResetBefore has the reset gate before the product (Cho et al. 2014): ONNX's
	// default.
	GRUResetBefore
)

var cellKinds = []string{Vanilla: "rnn", LSTM: "lstm", GRU: "gru", GRUResetBefore: "gru-reset-before"}

func (k CellKind) known() bool { return k >= 0 && int(k) < len(cellKinds) }

// String returns the name: "rnn", "lstm", "gru" or "gru-reset-before".
func (k CellKind) String() string {
	if !k.known() {
		return fmt.Sprintf("CellKind(%d)", int(k))
	}
	return cellKinds[k]
}

// MarshalText returns the name. It implements [encoding.TextMarshaler].
func (k CellKind) MarshalText() ([]byte, error) {
	if !k.known() {
		return nil, fmt.Errorf("cell kind %d is unknown: there are %s", int(k), strings.Join(cellKinds, ", "))
	}
	return []byte(cellKinds[k]), nil
}

// UnmarshalText sets k to the kind of that name. It implements
// [encoding.TextUnmarshaler].
func (k *CellKind) UnmarshalText(name []byte) error {
	i := slices.Index(cellKinds, string(name))
	if i < 0 {
		return fmt.Errorf("cell kind %.20q is unknown: there are %s", name, strings.Join(cellKinds, ", "))
	}
	*k = CellKind(i)
	return nil
}

// gates returns G, the number of products with the input, or 1 for an unknown kind.
func (k CellKind) gates() int {
	switch k {
	case LSTM:
		return 4
	case GRU, GRUResetBefore:
		return 3
	}
	return 1
}

// summed returns how many gates begin from the sum of both biases.
func (k CellKind) summed() int {
	if k == GRU {
		return 2
	}
	return k.gates()
}

// kept returns the number of groups of H values that a step of a gated cell leaves in
// Z: the gates, and tanh(c) of an LSTM or the state's part of the candidate of a GRU.
func (k CellKind) kept() int {
	if k == LSTM {
		return 5
	}
	return 4
}

// gradGroups is the number of groups of dZ of a gated cell.
const gradGroups = 4

// products returns the blocks of Wh's columns that a step multiplies by one at a time:
// the gates, each with its own activation.
func (k CellKind) products(h int) []kernels.Span {
	var blocks []kernels.Span
	for g := range k.gates() {
		blocks = append(blocks, kernels.Span{Lo: g * h, Hi: (g + 1) * h})
	}
	return blocks
}

// mirrors returns the blocks of Wh's columns that the gradient of a state comes back
// through. The candidate of a GRU has a block of its own, because r stands between it
// and the state.
func (k CellKind) mirrors(h int) []kernels.Span {
	if k == GRU || k == GRUResetBefore {
		return []kernels.Span{{Hi: 2 * h}, {Lo: 2 * h, Hi: 3 * h}}
	}
	return nil
}

// phases returns how many phases a step has. Workers that share columns meet after
// each: the second phase multiplies by what all of them computed in the first.
func (c *Config) phases() int {
	if c.Cell == GRUResetBefore || c.Projection > 0 {
		return 2
	}
	return 1
}

// A layer holds the activations of one layer. The two directions of a bidirectional
// layer stand side by side in rows of width W = 2P.
type layer struct {
	// h holds the states, [T+1,B,W]. Slot 0 is the initial state, slot t+1 the state
	// after step t. A second direction has its initial state in an additional slot T+1.
	h []float32
	c []float32 // as h, [·,B,D·H]: the cell states of an LSTM
	// z holds what the backward pass of a gated cell needs, [T,B,D,S,H]: the S groups
	// of [CellKind.kept].
	z   []float32
	m   []float32 // [T,B,D·H], an LSTM's output before its projection; nil without one
	g   []float32 // [T,B,W], the activations g(·); nil without TimeSkip, where they equal the states
	out []float32 // [T,B,W], the output: the states after each step; with Residual, the input is added
	up  []float32 // [T,B,W], the input of the layer above: out, or out after dropout
	dh  []float32 // [T,B,W], dJ/dh_t; nil unless KeepStateGradients was called
}

// newLayer allocates the activations of layer k.
func (m *Model) newLayer(k, steps, batch int) layer {
	rows, width := steps*batch, m.width()
	slots := (steps + m.directions()) * batch
	units := m.directions() * m.Hidden
	l := layer{h: kernels.Floats(slots * width)}
	l.out = l.h[batch*width:][:rows*width]
	if m.Cell == LSTM {
		l.c = kernels.Floats(slots * units)
	}
	if m.Cell != Vanilla {
		l.z = kernels.Floats(rows * units * m.Cell.kept())
	}
	if m.Projection > 0 {
		l.m = kernels.Floats(rows * units)
	}
	if m.TimeSkip != 0 {
		l.g = kernels.Floats(rows * width)
	}
	if m.Residual && k > 0 {
		l.out = kernels.Floats(rows * width)
	}
	l.up = l.out
	return l
}

// A backPass holds the buffers of backward 2 of gated cells. Layers share them.
type backPass struct {
	dz    []float32 // [T,B,D,4,H]
	carry []float32 // [B,W], dJ/dh_t by later steps
	dc    []float32 // [B,D·H], dJ/dc_t of an LSTM
	// With a projection, dp is [T,B,W], dJ/dh_t, and dm [B,D·H], that of the output
	// before it.
	dp, dm []float32
}

func (m *Model) newBackPass(steps, batch int) (b backPass) {
	units := m.directions() * m.Hidden
	if m.Cell == Vanilla {
		return b
	}
	b.dz = kernels.Floats(steps * batch * units * gradGroups)
	b.carry = kernels.Floats(batch * m.width())
	if m.Cell == LSTM {
		b.dc = kernels.Floats(batch * units)
	}
	if m.Projection > 0 {
		b.dp, b.dm = kernels.Floats(steps*batch*m.width()), kernels.Floats(batch*units)
	}
	return b
}

// resize gives layer k's activations that callers see their size.
func (l *layer) resize(m *Model, k, rows, batch int) {
	width, dropped := m.width(), &l.up[0] != &l.out[0]
	if m.Residual && k > 0 {
		l.out = l.out[:rows*width]
	} else {
		l.out = l.h[batch*width:][:rows*width]
	}
	if !dropped {
		l.up = l.out
	}
}

// top returns the last layer.
func (ws *Workspace) top() *layer { return &ws.layers[len(ws.layers)-1] }

// time returns the index of the s-th step that direction d takes.
func (ws *Workspace) time(d, s int) int {
	if d == 1 {
		return ws.steps - 1 - s
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
// pre-activations, dz; and of its input, below. Those of a gated cell are in
// [backPass]. dz overwrites dh, except with Residual, which needs dh again.
func (ws *Workspace) layerGrads(k int) (dh, dz, below []float32) {
	i := (len(ws.layers) - 1 - k) % 2
	dh, dz, below = ws.grads[i], ws.grads[i], ws.grads[1-i]
	switch {
	case ws.m.Cell != Vanilla:
		dh, dz, below = ws.grads[0], ws.back.dz, ws.grads[0]
	case ws.m.Residual:
		dh, dz, below = ws.grads[0], ws.grads[1], ws.grads[0]
	}
	if k == len(ws.layers)-1 {
		dh = ws.pass.dout
	}
	return dh, dz, below
}

// strides returns the number of floats of a row of dZ, and of one direction's part.
func (ws *Workspace) strides() (row, direction int) {
	direction = ws.m.Hidden
	if ws.m.Cell != Vanilla {
		direction *= gradGroups
	}
	return ws.m.directions() * direction, direction
}

// timesDZ sets dw, [n,cols] with row stride lddw, to aᵀ·dZ. a is [T·B,n] with row stride
// lda, dz is [T·B,cols] with row stride lddz. Workers share the columns, and the product
// is split into phases by rows of dZ.
func (ws *Workspace) timesDZ(w *kernels.Worker, n, cols int, dw []float32, lddw int, a []float32, lda int, dz []float32, lddz int) {
	if ws.shards.several() {
		ws.shardProducts(w, n, cols, dw, lddw, a, lda, dz, lddz)
		return
	}
	rows := ws.steps * ws.B
	phase := rows
	if workers := ws.plan.grads[ws.at]; workers > 1 {
		phase = roundUp(ws.plan.phaseLength(n*cols, workers), phaseRows)
	}
	for lo := 0; lo < rows; lo += phase {
		p := kernels.Product{M: n, A: a[lo*lda:], LDA: lda, TransA: true, C: dw, LDC: lddw}
		if lo > 0 {
			w.Barrier()
			p.Add, p.LDAdd = dw, lddw
		}
		w.GemmPlain(p, kernels.Matrix{K: min(phase, rows-lo), N: cols, Data: dz[lo*lddz:], LD: lddz}, w.Share(w.Panels(cols)))
	}
}

// phaseRows is a multiple of the number of rows of a plain matrix that products pack at
// a time.
const phaseRows = 512
