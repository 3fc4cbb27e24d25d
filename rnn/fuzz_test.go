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
	var engines []*kernels.Engine
	for _, isa := range kernels.ISAs() {
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
		c.Dense, c.Activation = kind&1 == 1, Activation(kind>>1)
		if cuts := next(4); c.Output > cuts+1 {
			for i := range cuts {
				c.Cutoffs = append(c.Cutoffs, 1+i*c.Output/(cuts+1))
			}
		}
		if c.Tied = !c.Dense && c.Cutoffs == nil && c.Output > 0 && next(3) == 1; c.Tied {
			c.Input = c.Output
		}
		byRows, seed := next(2) == 1, uint64(next(256))
		b := newBatch(c, steps, rows, seed)
		for i := range b.ids { // what is left of the data chooses inputs
			b.ids[i] = (b.ids[i] + int32(next(256))) % int32(c.Input)
		}
		for i := range b.x {
			b.x[i] += float32(next(256)) / 64
		}

		var h, losses []float64
		for _, e := range engines {
			m := newModel(t, e, c, seed)
			ws := m.NewWorkspace(steps, rows)
			ws.plan.workers, ws.plan.backward, ws.plan.byRows = e.Threads(), e.Threads(), byRows
			b.forward(ws)
			if h == nil {
				n, in := newNaive(m), newNaiveInput(b, steps, rows)
				h, _ = n.states(in)
				losses = n.losses(in, h)
			}
			nearScaled(t, e.ISA()+" H", ws.layers[0].h, h, 2e-5)
			if c.Output > 0 {
				ws.Loss(b.targets)
				near(t, e.ISA()+" Losses", ws.Losses, losses, 2e-5*(1+maxAbs(losses)))
			}
		}
	})
}
