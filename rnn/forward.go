package rnn

import "batchrnn/kernels"

// Forward runs T steps on ids, [T,B], from the initial state in slot 0 of H,
// and leaves the states in the slots after it. It panics where the model's
// input is dense, ids has another length, or an id is not below E.
func (ws *Workspace) Forward(ids []int32) {
	ws.checkIDs(ids)
	copy(ws.ids, ids)
	ws.ran = true
	ws.m.engine.Run(ws.plan.workers, ws.forward)
}

// ForwardDense is Forward for a model with a dense input x, [T,B,E], which the
// workspace keeps: Backward reads it again.
func (ws *Workspace) ForwardDense(x []float32) {
	ws.checkDense(x)
	ws.x, ws.ran = x, true
	ws.m.engine.Run(ws.plan.workers, ws.forward)
}

// forwardShare is one worker's part of stages 1 and 2.
func (ws *Workspace) forwardShare(w *kernels.Worker) {
	m, hidden := ws.m, ws.m.Hidden
	if m.Dense {
		ws.inputDense(w)
		w.Barrier()
	}
	rows, panels := ws.plan.share(w, ws.B, m.wh.Panels())
	n := rows.Len()
	for t := range ws.T {
		at := rows.Lo * hidden
		h, next := ws.state(t)[at:], ws.state(t + 1)[at:]
		p := kernels.Product{ // 2
			M: n,
			A: h, LDA: hidden,
			B: m.wh,
			S: next, LDS: hidden,
			C: next, LDC: hidden,
			Act: activations[m.Activation].kernel,
		}
		if !m.Dense { // 1
			p.S, p.IDs, p.Bias = m.Wx, ws.ids[t*ws.B+rows.Lo:][:n], m.Bh
		}
		w.Gemm(p, panels)
		ws.plan.meet(w)
	}
}

// inputDense is stage 1 of a dense input: all T·B rows in one product, rows
// shared out.
func (ws *Workspace) inputDense(w *kernels.Worker) {
	m := ws.m
	rows := w.Share(ws.T * ws.B)
	w.Gemm(kernels.Product{
		M: rows.Len(),
		A: ws.x[rows.Lo*m.Input:], LDA: m.Input,
		B:    m.wx,
		Bias: m.Bh,
		C:    ws.H[(ws.B+rows.Lo)*m.Hidden:], LDC: m.Hidden,
	}, m.wx.All())
}
