package rnn

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// A workspace of several shards must leave the bits of workspaces of one shard each, whose
// gradients are added as a tree.

// states makes the batch one whose loss is of the states.
func (b batch) states(c Config, steps, rows int) batch {
	r := newRand(9)
	b.targets, b.dh, b.dlast = nil, randomFloats(r, steps*rows*c.width()), randomState(r, c, rows)
	if b.lengths != nil {
		c.Output = 0 // there are no targets
		b.spoil(c, steps, rows)
	}
	return b
}

// partOf returns the rows of a shard of a batch.
func (b batch) partOf(c Config, steps, rows int, s Shard) batch {
	own := span{s.Own().Lo, s.Own().Hi}
	part := b.part(c, rows, span{0, steps}, own)
	if b.dlast.H != nil {
		part.dlast = b.dlast.part(c, rows, own)
	}
	return part
}

// shardGrads runs a batch on n workspaces that share its shards. It returns the sum of
// their gradients, and what else belongs to rows.
func shardGrads(t *testing.T, m *Model, b batch, steps, rows, shards, n int, tune func(*Workspace)) (sum []float32, states [][]float32) {
	t.Helper()
	var all [][]float32
	for i := range n {
		s, err := Shard{Shards: shards, Rows: rows}.Of(i, n)
		if err != nil {
			t.Fatal(err)
		}
		ws := m.NewTraining(steps, s.Own().Len())
		ws.KeepInputGradients()
		ws.Shard(s)
		ws.OnGrads(func(GradPart) {}) // a tied matrix has two gradients, until JoinGrads
		if tune != nil {
			tune(ws)
		}
		part := b.partOf(m.Config, steps, rows, s)
		for range 2 { // what a pass leaves must not reach the next
			part.forward(ws)
			part.backward(ws)
		}
		all = append(all, append(slices.Clone(ws.Grads.Slab), ws.shards.apart...))
		states = append(states, slices.Clone(ws.DState.all()), slices.Clone(ws.DX))
	}
	for len(all) > 1 {
		for i := range len(all) / 2 {
			all[i] = all[2*i]
			for j, x := range all[2*i+1] {
				all[i][j] += x
			}
		}
		all = all[:len(all)/2]
	}
	return all[0], states
}

// A cellsJob is a batch in shards.
type cellsJob struct {
	job
	shards int
	ragged bool
}

func (j cellsJob) String() string {
	return fmt.Sprintf("%v/s=%d/ragged=%t", j.job, j.shards, j.ragged)
}

func (j cellsJob) batch() batch {
	b := newBatch(j.Config, j.steps, j.rows, 3)
	if b.ids != nil {
		for i := 2; i < len(b.ids); i += 5 {
			b.ids[i] = None
		}
	}
	if j.ragged {
		b = b.ragged(j.Config, j.steps, j.rows, 4)
		if j.rows > 2 {
			b.lengths[0], b.lengths[1] = 0, 0 // the first shards may be idle
		}
	}
	return b.states(j.Config, j.steps, j.rows)
}

// cellsJobs have every kind of cell and input, and sizes off every unit and shard.
func cellsJobs() (jobs []cellsJob) {
	add := func(c Config, steps, rows, shards int) {
		for _, ragged := range []bool{false, true} {
			jobs = append(jobs, cellsJob{job{c, steps, rows}, shards, ragged})
		}
	}
	for _, c := range eachCell(Config{Input: 7, Hidden: 70, Layers: 1}) {
		add(c, 5, 19, 8)
	}
	for _, c := range eachCell(Config{Input: 9, Dense: true, Hidden: 33, Layers: 2, Bidirectional: true, Residual: true}) {
		add(c, 3, 11, 8)
	}
	for _, c := range eachCell(Config{Input: 40, Embedding: 21, Hidden: 18, Layers: 3, TwoBiases: true}) {
		add(c, 4, 8, 8)
	}
	add(Config{Input: 30, Hidden: 35, Layers: 2, TimeSkip: 0.4, Bidirectional: true}, 6, 9, 4)
	add(Config{Input: 12, Hidden: 20, Layers: 1, Output: 12, Tied: true}, 4, 9, 8)
	add(Config{Input: 12, Embedding: 20, Cell: GRU, Hidden: 20, Layers: 1, Output: 12, Tied: true}, 4, 9, 8)
	add(Config{Input: 6, Cell: GRU, Hidden: 17, Layers: 1}, 1, 5, 16) // shards without rows
	add(Config{Input: 6, Hidden: 17, Layers: 1}, 3, 2, 8)
	add(Config{Input: 530, Dense: true, Hidden: 130, Layers: 1}, 9, 13, 4) // units of both widths
	return jobs
}

func TestShards(t *testing.T) {
	jobs := cellsJobs()
	eachEngine(t, []int{1, 3}, func(t *testing.T, e *kernels.Engine) {
		for _, j := range jobs {
			j.sameShards(t, e, nil)
		}
	})
}

// sameShards compares all numbers of workspaces that can share the shards of a job.
func (j cellsJob) sameShards(t *testing.T, e *kernels.Engine, tune func(*Workspace)) {
	t.Helper()
	m := newModel(t, e, j.Config, 1)
	b := j.batch()
	var want []float32
	var dstate [][]float32
	for n := j.shards; n >= 1; n /= 2 {
		if n > j.rows {
			continue
		}
		got, states := shardGrads(t, m, b, j.steps, j.rows, j.shards, n, tune)
		if want == nil {
			want, dstate = got, j.joined(states)
			if !(maxAbs(want) > 0) || maxAbs(want) > math.MaxFloat32 {
				t.Fatalf("%v: a gradient of %v", j, maxAbs(want))
			}
		}
		sameBits(t, fmt.Sprintf("%v: gradient of %d workspaces", j, n), got, want)
		for i, v := range j.joined(states) {
			sameBits(t, fmt.Sprintf("%v: DState and DX %d of %d workspaces", j, i, n), v, dstate[i])
		}
	}
}

// joined puts the rows of several workspaces together: DX, and each cell's DState.
func (j cellsJob) joined(states [][]float32) (all [][]float32) {
	n := len(states) / 2
	join := func(of func(i int) []float32, blocks int) {
		for block := range blocks {
			var rows []float32
			for i := range n {
				v := of(i)
				size := len(v) / blocks
				rows = append(rows, v[block*size:][:size]...)
			}
			all = append(all, rows)
		}
	}
	cells := j.cells() * j.stateWidth()
	if j.Cell == LSTM {
		h := func(i int) []float32 { return states[2*i][:len(states[2*i])*cells/(cells+j.cells()*j.Hidden)] }
		c := func(i int) []float32 { return states[2*i][len(h(i)):] }
		join(h, j.cells())
		join(c, j.cells())
	} else {
		join(func(i int) []float32 { return states[2*i] }, j.cells())
	}
	join(func(i int) []float32 { return states[2*i+1] }, j.steps)
	return all
}

// TestShardsOfOutputs is TestShards for losses of outputs, with all kinds of output.
func TestShardsOfOutputs(t *testing.T) {
	configs := append(eachCell(Config{Input: 13, Output: 13, Hidden: 20, Layers: 2}),
		Config{Input: 13, Output: 13, Hidden: 20, Layers: 1, Tied: true},
		Config{Input: 13, Output: 13, Hidden: 20, Layers: 2, Tied: true, Embedding: 20, Cell: GRU},
		Config{Input: 23, Output: 23, Hidden: 20, Layers: 1, Embedding: 9, Cell: LSTM, Cutoffs: []int{5, 11}},
		Config{Input: 5, Output: 7, Hidden: 20, Layers: 1, Dense: true, LastStep: true, Bidirectional: true},
		Config{Input: 5, Output: 7, Hidden: 20, Layers: 2, Residual: true, Bidirectional: true, Cell: LSTM},
	)
	eachEngine(t, []int{1, 3}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range configs {
			for _, dropped := range []float64{0, 0.4} {
				for _, ragged := range []bool{false, true} {
					j := cellsJob{job{c, 4, 11}, 8, ragged}
					m := newModel(t, e, c, 1)
					b := newBatch(c, j.steps, j.rows, 3)
					for i := 1; i < len(b.targets); i += 4 {
						b.targets[i] = Ignore
					}
					for i := range b.targets { // a shard of which no row counts
						if i%j.rows == 5 || i%j.rows == 6 {
							b.targets[i] = Ignore
						}
					}
					if ragged {
						b = b.ragged(c, j.steps, j.rows, 4)
						b.lengths[0] = 0
						b.spoil(c, j.steps, j.rows)
					}
					var want []float32
					for n := 8; n >= 1; n /= 2 {
						got, _ := shardGrads(t, m, b, j.steps, j.rows, 8, n, func(ws *Workspace) {
							if dropped > 0 {
								ws.Dropout(dropped, 5)
							}
							ws.SetTotal(17)
						})
						if want == nil {
							if want = got; !(maxAbs(want) > 0) {
								t.Fatalf("%v: a gradient of zeros", j)
							}
						}
						sameBits(t, fmt.Sprintf("%v, dropout %v: gradient of %d workspaces", j, dropped, n), got, want)
					}
				}
			}
		}
	})
}

// TestShardsOfChangingTeams: neither the plan nor the team changes a bit.
func TestShardsOfChangingTeams(t *testing.T) {
	for i, j := range cellsJobs() {
		if j.ragged != (i%4 > 1) { // each network once
			continue
		}
		m := newModel(t, newEngine(t, "", 1), j.Config, 1)
		want, _ := shardGrads(t, m, j.batch(), j.steps, j.rows, j.shards, 1, nil)
		wide := newModel(t, unsteady(t, "", 3), j.Config, 1)
		got, _ := shardGrads(t, wide, j.batch(), j.steps, j.rows, j.shards, 1, func(ws *Workspace) { ws.plan.all(3) })
		sameBits(t, j.String(), got, want)
	}
}

// TestShardsOfShortSequences: a shard has no more steps than its sequences. One more adds a
// product of zero, and makes +0 of a sum that has underflowed to -0.
func TestShardsOfShortSequences(t *testing.T) {
	const steps, rows, tiny = 2, 2, 1e-30
	c := Config{Input: 2, Hidden: 1, Layers: 1, Activation: Identity}
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		m := newModel(t, e, c, 1)
		setAll(m.Slab, 0)
		m.Cells[0].Wx[0], m.Cells[0].Wx[1] = 1, -1 // the states of the first and the second row after a step
		m.Update()
		b := batch{
			ids: []int32{0, 1, 0, 1}, lengths: []int32{1, 2},
			h0: State{H: []float32{-tiny, -tiny}},
			dh: []float32{tiny, tiny, 0, 0}, dlast: State{H: []float32{0, 0}},
		}
		want, _ := shardGrads(t, m, b, steps, rows, 2, 2, nil)
		got, _ := shardGrads(t, m, b, steps, rows, 2, 1, nil)
		if at := len(m.Cells[0].Wx); e.ISA() != "generic" && math.Float32bits(want[at]) != 1<<31 { // the generic Set rounds products
			t.Fatalf("dWh is %v, want -0", want[at])
		}
		sameBits(t, "gradient", got, want)
	})
}

// A recordedPart is a part of a gradient as it was when it was ready.
type recordedPart struct {
	at    int // in the slab, or -1 for the gradient by ids of a tied matrix
	grads []float32
	rows  []int32
	width int
}

// record returns a function for OnGrads that records each part, and then spoils it if
// spoil is set.
func (ws *Workspace) record(parts *[]recordedPart, spoil bool) func(GradPart) {
	return func(p GradPart) {
		at := -1
		for i := range ws.Grads.Slab {
			if &ws.Grads.Slab[i] == &p.Grads[0] {
				at = i
			}
		}
		r := recordedPart{at, slices.Clone(p.Grads), slices.Clone(p.Rows), p.Width}
		if p.Rows == nil {
			r.rows = nil
		}
		*parts = append(*parts, r)
		if spoil {
			setAll(p.Grads, float32(math.NaN()))
		}
	}
}

// check fails where a part has something outside its rows.
func (p recordedPart) check(t *testing.T, name string) {
	t.Helper()
	if (p.rows == nil) != (p.width == 0) {
		t.Errorf("%s: rows %v of width %d", name, p.rows, p.width)
	}
	if p.rows == nil {
		return
	}
	if !slices.IsSorted(p.rows) || len(slices.Compact(slices.Clone(p.rows))) != len(p.rows) {
		t.Errorf("%s: rows %v don't ascend", name, p.rows)
	}
	for i, g := range p.grads {
		if _, in := slices.BinarySearch(p.rows, int32(i/p.width)); !in && math.Float32bits(g) != 0 {
			t.Errorf("%s: row %d has %v, and is none of %v", name, i/p.width, g, p.rows)
			return
		}
	}
}

// TestGradParts: each part is complete when it is ready, and not read again. All parts
// together are the whole gradient. Passes of outputs have the same parts.
func TestGradParts(t *testing.T) {
	e := newEngine(t, "", 2)
	const steps, rows = 3, 5
	for turn, c := range everyConfig(t, e) {
		m := newModel(t, e, c, 1)
		b := newBatch(c, steps, rows, 2)
		if b.ids != nil {
			b.ids[3], b.ids[7] = None, None
			if turn%2 == 0 {
				b = b.ragged(c, steps, rows, 2)
			}
		}
		shards := []Shard{{}, {1, rows, 0, 1}, {4, rows * 4, 1, 1}, {4, rows, 0, 4}, {8, rows * 2, 0, 4}}
		s := shards[turn%len(shards)]
		if s.Count > 0 && s.Own().Len() != rows {
			t.Fatal(s)
		}
		name := fmt.Sprintf("%+v, %+v", c, s)
		workspace := func() *Workspace {
			ws := m.NewTraining(steps, rows)
			if s.Count > 0 {
				ws.Shard(s)
			}
			return ws
		}
		plain, ws := workspace(), workspace()
		b.forward(plain)
		b.backward(plain)

		var parts, spoilt, none, ofStates []recordedPart
		ws.OnGrads(ws.record(&parts, false))
		b.forward(ws)
		b.backward(ws)
		apart := c.Tied && s.Shards > 1
		covered := make([]bool, len(ws.Grads.Slab))
		for i, p := range parts {
			name := fmt.Sprintf("%s, part %d", name, i)
			p.check(t, name)
			now := ws.Grads.Slab
			if p.at < 0 {
				if !apart {
					t.Errorf("%s is outside the gradient", name)
					continue
				}
				now, apart = ws.shards.apart, false
			} else {
				now = now[p.at:]
				for j := range p.grads {
					if covered[p.at+j] {
						t.Errorf("%s: element %d belongs to another part too", name, p.at+j)
						break
					}
					covered[p.at+j] = true
				}
			}
			sameBits(t, name+" after the pass", now[:len(p.grads)], p.grads)
		}
		if i := slices.Index(covered, false); i >= 0 && c.Output > 0 {
			t.Errorf("%s: element %d belongs to no part", name, i)
		}
		if apart {
			t.Errorf("%s: the gradient by ids is no part", name)
		}
		joined := slices.Clone(ws.Grads.Slab)
		for i, g := range ws.shards.apart { // the tied matrix is the first weight
			joined[i] += g
		}
		ws.JoinGrads()
		ws.JoinGrads() // once is enough
		sameBits(t, name+": joined", ws.Grads.Slab, joined)
		sameBits(t, name+": joined by the pass", plain.Grads.Slab, joined)

		ws.OnGrads(ws.record(&spoilt, true))
		b.forward(ws)
		b.backward(ws)
		ws.OnGrads(ws.record(&none, false))
		if c.Output > 0 {
			without := b
			without.targets = slices.Repeat([]int32{Ignore}, len(b.targets))
			b.forward(ws)
			without.backward(ws)
			for _, p := range none {
				if i := slices.IndexFunc(p.grads, func(g float32) bool { return math.Float32bits(g) != 0 }); i >= 0 || len(p.rows) > 0 {
					t.Errorf("%s: a part has rows %v and %v, and no row counts", name, p.rows, p.grads)
				}
			}
		} else {
			b.forward(ws)
			b.backward(ws)
		}
		if len(spoilt) != len(parts) || len(none) != len(parts) {
			t.Errorf("%s: %d parts, then %d, then %d", name, len(parts), len(spoilt), len(none))
			continue
		}
		for i, p := range parts {
			sameBits(t, fmt.Sprintf("%s: part %d after others were spoilt", name, i), spoilt[i].grads, p.grads)
			if none[i].at != p.at || none[i].width != p.width || len(none[i].grads) != len(p.grads) {
				t.Errorf("%s: part %d is another where no row counts", name, i)
			}
		}
		if c.Output == 0 {
			continue
		}
		of := b.states(c, steps, rows)
		of.forward(plain)
		of.backward(plain)
		ws.OnGrads(ws.record(&ofStates, false))
		of.forward(ws)
		of.backward(ws)
		for _, p := range ofStates {
			p.check(t, name)
		}
		ws.JoinGrads()
		head := len(ws.Grads.Slab) // which passes of states leave as it is
		for _, tail := range ws.Grads.Tails {
			head -= len(tail.Proj) + len(tail.Wy) + len(tail.By)
		}
		head -= len(ws.Grads.Wy) + len(ws.Grads.By)
		sameBits(t, name+": of states", ws.Grads.Slab[:head], plain.Grads.Slab[:head])
	}
}

// TestShardedCellsAllocateNothing: no pass of shards allocates, and none that passes parts on.
func TestShardedCellsAllocateNothing(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, j := range cellsJobs() {
			if !j.ragged {
				continue
			}
			m := newModel(t, e, j.Config, 1)
			ws := m.NewTraining(j.steps, j.rows)
			ws.Shard(Shard{Shards: 4, Rows: j.rows, Count: 4})
			parts := 0
			ws.OnGrads(func(p GradPart) { parts += len(p.Grads) })
			b := j.batch()
			pass := func() {
				ws.Shard(ws.shards.Shard)
				b.forward(ws)
				b.backward(ws)
				ws.JoinGrads()
			}
			pass()
			if n := testing.AllocsPerRun(3, pass); n != 0 || parts == 0 {
				t.Errorf("%v: a pass allocates %v times", j, n)
			}
		}
	})
}

// TestShardAfterResize: Resize ends a Shard, and the next one finds its room.
func TestShardAfterResize(t *testing.T) {
	e := newEngine(t, "", 2)
	for _, c := range eachCell(Config{Input: 9, Hidden: 17, Layers: 2}) {
		m := newModel(t, e, c, 1)
		ws := m.NewTraining(6, 10)
		ws.KeepInputGradients()
		for _, size := range [][3]int{{2, 3, 1}, {2, 5, 2}, {4, 10, 4}, {12, 5, 8}, {6, 10, 2}, {6, 10, 8}} {
			steps, rows, shards := size[0], size[1], size[2]
			b := newBatch(c, steps, rows, 5)
			ws.Resize(steps, rows)
			fresh := m.NewTraining(steps, rows)
			b.forward(ws)
			b.backward(ws)
			b.forward(fresh)
			b.backward(fresh)
			sameBits(t, fmt.Sprintf("%v, %v, after Resize", c.Cell, size), ws.Grads.Slab, fresh.Grads.Slab)

			s := Shard{Shards: shards, Rows: rows, Count: shards}
			ws.Shard(s)
			fresh.Shard(s)
			b.forward(ws)
			b.backward(ws)
			b.forward(fresh)
			b.backward(fresh)
			sameBits(t, fmt.Sprintf("%v, %v, after Shard", c.Cell, size), ws.Grads.Slab, fresh.Grads.Slab)
		}
	}
}

// TestShardBytes: Shard and OnGrads allocate about what the configuration says.
func TestShardBytes(t *testing.T) {
	const steps, rows = 20, 24
	e := newEngine(t, "", 2)
	for _, c := range []Config{
		{Input: 500, Hidden: 60, Layers: 2, Output: 40},
		{Cell: LSTM, Input: 2000, Embedding: 50, Hidden: 50, Layers: 1, Output: 2000, Tied: true},
		{Cell: GRU, Input: 30, Hidden: 200, Layers: 1, Output: 30, Dense: true},
	} {
		m := newModel(t, e, c, 1)
		for _, count := range []int{1, 2, 8} {
			ws := m.NewTraining(steps, rows)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ws.Shard(Shard{Shards: 8, Rows: rows * 8 / count, Count: count})
			ws.OnGrads(func(GradPart) {})
			runtime.ReadMemStats(&after)
			got, want := int64(after.TotalAlloc-before.TotalAlloc), c.ShardBytes(e, steps, rows, count)
			const small = 32 << 10
			if got > want*5/4+small || want > got*5/4+small+2*unitBytes {
				t.Errorf("%+v, %d shards: %d bytes, ShardBytes says %d", c, count, got, want)
			}
		}
	}
}

// TestNoShard: what is no part of a batch is refused.
func TestNoShard(t *testing.T) {
	ws := newModel(t, newEngine(t, "", 1), Config{Input: 2, Layers: 1, Hidden: 2, Output: 2}, 1).NewTraining(1, 4)
	for _, s := range []Shard{
		{},
		{Shards: 4, Rows: 4},
		{Shards: 4, Rows: -4, Count: 4},
		{Shards: 4, Rows: 8, First: -2, Count: 2},
		{Shards: 4, Rows: 8, First: 1, Count: 2},
		{Shards: 4, Rows: 8, First: 4, Count: 2},
		{Shards: 3, Rows: 4, Count: 3},
		{Shards: 2, Rows: 4, Count: 4},
		{Shards: math.MaxInt, Rows: 4, First: math.MaxInt - 1, Count: 2},
	} {
		mustPanic(t, func() { ws.Shard(s) }, "Shard", "is no part of a batch")
	}
	mustPanic(t, func() { ws.Shard(Shard{Shards: 2, Rows: 4, Count: 1}) }, "Shard", "2 rows", "4")
	whole := Shard{Shards: 12, Rows: 30}
	for _, p := range [][2]int{{0, 0}, {-1, 3}, {3, 3}, {0, 1}, {0, 2}, {0, 4}, {0, 13}, {0, 24}} {
		if s, err := whole.Of(p[0], p[1]); err == nil {
			t.Errorf("part %d of %d is %+v, want an error", p[0], p[1], s)
		}
	}
	if s, err := (Shard{Shards: 8, Rows: 3}).Of(0, 4); err == nil {
		t.Errorf("a part without rows is %+v, want an error", s)
	}
}

// TestShardForgets: Shard ends weights of rows, a total, and the last pass.
func TestShardForgets(t *testing.T) {
	const steps, rows = 3, 4
	c := Config{Input: 5, Layers: 1, Hidden: 6, Output: 5}
	m := newModel(t, newEngine(t, "", 1), c, 1)
	ws, fresh := m.NewTraining(steps, rows), m.NewTraining(steps, rows)
	s := Shard{Shards: 2, Rows: rows, Count: 2}
	ids, weights := []int32{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1}, make([]float32, steps*rows)
	weights[5] = 2
	ws.Shard(s)
	ws.WeightRows(weights)
	ws.SetTotal(2)
	ws.Forward(ids)
	ws.Shard(s)
	mustPanic(t, func() { ws.Backward(ids) }, "Backward", "Forward")
	fresh.Shard(s)
	ws.Forward(ids)
	fresh.Forward(ids)
	if got, want := ws.Backward(ids), fresh.Backward(ids); got != want {
		t.Errorf("loss %v, want %v", got, want)
	}
	sameBits(t, "gradient", ws.Grads.Slab, fresh.Grads.Slab)
}
