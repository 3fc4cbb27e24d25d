package onnx

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// The operators RNN, GRU and LSTM. What package rnn has, runs there: the fast path in
// this file. All other attributes run on the cells of cells.go, the general path.
//
// Symbols are those of package rnn. ONNX's sizes seq_length, batch_size, input_size,
// hidden_size and num_directions are T, B, E, H and D.

// A recurrentSpec holds the attributes of an RNN, GRU or LSTM node.
type recurrentSpec struct {
	op                string    // "RNN", "GRU" or "LSTM"
	hidden            int       // H; 0 if absent: then from R
	direction         string    // "forward", "reverse" or "bidirectional"; "" is forward
	activations       []string  // those of the first direction first; nil for the defaults
	alpha, beta       []float32 // activation_alpha and activation_beta
	clip              float32   // of what activations read, to ±clip; 0 for none
	linearBeforeReset bool      // of a GRU
	inputForget       bool      // of an LSTM
}

// A constant is a float tensor known before the run.
type constant struct {
	shape []int
	data  []float32
}

// A recurrentKind is what is particular to an operator.
type recurrentKind struct {
	op          string
	gates       int      // G
	activations []string // the defaults of one direction
	// order has ONNX's index of each gate of package rnn. ONNX has i, o, f, c of an LSTM
	// and z, r, h of a GRU.
	order []int
}

var recurrentKinds = []recurrentKind{
	{"RNN", 1, []string{"Tanh"}, []int{0}},
	{"GRU", 3, []string{"Sigmoid", "Tanh"}, []int{1, 0, 2}},
	{"LSTM", 4, []string{"Sigmoid", "Tanh", "Tanh"}, []int{0, 2, 3, 1}},
}

// A recurrent is a recurrent node with its weights. Several runs of it may work at once.
type recurrent struct {
	engine     *kernels.Engine
	kind       recurrentKind
	spec       recurrentSpec
	directions int // D
	inputs     int // E
	hidden     int // H

	model *rnn.Model // of the fast path; nil on the general one
	cells []cell     // [D], of the general path; nil on the fast one
}

// newRecurrent checks a node and prepares its weights: W is [D,G·H,E], R is [D,G·H,H], B
// is [D,2·G·H] or nil, P is [D,3·H] or nil. Afterwards the node does not refer to them.
func newRecurrent(e *kernels.Engine, s recurrentSpec, w, r, b, p *constant) (*recurrent, error) {
	i := slices.IndexFunc(recurrentKinds, func(k recurrentKind) bool { return k.op == s.op })
	if i < 0 {
		return nil, fmt.Errorf("%s is no recurrent operator: there are RNN, GRU and LSTM", s.op)
	}
	n := &recurrent{engine: e, kind: recurrentKinds[i], spec: s, directions: 1}
	switch s.direction {
	case "", "forward", "reverse":
	case "bidirectional":
		n.directions = 2
	default:
		return nil, fmt.Errorf("direction is %.40q, must be forward, reverse or bidirectional", s.direction)
	}
	if !(s.clip >= 0) {
		return nil, fmt.Errorf("clip is %v, must be above 0: leave it out for no limit", s.clip)
	}
	acts, err := n.activations()
	if err != nil {
		return nil, err
	}
	if err := n.checkWeights(w, r, b, p); err != nil {
		return nil, err
	}
	if c, ok := n.config(acts, p); ok {
		return n, n.newModel(c, w, r, b)
	}
	n.newCells(acts, w, r, b, p)
	return n, nil
}

// checkWeights wants weights whose shapes fit each other. It sets E and H.
func (n *recurrent) checkWeights(w, r, b, p *constant) error {
	switch {
	case w == nil || r == nil:
		return fmt.Errorf("the weights W and R must be given")
	case len(w.shape) != 3 || w.shape[2] < 1:
		return fmt.Errorf("input W has shape %v, want [%d,%d·hidden_size,input_size]", w.shape, n.directions, n.kind.gates)
	case len(r.shape) != 3 || r.shape[2] < 1:
		return fmt.Errorf("input R has shape %v, want [%d,%d·hidden_size,hidden_size]", r.shape, n.directions, n.kind.gates)
	case n.spec.hidden != 0 && n.spec.hidden != r.shape[2]:
		return fmt.Errorf("hidden_size is %d, but R of shape %v is for %d units", n.spec.hidden, r.shape, r.shape[2])
	case p != nil && n.spec.op != "LSTM":
		return fmt.Errorf("%s has no peepholes P: only LSTM has", n.spec.op)
	}
	n.inputs, n.hidden = w.shape[2], r.shape[2]
	gates := n.kind.gates * n.hidden
	if gates/n.hidden != n.kind.gates {
		return fmt.Errorf("input R has shape %v: too large", r.shape)
	}
	return cmp.Or(
		w.check("W", n.directions, gates, n.inputs),
		r.check("R", n.directions, gates, n.hidden),
		b.check("B", n.directions, 2*gates),
		p.check("P", n.directions, 3*n.hidden),
	)
}

// check wants a constant of that shape, or none.
func (c *constant) check(name string, want ...int) error {
	if c == nil {
		return nil
	}
	rest := len(c.data)
	for _, n := range want { // a product of wild sizes might overflow
		if n < 1 || rest%n != 0 {
			rest = 0
			break
		}
		rest /= n
	}
	if !slices.Equal(c.shape, want) || rest != 1 {
		return fmt.Errorf("input %s has shape %v and %d values, want shape %v", name, c.shape, len(c.data), want)
	}
	return nil
}

// reverse says whether the only direction reads the sequence from its end.
func (n *recurrent) reverse() bool { return n.spec.direction == "reverse" }

// config returns the network of package rnn that computes the same, if there is one.
func (n *recurrent) config(acts []activation, p *constant) (rnn.Config, bool) {
	c := rnn.Config{Input: n.inputs, Dense: true, Layers: 1, Hidden: n.hidden, Bidirectional: n.directions == 2}
	if n.spec.clip != 0 || p != nil {
		return c, false
	}
	if n.spec.op == "RNN" {
		c.Activation = acts[0].known()
		return c, c.Activation != 0 && acts[len(acts)-1].known() == c.Activation
	}
	for i, a := range acts {
		if a.kind.name != n.kind.activations[i%len(n.kind.activations)] {
			return c, false
		}
	}
	switch {
	case n.spec.op == "LSTM":
		c.Cell = rnn.LSTM
		return c, !n.spec.inputForget
	case n.spec.linearBeforeReset:
		c.Cell = rnn.GRU
	default:
		c.Cell = rnn.GRUResetBefore
	}
	return c, true
}

// newModel makes the network of the fast path.
func (n *recurrent) newModel(c rnn.Config, w, r, b *constant) error {
	m, err := rnn.New(n.engine, c, 0)
	if err != nil {
		return err
	}
	for d := range m.Cells {
		to := &m.Cells[d]
		n.regate(to.Wx, w.data, n.inputs, d)
		n.regate(to.Wh, r.data, n.hidden, d)
		n.engine.Clear(to.Bh)
		n.engine.Clear(to.Br)
		if b == nil {
			continue
		}
		bw, br := n.biases(b, d)
		n.regate(to.Bh, bw, 1, 0)
		if to.Br != nil {
			n.regate(to.Br, br, 1, 0)
			continue
		}
		sum := make([]float32, len(br))
		n.engine.Add(sum, bw, br)
		n.regate(to.Bh, sum, 1, 0)
	}
	m.Update()
	m.Compact()
	n.model = m
	return nil
}

// biases returns the biases of direction d, [G·H] each: beside W and beside R.
func (n *recurrent) biases(b *constant, d int) (bw, br []float32) {
	gates := n.kind.gates * n.hidden
	both := b.data[d*2*gates:][:2*gates]
	return both[:gates], both[gates:]
}

// regate sets dst, [K,G·H], to the transpose of direction d of src, [D,G·H,K], with the
// gates in the order of package rnn.
func (n *recurrent) regate(dst, src []float32, k, d int) {
	gates := n.kind.gates * n.hidden
	src = src[d*gates*k:]
	for g, from := range n.kind.order {
		for j := range n.hidden {
			for i, v := range src[(from*n.hidden+j)*k:][:k] {
				dst[i*gates+g*n.hidden+j] = v
			}
		}
	}
}

// A recurrentRun holds every buffer of passes over T steps of B sequences. Only one
// goroutine at a time may use it.
type recurrentRun struct {
	r            *recurrent
	steps, batch int
	lens         []int32 // [B], of the current pass; nil if all are T

	ws      *rnn.Workspace // of the fast path
	lengths bool           // run will be given lens
	flipped []float32      // [T,B,E], the input of a node that only reads in reverse
	spare   rnn.State      // of an LSTM: [D,B,H] each for what is not asked for
	zeros   []float32      // of an LSTM: [D,B,H]

	buffers cellBuffers // of the general path
}

// newRun makes every buffer for T steps of B sequences, both at least 1. lengths says
// whether run will be given lens; without it the first lens allocate.
func (r *recurrent) newRun(steps, batch int, lengths bool) *recurrentRun {
	run := &recurrentRun{r: r, steps: steps, batch: batch, lengths: lengths}
	if r.model == nil {
		run.buffers = r.newBuffers(steps, batch)
		return run
	}
	run.ws = r.model.NewWorkspace(steps, batch)
	if r.reverse() {
		run.flipped = kernels.Floats(steps * batch * r.inputs)
	}
	run.spare = r.model.NewState(batch)
	if r.spec.op == "LSTM" {
		run.zeros = make([]float32, len(run.spare.H))
	}
	if lengths {
		run.ws.SetLengths(make([]int32, batch)) // the first call makes buffers
	}
	return run
}

// run computes one pass. x is [T,B,E]. lens is [B] or nil for T each. h0 and c0 are
// [D,B,H] or nil for zeros. It sets what is not nil of y [T,D,B,H], yh and yc [D,B,H].
// yh may be h0, and yc may be c0. Only an LSTM has c0 and yc.
//
// As in ONNX Runtime, y is zero beyond a sequence's end. A sequence of no steps leaves
// zeros in yh and yc, whatever its initial state. run returns an error, and writes
// nothing, if one of lens is negative or above T.
func (run *recurrentRun) run(x []float32, lens []int32, h0, c0, y, yh, yc []float32) error {
	if err := run.setLengths(lens); err != nil {
		return err
	}
	if run.ws == nil {
		run.passCells(x, h0, c0, y, yh, yc)
	} else {
		run.passModel(x, h0, c0, y, yh, yc)
	}
	for b, n := range run.lens {
		if n > 0 {
			continue
		}
		for d := range run.r.directions {
			for _, last := range [...][]float32{yh, yc} {
				if last != nil {
					run.r.engine.Clear(run.row(last, d, b))
				}
			}
		}
	}
	return nil
}

// setLengths takes the lengths of a pass.
func (run *recurrentRun) setLengths(lens []int32) error {
	run.lens = nil
	if lens == nil {
		return nil
	}
	if len(lens) != run.batch {
		return fmt.Errorf("sequence_lens has %d values for a batch of %d sequences", len(lens), run.batch)
	}
	for b, n := range lens {
		if n < 0 || int(n) > run.steps {
			return fmt.Errorf("sequence_lens: sequence %d has %d steps, must be from 0 to the %d of X", b, n, run.steps)
		}
		if int(n) < run.steps {
			run.lens = lens
		}
	}
	return nil
}

// length returns the number of steps of sequence b.
func (run *recurrentRun) length(b int) int {
	if run.lens == nil {
		return run.steps
	}
	return int(run.lens[b])
}

// row returns the row of sequence b in a, [D,B,H]: a state of direction d, or with d =
// t·D+d a row of y.
func (run *recurrentRun) row(a []float32, d, b int) []float32 {
	h := run.r.hidden
	return a[(d*run.batch+b)*h:][:h]
}

// inPlace says whether each pass leaves y in memory of its own: see states.
func (run *recurrentRun) inPlace() bool {
	return run.ws != nil && !run.lengths && run.r.directions == 1 && !run.r.reverse()
}

// states returns y, [T,1,B,H], of the last pass, for reading until the next one. It needs
// inPlace, and a pass without lens. A caller that takes it need not give run a y.
func (run *recurrentRun) states() []float32 { return run.ws.States() }

// passModel is a pass of the fast path.
func (run *recurrentRun) passModel(x, h0, c0, y, yh, yc []float32) {
	r, ws := run.r, run.ws
	ws.SetLengths(run.lens)
	if r.reverse() {
		run.flip(x)
		x = run.flipped
	}
	switch lstm := r.spec.op == "LSTM"; {
	case h0 == nil && c0 == nil:
		ws.Reset()
	case lstm:
		if h0 == nil {
			h0 = run.zeros
		}
		if c0 == nil {
			c0 = run.zeros
		}
		ws.SetState(rnn.State{H: h0, C: c0})
	default:
		ws.SetState(rnn.State{H: h0})
	}
	ws.ForwardDense(x)
	if y != nil {
		run.copyStates(y)
	}
	if yh == nil && yc == nil {
		return
	}
	last := run.spare
	if yh != nil {
		last.H = yh
	}
	if yc != nil {
		last.C = yc
	}
	ws.State(last)
}

// flip reverses the time of each sequence.
func (run *recurrentRun) flip(x []float32) {
	e, n := run.r.engine, run.batch*run.r.inputs
	if run.lens == nil {
		for t := range run.steps {
			e.Copy(run.flipped[t*n:][:n], x[(run.steps-1-t)*n:][:n])
		}
		return
	}
	inputs := run.r.inputs
	for b, steps := range run.lens {
		for t := range int(steps) {
			from := (int(steps)-1-t)*n + b*inputs
			e.Copy(run.flipped[t*n+b*inputs:][:inputs], x[from:][:inputs])
		}
	}
}

// copyStates sets y to the states of the workspace, [T,B,D·H].
func (run *recurrentRun) copyStates(y []float32) {
	r, states := run.r, run.ws.States()
	if run.lens == nil && r.directions == 1 {
		if !r.reverse() {
			r.engine.Copy(y, states)
			return
		}
		n := run.batch * r.hidden
		for t := range run.steps {
			r.engine.Copy(y[t*n:][:n], states[(run.steps-1-t)*n:][:n])
		}
		return
	}
	for t := range run.steps {
		for d := range r.directions {
			for b := range run.batch {
				to, from := run.row(y, t*r.directions+d, b), t
				if t >= run.length(b) {
					r.engine.Clear(to)
					continue
				}
				if r.reverse() {
					from = run.length(b) - 1 - t
				}
				r.engine.Copy(to, states[((from*run.batch+b)*r.directions+d)*r.hidden:][:r.hidden])
			}
		}
	}
}

// activations returns the activations of all directions.
func (n *recurrent) activations() ([]activation, error) {
	names, each := n.spec.activations, len(n.kind.activations)
	switch {
	case names == nil:
		names = slices.Repeat(n.kind.activations, n.directions)
	case n.spec.op == "RNN" && n.directions == 1 && len(names) == 2:
		names = names[:1] // ONNX's default has two for any direction
	case len(names) != each*n.directions:
		return nil, fmt.Errorf("activations are %.200q, want %d: %s for each direction",
			strings.Join(names, ", "), each*n.directions, [...]string{"f", "f and g", "f, g and h"}[each-1])
	}
	return newActivations(names, n.spec.alpha, n.spec.beta)
}
