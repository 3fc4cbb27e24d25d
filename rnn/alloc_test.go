package rnn

import (
	"testing"

	"batchrnn/kernels"
)

// TestNoAllocations: whatever runs more than once allocates nothing.
func TestNoAllocations(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, j := range []job{
			rowsJob,
			columnsJob,
			{Config{Input: 21, Dense: true, Layers: 1, Hidden: 67}, 3, 5},
			adaptiveJob,
			tiedJob,
			deepJob,
			{Config{Input: 9, Layers: 2, Bidirectional: true, Hidden: 37, Output: 11, LastStep: true}, 7, 35},
			{Config{Input: 9, Dense: true, Layers: 2, Bidirectional: true, Residual: true, Hidden: 37, Output: 5}, 4, 13},
			{Config{Input: 30, Cell: LSTM, Layers: 1, Hidden: 33, Output: 17}, 40, 33},
			{Config{Input: 9, Cell: LSTM, Dense: true, Layers: 2, Bidirectional: true, Hidden: 67, Projection: 30, Output: 5, TwoBiases: true}, 4, 13},
			{Config{Input: 11, Cell: GRU, Layers: 1, Hidden: 201, Output: 13}, 2, 13},
			{Config{Input: 9, Cell: GRUResetBefore, Layers: 2, Bidirectional: true, Hidden: 35, Output: 11}, 7, 13},
			embeddingJob,
			tiedEmbeddingJob,
		} {
			noAllocations(t, j, j.workspace(t, e, nil))
		}
	})
}

func noAllocations(t *testing.T, j job, ws *Workspace) {
	m := ws.m
	if j.Output > 0 {
		ws.Dropout(0.3, 1)
	}
	b := j.batch(1)
	ws.KeepStateGradients()
	norms, state := make([]float64, j.steps), m.NewState(j.rows)
	grads := make([]float32, len(m.Slab))
	sgd, adagrad, adam := NewSGD(0.1), NewAdagrad(m, 0.1), NewAdam(m, 0.1)
	calls := map[string]func(){
		"Forward":        func() { b.continued(ws) },
		"Backward":       func() { b.backward(ws) },
		"SetState":       func() { ws.SetState(state) },
		"State":          func() { ws.State(state) },
		"StateGradNorms": func() { ws.StateGradNorms(norms, 0) },
		"ClipValue":      func() { ClipValue(grads, 1) },
		"Reset":          ws.Reset,
		"Update":         m.Update,
		"Step SGD":       func() { m.Step(sgd, grads, 1) },
		"Step Adagrad":   func() { m.Step(adagrad, grads, 1) },
		"Step Adam":      func() { m.Step(adam, grads, 1) },
	}
	if !j.Bidirectional {
		calls["Carry"] = ws.Carry
		from := make([]int32, j.rows)
		calls["CarryRows"] = func() { ws.CarryRows(from) }
	}
	dh := randomFloats(newRand(1), j.steps*j.rows*j.width())
	calls["BackwardStates"] = func() { ws.BackwardStates(dh, State{}) }
	if j.Output > 0 {
		logits := make([]float32, j.rows*j.Output)
		calls["Loss"] = func() { ws.Loss(b.targets) }
		calls["Logits"] = func() { ws.Logits(logits, j.steps-1) }
		if j.Cutoffs == nil {
			v := b.vectorTargets(j.Config, binaryEntropy, 1).vectors
			calls["BackwardBinary"] = func() { ws.BackwardBinary(v) }
			calls["BackwardSquared"] = func() { ws.BackwardSquared(v) }
			calls["LossBinary"] = func() { ws.LossBinary(v) }
		}
	}
	if !j.Dense && 0 < j.Output && j.Output <= j.Input && !j.Bidirectional && !j.LastStep {
		g := newGenerator(t, m, Sampling{Temperature: 0.5, TopK: 3, TopP: 0.9})
		g.Next(1)
		calls["Generator.Next"] = func() { g.Next(1) }
	}
	b.continued(ws) // Backward may come first
	b.backward(ws)  // the first that leaves rows out makes room for the others
	for name, f := range calls {
		if n := testing.AllocsPerRun(5, f); n != 0 {
			t.Errorf("%v: %s allocates %v times", j, name, n)
		}
	}
}
