package rnn

import "batchrnn/kernels"

// stepsShare is one worker's part of stage 2 of a layer. It includes stage 1 where that
// is not a separate pass:
//
//	h_t = g(start_t + h_{t-1}·Wh)
func (ws *Workspace) stepsShare(w *kernels.Worker) {
	m, k := ws.m, ws.at
	l := &ws.layers[k]
	hidden, width, directions := m.Hidden, m.width(), m.directions()
	wh, params := m.packed[cellWh][k*directions:], m.Cells[k*directions:]
	all, panels := ws.plan.share(w, ws.B, wh[0].plain[0].Panels())
	act, inPlace, size := m.Activation, ws.startsInPlace(k), ws.B*width
	plain := l.g == nil && !ws.holds()
	group := ws.plan.group
	for first := 0; first < directions; first += group {
		for s := range ws.steps { // 2 for t
			for d := first; d < first+group; d++ {
				t, rows := ws.time(d, s), all
				if ws.lengths.of != nil {
					rows = ws.lengths.rows(t, all)
				}
				before, after := slots(d, t)
				at := rows.Lo*width + d*hidden
				h, next := l.h[before*size+at:], l.h[after*size+at:]
				p := kernels.Product{ // 2
					M: rows.Len(),
					A: h, LDA: width,
					B:   wh[d].plain[0],
					Add: next, LDAdd: width,
					C: next, LDC: width,
					Act: act,
				}
				if !inPlace { // 1
					p.Add, p.LDAdd = params[d].Wx, hidden
					p.AddRows, p.Bias = ws.pass.ids[t*ws.B+rows.Lo:t*ws.B+rows.Hi], m.startBias(k*directions+d)
				}
				if l.g != nil {
					p.C = l.g[t*size+at:]
				}
				w.Gemm(p, panels)
				if plain {
					continue
				}
				cols := wh[d].plain[0].Columns(panels)
				if l.g != nil {
					ws.skip(w, l, t, d, rows, cols)
				}
				if ws.holds() {
					ws.hold(w, l, t, d, all, cols)
				}
			}
			if ws.plan.meets(s+first/group*ws.steps, directions/group*ws.steps) {
				w.Barrier()
				all, panels = ws.plan.share(w, ws.B, wh[0].plain[0].Panels())
			}
		}
	}
}

// skip adds the skip connection through time: h_t = h_{t-1} + α·g.
func (ws *Workspace) skip(w *kernels.Worker, l *layer, t, d int, rows, cols kernels.Span) {
	width := ws.m.width()
	before, after := slots(d, t)
	g, h, next := ws.slot(l.g, t), ws.slot(l.h, before), ws.slot(l.h, after)
	for b := rows.Lo; b < rows.Hi; b++ {
		from, to := b*width+d*ws.m.Hidden+cols.Lo, b*width+d*ws.m.Hidden+cols.Hi
		w.Copy(next[from:to], h[from:to])
		w.Axpy(ws.m.TimeSkip, g[from:to], next[from:to])
	}
}

// hold copies the state of each sequence that has ended before step t: see holdRow.
func (ws *Workspace) hold(w *kernels.Worker, l *layer, t, d int, rows, cols kernels.Span) {
	width := ws.m.width()
	before, after := slots(d, t)
	h, next := ws.slot(l.h, before), ws.slot(l.h, after)
	for b := rows.Lo; b < rows.Hi; b++ {
		if ws.lengths.ended(t, b) {
			from, to := b*width+d*ws.m.Hidden+cols.Lo, b*width+d*ws.m.Hidden+cols.Hi
			ws.holdRow(w, b, next[from:to], h[from:to])
		}
	}
}

// stepsBackShare is one worker's part of backward 2 of a layer. It turns dH into dZ,
// from the last step to the first:
//
//	dZ_t = (dH_t + dZ_{t+1}·Whᵀ) ∘ g'(h_t)
func (ws *Workspace) stepsBackShare(w *kernels.Worker) {
	m, k := ws.m, ws.at
	l := &ws.layers[k]
	hidden, width, directions := m.Hidden, m.width(), m.directions()
	dh, dz, _ := ws.layerGrads(k)
	wh := m.packed[cellWh][k*directions:]
	all, panels := ws.plan.share(w, ws.B, wh[0].trans[0].Panels())
	cols := wh[0].trans[0].Columns(panels)
	act := m.Activation
	plain := ws.pass.dlast.H == nil && ws.reached == nil && l.dh == nil
	group := ws.plan.group
	for first := 0; first < directions; first += group {
		for s := ws.steps - 1; s >= 0; s-- { // 2 for t
			for d := first; d < first+group; d++ {
				t := ws.time(d, s)
				rows := ws.lengths.rows(t, all)
				_, after := slots(d, t)
				at := rows.Lo*width + d*hidden
				var from []float32
				if dh != nil {
					from = ws.slot(dh, t)[at:]
				}
				to := ws.slot(dz, t)[at:]
				if s < ws.steps-1 {
					w.Gemm(kernels.Product{ // 2
						M: rows.Len(),
						A: ws.slot(dz, ws.time(d, s+1))[at:], LDA: width,
						B:   wh[d].trans[0],
						Add: from, LDAdd: width,
						C: to, LDC: width,
					}, panels)
				} else {
					ws.clearReached(w, d, all, cols)
					for i := range rows.Len() { // the last step has no later one
						row := to[i*width+cols.Lo : i*width+cols.Hi]
						if from == nil {
							w.Clear(row)
						} else {
							w.Copy(row, from[i*width+cols.Lo:][:len(row)])
						}
					}
				}
				if !plain {
					ws.reach(w, k, d, t, rows, all, cols, to)
				}
				g := ws.slot(l.h, after)
				if l.g != nil {
					g = ws.slot(l.g, t)
				}
				w.MulGrad(act, rows.Len(), cols.Len(), to[cols.Lo:], width, g[at+cols.Lo:], width)
				if ws.lengths.of != nil {
					for b := all.Lo; b < all.Hi; b++ {
						if ws.lengths.ended(t, b) {
							w.Clear(to[(b-all.Lo)*width+cols.Lo : (b-all.Lo)*width+cols.Hi])
						}
					}
				}
			}
			if ws.plan.meets(ws.steps-1-s+first/group*ws.steps, directions/group*ws.steps) {
				w.Barrier()
				all, panels = ws.plan.share(w, ws.B, wh[0].trans[0].Panels())
				cols = wh[0].trans[0].Columns(panels)
			}
		}
	}
}

// clearReached clears the gradient that direction d carries along TimeSkip.
func (ws *Workspace) clearReached(w *kernels.Worker, d int, rows, cols kernels.Span) {
	if ws.reached == nil {
		return
	}
	for b := rows.Lo; b < rows.Hi; b++ {
		from := b*ws.m.width() + d*ws.m.Hidden
		w.Clear(ws.reached[from+cols.Lo : from+cols.Hi])
	}
}

// reach adds to dh, dJ/dh_t, what doesn't come through Wh: the gradient of a sequence's
// last state, and the gradient along TimeSkip. With TimeSkip it leaves the gradient of
// g in dh. own are the worker's rows, and rows those of them that may have step t.
func (ws *Workspace) reach(w *kernels.Worker, k, d, t int, rows, own, cols kernels.Span, dh []float32) {
	width, cell := ws.m.width(), k*ws.m.directions()+d
	for b := rows.Lo; b < rows.Hi; b++ {
		row := dh[(b-rows.Lo)*width+cols.Lo : (b-rows.Lo)*width+cols.Hi]
		at := b*width + d*ws.m.Hidden
		if ws.lengths.ended(t, b) {
			ws.keepGrad(k, t, at, cols, nil)
			continue
		}
		if ws.pass.dlast.H != nil && t == ws.lastStep(d, b) {
			w.Add(row, row, ws.cellRow(ws.pass.dlast.H, cell, b, ws.m.Hidden)[cols.Lo:cols.Hi])
		}
		if ws.reached != nil {
			reached := ws.reached[at+cols.Lo : at+cols.Hi]
			w.Add(reached, reached, row)
			ws.keepGrad(k, t, at, cols, reached)
			w.Copy(row, reached)
			w.Scale(ws.m.TimeSkip, row)
		} else {
			ws.keepGrad(k, t, at, cols, row)
		}
	}
	for b := rows.Hi; b < own.Hi; b++ { // these sequences have ended
		ws.keepGrad(k, t, b*width+d*ws.m.Hidden, cols, nil)
	}
}

// stateWeightGrads is one worker's part of dWh of direction d of layer k. One product
// covers all steps of backward 2. Workers share its columns.
func (ws *Workspace) stateWeightGrads(w *kernels.Worker, k, d int) {
	hidden, width := ws.m.Hidden, ws.m.width()
	_, all, _ := ws.layerGrads(k)
	before, _ := slots(d, 0)
	h := ws.layers[k].h[before*ws.B*width+d*hidden:]
	ws.timesDZ(w, hidden, hidden, ws.Grads.Cells[k*ws.m.directions()+d].Wh, hidden, h, width, all[d*hidden:], width) // 2: dWh = H_{0..T-1}ᵀ·dZ
}

// initialGrads is one worker's part of dh_0 of layer k. It does nothing if DH0 is nil.
func (ws *Workspace) initialGrads(w *kernels.Worker, k int) {
	m, hidden, width := ws.m, ws.m.Hidden, ws.m.width()
	_, all, _ := ws.layerGrads(k)
	for d := range m.directions() {
		c := k*m.directions() + d
		p := kernels.Product{
			M: ws.B,
			A: ws.slot(all, ws.time(d, 0))[d*hidden:], LDA: width,
			B: m.packed[cellWh][c].trans[0],
			C: ws.DState.H[c*ws.B*hidden:], LDC: hidden,
		}
		if d == 1 && ws.lengths.of != nil { // each sequence begins at its own last step
			w.Barrier()
			for b := range ws.B {
				if w.ID() == 0 {
					t := max(0, int(ws.lengths.of[b])-1) // an idle row has zeros at every step
					w.Copy(ws.firstDZ[b*hidden:][:hidden], ws.slot(all, t)[b*width+d*hidden:][:hidden])
				}
			}
			w.Barrier()
			p.A, p.LDA = ws.firstDZ, hidden
		}
		if ws.reached != nil {
			p.Add, p.LDAdd = ws.reached[d*hidden:], width
		}
		panels := w.Share(m.packed[cellWh][c].trans[0].Panels())
		w.Gemm(p, panels)
		if ws.pass.dlast.H == nil || ws.lengths.of == nil {
			continue
		}
		cols := m.packed[cellWh][c].trans[0].Columns(panels)
		for b := range ws.B { // the last state of an idle row is its initial one
			if ws.lengths.ended(0, b) {
				row := ws.cellRow(ws.DState.H, c, b, hidden)[cols.Lo:cols.Hi]
				w.Add(row, row, ws.cellRow(ws.pass.dlast.H, c, b, hidden)[cols.Lo:cols.Hi])
			}
		}
	}
}
