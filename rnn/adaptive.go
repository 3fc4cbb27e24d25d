package rnn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"batchrnn/kernels"
)

// A Tail holds the parameters of one cluster of an adaptive softmax (Grave,
// Joulin, Cissé, Grangier & Jégou 2017), of N = Cutoffs[i+1]-Cutoffs[i] outputs:
//
//	log p(v | h) = log softmax(Wy_head·h + By_head)[Cutoffs[0]+i]
//	             + log softmax(Wy·(Proj·h) + By)[v-Cutoffs[i]]
//
// The i-th cluster, from 0, sees F = W/4^(i+1) features of the state, at least
// one: rare outputs have little to learn from.
type Tail struct {
	Proj []float32 // [W,F]
	Wy   []float32 // [F,N]
	By   []float32 // [N]
}

const (
	// tailShrink is how many times fewer features each cluster has than the one
	// before it.
	tailShrink = 4
	// MaxCutoffs is the most clusters that an adaptive softmax has. Four are
	// more than pay.
	MaxCutoffs = 8
)

// A tailShape is the outputs of a cluster and the width F of its features.
type tailShape struct {
	kernels.Span
	width int
}

func (c *Config) tail(i int) tailShape {
	s := tailShape{kernels.Span{Lo: c.Cutoffs[i], Hi: c.Output}, c.width()}
	if i+1 < len(c.Cutoffs) {
		s.Hi = c.Cutoffs[i+1]
	}
	for range i + 1 {
		s.width = max(s.width/tailShrink, 1)
	}
	return s
}

// head returns the number of classes of the softmax over all rows: V, or the
// frequent outputs and one class for each cluster.
func (c *Config) head() int {
	if len(c.Cutoffs) == 0 {
		return c.Output
	}
	return c.Cutoffs[0] + len(c.Cutoffs)
}

// validateOutput reports what is wrong with a tied or an adaptive output layer.
func (c Config) validateOutput() error {
	switch {
	case c.Tied && c.Dense:
		return fmt.Errorf("rnn: a dense input can't be tied to the output: give ids, or leave Tied out")
	case c.Tied && c.Bidirectional:
		return fmt.Errorf("rnn: a bidirectional network's output reads %d states, and can't be tied to inputs %d wide: leave Tied or Bidirectional out", c.width(), c.Hidden)
	case c.Tied && c.Input != c.Output:
		return fmt.Errorf("rnn: %d inputs can't be tied to %d outputs: give as many of both", c.Input, c.Output)
	case c.Tied && len(c.Cutoffs) > 0:
		return fmt.Errorf("rnn: the output can't be both tied and adaptive, whose rare outputs have fewer features than the inputs: choose one")
	case len(c.Cutoffs) > MaxCutoffs:
		return fmt.Errorf("rnn: %d cutoffs, at most %d are supported", len(c.Cutoffs), MaxCutoffs)
	}
	least := 1
	for i, cut := range c.Cutoffs {
		if cut < least || cut >= c.Output {
			return fmt.Errorf("rnn: cutoff %d is %d, must be from %d to %d: cutoffs rise and leave outputs on both sides",
				i, cut, least, c.Output-1)
		}
		least = cut + 1
	}
	return nil
}

// tailWeights are a cluster's weights as products read them; the transposes
// exist once a training workspace has been made.
type tailWeights struct {
	tailShape
	proj, wy   *kernels.Packed
	projT, wyT *kernels.Packed
}

func (m *Model) newTails() {
	m.tails = make([]tailWeights, len(m.Cutoffs))
	for i := range m.tails {
		s := m.tail(i)
		m.tails[i] = tailWeights{
			tailShape: s,
			proj:      m.engine.NewPacked(m.width(), s.width),
			wy:        m.engine.NewPacked(s.width, s.Len()),
		}
	}
}

// drawTails draws the clusters' weights from ± one over the root of the number
// of terms in their sums.
func (m *Model) drawTails(r *rand.Rand) {
	for i, p := range m.Tails {
		uniform(r, p.Proj, 1/math.Sqrt(float64(m.width())))
		uniform(r, p.Wy, 1/math.Sqrt(float64(m.tails[i].width)))
	}
}

func (m *Model) packTails(w *kernels.Worker) {
	for i, p := range m.Tails {
		t := &m.tails[i]
		packShare(w, t.proj, false, p.Proj, t.width)
		packShare(w, t.wy, false, p.Wy, t.Len())
	}
}

// trainTails makes the transposes, which train packs.
func (m *Model) trainTails() {
	for i := range m.tails {
		t := &m.tails[i]
		t.projT = m.engine.NewPacked(t.width, m.width())
		t.wyT = m.engine.NewPacked(t.Len(), t.width)
	}
}

func (m *Model) packTailTransposes(w *kernels.Worker) {
	for i, p := range m.Tails {
		t := &m.tails[i]
		packShare(w, t.projT, true, p.Proj, t.width)
		packShare(w, t.wyT, true, p.Wy, t.Len())
	}
}
