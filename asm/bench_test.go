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
		src[i] = float32(normal(r))
	}
	for _, s := range floatSets() {
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
		{"AbsSum", vectorBench, 4},
		{"MaxAbs", vectorBench, 4},
		{"Gemv", gemvBench, 4},
		{"GemvT", gemvBench, 4},
		{"Ger", gemvBench, 8},
		{"ColSums", gradBench, 4},
		{"Pack", func(s *Set) shape { return shape{n: s.NR, k: benchElements / s.NR, gap: 500} }, 8},
		{"PackT", func(s *Set) shape { return shape{n: s.NR, k: benchElements / s.NR} }, 8},
		{"Strip", func(s *Set) shape { return shape{n: s.MR, k: benchElements / s.MR, gap: 500} }, 8},
		{"SGD", vectorBench, 12},
		{"Adagrad", vectorBench, 20},
		{"Adam", vectorBench, 28},
	} {
		for _, s := range floatSets() {
			b.Run(fmt.Sprintf("op=%s/isa=%s", op.field, s.Name), func(b *testing.B) {
				benchField(b, slots(s), op.field, op.sh(s), op.bytes)
			})
		}
	}
}

// BenchmarkDouble is BenchmarkVector for float64.
func BenchmarkDouble(b *testing.B) {
	for _, op := range []struct {
		field string
		sh    func(*Set) shape
		bytes int // read and written, for each element
	}{
		{"Axpy", doubleBench, 24},
		{"Scale", doubleBench, 16},
		{"Dot", doubleBench, 16},
		{"SumSq", doubleBench, 8},
		{"AbsSum", doubleBench, 8},
		{"MaxAbs", doubleBench, 8},
		{"Gemv", gemvBench, 8},
		{"GemvT", gemvBench, 8},
		{"Ger", gemvBench, 16},
		{"Pack", func(s *Set) shape { return shape{n: s.Double.NR, k: benchElements / 2 / s.Double.NR, gap: 500} }, 16},
		{"PackT", func(s *Set) shape { return shape{n: s.Double.NR, k: benchElements / 2 / s.Double.NR} }, 16},
		{"Strip", func(s *Set) shape { return shape{n: s.MR, k: benchElements / 2 / s.MR, gap: 500} }, 16},
	} {
		for _, s := range floatSets() {
			b.Run(fmt.Sprintf("op=%s/isa=%s", op.field, s.Name), func(b *testing.B) {
				benchField(b, doubleSlots(s), op.field, op.sh(s), op.bytes)
			})
		}
	}
}

func benchField[T Float](b *testing.B, list []slot[T], field string, sh shape, bytes int) {
	for _, sl := range list {
		if sl.field == field {
			benchSlot(b, sl, sh, bytes)
		}
	}
}

func doubleBench(*Set) shape { return shape{n: benchElements / 2} }
func gemvBench(*Set) shape   { return shape{m: 48, n: 64} }
func vectorBench(*Set) shape { return shape{n: benchElements} }
func gatedBench(*Set) shape  { return shape{n: 512, gap: 16} } // L1 holds it
func gradBench(*Set) shape   { return shape{m: 16, n: benchElements / 16} }

func benchSlot[T Float](b *testing.B, sl slot[T], sh shape, bytes int) {
	x := make([][]T, 0, 4)
	r := rand.New(rand.NewPCG(13, 14))
	for _, op := range sl.operands(sh) {
		fill := op.fill
		if fill == nil {
			fill = normal
		}
		x = append(x, laid[T]([]operand{op}, r, fill)...)
	}
	fresh, scalars := cloneAll(x), new([2]T)
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

// BenchmarkGemmTile runs each tile over one block of A and B in L1 or L2.
func BenchmarkGemmTile(b *testing.B) {
	b.Run("type=float32", benchTiles[float32])
	b.Run("type=float64", benchTiles[float64])
}

func benchTiles[T Float](b *testing.B) {
	for _, s := range floatSets() {
		k1 := of[T](s)
		for _, tile := range tiles[T](s) {
			for _, k := range []int{64, 256, 512} {
				b.Run(fmt.Sprintf("isa=%s/tile=%s/k=%d", s.Name, tile.name, k), func(b *testing.B) {
					sh := shape{n: tile.cols, k: k, tile: tile.shape()}
					x := laid[T](tileOperands(k1.NR, sh), rand.New(rand.NewPCG(15, 16)), signed)
					for i, v := range x {
						x[i] = aligned(v)
					}
					b.ReportAllocs()
					for b.Loop() {
						callTile(tile, k1.NR, sh, x)
					}
					flops := 2 * float64(tile.rows*sh.n*k) * float64(b.N) / b.Elapsed().Seconds()
					b.ReportMetric(flops/1e9, "GFLOP/s")
					b.ReportMetric(100*flops/peak(s.Name, k1), "%peak")
				})
			}
		}
	}
}

// BenchmarkFMAPeak is the 100 % of BenchmarkGemmTile.
func BenchmarkFMAPeak(b *testing.B) {
	for _, s := range floatSets() {
		b.Run("isa="+s.Name, func(b *testing.B) {
			benchPeak(b, &s.Kernels)
		})
		b.Run("type=float64/isa="+s.Name, func(b *testing.B) {
			benchPeak(b, &s.Double)
		})
	}
}

func benchPeak[T Float](b *testing.B, k *Kernels[T]) {
	const rounds = 1000
	for b.Loop() {
		k.FMAPeak(rounds)
	}
	flops := float64(rounds*k.FMAPeakFlops) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(flops/1e9, "GFLOP/s")
}

var peaks sync.Map // of a Set's name and a type to FLOP/s

// peak times the FMA loop of a Set for one type once: the best of runs of about 0.1 ms.
func peak[T Float](name string, s *Kernels[T]) float64 {
	key := fmt.Sprintf("%s %T", name, T(0))
	if p, ok := peaks.Load(key); ok {
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
	peaks.Store(key, p)
	return p
}

// aligned copies x to a 64-byte boundary.
func aligned[T Float](x []T) []T {
	line := 64 / int(unsafe.Sizeof(*new(T)))
	y := make([]T, len(x)+line-1)
	past := int(uintptr(unsafe.Pointer(first(y)))/unsafe.Sizeof(*new(T))) % line
	y = y[(line-past)%line:][:len(x)]
	copy(y, x)
	return y
}
