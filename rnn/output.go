package rnn

import "batchrnn/kernels"

// Ignore, as a target, makes a row count nowhere. It is PyTorch's ignore_index.
const Ignore = -100

// outputs are what a workspace needs for stages 3 and 4.
type outputs struct {
	rows    int       // R of outputs: T·B, or B with LastStep
	seen    []float32 // [N,W], what the layer sees of the rows that count
	dseen   []float32 // [N,W], its gradient
	targets targets

	// The rows that count, where they are not all or are not steps in order, and
	// room for them together; nil before they were needed.
	picks     bool
	picked    []int32   // [N], of the R rows
	pickedIDs []int32   // [R], their targets
	gather    []float32 // [R,W]
	dgather   []float32 // [R,W], in training

	weights    []float32 // [V], of labels, the largest 1; nil for 1 each
	weightRoom []float32 // [V], where weights are; nil before there were any
	scale      float64   // of each row's loss in the mean, beside its weight

	logits []float32 // [blockRows,classes of the head], twice that for training
	blocks []outputBlock
	packs  [2]*kernels.Packed
	tails  *tailWork // nil without an adaptive softmax
}

// newOutputs makes what scoring needs.
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
	ws.logits = make([]float32, ws.plan.blockRows*m.head())
	if len(m.Cutoffs) > 0 {
		ws.tails = m.newTailWork(ws.rows, ws.B)
	}
	if m.LastStep {
		ws.makePicks()
	}
}

// trainOutputs makes what training needs beside.
func (ws *Workspace) trainOutputs() {
	m := ws.m
	ws.plan.blockRows = m.trainingBlockRows(ws.rows)
	ws.logits = make([]float32, len(ws.packs)*ws.plan.blockRows*m.head())
	right := m.head() // columns of what dWy, or its transpose, is a product with
	if m.Tied {
		right = m.Hidden
	}
	for i := range ws.packs {
		if i*ws.plan.blockRows < ws.rows {
			ws.packs[i] = m.engine.NewPacked(ws.plan.blockRows, right)
		}
	}
	ws.blocks = make([]outputBlock, 0, (ws.rows-1)/ws.plan.blockRows+1)
	if ws.tails != nil {
		ws.tails.train(m, ws.rows, ws.B)
	}
	if ws.gather != nil {
		ws.dgather = kernels.Floats(len(ws.gather))
	}
}

// Logits sets dst, [B,V], to the outputs of step t of the last Forward: with an
// adaptive softmax, to their log-probabilities. With Config.LastStep there are
// those of T-1 alone, each sequence's own last.
func (ws *Workspace) Logits(dst []float32, t int) {
	ws.checkLogits(dst, t)
	h := ws.slot(ws.top().out, t)
	if ws.m.LastStep {
		h = ws.gather
		for b := range ws.B {
			ws.gatherLast(ws.top().out, b, b)
		}
	}
	if ws.tails != nil {
		ws.logProbs(dst, h)
		return
	}
	ws.multiply(ws.m.output(h, dst, ws.B))
}

// output is stage 3 for some rows of states h.
func (m *Model) output(h, logits []float32, rows int) kernels.Product {
	return kernels.Product{
		M: rows,
		A: h, LDA: m.width(),
		B:    m.packed[headWy][0].plain,
		Bias: m.By,
		C:    logits, LDC: m.head(),
	}
}

// lossShare is one worker's part of stages 3 and 4 without gradient: it walks its
// own rows with its own part of the block buffer, in phases of whole blocks.
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

// rowLosses runs stages 3 and 4 on some rows with their logits at row at of the
// block buffer, and returns there the gradient of the mean loss.
func (ws *Workspace) rowLosses(w *kernels.Worker, rows kernels.Span, at int) (dlogits []float32) {
	m := ws.m
	v := m.head()
	logits := ws.logits[at*v:][:rows.Len()*v]
	w.Gemm(m.output(ws.seenRows(rows), logits, rows.Len()), m.packed[headWy][0].plain.All())
	ws.targets.losses(w, ws, rows, logits)
	return logits
}

// seenRows returns what the output layer sees of some of the rows that count.
func (ws *Workspace) seenRows(rows kernels.Span) []float32 {
	n := ws.m.width()
	return ws.seen[rows.Lo*n : rows.Hi*n]
}
