package asm

import (
	"flag"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"batchrnn/kernels/ref"
)

var exhaustive = flag.Bool("exhaustive", false, "test the functions of one variable on all 2^32 inputs; needs minutes, so -timeout too")

// A function of one variable, how far it may be from the truth, and the range
// that its results must not leave.
type function struct {
	name   string
	slot   func(*Set) func(dst, src []float32)
	truth  func(float64) float64
	ulps   float64
	lo, hi float32
}

var functions = []function{
	{"tanh", func(s *Set) func(dst, src []float32) { return s.Tanh }, ref.Tanh, 2, -1, 1},
	{"sigmoid", func(s *Set) func(dst, src []float32) { return s.Sigmoid }, ref.Sigmoid, 2, 0, 1},
	{"exp", func(s *Set) func(dst, src []float32) { return s.Exp }, ref.Exp, 2, 0, inf},
	{"relu", func(s *Set) func(dst, src []float32) { return s.ReLU }, ref.ReLU, 0, 0, inf},
	{"log", func(s *Set) func(dst, src []float32) { return s.Log }, ref.Log, 2, -inf, inf},
	{"sqrt", func(s *Set) func(dst, src []float32) { return s.Sqrt }, ref.Sqrt, 0.5, 0, inf},
}

// TestAccuracy holds the functions to their bounds on every 1021st float32 or,
// with -exhaustive, on all.
func TestAccuracy(t *testing.T) {
	step := uint64(1021)
	if *exhaustive {
		step = 1
	}
	sets := floatSets()
	for _, f := range functions {
		worst := make([]worstCase, len(sets))
		const block = 1 << 12
		blocks := (1<<32 + step*block - 1) / (step * block)
		var next atomic.Uint64
		var lock sync.Mutex
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				mine := make([]worstCase, len(worst))
				src, dst, truth := make([]float32, block), make([]float32, block), make([]float64, block)
				for b := next.Add(1) - 1; b < blocks; b = next.Add(1) - 1 {
					for i := range src {
						bits := min((b*block+uint64(i))*step, math.MaxUint32)
						src[i] = math.Float32frombits(uint32(bits))
						truth[i] = f.truth(float64(src[i]))
					}
					for j, s := range sets {
						f.slot(s)(dst, src)
						mine[j].update(&f, src, dst, truth)
					}
				}
				lock.Lock()
				defer lock.Unlock()
				for j := range worst {
					if !(mine[j].ulps <= worst[j].ulps) {
						worst[j] = mine[j]
					}
				}
			})
		}
		wg.Wait()
		for j, s := range sets {
			w := worst[j]
			t.Logf("%s, %s: at most %.3f ULP, at %x", f.name, s.Name, w.ulps, w.x)
			if !(w.ulps <= f.ulps) {
				t.Errorf("%s, %s: %x gives %x, %.3f ULP off", f.name, s.Name, w.x, w.y, w.ulps)
			}
		}
	}
}

type worstCase struct {
	ulps float64
	x, y float32
}

// update counts a result outside the function's range as infinitely wrong.
func (w *worstCase) update(f *function, src, dst []float32, truth []float64) {
	for i, y := range dst {
		ulps := ref.ULPError(y, truth[i])
		if y < f.lo || y > f.hi {
			ulps = math.Inf(1)
		}
		if !(ulps <= w.ulps) {
			*w = worstCase{ulps, src[i], y}
		}
	}
}
