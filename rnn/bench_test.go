package rnn

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"batchrnn/kernels"
)

// Floating-point operations are counted as the formulas have them, a
// multiplication and an addition each as one: 2·H² a row and step forward, 4·H²
// backward (dH and dWh). Activations, gathers, packing and updates are work that
// the figures have to carry.

// BenchmarkRNNStep runs passes over ids without an output layer.
func BenchmarkRNNStep(b *testing.B) {
	const steps, vocabulary = 50, 64
	eachBenchEngine(b, func(b *testing.B, e *kernels.Engine, threads string) {
		for _, s := range []struct{ hidden, rows int }{{128, 8}, {256, 32}, {512, 32}, {1760, 64}} {
			if e.ISA() == "generic" && s.hidden > 128 {
				continue // a matter of seconds
			}
			var ws *Workspace
			var in batch
			for _, pass := range []string{"forward", "backward"} {
				name := fmt.Sprintf("isa=%s/h=%d/b=%d/t=%d/pass=%s/%s", e.ISA(), s.hidden, s.rows, steps, pass, threads)
				b.Run(name, func(b *testing.B) {
					if ws == nil {
						c := Config{Input: vocabulary, Layers: 1, Hidden: s.hidden}
						ws, in = newModel(b, e, c, 1).NewTraining(steps, s.rows), newBatch(c, steps, s.rows, 1)
						in.forward(ws)
						in.backward(ws)
					}
					run, flops := ws.Forward, 2.0
					if pass == "backward" {
						run, flops = func([]int32) { ws.BackwardStates(in.dh, State{}) }, 4
					}
					flops *= float64(s.rows) * float64(s.hidden) * float64(s.hidden) * steps
					peak := fmaPeak(e)
					b.ReportAllocs()
					for b.Loop() {
						run(in.ids)
					}
					reportFlops(b, flops, peak)
				})
			}
		}
	})
}

// BenchmarkDeepStep runs passes of several layers and of both directions beside those
// of one layer. Above the first a cell has 2·W·H operations a row and step more
// forward, for what it reads, and twice that backward.
func BenchmarkDeepStep(b *testing.B) {
	const steps, vocabulary = 50, 64
	eachBenchEngine(b, func(b *testing.B, e *kernels.Engine, threads string) {
		if e.ISA() == "generic" {
			return // a matter of seconds
		}
		for _, s := range []struct{ hidden, rows int }{{128, 32}, {256, 32}, {512, 32}} {
			for _, c := range []Config{
				{Layers: 1},
				{Layers: 2},
				{Layers: 3, Residual: true},
				{Layers: 1, Bidirectional: true},
				{Layers: 2, Bidirectional: true},
			} {
				c.Input, c.Hidden = vocabulary, s.hidden
				ws, in := newModel(b, e, c, 1).NewTraining(steps, s.rows), newBatch(c, steps, s.rows, 1)
				in.forward(ws)
				flops := 2 * float64(c.cells()) * float64(s.hidden*s.hidden)
				flops += 2 * float64(c.cells()-c.directions()) * float64(s.hidden*c.width())
				flops *= 3 * float64(s.rows) * steps
				name := fmt.Sprintf("isa=%s/h=%d/b=%d/l=%d/bidirectional=%t/%s", e.ISA(), s.hidden, s.rows, c.Layers, c.Bidirectional, threads)
				b.Run(name, func(b *testing.B) {
					peak := fmaPeak(e)
					b.ReportAllocs()
					for b.Loop() {
						in.continued(ws)
						ws.BackwardStates(in.dh, State{})
					}
					reportFlops(b, flops, peak)
				})
			}
		}
	})
}

// BenchmarkTrain runs whole steps of training a model of characters.
func BenchmarkTrain(b *testing.B) {
	const vocabulary, hidden, rows, steps = 65, 512, 32, 50
	eachBenchEngine(b, func(b *testing.B, e *kernels.Engine, threads string) {
		if e.ISA() == "generic" {
			return // a matter of seconds
		}
		name := fmt.Sprintf("isa=%s/v=%d/h=%d/b=%d/t=%d/%s", e.ISA(), vocabulary, hidden, rows, steps, threads)
		b.Run(name, func(b *testing.B) {
			c := Config{Input: vocabulary, Layers: 1, Hidden: hidden, Output: vocabulary}
			m, in := newModel(b, e, c, 1), newBatch(c, steps, rows, 1)
			ws, opt := m.NewTraining(steps, rows), NewAdam(m, 1e-3)
			update := func() {
				ws.Forward(in.ids)
				ws.Backward(in.targets)
				m.Step(opt, ws.Grads.Slab, 5)
				ws.Carry()
			}
			update()
			peak := fmaPeak(e)
			b.ReportAllocs()
			for b.Loop() {
				update()
			}
			const tokens = rows * steps
			b.ReportMetric(tokens*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
			reportFlops(b, tokens*6*hidden*(hidden+vocabulary), peak)
		})
	})
}

// BenchmarkSingleStep runs one row through a small network, step by step: as one
// pass over 100 steps, and each step a call of its own with the state carried on.
func BenchmarkSingleStep(b *testing.B) {
	const vocabulary, sequence = 64, 100
	for _, isa := range kernels.FloatISAs() {
		e := newEngine(b, isa, 1)
		for _, hidden := range []int{32, 64} {
			m := newModel(b, e, Config{Input: vocabulary, Layers: 1, Hidden: hidden}, 1)
			ids := randomIDs(newRand(1), sequence, vocabulary)
			for _, steps := range []int{sequence, 1} {
				b.Run(fmt.Sprintf("isa=%s/h=%d/b=1/t=%d", isa, hidden, steps), func(b *testing.B) {
					ws := m.NewWorkspace(steps, 1)
					b.ReportAllocs()
					for b.Loop() {
						ws.Forward(ids[:steps])
						ws.Carry()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*steps), "ns/step")
				})
			}
		}
	}
}

// eachBenchEngine calls f for every instruction set on one thread and on all
// processors.
func eachBenchEngine(b *testing.B, f func(b *testing.B, e *kernels.Engine, threads string)) {
	for _, isa := range kernels.FloatISAs() {
		for _, threads := range slices.Compact([]int{1, runtime.GOMAXPROCS(0)}) {
			f(b, newEngine(b, isa, threads), fmt.Sprintf("threads=%d", threads))
		}
	}
}

// peaks holds the best that fmaPeak has seen, by instruction set and threads.
var peaks = map[string]float64{}

// fmaPeak returns the floating-point operations a second that all threads of e
// reach together on nothing but multiply-adds. It is timed again each time, and
// the best of the process counts: others on the machine can only lower it.
func fmaPeak(e *kernels.Engine) float64 {
	const rounds = 1 << 18 // some 2 ms
	key := fmt.Sprint(e.ISA(), e.Threads())
	flops := make([]float64, e.Threads())
	for range 8 {
		start := time.Now()
		e.Run(e.Threads(), func(w *kernels.Worker) { flops[w.ID()] = w.FMA(rounds) })
		took := time.Since(start)
		var sum float64
		for _, f := range flops {
			sum += f
		}
		peaks[key] = max(peaks[key], sum/took.Seconds())
	}
	return peaks[key]
}

// reportFlops reports what a benchmark of so many operations a round reached.
func reportFlops(b *testing.B, flops, peak float64) {
	rate := flops * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
}
