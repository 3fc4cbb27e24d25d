package rnn

import "fmt"

// Shape mistakes and ids out of range panic here, in the caller's goroutine and
// before anything is written.

func (m *Model) checkSize(steps, batch int) {
	if steps < 1 || batch < 1 {
		panic(fmt.Sprintf("rnn: a workspace of %d steps and %d rows: both must be at least 1", steps, batch))
	}
	widest := int64(max(m.Hidden, m.Output, m.Input))
	if int64(steps) >= maxStates/int64(batch)/widest {
		panic(fmt.Sprintf("rnn: a workspace of %d steps and %d rows %d wide is more than the %d floats that are supported",
			steps, batch, widest, int64(maxStates)))
	}
}

// maxStates bounds each buffer of a workspace, in floats.
const maxStates = 1 << 36

// checkBuffers wants the exported buffers as they were made.
func (ws *Workspace) checkBuffers(op string) {
	ws.checkLen(op, "H", len(ws.H), (ws.T+1)*ws.B*ws.m.Hidden, "(T+1)·B·H")
	ws.checkLen(op, "Losses", len(ws.Losses), ws.T*ws.B, "T·B")
}

func (ws *Workspace) checkIDs(ids []int32) {
	if ws.m.Dense {
		panic("rnn: Forward takes ids, but the model's input is dense: use ForwardDense")
	}
	ws.checkBuffers("Forward")
	ws.checkLen("Forward", "ids", len(ids), ws.T*ws.B, "T·B")
	checkRange("Forward", "id", ids, ws.m.Input, "inputs")
}

func (ws *Workspace) checkDense(x []float32) {
	if !ws.m.Dense {
		panic("rnn: ForwardDense takes vectors, but the model's input is ids: use Forward, or set Config.Dense")
	}
	ws.checkBuffers("ForwardDense")
	ws.checkLen("ForwardDense", "x", len(x), ws.T*ws.B*ws.m.Input, "T·B·E")
}

func (ws *Workspace) checkTargets(op string, targets []int32) {
	if ws.m.Output == 0 {
		panic("rnn: the model has no output layer: set Config.Output, or use BackwardStates")
	}
	ws.checkRan(op)
	ws.checkBuffers(op)
	ws.checkLen(op, "targets", len(targets), ws.T*ws.B, "T·B")
	checkRange(op, "target", targets, ws.m.Output, "outputs")
}

func (ws *Workspace) checkStates(dh []float32) {
	ws.checkRan("BackwardStates")
	ws.checkBuffers("BackwardStates")
	ws.checkLen("BackwardStates", "dh", len(dh), ws.T*ws.B*ws.m.Hidden, "T·B·H")
}

func (ws *Workspace) checkLogits(dst []float32, t int) {
	if ws.m.Output == 0 {
		panic("rnn: Logits: the model has no output layer")
	}
	ws.checkRan("Logits")
	ws.checkBuffers("Logits")
	if t < 0 || t >= ws.T {
		panic(fmt.Sprintf("rnn: Logits: step %d is outside the %d steps of the workspace", t, ws.T))
	}
	ws.checkLen("Logits", "dst", len(dst), ws.B*ws.m.Output, "B·V")
}

// checkWhole wants a model that still has all of its parameters.
func (m *Model) checkWhole(op string) {
	if m.compact() {
		panic("rnn: " + op + ": the model has been made compact: it only scores")
	}
}

func (m *Model) checkDropout(rate float64) {
	if m.Output == 0 {
		panic("rnn: Dropout is of states on their way to an output layer, and the model has none")
	}
	if !(rate >= 0 && rate < 1) {
		panic(fmt.Sprintf("rnn: Dropout of %v: want a share of the states, from 0 to below 1", rate))
	}
}

func (ws *Workspace) checkTraining(op string) {
	ws.m.checkWhole(op)
	if ws.dz == nil {
		panic("rnn: " + op + " needs a workspace made by NewTraining")
	}
}

func (ws *Workspace) checkRan(op string) {
	if !ws.ran {
		panic("rnn: " + op + " needs the states of a Forward or ForwardDense before it")
	}
}

func (ws *Workspace) checkLen(op, name string, have, want int, formula string) {
	if have != want {
		panic(fmt.Sprintf("rnn: %s: %s has length %d, want %d = %s for T %d, B %d", op, name, have, want, formula, ws.T, ws.B))
	}
}

func checkRange(op, name string, ids []int32, n int, what string) {
	for i, id := range ids {
		if uint(id) >= uint(n) {
			panic(fmt.Sprintf("rnn: %s: %s %d at index %d is outside the %d %s", op, name, id, i, n, what))
		}
	}
}

func (m *Model) checkSampler() {
	if m.Dense || m.Output == 0 || m.Output > m.Input {
		panic("rnn: NewSampler needs a model of ids whose outputs are its next inputs")
	}
}

func (m *Model) checkStep(opt Optimizer, grads []float32) {
	m.checkWhole("Step")
	if len(grads) != len(m.Slab) {
		panic(fmt.Sprintf("rnn: Step: the gradient has length %d, the model %d parameters", len(grads), len(m.Slab)))
	}
	opt.check(len(m.Slab))
}

// checkState wants an optimiser's state to be of the model that it steps.
func checkState(optimizer string, have, params int) {
	if have != params {
		panic(fmt.Sprintf("rnn: Step: %s was made for %d parameters, the model has %d", optimizer, have, params))
	}
}
