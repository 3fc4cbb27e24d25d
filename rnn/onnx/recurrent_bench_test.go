package onnx

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"batchrnn/rnn"
)

// BenchmarkRecurrent compares a pass with the same pass of a Workspace alone: states set,
// forward, states read.
//
//	bare    the Workspace, with states as its output
//	states  the node, with y in place
//	y       the node, with y copied
func BenchmarkRecurrent(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 1))
	for _, s := range []recurrentSpec{{op: "LSTM"}, {op: "GRU", linearBeforeReset: true}, {op: "GRU"}, {op: "LSTM", direction: "bidirectional"}} {
		for _, size := range []struct{ steps, batch, units int }{{1, 1, 128}, {1, 64, 128}, {100, 1, 128}, {50, 64, 256}} {
			c := recurrentCase{recurrentSpec: s, steps: size.steps, batch: size.batch, inputs: size.units, units: size.units}
			c.fill(r, func() bool { return true })
			c.lens = nil
			e := forcedEngine(b, "", 1)
			run := c.node(b, e).newRun(c.steps, c.batch, false)
			o := c.newResults()
			name := fmt.Sprintf("%s%s/t=%d/b=%d/h=%d/", s.op, s.direction, c.steps, c.batch, c.units)
			first := rnn.State{H: c.h0, C: c.c0}
			last := rnn.State{H: o.yh, C: o.yc}
			b.Run(name+"bare", func(b *testing.B) {
				for b.Loop() {
					run.ws.SetState(first)
					run.ws.ForwardDense(c.x)
					run.ws.State(last)
				}
			})
			if run.inPlace() {
				b.Run(name+"states", func(b *testing.B) {
					for b.Loop() {
						run.run(c.x, nil, c.h0, c.c0, nil, o.yh, o.yc)
					}
				})
			}
			b.Run(name+"y", func(b *testing.B) {
				for b.Loop() {
					run.run(c.x, nil, c.h0, c.c0, o.y, o.yh, o.yc)
				}
			})
		}
	}
}
