package rnn

import "batchrnn/kernels"

// tailWork holds the buffers for the clusters of an adaptive softmax: which rows have
// targets in clusters, and room for a block of those rows.
type tailWork struct {
	head    []int32 // [T,B], the targets as classes of the head
	rows    []int32 // rows with targets in clusters, ordered by cluster, then by row
	start   []int   // [K+1]: rows[start[i]:start[i+1]] belong to cluster i
	targets []int32 // the targets of rows, counted from the cluster's first output
	losses  []float32

	// Buffers of blocks, each for the largest cluster; two of each for training.
	blockRows []int     // [K], the number of rows of a block of each cluster
	x         []float32 // [R,W], the states
	z         []float32 // [R,F], their features
	logits    []float32 // [R,N]
	scratch   []float32 // [the most classes of the head or a cluster]
	mass      []float32 // [B,K], log-probabilities of the clusters

	// The other fields are for training.
	blocks   []tailBlock
	segments []segment   // of all blocks
	ends     []int       // of a cluster: as counted.ends, indices into rows
	grads    []tailGrads // [K]
	dz       []float32   // [R,F]
	dx       []float32   // [R,W]
	packs    []tailPacks
}

// minTailRows is the minimum number of rows of a block, for any size of cluster. dWy is
// narrow here, so deep blocks gain little: with V = 100,000, H = 512 blocks of 16, 32
// and 64 rows reach 13,600, 13,800 and 13,900 tokens/s.
const minTailRows = 32

// A tailBlock is some rows of a cluster whose logits exist at one time.
type tailBlock struct {
	cluster  int
	rows     kernels.Span // indices into tailWork.rows
	segments kernels.Span
}

// tailGrads are the gradients of a cluster.
type tailGrads struct{ proj, wy, by partials }

// tailPacks hold the right-hand sides of a cluster's products. That of dProj exists
// twice, for this block and the next. That of dWy exists once, because each worker
// fills and reads only its own panels.
type tailPacks struct {
	dz      [2]*kernels.Packed // R×D
	dlogits *kernels.Packed    // R×N
}

func (m *Model) newTailWork(rows, batch int) *tailWork {
	t := &tailWork{
		head:    make([]int32, rows),
		rows:    make([]int32, rows),
		targets: make([]int32, rows),
		losses:  make([]float32, rows),
		start:   make([]int, len(m.Cutoffs)+1),
	}
	widest := m.head()
	for i := range m.Cutoffs {
		fits := max(minTailRows, min(maxBlockRows, logitBytes/(4*m.cluster(i).Len())))
		n := max(min(rows, fits), m.engine.Threads()) // each worker has a row
		t.blockRows = append(t.blockRows, n)
		widest = max(widest, m.cluster(i).Len())
	}
	t.scratch = make([]float32, widest)
	t.mass = make([]float32, batch*len(m.Cutoffs))
	t.makeBuffers(m, 1, batch)
	return t
}

// makeBuffers allocates count buffers for a block. The buffers of features have at
// least the given number of rows.
func (t *tailWork) makeBuffers(m *Model, count, rows int) {
	var x, z, logits int
	for i, n := range t.blockRows {
		x = max(x, n*m.width())
		z = max(z, max(n, rows)*m.cluster(i).features)
		logits = max(logits, n*m.cluster(i).Len())
	}
	t.x = kernels.Floats(count * x)
	t.z = kernels.Floats(count * z)
	t.logits = kernels.Floats(count * logits)
}

// train allocates what training needs in addition.
func (t *tailWork) train(m *Model, rows, batch int, grads []Tail) {
	t.makeBuffers(m, 2, batch)
	t.dz = make([]float32, len(t.z)/2)
	t.dx = make([]float32, len(t.x)/2)
	most := 0
	for i, n := range t.blockRows {
		var p tailPacks
		for j := range p.dz {
			p.dz[j] = m.engine.NewPacked(n, m.cluster(i).features)
		}
		p.dlogits = m.engine.NewPacked(n, m.cluster(i).Len())
		t.packs = append(t.packs, p)
		t.grads = append(t.grads, tailGrads{partials{grads[i].Proj}, partials{grads[i].Wy}, partials{grads[i].By}})
		most += rows/n + 1
	}
	t.blocks = make([]tailBlock, 0, most)
	t.segments, t.ends = make([]segment, 0, most), make([]int, 0, 1)
}

// buffer returns the i-th of the count buffers in all.
func buffer(all []float32, i, count int) []float32 {
	n := len(all) / count
	return all[i*n:][:n]
}

// classes returns targets as classes of the head. With an adaptive softmax it also
// sorts the rows by cluster, with a counting sort.
func (ws *Workspace) classes(targets []int32) []int32 {
	t, m := ws.tails, ws.m
	if t == nil {
		return targets
	}
	shortlist := int32(m.Cutoffs[0])
	clear(t.start)
	for row, target := range targets {
		t.head[row] = target
		if target >= shortlist {
			i := m.clusterOf(target)
			t.head[row] = shortlist + int32(i)
			t.start[i]++
		}
	}
	end := 0
	for i, n := range t.start { // from the number of rows to the end of the rows
		end += n
		t.start[i] = end
	}
	for row := len(targets) - 1; row >= 0; row-- {
		if class := t.head[row]; class >= shortlist {
			i := class - shortlist
			t.start[i]--
			at := t.start[i]
			t.rows[at] = int32(row)
			t.targets[at] = targets[row] - int32(m.Cutoffs[i])
		}
	}
	return t.head
}

// clusterOf returns the cluster of an output at or above the first cutoff.
func (m *Model) clusterOf(output int32) int {
	i := len(m.Cutoffs) - 1
	for int(output) < m.Cutoffs[i] {
		i--
	}
	return i
}

// span returns the range of cluster i's rows.
func (t *tailWork) span(i int) kernels.Span { return kernels.Span{Lo: t.start[i], Hi: t.start[i+1]} }

// addLosses adds the losses of the clusters to those of the head.
func (t *tailWork) addLosses(losses []float32) {
	n := t.start[len(t.start)-1]
	for i, row := range t.rows[:n] {
		losses[row] += t.losses[i]
	}
}

// cutTails cuts the rows of every cluster into blocks, before the region. ends are the
// ends of the shards among all rows that count. A cluster without rows has one empty
// block.
func (t *tailWork) cutTails(ends []int) {
	t.blocks, t.segments = t.blocks[:0], t.segments[:0]
	for i, n := range t.blockRows {
		all := t.span(i)
		t.ends = t.ends[:0]
		at := all.Lo
		for _, end := range ends {
			for at < all.Hi && int(t.rows[at]) < end {
				at++
			}
			t.ends = append(t.ends, at)
		}
		for lo := all.Lo; lo == all.Lo || lo < all.Hi; lo += n {
			b := tailBlock{cluster: i, rows: kernels.Span{Lo: lo, Hi: min(lo+n, all.Hi)}}
			b.segments.Lo = len(t.segments)
			t.segments = appendSegments(t.segments, b.rows, all, t.ends, t.packs[i].dz[len(t.blocks)%2], t.packs[i].dlogits)
			b.segments.Hi = len(t.segments)
			t.blocks = append(t.blocks, b)
		}
	}
}

// The right-hand sides of a cluster's segments.
const (
	rightDZ = iota
	rightDLogits
)

func (t *tailWork) segmentsOf(b *tailBlock) []segment {
	return t.segments[b.segments.Lo:b.segments.Hi]
}

// tailSoftmax runs stages 3 and 4 of cluster i on some of its rows, which must fit the
// buffers. It leaves the gradient of the mean loss in logits.
func (ws *Workspace) tailSoftmax(w *kernels.Worker, i int, rows kernels.Span, x, z, logits []float32) {
	t, m, tail := ws.tails, ws.m, ws.m.cluster(i)
	n := tail.Len()
	for j, row := range t.rows[rows.Lo:rows.Hi] {
		w.Copy(x[j*m.width():][:m.width()], ws.pass.seen[int(row)*m.width():][:m.width()])
	}
	w.Gemm(m.features(i, x, z, rows.Len()), m.packed[tailProj][i].plain[0].All())
	w.Gemm(m.tailOutput(i, z, logits, n, rows.Len()), m.packed[tailWy][i].plain[0].All())
	ws.crossEntropies(w, t.losses[rows.Lo:rows.Hi], n, logits, t.targets[rows.Lo:rows.Hi], 0, t.rows[rows.Lo:rows.Hi])
}

// features returns the product that projects some rows of states x for cluster i.
func (m *Model) features(i int, x, z []float32, rows int) kernels.Product {
	return kernels.Product{
		M: rows,
		A: x, LDA: m.width(),
		B: m.packed[tailProj][i].plain[0],
		C: z, LDC: m.cluster(i).features,
	}
}

// tailOutput returns the product that gives the logits of cluster i for some rows of
// features.
func (m *Model) tailOutput(i int, z, logits []float32, ld, rows int) kernels.Product {
	return kernels.Product{
		M: rows,
		A: z, LDA: m.cluster(i).features,
		B:    m.packed[tailWy][i].plain[0],
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
		x, z, logits := t.x[buf.Lo*m.width():], t.z[buf.Lo*m.cluster(i).features:], t.logits[buf.Lo*m.cluster(i).Len():]
		for lo := own.Lo; lo < own.Hi; lo += buf.Len() {
			rows := kernels.Span{Lo: all.Lo + lo, Hi: all.Lo + min(lo+buf.Len(), own.Hi)}
			ws.tailSoftmax(w, i, rows, x, z, logits)
		}
		w.Barrier() // the next cluster cuts the buffers elsewhere
	}
}

// tailsBackward is one worker's part of the clusters in backward 3. It follows
// outputBackward and works the same way. Workers share rows up to dH, to which each
// cluster adds its part. After a barrier they share dWy and dProj.
func (ws *Workspace) tailsBackward(w *kernels.Worker) {
	t := ws.tails
	for at := range t.blocks {
		b := &t.blocks[at]
		if b.rows.Len() > 0 {
			ws.tailRows(w, b, at%2)
		}
		w.Barrier()
		ws.tailGradients(w, b, at%2)
	}
}

// tailRows is the part of tailsBackward that workers share by rows.
func (ws *Workspace) tailRows(w *kernels.Worker, b *tailBlock, parity int) {
	t, m, tail := ws.tails, ws.m, ws.m.cluster(b.cluster)
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
		B: m.packed[tailWy][b.cluster].trans[0],
		C: dz, LDC: d,
	}, m.packed[tailWy][b.cluster].trans[0].All())
	packSegments(w, t.segmentsOf(b), own, dz, d)
	w.Gemm(kernels.Product{ // dH += dz·Projᵀ
		M: own.Len(),
		A: dz, LDA: d,
		B: m.packed[tailProj][b.cluster].trans[0],
		C: dx, LDC: width,
	}, m.packed[tailProj][b.cluster].trans[0].All())
	w.ScatterAdd(width, t.rows[rows.Lo:rows.Hi], dx, width, ws.pass.dseen, width)
}

// tailGradients is the part of tailsBackward that workers share by outputs, for dWy, and by
// units, for dProj.
func (ws *Workspace) tailGradients(w *kernels.Worker, b *tailBlock, parity int) {
	t, m, tail := ws.tails, ws.m, ws.m.cluster(b.cluster)
	width, d, n := m.width(), tail.features, tail.Len()
	grads, packs, segments := &t.grads[b.cluster], &t.packs[b.cluster], t.segmentsOf(b)
	units, panels := w.Share(width), w.Share(packs.dlogits.Panels())
	rows := b.rows.Len()
	x, z, dlogits := buffer(t.x, parity, 2)[:rows*width], buffer(t.z, parity, 2)[:rows*d], buffer(t.logits, parity, 2)[:rows*n]

	for i := range segments {
		if s := &segments[i]; s.rows.Len() > 0 {
			w.PackPanels(&s.right[rightDLogits], false, dlogits[s.rows.Lo*n:], n, panels)
		}
	}
	if panels.Len() > 0 { // dWy += zᵀ·dlogits
		grads.wy.addProducts(w, segments, rightDLogits, z, d, kernels.Span{Hi: d}, packs.dlogits, panels)
	}
	grads.by.addColumns(w, segments, dlogits, n, packs.dlogits.Columns(panels))
	// dProj += Hᵀ·dz
	grads.proj.addProducts(w, segments, rightDZ, x, width, units, packs.dz[0], packs.dz[0].All())
}

// logProbs sets dst, [n,V], to the log-probabilities of all outputs given the states h,
// [n,H]. Each row of dst first holds the logits of the head. Those of the clusters lie
// where the first outputs of the clusters go.
func (ws *Workspace) logProbs(dst, h []float32, rows int) {
	m, e, t := ws.m, ws.m.engine, ws.tails
	v, shortlist := m.Output, m.Cutoffs[0]
	e.LogSoftmax(rows, m.head(), dst, v, t.scratch)
	for b := range rows {
		e.Copy(t.mass[b*len(m.Cutoffs):][:len(m.Cutoffs)], dst[b*v+shortlist:][:len(m.Cutoffs)])
	}
	for i := range m.Cutoffs {
		tail := m.cluster(i)
		n := tail.Len()
		logits := dst[tail.Lo:]
		ws.multiply(m.features(i, h, t.z, rows))
		ws.multiply(m.tailOutput(i, t.z, logits, v, rows))
		e.LogSoftmax(rows, n, logits, v, t.scratch)
		for b := range rows {
			mass := t.mass[b*len(m.Cutoffs)+i]
			row := logits[b*v:][:n]
			for j := range row {
				row[j] += mass
			}
		}
	}
}
