package rnn

import (
	"fmt"
	"math"
	"slices"
)

// Shape mistakes and ids out of range panic here, in the caller's goroutine and
// before anything is written.

func (m *Model) checkSize(steps, batch int) {
	if steps < 1 || batch < 1 {
		panic(fmt.Sprintf("rnn: a workspace of %d steps and %d rows: both must be at least 1", steps, batch))
	}
	widest := int64(max(m.width(), m.Output, m.Input))
	if int64(steps) >= maxStates/int64(batch)/widest {
		panic(fmt.Sprintf("rnn: a workspace of %d steps and %d rows %d wide is more than the %d floats that are supported",
			steps, batch, widest, int64(maxStates)))
	}
}

// maxStates bounds each buffer of a workspace, in floats.
const maxStates = 1 << 36

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

func (ws *Workspace) checkDense(x []float32) {
	if !ws.m.Dense {
		panic("rnn: ForwardDense takes vectors, but the model's input is ids: use Forward, or set Config.Dense")
	}
	ws.checkLen("ForwardDense", "x", len(x), ws.T*ws.B*ws.m.Input, "T·B·E")
}

func (ws *Workspace) checkOutputs(op string) {
	if ws.m.Output == 0 {
		panic("rnn: the model has no output layer: set Config.Output, or use BackwardStates")
	}
	ws.checkRan(op)
	if len(ws.Losses) != ws.rows {
		panic(fmt.Sprintf("rnn: %s: Losses has length %d, want %d = %s", op, len(ws.Losses), ws.rows, ws.rowsFormula()))
	}
}

// rowsFormula says how many outputs there are.
func (ws *Workspace) rowsFormula() string {
	if ws.m.LastStep {
		return fmt.Sprintf("B for B %d and an output after the last step alone", ws.B)
	}
	return fmt.Sprintf("T·B for T %d, B %d", ws.T, ws.B)
}

func (ws *Workspace) checkTargets(op string, targets []int32) {
	ws.checkOutputs(op)
	if len(targets) != ws.rows {
		panic(fmt.Sprintf("rnn: %s: targets has length %d, want %d = %s", op, len(targets), ws.rows, ws.rowsFormula()))
	}
	for row, target := range targets {
		if uint(target) >= uint(ws.m.Output) && target != Ignore && (ws.m.LastStep || !ws.lengths.ended(row/ws.B, row%ws.B)) {
			outside(op, "target", target, row, ws.m.Output, "outputs")
		}
	}
}

// checkVectors wants targets that are vectors, and a softmax that isn't adaptive.
func (ws *Workspace) checkVectors(op string, targets []float32) {
	ws.checkOutputs(op)
	if ws.tails != nil {
		panic("rnn: " + op + ": the model's output is an adaptive softmax, whose targets are ids: use Loss and Backward, or leave Config.Cutoffs out")
	}
	if want := ws.rows * ws.m.Output; len(targets) != want {
		panic(fmt.Sprintf("rnn: %s: targets has length %d, want %d = V·%s, V %d", op, len(targets), want, ws.rowsFormula(), ws.m.Output))
	}
}

// checkProbabilities wants targets in [0,1] at the steps that sequences have.
func (ws *Workspace) checkProbabilities(op string, targets []float32) {
	v := ws.m.Output
	for i, t := range targets {
		row := i / v
		if !(t >= 0 && t <= 1) && (ws.m.LastStep || !ws.lengths.ended(row/ws.B, row%ws.B)) {
			panic(fmt.Sprintf("rnn: %s: target %v at index %d is not a probability, from 0 to 1", op, t, i))
		}
	}
}

func (ws *Workspace) checkWeights(w []float32) {
	if w == nil {
		return
	}
	if len(w) != ws.m.Output {
		panic(fmt.Sprintf("rnn: WeightLabels: w has length %d, want %d, one weight for each output", len(w), ws.m.Output))
	}
	for i, x := range w {
		if !(x >= 0 && x <= math.MaxFloat32) {
			panic(fmt.Sprintf("rnn: WeightLabels: the weight of label %d is %v, want 0 or more", i, x))
		}
	}
	if slices.Max(w) == 0 {
		panic("rnn: WeightLabels: all weights are 0, and nothing would count: give one above 0, or nil for no weights")
	}
}

func (ws *Workspace) checkLengths(steps []int32) {
	if steps == nil {
		return
	}
	if len(steps) != ws.B {
		panic(fmt.Sprintf("rnn: SetLengths: %d lengths for a batch of %d sequences", len(steps), ws.B))
	}
	for b, n := range steps {
		if n < 1 || int(n) > ws.T {
			panic(fmt.Sprintf("rnn: SetLengths: sequence %d has %d steps, must be from 1 to the %d of the workspace", b, n, ws.T))
		}
	}
}

func (ws *Workspace) checkStates(dh, dhn []float32) {
	ws.checkRan("BackwardStates")
	if dh != nil {
		ws.checkLen("BackwardStates", "dh", len(dh), ws.T*ws.B*ws.m.width(), "T·B·D·H")
	}
	if dhn != nil {
		ws.checkState("BackwardStates", "dhn", dhn)
	}
}

// checkState wants a state of all cells.
func (ws *Workspace) checkState(op, name string, h []float32) {
	ws.checkLen(op, name, len(h), ws.m.cells()*ws.B*ws.m.Hidden, "L·D·B·H")
}

func (ws *Workspace) checkCarry() {
	if ws.m.Bidirectional {
		panic("rnn: Carry: a bidirectional model reads each sequence as a whole: feed it at once")
	}
}

func (ws *Workspace) checkLogits(dst []float32, t int) {
	if ws.m.Output == 0 {
		panic("rnn: Logits: the model has no output layer")
	}
	ws.checkRan("Logits")
	if t < 0 || t >= ws.T {
		panic(fmt.Sprintf("rnn: Logits: step %d is outside the %d steps of the workspace", t, ws.T))
	}
	if ws.m.LastStep && t != ws.T-1 {
		panic(fmt.Sprintf("rnn: Logits: step %d has no output: the model has them after the last step, %d, alone", t, ws.T-1))
	}
	ws.checkLen("Logits", "dst", len(dst), ws.B*ws.m.Output, "B·V")
}

func (m *Model) checkDropout(rate float64) {
	if m.Output == 0 && m.Layers == 1 {
		panic("rnn: Dropout is of states on their way to a layer above or an output layer, and the model has neither")
	}
	if !(rate >= 0 && rate < 1) {
		panic(fmt.Sprintf("rnn: Dropout of %v: want a share of the states, from 0 to below 1", rate))
	}
}

func (ws *Workspace) checkTraining(op string) {
	ws.m.checkWhole(op)
	if ws.grads[0] == nil {
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

// outside panics because of an id at an index.
func outside(op, name string, id int32, i, n int, what string) {
	panic(fmt.Sprintf("rnn: %s: %s %d at index %d is outside the %d %s", op, name, id, i, n, what))
}

func (m *Model) checkSampler() {
	if m.Dense || m.Output == 0 || m.Output > m.Input {
		panic("rnn: NewSampler needs a model of ids whose outputs are its next inputs")
	}
	if m.Bidirectional || m.LastStep {
		panic("rnn: NewSampler needs a model of one direction with an output at every step")
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
