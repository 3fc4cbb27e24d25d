package rnn

import "batchrnn/kernels"

// tailSoftmax runs stages 3 and 4 of cluster i on some of its rows, at most as
// many as fit the buffers, and leaves in logits the gradient of the mean
// loss.
func (ws *Workspace) tailSoftmax(w *kernels.Worker, i int, rows kernels.Span, x, z, logits []float32) {
	t, m, tail := ws.tails, ws.m, ws.m.clusters[i]
	n := tail.Len()
	for j, row := range t.rows[rows.Lo:rows.Hi] {
		w.Copy(x[j*m.width():][:m.width()], ws.seen[int(row)*m.width():][:m.width()])
	}
	w.Gemm(m.features(i, x, z, rows.Len()), m.packed[tailProj][i].plain.All())
	w.Gemm(m.tailOutput(i, z, logits, n, rows.Len()), m.packed[tailWy][i].plain.All())
	ws.crossEntropies(w, t.losses[rows.Lo:rows.Hi], n, logits, t.targets[rows.Lo:rows.Hi], 0, t.rows[rows.Lo:rows.Hi])
}

// features is the projection of some rows of states x for cluster i.
func (m *Model) features(i int, x, z []float32, rows int) kernels.Product {
	return kernels.Product{
		M: rows,
		A: x, LDA: m.width(),
		B: m.packed[tailProj][i].plain,
		C: z, LDC: m.clusters[i].features,
	}
}

// tailOutput is the logits of cluster i of some rows of features.
func (m *Model) tailOutput(i int, z, logits []float32, ld, rows int) kernels.Product {
	return kernels.Product{
		M: rows,
		A: z, LDA: m.clusters[i].features,
		B:    m.packed[tailWy][i].plain,
		Bias: m.Tails[i].By,
		C:    logits, LDC: ld,
	}
}

// tailsLoss is one worker's part of the clusters in lossShare.
func (ws *Workspace) tailsLoss(w *kernels.Worker) {
	t, m := ws.tails, ws.m
	for i, n := range t.blockRows {
		buf, all := w.Share(n), t.span(i)
		own := w.Share(all.Len())
		x, z, logits := t.x[buf.Lo*m.width():], t.z[buf.Lo*m.clusters[i].features:], t.logits[buf.Lo*m.clusters[i].Len():]
		for lo := own.Lo; lo < own.Hi; lo += buf.Len() {
			rows := kernels.Span{Lo: all.Lo + lo, Hi: all.Lo + min(lo+buf.Len(), own.Hi)}
			ws.tailSoftmax(w, i, rows, x, z, logits)
		}
		w.Barrier() // the next cluster cuts the buffers elsewhere
	}
}

// tailsBackward is one worker's part of the clusters in backward 3. It follows
// outputBackward, and goes the same way: rows are shared out as far as dH, to
// which a row's cluster adds its part; then all meet, and dWy and dProj are
// shared out.
func (ws *Workspace) tailsBackward(w *kernels.Worker) {
	t := ws.tails
	for at := range t.blocks {
		b := &t.blocks[at]
		if b.rows.Len() > 0 {
			ws.tailRows(w, b, at%2)
		}
		w.Barrier()
		ws.tailGrads(w, b, at%2)
	}
}

// tailRows is the part of tailsBackward that is shared out by rows.
func (ws *Workspace) tailRows(w *kernels.Worker, b *tailBlock, parity int) {
	t, m, tail := ws.tails, ws.m, ws.m.clusters[b.cluster]
	width, d, n := m.width(), tail.features, tail.Len()
	own := w.Share(b.rows.Len())
	if own.Len() == 0 {
		return
	}
	x := buffer(t.x, parity, 2)[own.Lo*width:]
	z := buffer(t.z, parity, 2)[own.Lo*d:]
	dlogits := buffer(t.logits, parity, 2)[own.Lo*n:]
	dz, dx := t.dz[own.Lo*d:], t.dx[own.Lo*width:]
	rows := kernels.Span{Lo: b.rows.Lo + own.Lo, Hi: b.rows.Lo + own.Hi}

	ws.tailSoftmax(w, b.cluster, rows, x, z, dlogits)
	w.Gemm(kernels.Product{ // dz = dlogits·Wyᵀ
		M: own.Len(),
		A: dlogits, LDA: n,
		B: m.packed[tailWy][b.cluster].trans,
		C: dz, LDC: d,
	}, m.packed[tailWy][b.cluster].trans.All())
	w.PackRows(&b.dz, own, dz, d)
	w.Gemm(kernels.Product{ // dH += dz·Projᵀ
		M: own.Len(),
		A: dz, LDA: d,
		B: m.packed[tailProj][b.cluster].trans,
		C: dx, LDC: width,
	}, m.packed[tailProj][b.cluster].trans.All())
	w.ScatterAdd(ws.dseen, width, width, t.rows[rows.Lo:rows.Hi], dx, width)
}

// tailGrads is the part of tailsBackward that is shared out by outputs, and for
// dProj by units.
func (ws *Workspace) tailGrads(w *kernels.Worker, b *tailBlock, parity int) {
	t, m, tail := ws.tails, ws.m, ws.m.clusters[b.cluster]
	width, d, n := m.width(), tail.features, tail.Len()
	grads := &ws.Grads.Tails[b.cluster]
	units, panels := w.Share(width), w.Share(m.packed[tailWy][b.cluster].plain.Panels())
	cols := m.packed[tailWy][b.cluster].plain.Columns(panels)
	dby := grads.By[cols.Lo:cols.Hi]
	if b.first {
		w.Clear(dby)
	}
	if b.rows.Len() == 0 {
		w.Clear(grads.Proj[units.Lo*d : units.Hi*d])
		for k := range d {
			w.Clear(grads.Wy[k*n:][cols.Lo:cols.Hi])
		}
		return
	}
	x, z, dlogits := buffer(t.x, parity, 2), buffer(t.z, parity, 2), buffer(t.logits, parity, 2)

	if panels.Len() > 0 {
		w.PackPanels(&b.dlogits, false, dlogits, n, panels)
		dwy := kernels.Product{ // dWy += zᵀ·dlogits
			M: d,
			A: z, LDA: d, TransA: true,
			B: &b.dlogits,
			C: grads.Wy, LDC: n,
		}
		if !b.first {
			dwy.S, dwy.LDS = dwy.C, n
		}
		w.Gemm(dwy, panels)
		w.ColumnSums(dby, b.rows.Len(), dlogits[cols.Lo:], n)
	}
	if units.Len() > 0 {
		dproj := kernels.Product{ // dProj += Hᵀ·dz
			M: units.Len(),
			A: x[units.Lo:], LDA: width, TransA: true,
			B: &b.dz,
			C: grads.Proj[units.Lo*d:], LDC: d,
		}
		if !b.first {
			dproj.S, dproj.LDS = dproj.C, d
		}
		w.Gemm(dproj, b.dz.All())
	}
}

// logProbs sets dst, [B,V], to the log-probabilities of all outputs given the
// states h, [B,H].
func (ws *Workspace) logProbs(dst, h []float32) {
	m, e, t := ws.m, ws.m.engine, ws.tails
	v, shortlist := m.Output, m.Cutoffs[0]
	head := m.output(h, dst, ws.B)
	head.LDC = v
	classes := m.head()
	// The head's clusters lie where the first outputs of the clusters will be.
	ws.multiply(head)
	e.LogSoftmax(ws.B, classes, dst, v, t.scratch)
	for b := range ws.B {
		e.Copy(t.mass[b*len(m.clusters):][:len(m.clusters)], dst[b*v+shortlist:][:len(m.clusters)])
	}
	for i := range m.clusters {
		tail := m.clusters[i]
		n := tail.Len()
		logits := dst[tail.Lo:]
		ws.multiply(m.features(i, h, t.z, ws.B))
		ws.multiply(m.tailOutput(i, t.z, logits, v, ws.B))
		e.LogSoftmax(ws.B, n, logits, v, t.scratch)
		for b := range ws.B {
			mass := t.mass[b*len(m.clusters)+i]
			row := logits[b*v:][:n]
			for j := range row {
				row[j] += mass
			}
		}
	}
}
