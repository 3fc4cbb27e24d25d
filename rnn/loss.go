package rnn

import (
	"fmt"
	"math"
	"math/bits"

	"batchrnn/kernels"
)

// A lossKind is the loss that stage 4 computes.
type lossKind int

const (
	crossEntropy  lossKind = iota // of a softmax; targets are ids
	binaryEntropy                 // of a sigmoid for each output; targets are probabilities
	squaredError                  // of the outputs themselves; targets are values
)

// targets are the targets of stage 4.
type targets struct {
	kind    lossKind
	ids     []int32   // [N], classes of the head
	labels  []int32   // [R], as the caller gave them
	vectors []float32 // [R,V]
	total   float64   // the sum of the weights of the rows that count: see SetTotal
	scale   float64   // the factor of each row's loss in the mean, besides its weight
}

// takeLabels prepares stage 4 for the targets of a cross-entropy.
func (ws *Workspace) takeLabels(labels []int32) {
	ws.pick(labels)
	ids := labels[:ws.front]
	if ws.picks {
		ids = ws.pickedIDs[:len(ws.picked)]
		for i, row := range ws.picked {
			ids[i] = labels[row]
		}
	}
	t := &ws.pass.targets
	*t = targets{kind: crossEntropy, labels: labels}
	t.total = ws.total()
	t.ids, t.scale = ws.classes(ids), 1/t.total
}

// takeVectors prepares stage 4 for targets that are vectors.
func (ws *Workspace) takeVectors(kind lossKind, vectors []float32) {
	ws.pick(nil)
	t := &ws.pass.targets
	*t = targets{kind: kind, vectors: vectors}
	t.total = ws.total()
	t.scale = 1 / (t.total * ws.totalWeight())
}

// total returns the sum of the weights of the rows that count, in the whole batch.
func (ws *Workspace) total() (sum float64) {
	s := &ws.shards
	switch {
	case s.Shards > 0 && s.total > 0:
		return s.total
	case s.Shards > 0 && ws.m.LastStep:
		return float64(s.Rows)
	case s.Shards > 0:
		return float64(ws.T) * float64(s.Rows)
	}
	for i := range ws.count() {
		sum += ws.weight(i)
	}
	return sum
}

// LossSum returns the sum of the weighted losses of the last Loss or Backward, and the
// total that they were divided by. With [Workspace.Shard] the sum is of the workspace's
// rows, and the total that of the whole batch. Sums of parts, added as gradients are,
// have the same bits for any number of parts.
func (ws *Workspace) LossSum() (sum, total float64) {
	return ws.lossSum, ws.pass.targets.total
}

// losses is stage 4 for some of the rows that count. It replaces their logits by the
// gradient of the mean loss.
func (ws *Workspace) losses(w *kernels.Worker, rows kernels.Span, logits []float32) {
	t := &ws.pass.targets
	if t.kind == crossEntropy {
		ws.crossEntropies(w, ws.Losses[rows.Lo:rows.Hi], ws.m.head(), logits, t.ids[rows.Lo:rows.Hi], rows.Lo, nil)
		return
	}
	v := ws.m.Output
	whole := ws.totalWeight()
	for i := range rows.Len() {
		row := ws.row(rows.Lo + i)
		y, want, scale := logits[i*v:][:v], t.vectors[row*v:][:v], t.scale*ws.rowWeight(row)
		var sum float64
		for j, x := range y {
			loss, slope := t.kind.term(float64(x), float64(want[j]))
			weight := 1.0
			if ws.weights != nil {
				weight = ws.labelWeight(j)
			}
			sum += float64(weight * loss)
			y[j] = float32(weight * slope * scale)
		}
		ws.Losses[rows.Lo+i] = float32(sum / whole)
	}
}

// term returns the loss of an output y with target t, and its derivative with respect
// to y.
func (k lossKind) term(y, t float64) (loss, slope float64) {
	if k == squaredError {
		return (y - t) * (y - t), 2 * (y - t)
	}
	// log(1+eʸ) - t·y without overflow. NaN goes through max and Log1p.
	e := math.Exp(-math.Abs(y))
	sigma := 1 / (1 + e)
	if y < 0 {
		sigma = e / (1 + e)
	}
	return max(y, 0) - float64(t*y) + math.Log1p(e), sigma - t
}

// crossEntropies runs stage 4 on rows of n logits whose targets are classes. It scales
// each by its row's weight. Row i here is rows[i] of the rows that count, or first+i if
// rows is nil.
func (ws *Workspace) crossEntropies(w *kernels.Worker, losses []float32, n int, logits []float32, classes []int32, first int, rows []int32) {
	t := &ws.pass.targets
	if ws.weights == nil && ws.rowWeights == nil {
		w.SoftmaxCrossEntropy(n, float32(t.scale), logits, n, classes, losses)
		return
	}
	for i := range classes {
		at := first + i
		if rows != nil {
			at = int(rows[i])
		}
		scale := float32(t.scale * ws.weight(at))
		w.SoftmaxCrossEntropy(n, scale, logits[i*n:], n, classes[i:i+1], losses[i:i+1])
	}
}

// meanLoss sums the losses of each shard in order, and the shards as [level] says. It
// moves the losses of the rows that count to their places.
func (ws *Workspace) meanLoss() float64 {
	n := ws.count()
	ws.lossSum = 0
	if n == 0 {
		clear(ws.Losses)
		return 0
	}
	if ws.tails != nil {
		ws.tails.addLosses(ws.Losses)
	}
	var sums [bits.UintSize]float64 // of each level
	from := 0
	for i, end := range ws.ends {
		var sum float64
		for j, l := range ws.Losses[from:end] {
			sum += float64(ws.weight(from+j) * float64(l))
		}
		from = end
		l, additions := level(i)
		sums[l] = sum
		for ; additions > 0; additions-- {
			l--
			sums[l] += sums[l+1]
		}
	}
	ws.lossSum = sums[0]
	switch {
	case len(ws.ends) > 1:
		ws.spreadShards()
	case ws.picks:
		ws.spreadLosses()
	default:
		clear(ws.Losses[n:])
	}
	return ws.lossSum / ws.pass.targets.total
}

// spreadShards is spreadLosses for several shards, whose rows are not in order.
func (ws *Workspace) spreadShards() {
	losses := ws.shardLosses[:len(ws.picked)]
	copy(losses, ws.Losses)
	clear(ws.Losses)
	for i, row := range ws.picked {
		ws.Losses[row] = losses[i]
	}
}

// spreadLosses moves the losses of the rows that count from the front of Losses to
// their places. It moves the last one first.
func (ws *Workspace) spreadLosses() {
	end := len(ws.Losses)
	for i := len(ws.picked) - 1; i >= 0; i-- {
		row := int(ws.picked[i])
		l := ws.Losses[i]
		ws.m.engine.Clear(ws.Losses[row+1 : end])
		ws.Losses[row] = l
		end = row
	}
	clear(ws.Losses[:end])
}

// CheckLosses returns an error that names the first step and row whose loss is NaN or
// infinite. That happens after a NaN or infinite input, target or parameter. If all
// losses are finite, it looks for a dense input that is not. Such an input can hide:
// tanh and sigmoid of infinity are finite. It returns nil if all are finite.
func (ws *Workspace) CheckLosses() error {
	for row, l := range ws.Losses {
		if finite(float64(l)) {
			continue
		}
		if ws.m.LastStep {
			return fmt.Errorf("rnn: the loss of row %d is %v: look for NaN or infinity in its input and target, and in the parameters", row, l)
		}
		return fmt.Errorf("rnn: the loss of step %d, row %d is %v: look for NaN or infinity in its input and target at this step or before, and in the parameters",
			row/ws.B, row%ws.B, l)
	}
	for i, x := range ws.pass.x { // tanh and sigmoid of infinity are finite
		if row := i / ws.m.Input; !finite(float64(x)) && !ws.lengths.ended(row/ws.B, row%ws.B) {
			return fmt.Errorf("rnn: the input of step %d, row %d is %v at place %d: the gradient is not a number", row/ws.B, row%ws.B, x, i%ws.m.Input)
		}
	}
	return nil
}

// finite says whether x is neither NaN nor infinite.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func (ws *Workspace) checkOutputs(op string) {
	if ws.m.Output == 0 {
		panic("rnn: the model has no output layer: set Config.Output, or use BackwardStates")
	}
	ws.checkRan(op)
	if len(ws.Losses) != ws.rows {
		panic(fmt.Sprintf("rnn: %s: Losses has length %d, want %d = %s", op, len(ws.Losses), ws.rows, ws.rowsFormula()))
	}
}

// rowsFormula returns the formula for the number of rows of outputs.
func (ws *Workspace) rowsFormula() string {
	if ws.m.LastStep {
		return fmt.Sprintf("B for B %d and an output after the last step alone", ws.B)
	}
	return fmt.Sprintf("T·B for T %d, B %d", ws.T, ws.B)
}

func (ws *Workspace) checkTargets(op string, targets []int32) {
	ws.checkOutputs(op)
	if len(targets) != ws.rows {
		panic(fmt.Sprintf("rnn: %s: targets has length %d, want %d = %s", op, len(targets), ws.rows, ws.rowsFormula()))
	}
	for row, target := range targets[:ws.outputRows()] {
		if uint(target) >= uint(ws.m.Output) && target != Ignore && !ws.lengths.ended(row/ws.B, row%ws.B) {
			outside(op, "target", target, row, ws.m.Output, "outputs")
		}
	}
}

// checkVectors panics unless targets has the right length and the softmax is not
// adaptive.
func (ws *Workspace) checkVectors(op string, targets []float32) {
	ws.checkOutputs(op)
	if ws.tails != nil {
		panic("rnn: " + op + ": the model's output is an adaptive softmax, whose targets are ids: use Loss and Backward, or leave Config.Cutoffs out")
	}
	if want := ws.rows * ws.m.Output; len(targets) != want {
		panic(fmt.Sprintf("rnn: %s: targets has length %d, want %d = V·%s, V %d", op, len(targets), want, ws.rowsFormula(), ws.m.Output))
	}
}

// checkProbabilities panics unless all targets within their sequence's length are in
// [0,1].
func (ws *Workspace) checkProbabilities(op string, targets []float32) {
	v := ws.m.Output
	for i, t := range targets[:ws.outputRows()*v] {
		row := i / v
		if !(t >= 0 && t <= 1) && !ws.lengths.ended(row/ws.B, row%ws.B) {
			panic(fmt.Sprintf("rnn: %s: target %v at index %d is not a probability, from 0 to 1", op, t, i))
		}
	}
}
