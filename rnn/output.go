package rnn

import "batchrnn/kernels"

// Loss returns the mean cross-entropy of targets, [T,B], in nats per step,
// given the states of the last Forward; Losses holds its terms. It panics
// where there is no output layer, targets has another length, or a target is
// not below V.
func (ws *Workspace) Loss(targets []int32) float64 {
	ws.checkTargets("Loss", targets)
	ws.targets, ws.seen = ws.classes(targets), ws.statesOut()
	ws.m.engine.Run(ws.outputWorkers(), ws.loss)
	return ws.meanLoss()
}

// Logits sets dst, [B,V], to the outputs of step t of the last Forward: with an
// adaptive softmax, to their log-probabilities.
func (ws *Workspace) Logits(dst []float32, t int) {
	ws.checkLogits(dst, t)
	if ws.tails != nil {
		ws.logProbs(dst, ws.state(t+1))
		return
	}
	ws.m.engine.Gemm(ws.m.output(ws.state(t+1), dst, ws.B))
}

// output is stage 3 for some rows of states h.
func (m *Model) output(h, logits []float32, rows int) kernels.Product {
	return kernels.Product{
		M: rows,
		A: h, LDA: m.Hidden,
		B:    m.wy,
		Bias: m.By,
		C:    logits, LDC: m.head(),
	}
}

// outputWorkers is how many workers pay for the output layer alone.
func (ws *Workspace) outputWorkers() int {
	if ws.T*ws.B*ws.m.Hidden*ws.m.head() < passSerial {
		return 1
	}
	return ws.m.engine.Threads()
}

// An outputBlock is the rows of T·B whose logits exist at one time.
type outputBlock struct {
	rows kernels.Span
	// The right-hand side of dWy, their gradient; of its transpose where it is
	// tied, the states.
	right kernels.Packed
}

// lossShare is one worker's part of stages 3 and 4 without gradient: it walks
// its own rows with its own part of the block buffer.
func (ws *Workspace) lossShare(w *kernels.Worker) {
	buf, all := w.Share(ws.plan.blockRows), w.Share(ws.T*ws.B)
	for lo := all.Lo; lo < all.Hi; lo += buf.Len() {
		ws.softmax(w, kernels.Span{Lo: lo, Hi: min(lo+buf.Len(), all.Hi)}, buf.Lo, 0)
	}
	if ws.tails != nil {
		ws.tailsLoss(w)
	}
}

// softmax runs stages 3 and 4 on some rows with their logits at row at of the
// block buffer, and returns there the gradient of scale times the losses.
func (ws *Workspace) softmax(w *kernels.Worker, rows kernels.Span, at int, scale float32) (dlogits []float32) {
	m := ws.m
	v := m.head()
	logits := ws.logits[at*v:][:rows.Len()*v]
	w.Gemm(m.output(ws.statesAfter(rows), logits, rows.Len()), m.wy.All())
	w.SoftmaxCrossEntropy(ws.Losses[rows.Lo:rows.Hi], v, logits, v, ws.targets[rows.Lo:rows.Hi], scale)
	return logits
}

// outputBackward is one worker's part of stages 3 and 4 and of backward 3. A
// block's rows are shared out as far as dlogits and dH; then all meet, and the
// rows of dWy are shared out. Blocks alternate between two buffers, so that
// nobody writes what another still reads and one meeting a block is enough.
func (ws *Workspace) outputBackward(w *kernels.Worker) {
	m := ws.m
	hidden, v := m.Hidden, m.head()
	scale := 1 / float32(ws.T*ws.B)
	units, classes := w.Share(hidden), w.Share(v)
	dby := ws.Grads.By[classes.Lo:classes.Hi]
	clear(dby)
	for i := range ws.blocks {
		b := &ws.blocks[i]
		at := i % 2 * ws.plan.blockRows
		own := w.Share(b.rows.Len())
		if own.Len() > 0 {
			rows := kernels.Span{Lo: b.rows.Lo + own.Lo, Hi: b.rows.Lo + own.Hi}
			dlogits := ws.softmax(w, rows, at+own.Lo, scale)
			w.Gemm(kernels.Product{ // dH = dlogits·Wyᵀ
				M: own.Len(),
				A: dlogits, LDA: v,
				B: m.wyT,
				C: ws.dz[rows.Lo*hidden:], LDC: hidden,
			}, m.wyT.All())
			if m.Tied {
				w.PackRows(&b.right, own, ws.statesAfter(rows), hidden)
			} else {
				w.PackRows(&b.right, own, dlogits, v)
			}
		}
		w.Barrier()
		var dwy kernels.Product
		if m.Tied { // dWx += dlogitsᵀ·H, to which backward 1 adds
			dwy = kernels.Product{
				M: classes.Len(),
				A: ws.logits[at*v+classes.Lo:], LDA: v, TransA: true,
				B: &b.right,
				C: ws.Grads.Wx[classes.Lo*hidden:], LDC: hidden,
			}
		} else { // dWy += Hᵀ·dlogits
			dwy = kernels.Product{
				M: units.Len(),
				A: ws.statesAfter(b.rows)[units.Lo:], LDA: hidden, TransA: true,
				B: &b.right,
				C: ws.Grads.Wy[units.Lo*v:], LDC: v,
			}
		}
		if i > 0 {
			dwy.S, dwy.LDS = dwy.C, dwy.LDC
		}
		w.Gemm(dwy, b.right.All())
		w.ColumnSums(dby, b.rows.Len(), ws.logits[at*v+classes.Lo:], v)
	}
}

// statesAfter returns the states that rows of T·B end in, as the output sees them.
func (ws *Workspace) statesAfter(rows kernels.Span) []float32 {
	return ws.seen[rows.Lo*ws.m.Hidden : rows.Hi*ws.m.Hidden]
}

// statesOut returns the states after each step, [T,B,H].
func (ws *Workspace) statesOut() []float32 { return ws.H[ws.B*ws.m.Hidden:] }

// meanLoss adds up the losses in order.
func (ws *Workspace) meanLoss() float64 {
	if ws.tails != nil {
		ws.tails.addLosses(ws.Losses)
	}
	var sum float64
	for _, l := range ws.Losses {
		sum += float64(l)
	}
	return sum / float64(len(ws.Losses))
}
