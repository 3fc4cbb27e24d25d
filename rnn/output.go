package rnn

import "batchrnn/kernels"

// Loss returns the mean cross-entropy of targets, [T,B], in nats per step,
// given the states of the last Forward; Losses holds its terms. It panics
// where there is no output layer, targets has another length, or a target is
// not below V.
func (ws *Workspace) Loss(targets []int32) float64 {
	ws.checkTargets("Loss", targets)
	ws.targets = targets
	ws.m.engine.Run(ws.outputWorkers(), ws.loss)
	return ws.meanLoss()
}

// Logits sets dst, [B,V], to the outputs of step t of the last Forward.
func (ws *Workspace) Logits(dst []float32, t int) {
	ws.checkLogits(dst, t)
	ws.m.engine.Gemm(ws.m.output(ws.state(t+1), dst, ws.B))
}

// output is stage 3 for some rows of states h.
func (m *Model) output(h, logits []float32, rows int) kernels.Product {
	return kernels.Product{
		M: rows,
		A: h, LDA: m.Hidden,
		B:    m.wy,
		Bias: m.By,
		C:    logits, LDC: m.Output,
	}
}

// outputWorkers is how many workers pay for the output layer alone.
func (ws *Workspace) outputWorkers() int {
	if ws.T*ws.B*ws.m.Hidden*ws.m.Output < passSerial {
		return 1
	}
	return ws.m.engine.Threads()
}

// An outputBlock is the rows of T·B whose logits exist at one time.
type outputBlock struct {
	rows    kernels.Span
	dlogits *kernels.Packed // their gradient as the right-hand side of dWy
}

// lossShare is one worker's part of stages 3 and 4 without gradient: it walks
// its own rows with its own part of the block buffer.
func (ws *Workspace) lossShare(w *kernels.Worker) {
	buf, all := w.Share(ws.plan.blockRows), w.Share(ws.T*ws.B)
	for lo := all.Lo; lo < all.Hi; lo += buf.Len() {
		ws.softmax(w, kernels.Span{Lo: lo, Hi: min(lo+buf.Len(), all.Hi)}, buf.Lo, 0)
	}
}

// softmax runs stages 3 and 4 on some rows with their logits at row at of the
// block buffer, and returns there the gradient of scale times the losses.
func (ws *Workspace) softmax(w *kernels.Worker, rows kernels.Span, at int, scale float32) (dlogits []float32) {
	m := ws.m
	logits := ws.logits[at*m.Output:][:rows.Len()*m.Output]
	w.Gemm(m.output(ws.statesAfter(rows), logits, rows.Len()), m.wy.All())
	w.SoftmaxCrossEntropy(ws.Losses[rows.Lo:rows.Hi], m.Output, logits, m.Output, ws.targets[rows.Lo:rows.Hi], scale)
	return logits
}

// outputBackward is one worker's part of stages 3 and 4 and of backward 3. A
// block's rows are shared out as far as dlogits and dH; then all meet, and the
// rows of dWy are shared out. Blocks alternate between two buffers, so that
// nobody writes what another still reads and one meeting a block is enough.
func (ws *Workspace) outputBackward(w *kernels.Worker) {
	m := ws.m
	hidden, v := m.Hidden, m.Output
	scale := 1 / float32(ws.T*ws.B)
	units, classes := w.Share(hidden), w.Share(v)
	dby := ws.Grads.By[classes.Lo:classes.Hi]
	clear(dby)
	for i, b := range ws.blocks {
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
			w.PackRows(b.dlogits, own, dlogits, v)
		}
		w.Barrier()
		dwy := kernels.Product{ // dWy += Hᵀ·dlogits
			M: units.Len(),
			A: ws.statesAfter(b.rows)[units.Lo:], LDA: hidden, TransA: true,
			B: b.dlogits,
			C: ws.Grads.Wy[units.Lo*v:], LDC: v,
		}
		if i > 0 {
			dwy.S, dwy.LDS = dwy.C, v
		}
		w.Gemm(dwy, b.dlogits.All())
		w.ColumnSums(dby, b.rows.Len(), ws.logits[at*v+classes.Lo:], v)
	}
}

// statesAfter returns the states that rows of T·B end in.
func (ws *Workspace) statesAfter(rows kernels.Span) []float32 {
	return ws.H[(ws.B+rows.Lo)*ws.m.Hidden : (ws.B+rows.Hi)*ws.m.Hidden]
}

// meanLoss adds up the losses in order.
func (ws *Workspace) meanLoss() float64 {
	var sum float64
	for _, l := range ws.Losses {
		sum += float64(l)
	}
	return sum / float64(len(ws.Losses))
}
