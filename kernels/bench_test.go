package kernels

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// threadCounts are the numbers of threads that benchmarks run on: one and all.
func threadCounts() []int {
	return slices.Compact([]int{1, runtime.GOMAXPROCS(0)})
}

// benchEngines runs f as a sub-benchmark, named by the remaining keys, for every
// instruction set and number of threads.
func benchEngines(b *testing.B, threads []int, keys string, f func(b *testing.B, e *Engine)) {
	for _, isa := range ISAs() {
		for _, n := range threads {
			b.Run(fmt.Sprintf("isa=%s/%s/threads=%d", isa, keys, n), func(b *testing.B) { f(b, open(b, isa, n)) })
		}
	}
}

// BenchmarkGemm runs products of the shapes of a recurrent step, activations of
// m rows times square weights, and of the gradient of such weights. The shares
// of peak refer to Engine.FMA on as many threads in the same process.
func BenchmarkGemm(b *testing.B) {
	for _, n := range []int{256, 512, 1760} {
		for _, m := range []int{1, 4, 8, 16, 32, 64} {
			p := &problem{m: m, n: n, k: n, start: bias, act: Tanh}
			benchGemm(b, "", p)
		}
	}
	benchGemm(b, "trans=TN/", &problem{m: 512, n: 512, k: 1600, transA: true, start: inPlace})
}

func benchGemm(b *testing.B, layout string, p *problem) {
	p.fill(rand.New(rand.NewPCG(51, 52)))
	keys := fmt.Sprintf("%sm=%d/n=%d/k=%d", layout, p.m, p.n, p.k)
	benchEngines(b, threadCounts(), keys, func(b *testing.B, e *Engine) {
		q := p.product(p.pack(e))
		if p.start == inPlace {
			q.Add = p.s // or C grows from call to call
		}
		e.Gemm(q) // pages, caches, workers
		b.ReportAllocs()
		for b.Loop() {
			e.Gemm(q)
		}
		flops := 2 * float64(p.m*p.n*p.k) * float64(b.N) / b.Elapsed().Seconds()
		b.ReportMetric(flops/1e9, "GFLOP/s")
		b.ReportMetric(100*flops/peak(e), "%peak")
	})
}

// BenchmarkPeak is the 100 % of BenchmarkGemm.
func BenchmarkPeak(b *testing.B) {
	for _, isa := range ISAs() {
		for _, n := range threadCounts() {
			b.Run(fmt.Sprintf("isa=%s/threads=%d", isa, n), func(b *testing.B) {
				e := open(b, isa, n)
				const rounds = 10000
				loop := func(w *Worker) { w.FMA(rounds) }
				for b.Loop() {
					e.Run(n, loop)
				}
				flops := float64(n*rounds*e.set.FMAPeakFlops) * float64(b.N) / b.Elapsed().Seconds()
				b.ReportMetric(flops/1e9, "GFLOP/s")
			})
		}
	}
}

type peakKey struct {
	isa     string
	threads int
}

var peaks sync.Map // of peakKey to FLOP/s

// peak times the FMA loop on all of an engine's threads, once for each
// instruction set and number of threads: the best of runs of about 0.1 ms, so
// that what else the machine does counts little.
func peak(e *Engine) float64 {
	key := peakKey{e.ISA(), e.Threads()}
	if p, ok := peaks.Load(key); ok {
		return p.(float64)
	}
	const rounds, runs = 15000, 300
	best := time.Duration(1<<63 - 1)
	loop := func(w *Worker) { w.FMA(rounds) }
	for range runs {
		begin := time.Now()
		e.Run(key.threads, loop)
		best = min(best, time.Since(begin))
	}
	p := float64(key.threads*rounds*e.set.FMAPeakFlops) / best.Seconds()
	peaks.Store(key, p)
	return p
}

// BenchmarkActivation runs over vectors that fit L1 twice, and over some that
// fit no cache of one core.
func BenchmarkActivation(b *testing.B) {
	r := rand.New(rand.NewPCG(53, 54))
	for _, n := range []int{1 << 12, 1 << 20} {
		src, dst := randoms(r, n), make([]float32, n)
		for _, f := range []struct {
			name string
			call func(e *Engine, dst, src []float32)
		}{
			{"tanh", (*Engine).Tanh},
			{"sigmoid", (*Engine).Sigmoid},
			{"exp", (*Engine).Exp},
			{"log", (*Engine).Log},
			{"sqrt", (*Engine).Sqrt},
			{"relu", (*Engine).ReLU},
		} {
			benchEngines(b, []int{1}, fmt.Sprintf("op=%s/n=%d", f.name, n), func(b *testing.B, e *Engine) {
				b.ReportAllocs()
				for b.Loop() {
					f.call(e, dst, src)
				}
				reportElements(b, n, 8)
			})
		}
	}
}

// BenchmarkGated runs the steps of gated cells for a batch whose rows fit L2.
func BenchmarkGated(b *testing.B) {
	const rows, units = 16, 256
	fresh := gatedStep(rand.New(rand.NewPCG(81, 82)), rows, units)
	bytes := map[string]int{"LSTM": 32, "LSTMGrad": 56, "GRU": 28, "GRUGrad": 48} // read and written, for each unit
	for _, op := range gatedOps {
		benchEngines(b, []int{1}, fmt.Sprintf("op=%s/m=%d/n=%d", op.name, rows, units), func(b *testing.B, e *Engine) {
			s := fresh.clone()
			b.ReportAllocs()
			for b.Loop() {
				op.call(e.serial, s)
			}
			reportElements(b, rows*units, bytes[op.name])
		})
	}
}

// reportElements reports how many of n elements a call went by in a second, and
// the bytes that were read and written for them.
func reportElements(b *testing.B, n, bytes int) {
	perSecond := float64(n) * float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(perSecond, "Gelem/s")
	b.ReportMetric(perSecond*float64(bytes), "GB/s")
}

// BenchmarkSoftmaxCrossEntropy takes a character and a word vocabulary. The
// gradient that a row becomes is a row of logits as good as any.
func BenchmarkSoftmaxCrossEntropy(b *testing.B) {
	const rows = 32
	r := rand.New(rand.NewPCG(55, 56))
	for _, n := range []int{65, 10000} {
		logits, losses, targets := randoms(r, rows*n), make([]float32, rows), make([]int32, rows)
		for i := range targets {
			targets[i] = int32(r.IntN(n))
		}
		benchEngines(b, []int{1}, fmt.Sprintf("v=%d", n), func(b *testing.B, e *Engine) {
			b.ReportAllocs()
			for b.Loop() {
				e.SoftmaxCrossEntropy(n, 1, logits, n, targets, losses)
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkAdam reads and writes parameters and moments and reads the gradient:
// 28 bytes an element, from L2 and from memory.
func BenchmarkAdam(b *testing.B) {
	r := rand.New(rand.NewPCG(57, 58))
	for _, n := range []int{1 << 14, 1 << 22} {
		p, g, m, v := randoms(r, n), randoms(r, n), make([]float32, n), make([]float32, n)
		benchEngines(b, []int{1}, fmt.Sprintf("n=%d", n), func(b *testing.B, e *Engine) {
			var step AdamStep
			b.ReportAllocs()
			for t := 1; b.Loop(); t++ {
				step.Set(t, 1, 1e-3, 0.9, 0.999, 1e-8)
				e.Adam(p, g, m, v, &step)
			}
			reportElements(b, n, 28)
		})
	}
}

// BenchmarkPack packs square weights and their transpose, 8 bytes a weight.
func BenchmarkPack(b *testing.B) {
	r := rand.New(rand.NewPCG(59, 60))
	for _, n := range []int{512, 1760} {
		weights := randoms(r, n*n)
		for _, trans := range []bool{false, true} {
			benchEngines(b, []int{1}, fmt.Sprintf("n=%d/trans=%t", n, trans), func(b *testing.B, e *Engine) {
				w := e.NewPacked(n, n)
				b.ReportAllocs()
				for b.Loop() {
					e.Pack(w, trans, weights, n)
				}
				reportElements(b, n*n, 8)
			})
		}
	}
}
