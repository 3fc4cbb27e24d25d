package rnn

import "batchrnn/kernels"

// weightGrads computes dWh, dWx and db_h of layer k, columns shared out.
func (ws *Workspace) weightGrads(w *kernels.Worker, k int) {
	m, l, hidden, width, rows := ws.m, &ws.layers[k], ws.m.Hidden, ws.m.width(), ws.T*ws.B
	_, all, _ := ws.layerGrads(k)
	for d := range m.directions() {
		cols := w.Columns(hidden)
		dz, grads := all[d*hidden:], ws.Grads.Cells[k*m.directions()+d]
		dbh := grads.Bh[cols.Lo:cols.Hi]
		w.Clear(dbh)
		w.ColumnSums(dbh, rows, dz[cols.Lo:], width)
		if !m.dense(k) {
			ws.idGrads(w, grads.Wx[cols.Lo:], cols.Len(), dz[cols.Lo:])
		}

		ws.timesDZ(w, grads.Wh, l.h[before(d, 0)*ws.B*width+d*hidden:], hidden, width, dz)
		if m.dense(k) {
			ws.timesDZ(w, grads.Wx, ws.read(k), m.reads(k), m.reads(k), dz)
		}
	}
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
			p.S, p.LDS = dw, hidden
		}
		w.GemmPlain(p, kernels.Matrix{K: min(phase, rows-lo), N: hidden, Data: dz[lo*width:], LD: width}, w.Share(w.Panels(hidden)))
	}
}

// phaseRows is a multiple of the rows of a plain matrix that products pack together.
const phaseRows = 512

// idGrads adds columns of dz, [T·B,cols], to those of dwx that its rows' ids name.
func (ws *Workspace) idGrads(w *kernels.Worker, dwx []float32, cols int, dz []float32) {
	m, hidden, width := ws.m, ws.m.Hidden, ws.m.width()
	if cols == 0 {
		return
	}
	if !m.Tied || !ws.fromOutputs { // else dWy is there already
		for id := range m.Input {
			w.Clear(dwx[id*hidden:][:cols])
		}
	}
	if ws.absent {
		scatterIDs(w, dwx, hidden, cols, ws.ids, dz, width)
	} else {
		w.ScatterAdd(dwx, hidden, cols, ws.ids, dz, width)
	}
}

// inputGrads computes the gradient of what layer k reads, where it is wanted, rows
// shared out.
func (ws *Workspace) inputGrads(w *kernels.Worker, k int) {
	m := ws.m
	dh, dz, dx := ws.layerGrads(k)
	if k == 0 {
		dx = ws.DX
	}
	if dx == nil {
		return
	}
	rows, width, reads := w.Share(ws.T*ws.B), m.width(), m.reads(k)
	to := dx[rows.Lo*reads:]
	for d := range m.directions() {
		wxT := m.packed[cellWx][k*m.directions()+d].trans
		p := kernels.Product{
			M: rows.Len(),
			A: dz[rows.Lo*width+d*m.Hidden:], LDA: width,
			B: wxT,
			C: to, LDC: reads,
		}
		switch {
		case d > 0:
			p.S, p.LDS = to, reads
		case m.Residual && k > 0 && dh != nil:
			p.S, p.LDS = dh[rows.Lo*width:], width
		}
		w.Gemm(p, wxT.All())
	}
	if k > 0 && ws.drop != nil {
		ws.mask(w, k-1, dx, dx)
	}
}

// initialGrads computes dh_0 of layer k where it is wanted.
func (ws *Workspace) initialGrads(w *kernels.Worker, k int) {
	if ws.DH0 == nil {
		return
	}
	m, hidden, width := ws.m, ws.m.Hidden, ws.m.width()
	_, all, _ := ws.layerGrads(k)
	for d := range m.directions() {
		c := k*m.directions() + d
		p := kernels.Product{
			M: ws.B,
			A: ws.slot(all, ws.time(d, 0))[d*hidden:], LDA: width,
			B: m.packed[cellWh][c].trans,
			C: ws.DH0[c*ws.B*hidden:], LDC: hidden,
		}
		if d == 1 && ws.lengths.of != nil { // each sequence begins at its own end
			w.Barrier()
			for b := range ws.B {
				if w.ID() == 0 {
					t := int(ws.lengths.of[b]) - 1
					w.Copy(ws.firstDZ[b*hidden:][:hidden], ws.slot(all, t)[b*width+d*hidden:][:hidden])
				}
			}
			w.Barrier()
			p.A, p.LDA = ws.firstDZ, hidden
		}
		if ws.reached != nil {
			p.S, p.LDS = ws.reached[d*hidden:], width
		}
		w.Gemm(p, w.Share(m.packed[cellWh][c].trans.Panels()))
	}
}
