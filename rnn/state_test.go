package rnn

import (
	"testing"

	"batchrnn/kernels"
)

// TestCarryRows: rows go on from the states of other rows as from states that are set.
func TestCarryRows(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range append(eachCell(Config{Input: 9, Layers: 2, Hidden: 33, Output: 5}),
			Config{Input: 9, Layers: 2, Hidden: 33, Output: 5, TimeSkip: 0.5}) {
			checkCarryRows(t, e, c)
		}
	})
}

func checkCarryRows(t *testing.T, e *kernels.Engine, c Config) {
	t.Helper()
	const steps, rows = 3, 5
	m := newModel(t, e, c, 1)
	carried, set := m.NewWorkspace(steps, rows), m.NewWorkspace(steps, rows)
	b, from := newBatch(c, steps, rows, 1), []int32{4, 0, 0, 1, 3}
	b.forward(carried)
	b.forward(set)
	carried.CarryRows(from)

	last, picked := m.NewState(rows), m.NewState(rows)
	set.State(last)
	for k := range c.Layers {
		for b, row := range from {
			copy(set.cellRow(picked.H, k, b, c.stateWidth()), set.cellRow(last.H, k, int(row), c.stateWidth()))
			if c.Cell == LSTM {
				copy(set.cellRow(picked.C, k, b, 33), set.cellRow(last.C, k, int(row), 33))
			}
		}
	}
	set.SetState(picked)
	b.continued(carried)
	b.continued(set)
	sameBits(t, "States", carried.States(), set.States())
}
