package rnn

import (
	"fmt"
	"math"
	"testing"

	"batchrnn/kernels"
)

// TestTailBlocks: however the rows of the clusters are cut into blocks, the bits
// are the same.
func TestTailBlocks(t *testing.T) {
	eachEngine(t, []int{1, 3}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range eachCell(adaptiveJob.Config) {
			j := job{c, adaptiveJob.steps, adaptiveJob.rows}
			want := j.run(j.workspace(t, e, nil), 2)
			for _, rows := range []int{3, 17, 64} {
				ws := j.workspace(t, e, nil)
				for i := range ws.tails.blockRows {
					ws.tails.blockRows[i] = min(rows, ws.tails.blockRows[i])
				}
				j.run(ws, 2).same(t, fmt.Sprintf("%v, %d rows at a time", j, rows), want)
			}
		}
	})
}

// TestTailsLossMeets: workers that score clusters do not write into each other's
// buffers, which every cluster cuts elsewhere.
func TestTailsLossMeets(t *testing.T) {
	j := job{Config{Input: 2000, Layers: 1, Hidden: 128, Output: 2000, Cutoffs: []int{100, 1000, 1500}}, 5, 20}
	b := newBatch(j.Config, j.steps, j.rows, 1)
	eachEngine(t, []int{2, 3}, func(t *testing.T, e *kernels.Engine) {
		want := b.score(newModel(t, newEngine(t, e.ISA(), 1), j.Config, 1).NewWorkspace(j.steps, j.rows))
		ws := newModel(t, e, j.Config, 1).NewWorkspace(j.steps, j.rows)
		if ws.plan.outputs < 2 {
			t.Fatal("too small for several workers")
		}
		b.forward(ws)
		for range 50 {
			ws.Loss(b.targets)
			sameBits(t, "Losses", ws.Losses, want.losses)
		}
	})
}

// TestTailsWithoutRows: a cluster that no target is of has no gradient, whatever
// was there before.
func TestTailsWithoutRows(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		ws := adaptiveJob.workspace(t, e, nil)
		b := newBatch(adaptiveJob.Config, adaptiveJob.steps, adaptiveJob.rows, 1)
		b.forward(ws)
		b.backward(ws)
		for i := range b.targets {
			b.targets[i] %= int32(adaptiveJob.Cutoffs[1]) // none in the second cluster
		}
		b.backward(ws)
		if last := ws.Grads.Tails[1]; maxAbs(last.Proj) != 0 || maxAbs(last.Wy) != 0 || maxAbs(last.By) != 0 {
			t.Error("the cluster without rows has a gradient")
		}
		if first := ws.Grads.Tails[0]; !(maxAbs(first.Proj) > 0) || !(maxAbs(first.Wy) > 0) || !(maxAbs(first.By) > 0) {
			t.Error("the cluster with rows has none")
		}
	})
}

// TestLogProbs: the outputs of an adaptive softmax are the logarithms of a
// distribution, whose cross-entropy Loss returns.
func TestLogProbs(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range eachCell(adaptiveJob.Config) {
			checkLogProbs(t, e, job{c, adaptiveJob.steps, adaptiveJob.rows})
		}
	})
}

func checkLogProbs(t *testing.T, e *kernels.Engine, j job) {
	t.Helper()
	m := newModel(t, e, j.Config, 1)
	ws := m.NewWorkspace(j.steps, j.rows)
	b := newBatch(j.Config, j.steps, j.rows, 1)
	got := b.score(ws)
	for row := range j.steps * j.rows {
		p := got.logits[row*j.Output:][:j.Output]
		var sum float64
		for _, v := range p {
			sum += math.Exp(float64(v))
		}
		near(t, "sum", []float64{sum}, []float64{1}, 1e-5)
		near(t, "loss", got.losses[row:row+1], []float64{-float64(p[b.targets[row]])}, 1e-5)
	}
	n, in := newNaive(m), newNaiveInput(b, j.steps, j.rows)
	h := n.states(in).out
	near(t, j.String()+": log-probabilities", got.logits, n.logits(h), 1e-4)
}

// TestTailsGrow: what a workspace takes for clusters does not grow with T·B·V.
func TestTailsGrow(t *testing.T) {
	e := newEngine(t, "", 2)
	m := newModel(t, e, Config{Input: 3, Layers: 1, Hidden: 4, Output: 100_000, Cutoffs: []int{1000, 20_000}}, 1)
	for _, rows := range []int{64, 512} {
		if n, most := len(m.NewWorkspace(8, rows).tails.logits), minTailRows*80_000; n > most {
			t.Errorf("%d rows: %d logits at a time, want at most %d", 8*rows, n, most)
		}
	}
}
