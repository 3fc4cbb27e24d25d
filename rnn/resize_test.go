package rnn

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"batchrnn/kernels"
)

// everyConfig returns a network of each cell, of one layer and two, one direction and
// both, with each kind of input and output. Other options take turns.
func everyConfig(t *testing.T, e *kernels.Engine) []Config {
	t.Helper()
	var configs []Config
	for turn, c := range everyCombination() {
		c.Residual = c.Layers > 1 && turn%2 == 0
		if c.Cell == Vanilla && turn%3 == 0 {
			c.TimeSkip = 0.5
		}
		if _, err := New(e, c, 1); err == nil {
			configs = append(configs, c)
		}
	}
	if len(configs) != 322 { // the other 38 would be tied, and have a dense input or no embedding for gates or both directions
		t.Fatalf("%d networks", len(configs))
	}
	if raceDetector { // it takes ten times as long
		few := configs[:0]
		for turn := 0; turn < len(configs); turn += 7 {
			few = append(few, configs[turn])
		}
		return few
	}
	return configs
}

func everyCombination() (configs []Config) {
	for _, cell := range eachCell(Config{Hidden: 6}) {
		for _, layers := range []int{1, 2} {
			for _, both := range []bool{false, true} {
				for _, input := range []string{"ids", "dense", "embedding"} {
					for _, output := range []string{"states", "outputs", "last", "tied", "adaptive", "adaptive last"} {
						c := cell
						c.Input, c.Layers, c.Bidirectional, c.Dense = 7, layers, both, input == "dense"
						if input == "embedding" {
							c.Embedding = c.width()
						}
						if output != "states" {
							c.Output = 7
						}
						c.LastStep, c.Tied = output == "last" || output == "adaptive last", output == "tied"
						if output == "adaptive" || output == "adaptive last" {
							c.Cutoffs = []int{2, 4}
						}
						configs = append(configs, c)
					}
				}
			}
		}
	}
	return configs
}

// A rig is a workspace with everything that it can keep.
func (m *Model) rig(steps, rows int, trains, drops bool) *Workspace {
	if !trains {
		return m.NewWorkspace(steps, rows)
	}
	ws := m.NewTraining(steps, rows)
	ws.KeepInputGradients()
	ws.KeepStateGradients()
	if drops && (m.Output > 0 || m.Layers > 1 || m.embeds()) {
		ws.Dropout(0.3, 5)
	}
	return ws
}

// spoil fills every buffer of a workspace with NaN, so that what a pass reads without
// having written it shows.
func (ws *Workspace) spoil() {
	nan := float32(math.NaN())
	all := [][]float32{ws.masked, ws.embedded, ws.dembedded, ws.grads[0], ws.grads[1], ws.reached, ws.firstDZ, ws.gather, ws.dgather, ws.logits,
		ws.Losses, ws.DX, ws.DState.H, ws.DState.C, ws.back.dz, ws.back.carry, ws.back.dc, ws.back.dp, ws.back.dm, ws.Grads.Slab}
	for _, l := range ws.layers {
		all = append(all, l.h, l.c, l.z, l.m, l.g, l.out, l.up, l.dh)
	}
	if t := ws.tails; t != nil {
		all = append(all, t.losses, t.x, t.z, t.logits, t.scratch, t.mass, t.dz, t.dx)
	}
	for _, a := range all {
		setAll(a[:cap(a)], nan)
	}
}

// everything is what a pass, its loss, its gradients, and a pass that follows from its
// states give.
func (b batch) everything(ws *Workspace) trace {
	var tr trace
	in := newNaiveInput(b, ws.T, ws.B)
	add := func(when string) {
		tr.add(when+"States", onlySteps(in, ws.States()))
		last := ws.m.NewState(ws.B)
		ws.State(last)
		tr.add(when+"State", last.all())
	}
	b.forward(ws)
	add("")
	if ws.m.Output > 0 {
		tr.add("Loss", []float32{float32(b.loss(ws))})
		tr.add("Losses", ws.Losses)
		logits := make([]float32, ws.B*ws.m.Output)
		for t := range ws.T {
			if !ws.m.LastStep || t == ws.T-1 {
				ws.Logits(logits, t)
				for row := range ws.B {
					if ended := t >= in.length(row); !ended || ws.m.LastStep && in.length(row) > 0 {
						tr.add(fmt.Sprintf("Logits of step %d, row %d", t, row), logits[row*ws.m.Output:][:ws.m.Output])
					}
				}
			}
		}
	}
	if ws.trains() {
		tr.add("Backward", []float32{float32(b.backward(ws))})
		tr.add("Losses of Backward", ws.Losses)
		tr.add("Grads", ws.Grads.Slab)
		tr.add("DState", ws.DState.all())
		tr.add("DX", ws.DX)
		for k := range ws.layers {
			norms := make([]float64, ws.T)
			ws.StateGradNorms(norms, k)
			for _, norm := range norms {
				tr.add(fmt.Sprintf("norms of layer %d", k), []float32{float32(norm)})
			}
		}
	}
	if !ws.m.Bidirectional {
		ws.Carry()
		b.continued(ws)
		add("after Carry: ")
		from := make([]int32, ws.B)
		for row := range from {
			from[row] = int32((2*row + 1) % ws.B)
		}
		ws.CarryRows(from)
		b.continued(ws)
		add("after CarryRows: ")
	}
	return tr
}

// TestResize: a workspace that was made larger gives, after Resize, the bits of one that
// was made for these steps and rows. Its buffers hold NaN from before.
func TestResize(t *testing.T) {
	e := newEngine(t, "", 2)
	for turn, c := range everyConfig(t, e) {
		checkResize(t, newModel(t, e, c, 1), 6, 5, turn%2 == 0)
	}
}

// TestResizeShared does it for workspaces large enough for several workers and blocks.
func TestResizeShared(t *testing.T) {
	eachEngine(t, []int{2}, func(t *testing.T, e *kernels.Engine) {
		for _, j := range []job{rowsJob, columnsJob, adaptiveJob, {Config{Input: 9, Cell: GRU, Dense: true, Layers: 2, Bidirectional: true, Residual: true, Hidden: 67, Output: 5}, 6, 33}} {
			checkResize(t, newModel(t, e, j.Config, 1), j.steps, j.rows, false)
		}
	})
}

// checkResize takes sizes in no order: small and large, as many rows in all of another
// shape, one row for all steps.
func checkResize(t *testing.T, m *Model, steps, rows int, drops bool) {
	t.Helper()
	most := steps * rows
	for _, trains := range []bool{false, true} {
		ws := m.rig(steps, rows, trains, drops)
		for i, s := range [][2]int{{min(2, steps), (rows + 1) / 2}, {steps, rows}, {1, 1}, {most, 1}, {most / 2, min(2, rows)}, {1, rows}, {most / (rows - 1), rows - 1}} {
			steps, rows := s[0], s[1]
			ws.spoil()
			ws.Resize(steps, rows)
			fresh := m.rig(steps, rows, trains, drops)
			if ws.drop != nil {
				fresh.SkipDropout(ws.drop.draws)
			}
			b := newBatch(m.Config, steps, rows, uint64(i))
			if b.ids != nil && i%2 == 0 {
				b.ids[len(b.ids)/2] = None
			}
			if i%3 > 0 {
				b = b.ragged(m.Config, steps, rows, uint64(i))
				if i%3 == 2 && rows > 1 {
					b.lengths[0] = 0
					b.spoil(m.Config, steps, rows)
				}
			}
			name := fmt.Sprintf("%v, trains=%t, resized to %d steps of %d rows", job{m.Config, steps, rows}, trains, steps, rows)
			b.everything(ws).same(t, name, b.everything(fresh))
			if ws.T != steps || ws.B != rows {
				t.Errorf("%s: T %d, B %d", name, ws.T, ws.B)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// TestResizeForgets: the states become zeros, all sequences have T steps, rows count alike,
// and the last pass is no more.
func TestResizeForgets(t *testing.T) {
	const steps, rows = 4, 3
	for _, c := range eachCell(Config{Input: 5, Layers: 2, Bidirectional: true, Hidden: 6, Output: 4}) {
		m := newModel(t, newEngine(t, "", 1), c, 1)
		ws, fresh := m.rig(steps, rows, true, false), m.rig(steps, rows, true, false)
		b := newBatch(c, steps, rows, 1)
		short := b
		short.lengths = []int32{2, 1, 2}
		short.forward(ws)
		ws.WeightRows([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
		ws.Backward(b.targets)

		ws.Resize(steps, rows)
		norms := make([]float64, steps)
		for name, call := range map[string]func(){
			"States":         func() { ws.States() },
			"State":          func() { ws.State(b.h0) },
			"Row":            func() { ws.Row(0, m.NewState(1)) },
			"Loss":           func() { ws.Loss(b.targets) },
			"Backward":       func() { ws.Backward(b.targets) },
			"StateGradNorms": func() { ws.StateGradNorms(norms, 0) },
		} {
			mustPanic(t, call, "rnn: ", name, "or")
		}
		ws.Forward(b.ids)
		fresh.Forward(b.ids)
		sameBits(t, "States", ws.States(), fresh.States())
		if a, b := ws.Backward(b.targets), fresh.Backward(b.targets); a != b {
			t.Errorf("%v: losses %v and %v", c.Cell, a, b)
		}
		sameBits(t, "Grads", ws.Grads.Slab, fresh.Grads.Slab)
	}
}

// TestResizeKeepsRoom: what is asked for in a workspace made smaller has room for a larger
// one.
func TestResizeKeepsRoom(t *testing.T) {
	const steps, rows = 5, 4
	e := newEngine(t, "", 1)
	for _, c := range append(eachCell(Config{Input: 5, Dense: true, Layers: 2, Bidirectional: true, Hidden: 6, Output: 4}),
		Config{Input: 5, Embedding: 3, Layers: 2, Residual: true, Hidden: 6, Output: 4}) {
		m := newModel(t, e, c, 1)
		ws, fresh := m.NewTraining(steps, rows), m.rig(steps, rows, true, true)
		ws.Resize(2, 1)
		ws.KeepInputGradients()
		ws.KeepStateGradients()
		ws.Dropout(0.3, 5)
		b := newBatch(c, 2, 1, 1)
		b.rowWts, b.lengths = []float32{1, 2}, []int32{2}
		b.forward(ws)
		b.backward(ws)
		fresh.SkipDropout(1)

		ws.Resize(steps, rows)
		b = newBatch(c, steps, rows, 1).ragged(c, steps, rows, 1)
		b.everything(ws).same(t, c.Cell.String(), b.everything(fresh))
	}
}

// TestResizePlan: a pass after Resize, and one of shorter sequences, is shared among
// workers as in a workspace of that size. A limit of threads stays.
func TestResizePlan(t *testing.T) {
	e := newEngine(t, "", 4)
	same := func(name string, got, want plan) {
		t.Helper()
		got.blockRows = want.blockRows // the size of a buffer
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: plan %+v, want %+v", name, got, want)
		}
	}
	for _, j := range append([]job{rowsJob, columnsJob}, gatedJobs()...) {
		m := newModel(t, e, j.Config, 1)
		small, large, limited := m.NewWorkspace(1, 1), m.NewWorkspace(j.steps, j.rows), m.NewWorkspace(j.steps, j.rows)
		ws := m.NewWorkspace(j.steps, j.rows)
		want := large.plan
		ws.Resize(1, 1)
		same("resized", ws.plan, small.plan)
		ws.Resize(j.steps, j.rows)
		same("resized again", ws.plan, want)
		short := m.NewWorkspace(1, j.rows)
		ws.SetLengths(make([]int32, j.rows))
		same("idle", ws.plan, short.plan)
		ws.SetLengths(nil)
		same("without lengths", ws.plan, want)

		ws.LimitThreads(2)
		limited.LimitThreads(2)
		ws.Resize(1, 1)
		ws.Resize(j.steps, j.rows)
		same("limited before", ws.plan, limited.plan)
		ws.Resize(1, 1)
		ws.LimitThreads(4)
		ws.Resize(j.steps, j.rows)
		same("limited after", ws.plan, want)
	}
}

// TestResizeAllocatesNothing: the passes after the first that leaves out rows allocate
// nothing, also where they are larger.
func TestResizeAllocatesNothing(t *testing.T) {
	const steps, rows = 8, 6
	e := newEngine(t, "", 2)
	for _, c := range append(eachCell(Config{Input: 7, Layers: 2, Hidden: 6, Output: 7, Residual: true}),
		Config{Input: 7, Dense: true, Layers: 1, Bidirectional: true, Hidden: 6, Output: 7, LastStep: true},
		Config{Input: 7, Embedding: 6, Cell: GRU, Layers: 1, Hidden: 6, Output: 7, Tied: true},
		Config{Input: 7, Layers: 1, Hidden: 6, Output: 7, Cutoffs: []int{2, 4}},
		Config{Input: 7, Dense: true, Cell: LSTM, Layers: 2, Bidirectional: true, Hidden: 6},
	) {
		m := newModel(t, e, c, 1)
		for _, trains := range []bool{false, true} {
			ws := m.rig(steps, rows, trains, true)
			row := m.NewState(1)
			var passes []func()
			for i, s := range [][2]int{{2, 2}, {1, 1}, {8, 6}, {48, 1}, {1, 6}, {24, 2}} {
				b := newBatch(c, s[0], s[1], uint64(i)).ragged(c, s[0], s[1], uint64(i))
				from := make([]int32, s[1])
				if c.Output > 0 && !c.LastStep {
					b.targets[0] = Ignore
				}
				for range b.targets {
					b.rowWts = append(b.rowWts, 2)
				}
				state := m.NewState(s[1])
				passes = append(passes, func() {
					ws.Resize(s[0], s[1])
					ws.SetState(state)
					ws.SetRow(0, row)
					b.continued(ws)
					ws.State(state)
					ws.Row(0, row)
					if c.Output > 0 {
						b.loss(ws)
					}
					if trains {
						b.backward(ws)
					}
					if !c.Bidirectional {
						ws.Carry()
						ws.CarryRows(from)
					}
					if i%2 == 0 {
						ws.SetLengths(from)
					}
				})
			}
			for i := range passes {
				next := 0
				if n := testing.AllocsPerRun(1, func() { // the first call is not measured
					passes[next]()
					next = i
				}); n != 0 {
					t.Errorf("%v, trains=%t: pass %d allocates %v times", job{c, steps, rows}, trains, i, n)
				}
			}
		}
	}
}
