package rnn

import "batchrnn/kernels"

// Stage 2 of an LSTM, and backward 2:
//
//	i, f, o = σ(start + h_{t-1}·Wh)    g = tanh(start + h_{t-1}·Wh)
//	c_t = f∘c_{t-1} + i∘g              h_t = o∘tanh(c_t)
//
// With a projection h_t = (o∘tanh(c_t))·Wr, in a second phase.

// lstmStep computes the gates and the cell of step t of direction d of layer k.
func (ws *Workspace) lstmStep(w *kernels.Worker, k, d, t int) {
	m, l, hidden := ws.m, &ws.layers[k], ws.m.Hidden
	gates := ws.wh(k, d).plain
	all := ws.part(w, k, d, t, gates[0])
	before, after := slots(d, t)
	out, slot := l.h, after
	if m.Projection > 0 {
		out, slot = l.m, t
	}
	for from := all.panels.Lo; from < all.panels.Hi; {
		var p part
		p, from = all.chunk(gates[0], from)
		for g, act := range [...]kernels.Activation{Sigmoid, Sigmoid, Tanh, Sigmoid} { // 2
			ws.gate(w, p, g, act)
		}
		w.LSTM(kernels.GatedStep{
			M: p.rows.Len(), N: p.cols.Len(), Gate: hidden,
			Z:     ws.keptZ(k, d, t, p.rows.Lo).From(0, p.cols.Lo),
			State: ws.stateRows(l.c, before, d, hidden, p.rows.Lo, p.cols.Lo),
			Next:  ws.stateRows(l.c, after, d, hidden, p.rows.Lo, p.cols.Lo),
			H:     ws.stateRows(out, slot, d, hidden, p.rows.Lo, p.cols.Lo),
		})
	}
	ws.holdRows(w, all, l.c, hidden)
	if m.Projection == 0 {
		ws.holdRows(w, all, l.h, hidden)
		return
	}
	for b := all.own.Lo; b < all.own.Hi && ws.trains(); b++ { // dWr is a product over all rows
		if ws.lengths.ended(t, b) {
			w.Clear(ws.stateRows(l.m, t, d, hidden, b, all.cols.Lo).Data[:all.cols.Len()])
		}
	}
}

// project is the second phase of a step with a projection.
func (ws *Workspace) project(w *kernels.Worker, k, d, t int) {
	l, n := &ws.layers[k], ws.m.Projection
	wr := ws.m.packed[cellWr][k*ws.m.directions()+d].plain[0]
	p := ws.part(w, k, d, t, wr)
	_, after := slots(d, t)
	out, h := ws.stateRows(l.m, t, d, ws.m.Hidden, p.rows.Lo, 0), ws.stateRows(l.h, after, d, n, p.rows.Lo, 0)
	w.Gemm(kernels.Product{
		M: p.rows.Len(),
		A: out.Data, LDA: out.LD,
		B: wr,
		C: h.Data, LDC: h.LD,
	}, p.panels)
	ws.holdRows(w, p, l.h, n)
}

// lstmStepBack turns the carry and dH_t into dZ_t, and dc_t into dc_{t-1}.
func (ws *Workspace) lstmStepBack(w *kernels.Worker, k, d, t int) {
	m, l, hidden := ws.m, &ws.layers[k], ws.m.Hidden
	p := ws.part(w, k, d, t, ws.wh(k, d).plain[0])
	carry := ws.back.carry
	if m.Projection > 0 {
		carry = ws.back.dm
		ws.beforeProjection(w, p)
	} else {
		ws.keepStateGrad(w, p)
	}
	before, _ := slots(d, t)
	for b := p.own.Lo; b < p.own.Hi; {
		rows := ws.live(w, p, b)
		if rows.Len() == 0 {
			break
		}
		s := kernels.GatedStep{
			M: rows.Len(), N: p.cols.Len(), Gate: hidden,
			DZ:     ws.gradZ(d, t, rows.Lo).From(0, p.cols.Lo),
			Z:      ws.keptZ(k, d, t, rows.Lo).From(0, p.cols.Lo),
			Carry:  ws.stateRows(carry, 0, d, hidden, rows.Lo, p.cols.Lo),
			State:  ws.stateRows(l.c, before, d, hidden, rows.Lo, p.cols.Lo),
			DState: ws.stateRows(ws.back.dc, 0, d, hidden, rows.Lo, p.cols.Lo),
		}
		if m.Projection == 0 {
			s.DH = ws.outputGrad(p, rows.Lo)
		}
		w.LSTMGrad(s)
		b = rows.Hi
	}
	if m.Projection == 0 {
		ws.clearCarry(w, p)
	}
}

// projectBack is the first phase of a step back with a projection: it leaves dJ/dh_t in
// dp.
func (ws *Workspace) projectBack(w *kernels.Worker, k, d, t int) {
	p := ws.part(w, k, d, t, ws.wh(k, d).trans[0])
	ws.keepStateGrad(w, p)
	ws.stateGrad(w, p, ws.back.dp)
	ws.clearCarry(w, p)
}

// beforeProjection sets dm to dJ of the output before the projection.
func (ws *Workspace) beforeProjection(w *kernels.Worker, p part) {
	dp := ws.stateRows(ws.back.dp, p.t, p.d, ws.m.Projection, p.rows.Lo, 0)
	dm := ws.stateRows(ws.back.dm, 0, p.d, ws.m.Hidden, p.rows.Lo, 0)
	w.Gemm(kernels.Product{
		M: p.rows.Len(),
		A: dp.Data, LDA: dp.LD,
		B: ws.m.packed[cellWr][p.k*ws.m.directions()+p.d].trans[0],
		C: dm.Data, LDC: dm.LD,
	}, p.panels)
}
