package rnn

import "batchrnn/kernels"

// Stage 2 of a GRU, and backward 2:
//
//	r, z = σ(start + h_{t-1}·Wh)
//	n    = tanh(start + r∘(h_{t-1}·Wh + Br))       GRU
//	n    = tanh(start + (r∘h_{t-1})·Wh)            GRUResetBefore, in a second phase
//	h_t  = (1-z)∘n + z∘h_{t-1}

// gruStep computes step t of direction d of layer k. Of a GRUResetBefore it computes r, z
// and r∘h.
func (ws *Workspace) gruStep(w *kernels.Worker, k, d, t int) {
	m, l, hidden := ws.m, &ws.layers[k], ws.m.Hidden
	gates := ws.wh(k, d).plain
	all := ws.part(w, k, d, t, gates[0])
	before, after := slots(d, t)
	for from := all.panels.Lo; from < all.panels.Hi; {
		var p part
		p, from = all.chunk(gates[0], from)
		ws.gate(w, p, 0, Sigmoid) // 2
		ws.gate(w, p, 1, Sigmoid)
		z, h := ws.keptZ(k, d, t, p.rows.Lo), ws.stateRows(l.h, before, d, hidden, p.rows.Lo, p.cols.Lo)
		if m.Cell == GRUResetBefore {
			for i := range p.rows.Len() {
				row := z.Data[i*z.LD:]
				w.Mul(row[3*hidden+p.cols.Lo:3*hidden+p.cols.Hi], row[p.cols.Lo:p.cols.Hi], h.Data[i*h.LD:][:p.cols.Len()])
			}
			continue
		}
		if !ws.startsInPlace(k) { // 1
			c := k*m.directions() + d
			lo, hi := 2*hidden+p.cols.Lo, 2*hidden+p.cols.Hi
			bias := m.startBias(c)[lo:hi]
			for i, id := range ws.pass.ids[t*ws.B+p.rows.Lo : t*ws.B+p.rows.Hi] {
				w.Add(z.Data[i*z.LD:][lo:hi], m.Cells[c].Wx[int(id)*3*hidden:][lo:hi], bias)
			}
		}
		all := ws.stateRows(l.h, before, d, hidden, p.rows.Lo, 0)
		w.Gemm(kernels.Product{ // 2
			M: p.rows.Len(),
			A: all.Data, LDA: all.LD,
			B:    gates[2],
			Bias: m.Cells[k*m.directions()+d].Br[2*hidden:],
			C:    z.Data[3*hidden:], LDC: z.LD,
		}, p.panels)
		w.GRU(kernels.GatedStep{
			M: p.rows.Len(), N: p.cols.Len(), Gate: hidden,
			Z:     z.From(0, p.cols.Lo),
			State: h,
			Next:  ws.stateRows(l.h, after, d, hidden, p.rows.Lo, p.cols.Lo),
		})
	}
	if m.Cell == GRU {
		ws.holdRows(w, all, l.h, hidden)
		return
	}
	for b := all.own.Lo; b < all.own.Hi && ws.trains(); b++ { // dWh of the candidate is a product over all rows
		if ws.lengths.ended(t, b) {
			w.Clear(ws.keptZ(k, d, t, b).Data[3*hidden:][all.cols.Lo:all.cols.Hi])
		}
	}
}

// candidate is the second phase of a step of a GRUResetBefore.
func (ws *Workspace) candidate(w *kernels.Worker, k, d, t int) {
	m, l, hidden := ws.m, &ws.layers[k], ws.m.Hidden
	n := ws.wh(k, d).plain[2]
	p := ws.part(w, k, d, t, n)
	before, after := slots(d, t)
	z := ws.keptZ(k, d, t, p.rows.Lo)
	x := kernels.Product{ // 2
		M: p.rows.Len(),
		A: z.Data[3*hidden:], LDA: z.LD,
		B:   n,
		Add: z.Data[2*hidden:], LDAdd: z.LD,
		C: z.Data[2*hidden:], LDC: z.LD,
		Act: Tanh,
	}
	if !ws.startsInPlace(k) { // 1
		c := k*m.directions() + d
		x.Add, x.LDAdd = m.Cells[c].Wx[2*hidden:], 3*hidden
		x.AddRows = ws.pass.ids[t*ws.B+p.rows.Lo : t*ws.B+p.rows.Hi]
		x.Bias = m.startBias(c)[2*hidden:]
	}
	w.Gemm(x, p.panels)
	h, next := ws.stateRows(l.h, before, d, hidden, p.rows.Lo, p.cols.Lo), ws.stateRows(l.h, after, d, hidden, p.rows.Lo, p.cols.Lo)
	for i := range p.rows.Len() { // n + z∘(h_{t-1} - n)
		row := z.Data[i*z.LD:]
		to, n := next.Data[i*next.LD:][:p.cols.Len()], row[2*hidden+p.cols.Lo:][:p.cols.Len()]
		w.Copy(to, h.Data[i*h.LD:][:len(to)])
		w.Axpy(-1, n, to)
		w.Mul(to, to, row[hidden+p.cols.Lo:][:len(to)])
		w.Add(to, to, n)
	}
	ws.holdRows(w, p, l.h, hidden)
}

// gruStepBack turns the carry and dH_t into dZ_t, and the carry into what z passes on. Of
// a GRUResetBefore the part of r comes in the second phase.
func (ws *Workspace) gruStepBack(w *kernels.Worker, k, d, t int) {
	l, hidden := &ws.layers[k], ws.m.Hidden
	p := ws.part(w, k, d, t, ws.wh(k, d).trans[0])
	ws.keepStateGrad(w, p)
	before, _ := slots(d, t)
	for b := p.own.Lo; b < p.own.Hi; {
		rows := ws.live(w, p, b)
		if rows.Len() == 0 {
			break
		}
		w.GRUGrad(kernels.GatedStep{
			M: rows.Len(), N: p.cols.Len(), Gate: hidden,
			DZ:    ws.gradZ(d, t, rows.Lo).From(0, p.cols.Lo),
			Z:     ws.keptZ(k, d, t, rows.Lo).From(0, p.cols.Lo),
			Carry: ws.stateRows(ws.back.carry, 0, d, hidden, rows.Lo, p.cols.Lo),
			DH:    ws.outputGrad(p, rows.Lo),
			State: ws.stateRows(l.h, before, d, hidden, rows.Lo, p.cols.Lo),
		})
		b = rows.Hi
	}
}

// candidateBack is the second phase of a step back of a GRUResetBefore: from the
// gradient of r∘h comes that of r, and a part of the carry.
func (ws *Workspace) candidateBack(w *kernels.Worker, k, d, t int) {
	l, hidden := &ws.layers[k], ws.m.Hidden
	back := ws.wh(k, d).trans[1]
	p := ws.part(w, k, d, t, back)
	before, _ := slots(d, t)
	dz := ws.gradZ(d, t, p.rows.Lo)
	w.Gemm(kernels.Product{ // 2
		M: p.rows.Len(),
		A: dz.Data[2*hidden:], LDA: dz.LD,
		B: back,
		C: dz.Data[3*hidden:], LDC: dz.LD,
	}, p.panels)
	for b := p.rows.Lo; b < p.rows.Hi; b++ {
		if ws.lengths.ended(t, b) {
			continue
		}
		dz, z := ws.gradZ(d, t, b).Data, ws.keptZ(k, d, t, b).Data
		dr, by := dz[p.cols.Lo:p.cols.Hi], dz[3*hidden+p.cols.Lo:3*hidden+p.cols.Hi]
		r := z[p.cols.Lo:p.cols.Hi]
		w.Mul(dr, by, ws.stateRows(l.h, before, d, hidden, b, p.cols.Lo).Data[:len(dr)])
		w.MulGrad(Sigmoid, 1, len(dr), dr, len(dr), r, len(r))
		w.Mul(by, by, r)
		carry := ws.stateRows(ws.back.carry, 0, d, hidden, b, p.cols.Lo).Data[:len(dr)]
		w.Add(carry, carry, by)
	}
}
