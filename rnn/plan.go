package rnn

import "batchrnn/kernels"

// A plan says how the passes of a workspace are shared out. It changes no bits.
type plan struct {
	workers int // of the passes through time
	// backward is how many workers the rest of the backward pass pays for.
	backward int
	// byRows: workers share the batch and never wait for each other; else they
	// share the columns of Wh and meet after each step.
	byRows bool
	// group is how many of a layer's directions take a step before workers meet: both
	// halve the meetings, one after the other each finds its Wh in the cache.
	group     int
	blockRows int // rows of logits at a time
}

const (
	// minShare is the number of multiply-adds of a step that each worker must have
	// for all to pay although they meet at a barrier after it: half a microsecond.
	// In share of two threads' peak, forward, one worker / two: H = 128, B = 4 41 /
	// 52 %, H = 256, B = 1 22 / 36 %, B = 4 46 / 79 %; with half of it for each, H =
	// 128, B = 2 was between 20 and 40 % in place of 37.
	minShare = 1 << 15
	// passSerial is the number of multiply-adds of a pass that is worth a second
	// thread.
	passSerial = 1 << 20
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

func (m *Model) newPlan(steps, batch int) plan {
	p := plan{workers: m.engine.Threads(), group: 1}
	rows := steps * batch
	stepWork := batch * m.Hidden * m.Hidden
	weights := m.engine.PackedBytes(m.Hidden, m.Hidden)
	p.byRows = batch/p.workers >= minRows && weights <= cacheBytes
	if m.Bidirectional && p.workers > 1 && !p.byRows && 2*weights <= int64(p.workers)*cacheBytes {
		p.group = 2
		stepWork *= 2
	}
	if steps*stepWork < passSerial || !p.byRows && stepWork < p.workers*minShare {
		p.workers = 1
	}
	p.backward = p.workers
	if rows*m.width()*(m.Hidden+m.head()) >= passSerial {
		p.backward = m.engine.Threads()
	}
	if m.Output > 0 {
		if m.LastStep {
			rows = batch
		}
		p.blockRows = m.blockRows(rows, logitBytes)
	}
	return p
}

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
func (p plan) share(w *kernels.Worker, batch, panels int) (rows, cols kernels.Span) {
	switch {
	case w.ID() >= p.workers: // of a region that has more workers for its other stages
		return kernels.Span{}, kernels.Span{}
	case p.workers == 1:
		return kernels.Span{Hi: batch}, kernels.Span{Hi: panels}
	}
	if p.byRows {
		return w.Share(batch), kernels.Span{Hi: panels}
	}
	return kernels.Span{Hi: batch}, w.Share(panels)
}

// meet waits after a step where the next one needs other workers' columns.
func (p plan) meet(w *kernels.Worker) {
	if !p.byRows && p.workers > 1 {
		w.Barrier()
	}
}
