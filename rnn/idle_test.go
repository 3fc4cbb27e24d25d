package rnn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// between returns a batch of n rows that holds the rows of b, of the given number, at
// places. All other rows are idle, and hold what must not be read.
func (b batch) between(c Config, steps, rows, n int, places []int) batch {
	outputs := steps
	if c.LastStep {
		outputs = 1
	}
	wide := batch{
		ids:     spread(b.ids, steps, rows, n, places),
		x:       spread(b.x, steps, rows, n, places),
		h0:      State{spread(b.h0.H, c.cells(), rows, n, places), spread(b.h0.C, c.cells(), rows, n, places)},
		lengths: make([]int32, n),
		targets: spread(b.targets, outputs, rows, n, places),
		dh:      spread(b.dh, steps, rows, n, places),
		dlast:   State{spread(b.dlast.H, c.cells(), rows, n, places), spread(b.dlast.C, c.cells(), rows, n, places)},
	}
	for row, at := range places {
		wide.lengths[at] = newNaiveInput(b, steps, rows).lengthOf(row)
	}
	wide.spoil(c, steps, n)
	return wide
}

func (in naiveInput) lengthOf(b int) int32 { return int32(in.length(b)) }

// spread returns a, [steps,rows,·], as [steps,n,·], with its rows at places. The others
// are 1.
func spread[E int32 | float32](a []E, steps, rows, n int, places []int) []E {
	if a == nil {
		return nil
	}
	width := len(a) / (steps * rows)
	wide := slices.Repeat([]E{1}, steps*n*width)
	for t := range steps {
		for row, at := range places {
			copy(wide[(t*n+at)*width:][:width], a[(t*rows+row)*width:][:width])
		}
	}
	return wide
}

// gathered is the mirror image of spread.
func gathered(a []float32, steps, n int, places []int) []float32 {
	if len(a) == 0 {
		return a
	}
	width := len(a) / (steps * n)
	var rows []float32
	for t := range steps {
		for _, at := range places {
			rows = append(rows, a[(t*n+at)*width:][:width]...)
		}
	}
	return rows
}

// TestIdleRows: idle rows in front, between the others and behind them change no bit of a
// state, loss or gradient of any other. They hold NaN. Their state is what it was, and its
// gradient is that of the last state.
func TestIdleRows(t *testing.T) {
	const rows = 3
	e := newEngine(t, "", 2)
	for turn, c := range everyConfig(t, e) {
		m, steps := newModel(t, e, c, 1), 4
		if turn%4 == 3 {
			steps = 1
		}
		for _, trains := range []bool{false, true} {
			ws := m.rig(steps, 7, trains, false)
			for i, places := range [][]int{{4, 5, 6}, {0, 1, 2}, {0, 3, 6}, {1, 2, 4}} {
				if (turn+i)%2 == 1 {
					continue // half of the places for each network
				}
				b := newBatch(c, steps, rows, uint64(turn))
				if c.Output == 0 {
					b.dlast = randomState(newRand(9), c, rows)
				}
				if turn%3 > 0 {
					b = b.ragged(c, steps, rows, uint64(turn))
				}
				name := fmt.Sprintf("%v, trains=%t, places %v", job{c, steps, rows}, trains, places)
				checkIdleRows(t, name, m.rig(steps, rows, trains, false), ws, b, places)
				if !trains { // gaps that products leave out
					n := places[2] + 1 + minGap
					checkIdleRows(t, name+", many idle", m.rig(steps, rows, trains, false), m.rig(steps, n, trains, false), b, places)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		}
	}
}

func checkIdleRows(t *testing.T, name string, alone, ws *Workspace, b batch, places []int) {
	t.Helper()
	c, m, steps, rows, n := ws.m.Config, ws.m, ws.T, alone.B, ws.B
	wide := b.between(c, steps, rows, n, places)
	b.forward(alone)
	wide.continued(ws) // makes every buffer
	ws.spoil()
	wide.forward(ws)

	same := func(what string, got, want []float32, slots int) {
		t.Helper()
		sameBits(t, name+": "+what, gathered(got, slots, n, places), want)
	}
	in := newNaiveInput(b, steps, rows)
	sameBits(t, name+": States", onlySteps(in, gathered(ws.States(), steps, n, places)), onlySteps(in, alone.States()))
	got, want := m.NewState(n), m.NewState(rows)
	ws.State(got)
	alone.State(want)
	same("State.H", got.H, want.H, c.cells())
	same("State.C", got.C, want.C, c.cells())
	row := m.NewState(1)
	for b := range n {
		ws.Row(b, row)
		part := got.part(c, n, span{b, b + 1})
		sameBits(t, fmt.Sprintf("%s: Row %d", name, b), row.all(), part.all())
		if !slices.Contains(places, b) {
			part = wide.h0.part(c, n, span{b, b + 1})
			sameBits(t, fmt.Sprintf("%s: idle Row %d", name, b), row.all(), part.all())
		}
	}
	outputs := len(ws.Losses) / n
	if c.Output > 0 {
		if got, want := wide.loss(ws), b.loss(alone); got != want {
			t.Errorf("%s: losses %v and %v", name, got, want)
		}
		same("Losses", ws.Losses, alone.Losses, outputs)
		got, want := make([]float32, n*c.Output), make([]float32, rows*c.Output)
		ws.Logits(got, steps-1)
		alone.Logits(want, steps-1)
		for i, at := range places {
			if in.length(i) == steps || c.LastStep {
				sameBits(t, name+": Logits", got[at*c.Output:][:c.Output], want[i*c.Output:][:c.Output])
			}
		}
	}
	if !ws.trains() {
		return
	}
	setAll(ws.Losses, 7)
	if got, want := wide.backward(ws), b.backward(alone); got != want {
		t.Errorf("%s: losses of Backward %v and %v", name, got, want)
	}
	same("Losses of Backward", ws.Losses, alone.Losses, max(outputs, 1))
	sameBits(t, name+": Grads", ws.Grads.Slab, alone.Grads.Slab)
	same("DState.H", ws.DState.H, alone.DState.H, c.cells())
	same("DState.C", ws.DState.C, alone.DState.C, c.cells())
	same("DX", ws.DX, alone.DX, steps)
	for k := range ws.layers {
		same("gradients of states", ws.layers[k].dh, alone.layers[k].dh, steps)
	}
	for at := range n {
		if slices.Contains(places, at) {
			continue
		}
		for i := range outputs {
			if l := ws.Losses[i*n+at]; l != 0 {
				t.Errorf("%s: idle row %d has loss %v", name, at, l)
			}
		}
		only := []int{at}
		for k := range ws.layers {
			if maxAbs(gathered(ws.layers[k].dh, steps, n, only)) != 0 {
				t.Errorf("%s: idle row %d of layer %d has a gradient", name, at, k)
			}
		}
		if !(maxAbs(gathered(ws.DX, steps, n, only)) == 0) {
			t.Errorf("%s: the input of idle row %d has a gradient", name, at)
		}
		last := wide.dlast
		if last.H == nil {
			last = m.NewState(n)
		}
		ends := ws.DState.part(c, n, span{at, at + 1})
		last = last.part(c, n, span{at, at + 1})
		sameBits(t, fmt.Sprintf("%s: DState of idle row %d", name, at), ends.all(), last.all())
	}
	ws.State(got) // Backward gives the states of idle rows back
	for at := range n {
		if !slices.Contains(places, at) {
			kept, given := got.part(c, n, span{at, at + 1}), wide.h0.part(c, n, span{at, at + 1})
			sameBits(t, fmt.Sprintf("%s: idle row %d after Backward", name, at), kept.all(), given.all())
		}
	}
}

// TestAllIdle: a batch of idle rows leaves all states as they are. It has no loss and no
// gradient but that of the last states.
func TestAllIdle(t *testing.T) {
	const steps, rows = 3, 4
	e := newEngine(t, "", 2)
	for _, c := range everyConfig(t, e) {
		m := newModel(t, e, c, 1)
		name := job{c, steps, rows}.String()
		for _, trains := range []bool{false, true} {
			ws := m.rig(steps, rows, trains, false)
			b := newBatch(c, steps, rows, 1)
			b.lengths = make([]int32, rows)
			h0 := State{slices.Clone(b.h0.H), slices.Clone(b.h0.C)} // the rest of the batch is spoilt
			b.spoil(c, steps, rows)
			b.h0 = h0
			b.continued(ws)
			ws.spoil()
			b.forward(ws)
			last := m.NewState(rows)
			ws.State(last)
			sameBits(t, name+": State", last.all(), h0.all())
			if c.Output > 0 {
				if loss := b.loss(ws); loss != 0 || maxAbs(ws.Losses) != 0 {
					t.Errorf("%s: loss %v, losses %v", name, loss, ws.Losses)
				}
			}
			if trains {
				if c.Output == 0 {
					b.dlast = randomState(newRand(3), c, rows)
				}
				if loss := b.backward(ws); loss != 0 {
					t.Errorf("%s: loss %v of Backward", name, loss)
				}
				want := m.NewState(rows)
				if c.Output == 0 {
					want = b.dlast
				}
				sameBits(t, name+": DState", ws.DState.all(), want.all())
				for what, x := range map[string][]float32{"Grads": ws.Grads.Slab, "DX": ws.DX} {
					if !(maxAbs(x) == 0) {
						t.Errorf("%s: %s is not 0", name, what)
					}
				}
			}
			if !c.Bidirectional {
				ws.Carry()
				ws.Carry()
				b.lengths = nil
				ws.SetLengths(nil)
				ids, x := make([]int32, steps*rows), make([]float32, len(b.x))
				again := m.rig(steps, rows, trains, false)
				again.SetState(h0)
				for _, w := range []*Workspace{ws, again} {
					if c.Dense {
						w.ForwardDense(x)
					} else {
						w.Forward(ids)
					}
				}
				sameBits(t, name+": States after Carry", ws.States(), again.States())
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// TestIgnoredEnd: steps at the end whose targets are all left out change neither the loss
// nor the gradient.
func TestIgnoredEnd(t *testing.T) {
	const steps, more, rows = 4, 2, 3
	for _, c := range everyConfig(t, newEngine(t, "", 1)) {
		if c.Output == 0 || c.LastStep || c.Bidirectional || c.Layers > 1 {
			continue
		}
		m := newModel(t, newEngine(t, "", 1), c, 1)
		ws, short := m.rig(steps+more, rows, true, false), m.rig(steps, rows, true, false)
		long := newBatch(c, steps+more, rows, 1)
		setAll(long.targets[steps*rows:], Ignore)
		b := long.part(c, rows, span{0, steps}, span{0, rows})
		ws.spoil()
		long.forward(ws)
		b.forward(short)
		if got, want := long.backward(ws), b.backward(short); got != want {
			t.Errorf("%v: losses %v and %v", job{c, steps, rows}, got, want)
		}
		sameBits(t, job{c, steps, rows}.String(), ws.Grads.Slab, short.Grads.Slab)
		sameBits(t, "Losses", ws.Losses[:steps*rows], short.Losses)
		if rest := ws.Losses[steps*rows:]; !(maxAbs(rest) == 0) {
			t.Errorf("%v: losses %v of targets that are left out", job{c, steps, rows}, rest)
		}
	}
}

// TestStreams: rows of one workspace that begin, pause, end, change places and go on from
// each other have the states that each has alone. The workspace changes its size now and
// then.
func TestStreams(t *testing.T) {
	e := newEngine(t, "", 2)
	for i, c := range append(eachCell(Config{Input: 7, Layers: 2, Residual: true, Hidden: 6}),
		Config{Input: 7, Dense: true, Layers: 1, Hidden: 6, TimeSkip: 0.5}, Config{Input: 7, Embedding: 3, Cell: GRU, Layers: 1, Hidden: 6}) {
		m := newModel(t, e, c, 1)
		for _, trains := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/trains=%t", job{c, 4, 6}, trains), func(t *testing.T) {
				checkStreams(t, m, m.rig(4, 6, trains, false), newRand(uint64(i)))
			})
		}
	}
}

func checkStreams(t *testing.T, m *Model, ws *Workspace, r *rand.Rand) {
	t.Helper()
	states := make([]State, ws.B) // of each row, as they must be
	for b := range states {
		states[b] = m.NewState(1)
	}
	row := m.NewState(1)
	for pass := range 60 {
		if pass%20 == 19 { // take the states along
			steps, rows := 1+r.IntN(4), 1+r.IntN(6)
			for b := len(states); b < rows; b++ {
				states = append(states, m.NewState(1))
			}
			states = states[:rows]
			ws.Resize(steps, rows)
			for b, s := range states {
				ws.SetRow(b, s)
			}
		}
		b := newBatch(m.Config, ws.T, ws.B, r.Uint64())
		for range ws.B {
			b.lengths = append(b.lengths, max(0, r.Int32N(int32(2*ws.T+1))-int32(ws.T))) // half are idle
		}
		b.spoil(m.Config, ws.T, ws.B)
		b.continued(ws)
		for i := range states {
			if n := int(b.lengths[i]); n > 0 {
				one := b.part(m.Config, ws.B, span{0, n}, span{i, i + 1})
				one.lengths, one.h0 = nil, states[i]
				alone := m.NewWorkspace(n, 1)
				one.forward(alone)
				alone.State(states[i])
			}
			ws.Row(i, row)
			sameBits(t, fmt.Sprintf("pass %d, lengths %v, row %d", pass, b.lengths, i), row.all(), states[i].all())
		}
		if ws.trains() && pass%3 == 0 {
			b.backward(ws)
		}
		switch pass % 4 {
		case 0:
			ws.Carry()
		case 1:
			ws.Carry()
			ws.Carry()
		case 2:
			from, next := make([]int32, ws.B), make([]State, ws.B)
			for i := range from {
				from[i] = r.Int32N(int32(ws.B))
				next[i] = State{slices.Clone(states[from[i]].H), slices.Clone(states[from[i]].C)}
			}
			ws.CarryRows(from)
			states = next
		case 3: // a stream ends and another begins
			ws.Carry()
			at := r.IntN(ws.B)
			states[at] = randomState(r, m.Config, 1)
			ws.SetRow(at, states[at])
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// TestCarryIdleRows: idle rows change places, and one state goes to several rows.
func TestCarryIdleRows(t *testing.T) {
	const rows = 4
	for _, c := range eachCell(Config{Input: 5, Layers: 2, Hidden: 6}) {
		m := newModel(t, newEngine(t, "", 1), c, 1)
		for _, trains := range []bool{false, true} {
			ws := m.rig(3, rows, trains, false)
			for _, from := range [][]int32{{1, 0, 3, 2}, {3, 0, 1, 2}, {1, 1, 0, 0}, {2, 2, 2, 2}, {0, 3, 3, 0}} {
				b := newBatch(c, 3, rows, 1)
				b.lengths = []int32{0, 0, 2, 0}
				b.forward(ws)
				last, next, row := m.NewState(rows), m.NewState(rows), m.NewState(1)
				ws.State(last)
				ws.CarryRows(from)
				b.lengths = make([]int32, rows)
				b.continued(ws)
				ws.State(next)
				for to, of := range from {
					got, want := next.part(c, rows, span{to, to + 1}), last.part(c, rows, span{int(of), int(of) + 1})
					sameBits(t, fmt.Sprintf("%v, trains=%t, from %v: row %d", c.Cell, trains, from, to), got.all(), want.all())
					ws.Row(to, row)
					sameBits(t, "Row", row.all(), want.all())
				}
			}
		}
	}
}

// TestRowWithoutForward: an idle row has its state before any pass, other rows have none.
func TestRowWithoutForward(t *testing.T) {
	c := Config{Input: 5, Cell: LSTM, Layers: 2, Hidden: 6}
	m := newModel(t, newEngine(t, "", 1), c, 1)
	want, got := newBatch(c, 1, 1, 3).h0, m.NewState(1)
	ws := m.NewWorkspace(2, 2)
	ws.SetRow(1, want)
	mustPanic(t, func() { ws.Row(1, got) }, "Row", "Forward")
	ws.SetLengths([]int32{2, 0})
	ws.Row(1, got)
	sameBits(t, "idle row", got.all(), want.all())
	mustPanic(t, func() { ws.Row(0, got) }, "Row", "Forward")
}

// TestStatesInAnyOrder: the initial states of both directions stay what they were set to,
// whether lengths, which move those of the second direction, come before or after.
func TestStatesInAnyOrder(t *testing.T) {
	const steps, rows = 6, 4
	e := newEngine(t, "", 2)
	for _, c := range eachCell(Config{Input: 5, Layers: 2, Bidirectional: true, Hidden: 6}) {
		m := newModel(t, e, c, 1)
		b := newBatch(c, steps, rows, 1)
		for _, lengths := range [][]int32{nil, {3, 1, 4, 2}, {0, 1, 0, 2}, {6, 0, 2, 1}} {
			b.lengths = lengths
			want := m.NewState(rows)
			for i := range rows { // each row alone
				n := newNaiveInput(b, steps, rows).length(i)
				one := b.part(c, rows, span{0, n}, span{i, i + 1})
				last := one.h0
				if one.lengths = nil; n > 0 {
					alone := m.NewWorkspace(n, 1)
					one.forward(alone)
					last = m.NewState(1)
					alone.State(last)
				}
				for cell := range c.cells() {
					copy(want.H[(cell*rows+i)*c.stateWidth():], last.H[cell*c.stateWidth():][:c.stateWidth()])
					if c.Cell == LSTM {
						copy(want.C[(cell*rows+i)*c.Hidden:], last.C[cell*c.Hidden:][:c.Hidden])
					}
				}
			}
			other := []int32{1, 2, 1, 0}
			set := func(ws *Workspace) { ws.SetState(b.h0) }
			set1 := func(ws *Workspace) { ws.SetRow(1, b.h0.part(c, rows, span{1, 2})) }
			setRows := func(ws *Workspace) {
				for i := range rows {
					ws.SetRow(i, b.h0.part(c, rows, span{i, i + 1}))
				}
			}
			spoil := func(ws *Workspace) { ws.SetState(randomState(newRand(8), c, rows)) }
			length := func(ws *Workspace) { ws.SetLengths(lengths) }
			others := func(ws *Workspace) { ws.SetLengths(other) }
			none := func(ws *Workspace) { ws.SetLengths(nil) }
			run := func(ws *Workspace) { ws.Forward(b.ids) }
			resize := func(ws *Workspace) { ws.Resize(steps, rows) }
			for i, order := range [][]func(*Workspace){
				{length, set},
				{set, length},
				{others, set, length},
				{set, others, length},
				{set, none, others, none, length},
				{set, length, run}, // and again from the same states
				{others, setRows, length},
				{others, set, spoil, length, setRows},
				{length, setRows},
				{spoil, set, set1, length},
				{spoil, others, resize, length, set},
				{others, run, resize, set, length},
				{others, run, spoil, resize, setRows, others, length},
			} {
				for _, trains := range []bool{false, true} {
					ws := m.rig(steps+3, rows+1, trains, false)
					ws.Resize(steps, rows)
					for _, op := range order {
						op(ws)
					}
					run(ws)
					got := m.NewState(rows)
					ws.State(got)
					sameBits(t, fmt.Sprintf("%v, lengths %v, order %d, trains=%t", c.Cell, lengths, i, trains), got.all(), want.all())
				}
			}
		}
	}
}

// calls holds how often a pass calls each kernel, by its name and sizes.
type calls map[string]int

// traced returns a model whose kernels tell of their calls, and a function that counts
// the calls of f.
func traced(t *testing.T, c Config) (*Model, func(f func()) calls) {
	t.Helper()
	var count calls
	e, err := kernels.Trace("", func(c kernels.Call) { count[c.Kernel+" "+c.SizeString()]++ })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	count = calls{}
	m := newModel(t, e, c, 1)
	return m, func(f func()) calls {
		count = calls{}
		f()
		return count
	}
}

func (got calls) same(t *testing.T, name string, want calls) {
	t.Helper()
	for kernel := range want {
		if got[kernel] != want[kernel] {
			t.Errorf("%s: %d calls of %s, want %d", name, got[kernel], kernel, want[kernel])
		}
	}
	for kernel, n := range got {
		if want[kernel] == 0 {
			t.Errorf("%s: %d calls of %s, want none", name, n, kernel)
		}
	}
	if len(want) == 0 {
		t.Errorf("%s: nothing was called", name)
	}
}

// TestUnusedStepsCostNothing: a pass of 8 steps calls the same kernels in a workspace of
// 512 steps, resized or with lengths, as in one of 8.
func TestUnusedStepsCostNothing(t *testing.T) {
	const most, steps, rows = 512, 8, 3
	for turn, c := range everyConfig(t, newEngine(t, "", 1)) {
		if turn%5 > 0 { // all cells, and each with all that it has
			continue
		}
		m, count := traced(t, c)
		b := newBatch(c, steps, rows, 1)
		pass := func(ws *Workspace, b batch) calls {
			return count(func() {
				b.continued(ws)
				if c.Output > 0 {
					b.loss(ws)
				}
				if ws.trains() {
					b.backward(ws)
				}
			})
		}
		for _, trains := range []bool{false, true} {
			name := fmt.Sprintf("%v, trains=%t", job{c, steps, rows}, trains)
			small := m.rig(steps, rows, trains, false)
			want := pass(small, b)
			large := m.rig(most, rows+2, trains, false)
			large.Resize(steps, rows)
			pass(large, b).same(t, name+", resized", want)

			large = m.rig(most, rows, trains, false)
			long := newBatch(c, most, rows, 1)
			long.lengths = []int32{steps, steps, steps}
			copy(long.ids, b.ids)
			copy(long.x, b.x)
			copy(long.targets, b.targets)
			copy(long.dh, b.dh)
			long.spoil(c, most, rows)
			large.SetLengths(long.lengths) // makes its buffers
			large.spoil()
			large.Reset()
			pass(large, long).same(t, name+", lengths", want)
			sameBits(t, name+": States", large.States()[:len(small.States())], small.States())
			sameBits(t, name+": Grads", large.Grads.Slab, small.Grads.Slab)
			pairs := map[string][2][]float32{"Losses": {large.Losses, small.Losses}, "DX": {large.DX, small.DX}, "DState": {large.DState.all(), small.DState.all()}}
			for k := range small.layers {
				pairs[fmt.Sprint("dJ/dh of layer ", k)] = [2][]float32{large.layers[k].dh, small.layers[k].dh}
			}
			for what, p := range pairs {
				sameBits(t, name+": "+what, p[0][:len(p[1])], p[1])
				if rest := p[0][len(p[1]):]; !(maxAbs(rest) == 0) {
					t.Errorf("%s: %s of a step that no sequence has is not 0", name, what)
				}
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// TestIdleRowsCostNothing: idle rows behind the others add no calls to a forward pass and
// its loss, and make none larger. A batch of one step has the calls of one without them.
// In one of more steps any number of at least minGap is alike.
func TestIdleRowsCostNothing(t *testing.T) {
	const rows = 3
	for turn, c := range everyConfig(t, newEngine(t, "", 1)) {
		if turn%5 > 0 {
			continue
		}
		m, count := traced(t, c)
		pass := func(steps, idle int) calls {
			b := newBatch(c, steps, rows, 1)
			if idle > 0 {
				b = b.between(c, steps, rows, rows+idle, []int{0, 1, 2})
			}
			ws := m.NewWorkspace(steps, rows+idle)
			return count(func() {
				b.continued(ws)
				if c.Output > 0 {
					b.loss(ws)
				}
			})
		}
		name := job{c, 0, rows}.String()
		pass(1, 1).same(t, name+", one step", pass(1, 0))
		pass(1, 99).same(t, name+", one step", pass(1, 0))
		pass(4, 99).same(t, name+", four steps", pass(4, minGap))
		if t.Failed() {
			t.FailNow()
		}
	}
}
