package rnn

import "batchrnn/kernels"

// Backward computes the gradient of the mean cross-entropy of targets, [T,B],
// with respect to all parameters, through all T steps of the last Forward. It
// fills Grads and Losses and returns the mean loss in nats per step. It panics
// where Loss would, and in a workspace not made by NewTraining.
func (ws *Workspace) Backward(targets []int32) float64 {
	ws.checkTraining("Backward")
	ws.checkTargets("Backward", targets)
	ws.targets, ws.seen, ws.dh = ws.classes(targets), ws.statesOut(), ws.dz
	if ws.drop != nil {
		ws.seen = ws.drop.draw()
	}
	if ws.tails != nil {
		ws.tails.cutTails()
	}
	ws.m.engine.Run(ws.plan.backward, ws.backward)
	return ws.meanLoss()
}

// BackwardStates is Backward for a loss of the states themselves: dh, [T,B,H],
// is its gradient with respect to the states after each step, without what
// reaches them through later ones. The gradient of an output layer is left
// alone.
func (ws *Workspace) BackwardStates(dh []float32) {
	ws.checkTraining("BackwardStates")
	ws.checkStates(dh)
	ws.targets, ws.dh = nil, dh
	ws.m.engine.Run(ws.plan.backward, ws.backward)
}

// backwardShare is one worker's part of the backward pass.
func (ws *Workspace) backwardShare(w *kernels.Worker) {
	if ws.targets != nil {
		if ws.drop != nil {
			ws.dropOut(w)
		}
		ws.outputBackward(w)
		if ws.tails != nil {
			ws.tailsBackward(w)
		}
		if ws.drop != nil {
			ws.dropGrads(w)
		}
	}
	ws.throughTime(w)
	w.Barrier()
	ws.weightGrads(w)
	ws.inputGrads(w)
}

// throughTime is backward 2: it turns dH into dZ, the last step first.
func (ws *Workspace) throughTime(w *kernels.Worker) {
	m, hidden := ws.m, ws.m.Hidden
	rows, panels := ws.plan.share(w, ws.B, m.whT.Panels())
	cols := m.whT.Columns(panels)
	if rows.Len() == 0 {
		return
	}
	act := activations[m.Activation].kernel
	for t := ws.T - 1; t >= 0; t-- {
		at := rows.Lo * hidden
		dh, dz := ws.step(ws.dh, t)[at:], ws.step(ws.dz, t)[at:]
		if t < ws.T-1 {
			w.Gemm(kernels.Product{
				M: rows.Len(),
				A: ws.step(ws.dz, t+1)[at:], LDA: hidden,
				B: m.whT,
				S: dh, LDS: hidden,
				C: dz, LDC: hidden,
			}, panels)
		} else {
			for i := range rows.Len() { // nothing comes from later steps
				copy(dz[i*hidden+cols.Lo:i*hidden+cols.Hi], dh[i*hidden+cols.Lo:])
			}
		}
		w.Grad(act, rows.Len(), cols.Len(), dz[cols.Lo:], hidden, ws.state(t + 1)[at+cols.Lo:], hidden)
		ws.plan.meet(w)
	}
}

// weightGrads computes dWh, dWx and db_h, columns shared out.
func (ws *Workspace) weightGrads(w *kernels.Worker) {
	m, hidden, rows := ws.m, ws.m.Hidden, ws.T*ws.B
	panels := w.Share(ws.dzP.Panels())
	cols := ws.dzP.Columns(panels)
	if cols.Len() == 0 {
		return
	}
	w.PackPanels(ws.dzP, false, ws.dz, hidden, panels)
	w.Gemm(kernels.Product{ // dWh = H_{0..T-1}ᵀ·dZ
		M: hidden,
		A: ws.H, LDA: hidden, TransA: true,
		B: ws.dzP,
		C: ws.Grads.Wh, LDC: hidden,
	}, panels)

	dbh := ws.Grads.Bh[cols.Lo:cols.Hi]
	clear(dbh)
	w.ColumnSums(dbh, rows, ws.dz[cols.Lo:], hidden)

	if m.Dense {
		w.Gemm(kernels.Product{ // dWx = xᵀ·dZ
			M: m.Input,
			A: ws.x, LDA: m.Input, TransA: true,
			B: ws.dzP,
			C: ws.Grads.Wx, LDC: hidden,
		}, panels)
		return
	}
	dwx := ws.Grads.Wx[cols.Lo:]
	if !m.Tied || ws.targets == nil { // else dWy is there already
		for id := range m.Input {
			clear(dwx[id*hidden:][:cols.Len()])
		}
	}
	w.ScatterAdd(dwx, hidden, cols.Len(), ws.ids, ws.dz[cols.Lo:], hidden)
}

// inputGrads computes dx and dh_0 where they are wanted.
func (ws *Workspace) inputGrads(w *kernels.Worker) {
	m, hidden := ws.m, ws.m.Hidden
	if ws.DX != nil {
		rows := w.Share(ws.T * ws.B)
		w.Gemm(kernels.Product{
			M: rows.Len(),
			A: ws.dz[rows.Lo*hidden:], LDA: hidden,
			B: m.wxT,
			C: ws.DX[rows.Lo*m.Input:], LDC: m.Input,
		}, m.wxT.All())
	}
	if ws.DH0 != nil {
		w.Gemm(kernels.Product{
			M: ws.B,
			A: ws.dz, LDA: hidden,
			B: m.whT,
			C: ws.DH0, LDC: hidden,
		}, w.Share(m.whT.Panels()))
	}
}

// step returns step t of d, [B,H] of [T,B,H].
func (ws *Workspace) step(d []float32, t int) []float32 {
	n := ws.B * ws.m.Hidden
	return d[t*n:][:n:n]
}
