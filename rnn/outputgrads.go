package rnn

import "batchrnn/kernels"

// An outputBlock is the rows whose logits exist at one time.
type outputBlock struct {
	rows kernels.Span
	// The right-hand side of dWy, their gradient; of its transpose where it is
	// tied, the states.
	right kernels.Packed
}

// cutBlocks cuts the rows that count into blocks, before the region.
func (ws *Workspace) cutBlocks() {
	ws.blocks = ws.blocks[:0]
	for lo := 0; lo < ws.count(); lo += ws.plan.blockRows {
		span := kernels.Span{Lo: lo, Hi: min(lo+ws.plan.blockRows, ws.count())}
		ws.blocks = append(ws.blocks, outputBlock{span, ws.packs[len(ws.blocks)%2].First(span.Len())})
	}
}

// outputBackward is one worker's part of stages 3 and 4 and of backward 3. A
// block's rows are shared out as far as dlogits and dH; then all meet, and the
// rows of dWy are shared out. Blocks alternate between two buffers, so that
// nobody writes what another still reads and one meeting a block is enough.
func (ws *Workspace) outputBackward(w *kernels.Worker) {
	m := ws.m
	width, v := m.width(), m.head()
	first := w.Share(v)
	w.Clear(ws.Grads.By[first.Lo:first.Hi])
	for i := range ws.blocks {
		b := &ws.blocks[i]
		at := i % 2 * ws.plan.blockRows
		own := w.Share(b.rows.Len())
		if own.Len() > 0 {
			rows := kernels.Span{Lo: b.rows.Lo + own.Lo, Hi: b.rows.Lo + own.Hi}
			dlogits := ws.rowLosses(w, rows, at+own.Lo)
			w.Gemm(kernels.Product{ // dH = dlogits·Wyᵀ
				M: own.Len(),
				A: dlogits, LDA: v,
				B: m.packed[headWy][0].trans,
				C: ws.dseen[rows.Lo*width:], LDC: width,
			}, m.packed[headWy][0].trans.All())
			if m.Tied {
				w.PackRows(&b.right, own, ws.seenRows(rows), width)
			} else {
				w.PackRows(&b.right, own, dlogits, v)
			}
		}
		w.Barrier()
		units, classes := w.Share(width), w.Share(v)
		var dwy kernels.Product
		if m.Tied { // dWx += dlogitsᵀ·H, to which backward 1 adds
			dwy = kernels.Product{
				M: classes.Len(),
				A: ws.logits[at*v+classes.Lo:], LDA: v, TransA: true,
				B: &b.right,
				C: ws.Grads.Cells[0].Wx[classes.Lo*width:], LDC: width,
			}
		} else { // dWy += Hᵀ·dlogits
			dwy = kernels.Product{
				M: units.Len(),
				A: ws.seenRows(b.rows)[units.Lo:], LDA: width, TransA: true,
				B: &b.right,
				C: ws.Grads.Wy[units.Lo*v:], LDC: v,
			}
		}
		if i > 0 {
			dwy.S, dwy.LDS = dwy.C, dwy.LDC
		}
		w.Gemm(dwy, b.right.All())
		w.ColumnSums(ws.Grads.By[classes.Lo:classes.Hi], b.rows.Len(), ws.logits[at*v+classes.Lo:], v)
	}
}
