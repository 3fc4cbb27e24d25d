package kernels

import (
	"fmt"
	"math"

	"batchrnn/asm"
)

// SGD takes one step of gradient descent: p -= lr·(scale·g).
func (o serial) SGD(p, g []float32, scale, lr float32) {
	checkLen("SGD", "g", len(g), len(p))
	for lo := 0; lo < len(p); lo += elementsPerCall {
		hi := callEnd(lo, len(p))
		o.set.SGD(p[lo:hi], g[lo:hi], scale, lr)
	}
}

// Adagrad takes one step of Adagrad (Duchi, Hazan & Singer 2011) with the sums of
// squares s: g' = scale·g, s += g'², p -= lr·g'/(√s + eps).
func (o serial) Adagrad(p, g, s []float32, scale, lr, eps float32) {
	checkLen("Adagrad", "g", len(g), len(p))
	checkLen("Adagrad", "s", len(s), len(p))
	for lo := 0; lo < len(p); lo += elementsPerCall {
		hi := callEnd(lo, len(p))
		o.set.Adagrad(p[lo:hi], g[lo:hi], s[lo:hi], scale, lr, eps)
	}
}

// AdamStep holds the scalars of one step of Adam.
type AdamStep struct{ args asm.AdamArgs }

// Set sets a to step t of Adam (Kingma & Ba 2015); t counts from 1. lr is the learning
// rate. beta1 and beta2 are the decay rates of the moments. eps is added to the root.
// The gradient is read as scale·g. The bias corrections are computed in float64.
func (a *AdamStep) Set(t int, scale, lr, beta1, beta2, eps float32) {
	if t < 1 {
		panic(fmt.Sprintf("kernels: AdamStep: step %d: steps count from 1", t))
	}
	b1, b2 := float64(beta1), float64(beta2)
	a.args = asm.AdamArgs{
		Scale: scale,
		Beta1: beta1, OneMinusBeta1: float32(1 - b1),
		Beta2: beta2, OneMinusBeta2: float32(1 - b2),
		Step:      float32(float64(lr) / (1 - math.Pow(b1, float64(t)))),
		RootScale: float32(1 / math.Sqrt(1-math.Pow(b2, float64(t)))),
		Eps:       eps,
	}
}

// Adam takes the step a with the moments m and v: g' = scale·g,
// m = β1·m + (1-β1)·g', v = β2·v + (1-β2)·g'²,
// p -= lr/(1-β1ᵗ) · m/(√(v/(1-β2ᵗ)) + eps).
func (o serial) Adam(p, g, m, v []float32, a *AdamStep) {
	checkLen("Adam", "g", len(g), len(p))
	checkLen("Adam", "m", len(m), len(p))
	checkLen("Adam", "v", len(v), len(p))
	if a.args.RootScale == 0 {
		panic("kernels: Adam: the step has not been set: call AdamStep.Set before")
	}
	for lo := 0; lo < len(p); lo += elementsPerCall {
		hi := callEnd(lo, len(p))
		o.set.Adam(p[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi], &a.args)
	}
}
