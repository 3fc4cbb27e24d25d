package speed

import (
	"math"

	"batchrnn/kernels"
)

// An operation is one call of package kernels on a number of elements.
type operation struct {
	kind, name string
	bytes      int // read and written per element
	run        func()
}

// operations lists e's operations except matrix products, on n elements each. Each can
// be repeated without end. Row operations get one row, column sums get rows of 512.
// Packing gets a square matrix of n elements.
func operations(e *kernels.Engine, n int) []operation {
	x, y, dst := randoms(n, 4), randoms(n, 1), kernels.Floats(n)
	g, m, v := randoms(n, 1), kernels.Floats(n), kernels.Floats(n)
	// The derivatives at these outputs are 1, 1 and -1, so repeated scaling keeps the
	// magnitude.
	tanhY, reluY, sigmoidY := filled(n, 0), filled(n, 1), filled(n, float32(1-math.Phi))
	ids, losses := []int32{0}, kernels.Floats(1)
	side, width := int(math.Sqrt(float64(n))), min(n, 512)
	packed := e.NewPacked(side, side)
	var adam kernels.AdamStep
	adam.Set(1, 1, 1e-3, 0.9, 0.999, 1e-8)
	var sum float64

	return []operation{
		{KindActivation, "tanh", 8, func() { e.Tanh(dst, x) }},
		{KindActivation, "sigmoid", 8, func() { e.Sigmoid(dst, x) }},
		{KindActivation, "exp", 8, func() { e.Exp(dst, x) }},
		{KindActivation, "relu", 8, func() { e.ReLU(dst, x) }},
		{KindActivation, "tanh gradient", 12, func() { e.MulGrad(kernels.Tanh, 1, n, g, n, tanhY, n) }},
		{KindActivation, "sigmoid gradient", 12, func() { e.MulGrad(kernels.Sigmoid, 1, n, g, n, sigmoidY, n) }},
		{KindActivation, "relu gradient", 12, func() { e.MulGrad(kernels.ReLU, 1, n, g, n, reluY, n) }},
		{KindVector, "add", 12, func() { e.Add(dst, x, y) }},
		{KindVector, "multiply", 12, func() { e.Mul(dst, x, y) }},
		{KindVector, "axpy", 12, func() { e.Axpy(1e-3, x, dst) }},
		{KindVector, "scale", 8, func() { e.Scale(-1, y) }},
		{KindVector, "scatter-add", 12, func() { e.ScatterAdd(n, ids, x, n, dst, n) }},
		{KindReduction, "dot", 8, func() { sum += e.Dot(x, y) }},
		{KindReduction, "sum of squares", 4, func() { sum += e.SumSquares(x) }},
		{KindReduction, "column sums", 4, func() { e.ColumnSums(n/width, x, width, dst[:width]) }},
		{KindSoftmax, "softmax", 8, func() { e.Softmax(1, n, dst, n) }},
		{KindSoftmax, "softmax, loss", 8, func() { e.SoftmaxCrossEntropy(n, 1, dst, n, ids, losses) }},
		{KindOptimizer, "sgd", 12, func() { e.SGD(dst, y, 1, 1e-3) }},
		{KindOptimizer, "adagrad", 20, func() { e.Adagrad(dst, y, v, 1, 1e-3, 1e-10) }},
		{KindOptimizer, "adam", 28, func() { e.Adam(dst, y, m, v, &adam) }},
		{KindPacking, "pack", 8, func() { e.Pack(packed, false, x, side) }},
		{KindPacking, "pack transposed", 8, func() { e.Pack(packed, true, x, side) }},
	}
}

func filled(n int, value float32) []float32 {
	x := kernels.Floats(n)
	for i := range x {
		x[i] = value
	}
	return x
}
