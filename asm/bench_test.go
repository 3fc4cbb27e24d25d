package asm

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// benchElements fit L1 twice: the arithmetic is measured, not the memory.
const benchElements = 4096

func BenchmarkTanh(b *testing.B)    { benchFunction(b, functions[0]) }
func BenchmarkSigmoid(b *testing.B) { benchFunction(b, functions[1]) }
func BenchmarkExp(b *testing.B)     { benchFunction(b, functions[2]) }
func BenchmarkReLU(b *testing.B)    { benchFunction(b, functions[3]) }
func BenchmarkLog(b *testing.B)     { benchFunction(b, functions[4]) }
func BenchmarkSqrt(b *testing.B)    { benchFunction(b, functions[5]) }

func benchFunction(b *testing.B, f function) {
	r := rand.New(rand.NewPCG(11, 12))
	src, dst := make([]float32, benchElements), make([]float32, benchElements)
	for i := range src {
		src[i] = normal(r)
	}
	for _, s := range Sets() {
		b.Run("isa="+s.Name, func(b *testing.B) {
			kernel := f.slot(s)
			b.ReportAllocs()
			for b.Loop() {
				kernel(dst, src)
			}
			reportElements(b, benchElements, 8)
		})
	}
}

// BenchmarkVector runs the kernels on vectors and small matrices that have no
// benchmark of their own.
func BenchmarkVector(b *testing.B) {
	for _, op := range []struct {
		field string
		sh    func(*Set) shape
		bytes int // read and written, for each element
	}{
		{"TanhGrad", gradBench, 12},
		{"SigmoidGrad", gradBench, 12},
		{"ReLUGrad", gradBench, 12},
		{"LSTM", gatedBench, 32},
		{"LSTMGrad", gatedBench, 56},
		{"GRU", gatedBench, 28},
		{"GRUGrad", gatedBench, 48},
		{"Softmax", vectorBench, 8},
		{"Add", vectorBench, 12},
		{"Mul", vectorBench, 12},
		{"Axpy", vectorBench, 12},
		{"Scale", vectorBench, 8},
		{"Dot", vectorBench, 8},
		{"SumSq", vectorBench, 4},
		{"ColSums", gradBench, 4},
		{"Pack", func(s *Set) shape { return shape{n: s.NR, k: benchElements / s.NR, gap: 500} }, 8},
		{"PackT", func(s *Set) shape { return shape{n: s.NR, k: benchElements / s.NR} }, 8},
		{"Strip", func(s *Set) shape { return shape{n: s.MR, k: benchElements / s.MR, gap: 500} }, 8},
		{"SGD", vectorBench, 12},
		{"Adagrad", vectorBench, 20},
		{"Adam", vectorBench, 28},
	} {
		for _, s := range Sets() {
			b.Run(fmt.Sprintf("op=%s/isa=%s", op.field, s.Name), func(b *testing.B) {
				for _, sl := range slots(s) {
					if sl.field == op.field {
						benchSlot(b, sl, op.sh(s), op.bytes)
					}
				}
			})
		}
	}
}

func vectorBench(*Set) shape { return shape{n: benchElements} }
func gatedBench(*Set) shape  { return shape{n: 512, gap: 16} } // L1 holds it
func gradBench(*Set) shape   { return shape{m: 16, n: benchElements / 16} }

func benchSlot(b *testing.B, sl slot, sh shape, bytes int) {
	x := make([][]float32, 0, 4)
	r := rand.New(rand.NewPCG(13, 14))
	for _, op := range sl.operands(sh) {
		fill := op.fill
		if fill == nil {
			fill = normal
		}
		x = append(x, laid([]operand{op}, r, fill)...)
	}
	fresh, scalars := cloneAll(x), new([2]float32)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		// What is scaled again and again becomes subnormal, and slow.
		if i%16 == 0 {
			copy(x[0], fresh[0])
		}
		sl.call(sh, x, scalars)
	}
	elements := max(sh.m, 1) * sh.n * max(sh.k, 1)
	reportElements(b, elements, bytes)
}

func reportElements(b *testing.B, n, bytes int) {
	perSecond := float64(n) * float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(perSecond, "Gelem/s")
	b.ReportMetric(perSecond*float64(bytes), "GB/s")
}

// BenchmarkSgemmTile runs each tile over one block of A and B in L1 or L2.
func BenchmarkSgemmTile(b *testing.B) {
	for _, s := range Sets() {
		for _, tile := range tiles(s) {
			for _, k := range []int{64, 256, 512} {
				b.Run(fmt.Sprintf("isa=%s/tile=%s/k=%d", s.Name, tile.name, k), func(b *testing.B) {
					sh := shape{n: tile.cols, k: k, tile: tile.shape()}
					x := laid(tileOperands(s, sh), rand.New(rand.NewPCG(15, 16)), signed)
					for i, v := range x {
						x[i] = aligned(v)
					}
					b.ReportAllocs()
					for b.Loop() {
						callTile(tile, s, sh, x)
					}
					flops := 2 * float64(tile.rows*sh.n*k) * float64(b.N) / b.Elapsed().Seconds()
					b.ReportMetric(flops/1e9, "GFLOP/s")
					b.ReportMetric(100*flops/peak(s), "%peak")
				})
			}
		}
	}
}

// BenchmarkFMAPeak is the 100 % of BenchmarkSgemmTile.
func BenchmarkFMAPeak(b *testing.B) {
	for _, s := range Sets() {
		b.Run("isa="+s.Name, func(b *testing.B) {
			const rounds = 1000
			for b.Loop() {
				s.FMAPeak(rounds)
			}
			flops := float64(rounds*s.FMAPeakFlops) * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(flops/1e9, "GFLOP/s")
		})
	}
}

var peaks sync.Map // of Set.Name to FLOP/s

// peak times the FMA loop of a Set once: the best of runs of about 0.1 ms.
func peak(s *Set) float64 {
	if p, ok := peaks.Load(s.Name); ok {
		return p.(float64)
	}
	const rounds, runs = 5000, 300
	best := time.Duration(1<<63 - 1)
	for range runs {
		start := time.Now()
		s.FMAPeak(rounds)
		best = min(best, time.Since(start))
	}
	p := float64(rounds*s.FMAPeakFlops) / best.Seconds()
	peaks.Store(s.Name, p)
	return p
}

// aligned copies x to a 64-byte boundary.
func aligned(x []float32) []float32 {
	y := make([]float32, len(x)+15)
	past := int(uintptr(unsafe.Pointer(first(y)))/4) % 16
	y = y[(16-past)%16:][:len(x)]
	copy(y, x)
	return y
}
