package kernels

import (
	"fmt"
	"slices"
	"strings"

	"batchrnn/asm"
)

// An Activation is a function of each element. Its zero value means the default of its
// user: [Identity] in a [Product], tanh in a network.
type Activation int

const (
	Tanh     = Activation(asm.Tanh)
	ReLU     = Activation(asm.ReLU)
	Sigmoid  = Activation(asm.Sigmoid)
	Identity = Activation(asm.Identity)
)

var activations = []string{"default", Tanh: "tanh", ReLU: "relu", Sigmoid: "sigmoid", Identity: "identity"}

func (a Activation) known() bool { return a >= 0 && int(a) < len(activations) }

// String returns the name: "tanh", "relu", "sigmoid" or "identity". Zero is "default".
func (a Activation) String() string {
	if !a.known() {
		return fmt.Sprintf("Activation(%d)", int(a))
	}
	return activations[a]
}

// MarshalText returns the name. It implements [encoding.TextMarshaler].
func (a Activation) MarshalText() ([]byte, error) {
	if !a.known() {
		return nil, fmt.Errorf("kernels: activation %d is unknown: there are %s", int(a), strings.Join(activations[1:], ", "))
	}
	return []byte(activations[a]), nil
}

// UnmarshalText sets a to the activation of that name. It implements
// [encoding.TextUnmarshaler].
func (a *Activation) UnmarshalText(name []byte) error {
	i := slices.Index(activations, string(name))
	if i < 0 {
		return fmt.Errorf("kernels: activation %.20q is unknown: there are %s", name, strings.Join(activations[1:], ", "))
	}
	*a = Activation(i)
	return nil
}

// Tanh sets dst to tanh(src), within 2 ULP. dst may be src.
func (o serial) Tanh(dst, src []float32) {
	checkLen("Tanh", "src", len(src), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.Tanh(dst[lo:hi], src[lo:hi])
	}
}

// Sigmoid sets dst to 1/(1+exp(-src)), within 2 ULP. dst may be src.
func (o serial) Sigmoid(dst, src []float32) {
	checkLen("Sigmoid", "src", len(src), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.Sigmoid(dst[lo:hi], src[lo:hi])
	}
}

// Exp sets dst to exp(src), within 2 ULP. dst may be src.
func (o serial) Exp(dst, src []float32) {
	checkLen("Exp", "src", len(src), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.Exp(dst[lo:hi], src[lo:hi])
	}
}

// Log sets dst to the natural logarithm of src, within 2 ULP. It is NaN below 0, and
// -Inf at 0 and -0. dst may be src.
func (o serial) Log(dst, src []float32) {
	checkLen("Log", "src", len(src), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.Log(dst[lo:hi], src[lo:hi])
	}
}

// Sqrt sets dst to the square root of src, correctly rounded. It is NaN below 0; -0
// stays. dst may be src.
func (o serial) Sqrt(dst, src []float32) {
	checkLen("Sqrt", "src", len(src), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.Sqrt(dst[lo:hi], src[lo:hi])
	}
}

// ReLU sets dst to src, with 0 in the place of negative elements. NaN and -0 stay. dst
// may be src.
func (o serial) ReLU(dst, src []float32) {
	checkLen("ReLU", "src", len(src), len(dst))
	for lo := 0; lo < len(dst); lo += elementsPerCall {
		hi := callEnd(lo, len(dst))
		o.set.ReLU(dst[lo:hi], src[lo:hi])
	}
}

// MulGrad multiplies the m×n matrix d, row stride ldd, by the derivative of act at z.
// It computes the derivative from y = act(z), row stride ldy: 1-y² for Tanh, y(1-y) for
// Sigmoid, 1 for Identity. For ReLU it stores 0 where y <= 0 and keeps d elsewhere. d
// and y must not overlap.
func (o serial) MulGrad(act Activation, m, n int, d []float32, ldd int, y []float32, ldy int) {
	checkMatrix("MulGrad", "d", d, m, n, ldd)
	checkMatrix("MulGrad", "y", y, m, n, ldy)
	f := o.set.TanhGrad
	switch act {
	case 0, Identity:
		return
	case ReLU:
		f = o.set.ReLUGrad
	case Tanh:
	case Sigmoid:
		f = o.set.SigmoidGrad
	default:
		panic(fmt.Sprintf("kernels: MulGrad: unknown activation %d", int(act)))
	}
	if m == 0 || n == 0 {
		return
	}
	for lo := 0; lo < n; lo += elementsPerCall {
		cols := min(elementsPerCall, n-lo)
		rows := min(elementsPerCall/cols, rowsPerCall)
		for i := 0; i < m; i += rows {
			if lo+i > 0 {
				stopPoint()
			}
			f(min(rows, m-i), cols, &d[i*ldd+lo], ldd, &y[i*ldy+lo], ldy)
		}
	}
}
