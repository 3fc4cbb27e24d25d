package rnn

import (
	"testing"

	"batchrnn/kernels"
)

// TestCompact: a compact model scores with the same bits, in the workspaces that
// were there too, and can do nothing else.
func TestCompact(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range append([]Config{
			{Input: 30, Layers: 1, Hidden: 33, Output: 17},
			{Input: 30, Layers: 1, Hidden: 33, Output: 30, Tied: true},
			{Input: 9, Layers: 1, Hidden: 33, Output: 60, Cutoffs: []int{10, 30}},
			{Input: 5, Dense: true, Layers: 1, Hidden: 9, Output: 4},
			{Input: 5, Layers: 2, Bidirectional: true, Residual: true, Hidden: 9, Output: 4, TimeSkip: 1},
			{Input: 30, Embedding: 7, Layers: 1, Hidden: 33, Output: 17},
			{Input: 30, Embedding: 33, Cell: GRU, Layers: 1, Hidden: 33, Output: 30, Tied: true},
		}, eachCell(Config{Input: 5, Layers: 2, Bidirectional: true, Residual: true, Hidden: 35, Output: 40, Cutoffs: []int{9}})...) {
			m := newModel(t, e, c, 1)
			b := newBatch(c, 3, 5, 1)
			before, training := m.NewWorkspace(3, 5), m.NewTraining(3, 5)
			b.score(training)
			want := b.score(m.NewWorkspace(3, 5))
			m.Compact()
			m.Compact()
			b.score(before).same(t, "a workspace from before", want)
			b.score(m.NewWorkspace(3, 5)).same(t, "a new workspace", want)
			for name, call := range map[string]func(){
				"NewTraining": func() { m.NewTraining(1, 1) },
				"Backward":    func() { training.Backward(b.targets) },
				"Update":      m.Update,
				"Step":        func() { m.Step(NewSGD(1), nil, 0) },
			} {
				mustPanic(t, call, "rnn: "+name, "compact")
			}
		}
	})
}
