package rnn

import "batchrnn/kernels"

// None, as an id, is no input at a step: the cells of the first layer see their
// state and bias alone. It is not -1, which is how a missing id often comes about.
const None = -100

// Forward runs T steps on ids, [T,B], each below E or None, from the initial
// states. It panics where the model's input is dense, ids has another length, or
// an id is out of range.
func (ws *Workspace) Forward(ids []int32) {
	ws.checkIDs(ids)
	ws.takeIDs(ids)
	ws.pass()
}

// ForwardDense is Forward for a model with a dense input x, [T,B,E], which the
// workspace keeps: Backward reads it again.
func (ws *Workspace) ForwardDense(x []float32) {
	ws.checkDense(x)
	ws.takeDense(x)
	ws.pass()
}

func (ws *Workspace) pass() {
	ws.ran = true
	if ws.drop != nil {
		ws.drop.draws++
	}
	for k := range ws.layers {
		if ws.startsInPlace(k) {
			ws.run(ws.plan.starts[k], k, ws.tasks.starts)
		}
		ws.run(ws.plan.steps, k, ws.tasks.steps)
		if ws.changes(k) {
			ws.run(ws.plan.up, k, ws.tasks.passUp)
		}
	}
}

// stepsShare is one worker's part of stage 2 of a layer, with stage 1 where that is
// no pass of its own.
func (ws *Workspace) stepsShare(w *kernels.Worker) {
	m, k := ws.m, ws.at
	l := &ws.layers[k]
	hidden, width, directions := m.Hidden, m.width(), m.directions()
	cells, params := m.packed[cellWh][k*directions:], m.Cells[k*directions:]
	all, panels := ws.plan.share(w, ws.B, cells[0].plain.Panels())
	act, inPlace, slot := activations[m.Activation].kernel, ws.startsInPlace(k), ws.B*width
	plain := l.g == nil && ws.lengths.of == nil
	group := ws.plan.group
	for first := 0; first < directions; first += group {
		for s := range ws.T {
			for d := first; d < first+group; d++ {
				t, rows := s, all
				if d == 1 {
					t = ws.T - 1 - s
				}
				if ws.lengths.of != nil {
					rows = ws.lengths.rows(t, all)
				}
				at := rows.Lo*width + d*hidden
				h, next := l.h[before(d, t)*slot+at:], l.h[after(d, t)*slot+at:]
				p := kernels.Product{ // 2
					M: rows.Len(),
					A: h, LDA: width,
					B: cells[d].plain,
					S: next, LDS: width,
					C: next, LDC: width,
					Act: act,
				}
				if !inPlace { // 1
					p.S, p.LDS = params[d].Wx, hidden
					p.IDs, p.Bias = ws.ids[t*ws.B+rows.Lo:t*ws.B+rows.Hi], params[d].Bh
				}
				if l.g != nil {
					p.C = l.g[t*slot+at:]
				}
				w.Gemm(p, panels)
				if plain {
					continue
				}
				cols := cells[d].plain.Columns(panels)
				if l.g != nil {
					ws.skip(w, l, t, d, rows, cols)
				}
				if ws.lengths.of != nil {
					ws.hold(w, l, t, d, all, cols)
				}
			}
			if ws.plan.meets(s+first/group*ws.T, directions/group*ws.T) {
				w.Barrier()
				all, panels = ws.plan.share(w, ws.B, cells[0].plain.Panels())
			}
		}
	}
}

// skip is the connection through time: h_t = h_{t-1} + α·g.
func (ws *Workspace) skip(w *kernels.Worker, l *layer, t, d int, rows, cols kernels.Span) {
	width := ws.m.width()
	g, h, next := ws.slot(l.g, t), ws.slot(l.h, before(d, t)), ws.slot(l.h, after(d, t))
	for b := rows.Lo; b < rows.Hi; b++ {
		from, to := b*width+d*ws.m.Hidden+cols.Lo, b*width+d*ws.m.Hidden+cols.Hi
		w.Copy(next[from:to], h[from:to])
		w.Axpy(next[from:to], g[from:to], ws.m.TimeSkip)
	}
}

// hold keeps the states of sequences that step t is not of.
func (ws *Workspace) hold(w *kernels.Worker, l *layer, t, d int, rows, cols kernels.Span) {
	width := ws.m.width()
	h, next := ws.slot(l.h, before(d, t)), ws.slot(l.h, after(d, t))
	for b := rows.Lo; b < rows.Hi; b++ {
		if ws.lengths.ended(t, b) {
			from, to := b*width+d*ws.m.Hidden+cols.Lo, b*width+d*ws.m.Hidden+cols.Hi
			w.Copy(next[from:to], h[from:to])
		}
	}
}

// changes says whether what layer k gives is more than its states.
func (ws *Workspace) changes(k int) bool {
	return ws.m.Residual && k > 0 || ws.drop != nil && k < len(ws.layers)-1
}

// passUpShare is one worker's part of what leads from a layer to the one above: it
// adds what the layer has read, and drops some.
func (ws *Workspace) passUpShare(w *kernels.Worker) {
	k, width := ws.at, ws.m.width()
	l := &ws.layers[k]
	rows := w.Share(ws.T * ws.B)
	from, to := rows.Lo*width, rows.Hi*width
	if ws.m.Residual && k > 0 {
		w.Add(l.out[from:to], l.h[ws.B*width:][from:to], ws.layers[k-1].up[from:to])
	}
	if ws.drop != nil && k < len(ws.layers)-1 {
		ws.mask(w, k, l.up, l.out)
	}
}
