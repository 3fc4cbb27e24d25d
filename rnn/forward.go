package rnn

// Forward runs T steps from the initial states. ids is [T,B], and each id is below
// Config.Input or None. It panics if the model's input is dense, ids has another length, or an id is
// out of range. With T > 1 it also panics if [Model.Update] is seen to be missing.
func (ws *Workspace) Forward(ids []int32) {
	ws.CheckForward(ids)
	ws.takeIDs(ids)
	ws.forward()
}

// CheckForward panics if Forward would, and writes nothing. A pass through several
// networks can so be checked before the first one runs.
func (ws *Workspace) CheckForward(ids []int32) {
	if ws.m.Dense {
		panic("rnn: Forward takes ids, but the model's input is dense: use ForwardDense")
	}
	ws.checkLen("Forward", "ids", len(ids), ws.T*ws.B, "T·B")
	for row, id := range ids[:ws.steps*ws.B] {
		if uint(id) >= uint(ws.m.Input) && id != None && !ws.lengths.ended(row/ws.B, row%ws.B) {
			outside("Forward", "id", id, row, ws.m.Input, "inputs")
		}
	}
	ws.checkUpdated("Forward")
}

// ForwardDense is Forward for a model with a dense input x, [T,B,E]. The workspace
// keeps x, because Backward reads it again.
func (ws *Workspace) ForwardDense(x []float32) {
	ws.CheckForwardDense(x)
	ws.takeDense(x)
	ws.forward()
}

// CheckForwardDense is CheckForward for ForwardDense.
func (ws *Workspace) CheckForwardDense(x []float32) {
	if !ws.m.Dense {
		panic("rnn: ForwardDense takes vectors, but the model's input is ids: use Forward, or set Config.Dense")
	}
	ws.checkLen("ForwardDense", "x", len(x), ws.T*ws.B*ws.m.Input, "T·B·E")
	ws.checkUpdated("ForwardDense")
}

// checkUpdated checks passes of more than one step. In a single step the check would
// take a measurable share of the time.
func (ws *Workspace) checkUpdated(op string) {
	if ws.T > 1 {
		ws.m.checkUpdated(op)
	}
}

// forward runs stages 1 and 2 of every layer on the input that the workspace has taken.
func (ws *Workspace) forward() {
	ws.pass.ran = true
	if ws.drop != nil {
		ws.drop.draws++
	}
	steps := (*Workspace).stepsShare
	if ws.m.Cell != Vanilla {
		steps = (*Workspace).gatedShare
	}
	for k := range ws.layers {
		if ws.startsInPlace(k) {
			ws.run(ws.plan.starts[k], k, (*Workspace).startsShare) // 1 input
		}
		ws.run(ws.plan.steps, k, steps) // 2 for t
		if ws.changes(k) {
			ws.run(ws.plan.up, k, (*Workspace).passUpShare)
		}
	}
}

// Loss returns the mean cross-entropy of targets in nats. targets is [T,B], or [B] with
// Config.LastStep. The mean is over the rows that count: within their sequence's
// length, with a target other than Ignore. It is 0 if no row counts. Losses holds the
// terms.
//
// It panics if there is no output layer, targets has another length, or a target is not
// below V.
func (ws *Workspace) Loss(targets []int32) float64 {
	ws.checkTargets("Loss", targets)
	ws.takeLabels(targets)
	return ws.score()
}

// LossBinary returns the mean binary cross-entropy in nats over all outputs of the rows
// that count. targets is [T,B,V], or [B,V] with Config.LastStep. Each target t is the
// probability that its output is on; its loss is -t·log σ(y) - (1-t)·log σ(-y).
//
// It panics if Loss would, or if a target is outside [0,1].
func (ws *Workspace) LossBinary(targets []float32) float64 {
	ws.checkVectors("LossBinary", targets)
	ws.checkProbabilities("LossBinary", targets)
	ws.takeVectors(binaryEntropy, targets)
	return ws.score()
}

// LossSquared returns the mean of (y-t)² over all outputs of the rows that count. The
// targets t are [T,B,V], or [B,V] with Config.LastStep. It panics if Loss would.
func (ws *Workspace) LossSquared(targets []float32) float64 {
	ws.checkVectors("LossSquared", targets)
	ws.takeVectors(squaredError, targets)
	return ws.score()
}

// score runs stages 3 and 4 on the targets that the workspace has taken.
func (ws *Workspace) score() float64 {
	if ws.count() == 0 {
		return ws.meanLoss()
	}
	ws.pass.seen = ws.top().out
	if ws.picks {
		ws.pass.seen = ws.gather
	}
	ws.run(ws.plan.outputs, 0, (*Workspace).lossShare) // 3 logits, 4 loss
	return ws.meanLoss()
}
