package rnn

import (
	"math"

	"batchrnn/kernels"
)

// takeIDs copies ids, but for those of steps that a sequence doesn't have.
func (ws *Workspace) takeIDs(ids []int32) {
	ws.absent = false
	if ws.lengths.of == nil {
		copy(ws.ids, ids)
		for _, id := range ids {
			ws.absent = ws.absent || id < 0
		}
		return
	}
	for row, id := range ids {
		if ws.lengths.ended(row/ws.B, row%ws.B) {
			id = 0
		}
		ws.absent = ws.absent || id == None
		ws.ids[row] = id
	}
}

// takeDense keeps x; where sequences end early, a copy with zeros in the place of
// what may stand beyond, for 0·NaN would reach the gradient.
func (ws *Workspace) takeDense(x []float32) {
	ws.x = x
	if ws.lengths.of == nil {
		return
	}
	if ws.masked == nil {
		ws.masked = make([]float32, len(x))
	}
	e := ws.m.Input
	for row := range ws.T * ws.B {
		if ws.lengths.ended(row/ws.B, row%ws.B) {
			ws.m.engine.Clear(ws.masked[row*e:][:e])
		} else {
			ws.m.engine.Copy(ws.masked[row*e:][:e], x[row*e:][:e])
		}
	}
	ws.x = ws.masked
}

// startsInPlace says whether stage 1 of layer k is a pass of its own, which leaves
// the start values where the states will be.
func (ws *Workspace) startsInPlace(k int) bool { return ws.m.dense(k) || ws.absent }

// startsShare is one worker's part of stage 1 as a pass of its own.
func (ws *Workspace) startsShare(w *kernels.Worker) {
	m, k := ws.m, ws.at
	all := ws.T * ws.B
	phase := all
	if workers := ws.plan.starts[k]; workers > 1 {
		phase = roundUp(ws.plan.phaseLength(m.reads(k)*m.width(), workers), workers*tileRows)
	}
	for from := 0; from < all; from += phase {
		if from > 0 {
			w.Barrier()
		}
		rows := w.Share(min(phase, all-from))
		ws.startRows(w, k, kernels.Span{Lo: from + rows.Lo, Hi: from + rows.Hi})
	}
}

// startRows is startsShare of some rows.
func (ws *Workspace) startRows(w *kernels.Worker, k int, rows kernels.Span) {
	m := ws.m
	for d := range m.directions() {
		c := k*m.directions() + d
		bias := m.Cells[c].Bh
		h := ws.layers[k].h[(ws.B+rows.Lo)*m.width()+d*m.Hidden:]
		if m.dense(k) { // all rows in one product
			wx, width := m.packed[cellWx][c].plain, m.reads(k)
			w.Gemm(kernels.Product{
				M: rows.Len(),
				A: ws.read(k)[rows.Lo*width:], LDA: width,
				B:    wx,
				Bias: bias,
				C:    h, LDC: m.width(),
			}, wx.All())
			continue
		}
		for i, id := range ws.ids[rows.Lo:rows.Hi] {
			start := h[i*m.width():][:m.Hidden]
			if id == None {
				w.Copy(start, bias)
			} else {
				w.Add(start, m.Cells[c].Wx[int(id)*m.Hidden:][:m.Hidden], bias)
			}
		}
	}
}

// read returns what dense layer k reads, [T,B,·].
func (ws *Workspace) read(k int) []float32 {
	if k == 0 {
		return ws.x
	}
	return ws.layers[k-1].up
}

// scatterIDs adds the rows of dz to those of dwx that their ids name.
func scatterIDs(w *kernels.Worker, dwx []float32, ldw, cols int, ids []int32, dz []float32, ld int) {
	for from := 0; from < len(ids); {
		if ids[from] == None {
			from++
			continue
		}
		to := from + 1
		for to < len(ids) && ids[to] != None {
			to++
		}
		w.ScatterAdd(dwx, ldw, cols, ids[from:to], dz[from*ld:], ld)
		from = to
	}
}

// finite says whether x is a number.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
