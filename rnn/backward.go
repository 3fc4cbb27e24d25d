package rnn

import "batchrnn/kernels"

// Backward computes the gradient of Loss with respect to all parameters, through all T
// steps of the last Forward. It fills Grads and Losses, and returns the loss. It panics
// if Loss would, if the workspace was not made by NewTraining, or if [Model.Update] is
// seen to be missing.
func (ws *Workspace) Backward(targets []int32) float64 {
	ws.checkTraining("Backward")
	ws.checkTargets("Backward", targets)
	ws.m.checkUpdated("Backward")
	ws.takeLabels(targets)
	return ws.learn()
}

// BackwardBinary is Backward for LossBinary.
func (ws *Workspace) BackwardBinary(targets []float32) float64 {
	ws.checkTraining("BackwardBinary")
	ws.checkVectors("BackwardBinary", targets)
	ws.checkProbabilities("BackwardBinary", targets)
	ws.m.checkUpdated("BackwardBinary")
	ws.takeVectors(binaryEntropy, targets)
	return ws.learn()
}

// BackwardSquared is Backward for LossSquared.
func (ws *Workspace) BackwardSquared(targets []float32) float64 {
	ws.checkTraining("BackwardSquared")
	ws.checkVectors("BackwardSquared", targets)
	ws.m.checkUpdated("BackwardSquared")
	ws.takeVectors(squaredError, targets)
	return ws.learn()
}

// learn runs the backward pass from the targets that the workspace has taken.
func (ws *Workspace) learn() float64 {
	ws.kept = true
	if ws.count() == 0 {
		e := ws.m.engine
		e.Clear(ws.Grads.Slab)
		e.Clear(ws.DState.H)
		e.Clear(ws.DState.C)
		e.Clear(ws.DX)
		for k := range ws.layers {
			e.Clear(ws.layers[k].dh)
		}
		ws.noGrads()
		return ws.meanLoss()
	}
	p := &ws.pass
	p.fromOutputs, p.dout, p.dlast = true, ws.grads[0], State{}
	p.seen, p.dseen = ws.top().up, p.dout
	if ws.picks {
		p.seen, p.dseen = ws.gather, ws.dgather
	}
	rest, end := ws.front, ws.steps*ws.B
	if !ws.picks { // otherwise outputsShare sets all rows
		ws.m.engine.Clear(p.dout[rest*ws.m.width() : end*ws.m.width()])
	}
	ws.cutBlocks()
	ws.run(ws.plan.outputs, 0, (*Workspace).outputsShare) // 3 logits, 4 loss, backward 3
	ws.passParts(0)
	ws.throughLayers()
	return ws.meanLoss()
}

// BackwardStates is Backward for a loss of the states themselves. dh may be nil, for
// zeros. The gradient of an output layer stays as it is.
//
// dh, [T,B,D·P], is the gradient with respect to [Workspace.States]. It leaves out the
// part that comes through later steps. It is not read beyond a sequence's end. last is
// the gradient with respect to [Workspace.State]; its zero value stands for zeros.
func (ws *Workspace) BackwardStates(dh []float32, last State) {
	ws.CheckBackwardStates(dh, last)
	ws.kept = true
	ws.pass.fromOutputs, ws.pass.dout, ws.pass.dlast = false, dh, last
	if ws.shards.splits() {
		ws.m.engine.Clear(ws.Grads.tiedTo()) // to which JoinGrads adds
	}
	ws.throughLayers()
	ws.pass.dout, ws.pass.dlast = nil, State{}
}

// CheckBackwardStates panics if BackwardStates would, and writes nothing.
func (ws *Workspace) CheckBackwardStates(dh []float32, last State) {
	ws.checkTraining("BackwardStates")
	ws.checkRan("BackwardStates")
	if dh != nil {
		ws.checkLen("BackwardStates", "dh", len(dh), ws.T*ws.B*ws.m.width(), "T·B·D·P")
	}
	if last.H != nil || last.C != nil {
		ws.m.checkState("BackwardStates", "last", last, ws.B)
	}
	ws.m.checkUpdated("BackwardStates")
}

// throughLayers runs backward 2 and 1 of every layer, from the last to the first.
func (ws *Workspace) throughLayers() {
	steps := (*Workspace).stepsBackShare
	if ws.m.Cell != Vanilla {
		steps = (*Workspace).gatedBackShare
	}
	if rest := ws.steps * ws.B; ws.steps < ws.T { // gradients of steps that no sequence has
		for k := range ws.layers {
			if l := &ws.layers[k]; l.dh != nil {
				ws.m.engine.Clear(l.dh[rest*ws.m.width() : ws.T*ws.B*ws.m.width()])
			}
		}
		if ws.DX != nil {
			ws.m.engine.Clear(ws.DX[rest*ws.m.Input:])
		}
	}
	ws.beginShards()
	ws.swapIdle()
	for k := len(ws.layers) - 1; k >= 0; k-- {
		ws.run(ws.plan.steps, k, steps)                      // 2 for t
		ws.run(ws.plan.grads[k], k, (*Workspace).gradsShare) // dWh, and 1
		ws.passParts(len(ws.layers) - k)
	}
	ws.swapIdle()
	ws.endShards()
}

// gradsShare is one worker's part of backward 1 of a layer, together with dWh.
func (ws *Workspace) gradsShare(w *kernels.Worker) {
	k := ws.at
	for d := range ws.m.directions() {
		ws.inputWeightGrads(w, k, d)
		if ws.m.Cell == Vanilla {
			ws.stateWeightGrads(w, k, d)
		} else {
			ws.gatedWeightGrads(w, k, d)
		}
	}
	switch {
	case ws.DState.H == nil:
	case ws.m.Cell == Vanilla:
		ws.initialGrads(w, k)
	default:
		ws.gatedInitialGrads(w, k)
	}
	ws.inputGrads(w, k)
	if k == 0 && ws.m.embeds() {
		ws.embeddingGrads(w)
	}
}
