package seq2seq

import (
	"cmp"
	"math"
	"slices"

	"batchrnn/rnn"
)

// A naivePair is an encoder-decoder of naive networks, one source at a time: what
// the batched one is held to.
type naivePair struct {
	encoder, decoder *naive
	end              int32
}

func newNaivePair(p *EncoderDecoder) *naivePair {
	return &naivePair{newNaive(p.Encoder), newNaive(p.Decoder), p.End}
}

// start returns the states that the decoder begins with after a source.
func (p *naivePair) start(source []int32) naiveState {
	_, last := p.encoder.states(source, p.encoder.zeros())
	return last // a layer's directions are side by side
}

// logProbs returns the log-probabilities of what may follow prefix.
func (p *naivePair) logProbs(start naiveState, prefix []int32) []float64 {
	read := append([]int32{p.end}, prefix...)
	for i, id := range read {
		if id == rnn.Ignore {
			read[i] = rnn.None
		}
	}
	out, _ := p.decoder.states(read, start)
	return logSoftmax(p.decoder.logits(out[len(prefix)*p.decoder.width():]))
}

// loss returns the mean cross-entropy of the targets that count.
func (p *naivePair) loss(pairs []naiveExample) float64 {
	var sum, n float64
	for _, x := range pairs {
		start := p.start(x.source)
		for t, id := range x.target {
			if id != rnn.Ignore {
				sum -= p.logProbs(start, x.target[:t])[id]
				n++
			}
		}
	}
	return sum / n
}

// A naiveExample is a source and its target.
type naiveExample struct{ source, target []int32 }

// A naiveHypothesis is a target or the beginning of one.
type naiveHypothesis struct {
	ids   []int32
	logp  float64
	ended bool
}

// after returns h with an id more.
func (p *naivePair) after(h naiveHypothesis, id int32, logp float64) naiveHypothesis {
	if id == p.end {
		return naiveHypothesis{h.ids, h.logp + logp, true}
	}
	return naiveHypothesis{append(append([]int32(nil), h.ids...), id), h.logp + logp, false}
}

func (h naiveHypothesis) score(alpha float64) float64 {
	n := len(h.ids)
	if h.ended {
		n++
	}
	return h.logp / math.Pow(float64(n), alpha)
}

// all returns every target of at most so many steps that begins with h.
func (p *naivePair) all(start naiveState, steps int, h naiveHypothesis) []naiveHypothesis {
	if h.ended || len(h.ids) == steps {
		return []naiveHypothesis{h}
	}
	var found []naiveHypothesis
	for id, logp := range p.logProbs(start, h.ids) {
		found = append(found, p.all(start, steps, p.after(h, int32(id), logp))...)
	}
	return found
}

// A naive network computes in float64 with the loops of the equations, one sequence
// of ids at a time. Its parameters lie as those of Params do.
type naive struct {
	rnn.Config
	slab   []float64
	table  []float64 // the embedding
	cells  []naiveCell
	wy, by []float64
	tails  []naiveTail
}

type naiveCell struct{ wx, wh, bh, br, wr []float64 }

// A naiveState is a state of all cells: h, and c of an LSTM.
type naiveState struct{ h, c []float64 }

// A naiveTail is a cluster of an adaptive softmax.
type naiveTail struct {
	lo, width, n int
	proj, wy, by []float64
}

func newNaive(m *rnn.Model) *naive {
	n := &naive{Config: m.Config, slab: widen(m.Slab)}
	rest := n.slab
	cut := func(size int) []float64 {
		v := rest[:size]
		rest = rest[size:]
		return v
	}
	n.table = cut(len(m.We))
	for _, c := range m.Cells {
		n.cells = append(n.cells, naiveCell{cut(len(c.Wx)), cut(len(c.Wh)), cut(len(c.Bh)), cut(len(c.Br)), cut(len(c.Wr))})
	}
	n.wy, n.by = cut(len(m.Wy)), cut(len(m.By))
	for i, t := range m.Tails {
		f := len(t.Proj) / n.width()
		n.tails = append(n.tails, naiveTail{m.Cutoffs[i], f, len(t.By), cut(len(t.Proj)), cut(len(t.Wy)), cut(len(t.By))})
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

func (n *naive) directions() int { return len(n.cells) / n.Layers }
func (n *naive) width() int      { return n.directions() * n.stateWidth() }

// stateWidth returns the width of a cell's h.
func (n *naive) stateWidth() int { return cmp.Or(n.Projection, n.Hidden) }

// zeros returns the state before the first step.
func (n *naive) zeros() naiveState {
	return naiveState{make([]float64, len(n.cells)*n.stateWidth()), make([]float64, len(n.cells)*n.Hidden)}
}

// states returns what the last layer gives at each step, [T,W], and the last states,
// [L·D,P] and [L·D,H], given the initial ones.
func (n *naive) states(ids []int32, first naiveState) (out []float64, last naiveState) {
	width, p := n.width(), n.stateWidth()
	var read []float64
	for k := range n.Layers {
		out = make([]float64, len(ids)*width)
		for d := range n.directions() {
			cell := k*n.directions() + d
			h := slices.Clone(first.h[cell*p:][:p])
			var c []float64
			if n.Cell == rnn.LSTM {
				c = slices.Clone(first.c[cell*n.Hidden:][:n.Hidden])
			}
			for step := range ids {
				t := step
				if d == 1 {
					t = len(ids) - 1 - step
				}
				h, c = n.step(n.cells[cell], n.start(cell, ids[t], t, read), h, c)
				copy(out[t*width+d*p:], h)
			}
			last.h, last.c = append(last.h, h...), append(last.c, c...)
		}
		if n.Residual && k > 0 {
			for i, x := range read {
				out[i] += x
			}
		}
		read = out
	}
	return out, last
}

// start returns what a cell's sums begin with: the bias and what it reads.
func (n *naive) start(cell int, id int32, t int, below []float64) []float64 {
	c, k := n.cells[cell], cell/n.directions()
	if k > 0 {
		return affine(below[t*n.width():][:n.width()], c.wx, c.bh)
	}
	z := append([]float64(nil), c.bh...)
	if id != rnn.None && n.Embedding > 0 {
		return affine(n.table[int(id)*n.Embedding:][:n.Embedding], c.wx, c.bh)
	} else if id != rnn.None {
		for j := range z {
			z[j] += c.wx[int(id)*len(z)+j]
		}
	}
	return z
}

// step returns the states after h and c.
func (n *naive) step(w naiveCell, start, h, c []float64) (next, nextC []float64) {
	br := w.br
	if len(br) == 0 {
		br = make([]float64, len(w.bh))
	}
	state, k := affine(h, w.wh, br), n.Hidden
	next, nextC = make([]float64, k), make([]float64, len(c))
	switch n.Cell {
	case rnn.LSTM:
		for j := range k {
			gate := func(g int) float64 { return start[g*k+j] + state[g*k+j] }
			nextC[j] = sigmoid(gate(1))*c[j] + sigmoid(gate(0))*math.Tanh(gate(2))
			next[j] = sigmoid(gate(3)) * math.Tanh(nextC[j])
		}
		if n.Projection > 0 {
			next = affine(next, w.wr, make([]float64, n.Projection))
		}
	case rnn.GRU:
		for j := range k {
			r, z := sigmoid(start[j]+state[j]), sigmoid(start[k+j]+state[k+j])
			next[j] = (1-z)*math.Tanh(start[2*k+j]+r*state[2*k+j]) + z*h[j]
		}
	case rnn.GRUResetBefore:
		reset := make([]float64, k)
		for j := range k {
			reset[j] = sigmoid(start[j]+state[j]) * h[j]
		}
		candidate := affine(reset, w.wh, br)
		for j := range k {
			z := sigmoid(start[k+j] + state[k+j])
			next[j] = (1-z)*math.Tanh(start[2*k+j]+candidate[2*k+j]) + z*h[j]
		}
	default:
		for j := range k {
			next[j] = n.activate(start[j] + state[j])
			if n.TimeSkip != 0 {
				next[j] = h[j] + float64(n.TimeSkip)*next[j]
			}
		}
	}
	return next, nextC
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func (n *naive) activate(z float64) float64 {
	switch n.Activation {
	case rnn.Tanh:
		return math.Tanh(z)
	case rnn.ReLU:
		return max(z, 0)
	case rnn.Sigmoid:
		return sigmoid(z)
	}
	return z
}

// logits returns the outputs, [R,V], given what the output layer sees:
// log-probabilities from an adaptive softmax.
func (n *naive) logits(h []float64) []float64 {
	var y []float64
	for ; len(h) > 0; h = h[n.width():] {
		if n.Tied {
			for j := range n.Output {
				y = append(y, n.by[j]+dot(h[:n.width()], n.tiedTo()[j*n.width():], 1))
			}
			continue
		}
		head := affine(h[:n.width()], n.wy, n.by)
		if n.tails == nil {
			y = append(y, head...)
			continue
		}
		head = logSoftmax(head)
		y = append(y, head[:n.Cutoffs[0]]...)
		for i, t := range n.tails {
			z := affine(h[:n.width()], t.proj, make([]float64, t.width))
			for _, p := range logSoftmax(affine(z, t.wy, t.by)) {
				y = append(y, p+head[n.Cutoffs[0]+i])
			}
		}
	}
	return y
}

// tiedTo returns a tied Wyᵀ.
func (n *naive) tiedTo() []float64 {
	if n.Embedding > 0 {
		return n.table
	}
	return n.cells[0].wx
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
