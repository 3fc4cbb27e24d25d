package rnn

import (
	"fmt"
	"math"

	"batchrnn/kernels"
)

// KeepStateGradients makes the backward passes keep dJ/dh_t of every layer, for
// [Workspace.StateGradNorms]. It allocates a copy of the states.
func (ws *Workspace) KeepStateGradients() {
	ws.checkTraining("KeepStateGradients")
	for k := range ws.layers {
		if l := &ws.layers[k]; l.dh == nil {
			l.dh = kernels.Floats(ws.roomRows * ws.m.width())
			ws.kept = false
		}
	}
}

// StateGradNorms sets norms, [T], to the norms of dJ/dh_t in the last backward pass.
// norms[t] is over all rows and both directions of a layer, counted from 0, after step
// t. The gradient dJ/dh_t is complete: it includes what comes through all later steps.
//
// If the norms shrink by a factor from step to step backward, gradients vanish. If they
// grow, gradients explode (Pascanu, Mikolov & Bengio 2013). It panics if
// KeepStateGradients was not called before the pass, or if there is no such layer. It
// also panics if norms has another length.
func (ws *Workspace) StateGradNorms(norms []float64, layer int) {
	if layer < 0 || layer >= len(ws.layers) {
		panic(fmt.Sprintf("rnn: StateGradNorms: layer %d is outside the %d layers", layer, len(ws.layers)))
	}
	dh := ws.layers[layer].dh
	if dh == nil || !ws.kept {
		panic("rnn: StateGradNorms needs KeepStateGradients and then a backward pass")
	}
	ws.checkLen("StateGradNorms", "norms", len(norms), ws.T, "T")
	for t := range norms {
		var sum float64
		for _, x := range ws.slot(dh, t) { // squares in float64: exploding gradients must not overflow
			sum += float64(x) * float64(x)
		}
		norms[t] = math.Sqrt(sum)
	}
}

// keepGrad stores some columns of a row of dJ/dh_t, which begins at at. A nil dh means
// zeros.
func (ws *Workspace) keepGrad(k, t, at int, cols kernels.Span, dh []float32) {
	kept := ws.layers[k].dh
	if kept == nil {
		return
	}
	to := ws.slot(kept, t)[at+cols.Lo : at+cols.Hi]
	if dh == nil {
		ws.m.engine.Clear(to)
	} else {
		ws.m.engine.Copy(to, dh)
	}
}

// ClipValue clips each element of grads to [-limit,limit], in place. It comes before
// [Model.Step], which itself clips by norm. NaN stays. It panics unless limit is above
// 0.
func ClipValue(grads []float32, limit float32) {
	if !(limit > 0) {
		panic(fmt.Sprintf("rnn: ClipValue: limit is %v, want it above 0", limit))
	}
	for i, g := range grads {
		grads[i] = min(max(g, -limit), limit)
	}
}
