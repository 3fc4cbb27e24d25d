package kernels

import (
	"fmt"
	"math"
)

// SoftmaxCrossEntropy takes len(targets) rows of n logits with row stride ld,
// sets losses[i] to the cross-entropy of row i in nats,
//
//	losses[i] = log Σ_j exp(x_ij) - x_i,targets[i],
//
// and replaces the row by the gradient of scale·losses[i]:
// scale·(softmax(x_i) - onehot(targets[i])).
func (e *Engine) SoftmaxCrossEntropy(losses []float32, n int, logits []float32, ld int, targets []int32, scale float32) {
	checkLen("SoftmaxCrossEntropy", "losses", len(losses), len(targets))
	checkMatrix("SoftmaxCrossEntropy", "logits", logits, len(targets), n, ld)
	for i, target := range targets {
		if target < 0 || int(target) >= n {
			panic(fmt.Sprintf("kernels: SoftmaxCrossEntropy: target %d of row %d is outside the %d classes", target, i, n))
		}
	}
	for i, target := range targets {
		row := logits[i*ld:][:n]
		x := row[target]
		max, sum := e.set.Softmax(row, scale)
		row[target] -= scale
		losses[i] = float32(math.Log(float64(sum)) + float64(max) - float64(x))
	}
}

// Softmax replaces each of m rows of n logits, row stride ld, by its softmax.
func (e *Engine) Softmax(m, n int, logits []float32, ld int) {
	checkMatrix("Softmax", "logits", logits, m, n, ld)
	if n == 0 && m > 0 {
		panic("kernels: Softmax: rows of 0 logits have none")
	}
	for i := range m {
		e.set.Softmax(logits[i*ld:][:n], 1)
	}
}
