package rnn

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestLengthsForgetEarlierPasses: NaN that an earlier pass left behind the end of a
// sequence reaches neither states nor gradients.
func TestLengthsForgetEarlierPasses(t *testing.T) {
	const steps, rows = 4, 2
	for _, c := range eachCell(Config{Input: 3, Dense: true, Layers: 2, Hidden: 5}) {
		m := newModel(t, newEngine(t, "", 1), c, 1)
		b := newBatch(c, steps, rows, 1)
		b.lengths = []int32{4, 2}
		run := func(ws *Workspace) []float32 {
			ws.Reset()
			b.continued(ws)
			b.backward(ws)
			return ws.Grads.Slab
		}
		want := run(m.NewTraining(steps, rows))
		ws := m.NewTraining(steps, rows)
		x := slices.Clone(b.x)
		x[c.Input] = float32(math.NaN()) // row 1 of step 0
		ws.ForwardDense(x)
		ws.BackwardStates(b.dh, State{})
		sameBits(t, fmt.Sprintf("gradient of %v", c), run(ws), want)
	}
}
