package kernels_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"batchrnn/kernels"
)

// A network of two layers, by hand: h = tanh(x·W1 + b1), logits = h·W2 + b2. It learns
// whether two bits differ, which one layer can't tell.
func ExampleEngine_twoLayers() {
	e, err := kernels.New("", 1)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	const rows, inputs, hidden, classes = 4, 2, 8, 2
	x, targets := []float32{0, 0, 0, 1, 1, 0, 1, 1}, []int32{0, 1, 1, 0}
	r := rand.New(rand.NewPCG(1, 2))
	w1, b1 := make([]float32, inputs*hidden), make([]float32, hidden)
	w2, b2 := make([]float32, hidden*classes), make([]float32, classes)
	for _, w := range [][]float32{w1, w2} {
		for i := range w {
			w[i] = 2*r.Float32() - 1
		}
	}

	h, dh := make([]float32, rows*hidden), make([]float32, rows*hidden)
	logits, losses := make([]float32, rows*classes), make([]float32, rows)
	dw1, db1 := make([]float32, len(w1)), make([]float32, len(b1))
	dw2, db2 := make([]float32, len(w2)), make([]float32, len(b2))
	packed1, packed2 := e.NewPacked(inputs, hidden), e.NewPacked(hidden, classes)
	forward := func() {
		e.Pack(packed1, false, w1, hidden)
		e.Pack(packed2, false, w2, classes)
		e.Gemm(kernels.Product{M: rows, A: x, LDA: inputs, B: packed1, Bias: b1, C: h, LDC: hidden, Act: kernels.Tanh})
		e.Gemm(kernels.Product{M: rows, A: h, LDA: hidden, B: packed2, Bias: b2, C: logits, LDC: classes})
	}
	for range 200 {
		forward()
		e.SoftmaxCrossEntropy(classes, 1.0/rows, logits, classes, targets, losses) // logits become dlogits

		// dW2 = hᵀ·dlogits, dh = dlogits·W2ᵀ ∘ tanh', dW1 = xᵀ·dh.
		dlogits := kernels.Matrix{K: rows, N: classes, Data: logits, LD: classes}
		e.GemmPlain(kernels.Product{M: hidden, A: h, LDA: hidden, TransA: true, C: dw2, LDC: classes}, dlogits)
		w2T := kernels.Matrix{K: classes, N: hidden, Data: w2, LD: classes, Trans: true}
		e.GemmPlain(kernels.Product{M: rows, A: logits, LDA: classes, C: dh, LDC: hidden}, w2T)
		e.MulGrad(kernels.Tanh, rows, hidden, dh, hidden, h, hidden)
		dz := kernels.Matrix{K: rows, N: hidden, Data: dh, LD: hidden}
		e.GemmPlain(kernels.Product{M: inputs, A: x, LDA: inputs, TransA: true, C: dw1, LDC: hidden}, dz)
		e.Clear(db1)
		e.Clear(db2)
		e.ColumnSums(rows, dh, hidden, db1)
		e.ColumnSums(rows, logits, classes, db2)

		for _, p := range [][2][]float32{{w1, dw1}, {b1, db1}, {w2, dw2}, {b2, db2}} {
			e.SGD(p[0], p[1], 1, 0.5)
		}
	}
	forward()
	e.Softmax(rows, classes, logits, classes)
	for i, target := range targets {
		fmt.Printf("%v differ: %t, %t\n", x[i*inputs:][:inputs], logits[i*classes+1] > 0.9, target == 1)
	}
	// Output:
	// [0 0] differ: false, false
	// [0 1] differ: true, true
	// [1 0] differ: true, true
	// [1 1] differ: false, false
}
