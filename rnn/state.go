package rnn

import "fmt"

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
			slot, _ := slots(d, ws.time(d, 0))
			ws.m.engine.Clear(ws.slot(l.h, slot))
			if l.c != nil {
				ws.m.engine.Clear(ws.cSlot(l.c, slot))
			}
		}
	}
}

// Carry makes the last states the initial states of the next pass. A stream can so be
// fed in pieces, and trained by truncated BPTT. Call Carry after Backward, which still
// needs the old initial states. It panics if the model is bidirectional: the second
// direction starts from inputs that are not read yet.
func (ws *Workspace) Carry() {
	ws.checkCarry("Carry")
	for k := range ws.layers {
		l := &ws.layers[k]
		ws.m.engine.Copy(ws.slot(l.h, 0), ws.slot(l.h, ws.T))
		if l.c != nil {
			ws.m.engine.Copy(ws.cSlot(l.c, 0), ws.cSlot(l.c, ws.T))
		}
	}
}

// CarryRows is Carry with a choice of rows: row b continues from the last state of row
// from[b]. A beam search continues so from its best hypotheses. It panics if Carry
// would, or if from, [B], has another length or names a row outside the batch.
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
		ws.carryRows(ws.slot(l.h, 0), ws.slot(l.h, ws.T), from)
		if l.c != nil {
			ws.carryRows(ws.cSlot(l.c, 0), ws.cSlot(l.c, ws.T), from)
		}
	}
}

// carryRows sets row b of first to row from[b] of last.
func (ws *Workspace) carryRows(first, last []float32, from []int32) {
	n := len(first) / ws.B
	for b, row := range from {
		ws.m.engine.Copy(first[b*n:][:n], last[int(row)*n:][:n])
	}
}

func (ws *Workspace) checkCarry(op string) {
	if ws.m.Bidirectional {
		panic("rnn: " + op + ": a bidirectional model reads each sequence as a whole: feed it at once")
	}
}

// SetState sets the initial states to s. It panics if s is not a state of this model and
// batch.
func (ws *Workspace) SetState(s State) {
	ws.checkState("SetState", "s", s)
	ws.eachState(s, true)
}

// State sets dst to the states after the last Forward. For each sequence they are those
// after its own last step. A stream can go on from them, and a decoder can start from
// those of an encoder. It panics as SetState does.
func (ws *Workspace) State(dst State) {
	ws.checkRan("State")
	ws.checkState("State", "dst", dst)
	ws.eachState(dst, false)
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

// eachState sets every row of the initial states to that of s, or every row of s to that
// of the last states.
func (ws *Workspace) eachState(s State, initial bool) {
	for i := range ws.m.Cells {
		k, d := ws.m.place(i)
		_, slot := slots(d, ws.time(d, ws.T-1))
		if initial {
			slot, _ = slots(d, ws.time(d, 0))
		}
		ws.copyRows(ws.layers[k].h, s.H, slot, i, ws.m.stateWidth(), initial)
		if ws.m.Cell == LSTM {
			ws.copyRows(ws.layers[k].c, s.C, slot, i, ws.m.Hidden, initial)
		}
	}
}

// copyRows copies rows of n floats between a slot of states and cell i of given.
func (ws *Workspace) copyRows(states, given []float32, slot, i, n int, in bool) {
	_, d := ws.m.place(i)
	for b := range ws.B {
		state, row := ws.stateRows(states, slot, d, n, b, 0).Data[:n], ws.cellRow(given, i, b, n)
		if in {
			ws.m.engine.Copy(state, row)
		} else {
			ws.m.engine.Copy(row, state)
		}
	}
}

// checkState wants a state of all cells.
func (ws *Workspace) checkState(op, name string, s State) {
	h, c := ws.m.cells()*ws.B*ws.m.stateWidth(), ws.m.cells()*ws.B*ws.m.Hidden
	switch { // a name is joined only for a message: joining allocates
	case len(s.H) != h:
		ws.checkLen(op, name+".H", len(s.H), h, "L·D·B·P")
	case ws.m.Cell == LSTM && s.C == nil:
		panic("rnn: " + op + ": " + name + ".C is nil: the state of an LSTM is h and c, make one with Model.NewState")
	case ws.m.Cell == LSTM && len(s.C) != c:
		ws.checkLen(op, name+".C", len(s.C), c, "L·D·B·H")
	case ws.m.Cell != LSTM && s.C != nil:
		panic("rnn: " + op + ": " + name + ".C is not nil, but only LSTM cells have a cell state")
	}
}
