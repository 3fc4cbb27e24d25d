package rnn

// Forward runs T steps on ids, [T,B], each below E or None, from the initial
// states. It panics where the model's input is dense, ids has another length, or
// an id is out of range.
func (ws *Workspace) Forward(ids []int32) {
	ws.checkIDs(ids)
	ws.takeIDs(ids)
	ws.forward()
}

// ForwardDense is Forward for a model with a dense input x, [T,B,E], which the
// workspace keeps: Backward reads it again.
func (ws *Workspace) ForwardDense(x []float32) {
	if !ws.m.Dense {
		panic("rnn: ForwardDense takes vectors, but the model's input is ids: use Forward, or set Config.Dense")
	}
	ws.checkLen("ForwardDense", "x", len(x), ws.T*ws.B*ws.m.Input, "T·B·E")
	ws.takeDense(x)
	ws.forward()
}

// forward runs stages 1 and 2 of every layer on the input that has been taken.
func (ws *Workspace) forward() {
	ws.pass.ran = true
	if ws.drop != nil {
		ws.drop.draws++
	}
	for k := range ws.layers {
		if ws.startsInPlace(k) {
			ws.run(ws.plan.starts[k], k, (*Workspace).startsShare) // 1 input
		}
		ws.run(ws.plan.steps, k, (*Workspace).stepsShare) // 2 for t
		if ws.changes(k) {
			ws.run(ws.plan.up, k, (*Workspace).passUpShare)
		}
	}
}

func (ws *Workspace) checkIDs(ids []int32) {
	if ws.m.Dense {
		panic("rnn: Forward takes ids, but the model's input is dense: use ForwardDense")
	}
	ws.checkLen("Forward", "ids", len(ids), ws.T*ws.B, "T·B")
	for row, id := range ids {
		if uint(id) >= uint(ws.m.Input) && id != None && !ws.lengths.ended(row/ws.B, row%ws.B) {
			outside("Forward", "id", id, row, ws.m.Input, "inputs")
		}
	}
}
