package rnn

import "math"

// A naive network computes in float64 with the loops of the equations: what the
// package is held to. Its parameters lie as those of Params do.
type naive struct {
	Config
	slab   []float64
	table  []float64 // the embedding
	cells  []naiveCell
	wy, by []float64
	tails  []naiveTail
}

type naiveCell struct{ wx, wh, bh, br, wr []float64 }

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
	n.table = cut(len(m.We))
	for _, c := range m.Cells {
		n.cells = append(n.cells, naiveCell{cut(len(c.Wx)), cut(len(c.Wh)), cut(len(c.Bh)), cut(len(c.Br)), cut(len(c.Wr))})
	}
	n.wy, n.by = cut(len(m.Wy)), cut(len(m.By))
	for i, t := range m.Tails {
		f := m.cluster(i).features
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

// A naiveInput is a batch with its floats as float64, so that differences can be
// taken of them too.
type naiveInput struct {
	batch
	steps, rows int
	x, h0, c0   []float64
	masks       [][]float64 // [L][T,B,W], what dropout makes of the layers' outputs; nil for nothing
	mask        []float64   // [T,B,E], what it makes of embeddings
}

func newNaiveInput(b batch, steps, rows int) naiveInput {
	return naiveInput{b, steps, rows, widen(b.x), widen(b.h0.H), widen(b.h0.C), nil, nil}
}

// length returns how many steps sequence b has.
func (in naiveInput) length(b int) int {
	if in.lengths == nil {
		return in.steps
	}
	return int(in.lengths[b])
}

// naiveStates are what a forward pass leaves.
type naiveStates struct {
	out  []float64 // [T,B,W], what the last layer gives; 0 beyond a sequence's end
	last []float64 // [L·D,B,P], then c of an LSTM, [L·D,B,H]
	kink float64   // the least distance of any sum before g from 0, where ReLU has its kink
}

func (n *naive) states(in naiveInput) naiveStates {
	s := naiveStates{kink: math.Inf(1)}
	width, p := n.width(), n.stateWidth()
	var read, lastC []float64
	for k := range n.Layers {
		out := make([]float64, in.steps*in.rows*width)
		for d := range n.directions() {
			cell := k*n.directions() + d
			for b := range in.rows {
				h := append([]float64(nil), in.h0[(cell*in.rows+b)*p:][:p]...)
				var c []float64
				if n.Cell == LSTM {
					c = append(c, in.c0[(cell*in.rows+b)*n.Hidden:][:n.Hidden]...)
				}
				for step := range in.length(b) {
					t := step
					if d == 1 {
						t = in.length(b) - 1 - step
					}
					row := t*in.rows + b
					h, c = n.step(cell, n.start(in, cell, row, read), h, c, &s.kink)
					copy(out[row*width+d*p:], h)
				}
				s.last, lastC = append(s.last, h...), append(lastC, c...)
			}
		}
		if n.Residual && k > 0 {
			for i, x := range read {
				out[i] += x
			}
		}
		if in.masks != nil {
			for i, m := range in.masks[k] {
				out[i] *= m
			}
		}
		read = out
	}
	s.out, s.last = read, append(s.last, lastC...)
	return s
}

// start returns what a cell's sums begin with: the bias and what it reads.
func (n *naive) start(in naiveInput, cell, row int, below []float64) []float64 {
	c, k := n.cells[cell], cell/n.directions()
	switch {
	case k > 0:
		return affine(below[row*n.width():][:n.width()], c.wx, c.bh)
	case n.Dense:
		return affine(in.x[row*n.Input:][:n.Input], c.wx, c.bh)
	}
	z := append([]float64(nil), c.bh...)
	if id := in.ids[row]; id != None && n.Embedding > 0 {
		x := append([]float64(nil), n.table[int(id)*n.Embedding:][:n.Embedding]...)
		if in.mask != nil {
			for i, m := range in.mask[row*n.Embedding:][:n.Embedding] {
				x[i] *= m
			}
		}
		return affine(x, c.wx, c.bh)
	} else if id != None {
		for j := range z {
			z[j] += c.wx[int(id)*len(z)+j]
		}
	}
	return z
}

// step returns the states after h and c.
func (n *naive) step(cell int, start, h, c []float64, kink *float64) (next, nextC []float64) {
	switch n.Cell {
	case LSTM:
		return n.lstm(n.cells[cell], start, h, c)
	case GRU, GRUResetBefore:
		return n.gru(n.cells[cell], start, h), nil
	}
	if br := n.cells[cell].br; len(br) > 0 {
		start = sum(start, br)
	}
	next = make([]float64, n.Hidden)
	for j := range next {
		z := start[j] + dot(h, n.cells[cell].wh[j:], n.Hidden)
		*kink = min(*kink, math.Abs(z))
		next[j] = n.activate(z)
		if n.TimeSkip != 0 {
			next[j] = h[j] + float64(n.TimeSkip)*next[j]
		}
	}
	return next, nil
}

// state returns h·Wh of a gated cell, with Br.
func (w naiveCell) state(n *naive, h []float64) []float64 {
	br := w.br
	if len(br) == 0 {
		br = make([]float64, len(w.bh))
	}
	return affine(h, w.wh, br)
}

func (n *naive) lstm(w naiveCell, start, h, c []float64) (next, nextC []float64) {
	z, k := sum(start, w.state(n, h)), n.Hidden
	out := make([]float64, k)
	nextC = make([]float64, k)
	for j := range k {
		nextC[j] = sigmoid(z[k+j])*c[j] + sigmoid(z[j])*math.Tanh(z[2*k+j])
		out[j] = sigmoid(z[3*k+j]) * math.Tanh(nextC[j])
	}
	if n.Projection > 0 {
		out = affine(out, w.wr, make([]float64, n.Projection))
	}
	return out, nextC
}

func (n *naive) gru(w naiveCell, start, h []float64) []float64 {
	s, k := w.state(n, h), n.Hidden
	next, r := make([]float64, k), make([]float64, k)
	for j := range k {
		r[j] = sigmoid(start[j] + s[j])
	}
	reset := make([]float64, k)
	if n.Cell == GRU {
		for j := range k {
			reset[j] = r[j] * s[2*k+j]
		}
	} else {
		for j := range k {
			reset[j] = r[j] * h[j]
		}
		reset = w.state(n, reset)[2*k:]
	}
	for j := range k {
		z := sigmoid(start[k+j] + s[k+j])
		next[j] = (1-z)*math.Tanh(start[2*k+j]+reset[j]) + z*h[j]
	}
	return next
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// sum returns a + b.
func sum(a, b []float64) []float64 {
	s := make([]float64, len(a))
	for i := range s {
		s[i] = a[i] + b[i]
	}
	return s
}

func (n *naive) activate(z float64) float64 {
	switch n.Activation {
	case 0, Tanh:
		return math.Tanh(z)
	case ReLU:
		return max(z, 0)
	case Sigmoid:
		return 1 / (1 + math.Exp(-z))
	}
	return z
}

// seen returns what the output layer sees, [R,W].
func (n *naive) seen(in naiveInput, out []float64) []float64 {
	if !n.LastStep {
		return out
	}
	var rows []float64
	for b := range in.rows {
		for d := range n.directions() {
			t := in.length(b) - 1
			if d == 1 {
				t = 0
			}
			rows = append(rows, out[(t*in.rows+b)*n.width()+d*n.stateWidth():][:n.stateWidth()]...)
		}
	}
	return rows
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

// losses returns the loss of each output, [R], 0 where it doesn't count, given what
// the output layer sees; and their weighted mean.
func (n *naive) losses(in naiveInput, seen []float64) (losses []float64, mean float64) {
	y := n.logits(seen)
	rows := len(y) / n.Output
	losses = make([]float64, rows)
	weight := func(label int) float64 {
		if in.weights == nil {
			return 1
		}
		return float64(in.weights[label])
	}
	var sum, total float64
	for i := range losses {
		if !n.LastStep && i/in.rows >= in.length(i%in.rows) {
			continue
		}
		row, w := y[i*n.Output:][:n.Output], 1.0
		if in.kind == crossEntropy {
			if in.targets[i] == Ignore {
				continue
			}
			w = weight(int(in.targets[i]))
			if w > 0 {
				losses[i] = -logSoftmax(row)[in.targets[i]]
			}
		} else {
			var whole float64
			for j, v := range row {
				losses[i] += weight(j) * in.term(v, float64(in.vectors[i*n.Output+j]))
				whole += weight(j)
			}
			losses[i] /= whole
		}
		if in.rowWts != nil {
			if w *= float64(in.rowWts[i]); w == 0 {
				losses[i] = 0
			}
		}
		sum += w * losses[i]
		total += w
	}
	return losses, sum / total
}

// term is the loss of an output that isn't of a softmax.
func (in naiveInput) term(y, t float64) float64 {
	if in.kind == squaredError {
		return (y - t) * (y - t)
	}
	p := 1 / (1 + math.Exp(-y))
	return -t*math.Log(p) - (1-t)*math.Log(1-p)
}

// loss returns what Backward differentiates: the mean loss, or without an output
// layer the sum of the states, each times the given gradient.
func (n *naive) loss(in naiveInput) float64 {
	s := n.states(in)
	if n.Output > 0 {
		_, mean := n.losses(in, n.seen(in, s.out))
		return mean
	}
	var sum float64
	for row := range in.steps * in.rows {
		for i := row * n.width(); i < (row+1)*n.width() && row/in.rows < in.length(row%in.rows); i++ {
			sum += float64(in.dh[i]) * s.out[i]
		}
	}
	for i, d := range in.dlast.all() {
		sum += float64(d) * s.last[i]
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
