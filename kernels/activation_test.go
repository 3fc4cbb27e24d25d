package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"batchrnn/kernels/ref"
)

// TestFunctions runs the functions of one variable on lengths about the bounds
// of a chunk, into another vector and in place. asm holds them to their 2 ULP
// on all kinds of values.
func TestFunctions(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(29, 30))
		for _, f := range []struct {
			name  string
			call  func(dst, src []float32)
			truth func(float64) float64
			ulps  float64
		}{
			{"Tanh", e.Tanh, ref.Tanh, 2},
			{"Sigmoid", e.Sigmoid, ref.Sigmoid, 2},
			{"Exp", e.Exp, ref.Exp, 2},
			{"Log", e.Log, ref.Log, 2},
			{"Sqrt", e.Sqrt, ref.Sqrt, 0.5},
			{"ReLU", e.ReLU, ref.ReLU, 0},
		} {
			for _, n := range lengths {
				src, space := randoms(r, n), filled(n+2, canary)
				dst := space[1 : n+1]
				f.call(dst, src)
				for i, x := range src {
					if ulps := ref.ULPError(dst[i], f.truth(float64(x))); !(ulps <= f.ulps) {
						t.Fatalf("%s of %d: element %d, of %g, is %g, %.2f ULP off", f.name, n, i, x, dst[i], ulps)
					}
				}
				if !sameBits(space[0], canary) || !sameBits(space[n+1], canary) {
					t.Errorf("%s of %d wrote outside", f.name, n)
				}
				f.call(src, src)
				if i := firstDifference(src, dst); i >= 0 {
					t.Errorf("%s of %d in place: element %d is %x, not %x", f.name, n, i, src[i], dst[i])
				}
			}
		}
	})
}

// TestActivationText: each activation is written and read by its name.
func TestActivationText(t *testing.T) {
	for want, a := range map[string]Activation{"default": 0, "tanh": Tanh, "relu": ReLU, "sigmoid": Sigmoid, "identity": Identity} {
		text, err := a.MarshalText()
		if err != nil || string(text) != want || a.String() != want {
			t.Errorf("activation %d: %q, %v; String gives %q; want %q", int(a), text, err, a.String(), want)
		}
		read := Activation(-1)
		if err := read.UnmarshalText(text); err != nil || read != a {
			t.Errorf("%q is read as %d, %v; want %d", text, int(read), err, int(a))
		}
	}
	for _, a := range []Activation{-1, Identity + 1} {
		if text, err := a.MarshalText(); err == nil {
			t.Errorf("activation %d is written as %q", int(a), text)
		}
		if want := fmt.Sprintf("Activation(%d)", int(a)); a.String() != want {
			t.Errorf("String gives %q, want %q", a.String(), want)
		}
	}
	a := ReLU
	for _, name := range []string{"", "Tanh", "softplus"} {
		err := a.UnmarshalText([]byte(name))
		if err == nil || a != ReLU || !strings.Contains(err.Error(), "tanh, relu, sigmoid, identity") {
			t.Errorf("%q is read as %v, %v; want an error that lists the names", name, a, err)
		}
	}
}

// TestGrad takes matrices within a chunk, of several chunks of rows, and of
// rows longer than a chunk.
func TestGrad(t *testing.T) {
	identity := func(float64) float64 { return 1 }
	gradients := []func(float64) float64{identity, Identity: identity, ReLU: ref.ReLUGrad, Tanh: ref.TanhGrad, Sigmoid: ref.SigmoidGrad}
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(31, 32))
		for _, size := range [][2]int{{0, 5}, {5, 0}, {1, 1}, {7, 33}, {701, 47}, {3, elementsPerCall + 5}} {
			for act, g := range gradients {
				m, n := size[0], size[1]
				ldd, ldy := n+3, n+5
				d, y := randoms(r, m*ldd), randoms(r, m*ldy)
				same := func(_, _ []float32) {}
				apply := []func(dst, src []float32){same, Identity: same, ReLU: e.ReLU, Tanh: e.Tanh, Sigmoid: e.Sigmoid}
				apply[act](y, y)
				before := slices.Clone(d)
				e.MulGrad(Activation(act), m, n, d, ldd, y, ldy)
				for x, got := range d {
					i, j := x/ldd, x%ldd
					want, tolerance := float64(before[x]), 0.0
					if j < n {
						want *= g(float64(y[i*ldy+j]))
						tolerance = 4 * eps * math.Abs(float64(before[x]))
					}
					if !(math.Abs(float64(got)-want) <= tolerance) {
						t.Fatalf("activation %d, %dx%d: row %d, column %d is %g, want %g", act, m, n, i, j, got, want)
					}
				}
			}
		}
	})
}
