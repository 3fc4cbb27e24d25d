package rnn

import "batchrnn/kernels"

// Backward computes the gradient of what Loss returns for targets with respect to
// all parameters, through all T steps of the last Forward. It fills Grads and
// Losses and returns the loss. It panics where Loss would, and in a workspace not
// made by NewTraining.
func (ws *Workspace) Backward(targets []int32) float64 {
	ws.checkTraining("Backward")
	ws.checkTargets("Backward", targets)
	ws.takeLabels(targets)
	return ws.learn()
}

// BackwardBinary is Backward for LossBinary.
func (ws *Workspace) BackwardBinary(targets []float32) float64 {
	ws.checkTraining("BackwardBinary")
	ws.checkVectors("BackwardBinary", targets)
	ws.checkProbabilities("BackwardBinary", targets)
	ws.takeVectors(binaryEntropy, targets)
	return ws.learn()
}

// BackwardSquared is Backward for LossSquared.
func (ws *Workspace) BackwardSquared(targets []float32) float64 {
	ws.checkTraining("BackwardSquared")
	ws.checkVectors("BackwardSquared", targets)
	ws.takeVectors(squaredError, targets)
	return ws.learn()
}

// learn runs the backward pass from the targets that have been taken.
func (ws *Workspace) learn() float64 {
	ws.kept = true
	if ws.count() == 0 {
		e := ws.m.engine
		e.Clear(ws.Grads.Slab)
		e.Clear(ws.DH0)
		e.Clear(ws.DX)
		for k := range ws.layers {
			e.Clear(ws.layers[k].dh)
		}
		return ws.meanLoss()
	}
	ws.fromOutputs, ws.dout, ws.dhn = true, ws.grads[0], nil
	ws.seen, ws.dseen = ws.top().up, ws.dout
	if ws.picks {
		ws.seen, ws.dseen = ws.gather, ws.dgather
	}
	ws.cutBlocks()
	if ws.tails != nil {
		ws.tails.cutTails()
	}
	ws.run(ws.plan.outputs, 0, ws.tasks.outputs)
	ws.throughLayers()
	return ws.meanLoss()
}

// BackwardStates is Backward for a loss of the states themselves. dh, [T,B,D·H], is
// its gradient with respect to [Workspace.States], without what reaches them
// through later steps; beyond a sequence's end it is not read. dhn, [L·D,B,H], is
// that with respect to [Workspace.State]. Either may be nil, for zeros. The
// gradient of an output layer is left alone.
func (ws *Workspace) BackwardStates(dh, dhn []float32) {
	ws.checkTraining("BackwardStates")
	ws.checkStates(dh, dhn)
	ws.kept = true
	ws.fromOutputs, ws.dout, ws.dhn = false, dh, dhn
	ws.throughLayers()
	ws.dout, ws.dhn = nil, nil
}

// throughLayers is backward 2 and 1 of every layer, the last first.
func (ws *Workspace) throughLayers() {
	for k := len(ws.layers) - 1; k >= 0; k-- {
		ws.run(ws.plan.steps, k, ws.tasks.stepsBack)
		ws.run(ws.plan.grads[k], k, ws.tasks.grads)
	}
}

// gradsShare is one worker's part of backward 1, with dWh, of a layer.
func (ws *Workspace) gradsShare(w *kernels.Worker) {
	ws.weightGrads(w, ws.at)
	ws.initialGrads(w, ws.at)
	ws.inputGrads(w, ws.at)
}

// outputsShare is one worker's part of backward 4 and 3. It leaves in dout the
// gradient of what the last layer gives.
func (ws *Workspace) outputsShare(w *kernels.Worker) {
	top := len(ws.layers) - 1
	if ws.drop != nil {
		ws.mask(w, top, ws.layers[top].up, ws.layers[top].out)
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
	// Both have ended in a barrier after dH.
	if ws.picks {
		ws.scatterRows(w, ws.dout)
	}
	if ws.drop != nil {
		ws.mask(w, top, ws.dout, ws.dout)
		w.Barrier()
	}
}

// layerGrads returns where the gradient of what layer k gives is, where its dZ
// goes, and where the gradient of what it reads. dZ replaces dH, unless a residual
// connection needs that once more.
func (ws *Workspace) layerGrads(k int) (dh, dz, below []float32) {
	i := (len(ws.layers) - 1 - k) % 2
	dh, dz, below = ws.grads[i], ws.grads[i], ws.grads[1-i]
	if ws.m.Residual {
		dh, dz, below = ws.grads[0], ws.grads[1], ws.grads[0]
	}
	if k == len(ws.layers)-1 {
		dh = ws.dout
	}
	return dh, dz, below
}

// stepsBackShare is one worker's part of backward 2 of a layer: it turns dH into dZ,
// the last step first.
func (ws *Workspace) stepsBackShare(w *kernels.Worker) {
	m, k := ws.m, ws.at
	l := &ws.layers[k]
	hidden, width, directions := m.Hidden, m.width(), m.directions()
	dh, dz, _ := ws.layerGrads(k)
	whT := m.packed[cellWh][0].trans
	all, panels := ws.plan.share(w, ws.B, whT.Panels())
	cols := whT.Columns(panels)
	plain := ws.dhn == nil && ws.reached == nil && l.dh == nil
	act := activations[m.Activation].kernel
	group := ws.plan.group
	for first := 0; first < directions; first += group {
		for s := ws.T - 1; s >= 0; s-- {
			for d := first; d < first+group; d++ {
				t, c := ws.time(d, s), k*directions+d
				rows := ws.lengths.rows(t, all)
				at := rows.Lo*width + d*hidden
				var from []float32
				if dh != nil {
					from = ws.slot(dh, t)[at:]
				}
				to := ws.slot(dz, t)[at:]
				if s < ws.T-1 {
					w.Gemm(kernels.Product{
						M: rows.Len(),
						A: ws.slot(dz, ws.time(d, s+1))[at:], LDA: width,
						B: m.packed[cellWh][c].trans,
						S: from, LDS: width,
						C: to, LDC: width,
					}, panels)
				} else {
					ws.clearReached(w, d, all, cols)
					for i := range rows.Len() { // nothing comes from later steps
						row := to[i*width+cols.Lo : i*width+cols.Hi]
						if from == nil {
							w.Clear(row)
						} else {
							w.Copy(row, from[i*width+cols.Lo:][:len(row)])
						}
					}
				}
				if !plain {
					ws.reach(w, k, d, t, rows, all, cols, to)
				}
				g := ws.slot(l.h, after(d, t))
				if l.g != nil {
					g = ws.slot(l.g, t)
				}
				w.Grad(act, rows.Len(), cols.Len(), to[cols.Lo:], width, g[at+cols.Lo:], width)
				if ws.lengths.of != nil {
					for b := all.Lo; b < all.Hi; b++ {
						if ws.lengths.ended(t, b) {
							w.Clear(to[(b-all.Lo)*width+cols.Lo : (b-all.Lo)*width+cols.Hi])
						}
					}
				}
			}
			if ws.plan.meets(ws.T-1-s+first/group*ws.T, directions/group*ws.T) {
				w.Barrier()
				all, panels = ws.plan.share(w, ws.B, whT.Panels())
				cols = whT.Columns(panels)
			}
		}
	}
}

// clearReached clears the gradient that comes along direction d's TimeSkip.
func (ws *Workspace) clearReached(w *kernels.Worker, d int, rows, cols kernels.Span) {
	if ws.reached == nil {
		return
	}
	for b := rows.Lo; b < rows.Hi; b++ {
		from := b*ws.m.width() + d*ws.m.Hidden
		w.Clear(ws.reached[from+cols.Lo : from+cols.Hi])
	}
}

// reach adds to dJ/dh_t in dh what doesn't come through Wh: of the state that
// sequences end in, and along TimeSkip, where dh then becomes that of α·g. rows are
// those of the worker's own that may have step t.
func (ws *Workspace) reach(w *kernels.Worker, k, d, t int, rows, own, cols kernels.Span, dh []float32) {
	width, cell := ws.m.width(), k*ws.m.directions()+d
	for b := rows.Lo; b < rows.Hi; b++ {
		row := dh[(b-rows.Lo)*width+cols.Lo : (b-rows.Lo)*width+cols.Hi]
		at := b*width + d*ws.m.Hidden
		if ws.lengths.ended(t, b) {
			ws.keepGrad(k, t, at, cols, nil)
			continue
		}
		if ws.dhn != nil && t == ws.lastStep(d, b) {
			w.Add(row, row, ws.cellRow(ws.dhn, cell, b)[cols.Lo:cols.Hi])
		}
		if ws.reached != nil {
			reached := ws.reached[at+cols.Lo : at+cols.Hi]
			w.Add(reached, reached, row)
			ws.keepGrad(k, t, at, cols, reached)
			w.Copy(row, reached)
			w.Scale(row, ws.m.TimeSkip)
		} else {
			ws.keepGrad(k, t, at, cols, row)
		}
	}
	for b := rows.Hi; b < own.Hi; b++ { // none of these has step t
		ws.keepGrad(k, t, b*width+d*ws.m.Hidden, cols, nil)
	}
}
