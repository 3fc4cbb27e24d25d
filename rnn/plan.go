package rnn

import "batchrnn/kernels"

// A plan says how the passes of a workspace are shared among workers. It changes no
// bits.
type plan struct {
	// The maximum number of workers of each stage: as many as its work is worth, and
	// each with a share of it.
	starts  []int // stage 1 of each layer, where it is a separate pass
	up      int   // the way from a layer to the one above
	steps   int   // stage 2 and its mirror image
	outputs int   // stages 3 and 4
	grads   []int // the gradients of each layer's weights and input

	// byRows says whether workers share the rows of the batch in stage 2. Otherwise
	// they share the columns of Wh and meet at a barrier after each step.
	byRows bool
	// phase is the number of steps between two barriers.
	phase int
	// phaseWork is the number of multiply-adds of a worker between two optional
	// barriers. Such a barrier only lets the team change.
	phaseWork int
	// group is how many directions of a layer take a step between two barriers. Two
	// need half as many barriers. One at a time finds its Wh in the cache.
	group     int
	blockRows int // rows in a block of logits
}

const (
	// passShare is the number of multiply-adds of a pass that is worth a worker.
	passShare = 1 << 19
	// elementShare is the number of elements that is worth a worker, if each element is
	// read and written once.
	elementShare = 1 << 14
	// phaseWork takes about 0.15 ms. A barrier costs little beside that.
	phaseWork = 1 << 23
	// int8Speed is the speed of products of int8, as a multiple of float32's
	// (bench/RESULTS.md, Int8).
	int8Speed = 3
	// minRows is the number of rows from which tiles reach the multiply-add peak.
	minRows = 8
	// cacheBytes is how much of Wh stays in a core's own cache, beside other data.
	cacheBytes = 768 << 10
	// logitBytes is the size of a block of logits, within L2 for all workers.
	logitBytes   = 1 << 20
	maxBlockRows = 512
	// deepRows is the number of rows of a block in training. Each block reads and
	// writes all of dWy, so deep blocks save traffic. The logits of a block are at most
	// maxLogitBytes, a part of L3.
	//
	// Training with V = 10,000 and B·T = 800 on two threads, tokens/s:
	//
	//	rows of a block       32         64       128      256
	//	H = 128    13,200-18,700    17,400    19,100   19,800
	//	H = 512            4,250     4,860     5,370    5,640
	//
	// Scoring has no dWy. There blocks of 256 rows slow H = 128 from 71,900 to 59,600.
	deepRows      = 256
	maxLogitBytes = 16 << 20
	minBlockRows  = 64
)

// set plans passes of m for at most n workers. It reuses p's memory.
func (p *plan) set(m *Model, steps, batch, n int) {
	*p = plan{group: 1, phaseWork: phaseWork, starts: p.starts[:0], grads: p.grads[:0]}
	rows := steps * batch
	gates := m.Cell.gates()
	stepWork := batch * m.Hidden * m.stateWidth() * gates
	// A worker's part of a step must outweigh the barrier after it. In time a barrier
	// costs HandoverWork; half as much again leaves a gain. Share of two threads' peak,
	// forward, on a Zen 4, by multiply-adds of a step for each of two workers:
	//
	//	                 each   one worker   two workers
	//	H = 128, B = 2   2^14         37 %    20 to 40 %
	//	H = 128, B = 4   2^15         41 %          52 %
	//	H = 256, B = 1   2^15         22 %          36 %
	//	H = 256, B = 4   2^17         46 %          79 %
	meeting := m.engine.HandoverWork() * 3 / 2
	weights := m.engine.PackedBytes(m.stateWidth(), m.Hidden) * int64(gates)
	if m.Int8 {
		stepWork /= int8Speed
		weights = m.engine.PackedInt8Bytes(m.stateWidth(), m.Hidden) * int64(gates)
	}
	panels := m.packed[cellWh][0].plain[0].Panels()

	byRows, byColumns := 1, max(1, min(n, panels, stepWork/meeting))
	if weights <= cacheBytes {
		byRows = max(1, min(n, batch/minRows))
	}
	// Choose the faster way, with as many workers as can run at once.
	once := m.engine.Processors()
	p.byRows = byRows > 1 && stepWork/min(byRows, once) <= stepWork/min(byColumns, once)+meeting
	switch {
	case p.byRows:
		p.steps = byRows
	case m.Bidirectional && n > 1 && 2*weights <= int64(min(n, panels))*cacheBytes:
		p.group = 2
		stepWork *= 2
		p.steps = min(n, panels, stepWork/meeting)
	default:
		p.steps = byColumns
	}
	p.steps = max(1, min(p.steps, steps*stepWork/passShare))
	p.phase = 1
	if p.byRows {
		p.phase = p.phaseLength(stepWork, p.steps)
	}

	p.up = max(1, min(n, rows, rows*m.width()/elementShare))
	for k := range m.Layers {
		starts, work := max(1, min(n, rows, rows*m.gateWidth()/elementShare)), rows*m.gateWidth()*m.stateWidth()
		if m.dense(k) {
			read := rows * m.gateWidth() * m.reads(k)
			starts = max(1, min(n, rows, read/passShare))
			work += read
		}
		p.starts = append(p.starts, starts)
		p.grads = append(p.grads, max(1, min(n, panels, work/passShare)))
	}
	if m.Output > 0 {
		if m.LastStep {
			rows = batch
		}
		p.outputs = max(1, min(n, rows, rows*m.width()*m.head()/passShare))
		p.blockRows = m.blockRows(rows, logitBytes)
	}
}

// phaseLength returns how many pieces make a phase. work is the number of multiply-adds
// of a piece, and workers share each piece.
func (p *plan) phaseLength(work, workers int) int {
	return max(1, workers*p.phaseWork/max(work, 1))
}

// tileRows is a multiple of the number of rows of a tile in every Set.
const tileRows = 96

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// blockRows returns the number of rows in a block of logits of at most bytes, out of
// rows in all. It is at least the number of workers, because each worker uses its own
// part of the block.
func (m *Model) blockRows(rows, bytes int) int {
	fits := min(maxBlockRows, bytes/(4*m.head()))
	return max(min(rows, max(minBlockRows, fits)), m.engine.Threads())
}

// trainingBlockRows is blockRows for training.
func (m *Model) trainingBlockRows(rows int) int {
	return m.blockRows(rows, max(logitBytes, min(4*m.head()*deepRows, maxLogitBytes)))
}

// share returns this worker's part of a step: rows of the batch and panels of the
// weights. One of the two is always complete.
func (p *plan) share(w *kernels.Worker, batch, panels int) (rows, cols kernels.Span) {
	if p.byRows {
		rows, cols = w.Share(batch), kernels.Span{Hi: panels}
	} else {
		rows, cols = kernels.Span{Hi: batch}, w.Share(panels)
	}
	if rows.Len() == 0 || cols.Len() == 0 {
		return kernels.Span{}, kernels.Span{}
	}
	return rows, cols
}

// meets says whether workers meet at a barrier after step s of steps. By columns they
// meet after every step, because the next step reads other workers' columns. By rows
// they meet after every phase.
func (p *plan) meets(s, steps int) bool {
	return p.steps > 1 && (!p.byRows || (s+1)%p.phase == 0) && s+1 < steps
}
