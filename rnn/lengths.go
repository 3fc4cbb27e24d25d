package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// lengths holds the lengths of the sequences of a batch.
type lengths struct {
	of     []int32 // [B]; nil if all are T
	room   []int32 // [B], the memory of of; nil until SetLengths is called
	active []int32 // [T], the number of rows up to the last one that has the step
	// idle is [L·D,B,P], zeros, for training: see swapIdle.
	idle []float32
}

// SetLengths sets how many of the T steps each of the B sequences has, from the next
// Forward on. nil means that all have T. Initial states stay what they are. It panics if
// steps has another length than B, or if a length is below 0 or above T.
//
// Inputs and targets beyond a sequence's end are never read and count nowhere. The
// sequence's state stays as it was after its last step. The backward direction begins
// at that step.
//
// A sequence of length 0 is an idle row. It has no output, counts nowhere, and changes no
// other row. Its initial state is also its last one: State, Row and Carry find there what
// SetState, SetRow or Carry has left.
//
// Steps that no sequence has cost nothing. Idle rows behind all others cost a scoring
// workspace nothing. Otherwise a row costs as much as any other up to the last row that
// has the step. Sequences sorted by falling length so cost least.
func (ws *Workspace) SetLengths(steps []int32) {
	if steps == nil {
		ws.pass.ran, ws.lengths.of = false, nil
		ws.setSteps(ws.T)
		return
	}
	if len(steps) != ws.B {
		panic(fmt.Sprintf("rnn: SetLengths: %d lengths for a batch of %d sequences", len(steps), ws.B))
	}
	longest := 1 // a pass has a step
	for b, n := range steps {
		if n < 0 || int(n) > ws.T {
			panic(fmt.Sprintf("rnn: SetLengths: sequence %d has %d steps, must be from 0 to the %d of the workspace", b, n, ws.T))
		}
		longest = max(longest, int(n))
	}
	ws.pass.ran = false
	l := &ws.lengths
	if l.room == nil {
		l.room, l.active = make([]int32, 0, ws.roomB), make([]int32, ws.roomRows)
		if ws.trains() {
			l.idle = make([]float32, ws.m.cells()*ws.roomB*ws.m.stateWidth())
		}
		if ws.m.Dense && ws.trains() {
			ws.masked = make([]float32, ws.roomRows*ws.m.Input)
		}
		if ws.m.Bidirectional && ws.m.Cell == Vanilla && ws.trains() {
			ws.firstDZ = make([]float32, ws.roomB*ws.m.Hidden)
		}
	}
	l.room = append(l.room[:0], steps...)
	l.of = l.room
	ws.setSteps(longest)
	l.active[0] = 0
	for b, t := len(steps)-1, 0; b >= 0; b-- { // the last row that has a step
		for ; t < int(steps[b]); t++ {
			l.active[t] = int32(b + 1)
		}
	}
}

// setSteps sets the number of steps that a pass takes. It moves the initial states of the
// second direction, which stand behind the last step.
func (ws *Workspace) setSteps(n int) {
	if n == ws.steps {
		return
	}
	from := ws.firstSlot(1)
	ws.steps = n
	if to := ws.firstSlot(1); ws.m.Bidirectional {
		for k := range ws.layers {
			l := &ws.layers[k]
			ws.m.engine.Copy(ws.slot(l.h, to), ws.slot(l.h, from))
			if l.c != nil {
				ws.m.engine.Copy(ws.cSlot(l.c, to), ws.cSlot(l.c, from))
			}
		}
	}
	ws.replan()
}

// ended says whether sequence b has no step t.
func (l *lengths) ended(t, b int) bool { return l.of != nil && t >= int(l.of[b]) }

// rows limits a span of rows to those that may have step t.
func (l *lengths) rows(t int, all kernels.Span) kernels.Span {
	if l.of == nil {
		return all
	}
	return kernels.Span{Lo: all.Lo, Hi: max(all.Lo, min(all.Hi, int(l.active[t])))}
}

// lastStep returns the last step of sequence b in direction d. It is -1 if the sequence
// has none.
func (ws *Workspace) lastStep(d, b int) int {
	switch {
	case ws.lengths.ended(0, b):
		return -1
	case d == 1:
		return 0
	case ws.lengths.of == nil:
		return ws.T - 1
	}
	return int(ws.lengths.of[b]) - 1
}

// holds says whether the state of a sequence that has ended is copied from step to step.
// A second direction reads it as its initial state, and the backward pass multiplies by
// it.
func (ws *Workspace) holds() bool {
	return ws.lengths.of != nil && (ws.m.Bidirectional || ws.trains())
}

// holdRow sets a part of a state of sequence b, which has ended, to the state before it.
// An idle row gets zeros for the backward pass: its state may hold a NaN, which would
// reach the gradient as 0·NaN.
func (ws *Workspace) holdRow(w *kernels.Worker, b int, after, before []float32) {
	switch {
	case ws.lengths.of[b] > 0:
		w.Copy(after, before)
	case ws.trains():
		w.Clear(after)
	}
}

// swapIdle exchanges the initial states of idle rows with zeros, or back. The product
// that gives dWh also multiplies by initial states: see holdRow.
func (ws *Workspace) swapIdle() {
	n := ws.m.stateWidth()
	for b := range ws.lengths.of {
		if !ws.lengths.ended(0, b) {
			continue
		}
		for i := range ws.m.Cells {
			k, d := ws.m.place(i)
			zeros := ws.cellRow(ws.lengths.idle, i, b, n)
			h := ws.stateRows(ws.layers[k].h, ws.firstSlot(d), d, n, b, 0).Data
			for j := range zeros {
				h[j], zeros[j] = zeros[j], h[j]
			}
		}
	}
}

// firstSlot returns the slot of the initial states of direction d.
func (ws *Workspace) firstSlot(d int) int {
	before, _ := slots(d, ws.time(d, 0))
	return before
}

// lastSlot returns the slot of the last state of sequence b in direction d.
func (ws *Workspace) lastSlot(d, b int) int {
	switch {
	case ws.lengths.ended(0, b):
		return ws.firstSlot(d)
	case ws.lengths.of == nil || ws.holds():
		_, after := slots(d, ws.time(d, ws.steps-1))
		return after
	}
	return int(ws.lengths.of[b])
}

// allRows returns how many rows of steps and sequences a pass takes in: up to the last one
// that is needed. In training that is the last one, because the gradients of weights are
// products over all rows.
func (ws *Workspace) allRows() int {
	if ws.lengths.of == nil || ws.trains() {
		return ws.steps * ws.B
	}
	return (ws.steps-1)*ws.B + int(ws.lengths.active[ws.steps-1])
}

// minGap is the number of rows that a product rather leaves out than takes in. To leave
// fewer out costs more: the product is then of two pieces, and each ends in a low tile.
const minGap = 16

// nextRows cuts the first rows off that a pass needs, together with gaps below minGap. It
// returns them and the rest.
func (ws *Workspace) nextRows(rows kernels.Span) (first, rest kernels.Span) {
	if ws.lengths.of == nil || ws.trains() {
		return rows, kernels.Span{Lo: rows.Hi, Hi: rows.Hi}
	}
	first = kernels.Span{Lo: rows.Lo, Hi: rows.Lo}
	for first.Hi < rows.Hi {
		t := first.Hi / ws.B
		first.Hi = max(first.Hi, t*ws.B+int(ws.lengths.active[t]))
		next := (t + 1) * ws.B
		if next-first.Hi >= minGap {
			return kernels.Span{Lo: first.Lo, Hi: min(first.Hi, rows.Hi)}, kernels.Span{Lo: min(next, rows.Hi), Hi: rows.Hi}
		}
		first.Hi = next
	}
	return rows, kernels.Span{Lo: rows.Hi, Hi: rows.Hi}
}
