package rnn

import (
	"fmt"
	"math"
	"slices"

	"batchrnn/kernels"
)

// Ignore, as a target, takes its row out of the loss. It equals PyTorch's ignore_index.
const Ignore = -100

// counted holds the rows of outputs that count, N of R, and their weights. Rows beyond
// a sequence's end don't count. Neither do rows whose target is left out.
type counted struct {
	rows int // R: T·B, or B with LastStep
	// front is the number of rows that count before the first that doesn't.
	front int
	// picks says that others count too, that the rows are last steps, or that the
	// workspace has several shards. The rows that count are then gathered in the buffers
	// below. The buffers are nil until needed.
	picks     bool
	picked    []int32   // [N], the indices of the rows that count, shard by shard
	pickedIDs []int32   // [R], their targets
	gather    []float32 // [R,W]
	dgather   []float32 // [R,W], in training

	ends        []int     // of each shard of the workspace, among the rows that count
	shardLosses []float32 // [R], losses in the order of picked; nil without several shards
	lossSum     float64   // the sum of the weighted losses of the last pass

	weights      []float32 // [V], of labels; nil means 1 each
	largestLabel float64   // of weights
	weightRoom   []float32 // [V], the memory of weights; nil until needed

	rowWeights    []float32 // [R]; nil means 1 each
	largestRow    float64   // of rowWeights
	rowWeightRoom []float32 // [R], the memory of rowWeights; nil until needed
}

// WeightLabels gives each label a weight w, [V]. The mean of the losses is then
// weighted, Σ w·loss / Σ w. With cross-entropy a row has the weight of its target. With
// other losses each output of a row has the weight of its label. nil ends the
// weighting.
//
// Losses holds cross-entropies without these weights. It panics if w has another
// length, a weight is negative or not finite, or all are 0.
func (ws *Workspace) WeightLabels(w []float32) {
	ws.weights, ws.largestLabel = takeWeights("WeightLabels", "label", w, ws.m.Output, ws.m.Output, &ws.weightRoom, false)
}

// WeightRows gives each row of outputs a weight w, [T,B], or [B] with Config.LastStep.
// The mean of the losses is then weighted, Σ w·loss / Σ w. Weights of WeightLabels
// multiply with it. nil ends the weighting.
//
// Losses holds losses without w. It panics if w has another length, a weight is
// negative or not finite, or all are 0. In a part of a batch all may be 0: see
// [Workspace.Shard].
func (ws *Workspace) WeightRows(w []float32) {
	ws.rowWeights, ws.largestRow = takeWeights("WeightRows", "row", w, ws.rows, ws.mostRows(), &ws.rowWeightRoom, ws.shards.Shards > 0)
}

// takeWeights copies n weights into room, which is for most. It returns them and the
// largest. zeros says whether all may be 0.
func takeWeights(op, what string, w []float32, n, most int, room *[]float32, zeros bool) (taken []float32, largest float64) {
	if w == nil {
		return nil, 0
	}
	if len(w) != n {
		panic(fmt.Sprintf("rnn: %s: w has length %d, want %d, one weight for each %s", op, len(w), n, what))
	}
	for i, x := range w {
		if !(x >= 0 && x <= math.MaxFloat32) {
			panic(fmt.Sprintf("rnn: %s: the weight of %s %d is %v, want 0 or more", op, what, i, x))
		}
	}
	if largest = float64(slices.Max(w)); largest == 0 && !zeros {
		panic(fmt.Sprintf("rnn: %s: all weights are 0, and nothing would count: give one above 0, or nil for no weights", op))
	}
	if *room == nil {
		*room = make([]float32, 0, most)
	}
	*room = append((*room)[:0], w...)
	return *room, largest
}

// relative returns a weight divided by the largest: only ratios count, and these neither
// overflow nor vanish. In a part of a batch it returns the weight itself, because the
// largest may be in another part.
func (ws *Workspace) relative(weight float32, largest float64) float64 {
	if ws.shards.Shards > 0 {
		return float64(weight)
	}
	return float64(float32(float64(weight) / largest))
}

// weight returns the weight of the i-th row that counts in the mean.
func (ws *Workspace) weight(i int) float64 {
	row, t := ws.row(i), &ws.pass.targets
	w := ws.rowWeight(row)
	if ws.weights != nil && t.kind == crossEntropy {
		w *= ws.labelWeight(int(t.labels[row]))
	}
	return w
}

// labelWeight returns the weight of a label by WeightLabels, which must have been called.
func (ws *Workspace) labelWeight(label int) float64 {
	return ws.relative(ws.weights[label], ws.largestLabel)
}

// rowWeight returns the weight of a row by WeightRows, or 1.
func (ws *Workspace) rowWeight(row int) float64 {
	if ws.rowWeights == nil {
		return 1
	}
	return ws.relative(ws.rowWeights[row], ws.largestRow)
}

// totalWeight returns the sum of the weights of all labels.
func (ws *Workspace) totalWeight() float64 {
	if ws.weights == nil {
		return float64(ws.m.Output)
	}
	var sum float64
	for j := range ws.weights {
		sum += ws.labelWeight(j)
	}
	return sum
}

// makePicks allocates the buffers for the rows that count.
func (ws *Workspace) makePicks() {
	if ws.picked != nil {
		return
	}
	rows := ws.mostRows()
	ws.picked = make([]int32, 0, rows)
	ws.pickedIDs = make([]int32, rows)
	ws.gather = kernels.Floats(rows * ws.m.width())
	if ws.dgather == nil && ws.grads[0] != nil {
		ws.dgather = kernels.Floats(len(ws.gather))
	}
}

// mostRows returns the largest R that there is room for.
func (ws *Workspace) mostRows() int {
	if ws.m.LastStep {
		return ws.roomB
	}
	return ws.roomRows
}

// count returns N, the number of rows that count.
func (ws *Workspace) count() int {
	if ws.picks {
		return len(ws.picked)
	}
	return ws.front
}

// outputRows returns the number of rows of outputs of the steps that a pass takes. Later
// ones don't count.
func (ws *Workspace) outputRows() int { return min(ws.rows, ws.steps*ws.B) }

// row returns the index, among all R rows, of the i-th row that counts.
func (ws *Workspace) row(i int) int {
	if ws.picks {
		return int(ws.picked[i])
	}
	return i
}

// pick selects the rows that count. It leaves out rows beyond a sequence's end, rows
// with target Ignore, and rows or labels of weight 0. targets is nil if the targets are
// vectors.
func (ws *Workspace) pick(targets []int32) {
	rows, shards := ws.outputRows(), ws.shards.held()
	ws.front, ws.picks, ws.ends = 0, ws.m.LastStep || shards > 1, ws.ends[:0]
	for ws.front < rows && !ws.leftOut(targets, ws.front) {
		ws.front++
	}
	for row := ws.front; row < rows && !ws.picks; row++ {
		ws.picks = !ws.leftOut(targets, row)
	}
	if !ws.picks {
		ws.ends = append(ws.ends, ws.front)
		return
	}
	ws.makePicks()
	ws.picked = ws.picked[:0]
	for i := range shards {
		own := ws.shardRows(i)
		for first := 0; first < rows; first += ws.B { // of a step
			for row := first + own.Lo; row < first+own.Hi; row++ {
				if !ws.leftOut(targets, row) {
					ws.picked = append(ws.picked, int32(row))
				}
			}
		}
		ws.ends = append(ws.ends, len(ws.picked))
	}
}

// shardRows returns the rows of the batch that the i-th shard of the workspace has.
func (ws *Workspace) shardRows(i int) kernels.Span {
	if ws.shards.Shards == 0 {
		return kernels.Span{Hi: ws.B}
	}
	return ws.shards.own(i)
}

func (ws *Workspace) leftOut(targets []int32, row int) bool {
	if ws.lengths.ended(row/ws.B, row%ws.B) { // with LastStep: an idle row
		return true
	}
	if ws.rowWeights != nil && ws.rowWeight(row) == 0 {
		return true
	}
	if targets == nil {
		return false
	}
	return targets[row] == Ignore || ws.weights != nil && ws.labelWeight(int(targets[row])) == 0
}

// gatherRows gathers the rows of states, [T,B,W], that count. Workers share the rows.
func (ws *Workspace) gatherRows(w *kernels.Worker, states []float32) {
	rows := w.Share(len(ws.picked))
	width := ws.m.width()
	for i := rows.Lo; i < rows.Hi; i++ {
		if ws.m.LastStep {
			ws.gatherLast(states, i, int(ws.picked[i]))
		} else {
			w.Copy(ws.gather[i*width:][:width], states[int(ws.picked[i])*width:][:width])
		}
	}
}

// gatherLast copies the last state of sequence b, of each direction, to row i. It clears
// row i if the sequence is idle.
func (ws *Workspace) gatherLast(states []float32, i, b int) {
	width, n := ws.m.width(), ws.m.stateWidth()
	if ws.lengths.ended(0, b) {
		ws.m.engine.Clear(ws.gather[i*width:][:width])
		return
	}
	for d := range ws.m.directions() {
		row := ws.lastStep(d, b)*ws.B + b
		ws.m.engine.Copy(ws.gather[i*width+d*n:][:n], states[row*width+d*n:][:n])
	}
}

// scatterRows is the mirror image of gatherRows: it sets dh for all rows, with zeros in
// rows that don't count. Workers share the sequences.
func (ws *Workspace) scatterRows(w *kernels.Worker, dh []float32) {
	width, n := ws.m.width(), ws.m.stateWidth()
	if all := ws.steps * ws.B; ws.m.LastStep || len(ws.picked) < all {
		rows := w.Share(all)
		w.Clear(dh[rows.Lo*width : rows.Hi*width])
		w.Barrier()
	}
	picked := w.Share(len(ws.picked))
	for i := picked.Lo; i < picked.Hi; i++ {
		row := int(ws.picked[i])
		if !ws.m.LastStep {
			w.Copy(dh[row*width:][:width], ws.dgather[i*width:][:width])
			continue
		}
		for d := range ws.m.directions() {
			at := (ws.lastStep(d, row)*ws.B + row) * width
			w.Copy(dh[at+d*n:][:n], ws.dgather[i*width+d*n:][:n])
		}
	}
	w.Barrier()
}
