package rnn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"batchrnn/kernels"
)

// zipfIDs returns count ids below n whose frequency falls as 1/(id+1), about as
// that of words does.
func zipfIDs(r *rand.Rand, count, n int) []int32 {
	upTo := make([]float64, n)
	var sum float64
	for i := range upTo {
		sum += 1 / float64(i+1)
		upTo[i] = sum
	}
	ids := make([]int32, count)
	for i := range ids {
		ids[i] = int32(min(sort.SearchFloat64s(upTo, r.Float64()*sum), n-1))
	}
	return ids
}

// BenchmarkLargeVocabulary runs whole steps of training models of words, with
// each kind of output layer.
func BenchmarkLargeVocabulary(b *testing.B) {
	for _, s := range []struct {
		vocabulary, rows, steps int
		cutoffs                 []int
	}{
		{10_000, 32, 25, []int{1000, 4000}},
		{100_000, 64, 50, []int{2000, 10_000, 40_000}},
	} {
		for _, hidden := range []int{128, 256, 512} {
			for _, output := range []string{"full", "tied", "adaptive"} {
				c := Config{Input: s.vocabulary, Layers: 1, Hidden: hidden, Output: s.vocabulary}
				switch output {
				case "tied":
					c.Tied = true
				case "adaptive":
					c.Cutoffs = s.cutoffs
				}
				name := fmt.Sprintf("v=%d/h=%d/b=%d/t=%d/output=%s", s.vocabulary, hidden, s.rows, s.steps, output)
				b.Run(name, func(b *testing.B) { benchmarkTraining(b, newEngine(b, "", 2), c, s.rows, s.steps) })
			}
		}
	}
}

func benchmarkTraining(b *testing.B, e *kernels.Engine, c Config, rows, steps int) {
	m := newModel(b, e, c, 1)
	ws, opt := m.NewTraining(steps, rows), NewAdam(m, 1e-3)
	r := newRand(1)
	ids, targets := zipfIDs(r, rows*steps, c.Input), zipfIDs(r, rows*steps, c.Output)
	update := func() {
		ws.Forward(ids)
		if loss := ws.Backward(targets); math.IsNaN(loss) {
			b.Fatal("the loss is NaN")
		}
		m.Step(opt, ws.Grads.Slab, 1)
		ws.Carry()
	}
	update()
	b.ReportAllocs()
	for b.Loop() {
		update()
	}
	b.ReportMetric(float64(rows*steps*b.N)/b.Elapsed().Seconds(), "tokens/s")
}
