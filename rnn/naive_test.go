package rnn

import "math"

// A naive network computes in float64 with the loops of the equations: what the
// package is held to. Its parameters lie as those of Params do.
type naive struct {
	Config
	slab               []float64
	wx, wh, bh, wy, by []float64
	tails              []naiveTail
}

// A naiveTail is a cluster of an adaptive softmax.
type naiveTail struct {
	lo, width, n int
	proj, wy, by []float64
}

func newNaive(m *Model) *naive {
	n := &naive{Config: m.Config, slab: widen(m.Slab)}
	rest := n.slab
	cut := func(size int) []float64 {
		v := rest[:size]
		rest = rest[size:]
		return v
	}
	n.wx, n.wh, n.bh = cut(len(m.Cells[0].Wx)), cut(len(m.Cells[0].Wh)), cut(len(m.Cells[0].Bh))
	n.wy, n.by = cut(len(m.Wy)), cut(len(m.By))
	for i, t := range m.Tails {
		d := len(t.Proj) / m.Hidden
		n.tails = append(n.tails, naiveTail{m.Cutoffs[i], d, len(t.By), cut(len(t.Proj)), cut(len(t.Wy)), cut(len(t.By))})
	}
	return n
}

func widen(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

// A naiveInput is a batch with its floats as float64, so that differences can be
// taken of them too.
type naiveInput struct {
	batch
	steps, rows int
	x, h0       []float64
}

func newNaiveInput(b batch, steps, rows int) naiveInput {
	return naiveInput{b, steps, rows, widen(b.x), widen(b.h0)}
}

// states returns the states, [T+1,B,H], and the least distance of any sum
// before g from 0, where ReLU has its kink.
func (n *naive) states(in naiveInput) (h []float64, kink float64) {
	h, kink = append([]float64(nil), in.h0...), math.Inf(1)
	for row := range in.steps * in.rows {
		before := h[row*n.Hidden:][:n.Hidden]
		for j := range n.Hidden {
			z := n.bh[j]
			if n.Dense {
				for i := range n.Input {
					z += in.x[row*n.Input+i] * n.wx[i*n.Hidden+j]
				}
			} else {
				z += n.wx[int(in.ids[row])*n.Hidden+j]
			}
			for i, v := range before {
				z += v * n.wh[i*n.Hidden+j]
			}
			kink = min(kink, math.Abs(z))
			h = append(h, n.activate(z))
		}
	}
	return h, kink
}

func (n *naive) activate(z float64) float64 {
	switch n.Activation {
	case Tanh:
		return math.Tanh(z)
	case ReLU:
		return max(z, 0)
	case Sigmoid:
		return 1 / (1 + math.Exp(-z))
	}
	return z
}

// logits returns the outputs, [T,B,V], given the states: log-probabilities from an
// adaptive softmax.
func (n *naive) logits(h []float64, rows int) []float64 {
	var y []float64
	for h := h[rows*n.Hidden:]; len(h) > 0; h = h[n.Hidden:] {
		if n.Tied {
			for j := range n.Output {
				y = append(y, n.by[j]+dot(h[:n.Hidden], n.wx[j*n.Hidden:], 1))
			}
			continue
		}
		head := affine(h[:n.Hidden], n.wy, n.by)
		if n.tails == nil {
			y = append(y, head...)
			continue
		}
		head = logSoftmax(head)
		y = append(y, head[:n.Cutoffs[0]]...)
		for i, t := range n.tails {
			z := affine(h[:n.Hidden], t.proj, make([]float64, t.width))
			for _, p := range logSoftmax(affine(z, t.wy, t.by)) {
				y = append(y, p+head[n.Cutoffs[0]+i])
			}
		}
	}
	return y
}

// affine returns b + x·w, w of len(x) rows.
func affine(x, w, b []float64) []float64 {
	y := make([]float64, len(b))
	for j := range y {
		y[j] = b[j] + dot(x, w[j:], len(b))
	}
	return y
}

// dot is the inner product of x and every stride-th of y.
func dot(x, y []float64, stride int) (sum float64) {
	for i, v := range x {
		sum += v * y[i*stride]
	}
	return sum
}

func logSoftmax(y []float64) []float64 {
	var sum float64
	for _, v := range y {
		sum += math.Exp(v)
	}
	p, log := make([]float64, len(y)), math.Log(sum)
	for i, v := range y {
		p[i] = v - log
	}
	return p
}

// losses returns the cross-entropy of each row, [T,B].
func (n *naive) losses(in naiveInput, h []float64) []float64 {
	y := n.logits(h, in.rows)
	losses := make([]float64, len(in.targets))
	for i, target := range in.targets {
		row := y[i*n.Output:][:n.Output]
		var sum float64
		for _, v := range row {
			sum += math.Exp(v)
		}
		losses[i] = math.Log(sum) - row[target]
	}
	return losses
}

// loss returns what Backward differentiates: the mean cross-entropy, or without
// an output layer the sum of the states, each times the given gradient.
func (n *naive) loss(in naiveInput) float64 {
	h, _ := n.states(in)
	var sum float64
	if n.Output > 0 {
		losses := n.losses(in, h)
		for _, l := range losses {
			sum += l
		}
		return sum / float64(len(losses))
	}
	for i, d := range in.dh {
		sum += float64(d) * h[in.rows*n.Hidden+i]
	}
	return sum
}

// differenceError is about what differences are wrong by, from the third
// derivative and from rounding.
const differenceError = 1e-8

// differences returns the central differences of f by each of x.
func differences(x []*float64, f func() float64) []float64 {
	const eps = 1e-5
	var d []float64
	for _, v := range x {
		old := *v
		*v = old + eps
		up := f()
		*v = old - eps
		down := f()
		*v = old
		d = append(d, (up-down)/(2*eps))
	}
	return d
}
