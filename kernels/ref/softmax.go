package ref

import "math"

// Softmax returns e^x[j] / Σ e^x, with max x and Σ e^(x - max).
func Softmax[F Float](x []F) (p []float64, max, sum float64) {
	max = math.Inf(-1)
	for _, v := range x {
		max = math.Max(max, float64(v))
	}
	p = make([]float64, len(x))
	for j, v := range x {
		p[j] = math.Exp(float64(v) - max)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p, max, sum
}

// SoftmaxCrossEntropy returns the loss of a matrix of logits, rows of n columns
// with stride ld, and its gradient as a dense matrix:
//
//	loss = -scale · Σ_t log softmax(x_t)[targets[t]]
//	dx_t = scale · (softmax(x_t) - onehot(targets[t]))
//
// A negative target leaves its row out: no loss, and a gradient of zero.
func SoftmaxCrossEntropy[F Float, I ~int | ~int32](n int, logits []F, ld int, targets []I, scale float64) (dlogits []float64, loss float64) {
	dlogits = make([]float64, len(targets)*n)
	for t, target := range targets {
		if target < 0 {
			continue
		}
		x, dx := logits[t*ld:t*ld+n], dlogits[t*n:(t+1)*n]
		p, max, sum := Softmax(x)
		loss -= scale * (float64(x[target]) - max - math.Log(sum))
		for j := range dx {
			dx[j] = scale * p[j]
		}
		dx[target] -= scale
	}
	return dlogits, loss
}
