package rnn

import "batchrnn/kernels"

// Gated cells share the loops of stage 2 and backward 2. cell_lstm.go and cell_gru.go have
// their steps.

// A part is a worker's part of one phase of a step: direction d of layer k at step t. It
// is some rows of the batch, some panels of a weight, and the columns of these panels.
type part struct {
	k, d, t int
	own     kernels.Span // rows of the batch
	rows    kernels.Span // those of own that the step may be of
	panels  kernels.Span
	cols    kernels.Span
}

// part returns a worker's part of a product with b.
func (ws *Workspace) part(w *kernels.Worker, k, d, t int, b *kernels.Packed) part {
	own, panels := ws.plan.share(w, ws.B, b.Panels())
	return part{k, d, t, own, ws.lengths.rows(t, own), panels, b.Columns(panels)}
}

// stepChunk is the number of values of a gate in a chunk of columns. The values stay in
// L2 from their product to the cell's pointwise step. Shorter chunks, for L1, interrupt
// the prefetching of the panels and cost up to 22 % (bench/RESULTS.md, Choices).
const stepChunk = 16384

// chunk returns a few columns of p from panel from of b on, and the panel behind them.
func (p part) chunk(b *kernels.Packed, from int) (chunk part, next int) {
	chunk = p
	panel := b.Columns(kernels.Span{Hi: 1}).Len()
	chunk.panels.Lo = from
	chunk.panels.Hi = min(p.panels.Hi, from+max(1, stepChunk/(max(1, p.rows.Len())*panel)))
	chunk.cols = b.Columns(chunk.panels)
	return chunk, chunk.panels.Hi
}

// gatedShare is one worker's part of stage 2 of a layer of gated cells, with stage 1 if
// that is no separate pass.
func (ws *Workspace) gatedShare(w *kernels.Worker) {
	m, k := ws.m, ws.at
	directions, phases, group := m.directions(), m.phases(), ws.plan.group
	for first := 0; first < directions; first += group {
		for s := range ws.steps { // 2 for t
			for phase := range phases {
				for d := first; d < first+group; d++ {
					t := ws.time(d, s)
					switch {
					case m.Cell == LSTM && phase == 0:
						ws.lstmStep(w, k, d, t)
					case m.Cell == LSTM:
						ws.project(w, k, d, t)
					case phase == 0:
						ws.gruStep(w, k, d, t)
					default:
						ws.candidate(w, k, d, t)
					}
				}
				if ws.plan.meets((s+first/group*ws.steps)*phases+phase, directions/group*ws.steps*phases) {
					w.Barrier()
				}
			}
		}
	}
}

// gatedBackShare is one worker's part of backward 2 of a layer of gated cells. The carry
// is the part of dJ/dh_t that comes through later steps. From it and dH_t a step
// computes dZ_t and the carry of the step before:
//
//	carry_{t-1} = z∘(carry_t + dH_t) + dZ_t·Whᵀ        z of a GRU; 0 in an LSTM
func (ws *Workspace) gatedBackShare(w *kernels.Worker) {
	m, k := ws.m, ws.at
	directions, phases, group := m.directions(), m.phases(), ws.plan.group
	for first := 0; first < directions; first += group {
		for s := ws.steps - 1; s >= 0; s-- { // 2 for t
			for phase := range phases {
				for d := first; d < first+group; d++ {
					t := ws.time(d, s)
					if phase == 0 {
						ws.carryBack(w, k, d, s)
					}
					switch {
					case m.Projection > 0 && phase == 0:
						ws.projectBack(w, k, d, t)
					case m.Cell == LSTM:
						ws.lstmStepBack(w, k, d, t)
					case phase == 0:
						ws.gruStepBack(w, k, d, t)
					default:
						ws.candidateBack(w, k, d, t)
					}
				}
				if ws.plan.meets((ws.steps-1-s+first/group*ws.steps)*phases+phase, directions/group*ws.steps*phases) {
					w.Barrier()
				}
			}
		}
	}
}

// wh returns the packed recurrent weights of direction d of layer k.
func (ws *Workspace) wh(k, d int) *packedWeight {
	return &ws.m.packed[cellWh][k*ws.m.directions()+d]
}

// keptZ returns what step t of direction d of layer k leaves in Z: rows of S·H floats
// from row b on.
func (ws *Workspace) keptZ(k, d, t, b int) kernels.Rows {
	n := ws.m.Cell.kept() * ws.m.Hidden
	ld := ws.m.directions() * n
	return kernels.Rows{Data: ws.layers[k].z[(t*ws.B+b)*ld+d*n:], LD: ld}
}

// gradZ returns rows of dZ of step t of direction d from row b on.
func (ws *Workspace) gradZ(d, t, b int) kernels.Rows {
	ld, n := ws.strides()
	return kernels.Rows{Data: ws.back.dz[(t*ws.B+b)*ld+d*n:], LD: ld}
}

// stateRows returns rows of slot i of a, whose rows are D·n floats, of direction d from
// row b and column j on.
func (ws *Workspace) stateRows(a []float32, i, d, n, b, j int) kernels.Rows {
	ld := ws.m.directions() * n
	return kernels.Rows{Data: a[(i*ws.B+b)*ld+d*n+j:], LD: ld}
}

// gate is the product of a gate: group g of Z becomes act(start + h·Wh), in the columns
// of p.
func (ws *Workspace) gate(w *kernels.Worker, p part, g int, act kernels.Activation) {
	m, hidden := ws.m, ws.m.Hidden
	before, _ := slots(p.d, p.t)
	h := ws.stateRows(ws.layers[p.k].h, before, p.d, m.stateWidth(), p.rows.Lo, 0)
	z := ws.keptZ(p.k, p.d, p.t, p.rows.Lo)
	x := kernels.Product{
		M: p.rows.Len(),
		A: h.Data, LDA: h.LD,
		B:   ws.wh(p.k, p.d).plain[g],
		Add: z.Data[g*hidden:], LDAdd: z.LD,
		C: z.Data[g*hidden:], LDC: z.LD,
		Act: act,
	}
	if !ws.startsInPlace(p.k) { // 1
		c := p.k*m.directions() + p.d
		x.Add, x.LDAdd = m.Cells[c].Wx[g*hidden:], m.Cell.gates()*hidden
		x.AddRows = ws.pass.ids[p.t*ws.B+p.rows.Lo : p.t*ws.B+p.rows.Hi]
		x.Bias = m.startBias(c)[g*hidden:][:hidden]
	}
	w.Gemm(x, p.panels)
}

// holdRows copies the states of sequences that have ended before step t from the slot
// before it: see holdRow. The rows of a are D·n floats. It copies the rows and columns of
// p.
func (ws *Workspace) holdRows(w *kernels.Worker, p part, a []float32, n int) {
	if !ws.holds() {
		return
	}
	before, after := slots(p.d, p.t)
	for b := p.own.Lo; b < p.own.Hi; b++ {
		if ws.lengths.ended(p.t, b) {
			from, to := ws.stateRows(a, before, p.d, n, b, p.cols.Lo), ws.stateRows(a, after, p.d, n, b, p.cols.Lo)
			ws.holdRow(w, b, to.Data[:p.cols.Len()], from.Data[:p.cols.Len()])
		}
	}
}

// carryBack begins step s of backward 2: it turns the carry into that of dJ/dh_t by all
// later steps.
func (ws *Workspace) carryBack(w *kernels.Worker, k, d, s int) {
	m, hidden, n := ws.m, ws.m.Hidden, ws.m.stateWidth()
	t := ws.time(d, s)
	back := ws.wh(k, d).trans[0]
	p := ws.part(w, k, d, t, back)
	if s == ws.steps-1 {
		ws.beginCarry(w, p)
		return
	}
	later := ws.time(d, s+1)
	rows := ws.lengths.rows(later, p.own)
	carry, dz := ws.stateRows(ws.back.carry, 0, d, n, rows.Lo, 0), ws.gradZ(d, later, rows.Lo)
	x := kernels.Product{ // 2
		M: rows.Len(),
		A: dz.Data, LDA: dz.LD,
		B: back,
		C: carry.Data, LDC: carry.LD,
	}
	if ws.bypassed() {
		x.Add, x.LDAdd = carry.Data, carry.LD
	}
	w.Gemm(x, p.panels)
	if m.Cell == GRU { // by the candidate, through r
		x.A, x.B = dz.Data[3*hidden:], ws.wh(k, d).trans[1]
		x.Add, x.LDAdd = carry.Data, carry.LD
		w.Gemm(x, p.panels)
	}
}

// bypassed says whether the carry holds, after a step back, gradients that do not come
// through Wh: by z of a GRU, or of sequences that the step is not of.
func (ws *Workspace) bypassed() bool { return ws.m.Cell != LSTM || ws.lengths.of != nil }

// beginCarry sets the carry, and dc of an LSTM, to the gradients of the last states.
func (ws *Workspace) beginCarry(w *kernels.Worker, p part) {
	n, hidden := ws.m.stateWidth(), ws.m.Hidden
	cell := p.k*ws.m.directions() + p.d
	ws.begin(w, p, ws.back.carry, ws.pass.dlast.H, cell, n)
	if ws.m.Cell == LSTM {
		p = ws.part(w, p.k, p.d, p.t, ws.wh(p.k, p.d).plain[0])
		ws.begin(w, p, ws.back.dc, ws.pass.dlast.C, cell, hidden)
	}
}

// begin sets a part of to, [B,D·n], to rows of cell i of from, [L·D,B,n], or zeros.
func (ws *Workspace) begin(w *kernels.Worker, p part, to, from []float32, i, n int) {
	for b := p.own.Lo; b < p.own.Hi; b++ {
		row := ws.stateRows(to, 0, p.d, n, b, p.cols.Lo).Data[:p.cols.Len()]
		if from == nil {
			w.Clear(row)
		} else {
			w.Copy(row, from[(i*ws.B+b)*n+p.cols.Lo:][:len(row)])
		}
	}
}

// live returns the next rows from b on whose sequence has step t. It clears dZ of the
// rows before them. At the end it returns an empty span.
func (ws *Workspace) live(w *kernels.Worker, p part, b int) kernels.Span {
	if ws.lengths.of == nil {
		return kernels.Span{Lo: b, Hi: p.own.Hi}
	}
	for ; b < p.own.Hi && ws.lengths.ended(p.t, b); b++ {
		dz := ws.gradZ(p.d, p.t, b)
		for g := range gradGroups {
			w.Clear(dz.Data[g*ws.m.Hidden+p.cols.Lo : g*ws.m.Hidden+p.cols.Hi])
		}
	}
	end := b
	for end < p.own.Hi && !ws.lengths.ended(p.t, end) {
		end++
	}
	return kernels.Span{Lo: b, Hi: end}
}

// clearCarry clears the carry of sequences that have step t, where the next product adds
// to it. An LSTM passes all of it on through dZ.
func (ws *Workspace) clearCarry(w *kernels.Worker, p part) {
	if !ws.bypassed() {
		return
	}
	for b := p.own.Lo; b < p.own.Hi; b++ {
		if !ws.lengths.ended(p.t, b) {
			w.Clear(ws.stateRows(ws.back.carry, 0, p.d, ws.m.stateWidth(), b, p.cols.Lo).Data[:p.cols.Len()])
		}
	}
}

// keepStateGrad keeps dJ/dh_t if KeepStateGradients was called.
func (ws *Workspace) keepStateGrad(w *kernels.Worker, p part) {
	kept := ws.layers[p.k].dh
	if kept == nil {
		return
	}
	ws.stateGrad(w, p, kept)
}

// stateGrad sets step t of to, [T,B,W], to dJ/dh_t: the sum of the carry and dH_t, or
// zeros for sequences that have ended.
func (ws *Workspace) stateGrad(w *kernels.Worker, p part, to []float32) {
	n := ws.m.stateWidth()
	dh, _, _ := ws.layerGrads(p.k)
	for b := p.own.Lo; b < p.own.Hi; b++ {
		to := ws.stateRows(to, p.t, p.d, n, b, p.cols.Lo).Data[:p.cols.Len()]
		carry := ws.stateRows(ws.back.carry, 0, p.d, n, b, p.cols.Lo).Data[:len(to)]
		switch {
		case ws.lengths.ended(p.t, b):
			w.Clear(to)
		case dh == nil:
			w.Copy(to, carry)
		default:
			w.Add(to, carry, ws.stateRows(dh, p.t, p.d, n, b, p.cols.Lo).Data[:len(to)])
		}
	}
}

// outputGrad returns rows of dH_t, without Data for zeros.
func (ws *Workspace) outputGrad(p part, b int) kernels.Rows {
	dh, _, _ := ws.layerGrads(p.k)
	if dh == nil {
		return kernels.Rows{}
	}
	return ws.stateRows(dh, p.t, p.d, ws.m.stateWidth(), b, p.cols.Lo)
}

// gatedWeightGrads is one worker's part of dWh, and of dWr, of direction d of layer k.
// Workers share the columns. One product takes in all steps of backward 2.
func (ws *Workspace) gatedWeightGrads(w *kernels.Worker, k, d int) {
	m, hidden, n := ws.m, ws.m.Hidden, ws.m.stateWidth()
	gates := m.Cell.gates() * hidden
	before, _ := slots(d, 0)
	h, dz := ws.stateRows(ws.layers[k].h, before, d, n, 0, 0), ws.gradZ(d, 0, 0)
	grads := ws.Grads.Cells[k*m.directions()+d]
	if m.Cell == LSTM {
		ws.timesDZ(w, n, gates, grads.Wh, gates, h.Data, h.LD, dz.Data, dz.LD) // 2: dWh = H_{0..T-1}ᵀ·dZ
		if m.Projection > 0 {
			out, dp := ws.stateRows(ws.layers[k].m, 0, d, hidden, 0, 0), ws.stateRows(ws.back.dp, 0, d, n, 0, 0)
			ws.timesDZ(w, hidden, n, grads.Wr, n, out.Data, out.LD, dp.Data, dp.LD)
		}
		return
	}
	ws.timesDZ(w, n, 2*hidden, grads.Wh, gates, h.Data, h.LD, dz.Data, dz.LD) // 2: r and z
	a, dn := h, dz.Data[3*hidden:]
	if m.Cell == GRUResetBefore {
		a = ws.keptZ(k, d, 0, 0)
		a.Data, dn = a.Data[3*hidden:], dz.Data[2*hidden:]
	}
	ws.timesDZ(w, n, hidden, grads.Wh[2*hidden:], gates, a.Data, a.LD, dn, dz.LD) // 2: the candidate
}

// gatedInitialGrads computes the gradients of the initial states of layer k, if they are
// wanted.
func (ws *Workspace) gatedInitialGrads(w *kernels.Worker, k int) {
	m, hidden, n := ws.m, ws.m.Hidden, ws.m.stateWidth()
	for d := range m.directions() {
		cell := k*m.directions() + d
		carry, dz := ws.stateRows(ws.back.carry, 0, d, n, 0, 0), ws.gradZ(d, ws.time(d, 0), 0)
		back := ws.wh(k, d).trans
		x := kernels.Product{
			M: ws.B,
			A: dz.Data, LDA: dz.LD,
			B: back[0],
			C: ws.DState.H[cell*ws.B*n:], LDC: n,
		}
		if ws.bypassed() {
			x.Add, x.LDAdd = carry.Data, carry.LD
		}
		panels := w.Share(back[0].Panels())
		w.Gemm(x, panels)
		if m.Cell == GRU {
			x.A, x.B = dz.Data[3*hidden:], back[1]
			x.Add, x.LDAdd = x.C, x.LDC
			w.Gemm(x, panels)
		}
		if m.Cell == LSTM {
			rows := w.Share(ws.B)
			for b := rows.Lo; b < rows.Hi; b++ {
				w.Copy(ws.cellRow(ws.DState.C, cell, b, hidden), ws.stateRows(ws.back.dc, 0, d, hidden, b, 0).Data[:hidden])
			}
		}
	}
}
