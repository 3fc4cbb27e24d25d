package rnn

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// The exactness promise: the same bits for any number of threads and any plan,
// for a row whatever the batch around it, for T steps at once or one by one,
// and from AVX2 and AVX-512.

// A trace is everything that training steps leave behind, by name.
type trace struct {
	names  []string
	values [][]float32
}

func (tr *trace) add(name string, v []float32) {
	tr.names = append(tr.names, name)
	tr.values = append(tr.values, slices.Clone(v))
}

// same fails where two traces differ in a bit.
func (tr trace) same(t *testing.T, name string, want trace) {
	t.Helper()
	if !slices.Equal(tr.names, want.names) {
		t.Errorf("%s: traces of %q and %q", name, tr.names, want.names)
		return
	}
	for i, v := range tr.values {
		sameBits(t, name+": "+tr.names[i], v, want.values[i])
	}
}

// A job is some steps of training.
type job struct {
	Config
	steps, rows int
}

// batch draws the job's i-th batch. Where the configuration has more than the
// plain cell, its sequences are of different lengths.
func (j job) batch(i uint64) batch {
	b := newBatch(j.Config, j.steps, j.rows, i)
	if j.Embedding > 0 {
		b.ids[0], b.ids[len(b.ids)/2] = None, None
	}
	if j.Layers > 1 || j.Bidirectional || j.LastStep {
		b = b.ragged(j.Config, j.steps, j.rows, i)
	}
	return b
}

func (j job) String() string {
	name := fmt.Sprintf("dense=%t/v=%d/h=%d/t=%d/b=%d/%v", j.Dense, j.Output, j.Hidden, j.steps, j.rows, cmp.Or(j.Activation, Tanh))
	if j.Cell != Vanilla {
		name = fmt.Sprintf("%v/%s/biases=%t", j.Cell, name, j.TwoBiases)
	}
	if j.Embedding > 0 {
		name += fmt.Sprintf("/e=%d", j.Embedding)
	}
	if j.Tied {
		name += "/tied"
	}
	if j.Layers > 1 {
		name += fmt.Sprintf("/l=%d/residual=%t", j.Layers, j.Residual)
	}
	if j.Bidirectional {
		name += "/bidirectional"
	}
	if j.LastStep {
		name += "/last"
	}
	if j.TimeSkip != 0 {
		name += fmt.Sprintf("/skip=%v", j.TimeSkip)
	}
	if j.Projection > 0 {
		name += fmt.Sprintf("/p=%d", j.Projection)
	}
	for _, c := range j.Cutoffs {
		name += fmt.Sprintf("/cutoff=%d", c)
	}
	return name
}

// workspace returns a model's workspace that will do the job; tune may change
// its plan.
func (j job) workspace(tb testing.TB, e *kernels.Engine, tune func(*plan)) *Workspace {
	tb.Helper()
	ws := newModel(tb, e, j.Config, 1).NewTraining(j.steps, j.rows)
	ws.KeepInputGradients()
	if tune != nil {
		tune(&ws.plan)
	}
	return ws
}

// all gives every stage n workers, however small its work is, in the shortest phases.
func (p *plan) all(n int) {
	p.phaseWork = 1
	p.steps, p.outputs, p.up = n, n, n
	for k := range p.grads {
		p.starts[k], p.grads[k] = n, n
	}
}

// run takes updates steps of Adam with clipping, and records everything.
func (j job) run(ws *Workspace, updates int) trace {
	var tr trace
	m := ws.m
	opt := NewAdam(m, 1e-2)
	ws.Reset()
	for i := range updates {
		name := func(what string) string { return fmt.Sprintf("update %d: %s", i+1, what) }
		b := j.batch(uint64(i))
		b.continued(ws)
		for k := range ws.layers {
			tr.add(name(fmt.Sprintf("H of layer %d", k)), onlySteps(newNaiveInput(b, j.steps, j.rows), ws.layers[k].out))
		}
		last := m.NewState(j.rows)
		ws.State(last)
		tr.add(name("State"), last.all())
		if j.Output > 0 {
			ws.Loss(b.targets)
			tr.add(name("Losses of Loss"), ws.Losses)
			logits := make([]float32, j.rows*j.Output)
			ws.Logits(logits, j.steps-1)
			tr.add(name("Logits"), logits)
		}
		b.backward(ws)
		tr.add(name("Losses"), ws.Losses)
		tr.add(name("Grads"), ws.Grads.Slab)
		tr.add(name("DH0"), ws.DState.H)
		if j.Cell == LSTM {
			tr.add(name("DC0"), ws.DState.C)
		}
		tr.add(name("DX"), ws.DX)
		norm := m.Step(opt, ws.Grads.Slab, 0.05)
		tr.add(name("norm"), []float32{float32(norm)})
		tr.add(name("parameters"), m.Slab)
		ws.SetState(last)
	}
	return tr
}

// Small sizes for which plan.set chooses rows, and columns, on up to four threads.
var (
	rowsJob    = job{Config{Input: 30, Layers: 1, Hidden: 33, Output: 17}, 40, 33}
	columnsJob = job{Config{Input: 11, Layers: 1, Hidden: 201, Output: 13}, 2, 13}
)

// More outputs than a panel in the head and in each cluster; features of 8 and
// of 2.
var adaptiveJob = job{Config{Input: 200, Layers: 1, Hidden: 35, Output: 200, Cutoffs: []int{40, 100}}, 9, 17}

// tiedJob has several blocks of logits.
var tiedJob = job{Config{Input: 40, Layers: 1, Hidden: 17, Output: 40, Tied: true}, 40, 33}

// exactJobs have every kind of input and output, every activation, both plans,
// and sizes off every tile and panel.
var exactJobs = []job{
	rowsJob,
	columnsJob,
	{Config{Input: 21, Dense: true, Layers: 1, Hidden: 67, Activation: ReLU}, 4, 35},
	{Config{Input: 37, Dense: true, Layers: 1, Hidden: 49, Output: 3, Activation: Sigmoid}, 5, 13},
	{Config{Input: 3, Layers: 1, Hidden: 33, Activation: Identity}, 3, 7},
	{Config{Input: 1, Layers: 1, Hidden: 1, Output: 1}, 1, 1},
	{Config{Input: 50, Layers: 1, Hidden: 130, Output: 50}, 13, 1},
	{Config{Input: 5, Layers: 1, Hidden: 1024, Output: 5}, 2, 2}, // rows a multiple of 4 KB apart
	adaptiveJob,
	{Config{Input: 3, Dense: true, Layers: 1, Hidden: 5, Output: 3, Cutoffs: []int{1, 2}}, 2, 3}, // clusters of one
	{Config{Input: 7, Layers: 1, Hidden: 9, Output: 300, Cutoffs: []int{2}, Activation: Sigmoid}, 11, 7},
	tiedJob,
	deepJob,
	{Config{Input: 9, Layers: 2, Bidirectional: true, Hidden: 37, Output: 11, LastStep: true}, 7, 35},
	{Config{Input: 9, Dense: true, Layers: 2, Bidirectional: true, Residual: true, Hidden: 130, Output: 5, TimeSkip: 0.3}, 4, 13},
	{Config{Input: 9, Layers: 1, Bidirectional: true, Hidden: 35, Output: 200, Cutoffs: []int{20, 90}}, 9, 13},
	{Config{Input: 3, Dense: true, Layers: 3, Hidden: 19}, 6, 5},
	{Config{Input: 101, Dense: true, Layers: 1, Bidirectional: true, Hidden: 130}, 23, 33}, // phases of starts and of gradients
	{Config{Input: 30, Cell: LSTM, Layers: 1, Hidden: 33, Output: 17}, 40, 33},
	{Config{Input: 11, Cell: LSTM, Layers: 1, Hidden: 201, Output: 13}, 2, 13},
	{Config{Input: 9, Cell: LSTM, Dense: true, Layers: 2, Bidirectional: true, Residual: true, Hidden: 67, Output: 5, TwoBiases: true}, 4, 13},
	{Config{Input: 9, Cell: LSTM, Layers: 2, Bidirectional: true, Hidden: 35, Projection: 18, Output: 11, LastStep: true}, 5, 9},
	{Config{Input: 5, Cell: LSTM, Dense: true, Layers: 1, Hidden: 130, Projection: 70}, 6, 35},
	{Config{Input: 30, Cell: GRU, Layers: 1, Hidden: 33, Output: 17}, 40, 33},
	{Config{Input: 11, Cell: GRU, Layers: 1, Hidden: 201, Output: 13}, 2, 13},
	{Config{Input: 9, Cell: GRU, Dense: true, Layers: 2, Bidirectional: true, Residual: true, Hidden: 67, Output: 5}, 4, 13},
	{Config{Input: 50, Cell: GRU, Layers: 1, Hidden: 130, Output: 200, Cutoffs: []int{20, 90}}, 13, 1},
	{Config{Input: 9, Cell: GRUResetBefore, Layers: 2, Bidirectional: true, Hidden: 35, Output: 11}, 7, 13},
	{Config{Input: 5, Cell: GRUResetBefore, Dense: true, Layers: 1, Hidden: 130, TwoBiases: true}, 6, 35},
	embeddingJob,
	tiedEmbeddingJob,
	{Config{Input: 9, Embedding: 19, Layers: 2, Bidirectional: true, Residual: true, Hidden: 35, Output: 11}, 7, 13},
	{Config{Input: 30, Embedding: 36, Cell: LSTM, Layers: 1, Bidirectional: true, Hidden: 35, Projection: 18, Output: 30, Tied: true}, 5, 9},
	{Config{Input: 50, Embedding: 1, Cell: GRUResetBefore, Layers: 1, Hidden: 33}, 4, 5},
}

// embeddingJob has phases of starts and clusters. tiedEmbeddingJob has several blocks of
// logits, and columns of the embedding for several workers.
var (
	embeddingJob     = job{Config{Input: 200, Embedding: 101, Cell: GRU, Layers: 1, Hidden: 65, Output: 200, Cutoffs: []int{20, 90}}, 13, 33}
	tiedEmbeddingJob = job{Config{Input: 40, Embedding: 130, Cell: GRU, Layers: 1, Hidden: 130, Output: 40, Tied: true}, 70, 33}
)

// gatedJobs returns the jobs of gated cells.
func gatedJobs() []job {
	return slices.DeleteFunc(slices.Clone(exactJobs), func(j job) bool { return j.Cell == Vanilla })
}

// deepJob has everything between layers, and clusters whose rows are not all.
var deepJob = job{Config{Input: 30, Layers: 3, Residual: true, Hidden: 33, Output: 17, TimeSkip: 0.5, Activation: Sigmoid}, 20, 33}

// TestExactJobs holds the sizes above to what they are for.
func TestExactJobs(t *testing.T) {
	eachEngine(t, []int{2, 4}, func(t *testing.T, e *kernels.Engine) {
		rows, columns := rowsJob.workspace(t, e, nil), columnsJob.workspace(t, e, nil)
		if p := rows.plan; !p.byRows || p.steps < 2 {
			t.Errorf("%v: plan %+v, want one by rows on several workers", rowsJob, p)
		}
		if p := columns.plan; p.byRows || p.steps < 2 {
			t.Errorf("%v: plan %+v, want one by columns on several workers", columnsJob, p)
		}
		for _, j := range []job{tiedJob, tiedEmbeddingJob} {
			if n := cap(j.workspace(t, e, nil).blocks); n < 3 {
				t.Errorf("%v: %d blocks of logits, want 3", j, n)
			}
		}
		if n := cap(rows.blocks); n < 3 {
			t.Errorf("%v: %d blocks of logits, want 3: both buffers used and one again", rowsJob, n)
		}
	})
}

// TestSameBitsThreads: any number of threads, more than there are processors
// too, gives the bits of one, by plan.set's choice and by every other.
func TestSameBitsThreads(t *testing.T) {
	exactJobs := exactJobs
	if raceDetector { // it takes ten times as long: of gated cells, those of two layers and not all
		exactJobs = slices.DeleteFunc(slices.Clone(exactJobs), func(j job) bool {
			return j.Cell != Vanilla && j.Layers == 1 || j.Cell == LSTM && j.Projection == 0
		})
	}
	for _, isa := range isas() {
		one := newEngine(t, isa, 1)
		var want []trace
		for _, j := range exactJobs {
			want = append(want, j.run(j.workspace(t, one, nil), 2))
		}
		for i, j := range exactJobs { // teams that change at every barrier
			e := unsteady(t, isa, 3)
			j.run(j.workspace(t, e, nil), 2).same(t, fmt.Sprintf("isa=%s/unsteady/%v", isa, j), want[i])
			for _, byRows := range []bool{true, false} {
				if raceDetector && byRows {
					continue
				}
				ws := j.workspace(t, e, func(p *plan) {
					p.all(3)
					p.byRows, p.phase, p.group = byRows, 1, 1
				})
				j.run(ws, 2).same(t, fmt.Sprintf("isa=%s/unsteady/byRows=%t/%v", isa, byRows, j), want[i])
			}
		}
		for _, threads := range []int{2, 3, 4, runtime.GOMAXPROCS(0) + 3} {
			if raceDetector && threads > 3 {
				break
			}
			e := newEngine(t, isa, threads)
			for i, j := range exactJobs {
				if j.Cell != Vanilla && threads == 4 { // 2, 3 and more than there are processors remain
					continue
				}
				name := fmt.Sprintf("isa=%s/threads=%d/%v", isa, threads, j)
				if threads == 2 {
					j.run(j.workspace(t, e, nil), 2).same(t, name, want[i])
				}
				for _, byRows := range []bool{true, false} {
					ws := j.workspace(t, e, func(p *plan) {
						p.all(threads)
						p.byRows, p.phase = byRows, 1
						if byRows { // either way of taking turns
							p.group = j.directions()
						}
					})
					j.run(ws, 2).same(t, fmt.Sprintf("%s/byRows=%t", name, byRows), want[i])
				}
				// One worker through time, all for the rest.
				ws := j.workspace(t, e, func(p *plan) { p.all(threads); p.steps = 1 })
				j.run(ws, 2).same(t, name+"/backward", want[i])
			}
		}
	}
}

// TestSameBitsSIMD: AVX2 and AVX-512 agree on everything over five updates.
func TestSameBitsSIMD(t *testing.T) {
	isas := slices.DeleteFunc(kernels.FloatISAs(), func(isa string) bool { return isa == "generic" })
	if len(isas) < 2 {
		t.Skipf("needs two SIMD sets, this machine has %v", isas)
	}
	for _, j := range exactJobs {
		want := j.run(j.workspace(t, newEngine(t, isas[0], 1), nil), 5)
		for _, isa := range isas[1:] {
			got := j.run(j.workspace(t, newEngine(t, isa, 2), nil), 5)
			got.same(t, fmt.Sprintf("%s against %s/%v", isa, isas[0], j), want)
		}
	}
}

// A score is what a forward pass gives.
type score struct{ states, losses, logits []float32 } // [T,B,W], [R], [R,V]

func (b batch) score(ws *Workspace) score {
	ws.SetState(b.h0)
	return b.scoreRest(ws)
}

// scoreRest is score from the state that the workspace has.
func (b batch) scoreRest(ws *Workspace) score {
	b.continued(ws)
	ws.Loss(b.targets)
	perStep := ws.B * ws.m.Output
	logits := make([]float32, len(b.targets)*ws.m.Output)
	for t := range ws.T {
		if !ws.m.LastStep {
			ws.Logits(logits[t*perStep:][:perStep], t)
		} else if t == ws.T-1 {
			ws.Logits(logits, t)
		}
	}
	states := slices.Clone(ws.States())
	for row := range ws.T * ws.B {
		if ws.lengths.ended(row/ws.B, row%ws.B) {
			clear(states[row*ws.m.width():][:ws.m.width()])
			if !ws.m.LastStep {
				clear(logits[row*ws.m.Output:][:ws.m.Output])
			}
		}
	}
	return score{states, slices.Clone(ws.Losses), logits}
}

// part returns some steps and some rows of a score of the given number of rows.
func (s score) part(c Config, rows int, steps, row span) score {
	outputs := steps
	if c.LastStep {
		outputs = span{0, 1}
	}
	return score{
		cut(s.states, rows, c.width(), steps, row),
		cut(s.losses, rows, 1, outputs, row),
		cut(s.logits, rows, c.Output, outputs, row),
	}
}

func (s score) same(t *testing.T, name string, want score) {
	t.Helper()
	sameBits(t, name+": H", s.states, want.states)
	sameBits(t, name+": Losses", s.losses, want.losses)
	sameBits(t, name+": Logits", s.logits, want.logits)
}

// scoreConfigs are widths around a tile, a panel and several panels.
func scoreConfigs() []Config {
	var configs []Config
	for _, hidden := range []int{1, 7, 16, 33, 65, 130} {
		for _, dense := range []bool{false, true} {
			configs = append(configs, Config{Input: 9, Dense: dense, Layers: 1, Hidden: hidden, Output: 11})
		}
	}
	for _, j := range exactJobs {
		if j.Output > 0 && (j.Embedding > 0 || j.Tied || j.Cutoffs != nil || j.Layers > 1 || j.Bidirectional || j.LastStep) {
			configs = append(configs, j.Config)
		}
	}
	return configs
}

// bothFormats returns a model of c, and one of its weights in int8.
func bothFormats(tb testing.TB, e *kernels.Engine, c Config) []*Model {
	tb.Helper()
	m := newModel(tb, e, c, 1)
	return []*Model{m, quantised(tb, m)}
}

func quantised(tb testing.TB, m *Model) *Model {
	tb.Helper()
	q, err := m.Quantise(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// TestSameBitsInt8: a quantised model gives the same bits for any number of threads and
// any plan, and from every instruction set but the generic one.
func TestSameBitsInt8(t *testing.T) {
	jobs, isas := slices.DeleteFunc(slices.Clone(exactJobs), func(j job) bool { return j.Output == 0 }), kernels.ISAs()
	if raceDetector { // it takes ten times as long
		jobs, isas = []job{rowsJob, columnsJob, adaptiveJob, embeddingJob}, isas[len(isas)-1:]
	}
	for _, j := range jobs {
		b := j.batch(1)
		var want score
		for i, isa := range isas {
			for _, threads := range []int{1, 2, 3} {
				ws := quantised(t, newModel(t, newEngine(t, isa, threads), j.Config, 1)).NewWorkspace(j.steps, j.rows)
				name := fmt.Sprintf("%v/isa=%s/threads=%d", j, isa, threads)
				got := b.score(ws)
				if threads == 1 && i < 2 { // the generic set, and the first of the others
					want = got
				}
				got.same(t, name, want)
				for _, byRows := range []bool{true, false} {
					ws.plan.all(threads)
					ws.plan.byRows, ws.plan.phase, ws.plan.group = byRows, 1, 1
					b.score(ws).same(t, fmt.Sprintf("%s/byRows=%t", name, byRows), want)
				}
			}
		}
	}
}

// TestSameBitsRow: a row alone gives the bits that it gives in a batch, and so
// do a few rows together.
func TestSameBitsRow(t *testing.T) {
	const steps, rows = 5, 33
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range scoreConfigs() {
			b := job{c, steps, rows}.batch(1)
			for _, m := range bothFormats(t, e, c) {
				all := b.score(m.NewWorkspace(steps, rows))
				for _, row := range []span{{0, 1}, {16, 17}, {32, 33}, {3, 5}, {8, 13}, {1, 18}} {
					got := b.part(c, rows, span{0, steps}, row).score(m.NewWorkspace(steps, row.hi-row.lo))
					got.same(t, fmt.Sprintf("%+v, rows %v", m.Config, row), all.part(c, rows, span{0, steps}, row))
				}
			}
		}
	})
}

// TestSameBitsSteps: T steps at once and T calls of one step give the same bits.
func TestSameBitsSteps(t *testing.T) {
	const steps, rows = 6, 19
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range scoreConfigs() {
			if c.Bidirectional || c.LastStep {
				continue
			}
			b := newBatch(c, steps, rows, 1)
			for _, m := range bothFormats(t, e, c) {
				all := b.score(m.NewWorkspace(steps, rows))
				ws := m.NewWorkspace(1, rows)
				ws.SetState(b.h0)
				for s := range steps {
					step, every := span{s, s + 1}, span{0, rows}
					got := b.part(c, rows, step, every).scoreRest(ws)
					got.same(t, fmt.Sprintf("%+v, step %d", m.Config, s), all.part(c, rows, step, every))
					ws.Carry()
				}
			}
		}
	})
}
