package rnn

import (
	"fmt"
	"slices"

	"batchrnn/kernels"
)

// The head is the output layer, stage 3. Stage 4 and backward 3 follow on the same
// block of rows while it is in the cache.

// headRoom holds the buffers of the head.
type headRoom struct {
	logits []float32 // [blockRows,classes of the head], twice that for training
	blocks []outputBlock
	packs  [2]*kernels.Packed

	segments []segment // of all blocks
	dwy, dby partials  // dWy of a tied network is transposed
}

// An outputBlock is the rows whose logits exist at one time.
type outputBlock struct {
	rows     kernels.Span
	segments kernels.Span
}

// newOutputs allocates what scoring needs.
func (ws *Workspace) newOutputs() {
	m := ws.m
	if m.Output == 0 {
		return
	}
	ws.rows = ws.T * ws.B
	if m.LastStep {
		ws.rows = ws.B
	}
	ws.Losses = make([]float32, ws.rows)
	ws.ends = make([]int, 0, 1)
	ws.logits = make([]float32, ws.plan.blockRows*m.head())
	if len(m.Cutoffs) > 0 {
		ws.tails = m.newTailWork(ws.rows, ws.B)
	}
	if m.LastStep {
		ws.makePicks()
	}
}

// trainOutputs allocates what training needs in addition.
func (ws *Workspace) trainOutputs() {
	m := ws.m
	ws.plan.blockRows = m.trainingBlockRows(ws.rows)
	ws.logits = make([]float32, len(ws.packs)*ws.plan.blockRows*m.head())
	right := m.head() // columns of the right-hand side of dWy, or of its transpose
	if m.Tied {
		right = m.width()
	}
	for i := range ws.packs {
		if i*ws.plan.blockRows < ws.rows {
			ws.packs[i] = m.engine.NewPacked(ws.plan.blockRows, right)
		}
	}
	ws.blocks = make([]outputBlock, 0, (ws.rows-1)/ws.plan.blockRows+1)
	ws.segments = make([]segment, 0, cap(ws.blocks))
	ws.dwy, ws.dby = partials{ws.Grads.Wy}, partials{ws.Grads.By}
	if m.Tied {
		ws.dwy[0] = ws.Grads.tiedTo()
	}
	if ws.tails != nil {
		ws.tails.train(m, ws.rows, ws.B, ws.Grads.Tails)
	}
	if ws.gather != nil {
		ws.dgather = kernels.Floats(len(ws.gather))
	}
}

// makeHeadShards allocates what the shards of the workspace need in the head.
func (ws *Workspace) makeHeadShards() {
	count := ws.shards.held()
	if ws.m.Output == 0 || count == 1 {
		return
	}
	ws.makePicks()
	if ws.shardLosses == nil {
		ws.shardLosses = make([]float32, ws.mostRows())
	}
	ws.ends = slices.Grow(ws.ends[:0], count)
	blocks := ws.mostRows()/ws.plan.blockRows + count // each is full or ends with a shard
	ws.blocks = slices.Grow(ws.blocks[:0], blocks)
	ws.segments = slices.Grow(ws.segments[:0], blocks+count)
	ws.dwy.makeLevels(count)
	ws.dby.makeLevels(count)
	if t := ws.tails; t != nil {
		t.ends = slices.Grow(t.ends[:0], count)
		t.segments = slices.Grow(t.segments[:0], cap(t.blocks)+count*len(t.blockRows))
		for i := range t.grads {
			t.grads[i].proj.makeLevels(count)
			t.grads[i].wy.makeLevels(count)
			t.grads[i].by.makeLevels(count)
		}
	}
}

// headShardBytes returns the size of what the head of a training workspace needs for
// count shards.
func (c Config) headShardBytes(steps, batch, count int) int64 {
	if c.Output == 0 || count < 2 {
		return 0
	}
	var params int64
	for _, w := range c.weights() {
		if w.role >= headWy {
			params += int64(w.rows) * int64(w.cols)
		}
	}
	rows := int64(steps) * int64(batch)
	if c.LastStep {
		rows = int64(batch)
	}
	// The states and their gradients, a loss, an index and a target of each row.
	return 4 * (int64(levels(count)-1)*params + rows*(2*int64(c.width())+3))
}

// Logits sets dst, [B,V], to the outputs of step t of the last Forward. With an
// adaptive softmax it gives their log-probabilities. With Config.LastStep t must be
// T-1, and each row is of its sequence's own last step. An idle row then has the outputs
// of a state of zeros.
func (ws *Workspace) Logits(dst []float32, t int) {
	ws.checkLogits("Logits", t)
	ws.checkLen("Logits", "dst", len(dst), ws.B*ws.m.Output, "B·V")
	ws.logitsOf(dst, t, ws.B)
}

// LogitsRows is Logits for the first n rows of the batch alone. dst is [n,V]. It panics
// if Logits would, or if n is not from 1 to B.
func (ws *Workspace) LogitsRows(dst []float32, t, n int) {
	ws.checkLogits("LogitsRows", t)
	if n < 1 || n > ws.B {
		panic(fmt.Sprintf("rnn: LogitsRows: n is %d, want from 1 to the %d rows of the batch", n, ws.B))
	}
	ws.checkLen("LogitsRows", "dst", len(dst), n*ws.m.Output, "n·V")
	ws.logitsOf(dst, t, n)
}

func (ws *Workspace) checkLogits(op string, t int) {
	if ws.m.Output == 0 {
		panic("rnn: " + op + ": the model has no output layer")
	}
	ws.checkRan(op)
	if t < 0 || t >= ws.T {
		panic(fmt.Sprintf("rnn: %s: step %d is outside the %d steps of the workspace", op, t, ws.T))
	}
	if ws.m.LastStep && t != ws.T-1 {
		panic(fmt.Sprintf("rnn: %s: step %d has no output: the model has them after the last step, %d, alone", op, t, ws.T-1))
	}
}

// logitsOf sets dst to the outputs of the first n rows at step t.
func (ws *Workspace) logitsOf(dst []float32, t, n int) {
	h := ws.slot(ws.top().out, t)
	if ws.m.LastStep {
		h = ws.gather
		for b := range n {
			ws.gatherLast(ws.top().out, b, b)
		}
	}
	p := ws.m.output(h, dst, n)
	p.LDC = ws.m.Output
	ws.multiply(p)
	if ws.tails != nil {
		ws.logProbs(dst, h, n)
	}
}

// output returns the product of stage 3 for some rows of states h.
func (m *Model) output(h, logits []float32, rows int) kernels.Product {
	return kernels.Product{
		M: rows,
		A: h, LDA: m.width(),
		B:    m.packed[headWy][0].plain[0],
		Bias: m.By,
		C:    logits, LDC: m.head(),
	}
}

// lossShare is one worker's part of stages 3 and 4 without gradient. The worker walks
// its own rows in phases of whole blocks, in its own part of the block buffer.
func (ws *Workspace) lossShare(w *kernels.Worker) {
	if ws.picks {
		ws.gatherRows(w, ws.top().out)
		w.Barrier()
	}
	block := ws.plan.blockRows
	phase := block * ws.plan.phaseLength(block*ws.m.width()*ws.m.head(), ws.plan.outputs)
	for from := 0; from < ws.count(); from += phase {
		if from > 0 {
			w.Barrier()
		}
		buf, all := w.Share(block), w.Share(min(phase, ws.count()-from))
		for lo := all.Lo; lo < all.Hi; lo += buf.Len() {
			ws.rowLosses(w, kernels.Span{Lo: from + lo, Hi: from + min(lo+buf.Len(), all.Hi)}, buf.Lo)
		}
	}
	if ws.tails != nil {
		w.Barrier()
		ws.tailsLoss(w)
	}
}

// rowLosses runs stages 3 and 4 on some rows. Their logits stand from row at of the
// block buffer on. It returns the gradient of the mean loss, which replaces the logits.
func (ws *Workspace) rowLosses(w *kernels.Worker, rows kernels.Span, at int) (dlogits []float32) {
	m := ws.m
	v := m.head()
	logits := ws.logits[at*v:][:rows.Len()*v]
	w.Gemm(m.output(ws.seenRows(rows), logits, rows.Len()), m.packed[headWy][0].plain[0].All()) // 3
	ws.losses(w, rows, logits)                                                                  // 4
	return logits
}

// seenRows returns the output layer's input for some of the rows that count.
func (ws *Workspace) seenRows(rows kernels.Span) []float32 {
	n := ws.m.width()
	return ws.pass.seen[rows.Lo*n : rows.Hi*n]
}

// cutBlocks cuts the rows that count into blocks, before the region.
func (ws *Workspace) cutBlocks() {
	ws.blocks, ws.segments = ws.blocks[:0], ws.segments[:0]
	all := kernels.Span{Hi: ws.count()}
	for lo := 0; lo < all.Hi; lo = ws.blocks[len(ws.blocks)-1].rows.Hi {
		b := outputBlock{rows: cutBlock(lo, min(lo+ws.plan.blockRows, all.Hi), ws.ends)}
		b.segments.Lo = len(ws.segments)
		ws.segments = appendSegments(ws.segments, b.rows, all, ws.ends, ws.packs[len(ws.blocks)%2])
		b.segments.Hi = len(ws.segments)
		ws.blocks = append(ws.blocks, b)
	}
	if ws.tails != nil {
		ws.tails.cutTails(ws.ends)
	}
}

// outputsShare is one worker's part of backward 4 and 3. It leaves in dout the gradient
// of the last layer's output.
func (ws *Workspace) outputsShare(w *kernels.Worker) {
	top := len(ws.layers) - 1
	if ws.drop != nil {
		ws.mask(top, w.Share(ws.steps*ws.B), ws.layers[top].up, ws.layers[top].out)
		w.Barrier()
	}
	if ws.picks {
		ws.gatherRows(w, ws.layers[top].up)
		w.Barrier()
	}
	ws.outputBackward(w)
	if ws.tails != nil {
		ws.tailsBackward(w)
	}
	// outputBackward and tailsBackward have ended in a barrier after dH.
	if ws.picks {
		ws.scatterRows(w, ws.pass.dout)
	}
	if ws.drop != nil {
		ws.mask(top, w.Share(ws.steps*ws.B), ws.pass.dout, ws.pass.dout)
		w.Barrier()
	}
}

// outputBackward is one worker's part of stages 3 and 4 and of backward 3. Workers share
// a block's rows up to dlogits and dH. After a barrier they share the rows of dWy.
// Blocks alternate between two buffers, so that no worker overwrites what another still
// reads. One barrier a block is then enough.
func (ws *Workspace) outputBackward(w *kernels.Worker) {
	m := ws.m
	width, v := m.width(), m.head()
	for i := range ws.blocks {
		b := &ws.blocks[i]
		segments, right := ws.segments[b.segments.Lo:b.segments.Hi], ws.packs[i%2]
		at := i % 2 * ws.plan.blockRows
		own := w.Share(b.rows.Len())
		if own.Len() > 0 {
			rows := kernels.Span{Lo: b.rows.Lo + own.Lo, Hi: b.rows.Lo + own.Hi}
			dlogits := ws.rowLosses(w, rows, at+own.Lo) // 3, 4
			w.Gemm(kernels.Product{                     // 3: dH = dlogits·Wyᵀ
				M: own.Len(),
				A: dlogits, LDA: v,
				B: m.packed[headWy][0].trans[0],
				C: ws.pass.dseen[rows.Lo*width:], LDC: width,
			}, m.packed[headWy][0].trans[0].All())
			if m.Tied {
				packSegments(w, segments, own, ws.seenRows(rows), width)
			} else {
				packSegments(w, segments, own, dlogits, v)
			}
		}
		w.Barrier()
		units, classes := w.Share(width), w.Share(v)
		logits := ws.logits[at*v:][:b.rows.Len()*v]
		if m.Tied { // 3: dWyᵀ += dlogitsᵀ·H, to which backward 1 adds
			ws.dwy.addProducts(w, segments, 0, logits, v, classes, right, right.All())
		} else { // 3: dWy += Hᵀ·dlogits
			ws.dwy.addProducts(w, segments, 0, ws.seenRows(b.rows), width, units, right, right.All())
		}
		ws.dby.addColumns(w, segments, logits, v, classes)
	}
}
