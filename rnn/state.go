package rnn

import (
	"fmt"

	"batchrnn/kernels"
)

// A State is a state of all cells, layer by layer, in each the forward direction first.
type State struct {
	H []float32 // [L·D,B,P]
	C []float32 // [L·D,B,H] of an LSTM; nil for other cells
}

// NewState returns a state of zeros for a batch of that many rows.
func (m *Model) NewState(batch int) State {
	if batch < 1 {
		panic(fmt.Sprintf("rnn: NewState: a batch of %d rows, want at least 1", batch))
	}
	n := m.cells() * batch
	s := State{H: make([]float32, n*m.stateWidth())}
	if m.Cell == LSTM {
		s.C = make([]float32, n*m.Hidden)
	}
	return s
}

// Reset sets the initial states to zero.
func (ws *Workspace) Reset() {
	for k := range ws.layers {
		l := &ws.layers[k]
		for d := range ws.m.directions() {
			ws.m.engine.Clear(ws.slot(l.h, ws.firstSlot(d)))
			if l.c != nil {
				ws.m.engine.Clear(ws.cSlot(l.c, ws.firstSlot(d)))
			}
		}
	}
}

// Carry makes the last states the initial states of the next pass. A stream can so be
// fed in pieces, and trained by truncated BPTT. An idle row keeps its state. Call Carry
// after Backward, which still needs the old initial states, and before SetLengths.
//
// It panics if there was no Forward since SetLengths or Resize. It also panics if the model
// is bidirectional: the second direction starts from inputs that are not read yet.
func (ws *Workspace) Carry() {
	ws.checkCarry("Carry")
	for k := range ws.layers {
		l := &ws.layers[k]
		switch {
		case ws.lengths.of != nil:
			ws.carryRows(l.h, ws.m.stateWidth(), nil)
			ws.carryRows(l.c, ws.m.Hidden, nil)
			continue
		case l.c != nil:
			ws.m.engine.Copy(ws.cSlot(l.c, 0), ws.cSlot(l.c, ws.steps))
		}
		ws.m.engine.Copy(ws.slot(l.h, 0), ws.slot(l.h, ws.steps))
	}
}

// CarryRows is Carry with a choice of rows: row b continues from the last state of row
// from[b], which may be idle. A beam search continues so from its best hypotheses. It
// panics if Carry would, or if from, [B], has another length or names a row outside the
// batch.
func (ws *Workspace) CarryRows(from []int32) {
	ws.checkCarry("CarryRows")
	ws.checkLen("CarryRows", "from", len(from), ws.B, "B")
	for i, row := range from {
		if uint(row) >= uint(ws.B) {
			outside("CarryRows", "row", row, i, ws.B, "rows")
		}
	}
	for k := range ws.layers {
		l := &ws.layers[k]
		ws.carryRows(l.h, ws.m.stateWidth(), from)
		ws.carryRows(l.c, ws.m.Hidden, from)
	}
}

// carryRows makes the last state of row from[b] the initial state of row b, for every
// row b of the states a, [·,B,n]. A nil from keeps the order.
func (ws *Workspace) carryRows(a []float32, n int, from []int32) {
	if a == nil {
		return
	}
	row := func(slot, b int) []float32 { return ws.stateRows(a, slot, 0, n, b, 0).Data[:n] }
	if from == nil {
		for b := range ws.B {
			if !ws.lengths.ended(0, b) {
				ws.m.engine.Copy(row(0, b), row(ws.lastSlot(0, b), b))
			}
		}
		return
	}
	for b := range ws.B { // the states of idle rows are in the slot that is written
		if ws.lengths.ended(0, b) {
			ws.m.engine.Copy(row(1, b), row(0, b))
		}
	}
	for b, last := range from {
		ws.m.engine.Copy(row(0, b), row(max(1, ws.lastSlot(0, int(last))), int(last)))
	}
}

func (ws *Workspace) checkCarry(op string) {
	if ws.m.Bidirectional {
		panic("rnn: " + op + ": a bidirectional model reads each sequence as a whole: feed it at once")
	}
	ws.checkRan(op)
}

// SetState sets the initial states to s. They stay until Reset, Carry or Resize, whatever
// passes and lengths follow. It panics if s is not a state of this model and batch.
func (ws *Workspace) SetState(s State) {
	ws.m.checkState("SetState", "s", s, ws.B)
	ws.eachRow(s, ws.B, kernels.Span{Hi: ws.B}, true)
}

// State sets dst to the states after the last Forward. For each sequence they are those
// after its own last step, and for an idle row its initial state. A stream can go on from
// them, and a decoder can start from those of an encoder. It panics as SetState does.
func (ws *Workspace) State(dst State) {
	ws.checkRan("State")
	ws.m.checkState("State", "dst", dst, ws.B)
	ws.eachRow(dst, ws.B, kernels.Span{Hi: ws.B}, false)
}

// SetRow is SetState for row b alone. s is a state of one row. It panics if there is no
// such row, or if s is not a state of this model and one row.
func (ws *Workspace) SetRow(b int, s State) {
	ws.checkRow("SetRow", b)
	ws.m.checkState("SetRow", "s", s, 1)
	ws.eachRow(s, 1, kernels.Span{Lo: b, Hi: b + 1}, true)
}

// Row is State for row b alone. dst is a state of one row. An idle row needs no Forward.
// It panics as SetRow does.
func (ws *Workspace) Row(b int, dst State) {
	ws.checkRow("Row", b)
	if !ws.lengths.ended(0, b) {
		ws.checkRan("Row")
	}
	ws.m.checkState("Row", "dst", dst, 1)
	ws.eachRow(dst, 1, kernels.Span{Lo: b, Hi: b + 1}, false)
}

func (ws *Workspace) checkRow(op string, b int) {
	if b < 0 || b >= ws.B {
		panic(fmt.Sprintf("rnn: %s: row %d is outside the batch of %d rows", op, b, ws.B))
	}
}

// States returns the output of the last layer at each step of the last Forward,
// [T,B,D·P], for reading. These are its states; with Config.Residual its input is added.
// Steps beyond a sequence's length hold nothing of use.
func (ws *Workspace) States() []float32 {
	ws.checkRan("States")
	return ws.top().out
}

// cellRow returns row b of cell i of a, [L·D,B,n].
func (ws *Workspace) cellRow(a []float32, i, b, n int) []float32 {
	return a[(i*ws.B+b)*n:][:n]
}

// cSlot returns slot i of the cell states c, [·,B,D·H].
func (ws *Workspace) cSlot(c []float32, i int) []float32 {
	n := ws.B * ws.m.directions() * ws.m.Hidden
	return c[i*n:][:n:n]
}

// eachRow sets the initial states of some rows to those of s, or the rows of s to the last
// states. s is a state of batch rows, the first of which is rows.Lo.
func (ws *Workspace) eachRow(s State, batch int, rows kernels.Span, initial bool) {
	m := ws.m
	for i := range m.Cells {
		k, d := m.place(i)
		l := &ws.layers[k]
		for b := rows.Lo; b < rows.Hi; b++ {
			slot := ws.lastSlot(d, b)
			if initial {
				slot = ws.firstSlot(d)
			}
			at := i*batch + b - rows.Lo
			ws.copyRow(ws.stateRows(l.h, slot, d, m.stateWidth(), b, 0).Data, s.H[at*m.stateWidth():][:m.stateWidth()], initial)
			if m.Cell == LSTM {
				ws.copyRow(ws.stateRows(l.c, slot, d, m.Hidden, b, 0).Data, s.C[at*m.Hidden:][:m.Hidden], initial)
			}
		}
	}
}

// copyRow copies a row of a state to the beginning of state, or from there.
func (ws *Workspace) copyRow(state, row []float32, in bool) {
	if in {
		ws.m.engine.Copy(state[:len(row)], row)
	} else {
		ws.m.engine.Copy(row, state[:len(row)])
	}
}

// checkState wants a state of all cells, of batch rows.
func (m *Model) checkState(op, name string, s State, batch int) {
	h, c := m.cells()*batch*m.stateWidth(), m.cells()*batch*m.Hidden
	wrong := func(field string, have, want int, formula string) { // a name is joined only for a message: joining allocates
		panic(fmt.Sprintf("rnn: %s: %s.%s has length %d, want %d = %s for B %d", op, name, field, have, want, formula, batch))
	}
	switch {
	case len(s.H) != h:
		wrong("H", len(s.H), h, "L·D·B·P")
	case m.Cell == LSTM && s.C == nil:
		panic("rnn: " + op + ": " + name + ".C is nil: the state of an LSTM is h and c, make one with Model.NewState")
	case m.Cell == LSTM && len(s.C) != c:
		wrong("C", len(s.C), c, "L·D·B·H")
	case m.Cell != LSTM && s.C != nil:
		panic("rnn: " + op + ": " + name + ".C is not nil, but only LSTM cells have a cell state")
	}
}
