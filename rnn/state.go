package rnn

// Reset sets the initial states to zero.
func (ws *Workspace) Reset() {
	for k := range ws.layers {
		for d := range ws.m.directions() {
			ws.eachRow(k, d, ws.first(d), func(_ int, h []float32) { ws.m.engine.Clear(h) })
		}
	}
}

// Carry makes the last states the initial ones of the next pass, so that a stream
// can be fed in pieces and trained by truncated BPTT. It comes after Backward,
// which still needs the initial states. It panics where the model is
// bidirectional: the second direction comes from what is yet to be read.
func (ws *Workspace) Carry() {
	ws.checkCarry("Carry")
	n := ws.B * ws.m.Hidden
	for k := range ws.layers {
		h := ws.layers[k].h
		ws.m.engine.Copy(h[:n], h[ws.T*n:][:n])
	}
}

// CarryRows is Carry of other rows: row b goes on from the state that row from[b]
// ended in. A beam search goes on so from its best hypotheses. It panics where Carry
// would, and where from, [B], has another length or a row that there is not.
func (ws *Workspace) CarryRows(from []int32) {
	ws.checkCarry("CarryRows")
	ws.checkLen("CarryRows", "from", len(from), ws.B, "B")
	for i, row := range from {
		if uint(row) >= uint(ws.B) {
			outside("CarryRows", "row", row, i, ws.B, "rows")
		}
	}
	n := ws.m.width()
	for k := range ws.layers {
		first, last := ws.slot(ws.layers[k].h, 0), ws.slot(ws.layers[k].h, ws.T)
		for b, row := range from {
			ws.m.engine.Copy(first[b*n:][:n], last[int(row)*n:][:n])
		}
	}
}

func (ws *Workspace) checkCarry(op string) {
	if ws.m.Bidirectional {
		panic("rnn: " + op + ": a bidirectional model reads each sequence as a whole: feed it at once")
	}
}

// SetState sets the initial states to h, [L·D,B,H]: layer by layer, in each the
// forward direction first.
func (ws *Workspace) SetState(h []float32) {
	ws.checkState("SetState", "h", h)
	for i := range ws.m.Cells {
		k, d := ws.m.place(i)
		ws.eachRow(k, d, ws.first(d), func(b int, to []float32) { ws.m.engine.Copy(to, ws.cellRow(h, i, b)) })
	}
}

// State sets dst, [L·D,B,H], to the states after the last Forward, of each sequence
// that after its last step: the encoder's part in an encoder-decoder, and what a
// stream goes on from.
func (ws *Workspace) State(dst []float32) {
	ws.checkRan("State")
	ws.checkState("State", "dst", dst)
	for i := range ws.m.Cells {
		k, d := ws.m.place(i)
		ws.eachRow(k, d, ws.last(d), func(b int, h []float32) { ws.m.engine.Copy(ws.cellRow(dst, i, b), h) })
	}
}

// States returns what the last layer gave at each step of the last Forward,
// [T,B,D·H], for reading: its states, with Config.Residual what it read added. At
// steps beyond a sequence's length it means nothing.
func (ws *Workspace) States() []float32 {
	ws.checkRan("States")
	return ws.top().out
}

// first and last return the slots of a direction's initial and last states.
func (ws *Workspace) first(d int) int {
	before, _ := slots(d, ws.time(d, 0))
	return before
}

func (ws *Workspace) last(d int) int {
	_, after := slots(d, ws.time(d, ws.T-1))
	return after
}

// cellRow returns row b of cell i of a, [L·D,B,H].
func (ws *Workspace) cellRow(a []float32, i, b int) []float32 {
	n := ws.m.Hidden
	return a[(i*ws.B+b)*n:][:n]
}

// eachRow calls f with direction d's part of each row of a slot of layer k.
func (ws *Workspace) eachRow(k, d, slot int, f func(b int, h []float32)) {
	states, n := ws.slot(ws.layers[k].h, slot), ws.m.Hidden
	for b := range ws.B {
		f(b, states[b*ws.m.width()+d*n:][:n])
	}
}

// checkState wants a state of all cells.
func (ws *Workspace) checkState(op, name string, h []float32) {
	ws.checkLen(op, name, len(h), ws.m.cells()*ws.B*ws.m.Hidden, "L·D·B·H")
}
