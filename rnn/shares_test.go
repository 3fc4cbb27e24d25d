package rnn

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestFewRows: fewer rows than workers, some of them left out, are shared out all
// the same.
func TestFewRows(t *testing.T) {
	for _, cell := range []CellKind{Vanilla, LSTM, GRUResetBefore} {
		checkFewRows(t, Config{Input: 4, Cell: cell, Layers: 1, Hidden: 8, Output: 5})
	}
}

func checkFewRows(t *testing.T, c Config) {
	t.Helper()
	for threads := 1; threads <= 9; threads++ {
		if raceDetector && threads > 3 {
			break
		}
		e := newEngine(t, "", threads)
		m := newModel(t, e, c, 1)
		for rows := 1; rows <= 9; rows++ {
			ws := m.NewTraining(1, rows)
			ws.plan.all(threads)
			b := newBatch(c, 1, rows, 1)
			b.forward(ws)
			for out := range rows {
				b.targets[out] = Ignore
				ws.takeLabels(b.targets)
				ws.pass.seen = ws.gather
				if ws.count() > 0 {
					ws.run(threads, 0, (*Workspace).lossShare) // however few rows there are
				}
				of := ws.meanLoss()
				if mean := ws.Backward(b.targets); mean != of {
					t.Errorf("%v, %d threads, %d rows, %d left out: losses %v and %v", c.Cell, threads, rows, out+1, of, mean)
				}
			}
		}
	}
}

// TestGradientsThreads: the norms of states' gradients are the same for any number
// of threads and either plan.
func TestGradientsThreads(t *testing.T) {
	for _, j := range append([]job{rowsJob, columnsJob, deepJob}, gatedJobs()...) {
		var want []float64
		for _, threads := range []int{1, 2, 3, 4} {
			ws := j.workspace(t, newEngine(t, "", threads), nil)
			ws.KeepStateGradients()
			b := j.batch(1)
			for range 2 {
				b.forward(ws)
				b.backward(ws)
			}
			got := make([]float64, j.steps)
			ws.StateGradNorms(got, 0)
			if want == nil {
				want = got
			}
			for s, norm := range got {
				if norm != want[s] {
					t.Errorf("%v, %d threads: norm %v at step %d, want %v", j, threads, norm, s, want[s])
					break
				}
			}
		}
	}
}

// TestSaturatedInput: infinity that tanh and sigmoid make a number of is named.
func TestSaturatedInput(t *testing.T) {
	configs := eachCell(Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Output: 2})
	for _, act := range activations {
		configs = append(configs, Config{Input: 2, Dense: true, Layers: 1, Hidden: 3, Output: 2, Activation: act})
	}
	for _, c := range configs {
		ws := newModel(t, newEngine(t, "", 1), c, 1).NewTraining(3, 2)
		b := newBatch(c, 3, 2, 1)
		b.x[(1*2+1)*2] = float32(math.Inf(1))
		b.forward(ws)
		b.backward(ws)
		if err := ws.CheckLosses(); err == nil || !strings.Contains(err.Error(), "step 1, row 1") {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

// TestExtremeWeights: only the proportions of labels' weights count.
func TestExtremeWeights(t *testing.T) {
	c := Config{Input: 3, Layers: 1, Hidden: 5, Output: 3}
	ws := newModel(t, newEngine(t, "", 1), c, 1).NewTraining(2, 4)
	for _, kind := range []lossKind{crossEntropy, binaryEntropy, squaredError} {
		b := newBatch(c, 2, 4, 1)
		if kind != crossEntropy {
			b = b.vectorTargets(c, kind, 1)
		}
		run := func(w float32) ([]float32, float64) {
			b.weights = []float32{w, w, w}
			b.forward(ws)
			loss := b.backward(ws)
			return append([]float32(nil), ws.Grads.Slab...), loss
		}
		want, loss := run(1)
		for _, w := range []float32{1e-40, math.MaxFloat32} {
			got, of := run(w)
			sameBits(t, fmt.Sprintf("Grads with weights of %v", w), got, want)
			if of != loss {
				t.Errorf("weights of %v: loss %v, want %v", w, of, loss)
			}
		}
	}
	mustPanic(t, func() { ws.WeightLabels(make([]float32, 3)) }, "rnn: WeightLabels", "all weights are 0")
}

// TestLateCalls: what comes too late, or with no number, says so.
func TestLateCalls(t *testing.T) {
	c := Config{Input: 3, Layers: 2, Hidden: 5, Output: 3}
	m := newModel(t, newEngine(t, "", 1), c, 1)
	ws := m.NewTraining(2, 4)
	b := newBatch(c, 2, 4, 1)
	b.forward(ws)
	b.backward(ws)
	ws.KeepStateGradients()
	mustPanic(t, func() { ws.StateGradNorms(make([]float64, 2), 0) }, "rnn: StateGradNorms", "KeepStateGradients")
	ws.Dropout(0.5, 1)
	b.forward(ws)
	ws.SkipDropout(1)
	mustPanic(t, func() { b.backward(ws) }, "rnn: Backward", "Forward")
}

// TestLengthsAllocateNothing: batches with lengths and without them take turns.
func TestLengthsAllocateNothing(t *testing.T) {
	c := Config{Input: 3, Layers: 1, Hidden: 5, Output: 3}
	ws := newModel(t, newEngine(t, "", 1), c, 1).NewTraining(2, 4)
	lengths, weights := []int32{2, 1, 2, 1}, []float32{1, 2, 3}
	if n := testing.AllocsPerRun(5, func() {
		ws.SetLengths(lengths)
		ws.WeightLabels(weights)
		ws.SetLengths(nil)
		ws.WeightLabels(nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
