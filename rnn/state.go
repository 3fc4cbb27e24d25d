package rnn

// Reset sets the initial states to zero.
func (ws *Workspace) Reset() {
	ws.eachState(false, func(_, _ int, to []float32) { ws.m.engine.Clear(to) })
}

// Carry makes the last states the initial states of the next pass. A stream can so be
// fed in pieces, and trained by truncated BPTT. Call Carry after Backward, which still
// needs the old initial states. It panics if the model is bidirectional: the second
// direction starts from inputs that are not read yet.
func (ws *Workspace) Carry() {
	ws.checkCarry("Carry")
	n := ws.B * ws.m.Hidden
	for k := range ws.layers {
		h := ws.layers[k].h
		ws.m.engine.Copy(h[:n], h[ws.T*n:][:n])
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

// SetState sets the initial states to h, [L·D,B,H]. The order is layer by layer, with
// the forward direction first.
func (ws *Workspace) SetState(h []float32) {
	ws.checkState("SetState", "h", h)
	ws.eachState(false, func(i, b int, to []float32) { ws.m.engine.Copy(to, ws.cellRow(h, i, b)) })
}

// State sets dst, [L·D,B,H], to the states after the last Forward: each sequence's
// state after its own last step. A decoder or the next part of a stream starts from
// them.
func (ws *Workspace) State(dst []float32) {
	ws.checkRan("State")
	ws.checkState("State", "dst", dst)
	ws.eachState(true, func(i, b int, from []float32) { ws.m.engine.Copy(ws.cellRow(dst, i, b), from) })
}

// States returns the last layer's output at each step of the last Forward, [T,B,D·H],
// read-only. That is its states; with Config.Residual its input is added. Values beyond
// a sequence's end are undefined.
func (ws *Workspace) States() []float32 {
	ws.checkRan("States")
	return ws.top().out
}

// cellRow returns row b of cell i of a, [L·D,B,H].
func (ws *Workspace) cellRow(a []float32, i, b int) []float32 {
	n := ws.m.Hidden
	return a[(i*ws.B+b)*n:][:n]
}

// eachState calls f with each row of each cell's initial states, or of the last states.
func (ws *Workspace) eachState(last bool, f func(i, b int, h []float32)) {
	n := ws.m.Hidden
	for i := range ws.m.Cells {
		k, d := ws.m.place(i)
		slot, _ := slots(d, ws.time(d, 0))
		if last {
			_, slot = slots(d, ws.time(d, ws.T-1))
		}
		states := ws.slot(ws.layers[k].h, slot)
		for b := range ws.B {
			f(i, b, states[b*ws.m.width()+d*n:][:n])
		}
	}
}

// checkState panics unless h has the size of the states of all cells.
func (ws *Workspace) checkState(op, name string, h []float32) {
	ws.checkLen(op, name, len(h), ws.m.cells()*ws.B*ws.m.Hidden, "L·D·B·H")
}
