package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"batchrnn/kernels/ref"
)

const (
	steps     = 8
	learnRate = 0.0625
	beta1     = 0.9
	beta2     = 0.999
	rootEps   = 1e-8
)

// TestOptimisers takes several steps with new gradients beside the oracle, with
// a vector of more than one chunk. State is compared, too: an error in it would
// show in the parameters only later.
func TestOptimisers(t *testing.T) {
	const n = elementsPerCall + 77
	// The oracle reads the float32 constants.
	wide := func(v float32) float64 { return float64(v) }
	for _, o := range []struct {
		name   string
		states int
		call   func(e *Engine, step int, p, g []float32, s [][]float32, scale float32)
		oracle func(step int, p, g []float64, s [][]float64, scale float64)
	}{
		{
			"SGD", 0,
			func(e *Engine, _ int, p, g []float32, _ [][]float32, scale float32) { e.SGD(p, g, scale, learnRate) },
			func(_ int, p, g []float64, _ [][]float64, scale float64) { ref.SGD(p, g, scale, learnRate) },
		},
		{
			"Adagrad", 1,
			func(e *Engine, _ int, p, g []float32, s [][]float32, scale float32) {
				e.Adagrad(p, g, s[0], scale, learnRate, rootEps)
			},
			func(_ int, p, g []float64, s [][]float64, scale float64) {
				ref.Adagrad(p, g, s[0], scale, learnRate, wide(rootEps))
			},
		},
		{
			"Adam", 2,
			func(e *Engine, step int, p, g []float32, s [][]float32, scale float32) {
				var a AdamStep
				a.Set(step, scale, learnRate, beta1, beta2, rootEps)
				e.Adam(p, g, s[0], s[1], &a)
			},
			func(step int, p, g []float64, s [][]float64, scale float64) {
				ref.Adam(p, g, s[0], s[1], step, scale, learnRate, wide(beta1), wide(beta2), wide(rootEps))
			},
		},
	} {
		t.Run(o.name, func(t *testing.T) {
			eachEngine(t, 1, func(t *testing.T, e *Engine) {
				r := rand.New(rand.NewPCG(47, 48))
				p, got := randoms(r, n), make([][]float32, o.states)
				wantP, want := widen(p), make([][]float64, o.states)
				for i := range got {
					got[i], want[i] = make([]float32, n), make([]float64, n)
				}
				moved, largest := make([]float64, n), make([]float64, n) // of |p| and of |g|
				for step := 1; step <= steps; step++ {
					scale := float32(1)
					if step%2 == 0 {
						scale = 0.75 // a step that is clipped
					}
					g := randoms(r, n)
					g[0] = 0 // never a gradient: 0/(0+eps)
					o.call(e, step, p, g, got, scale)
					o.oracle(step, wantP, widen(g), want, float64(scale))
					for i := range p {
						moved[i] = max(moved[i], math.Abs(wantP[i])+1)
						largest[i] = max(largest[i], math.Abs(float64(g[i])))
						// Up to eight roundings a step, of p and of its step, which with
						// these rates stays below 1.
						if !(math.Abs(float64(p[i])-wantP[i]) <= float64(step)*8*eps*moved[i]) {
							t.Fatalf("step %d: parameter %d is %g, want %g", step, i, p[i], wantP[i])
						}
						for s := range got {
							bound := float64(step) * 8 * eps * (largest[i] + largest[i]*largest[i])
							if o.name == "Adagrad" {
								bound *= float64(step) // the sum grows
							}
							if !(math.Abs(float64(got[s][i])-want[s][i]) <= bound+slack) {
								t.Fatalf("step %d: state %d of parameter %d is %g, want %g", step, s, i, got[s][i], want[s][i])
							}
						}
					}
				}
			})
		})
	}
}
