package rnn

import "batchrnn/kernels"

// tailWork is what a workspace needs for the clusters of an adaptive softmax:
// the rows of T·B whose targets are in clusters, and buffers for a block of them.
type tailWork struct {
	head    []int32 // [T,B], the targets as classes of the head
	rows    []int32 // those whose targets are in clusters: cluster by cluster, in order
	start   []int   // [K+1]: rows[start[i]:start[i+1]] are of cluster i
	targets []int32 // of rows, from the cluster's first output
	losses  []float32

	// Buffers of blocks, each for the largest cluster; two of each for training.
	blockRows []int     // by cluster
	x         []float32 // [R,W], the rows of the states
	z         []float32 // [R,F], their features
	logits    []float32 // [R,N]
	scratch   []float32 // [the most classes of the head or a cluster]
	mass      []float32 // [B,K], log-probabilities of the clusters

	// The rest is for training.
	blocks []tailBlock
	dz     []float32 // [R,F]
	dx     []float32 // [R,W]
	packs  []tailPacks
}

// minTailRows is how many rows a block has however many outputs their cluster has.
// dWy is narrow here, so that deep blocks gain little: with V = 100,000, H = 512
// blocks of 16, 32 and 64 rows reach 13,600, 13,800 and 13,900 tokens/s.
const minTailRows = 32

// A tailBlock is some rows of a cluster whose logits exist at one time.
type tailBlock struct {
	cluster     int
	rows        kernels.Span // of tailWork.rows
	first       bool         // of its cluster
	dz, dlogits kernels.Packed
}

// tailPacks hold the right-hand sides of a cluster's products: of dProj, for this
// block and for the next, and of dWy, whose panels each worker fills and reads
// alone.
type tailPacks struct {
	dz      [2]*kernels.Packed // R×D
	dlogits *kernels.Packed    // R×N
}

func (m *Model) newTailWork(rows, batch int) *tailWork {
	t := &tailWork{
		head:    make([]int32, rows),
		rows:    make([]int32, rows),
		targets: make([]int32, rows),
		losses:  make([]float32, rows),
		start:   make([]int, len(m.clusters)+1),
	}
	widest := m.head()
	for i := range m.clusters {
		fits := max(minTailRows, min(maxBlockRows, logitBytes/(4*m.clusters[i].Len())))
		n := max(min(rows, fits), m.engine.Threads()) // each worker has a row
		t.blockRows = append(t.blockRows, n)
		widest = max(widest, m.clusters[i].Len())
	}
	t.scratch = make([]float32, widest)
	t.mass = make([]float32, batch*len(m.clusters))
	t.makeBuffers(m, 1, batch)
	return t
}

// makeBuffers makes so many buffers for a block, and features for no fewer than
// the given rows.
func (t *tailWork) makeBuffers(m *Model, count, rows int) {
	var x, z, logits int
	for i, n := range t.blockRows {
		x = max(x, n*m.width())
		z = max(z, max(n, rows)*m.clusters[i].features)
		logits = max(logits, n*m.clusters[i].Len())
	}
	t.x = kernels.Floats(count * x)
	t.z = kernels.Floats(count * z)
	t.logits = kernels.Floats(count * logits)
}

// train makes what training needs beside.
func (t *tailWork) train(m *Model, rows, batch int) {
	t.makeBuffers(m, 2, batch)
	t.dz = make([]float32, len(t.z)/2)
	t.dx = make([]float32, len(t.x)/2)
	most := 0
	for i, n := range t.blockRows {
		var p tailPacks
		for j := range p.dz {
			p.dz[j] = m.engine.NewPacked(n, m.clusters[i].features)
		}
		p.dlogits = m.engine.NewPacked(n, m.clusters[i].Len())
		t.packs = append(t.packs, p)
		most += rows/n + 1
	}
	t.blocks = make([]tailBlock, 0, most)
}

// buffer returns the i-th of count buffers in all.
func buffer(all []float32, i, count int) []float32 {
	n := len(all) / count
	return all[i*n:][:n]
}

// classes returns targets as classes of the head. With an adaptive softmax it
// sorts out which rows are of which cluster, in a counting sort.
func (ws *Workspace) classes(targets []int32) []int32 {
	t, m := ws.tails, ws.m
	if t == nil {
		return targets
	}
	shortlist := int32(m.Cutoffs[0])
	clear(t.start)
	for row, target := range targets {
		t.head[row] = target
		if target >= shortlist {
			i := m.clusterOf(target)
			t.head[row] = shortlist + int32(i)
			t.start[i]++
		}
	}
	end := 0
	for i, n := range t.start { // from numbers of rows to where they end
		end += n
		t.start[i] = end
	}
	for row := len(targets) - 1; row >= 0; row-- {
		if class := t.head[row]; class >= shortlist {
			i := class - shortlist
			t.start[i]--
			at := t.start[i]
			t.rows[at] = int32(row)
			t.targets[at] = targets[row] - int32(m.Cutoffs[i])
		}
	}
	return t.head
}

// clusterOf returns the cluster of an output behind the first cutoff.
func (m *Model) clusterOf(output int32) int {
	i := len(m.Cutoffs) - 1
	for int(output) < m.Cutoffs[i] {
		i--
	}
	return i
}

// span returns where the rows of cluster i are.
func (t *tailWork) span(i int) kernels.Span { return kernels.Span{Lo: t.start[i], Hi: t.start[i+1]} }

// addLosses adds what the clusters cost to the losses of the head.
func (t *tailWork) addLosses(losses []float32) {
	n := t.start[len(t.start)-1]
	for i, row := range t.rows[:n] {
		losses[row] += t.losses[i]
	}
}

// cutTails cuts the rows of every cluster into blocks, before the region.
func (t *tailWork) cutTails() {
	t.blocks = t.blocks[:0]
	for i, n := range t.blockRows {
		all := t.span(i)
		for lo := all.Lo; lo == all.Lo || lo < all.Hi; lo += n {
			b := tailBlock{cluster: i, rows: kernels.Span{Lo: lo, Hi: min(lo+n, all.Hi)}, first: lo == all.Lo}
			if k := b.rows.Len(); k > 0 { // a cluster that nothing is of has one empty block
				b.dz = t.packs[i].dz[len(t.blocks)%2].First(k)
				b.dlogits = t.packs[i].dlogits.First(k)
			}
			t.blocks = append(t.blocks, b)
		}
	}
}
