package rnn

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"batchrnn/kernels"
)

// A headJob is a backward pass over a batch that workspaces share.
type headJob struct {
	job
	shards  int
	kind    lossKind
	ignored bool // leaves targets out, and with them all of a shard
	weighed bool // gives rows and labels weights, and with them all of a shard 0
	dropout bool
}

// lengths, LastStep and idle rows come with the job: see job.batch.
var headJobs = []headJob{
	{job: rowsJob, shards: 8},
	{job: rowsJob, shards: 8, ignored: true, dropout: true},
	{job: rowsJob, shards: 4, weighed: true, ignored: true},
	{job: columnsJob, shards: 8, kind: binaryEntropy},
	{job: columnsJob, shards: 8, kind: squaredError, weighed: true, dropout: true},
	{job: columnsJob, shards: 16}, // shards without rows
	{job: columnsJob, shards: 12}, // three workspaces of four shards at least
	{job: adaptiveJob, shards: 8},
	{job: adaptiveJob, shards: 8, ignored: true, dropout: true},
	{job: adaptiveJob, shards: 32, weighed: true},
	{job: deepJob, shards: 8, weighed: true},
	{job: job{Config{Input: 9, Layers: 2, Bidirectional: true, Hidden: 37, Output: 11, LastStep: true}, 7, 35}, shards: 8},
	{job: job{Config{Input: 9, Layers: 2, Bidirectional: true, Hidden: 37, Output: 11, LastStep: true}, 7, 35}, shards: 8, ignored: true, weighed: true},
	{job: job{Config{Input: 9, Layers: 1, Bidirectional: true, Hidden: 35, Output: 200, Cutoffs: []int{20, 90}}, 9, 13}, shards: 8, dropout: true},
	{job: job{Config{Input: 50, Cell: GRU, Layers: 1, Hidden: 67, Output: 1500}, 5, 11}, shards: 8},                                               // several parts of dWy
	{job: job{Config{Input: 50, Cell: LSTM, Layers: 1, Hidden: 130, Projection: 67, Output: 2600, Cutoffs: []int{1100, 1300}}, 5, 11}, shards: 8}, // and of a cluster's
	{job: tiedJob, shards: 8, ignored: true},
	{job: job{Config{Input: 40, Embedding: 35, Cell: GRU, Layers: 1, Hidden: 35, Output: 40, Tied: true}, 13, 21}, shards: 8},
}

func (j headJob) String() string {
	return fmt.Sprintf("%v/s=%d/loss=%d/ignored=%t/weighed=%t/dropout=%t", j.job, j.shards, j.kind, j.ignored, j.weighed, j.dropout)
}

func (j headJob) batch() batch {
	b := j.job.batch(3)
	r := newRand(9)
	if j.Tied { // the gradient of the matrix is then the output's alone
		for i := range b.ids {
			b.ids[i] = None
		}
	}
	if j.Layers > 1 { // an idle row
		b.lengths[1] = 0
		b.spoil(j.Config, j.steps, j.rows)
	}
	span := Shard{Shards: j.shards, Rows: j.rows}.Span(j.shards / 3)
	all := func(i int) bool { return span.Lo <= i%j.rows && i%j.rows < span.Hi }
	if j.kind != crossEntropy {
		b = b.vectorTargets(j.Config, j.kind, 5)
	}
	if j.ignored {
		for i := range b.targets {
			if all(i) || r.IntN(5) == 0 {
				b.targets[i] = Ignore
			}
		}
	}
	if j.weighed {
		b.weights = randomFloats(r, j.Output)
		b.rowWts = randomFloats(r, len(b.targets))
		for i, w := range b.weights {
			b.weights[i] = 3 * w * w
		}
		b.weights[1] = 0
		for i, w := range b.rowWts {
			b.rowWts[i] = 5 * w * w
			if all(i) || i%7 == 0 {
				b.rowWts[i] = 0
			}
		}
	}
	return b
}

// total returns the sum of the weights of the rows that count.
func (j headJob) total(b batch) (total float64) {
	for i, target := range b.targets {
		ended := b.lengths != nil && i/j.rows >= int(b.lengths[i%j.rows])
		if ended || j.kind == crossEntropy && target == Ignore {
			continue
		}
		w := 1.0
		if b.rowWts != nil {
			w = float64(b.rowWts[i])
		}
		if b.weights != nil && j.kind == crossEntropy {
			w *= float64(b.weights[target])
		}
		total += w
	}
	return total
}

// shared is what a backward pass gives, apart from the layers' gradients.
type shared struct {
	head        [][]float32
	losses      []float32   // [R]
	dh          [][]float32 // of each layer, [T,B,W]
	mean, sum   float64
	total       float64
	steps, rows int
}

// headOf returns the gradients of the head.
func headOf(m *Model, p *Params) (parts [][]float32) {
	if m.Tied {
		parts = append(parts, p.tiedTo())
	} else {
		parts = append(parts, p.Wy)
	}
	parts = append(parts, p.By)
	for _, t := range p.Tails {
		parts = append(parts, t.Proj, t.Wy, t.By)
	}
	return parts
}

// run runs part i of n of the batch in a workspace of its own.
func (j headJob) run(t *testing.T, m *Model, b batch, i, n int, tune func(*Workspace)) shared {
	t.Helper()
	s, err := Shard{Shards: j.shards, Rows: j.rows}.Of(i, n)
	if err != nil {
		t.Fatal(err)
	}
	own := span{s.Own().Lo, s.Own().Hi}
	ws := m.NewTraining(j.steps, own.hi-own.lo)
	ws.KeepStateGradients()
	ws.Shard(s)
	if j.ignored || j.weighed || b.lengths != nil {
		ws.SetTotal(j.total(b))
	}
	part := b.part(j.Config, j.rows, span{0, j.steps}, own)
	part.rowWts = cut(b.rowWts, j.rows, 1, span{0, len(b.targets) / j.rows}, own)
	if j.dropout {
		ws.Dropout(0.4, 11)
	}
	if tune != nil {
		tune(ws)
	}
	return part.shared(ws)
}

func (b batch) shared(ws *Workspace) (r shared) {
	for range 2 { // the second pass finds what the first has left
		b.forward(ws)
		r.mean = b.backward(ws)
	}
	for _, part := range headOf(ws.m, &ws.Grads) {
		r.head = append(r.head, slices.Clone(part))
	}
	r.losses = slices.Clone(ws.Losses)
	for k := range ws.layers {
		r.dh = append(r.dh, slices.Clone(ws.layers[k].dh))
	}
	r.sum, r.total = ws.LossSum()
	r.steps, r.rows = len(ws.Losses)/ws.B, ws.B
	return r
}

// join adds the gradients and losses of parts as processes do, and puts their rows
// together.
func join(c Config, parts []shared) (all shared) {
	all = parts[0]
	rows := 0
	for _, p := range parts {
		rows += p.rows
	}
	beside := func(of func(shared) []float32, steps, width int) (together []float32) {
		for t := range steps {
			for _, p := range parts {
				together = append(together, of(p)[t*p.rows*width:(t+1)*p.rows*width]...)
			}
		}
		return together
	}
	all.losses = beside(func(p shared) []float32 { return p.losses }, all.steps, 1)
	all.dh = nil
	for k := range parts[0].dh {
		steps := len(parts[0].dh[k]) / (parts[0].rows * c.width())
		all.dh = append(all.dh, beside(func(p shared) []float32 { return p.dh[k] }, steps, c.width()))
	}
	all.rows = rows
	for step := 1; step < len(parts); step *= 2 {
		for i := 0; i+step < len(parts); i += 2 * step {
			parts[i].sum += parts[i+step].sum
			parts[i].mean += parts[i+step].mean
			for k, x := range parts[i].head {
				for at := range x {
					x[at] += parts[i+step].head[k][at]
				}
			}
		}
	}
	all.head, all.sum, all.mean = parts[0].head, parts[0].sum, parts[0].mean
	return all
}

func (r shared) same(t *testing.T, name string, want shared) {
	t.Helper()
	for k := range want.head {
		sameBits(t, fmt.Sprintf("%s: gradient %d of the head", name, k), r.head[k], want.head[k])
	}
	sameBits(t, name+": Losses", r.losses, want.losses)
	for k := range want.dh {
		sameBits(t, fmt.Sprintf("%s: dH of layer %d", name, k), r.dh[k], want.dh[k])
	}
	if r.sum != want.sum || r.total != want.total {
		t.Errorf("%s: LossSum is %v of %v, want %v of %v", name, r.sum, r.total, want.sum, want.total)
	}
	if !(math.Abs(r.mean-want.mean) <= 1e-14*math.Abs(want.mean)) {
		t.Errorf("%s: the losses add up to %v, want %v", name, r.mean, want.mean)
	}
}

// parts runs the batch in n workspaces and puts the results together.
func (j headJob) parts(t *testing.T, m *Model, b batch, n int, tune func(*Workspace)) shared {
	t.Helper()
	var parts []shared
	for i := range n {
		parts = append(parts, j.run(t, m, b, i, n, tune))
	}
	return join(j.Config, parts)
}

// shortBlocks cuts the head's rows into more blocks than shards.
func shortBlocks(ws *Workspace) {
	ws.plan.blockRows = 13
	for i, p := range ws.packs {
		if p == nil {
			ws.packs[i] = ws.m.engine.NewPacked(13, ws.packs[0].N)
		}
	}
	if ws.tails != nil {
		for i, n := range ws.tails.blockRows {
			ws.tails.blockRows[i] = min(n, 5)
		}
	}
}

// TestHeadOfShards: a workspace of several shards gives the bits that a workspace for
// each shard gives, in the head's gradients, the losses and all that is of rows. Workspaces
// of fewer shards do too, on any number of threads.
func TestHeadOfShards(t *testing.T) {
	jobs := headJobs
	if raceDetector {
		jobs = []headJob{headJobs[1], headJobs[8]}
	}
	for _, isa := range isas() {
		engines := []*kernels.Engine{newEngine(t, isa, 1), newEngine(t, isa, 2), unsteady(t, isa, 3)}
		for k, j := range jobs {
			if isa == "generic" && k%3 > 0 { // it takes ten times as long
				continue
			}
			b, counts := j.batch(), j.workspaces()
			want := j.parts(t, newModel(t, engines[0], j.Config, 1), b, counts[0], nil)
			for i, n := range counts {
				for _, e := range engines {
					threads := e.Threads()
					if last := i == len(counts)-1; threads > 1 && !last {
						continue
					}
					m := newModel(t, e, j.Config, 1)
					for _, short := range []bool{false, true} {
						if !short && threads == 2 {
							continue
						}
						name := fmt.Sprintf("isa=%s/%v/workspaces=%d/threads=%d/short=%t", isa, j, n, threads, short)
						j.parts(t, m, b, n, func(ws *Workspace) {
							ws.plan.all(threads)
							if short {
								shortBlocks(ws)
							}
						}).same(t, name, want)
					}
				}
				if t.Failed() {
					return
				}
			}
		}
	}
}

// workspaces returns how many workspaces can share the batch, the largest number first.
func (j headJob) workspaces() (counts []int) {
	for n := j.shards; n > 0; n-- {
		if _, err := (Shard{Shards: j.shards, Rows: j.rows}).Of(0, n); err == nil {
			counts = append(counts, n)
		}
	}
	return counts
}

// TestShardsAddUp: the gradients and losses of all shards are those of a workspace that
// has the whole batch, but for rounding.
func TestShardsAddUp(t *testing.T) {
	for _, j := range headJobs {
		b := j.batch()
		m := newModel(t, newEngine(t, "", 1), j.Config, 1)
		counts := j.workspaces()
		got := j.parts(t, m, b, counts[len(counts)-1], nil)
		ws := m.NewTraining(j.steps, j.rows)
		ws.KeepStateGradients()
		if j.dropout {
			ws.Dropout(0.4, 11)
		}
		want := b.shared(ws)
		for k := range want.head {
			closeTo(t, fmt.Sprintf("%v: gradient %d of the head", j, k), got.head[k], want.head[k])
		}
		closeTo(t, fmt.Sprintf("%v: Losses", j), got.losses, want.losses)
		if !(math.Abs(got.mean-want.mean) <= 1e-6*want.mean) || !(math.Abs(got.sum/got.total-got.mean) <= 1e-14*want.mean) {
			t.Errorf("%v: loss %v, of %v and %v, want %v", j, got.mean, got.sum, got.total, want.mean)
		}
	}
}

func closeTo(t *testing.T, name string, got, want []float32) {
	t.Helper()
	var largest float64
	for _, x := range want {
		largest = max(largest, math.Abs(float64(x)))
	}
	for i, x := range got {
		if !(math.Abs(float64(x-want[i])) <= 2e-5*largest) {
			t.Errorf("%s[%d] is %v, want %v", name, i, x, want[i])
			return
		}
	}
}

// TestOneShardIsTheBatch: a workspace that has the whole batch as one shard gives the bits
// that it gives without Shard. LossSum gives the losses' sum either way.
func TestOneShardIsTheBatch(t *testing.T) {
	lastStep := job{Config{Input: 9, Layers: 2, Bidirectional: true, Hidden: 37, Output: 11, LastStep: true}, 7, 35}
	for _, j := range []job{rowsJob, columnsJob, adaptiveJob, lastStep} {
		m := newModel(t, newEngine(t, "", 2), j.Config, 1)
		b := j.batch(1)
		ws := m.NewTraining(j.steps, j.rows)
		ws.KeepStateGradients()
		ws.Dropout(0.3, 5)
		want := b.shared(ws)
		slab := slices.Clone(ws.Grads.Slab)
		if want.total != float64(len(b.targets)) || want.sum/want.total != want.mean {
			t.Errorf("%v: LossSum is %v of %v, the loss %v", j, want.sum, want.total, want.mean)
		}
		ws.Dropout(0.3, 5)
		ws.Shard(Shard{Shards: 1, Rows: j.rows, Count: 1})
		b.shared(ws).same(t, j.String(), want)
		sameBits(t, j.String()+": Grads", ws.Grads.Slab, slab)
	}
}

// TestShardWithoutLosses: a workspace none of whose rows count has no part of the loss,
// and a gradient of +0.
func TestShardWithoutLosses(t *testing.T) {
	c := Config{Input: 9, Layers: 1, Hidden: 5, Output: 30, Cutoffs: []int{10, 20}}
	m := newModel(t, newEngine(t, "", 1), c, 1)
	const steps, rows = 4, 6
	b := newBatch(c, steps, 2*rows, 1).part(c, 2*rows, span{0, steps}, span{0, rows})
	for _, shards := range []int{2, 8} {
		ws := m.NewTraining(steps, rows)
		s, err := Shard{Shards: shards, Rows: 2 * rows}.Of(0, 2)
		if err != nil {
			t.Fatal(err)
		}
		ws.Shard(s)
		ws.SetTotal(7)
		zeros := make([]float32, len(m.Slab))
		for name, leaveOut := range map[string]func(){
			"weights": func() { ws.WeightRows(make([]float32, steps*rows)) },
			"targets": func() { setAll(b.targets, Ignore) },
		} {
			b.forward(ws)
			ws.WeightRows(nil)
			ws.Backward(randomIDs(newRand(1), steps*rows, c.Output)) // leaves losses and gradients
			leaveOut()
			if mean := ws.Backward(b.targets); mean != 0 {
				t.Errorf("%d shards, no %s: loss %v", shards, name, mean)
			}
			if sum, total := ws.LossSum(); sum != 0 || total != 7 {
				t.Errorf("%d shards, no %s: LossSum is %v of %v, want 0 of 7", shards, name, sum, total)
			}
			sameBits(t, name, ws.Grads.Slab, zeros)
			if mean := ws.Loss(b.targets); mean != 0 {
				t.Errorf("%d shards, no %s: loss %v without the gradient", shards, name, mean)
			}
		}
	}
}

// TestLossOfShards: Loss gives the part of the mean that Backward gives.
func TestLossOfShards(t *testing.T) {
	for _, j := range headJobs {
		if j.dropout {
			continue
		}
		b := j.batch()
		m := newModel(t, newEngine(t, "", 2), j.Config, 1)
		ws := m.NewTraining(j.steps, j.rows)
		s, err := Shard{Shards: 8, Rows: j.rows}.Of(0, 1)
		if err != nil {
			t.Fatal(err)
		}
		ws.Shard(s)
		b.forward(ws)
		loss := b.loss(ws)
		losses := slices.Clone(ws.Losses)
		if got := b.backward(ws); got != loss {
			t.Errorf("%v: Backward gives %v, Loss %v", j, got, loss)
		}
		sameBits(t, j.String(), losses, ws.Losses)
	}
}

// TestHeadOfShardsAllocatesNothing: passes over several shards allocate nothing.
func TestHeadOfShardsAllocatesNothing(t *testing.T) {
	eachEngine(t, []int{1, 2}, func(t *testing.T, e *kernels.Engine) {
		for _, j := range headJobs {
			b := j.batch()
			ws := newModel(t, e, j.Config, 1).NewTraining(j.steps, j.rows)
			s, err := Shard{Shards: 8, Rows: j.rows}.Of(0, 1)
			if err != nil {
				t.Fatal(err)
			}
			ws.Shard(s)
			ws.Dropout(0.2, 1)
			pass := func() {
				b.continued(ws)
				b.backward(ws)
				b.loss(ws)
			}
			pass()
			if n := testing.AllocsPerRun(3, pass); n != 0 {
				t.Errorf("%v: a pass allocates %v times", j, n)
			}
		}
	})
}

// TestHeadShardBytes: the head's part of a workspace of shards has the size that the
// configuration says.
func TestHeadShardBytes(t *testing.T) {
	e := newEngine(t, "", 1)
	for _, j := range headJobs {
		for _, count := range []int{1, 2, 8} {
			ws := newModel(t, e, j.Config, 1).NewTraining(j.steps, j.rows)
			had := headBytes(ws)
			ws.Shard(Shard{Shards: count, Rows: j.rows, Count: count})
			got, want := headBytes(ws)-had, j.headShardBytes(j.steps, j.rows, count)
			if got > want || want > got*5/4 && !j.LastStep { // which has the gathered states in any case
				t.Errorf("%v, %d shards: %d bytes, headShardBytes says %d", j, count, got, want)
			}
		}
	}
}

// headBytes returns the bytes of what shards need in the head.
func headBytes(ws *Workspace) int64 {
	n := len(ws.shardLosses) + len(ws.pickedIDs) + cap(ws.picked) + len(ws.gather) + len(ws.dgather)
	sums := []partials{ws.dwy, ws.dby}
	if ws.tails != nil {
		for _, g := range ws.tails.grads {
			sums = append(sums, g.proj, g.wy, g.by)
		}
	}
	for _, p := range sums {
		for _, x := range p[1:] {
			n += len(x)
		}
	}
	return 4 * int64(n)
}

// TestShardTotals: SetTotal refuses what is no sum of weights.
func TestShardTotals(t *testing.T) {
	ws := newModel(t, newEngine(t, "", 1), Config{Input: 2, Layers: 1, Hidden: 2, Output: 2}, 1).NewTraining(1, 1)
	for _, total := range []float64{-1, math.NaN(), math.Inf(1)} {
		mustPanic(t, func() { ws.SetTotal(total) }, "SetTotal", "total is")
	}
}

// TestLeftOutAfterAll: rows that are left out get no gradient from the pass before, in
// which they counted.
func TestLeftOutAfterAll(t *testing.T) {
	m := newModel(t, newEngine(t, "", 1), rowsJob.Config, 1)
	all := newBatch(m.Config, rowsJob.steps, rowsJob.rows, 1)
	some := all
	some.targets = slices.Clone(all.targets)
	for i := 0; i < len(some.targets); i += 3 {
		some.targets[i] = Ignore
	}
	for _, count := range []int{1, 8} {
		part := Shard{Shards: count, Rows: rowsJob.rows, Count: count}
		fresh, used := m.NewTraining(rowsJob.steps, rowsJob.rows), m.NewTraining(rowsJob.steps, rowsJob.rows)
		fresh.Shard(part)
		used.Shard(part)
		all.forward(used)
		all.backward(used)
		for _, ws := range []*Workspace{fresh, used} {
			some.forward(ws)
			some.backward(ws)
		}
		sameBits(t, fmt.Sprintf("%d shards", count), used.Grads.Slab, fresh.Grads.Slab)
	}
}
