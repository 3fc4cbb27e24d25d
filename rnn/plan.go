package rnn

import "batchrnn/kernels"

// A plan says how the passes of a workspace are shared out. It changes no bits.
type plan struct {
	// The most workers of each stage: as many as its work is worth, and none that
	// would have no share of it.
	starts  []int // of each layer's stage 1, where it is a pass of its own
	up      int   // of what leads from a layer to the one above
	steps   int   // of stage 2 and its mirror image
	outputs int   // of stages 3 and 4
	grads   []int // of each layer's gradients of weights and inputs

	// byRows: workers share the batch in stage 2; else the columns of Wh, and meet
	// after each step.
	byRows bool
	// phase is how many steps lie between two meetings.
	phase int
	// phaseWork is the number of multiply-adds of a worker between two barriers that
	// stand there only so that the team may change.
	phaseWork int
	// group is how many of a layer's directions take a step before workers meet: both
	// halve the meetings, one after the other each finds its Wh in the cache.
	group     int
	blockRows int // rows of logits at a time
}

const (
	// passShare is the number of multiply-adds of a pass that is worth a worker.
	passShare = 1 << 19
	// elementShare is the number of elements that is worth a worker where each is
	// read and written once.
	elementShare = 1 << 14
	// phaseWork is about 0.15 ms, beside which a barrier costs nothing.
	phaseWork = 1 << 23
	// minRows is the height from which tiles reach the multiply-add peak.
	minRows = 8
	// cacheBytes is how much of Wh a core keeps in its own cache beside the rest.
	cacheBytes = 768 << 10
	// logitBytes is the size of a block of logits, within L2 for all workers.
	logitBytes   = 1 << 20
	maxBlockRows = 512
	// deepRows is how many rows a block has in training while its logits fit
	// maxLogitBytes, a part of L3: each block reads and writes all of dWy. Training
	// with V = 10,000, B·T = 800 reached, on two threads, with H = 128 and 512, by
	// blocks of 32 rows 13,200 to 18,700 and 4,250 tokens/s, of 64 17,400 and
	// 4,860, of 128 19,100 and 5,370, of 256 19,800 and 5,640. Scoring has no dWy:
	// there blocks of 256 rows take H = 128 from 71,900 down to 59,600.
	deepRows      = 256
	maxLogitBytes = 16 << 20
	minBlockRows  = 64
)

// newPlan makes the plan for at most n workers.
func (m *Model) newPlan(steps, batch, n int) plan {
	p := plan{group: 1, phaseWork: phaseWork}
	rows := steps * batch
	stepWork := batch * m.Hidden * m.Hidden
	// Each worker must have as much of a step as makes up for the meeting after it.
	// In share of two threads' peak, forward, one worker / two, on a Zen 4 and with
	// 2^15 multiply-adds for each: H = 128, B = 4 41 / 52 %, H = 256, B = 1 22 / 36 %, B = 4
	// 46 / 79 %; with half of it for each, H = 128, B = 2 was between 20 and 40 % in
	// place of 37. In plain time a meeting costs HandoverWork; half as much again leaves a gain.
	meeting := m.engine.HandoverWork() * 3 / 2
	weights := m.engine.PackedBytes(m.Hidden, m.Hidden)
	panels := m.packed[cellWh][0].plain.Panels()

	byRows, byColumns := 1, max(1, min(n, panels, stepWork/meeting))
	if weights <= cacheBytes {
		byRows = max(1, min(n, batch/minRows))
	}
	// The faster one with as many workers as can run at once.
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
		starts, work := p.up, rows*m.width()*m.Hidden
		if m.dense(k) {
			read := rows * m.width() * m.reads(k)
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
	return p
}

// phaseLength returns how many pieces of so much work make a phase of so many
// workers.
func (p *plan) phaseLength(work, workers int) int {
	return max(1, workers*p.phaseWork/max(work, 1))
}

// tileRows is a multiple of the rows that products take together in any Set.
const tileRows = 96

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// blockRows is how many of the rows have logits at a time, for so many bytes: no
// fewer than workers, for each walks its rows in its own part of the block.
func (m *Model) blockRows(rows, bytes int) int {
	fits := min(maxBlockRows, bytes/(4*m.head()))
	return max(min(rows, max(minBlockRows, fits)), m.engine.Threads())
}

// trainingBlockRows is blockRows for training.
func (m *Model) trainingBlockRows(rows int) int {
	return m.blockRows(rows, max(logitBytes, min(4*m.head()*deepRows, maxLogitBytes)))
}

// share returns this worker's part of a step: rows of the batch and panels of
// the weights, one of them all there are.
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

// meets says whether workers meet after the s-th of so many steps: where the next
// one needs other workers' columns, and now and then where it doesn't.
func (p *plan) meets(s, steps int) bool {
	return p.steps > 1 && (!p.byRows || (s+1)%p.phase == 0) && s+1 < steps
}
