package rnn

import (
	"fmt"
	"slices"

	"batchrnn/kernels"
)

// choices are several targets of each of some rows of states.
type choices struct {
	states  []float32 // [N,W]
	ends    []int     // [N]
	targets []int32   // [M]
	losses  []float32 // [M]
	logits  []float32 // [M], of the targets
	// The rows with targets in cluster i of an adaptive softmax are
	// rows[start[i]:start[i+1]].
	rows  []int32
	start []int
}

// of returns the targets of a row, as indices.
func (c *choices) of(row int) kernels.Span {
	lo := 0
	if row > 0 {
		lo = c.ends[row-1]
	}
	return kernels.Span{Lo: lo, Hi: c.ends[row]}
}

// LossesAfter is the output layer alone, on states of any passes: [N,W], rows of
// [Workspace.States]. Row i has the targets from ends[i-1], or 0, up to ends[i]. It sets
// losses[j] to the cross-entropy of targets[j] in nats, with the bits that Loss gives. The
// logits of a row are computed once, whatever the number of its targets. Weights don't
// count. Losses and the last pass stay.
//
// N may be any number. LossesAfter allocates only while the number of targets grows, or
// with an adaptive softmax that of rows. It panics if there is no output layer, ends falls
// or doesn't end with the number of targets, a slice has another length, or a target is
// not below V.
func (ws *Workspace) LossesAfter(losses, states []float32, ends []int, targets []int32) {
	m := ws.m
	if m.Output == 0 {
		panic("rnn: LossesAfter: the model has no output layer")
	}
	ws.checkLen("LossesAfter", "states", len(states), len(ends)*m.width(), "N·W")
	ws.checkLen("LossesAfter", "losses", len(losses), len(targets), "the number of targets")
	last := 0
	for i, end := range ends {
		if end < last || end > len(targets) {
			panic(fmt.Sprintf("rnn: LossesAfter: the targets of row %d end at %d: want from %d to %d", i, end, last, len(targets)))
		}
		last = end
	}
	if last != len(targets) {
		panic(fmt.Sprintf("rnn: LossesAfter: the targets of the last row end at %d, and there are %d", last, len(targets)))
	}
	for i, target := range targets {
		if uint(target) >= uint(m.Output) {
			outside("LossesAfter", "target", target, i, m.Output, "outputs")
		}
	}
	if len(targets) == 0 {
		return
	}
	c := &ws.choice
	c.states, c.ends, c.targets, c.losses = states, ends, targets, losses
	c.logits = slices.Grow(c.logits[:0], len(targets))[:len(targets)]
	if ws.tails != nil {
		ws.choiceRows()
	}
	n := len(ends)
	ws.run(max(1, min(ws.threads, n, n*m.width()*m.head()/passShare)), 0, (*Workspace).choicesShare)
	c.states, c.ends, c.targets, c.losses = nil, nil, nil, nil
}

// choiceRows lists the rows with targets in each cluster.
func (ws *Workspace) choiceRows() {
	c, m := &ws.choice, ws.m
	c.rows, c.start = c.rows[:0], append(c.start[:0], 0)
	for i := range m.Cutoffs {
		for row := range c.ends {
			own := c.of(row)
			if slices.ContainsFunc(c.targets[own.Lo:own.Hi], func(t int32) bool { return m.inCluster(t, i) }) {
				c.rows = append(c.rows, int32(row))
			}
		}
		c.start = append(c.start, len(c.rows))
	}
}

// inCluster reports whether an output is in cluster i.
func (m *Model) inCluster(output int32, i int) bool {
	return int(output) >= m.Cutoffs[0] && m.clusterOf(output) == i
}

// choicesShare is one worker's part of LossesAfter. Workers share the rows. Each has its
// own part of the block buffer.
func (ws *Workspace) choicesShare(w *kernels.Worker) {
	c, m := &ws.choice, ws.m
	v, width := m.head(), m.width()
	buf, all := w.Share(ws.plan.blockRows), w.Share(len(c.ends))
	for lo := all.Lo; lo < all.Hi; lo += buf.Len() {
		n := min(buf.Len(), all.Hi-lo)
		logits := ws.logits[buf.Lo*v:][:n*v]
		w.Gemm(m.output(c.states[lo*width:][:n*width], logits, n), m.packed[headWy][0].plain[0].All())
		for i := range n {
			y, own := logits[i*v:][:v], c.of(lo+i)
			for j := own.Lo; j < own.Hi; j++ {
				class := c.targets[j]
				if ws.tails != nil && int(class) >= m.Cutoffs[0] {
					class = int32(m.Cutoffs[0] + m.clusterOf(class))
				}
				c.logits[j] = y[class]
			}
			logSum := w.LogSum(y)
			for j := own.Lo; j < own.Hi; j++ {
				c.losses[j] = float32(logSum - float64(c.logits[j]))
			}
		}
	}
	if ws.tails != nil {
		w.Barrier()
		ws.choiceTails(w)
	}
}

// choiceTails is one worker's part of the clusters in LossesAfter. It adds their losses to
// those of the head.
func (ws *Workspace) choiceTails(w *kernels.Worker) {
	c, t, m := &ws.choice, ws.tails, ws.m
	width := m.width()
	for i, most := range t.blockRows {
		tail := m.cluster(i)
		n := tail.Len()
		buf, rows := w.Share(most), c.rows[c.start[i]:c.start[i+1]]
		own := w.Share(len(rows))
		x, z, logits := t.x[buf.Lo*width:], t.z[buf.Lo*tail.features:], t.logits[buf.Lo*n:]
		for lo := own.Lo; lo < own.Hi; lo += buf.Len() {
			block := rows[lo:min(lo+buf.Len(), own.Hi)]
			for k, row := range block {
				w.Copy(x[k*width:][:width], c.states[int(row)*width:][:width])
			}
			w.Gemm(m.features(i, x, z, len(block)), m.packed[tailProj][i].plain[0].All())
			w.Gemm(m.tailOutput(i, z, logits, n, len(block)), m.packed[tailWy][i].plain[0].All())
			for k, row := range block {
				y, own := logits[k*n:][:n], c.of(int(row))
				for j := own.Lo; j < own.Hi; j++ {
					if m.inCluster(c.targets[j], i) {
						c.logits[j] = y[int(c.targets[j])-tail.Lo]
					}
				}
				logSum := w.LogSum(y)
				for j := own.Lo; j < own.Hi; j++ {
					if m.inCluster(c.targets[j], i) {
						c.losses[j] += float32(logSum - float64(c.logits[j]))
					}
				}
			}
		}
		w.Barrier() // the next cluster cuts the buffers elsewhere
	}
}
