package rnn

import "batchrnn/kernels"

// Stage 1 computes the start values of stage 2 from a layer's input. Backward 1 is its
// mirror image: from dZ to the gradients of Wx, b_h and the input.

// None, as an id, means no input at this step: the cells of the first layer see only
// their state and bias. It is not -1, because a failed lookup often gives -1.
const None = -200

// takeIDs copies ids. It replaces ids beyond a sequence's end by 0, or by None before an
// embedding: a NaN there would reach the gradient as 0·NaN.
func (ws *Workspace) takeIDs(ids []int32) {
	p := &ws.pass
	p.absent = false
	if ws.lengths.of == nil {
		copy(p.ids, ids)
		for _, id := range ids {
			p.absent = p.absent || id < 0
		}
		return
	}
	for t := range ws.steps {
		for b, id := range ids[t*ws.B:][:ws.B] {
			if ws.lengths.ended(t, b) {
				id = 0
				if ws.m.embeds() {
					id = None
				}
			}
			p.absent = p.absent || id == None
			p.ids[t*ws.B+b] = id
		}
	}
}

// takeDense keeps x. For training with SetLengths it keeps a copy of x that has zeros
// beyond each sequence's end: a NaN there would reach the gradient as 0·NaN.
func (ws *Workspace) takeDense(x []float32) {
	ws.pass.x = x
	if ws.lengths.of == nil || !ws.trains() {
		return
	}
	e := ws.m.Input
	for row := range ws.steps * ws.B {
		if ws.lengths.ended(row/ws.B, row%ws.B) {
			ws.m.engine.Clear(ws.masked[row*e:][:e])
		} else {
			ws.m.engine.Copy(ws.masked[row*e:][:e], x[row*e:][:e])
		}
	}
	ws.pass.x = ws.masked[:len(x)]
}

// read returns the input of dense layer k, [T,B,·].
func (ws *Workspace) read(k int) []float32 {
	switch {
	case k > 0:
		return ws.layers[k-1].up
	case ws.m.embeds():
		return ws.embedded
	}
	return ws.pass.x
}

// startsInPlace says whether stage 1 of layer k is a separate pass. That pass writes
// the start values into the slots of the states. Otherwise stage 2 reads rows of Wx
// itself.
func (ws *Workspace) startsInPlace(k int) bool { return ws.m.dense(k) || ws.pass.absent || ws.m.Int8 }

// starts returns the rows of start values of direction d of layer k, G·H wide, from row
// t·B+b of steps and sequences on: where the states will be, or Z of a gated cell.
func (ws *Workspace) starts(k, d, row int) kernels.Rows {
	if ws.m.Cell != Vanilla {
		return ws.keptZ(k, d, 0, row)
	}
	return ws.stateRows(ws.layers[k].h, 1, d, ws.m.Hidden, row, 0)
}

// startsShare is one worker's part of stage 1 as a separate pass.
func (ws *Workspace) startsShare(w *kernels.Worker) {
	m, k := ws.m, ws.at
	all := ws.allRows()
	phase := all
	if workers := ws.plan.starts[k]; workers > 1 {
		phase = roundUp(ws.plan.phaseLength(m.reads(k)*m.gateWidth(), workers), workers*tileRows)
	}
	for from := 0; from < all; from += phase {
		if from > 0 {
			w.Barrier()
		}
		rows := w.Share(min(phase, all-from))
		for rest := (kernels.Span{Lo: from + rows.Lo, Hi: from + rows.Hi}); rest.Len() > 0; {
			var own kernels.Span
			own, rest = ws.nextRows(rest)
			ws.startRows(w, k, own)
		}
	}
}

// startRows runs stage 1 of layer k on a span of rows.
func (ws *Workspace) startRows(w *kernels.Worker, k int, rows kernels.Span) {
	m := ws.m
	if k == 0 && m.embeds() {
		ws.embed(w, rows)
	}
	for d := range m.directions() {
		c := k*m.directions() + d
		bias := m.startBias(c)
		to, gates := ws.starts(k, d, rows.Lo), len(bias)
		if m.dense(k) { // all rows in one product
			wx, width := m.packed[cellWx][c].plain[0], m.reads(k)
			w.Gemm(kernels.Product{ // 1: H_{1..T} = X·Wx + b_h
				M: rows.Len(),
				A: ws.read(k)[rows.Lo*width:], LDA: width,
				B:    wx,
				Bias: bias,
				C:    to.Data, LDC: to.LD,
			}, wx.All())
			continue
		}
		for i, id := range ws.pass.ids[rows.Lo:rows.Hi] { // 1: rows of Wx plus b_h
			start := to.Data[i*to.LD:][:gates]
			switch {
			case id == None:
				w.Copy(start, bias)
			case m.Int8:
				m.packed[cellWx][c].table.row(w, start, int(id))
				w.Add(start, start, bias)
			default:
				w.Add(start, m.Cells[c].Wx[int(id)*gates:][:gates], bias)
			}
		}
	}
}

// embed gathers the embeddings of some rows, and applies dropout to them.
// embeddingGrads is its mirror image.
func (ws *Workspace) embed(w *kernels.Worker, rows kernels.Span) {
	e, table := ws.m.Embedding, ws.m.We
	for row := rows.Lo; row < rows.Hi; row++ {
		to := ws.embedded[row*e:][:e]
		switch id := ws.pass.ids[row]; {
		case id == None:
			w.Clear(to)
		case ws.m.Int8:
			ws.m.packed[embedding][0].table.row(w, to, int(id))
		default:
			w.Copy(to, table[int(id)*e:][:e]) // 1: a row of the embedding
		}
	}
	if ws.drop != nil {
		ws.mask(-1, rows, ws.embedded, ws.embedded)
	}
}

// inputWeightGrads is one worker's part of dWx and db_h of direction d of layer k, in
// backward 1. Workers share the columns.
func (ws *Workspace) inputWeightGrads(w *kernels.Worker, k, d int) {
	m, gates := ws.m, ws.m.Cell.gates()*ws.m.Hidden
	_, dz, _ := ws.layerGrads(k)
	ld, n := ws.strides()
	dz = dz[d*n:]
	cols, grads := w.Columns(gates), ws.Grads.Cells[k*m.directions()+d]
	dbh := grads.Bh[cols.Lo:cols.Hi]
	ws.columnSums(w, cols.Lo, dz[cols.Lo:], ld, dbh) // 1: db_h
	if grads.Br != nil {
		w.Copy(grads.Br[cols.Lo:cols.Hi], dbh)
		if at := m.Cell.summed() * m.Hidden; at < cols.Hi { // 2: Br of a GRU's candidate
			lo := max(at, cols.Lo)
			ws.columnSums(w, lo, dz[lo+m.Hidden:], ld, grads.Br[lo:cols.Hi])
		}
	}
	if m.dense(k) {
		ws.timesDZ(w, m.reads(k), gates, grads.Wx, gates, ws.read(k), m.reads(k), dz, ld) // 1: dWx = Xᵀ·dZ
	} else {
		ws.idGrads(w, grads.Wx, gates, cols, dz[cols.Lo:], ld)
	}
}

// embeddingGrads is one worker's part of the gradient of the embedding, in backward 1.
// It follows inputGrads. Workers share the columns.
func (ws *Workspace) embeddingGrads(w *kernels.Worker) {
	e := ws.m.Embedding
	w.Barrier() // inputGrads shares the rows
	cols := w.Columns(e)
	ws.idGrads(w, ws.Grads.We, e, cols, ws.dembedded[cols.Lo:], e)
}

// idGrads scatters dz, [T·B,own], into the columns own of dwx: each row is added to the
// row of its id. With an embedding they are the gradients of the rows that embed gathers,
// and of the table.
func (ws *Workspace) idGrads(w *kernels.Worker, dwx []float32, lddwx int, own kernels.Span, dz []float32, lddz int) {
	m, cols := ws.m, own.Len()
	if cols == 0 {
		return
	}
	apart := ws.shards.splits()
	if apart {
		dwx = ws.shards.apart
	}
	dwx = dwx[own.Lo:]
	if !m.Tied || !ws.pass.fromOutputs || apart { // otherwise dwx already holds dWy
		for id := range m.Input {
			w.Clear(dwx[id*lddwx:][:cols])
		}
	}
	if ws.shards.several() {
		ws.shardScatter(w, own.Lo, cols, dz, lddz, dwx, lddwx)
		return
	}
	ids := ws.pass.ids[:ws.steps*ws.B]
	if !ws.pass.absent {
		w.ScatterAdd(cols, ids, dz, lddz, dwx, lddwx) // 1: scatter-add dZ into dWx, or dX into the embedding's gradient
		return
	}
	for from := 0; from < len(ids); { // each run of rows with an id
		if ids[from] == None {
			from++
			continue
		}
		to := from + 1
		for to < len(ids) && ids[to] != None {
			to++
		}
		w.ScatterAdd(cols, ids[from:to], dz[from*lddz:], lddz, dwx, lddwx)
		from = to
	}
}

// inputGrads is one worker's part of the gradient of layer k's input, in backward 1.
// Workers share the rows. It does nothing if there is no buffer for the gradient.
func (ws *Workspace) inputGrads(w *kernels.Worker, k int) {
	m := ws.m
	dh, dz, dx := ws.layerGrads(k)
	switch {
	case k == 0 && m.embeds():
		dx = ws.dembedded
	case k == 0:
		dx = ws.DX
	}
	if dx == nil {
		return
	}
	rows, width, reads := w.Share(ws.steps*ws.B), m.width(), m.reads(k)
	ld, n := ws.strides()
	to := dx[rows.Lo*reads:]
	for d := range m.directions() {
		wxT := m.packed[cellWx][k*m.directions()+d].trans[0]
		p := kernels.Product{ // 1: dX = dZ·Wxᵀ
			M: rows.Len(),
			A: dz[rows.Lo*ld+d*n:], LDA: ld,
			B: wxT,
			C: to, LDC: reads,
		}
		switch {
		case d > 0:
			p.Add, p.LDAdd = to, reads
		case m.Residual && k > 0 && dh != nil:
			p.Add, p.LDAdd = dh[rows.Lo*width:], width
		}
		w.Gemm(p, wxT.All())
	}
	if ws.drop != nil && (k > 0 || m.embeds()) {
		ws.mask(k-1, rows, dx, dx)
	}
}

// changes says whether the input of the layer above differs from the states of layer k.
func (ws *Workspace) changes(k int) bool {
	return ws.m.Residual && k > 0 || ws.drop != nil && k < len(ws.layers)-1
}

// passUpShare is one worker's part of the way from a layer to the one above: the
// residual connection and dropout. inputGrads is its mirror image.
func (ws *Workspace) passUpShare(w *kernels.Worker) {
	k, width := ws.at, ws.m.width()
	l := &ws.layers[k]
	for rest := w.Share(ws.allRows()); rest.Len() > 0; {
		var rows kernels.Span
		rows, rest = ws.nextRows(rest)
		from, to := rows.Lo*width, rows.Hi*width
		if ws.m.Residual && k > 0 {
			w.Add(l.out[from:to], l.h[ws.B*width:][from:to], ws.layers[k-1].up[from:to])
		}
		if ws.drop != nil && k < len(ws.layers)-1 {
			ws.mask(k, rows, l.up, l.out)
		}
	}
}
