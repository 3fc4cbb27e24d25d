package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// lengths holds the lengths of the sequences of a batch.
type lengths struct {
	of     []int32 // [B]; nil if all are T
	room   []int32 // [B], the memory of of; nil until SetLengths is called
	active []int   // [T], the number of rows up to the last one that has the step
}

// SetLengths sets how many of the T steps each of the B sequences has, from the next
// Forward on. nil means that all have T. It panics if steps has another length than B,
// or if a length is below 0 or above T.
//
// Inputs and targets beyond a sequence's end are never read and count nowhere. The
// sequence's state stays as it was after its last step. The backward direction begins
// at that step. A sequence of length 0 is an idle row: its state stays the initial one.
//
// Steps that no sequence has cost nothing. Sequences sorted by falling length cost least:
// a row costs as much as any other up to the last row that has the step.
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
		l.room = make([]int32, 0, ws.roomB)
		if ws.m.Dense {
			ws.masked = make([]float32, ws.roomRows*ws.m.Input)
		}
		if ws.m.Bidirectional && ws.m.Cell == Vanilla {
			ws.firstDZ = make([]float32, ws.roomB*ws.m.Hidden)
		}
	}
	if len(l.active) < longest {
		l.active = make([]int, max(longest, ws.T))
	}
	l.room = append(l.room[:0], steps...)
	l.of = l.room
	ws.setSteps(longest)
	clear(l.active[:longest])
	for b, n := range steps {
		for t := range int(n) {
			l.active[t] = b + 1
		}
	}
}

// setSteps sets the number of steps that a pass takes. It moves the initial states of the
// second direction, which stand behind the last step.
func (ws *Workspace) setSteps(n int) {
	if n == ws.steps {
		return
	}
	if ws.m.Bidirectional {
		for k := range ws.layers {
			l := &ws.layers[k]
			ws.m.engine.Copy(ws.slot(l.h, n+1), ws.slot(l.h, ws.steps+1))
			if l.c != nil {
				ws.m.engine.Copy(ws.cSlot(l.c, n+1), ws.cSlot(l.c, ws.steps+1))
			}
		}
	}
	ws.steps = n
	ws.replan()
}

// ended says whether sequence b has no step t.
func (l *lengths) ended(t, b int) bool { return l.of != nil && t >= int(l.of[b]) }

// rows limits a span of rows to those that may have step t.
func (l *lengths) rows(t int, all kernels.Span) kernels.Span {
	if l.of == nil {
		return all
	}
	return kernels.Span{Lo: all.Lo, Hi: max(all.Lo, min(all.Hi, l.active[t]))}
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
	return ws.lengths.of != nil && (ws.m.Bidirectional || ws.grads[0] != nil)
}

// lastSlot returns the slot of the last state of sequence b in direction d.
func (ws *Workspace) lastSlot(d, b int) int {
	if ws.lengths.of == nil || ws.holds() {
		_, after := slots(d, ws.time(d, ws.steps-1))
		return after
	}
	return int(ws.lengths.of[b])
}
