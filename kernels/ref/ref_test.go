package ref_test

import (
	"math"
	"testing"

	"batchrnn/kernels/ref"
)

func TestULPError(t *testing.T) {
	inf := float32(math.Inf(1))
	const least = 0x1p-149
	for _, c := range []struct {
		got  float32
		want float64
		ulps float64
	}{
		{1, 1, 0},
		{1, 1 + 0x1p-24, 0.5},
		{1, 1 - 0x1p-25, 0.5},
		{-2, -2 - 0x1p-22, 1},
		{0, least, 1},
		{least, least / 2, 0.5},
		{3 * least, 0, 3},
		{0x1p-126, 0x1p-126 + least, 1},
		{inf, math.Inf(1), 0},
		{inf, 0x1p200, 0},
		{inf, math.MaxFloat32, 1},
		{math.MaxFloat32, math.Inf(1), 1},
		{-inf, -math.MaxFloat32, 1},
		{0, math.NaN(), math.Inf(1)},
		{float32(math.NaN()), math.NaN(), 0},
		{float32(math.NaN()), 0, math.Inf(1)},
	} {
		if got := ref.ULPError(c.got, c.want); got != c.ulps {
			t.Errorf("ULPError(%g, %g) = %g, want %g", c.got, c.want, got, c.ulps)
		}
	}
}

func TestGemm(t *testing.T) {
	// A = [1 2 3; 4 5 6], B = [1 0; 0 1; 2 -1].
	a, at := []float32{1, 2, 3, 4, 5, 6}, []float32{1, 4, 2, 5, 3, 6}
	b, bt := []float32{1, 0, 0, 1, 2, -1}, []float32{1, 0, 2, 0, 1, -1}
	want := []float64{7, -1, 16, -1}
	for _, c := range []struct {
		transA, transB bool
		a, b           []float32
		lda, ldb       int
	}{
		{false, false, a, b, 3, 2},
		{true, false, at, b, 2, 2},
		{false, true, a, bt, 3, 3},
		{true, true, at, bt, 2, 3},
	} {
		got, magnitude := ref.Gemm(c.transA, c.transB, 2, 2, 3, c.a, c.lda, c.b, c.ldb, nil, 0, nil)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("transA %v, transB %v: %v, want %v", c.transA, c.transB, got, want)
				break
			}
		}
		if magnitude[1] != 5 {
			t.Errorf("magnitude %v, want 5 at 1", magnitude)
		}
	}
	got, _ := ref.Gemm(false, false, 2, 2, 3, a, 3, b, 2, []float32{1, -1}, 0, ref.ReLU)
	if got[0] != 8 || got[1] != 0 || got[2] != 17 || got[3] != 0 {
		t.Errorf("with a bias and ReLU: %v", got)
	}
}

// The gradient of the loss is checked against finite differences.
func TestSoftmaxCrossEntropy(t *testing.T) {
	logits := []float64{0.5, -1, 2, 9, 0, 0.25, 1, 9}
	targets := []int32{2, 1}
	const n, ld, scale, h = 3, 4, 0.5, 1e-6
	grad, loss := ref.SoftmaxCrossEntropy(n, logits, ld, targets, scale)
	for i := range 2 {
		for j := range n {
			moved := append([]float64(nil), logits...)
			moved[i*ld+j] += h
			_, up := ref.SoftmaxCrossEntropy(n, moved, ld, targets, scale)
			if slope := (up - loss) / h; !(math.Abs(slope-grad[i*n+j]) <= 1e-5) {
				t.Errorf("gradient at %d,%d is %g, the slope %g", i, j, grad[i*n+j], slope)
			}
		}
	}
}

func TestScatterAdd(t *testing.T) {
	ids := []int{2, 0, 2}
	got := ref.ScatterAdd(make([]float32, 6), 2, ids, []float32{1, 2, 3, 4, 5, 6})
	for i, want := range []float64{3, 4, 0, 0, 6, 8} {
		if got[i] != want {
			t.Errorf("ScatterAdd: %v", got)
			break
		}
	}
}

// The derivatives of gated steps are checked against finite differences.
func TestGatedSteps(t *testing.T) {
	const h, dJdh, dJdnext = 1e-6, 0.75, -0.5
	slope := func(loss func(x []float64) float64, x []float64, i int) float64 {
		moved := append([]float64(nil), x...)
		moved[i] += h
		up := loss(moved)
		moved[i] -= 2 * h
		return (up - loss(moved)) / (2 * h)
	}
	compare := func(name string, loss func(x []float64) float64, x, got []float64) {
		for i := range x {
			if want := slope(loss, x, i); !(math.Abs(got[i]-want) <= 1e-8) {
				t.Errorf("%s: derivative %d is %g, the slope %g", name, i, got[i], want)
			}
		}
	}

	// Pre-activations of i, f, g, o, and c.
	x := []float64{0.25, 0.5, -1.25, 0.75, 1.5}
	lstm := func(x []float64) (i, f, g, o, c float64) {
		return ref.Sigmoid(x[0]), ref.Sigmoid(x[1]), ref.Tanh(x[2]), ref.Sigmoid(x[3]), x[4]
	}
	i, f, g, o, c := lstm(x)
	_, tanhNext, _ := ref.LSTM(i, f, g, o, c)
	di, df, dg, do, dc := ref.LSTMGrad(i, f, g, o, tanhNext, c, dJdh, dJdnext)
	compare("LSTM", func(x []float64) float64 {
		next, _, h := ref.LSTM(lstm(x))
		return dJdh*h + dJdnext*next
	}, x, []float64{di, df, dg, do, dc})

	// Pre-activations of r and z, x, q, and h.
	gru := func(x []float64) (r, z, in, q, h float64) {
		return ref.Sigmoid(x[0]), ref.Sigmoid(x[1]), x[2], x[3], x[4]
	}
	r, z, in, q, before := gru(x)
	n, _ := ref.GRU(r, z, in, q, before)
	dr, dz, dx, dq, dh := ref.GRUGrad(r, z, n, q, before, dJdnext)
	compare("GRU", func(x []float64) float64 {
		_, next := ref.GRU(gru(x))
		return dJdnext * next
	}, x, []float64{dr, dz, dx, dq, dh})
}
