package rnn

import "batchrnn/kernels"

// Backward computes the gradient of what Loss returns for targets with respect to
// all parameters, through all T steps of the last Forward. It fills Grads and
// Losses and returns the loss. It panics where Loss would, in a workspace not made
// by NewTraining, and where [Model.Update] is seen to be missing.
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
	p := &ws.pass
	p.fromOutputs, p.dout, p.dhn = true, ws.grads[0], nil
	p.seen, p.dseen = ws.top().up, p.dout
	if ws.picks {
		p.seen, p.dseen = ws.gather, ws.dgather
	}
	ws.cutBlocks()
	ws.run(ws.plan.outputs, 0, (*Workspace).outputsShare) // 3 logits, 4 loss, backward 3
	ws.throughLayers()
	return ws.meanLoss()
}

// BackwardStates is Backward for a loss of the states themselves. dh, [T,B,D·H], is
// its gradient with respect to [Workspace.States], without what reaches them
// through later steps; beyond a sequence's end it is not read. dhn, [L·D,B,H], is
// that with respect to [Workspace.State]. Either may be nil, for zeros. The
// gradient of an output layer is left alone.
func (ws *Workspace) BackwardStates(dh, dhn []float32) {
	ws.CheckBackwardStates(dh, dhn)
	ws.kept = true
	ws.pass.fromOutputs, ws.pass.dout, ws.pass.dhn = false, dh, dhn
	ws.throughLayers()
	ws.pass.dout, ws.pass.dhn = nil, nil
}

// CheckBackwardStates panics where BackwardStates would, and writes nothing.
func (ws *Workspace) CheckBackwardStates(dh, dhn []float32) {
	ws.checkTraining("BackwardStates")
	ws.checkRan("BackwardStates")
	if dh != nil {
		ws.checkLen("BackwardStates", "dh", len(dh), ws.T*ws.B*ws.m.width(), "T·B·D·H")
	}
	if dhn != nil {
		ws.checkState("BackwardStates", "dhn", dhn)
	}
	ws.m.checkUpdated("BackwardStates")
}

// throughLayers is backward 2 and 1 of every layer, the last first.
func (ws *Workspace) throughLayers() {
	for k := len(ws.layers) - 1; k >= 0; k-- {
		ws.run(ws.plan.steps, k, (*Workspace).stepsBackShare) // 2 for t
		ws.run(ws.plan.grads[k], k, (*Workspace).gradsShare)  // dWh, and 1
	}
}

// gradsShare is one worker's part of backward 1, with dWh, of a layer.
func (ws *Workspace) gradsShare(w *kernels.Worker) {
	k := ws.at
	for d := range ws.m.directions() {
		ws.inputWeightGrads(w, k, d)
		ws.stateWeightGrads(w, k, d)
	}
	ws.initialGrads(w, k)
	ws.inputGrads(w, k)
}
