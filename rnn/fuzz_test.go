package rnn

import (
	"testing"

	"batchrnn/kernels"
)

// FuzzForward holds passes of small random shapes to the naive network: states,
// losses and mean loss, on every instruction set.
func FuzzForward(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 1, 255, 127})
	f.Add([]byte{5, 12, 9, 32, 16, 1, 200, 3, 99, 255, 0, 31})
	f.Add([]byte{2, 33, 3, 39, 1, 6, 7, 7, 7})
	f.Add([]byte{7, 1, 39, 15, 0, 3, 128, 64})
	f.Add([]byte{5, 12, 9, 32, 16, 1, 0, 0, 1, 7, 2, 1 + 2 + 16, 0, 5})
	f.Add([]byte{6, 20, 9, 40, 3, 3, 0, 1, 7, 1, 1 + 4 + 8 + 16, 1, 5})
	f.Add([]byte{4, 7, 9, 20, 5, 4, 0, 1, 7, 1, 31, 2, 5})
	f.Add([]byte{4, 12, 9, 39, 5, 1, 0, 0, 0, 7, 1, 1 + 16, 1, 1, 20, 0, 5})
	f.Add([]byte{4, 12, 9, 39, 5, 0, 0, 0, 1, 7, 1, 1 + 2 + 16, 2, 0, 0, 5})
	f.Add([]byte{4, 12, 9, 39, 5, 0, 1, 0, 1, 7, 0, 4, 3, 1, 0, 5})
	f.Add([]byte{4, 12, 9, 39, 20, 0, 0, 0, 0, 7, 1, 1 + 16, 2, 1, 2, 5, 9, 3})
	f.Add([]byte{4, 12, 9, 39, 20, 0, 0, 0, 0, 7, 1, 1 + 4, 1, 1, 20, 1, 9, 3})
	var engines []*kernels.Engine
	for _, isa := range isas() {
		engines = append(engines, newEngine(f, isa, 1), newEngine(f, isa, 3))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func(n int) int { // below n
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b) % n
		}
		steps, rows := 1+next(8), 1+next(40)
		c := Config{Input: 1 + next(40), Layers: 1, Hidden: 1 + next(70), Output: next(40)}
		kind := next(8)
		c.Dense, c.Activation = kind&1 == 1, activations[kind>>1]
		if cuts := next(4); c.Output > cuts+1 {
			for i := range cuts {
				c.Cutoffs = append(c.Cutoffs, 1+i*c.Output/(cuts+1))
			}
		}
		if c.Tied = !c.Dense && c.Cutoffs == nil && c.Output > 0 && next(3) == 1; c.Tied {
			c.Input = c.Output
		}
		byRows, seed := next(2) == 1, uint64(next(256))
		c.Layers = 1 + next(3)
		depth := next(32)
		c.Bidirectional = depth&1 == 1 && !c.Tied
		c.Residual = depth&2 == 2 && c.Layers > 1
		c.LastStep = depth&4 == 4 && c.Output > 0
		if depth&8 == 8 {
			c.TimeSkip = 0.5
		}
		if c.Cell = CellKind(next(4)); c.Cell != Vanilla {
			c.Activation, c.TimeSkip, c.Tied = 0, 0, false
		}
		c.TwoBiases = next(2) == 1
		if c.Cell == LSTM {
			c.Projection = next(c.Hidden)
		}
		if e := next(3); !c.Dense && e > 0 {
			c.Embedding = e * 9
			if e == 2 && c.Cutoffs == nil && c.Output > 0 {
				c.Input, c.Embedding, c.Tied = c.Output, c.width(), true
			} else {
				c.Tied = false
			}
		}
		b := newBatch(c, steps, rows, seed)
		if depth&16 == 16 {
			b = b.ragged(c, steps, rows, seed)
		}
		if kind := lossKind(next(3)); kind != crossEntropy && c.Output > 0 && c.Cutoffs == nil {
			b = b.vectorTargets(c, kind, seed)
		}
		for i := range b.ids { // what is left of the data chooses inputs
			if b.ids[i] < 0 {
				continue
			}
			b.ids[i] = (b.ids[i] + int32(next(256))) % int32(c.Input)
		}
		for i := range b.x {
			b.x[i] += float32(next(256)) / 64
		}

		var s naiveStates
		var losses []float64
		for _, e := range engines {
			m := newModel(t, e, c, seed)
			ws := m.NewWorkspace(steps, rows)
			ws.plan.all(e.Threads())
			ws.plan.byRows, ws.plan.phase = byRows, 2
			b.forward(ws)
			n, in := newNaive(m), newNaiveInput(b, steps, rows)
			if s.out == nil {
				s = n.states(in)
				if c.Output > 0 {
					losses, _ = n.losses(in, n.seen(in, s.out))
				}
			}
			nearScaled(t, e.ISA()+" States", onlySteps(in, ws.States()), onlySteps(in, s.out), 4e-5)
			if c.Output > 0 {
				b.loss(ws)
				near(t, e.ISA()+" Losses", ws.Losses, losses, 2e-5*(1+maxAbs(losses)))
			}
		}
	})
}
