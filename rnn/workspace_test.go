package rnn

import (
	"fmt"
	"testing"
)

// TestWorkspaceTooLarge: the widest of a network's buffers bounds the steps and rows of a
// workspace, whichever it is. Here it is 64 floats wide in each, and all others are less.
func TestWorkspaceTooLarge(t *testing.T) {
	e := newEngine(t, "generic", 1)
	for name, c := range map[string]Config{
		"inputs":        {Input: 64, Layers: 1, Hidden: 4},
		"dense inputs":  {Input: 64, Dense: true, Layers: 1, Hidden: 4},
		"embeddings":    {Input: 8, Embedding: 64, Layers: 1, Hidden: 4},
		"outputs":       {Input: 8, Layers: 1, Hidden: 4, Output: 64},
		"gates":         {Input: 8, Cell: LSTM, Layers: 1, Hidden: 10, Output: 8, Embedding: 3}, // 4·10, and 2·10 beside them, are 60
		"both ways":     {Input: 8, Layers: 1, Bidirectional: true, Hidden: 10, Output: 8},      // 2·10 and 4·10
		"many, of both": {Input: 8, Embedding: 64, Layers: 3, Hidden: 4, Output: 64},
	} {
		m := newModel(t, e, c, 1)
		widest := 64
		if c.Hidden == 10 {
			widest = 60
		}
		const batch = 1 << 15
		steps := maxStates / batch / widest
		// A workspace itself would take 256 GiB.
		mustPanic(t, func() { m.checkSize(steps, batch) }, "rnn: a workspace", fmt.Sprint(steps), fmt.Sprintf("%d wide", widest))
		m.checkSize(steps-1, batch)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	m := newModel(t, e, Config{Input: 8, Layers: 1, Hidden: 4}, 1)
	mustPanic(t, func() { m.NewWorkspace(0, 1) }, "rnn: a workspace of 0 steps")
	mustPanic(t, func() { m.NewTraining(1, 0) }, "1 steps and 0 rows")
}
