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
// or if a length is below 1 or above T.
//
// Inputs and targets beyond a sequence's end are never read and count nowhere. The
// sequence's state stays as it was after its last step. The backward direction begins
// at that step. Sequences sorted by falling length cost least.
func (ws *Workspace) SetLengths(steps []int32) {
	if steps == nil {
		ws.pass.ran, ws.lengths.of = false, nil
		return
	}
	if len(steps) != ws.B {
		panic(fmt.Sprintf("rnn: SetLengths: %d lengths for a batch of %d sequences", len(steps), ws.B))
	}
	for b, n := range steps {
		if n < 1 || int(n) > ws.T {
			panic(fmt.Sprintf("rnn: SetLengths: sequence %d has %d steps, must be from 1 to the %d of the workspace", b, n, ws.T))
		}
	}
	ws.pass.ran = false
	if ws.lengths.active == nil {
		ws.lengths.active = make([]int, ws.T)
		if ws.m.Dense {
			ws.masked = make([]float32, ws.T*ws.B*ws.m.Input)
		}
		if ws.m.Bidirectional && ws.m.Cell == Vanilla {
			ws.firstDZ = make([]float32, ws.B*ws.m.Hidden)
		}
	}
	ws.lengths.room = append(ws.lengths.room[:0], steps...)
	ws.lengths.of = ws.lengths.room
	for t := range ws.T {
		ws.lengths.active[t] = 0
		for b, n := range steps {
			if t < int(n) {
				ws.lengths.active[t] = b + 1
			}
		}
	}
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

// lastStep returns the last step of sequence b in direction d.
func (ws *Workspace) lastStep(d, b int) int {
	switch {
	case d == 1:
		return 0
	case ws.lengths.of == nil:
		return ws.T - 1
	}
	return int(ws.lengths.of[b]) - 1
}
