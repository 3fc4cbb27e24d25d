package rnn

import (
	"math/bits"

	"batchrnn/kernels"
)

// A workspace of several shards has all of them in one batch. What belongs to a row is
// computed as ever: its bits don't depend on the batch. Sums over rows are made shard by
// shard: each has the bits of a workspace that holds only the rows of the shard. They are
// dWx, dWh, dWr, the biases' gradients, and those of rows that ids select.

// A shardRoom holds what sums over the rows of shards need. The rows of a pass are
// ordered by shard, then by step, then by sequence. A shard has as many steps as the
// longest of its sequences.
type shardRoom struct {
	rows   []int32   // [T·B], the rows of a pass, t·B+b, in this order
	starts []int     // [Count+1]: rows[starts[i]:starts[i+1]] are those of shard i
	a      []float32 // [T·B,n], the left side of a product, in this order
	slots  []float32 // of unit products: see shardProducts
	slot   int       // the number of floats of a slot
	sums   []float32 // [levels,·], of sums of columns and of rows of ids
	ids    idOrder
}

// several says whether sums over rows are made shard by shard.
func (s *sharding) several() bool { return s.Count > 1 }

// makeSums allocates the room for sums, if it is not there already.
func (ws *Workspace) makeSums() {
	m, s := ws.m, &ws.shards
	r := &s.room
	if !s.several() {
		return
	}
	deep, wide, most := 0, max(m.Cell.gates()*m.Hidden, m.Embedding), 0
	for i := range s.Count {
		most = max(most, ws.T*s.own(i).Len())
	}
	r.slot = 0
	for k := -2; k < m.Layers; k++ { // the left sides are states, an LSTM's outputs before a projection, and inputs
		n := m.stateWidth()
		switch {
		case k == -1:
			n = m.Hidden
		case k >= 0 && m.dense(k):
			n = m.reads(k)
		}
		deep = max(deep, n)
		r.slot = max(r.slot, ws.unitColumns(n, wide, 1)*(most+n*levels(s.Count)))
	}
	r.a = grown(r.a, ws.T*ws.B*leftStride(deep))
	r.slots = grown(r.slots, r.slot*ws.slots())
	r.sums = grown(r.sums, levels(s.Count)*wide)
}

// grown returns a slice of n elements, in the memory of x if there is enough.
func grown[E any](x []E, n int) []E {
	if cap(x) < n {
		return make([]E, n)
	}
	return x[:n]
}

// orderRows puts the rows of a pass in order.
func (ws *Workspace) orderRows() {
	s := &ws.shards
	r := &s.room
	r.rows = r.rows[:0]
	for i := range s.held() {
		own, steps := kernels.Span{Hi: ws.B}, ws.steps
		if s.several() {
			own = s.own(i)
		}
		if ws.lengths.of != nil {
			steps = 1
			for _, n := range ws.lengths.of[own.Lo:own.Hi] {
				steps = max(steps, int(n))
			}
		}
		r.starts[i] = len(r.rows)
		for t := range steps {
			for b := own.Lo; b < own.Hi; b++ {
				r.rows = append(r.rows, int32(t*ws.B+b))
			}
		}
		r.starts[i+1] = len(r.rows)
	}
}

// of returns the rows of shard i.
func (r *shardRoom) of(i int) []int32 { return r.rows[r.starts[i]:r.starts[i+1]] }

// unitBytes is the size of the sums of a unit product, which stay in L2.
const unitBytes = 512 << 10

// unitColumns returns the number of columns of a unit product of n rows, out of cols. It
// is two panels: products with a plain matrix of more gather rows of a long left side.
func (ws *Workspace) unitColumns(n, cols, workers int) int {
	panel := ws.wh(0, 0).plain[0].Columns(kernels.Span{Hi: 1}).Len()
	if cols < workers*2*panel || n*2*panel*levels(ws.shards.Count)*4 > unitBytes {
		return panel
	}
	return 2 * panel
}

// leftStride returns the row stride of the left side, n wide: an odd number of lines of
// the cache. A product then reads down its columns without conflicts.
func leftStride(n int) int { return ((n+15)/16 | 1) * 16 }

// slots returns the most unit products that are made at the same time.
func (ws *Workspace) slots() int { return ws.m.engine.Threads() }

// shardProducts is timesDZ shard by shard. The columns are cut into units, whose sums stay
// in the cache until the last shard has been added. In a phase each worker has a unit.
// Each unit of a phase has a slot, which holds the shard's rows of dz and the sums.
func (ws *Workspace) shardProducts(w *kernels.Worker, n, cols int, dw []float32, lddw int, a []float32, lda int, dz []float32, lddz int) {
	s := &ws.shards
	r := &s.room
	workers := ws.plan.grads[ws.at]
	ld := leftStride(n)
	if workers > 1 {
		w.Barrier() // others may still read the left side of another product
	}
	for own := w.Share(len(r.rows)); own.Lo < own.Hi; own.Lo++ {
		w.Copy(r.a[own.Lo*ld:][:n], a[int(r.rows[own.Lo])*lda:][:n])
	}
	unit := ws.unitColumns(n, cols, workers)
	units := (cols + unit - 1) / unit
	together := min(workers, units, ws.slots())
	pause := ws.plan.phaseLength(n*unit*len(r.rows)/s.Count, 1) // shards between two barriers
	for first := 0; first < units; first += together {
		for i := range s.Count {
			if workers > 1 && i%pause == 0 {
				w.Barrier()
			}
			for own := w.Share(min(together, units-first)); own.Lo < own.Hi; own.Lo++ {
				lo := (first + own.Lo) * unit
				ws.shardProduct(w, i, own.Lo, n, min(unit, cols-lo), dw[lo:], lddw, dz[lo:], lddz)
			}
		}
	}
}

// shardProduct is shard i's part of a unit product of n rows and cols columns. dw and dz
// begin at its first column. After the last shard it sets dw.
func (ws *Workspace) shardProduct(w *kernels.Worker, i, slot, n, cols int, dw []float32, lddw int, dz []float32, lddz int) {
	s := &ws.shards
	r := &s.room
	room, rows := r.slots[slot*r.slot:][:r.slot], r.of(i)
	right, sums := room[:len(rows)*cols], room[r.slot-levels(s.Count)*n*cols:]
	level, additions := level(i)
	sum := sums[level*n*cols:][:n*cols]
	if len(rows) == 0 {
		w.Clear(sum)
	} else {
		for j, row := range rows {
			w.Copy(right[j*cols:][:cols], dz[int(row)*lddz:][:cols])
		}
		ld := leftStride(n)
		p := kernels.Product{M: n, A: r.a[r.starts[i]*ld:], LDA: ld, TransA: true, C: sum, LDC: cols}
		w.GemmPlain(p, kernels.Matrix{K: len(rows), N: cols, Data: right, LD: cols}, kernels.Span{Hi: w.Panels(cols)})
	}
	for ; additions > 0; additions-- {
		below := sums[(level-1)*n*cols:][:n*cols]
		if level == 1 && i == s.Count-1 {
			for j := range n { // the sum of all
				w.Add(dw[j*lddw:][:cols], below[j*cols:][:cols], sum[j*cols:][:cols])
			}
			return
		}
		w.Add(below, below, sum)
		sum, level = below, level-1
	}
}

// columnSums sets dst to the sums of columns of dz, [T·B,len(dst)]. The columns begin at
// column at of those that workers share.
func (ws *Workspace) columnSums(w *kernels.Worker, at int, dz []float32, lddz int, dst []float32) {
	s := &ws.shards
	if !s.several() {
		w.Clear(dst)
		w.ColumnSums(ws.steps*ws.B, dz, lddz, dst)
		return
	}
	r := &s.room
	for i := range s.Count {
		level, additions := level(i)
		sum := ws.sum(level, at, len(dst))
		w.Clear(sum)
		rows := r.of(i)
		for run := s.own(i).Len(); len(rows) > 0; rows = rows[run:] {
			w.ColumnSums(run, dz[int(rows[0])*lddz:], lddz, sum)
		}
		for ; additions > 0; additions-- {
			below := ws.sum(level-1, at, len(dst))
			w.Add(below, below, sum)
			sum, level = below, level-1
		}
	}
	w.Copy(dst, ws.sum(0, at, len(dst)))
}

// sum returns n columns from at on of a level of the sums.
func (ws *Workspace) sum(level, at, n int) []float32 {
	all := ws.shards.room.sums
	return all[level*len(all)/levels(ws.shards.Count)+at:][:n]
}

// An idOrder holds the rows of a pass ordered by id, and for each id by shard, step and
// sequence. Rows of None are left out.
type idOrder struct {
	seen   []int32 // the ids, ascending
	starts []int32 // rows[starts[j]:starts[j+1]] are those of seen[j]
	rows   []int32
	shards []int32 // of each of rows
	places []int32 // [Input], zero between passes
}

// make allocates an order of that many rows of ids below inputs.
func (x *idOrder) make(rows, inputs int) {
	if x.places == nil {
		x.seen, x.starts = make([]int32, 0, rows), make([]int32, 0, rows+1)
		x.rows, x.shards = make([]int32, rows), make([]int32, rows)
		x.places = make([]int32, inputs)
	}
}

// orderIDs orders the rows of the pass by id.
func (ws *Workspace) orderIDs() {
	r, ids := &ws.shards.room, ws.pass.ids
	x := &r.ids
	for _, row := range r.rows {
		if id := ids[row]; id != None {
			x.places[id]++
		}
	}
	x.seen, x.starts = x.seen[:0], x.starts[:0]
	var before int32
	for id, n := range x.places {
		if n > 0 {
			x.seen, x.starts = append(x.seen, int32(id)), append(x.starts, before)
			x.places[id], before = before, before+n
		}
	}
	x.starts = append(x.starts, before)
	for i := range ws.shards.held() {
		for _, row := range r.of(i) {
			if id := ids[row]; id != None {
				x.rows[x.places[id]], x.shards[x.places[id]] = row, int32(i)
				x.places[id]++
			}
		}
	}
	for _, id := range x.seen {
		x.places[id] = 0
	}
}

// shardScatter adds each row of dz, [T·B,cols], to the row of its id in table, which is
// zero. The columns begin at column at of those that workers share.
//
// A shard without the id has a sum of +0. It is left out: a sum of floats that starts from
// +0 is never -0, so that +0 changes nothing.
func (ws *Workspace) shardScatter(w *kernels.Worker, at, cols int, dz []float32, lddz int, table []float32, ldt int) {
	x := &ws.shards.room.ids
	var shards [bits.UintSize]int32 // whose sums wait: that of shards[0] in table, those of others in their levels
	for j, id := range x.seen {
		first := table[int(id)*ldt:][:cols]
		sum, waiting := first, 0
		for i := x.starts[j]; i < x.starts[j+1]; i++ {
			if shard := x.shards[i]; waiting == 0 || shard != shards[waiting-1] {
				// Two sums are added once all shards between them in the tree are there.
				for waiting > 1 && meeting(shards[waiting-2], shards[waiting-1]) < meeting(shards[waiting-1], shard) {
					waiting--
					ws.addWaiting(w, waiting, at, first)
				}
				if waiting > 0 {
					sum = ws.sum(waiting, at, cols)
					w.Clear(sum)
				}
				shards[waiting] = shard
				waiting++
			}
			w.Add(sum, sum, dz[int(x.rows[i])*lddz:][:cols])
		}
		for waiting--; waiting > 0; waiting-- {
			ws.addWaiting(w, waiting, at, first)
		}
	}
}

// addWaiting adds the i-th sum that waits to the one before it.
func (ws *Workspace) addWaiting(w *kernels.Worker, i, at int, first []float32) {
	below := first
	if i > 1 {
		below = ws.sum(i-1, at, len(first))
	}
	w.Add(below, below, ws.sum(i, at, len(first)))
}

// meeting returns the height in the tree where two shards meet.
func meeting(i, j int32) int { return bits.Len32(uint32(i ^ j)) }
