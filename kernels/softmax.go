package kernels

import (
	"fmt"
	"math"
)

// SoftmaxCrossEntropy takes len(targets) rows x_i of n logits, row stride ld. It sets
// losses[i] to the cross-entropy of row i in nats,
//
//	losses[i] = log Σ_j exp(x_ij) - x_i,targets[i].
//
// It replaces the row by the gradient of scale·losses[i], scale·(softmax(x_i) -
// onehot(targets[i])).
func (o serial) SoftmaxCrossEntropy(n int, scale float32, logits []float32, ld int, targets []int32, losses []float32) {
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
		logSum := o.softmaxRow(row, scale)
		row[target] -= scale
		losses[i] = float32(logSum - float64(x))
	}
}

// Softmax replaces each of m rows of n logits, row stride ld, by its softmax.
func (o serial) Softmax(m, n int, logits []float32, ld int) {
	checkMatrix("Softmax", "logits", logits, m, n, ld)
	if n == 0 && m > 0 {
		panic("kernels: Softmax: rows of 0 logits have none")
	}
	for i := range m {
		o.softmaxRow(logits[i*ld:][:n], 1)
	}
}

// LogSoftmax replaces each of m rows of n logits, row stride ld, by the logarithm of its
// softmax. It overwrites the first n floats of scratch, which must not overlap logits.
func (o serial) LogSoftmax(m, n int, logits []float32, ld int, scratch []float32) {
	checkMatrix("LogSoftmax", "logits", logits, m, n, ld)
	checkMatrix("LogSoftmax", "scratch", scratch, 1, n, n)
	if n == 0 && m > 0 {
		panic("kernels: LogSoftmax: rows of 0 logits have none")
	}
	for i := range m {
		row := logits[i*ld:][:n]
		copy(scratch, row)
		logSum := o.softmaxRow(scratch[:n], 1)
		for j, x := range row {
			row[j] = float32(float64(x) - logSum)
		}
	}
}

// LogSum replaces x by its softmax and returns log Σ exp(x). The cross-entropy of each target
// is float32(log Σ exp(x) - x_target), the bits that [serial.SoftmaxCrossEntropy] gives.
func (o serial) LogSum(x []float32) float64 {
	if len(x) == 0 {
		panic("kernels: LogSum: there is no logit")
	}
	return o.softmaxRow(x, 1)
}

// softmaxRow replaces x by scale·softmax(x) and returns log Σ exp(x).
func (o serial) softmaxRow(x []float32, scale float32) (logSum float64) {
	if len(x) > elementsPerCall {
		return o.softmaxLong(x, scale)
	}
	max, sum := o.set.Softmax(x, scale)
	return math.Log(float64(sum)) + float64(max)
}

// softmaxLong is softmaxRow for a row that is too long for one call into assembly. It
// computes the softmax of each chunk, then scales each chunk by its share of the whole.
func (o serial) softmaxLong(x []float32, scale float32) (logSum float64) {
	const maxChunks = 64
	var logs [maxChunks]float64 // log Σ exp(x) of each chunk
	size := max(elementsPerCall, (len(x)+maxChunks-1)/maxChunks)
	chunks := (len(x) + size - 1) / size
	chunk := func(i int) []float32 { return x[i*size : min((i+1)*size, len(x))] }

	most := math.Inf(-1)
	for i := range chunks {
		stopPoint()
		if c := chunk(i); allMinusInf(c) { // probability 0; the kernel would give NaN
			clear(c)
			logs[i] = math.Inf(-1)
		} else {
			top, sum := o.set.Softmax(c, scale)
			logs[i] = math.Log(float64(sum)) + float64(top)
		}
		most = max(most, logs[i])
	}
	var sum float64
	for _, l := range logs[:chunks] {
		sum += math.Exp(l - most)
	}
	logSum = most + math.Log(sum)
	for i, l := range logs[:chunks] {
		stopPoint()
		o.Scale(float32(math.Exp(l-logSum)), chunk(i))
	}
	return logSum
}

func allMinusInf(x []float32) bool {
	for _, v := range x {
		if v >= -math.MaxFloat32 || v != v {
			return false
		}
	}
	return true
}
