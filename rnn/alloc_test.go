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
	b := newBatch(j.Config, j.steps, j.rows, 1)
	grads := make([]float32, len(m.Slab))
	sgd, adagrad, adam := NewSGD(0.1), NewAdagrad(m, 0.1), NewAdam(m, 0.1)
	calls := map[string]func(){
		"Forward":      func() { b.continued(ws) },
		"Backward":     func() { b.backward(ws) },
		"Carry":        ws.Carry,
		"Reset":        ws.Reset,
		"Update":       m.Update,
		"Step SGD":     func() { m.Step(sgd, grads, 1) },
		"Step Adagrad": func() { m.Step(adagrad, grads, 1) },
		"Step Adam":    func() { m.Step(adam, grads, 1) },
	}
	dh := randomFloats(newRand(1), j.steps*j.rows*j.Hidden)
	calls["BackwardStates"] = func() { ws.BackwardStates(dh, nil) }
	if j.Output > 0 {
		logits := make([]float32, j.rows*j.Output)
		calls["Loss"] = func() { ws.Loss(b.targets) }
		calls["Logits"] = func() { ws.Logits(logits, 0) }
	}
	if !j.Dense && 0 < j.Output && j.Output <= j.Input {
		s := m.NewSampler(1)
		calls["Sampler.Next"] = func() { s.Next(1, 0.5) }
	}
	b.continued(ws) // Backward may come first
	for name, f := range calls {
		if n := testing.AllocsPerRun(5, f); n != 0 {
			t.Errorf("%v: %s allocates %v times", j, name, n)
		}
	}
}
