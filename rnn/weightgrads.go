package rnn

import "batchrnn/kernels"

// weightGrads computes dWh, dWx and db_h of layer k, columns shared out.
func (ws *Workspace) weightGrads(w *kernels.Worker, k int) {
	m, l, hidden, width, rows := ws.m, &ws.layers[k], ws.m.Hidden, ws.m.width(), ws.T*ws.B
	panels := w.Share(ws.dzP.Panels())
	cols := ws.dzP.Columns(panels)
	if cols.Len() == 0 {
		return
	}
	_, all, _ := ws.layerGrads(k)
	for d := range m.directions() {
		dz, grads := all[d*hidden:], ws.Grads.Cells[k*m.directions()+d]
		w.PackPanels(ws.dzP, false, dz, width, panels)
		w.Gemm(kernels.Product{ // dWh = (the states before)ᵀ·dZ
			M: hidden,
			A: l.h[before(d, 0)*ws.B*width+d*hidden:], LDA: width, TransA: true,
			B: ws.dzP,
			C: grads.Wh, LDC: hidden,
		}, panels)

		dbh := grads.Bh[cols.Lo:cols.Hi]
		clear(dbh)
		w.ColumnSums(dbh, rows, dz[cols.Lo:], width)

		if m.dense(k) {
			w.Gemm(kernels.Product{ // dWx = xᵀ·dZ
				M: m.reads(k),
				A: ws.read(k), LDA: m.reads(k), TransA: true,
				B: ws.dzP,
				C: grads.Wx, LDC: hidden,
			}, panels)
			continue
		}
		dwx := grads.Wx[cols.Lo:]
		if !m.Tied || !ws.fromOutputs { // else dWy is there already
			for id := range m.Input {
				clear(dwx[id*hidden:][:cols.Len()])
			}
		}
		if ws.absent {
			scatterIDs(w, dwx, hidden, cols.Len(), ws.ids, dz[cols.Lo:], width)
		} else {
			w.ScatterAdd(dwx, hidden, cols.Len(), ws.ids, dz[cols.Lo:], width)
		}
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
		wxT := m.packed[k*m.directions()+d].wxT
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
			B: m.packed[c].whT,
			C: ws.DH0[c*ws.B*hidden:], LDC: hidden,
		}
		if d == 1 && ws.lengths.of != nil { // each sequence begins at its own end
			w.Barrier()
			for b := range ws.B {
				if w.ID() == 0 {
					t := int(ws.lengths.of[b]) - 1
					copy(ws.firstDZ[b*hidden:][:hidden], ws.slot(all, t)[b*width+d*hidden:])
				}
			}
			w.Barrier()
			p.A, p.LDA = ws.firstDZ, hidden
		}
		if ws.reached != nil {
			p.S, p.LDS = ws.reached[d*hidden:], width
		}
		w.Gemm(p, w.Share(m.packed[c].whT.Panels()))
	}
}
