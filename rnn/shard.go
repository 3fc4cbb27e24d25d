package rnn

import (
	"fmt"
	"math"
	"math/bits"

	"batchrnn/kernels"
)

// A Shard is the part of a batch that a training workspace holds, where several
// workspaces share the batch, in one process or in many.
//
// The batch has Rows rows, cut into Shards runs: run i has the rows from i·Rows/Shards to
// (i+1)·Rows/Shards. Backward computes the gradient of each run by itself. Then neighbours
// are added, then the sums of neighbours, and so on. So the sum of all runs has the same
// bits, however many workspaces share them.
type Shard struct {
	Shards int // S, of the whole batch
	Rows   int // of the whole batch
	// The workspace holds Count shards, a power of two, from First on, a multiple of Count.
	First, Count int
}

// Of returns part i of n of the whole batch of s. It returns an error if n parts can't
// share the shards: n must divide S, S/n be a power of two, and each part have a row.
func (s Shard) Of(i, n int) (Shard, error) {
	part := Shard{Shards: s.Shards, Rows: s.Rows}
	switch {
	case s.Shards < 1 || s.Rows < 1 || n < 1 || i < 0 || i >= n:
		return Shard{}, fmt.Errorf("rnn: part %d of %d of a batch of %d rows in %d shards: there is none", i, n, s.Rows, s.Shards)
	case n > s.Shards:
		return Shard{}, fmt.Errorf("rnn: %d parts of a batch of %d shards: there are at most %d", n, s.Shards, s.Shards)
	case n > s.Rows:
		return Shard{}, fmt.Errorf("rnn: %d parts of a batch of %d rows: there are at most %d", n, s.Rows, s.Rows)
	case s.Shards%n != 0 || bits.OnesCount(uint(s.Shards/n)) != 1:
		return Shard{}, fmt.Errorf("rnn: %d parts of a batch of %d shards: each must have 1, 2, 4, 8 or another power of two of them", n, s.Shards)
	}
	part.Count = s.Shards / n
	part.First = i * part.Count
	return part, nil
}

// Span returns the rows of shard i of the whole batch.
func (s Shard) Span(i int) kernels.Span {
	return kernels.Span{Lo: i * s.Rows / s.Shards, Hi: (i + 1) * s.Rows / s.Shards}
}

// Own returns the rows of the batch that the workspace holds.
func (s Shard) Own() kernels.Span {
	return kernels.Span{Lo: s.Span(s.First).Lo, Hi: s.Span(s.First + s.Count - 1).Hi}
}

func (s Shard) valid() bool {
	return s.Shards > 0 && s.Rows > 0 && s.Count > 0 && s.First >= 0 && s.Count <= s.Shards && s.First <= s.Shards-s.Count &&
		s.First%s.Count == 0 && bits.OnesCount(uint(s.Count)) == 1
}

// sharding is what a workspace knows of a batch that it has a part of.
type sharding struct {
	Shard                // Shards is 0 of a workspace that has the whole batch
	total float64        // see SetTotal
	ready func(GradPart) // see OnGrads
	parts [][]gradPart   // what ready gets after each stage: see layParts
	room  shardRoom
	// apart is [Input,·], the gradient by ids of a tied matrix, until JoinGrads adds it to
	// that of the outputs. It is empty without shards, or without such a matrix.
	apart []float32
	join  bool // JoinGrads has something to add
}

// Shard makes the workspace part s of a batch: its rows are rows s.Own() of the batch.
// Dropout draws the masks of these rows, and losses and gradients are divided by the whole
// batch (see [Workspace.SetTotal]). Backward then returns the workspace's part of the mean
// loss, and leaves in Grads its part of the gradient. Package parallel adds the parts.
// Weights of rows are forgotten.
//
// It holds until the next Shard or Resize. It panics in a workspace not made by
// NewTraining, or if s is not a part of B rows as [Shard.Of] makes them.
func (ws *Workspace) Shard(s Shard) {
	ws.checkTraining("Shard")
	if !s.valid() {
		panic(fmt.Sprintf("rnn: Shard: %+v is no part of a batch: Shard.Of makes one", s))
	}
	if rows := s.Own().Len(); rows != ws.B {
		panic(fmt.Sprintf("rnn: Shard: the part has %d rows, the workspace %d", rows, ws.B))
	}
	ws.shards.Shard, ws.shards.total, ws.rowWeights = s, 0, nil
	ws.makeShards()
	ws.pass.ran = false
}

// endShard makes a workspace one of a whole batch again.
func (ws *Workspace) endShard() {
	if s := &ws.shards; s.Shards > 0 {
		s.Shard, s.total, s.apart = Shard{}, 0, s.apart[:0]
		ws.layParts()
	}
}

// makeShards allocates what the shards of a workspace need.
func (ws *Workspace) makeShards() {
	s := &ws.shards
	s.apart = s.apart[:0]
	if s.on() && ws.m.Tied {
		s.apart = grown(s.apart, len(ws.Grads.tiedTo()))
	}
	ws.makeHeadShards()
	ws.makeSums()
	ws.makeOrder()
	ws.layParts()
}

// held returns the number of shards of the workspace.
func (s *sharding) held() int { return max(s.Count, 1) }

// on says whether the workspace has a part of a batch of several shards.
func (s *sharding) on() bool { return s.Shards > 1 }

// splits says whether the gradient of a tied matrix is in two parts: see apart.
func (s *sharding) splits() bool { return len(s.apart) > 0 }

// own returns the rows of the i-th shard of the workspace, counted from its first row.
func (s *sharding) own(i int) kernels.Span {
	first, span := s.Span(s.First).Lo, s.Span(s.First+i)
	return kernels.Span{Lo: span.Lo - first, Hi: span.Hi - first}
}

// The gradients of shards are added as a binary counter counts. That of the i-th goes to
// a level, the number of ones of i. Then the highest level is added to the one below, once
// for each one at the end of i. The sum of a power of two of them ends in level 0.
//
//	shard   level   additions
//	0       0       0
//	1       1       1
//	2       1       0
//	3       2       2
//	4       1       0
func level(i int) (level, additions int) {
	return bits.OnesCount(uint(i)), bits.TrailingZeros(^uint(i))
}

// levels returns the number of levels for count shards.
func levels(count int) int { return bits.Len(uint(count)) }

// SetTotal sets the sum of the weights of all rows that count, in the whole batch, for the
// losses and gradients from now on. Without it, or with 0, every row counts once: the sum
// is T·Rows, or Rows with Config.LastStep. It plays no part without Shard. It panics if
// total is negative or not finite.
func (ws *Workspace) SetTotal(total float64) {
	if !(total >= 0 && total <= math.MaxFloat64) {
		panic(fmt.Sprintf("rnn: SetTotal: total is %v, want a finite sum of weights, or 0", total))
	}
	ws.shards.total = total
}

// A GradPart is a part of a workspace's gradient.
type GradPart struct {
	Grads []float32
	// Rows are the rows of Grads, each of Width, that may differ from zero, in ascending
	// order. nil stands for all. It is valid until the next pass.
	Rows  []int32
	Width int // 0 if Rows is nil
}

// OnGrads makes backward passes call ready with each part of the gradient as soon as it is
// complete: the output layer's, then the last layer's, and so on. All parts together are
// the whole gradient. They come in the same order in every pass, and only Rows differs.
// BackwardStates leaves out the output layer's parts, whose gradient it does not compute.
// A tied matrix in shards has two parts: that of the outputs, and one outside Grads, by ids.
//
// ready runs on the goroutine of the pass. The elements of a part may be changed until the
// next pass. Once all have been summed, call [Workspace.JoinGrads]. nil ends it.
//
// It panics in a workspace not made by NewTraining.
func (ws *Workspace) OnGrads(ready func(GradPart)) {
	ws.checkTraining("OnGrads")
	ws.shards.ready = ready
	ws.makeOrder()
	ws.layParts()
}

// JoinGrads completes Grads after the parts of OnGrads have been summed. The gradient of a
// tied matrix comes in two parts, by ids and by outputs, and JoinGrads adds the first to
// the second. Without OnGrads the backward pass does so itself.
func (ws *Workspace) JoinGrads() {
	s := &ws.shards
	if s.join {
		s.join = false
		ws.run(max(1, min(ws.threads, len(s.apart)/elementShare)), 0, (*Workspace).joinShare)
	}
}

func (ws *Workspace) joinShare(w *kernels.Worker) {
	to, apart := ws.Grads.tiedTo(), ws.shards.apart
	own := w.Share(len(to))
	w.Add(to[own.Lo:own.Hi], to[own.Lo:own.Hi], apart[own.Lo:own.Hi])
}

// A gradPart is a part of the gradient.
type gradPart struct {
	grads []float32
	width int // of the rows that ids select; 0 if all differ from zero
}

// layParts lays out the parts: those of the output layer, of the layers from the last to
// the first, and of the embedding.
func (ws *Workspace) layParts() {
	s, m := &ws.shards, ws.m
	if s.ready == nil {
		return
	}
	if s.parts == nil {
		s.parts = make([][]gradPart, m.Layers+2)
	}
	for stage := range s.parts {
		s.parts[stage] = s.parts[stage][:0]
	}
	add := func(stage int, grads []float32, width int) {
		if len(grads) > 0 {
			s.parts[stage] = append(s.parts[stage], gradPart{grads, width})
		}
	}
	// The table that ids select rows of. After a loss of outputs all rows of a tied one
	// differ from zero.
	table, width := ws.Grads.We, m.Embedding
	if !m.dense(0) {
		table, width = ws.Grads.Cells[0].Wx, m.Cell.gates()*m.Hidden
	}
	switch {
	case s.splits():
		add(0, table, 0)
		table = s.apart
	case m.Tied:
		width = 0
	}
	rest := ws.Grads.Slab
	if m.embeds() {
		add(m.Layers+1, table, width)
		rest = rest[len(ws.Grads.We):]
	}
	for i := range ws.Grads.Cells {
		k, d := m.place(i)
		c := &ws.Grads.Cells[i]
		if !m.dense(k) {
			if d > 0 {
				table = c.Wx
			}
			add(m.Layers-k, table, width)
			rest = rest[len(c.Wx):]
		}
		n := len(c.Wh) + len(c.Bh) + len(c.Br) + len(c.Wr)
		if m.dense(k) {
			n += len(c.Wx)
		}
		add(m.Layers-k, rest[:n:n], 0)
		rest = rest[n:]
	}
	add(0, rest, 0)
}

// passParts passes on the parts that are complete after a stage: 0 is that of the outputs,
// 1 that of the last layer.
func (ws *Workspace) passParts(stage int) {
	s := &ws.shards
	if s.ready == nil {
		return
	}
	for _, p := range s.parts[stage] {
		part := GradPart{Grads: p.grads, Width: p.width}
		if p.width > 0 {
			part.Rows = s.room.ids.seen
		}
		s.ready(part)
	}
}

// ShardBytes returns about the size of what Shard and OnGrads add to a training workspace
// of that many steps and rows, for count shards out of several.
func (c Config) ShardBytes(e *kernels.Engine, steps, batch, count int) int64 {
	rows := int64(steps) * int64(batch)
	floats := rows // the order of rows
	if !c.Dense {
		floats += 4*rows + int64(c.Input) // that of ids
	}
	if c.Tied {
		floats += int64(c.Input) * int64(max(c.Embedding, c.Hidden))
	}
	if count < 2 {
		return 4 * floats
	}
	wide, deep := int64(max(c.Cell.gates()*c.Hidden, c.Embedding)), max(c.stateWidth(), c.Hidden)
	for k := range c.Layers {
		if c.dense(k) {
			deep = max(deep, c.reads(k))
		}
	}
	floats += rows*int64(leftStride(deep)) + int64(levels(count))*wide
	return 4*floats + int64(e.Threads())*unitBytes + c.headShardBytes(steps, batch, count)
}

// makeOrder allocates the orders of rows.
func (ws *Workspace) makeOrder() {
	s := &ws.shards
	if !s.several() && s.ready == nil {
		return
	}
	s.room.starts = grown(s.room.starts, s.held()+1)
	if s.room.rows == nil {
		s.room.rows = make([]int32, 0, ws.roomRows)
	}
	if !ws.m.Dense {
		s.room.ids.make(ws.roomRows, ws.m.Input)
	}
}

// beginShards prepares backward 2 and 1.
func (ws *Workspace) beginShards() {
	s := &ws.shards
	if !s.several() && s.ready == nil {
		return
	}
	ws.orderRows()
	if !ws.m.Dense {
		ws.orderIDs()
	}
}

// noGrads is a backward pass in which no row counts. The caller has cleared Grads.
func (ws *Workspace) noGrads() {
	s := &ws.shards
	ws.m.engine.Clear(s.apart)
	s.room.ids.seen = s.room.ids.seen[:0]
	for stage := range len(ws.layers) + 1 {
		ws.passParts(stage)
	}
	ws.endShards()
}

// endShards ends a backward pass.
func (ws *Workspace) endShards() {
	s := &ws.shards
	ws.passParts(len(ws.layers) + 1)
	s.join = s.splits()
	if s.ready == nil {
		ws.JoinGrads()
	}
}
