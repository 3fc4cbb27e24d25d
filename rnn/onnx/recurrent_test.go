package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"batchrnn/kernels"
)

// forcedEngine returns an engine. In tests its regions have as many workers as are asked
// for.
func forcedEngine(tb testing.TB, isa string, threads int) *kernels.Engine {
	tb.Helper()
	e, err := kernels.New(isa, threads)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	if _, test := tb.(*testing.T); test {
		kernels.ForceTeams(e, func(most int) int { return most })
	}
	return e
}

// A recurrentCase is a node, its weights, and the inputs of a pass.
type recurrentCase struct {
	recurrentSpec
	steps, batch, inputs, units int
	w, r, b, p                  *constant
	x, h0, c0                   []float32
	lens                        []int32
}

func (c *recurrentCase) directions() int {
	if c.direction == "bidirectional" {
		return 2
	}
	return 1
}

func (c *recurrentCase) gates() int { return map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}[c.op] }

func (c *recurrentCase) String() string {
	s := fmt.Sprintf("%+v/t=%d/b=%d/e=%d/h=%d/lens=%v", c.recurrentSpec, c.steps, c.batch, c.inputs, c.units, c.lens)
	for name, given := range map[string]bool{"B": c.b != nil, "P": c.p != nil, "h0": c.h0 != nil, "c0": c.c0 != nil} {
		if given {
			s += "/" + name
		}
	}
	return s
}

func uniform(r *rand.Rand, n int, bound float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32((2*r.Float64() - 1) * bound)
	}
	return x
}

// randomConstant draws weights that keep sums of units products small.
func randomConstant(r *rand.Rand, units int, shape ...int) *constant {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return &constant{shape, uniform(r, n, 1.5/math.Sqrt(float64(units)))}
}

// fill draws the weights and inputs that every node has, and the others if given says so.
func (c *recurrentCase) fill(r *rand.Rand, given func() bool) {
	d, g := c.directions(), c.gates()*c.units
	c.w, c.r, c.b = randomConstant(r, c.units, d, g, c.inputs), randomConstant(r, c.units, d, g, c.units), randomConstant(r, c.units, d, 2*g)
	c.x = uniform(r, c.steps*c.batch*c.inputs, 1)
	if !given() {
		c.b = nil
	}
	if given() {
		c.h0 = uniform(r, d*c.batch*c.units, 1)
	}
	if given() {
		c.lens = make([]int32, c.batch)
		for i := range c.lens {
			c.lens[i] = r.Int32N(int32(c.steps + 1))
		}
	}
	if c.op == "LSTM" && given() {
		c.c0 = uniform(r, d*c.batch*c.units, 1)
	}
}

// results are the outputs of a pass, with guards behind them.
type results struct{ y, yh, yc []float32 }

const guards = 5

func (c *recurrentCase) newResults() results {
	canaries := func(n int) []float32 {
		return slices.Repeat([]float32{float32(math.Inf(-1))}, n+guards)[:n]
	}
	d := c.directions()
	o := results{y: canaries(c.steps * d * c.batch * c.units), yh: canaries(d * c.batch * c.units)}
	if c.op == "LSTM" {
		o.yc = canaries(len(o.yh))
	}
	return o
}

func (o results) each(f func(name string, x []float32)) {
	f("y", o.y)
	f("yh", o.yh)
	f("yc", o.yc)
}

// node makes the node of c.
func (c *recurrentCase) node(tb testing.TB, e *kernels.Engine) *recurrent {
	tb.Helper()
	n, err := newRecurrent(e, c.recurrentSpec, c.w, c.r, c.b, c.p)
	if err != nil {
		tb.Fatalf("%v: %v", c, err)
	}
	return n
}

// pass runs c on run, and checks that nothing behind the outputs is written.
func (c *recurrentCase) pass(tb testing.TB, run *recurrentRun) results {
	tb.Helper()
	o := c.newResults()
	if err := run.run(c.x, c.lens, c.h0, c.c0, o.y, o.yh, o.yc); err != nil {
		tb.Fatalf("%v: %v", c, err)
	}
	o.each(func(name string, x []float32) {
		for _, v := range x[len(x):min(len(x)+guards, cap(x))] {
			if !math.IsInf(float64(v), -1) {
				tb.Fatalf("%v: a pass writes behind %s", c, name)
			}
		}
	})
	return o
}

func (c *recurrentCase) run(tb testing.TB, e *kernels.Engine) results {
	tb.Helper()
	return c.pass(tb, c.node(tb, e).newRun(c.steps, c.batch, c.lens != nil))
}

// near fails where results differ from c's oracle by more than tol, or a NaN.
func (c *recurrentCase) near(t *testing.T, got results, tol float64) {
	t.Helper()
	y, yh, yc := c.oracle()
	want := map[string][]float64{"y": y, "yh": yh, "yc": yc}
	got.each(func(name string, x []float32) {
		for i, v := range x {
			w := want[name][i]
			if !(math.Abs(float64(v)-w) <= tol*max(1, math.Abs(w))) {
				t.Fatalf("%v: %s[%d] is %v, want %v", c, name, i, v, w)
			}
		}
	})
}

// oracle computes a pass one sequence at a time, as ONNX's Operators.md has it.
func (c *recurrentCase) oracle() (y, yh, yc []float64) {
	d, h := c.directions(), c.units
	y, yh, yc = make([]float64, c.steps*d*c.batch*h), make([]float64, d*c.batch*h), make([]float64, d*c.batch*h)
	acts := c.oracleActivations()
	for dir := range d {
		for b := range c.batch {
			n := c.steps
			if c.lens != nil {
				n = int(c.lens[b])
			}
			if n == 0 {
				continue
			}
			row := (dir*c.batch + b) * h
			state, cell := make([]float64, h), make([]float64, h)
			for j := range h {
				if c.h0 != nil {
					state[j] = float64(c.h0[row+j])
				}
				if c.c0 != nil {
					cell[j] = float64(c.c0[row+j])
				}
			}
			for s := range n {
				t := s
				if dir == 1 || c.direction == "reverse" {
					t = n - 1 - s
				}
				c.oracleStep(acts[dir], dir, c.x[(t*c.batch+b)*c.inputs:][:c.inputs], state, cell)
				copy(y[((t*d+dir)*c.batch+b)*h:], state)
			}
			copy(yh[row:], state)
			copy(yc[row:], cell)
		}
	}
	return y, yh, yc
}

// oracleStep replaces state and cell by those after a step with input x.
func (c *recurrentCase) oracleStep(act []func(float64) float64, dir int, x []float32, state, cell []float64) {
	h, width := c.units, c.gates()*c.units
	before := slices.Clone(state)
	clip := func(v float64) float64 {
		if c.clip > 0 {
			return math.Max(-float64(c.clip), math.Min(float64(c.clip), v))
		}
		return v
	}
	bias := func(i int) float64 { // of the 2·G·H
		if c.b == nil {
			return 0
		}
		return float64(c.b.data[dir*2*width+i])
	}
	wx := func(i int) (sum float64) {
		for k, v := range x {
			sum += float64(c.w.data[(dir*width+i)*c.inputs+k]) * float64(v)
		}
		return sum + bias(i)
	}
	rh := func(i int, state []float64) (sum float64) {
		for k, v := range state {
			sum += float64(c.r.data[(dir*width+i)*h+k]) * v
		}
		return sum + bias(width+i)
	}
	peep := func(i int) float64 {
		if c.p == nil {
			return 0
		}
		return float64(c.p.data[dir*3*h+i])
	}
	switch c.op {
	case "RNN":
		for j := range h {
			state[j] = act[0](clip(wx(j) + rh(j, before)))
		}
	case "LSTM":
		for j := range h {
			i := act[0](clip(wx(j) + rh(j, before) + peep(j)*cell[j]))
			f := act[0](clip(wx(2*h+j) + rh(2*h+j, before) + peep(2*h+j)*cell[j]))
			if c.inputForget {
				f = 1 - i
			}
			cell[j] = f*cell[j] + i*act[1](clip(wx(3*h+j)+rh(3*h+j, before)))
			o := act[0](clip(wx(h+j) + rh(h+j, before) + peep(h+j)*cell[j]))
			state[j] = o * act[2](cell[j])
		}
	case "GRU":
		z, r := make([]float64, h), make([]float64, h)
		reset := make([]float64, h)
		for j := range h {
			z[j], r[j] = act[0](clip(wx(j)+rh(j, before))), act[0](clip(wx(h+j)+rh(h+j, before)))
			reset[j] = r[j] * before[j]
		}
		for j := range h {
			n := wx(2*h+j) + rh(2*h+j, reset)
			if c.linearBeforeReset {
				n = wx(2*h+j) + r[j]*rh(2*h+j, before)
			}
			state[j] = (1-z[j])*act[1](clip(n)) + z[j]*before[j]
		}
	}
}

// oracleActivations returns the functions of each direction.
func (c *recurrentCase) oracleActivations() [][]func(float64) float64 {
	names := c.activations
	if names == nil {
		names = map[string][]string{"RNN": {"tanh"}, "GRU": {"sigmoid", "tanh"}, "LSTM": {"sigmoid", "tanh", "tanh"}}[c.op]
		names = slices.Repeat(names, c.directions())
	}
	alpha, beta := c.alpha, c.beta
	next := func(from *[]float32, standard float64) float64 {
		if len(*from) == 0 {
			return standard
		}
		v := (*from)[0]
		*from = (*from)[1:]
		return float64(v)
	}
	var all []func(float64) float64
	for _, name := range names {
		var f func(float64) float64
		switch strings.ToLower(name) {
		case "relu":
			f = func(x float64) float64 { return math.Max(0, x) }
		case "tanh":
			f = math.Tanh
		case "sigmoid":
			f = func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
		case "affine":
			a, b := next(&alpha, 0), next(&beta, 0)
			f = func(x float64) float64 { return a*x + b }
		case "leakyrelu":
			a := next(&alpha, 0.01)
			f = func(x float64) float64 { return math.Max(0, x) + a*math.Min(0, x) }
		case "thresholdedrelu":
			a := next(&alpha, 0)
			f = func(x float64) float64 {
				if x > a {
					return x
				}
				return 0
			}
		case "scaledtanh":
			a, b := next(&alpha, 0), next(&beta, 0)
			f = func(x float64) float64 { return a * math.Tanh(b*x) }
		case "hardsigmoid":
			a, b := next(&alpha, 0.2), next(&beta, 0.5)
			f = func(x float64) float64 { return math.Max(0, math.Min(1, a*x+b)) }
		case "elu":
			a := next(&alpha, 1)
			f = func(x float64) float64 { return math.Max(0, x) + math.Min(0, a*(math.Exp(x)-1)) }
		case "softsign":
			f = func(x float64) float64 { return x / (1 + math.Abs(x)) }
		case "softplus":
			f = func(x float64) float64 { return math.Log(1 + math.Exp(x)) }
		}
		all = append(all, f)
	}
	n := len(all) / c.directions()
	return slices.Collect(slices.Chunk(all, n))
}

// recurrentOptions returns the specs of all operators with every combination of
// attributes, each with an index that tells how many it has beyond the defaults.
func recurrentOptions() []recurrentSpec {
	var all []recurrentSpec
	for _, direction := range []string{"", "forward", "reverse", "bidirectional"} {
		for _, clip := range []float32{0, 0.3} {
			for _, option := range []bool{false, true} {
				for _, op := range []string{"RNN", "GRU", "LSTM"} {
					s := recurrentSpec{op: op, direction: direction, clip: clip}
					switch op {
					case "GRU":
						s.linearBeforeReset = option
					case "LSTM":
						s.inputForget = option
					case "RNN":
						s.activations = []string{"Relu"}
						if option {
							s.activations = []string{"Affine"}
							s.alpha = []float32{1}
						}
						if direction == "bidirectional" {
							s.activations, s.alpha = slices.Repeat(s.activations, 2), slices.Repeat(s.alpha, 2)
						}
					}
					all = append(all, s)
					s.activations, s.alpha, s.beta = nil, nil, nil
					if op == "RNN" {
						all = append(all, s)
					}
					for i := range (&recurrentCase{recurrentSpec: s}).directions() {
						s.activations = append(s.activations, [][]string{{"HardSigmoid", "softsign", "LeakyRelu"}, {"Sigmoid", "Elu", "SCALEDTANH"}}[i][:map[string]int{"RNN": 1, "GRU": 2, "LSTM": 3}[op]]...)
					}
					s.alpha, s.beta = []float32{0.3, 0.4, 0.7, 1.1}, []float32{0.6, 0.9}
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// TestRecurrent compares every combination of attributes and optional inputs with the
// oracle.
func TestRecurrent(t *testing.T) {
	e := forcedEngine(t, "", 2)
	r := rand.New(rand.NewPCG(1, 1))
	cases, models := 0, 0
	for _, s := range recurrentOptions() {
		for given := range 32 { // bits: B, h0, lens, c0, P
			c := recurrentCase{recurrentSpec: s, steps: 1 + given%5, batch: 1 + given%4, inputs: 3 + given%3, units: 2 + given%7*3}
			bit := -1
			c.fill(r, func() bool { bit++; return given>>bit&1 != 0 })
			switch {
			case given >= 8 && s.op != "LSTM":
				continue
			case given >= 16:
				c.p = randomConstant(r, c.units, c.directions(), 3*c.units)
			}
			if given%3 == 0 {
				c.hidden = c.units
			}
			n := c.node(t, e)
			if n.model != nil {
				models++
			}
			run := n.newRun(c.steps, c.batch, c.lens != nil)
			got := c.pass(t, run)
			c.near(t, got, 2e-6)
			if n.model == nil && c.op != "LSTM" || given%5 == 0 { // what the first pass left behind does not matter
				again := c.pass(t, run)
				c.same(t, "the second pass", again, got)
			}
			cases++
		}
	}
	if cases < 1000 || models < 200 {
		t.Errorf("%d cases, %d on package rnn: want more", cases, models)
	}
}

// TestRecurrentActivations has each activation in each place, with and without
// parameters.
func TestRecurrentActivations(t *testing.T) {
	e := forcedEngine(t, "", 1)
	r := rand.New(rand.NewPCG(2, 1))
	for _, k := range activationKinds {
		for op, places := range map[string]int{"RNN": 1, "GRU": 2, "LSTM": 3} {
			for place := range places {
				for _, parameters := range []bool{false, true} {
					c := recurrentCase{recurrentSpec: recurrentSpec{op: op}, steps: 3, batch: 2, inputs: 4, units: 19}
					c.activations = slices.Repeat([]string{"Sigmoid"}, places)
					c.activations[place] = k.name
					if parameters {
						c.alpha, c.beta = []float32{0.45}, []float32{0.35}
					}
					c.fill(r, func() bool { return true })
					c.near(t, c.run(t, e), 2e-6)
				}
			}
		}
	}
}

// TestActivationValues checks activations where a formula may fail: at thresholds, far
// out, and at NaN.
func TestActivationValues(t *testing.T) {
	e := forcedEngine(t, "", 1)
	nan := float32(math.NaN())
	const far = 1e30
	for _, k := range activationKinds {
		alpha, beta := k.alpha, k.beta
		want := map[float32]float32{}
		switch k.name {
		case "Relu":
			want = map[float32]float32{-far: 0, -1: 0, 0: 0, 2: 2, far: far}
		case "Tanh", "Softsign":
			want = map[float32]float32{-far: -1, 0: 0, far: 1}
		case "Sigmoid":
			want = map[float32]float32{-far: 0, 0: 0.5, far: 1}
		case "Affine":
			alpha, beta = 2, 1
			want = map[float32]float32{-3: -5, 0: 1}
		case "LeakyRelu":
			alpha = 0.5
			want = map[float32]float32{-far: -0.5 * far, -4: -2, 0: 0, 3: 3}
		case "ThresholdedRelu":
			alpha = 0.5
			want = map[float32]float32{-far: 0, 0.25: 0, 0.5: 0, 0.75: 0.75, far: far}
		case "ScaledTanh":
			alpha, beta = 3, 2
			want = map[float32]float32{-far: -3, 0: 0, far: 3}
		case "HardSigmoid":
			want = map[float32]float32{-far: 0, -2.5: 0, 0: 0.5, 2.5: 1, far: 1}
		case "Elu":
			alpha = 2
			want = map[float32]float32{-far: -2, -1e-10: -2e-10, 0: 0, 3: 3, far: far}
		case "Softplus":
			want = map[float32]float32{-far: 0, 0: math.Ln2, 100: 100, far: far}
		default:
			t.Errorf("no values for %s", k.name)
		}
		want[nan] = nan
		for in, out := range want {
			x := []float32{in}
			activation{&k, alpha, beta}.apply(e, x)
			if !(math.Abs(float64(x[0]-out)) <= 1e-6*math.Abs(float64(out))) && !(in != in && x[0] != x[0]) {
				t.Errorf("%s of %v is %v, want %v", k.name, in, x[0], out)
			}
		}
	}
}

// same fails where two results differ in a bit.
func (c *recurrentCase) same(t *testing.T, what string, got, want results) {
	t.Helper()
	all := map[string][]float32{"y": want.y, "yh": want.yh, "yc": want.yc}
	got.each(func(name string, x []float32) {
		for i, v := range x {
			if math.Float32bits(v) != math.Float32bits(all[name][i]) {
				t.Fatalf("%v: %s: %s[%d] is %v, want %v", c, what, name, i, v, all[name][i])
			}
		}
	})
}

// exactCases are nodes of both paths, large enough that their products have several
// workers.
func exactCases() []*recurrentCase {
	var all []*recurrentCase
	r := rand.New(rand.NewPCG(3, 1))
	for _, s := range []recurrentSpec{
		{op: "RNN", activations: []string{"Relu", "Relu"}, direction: "bidirectional"},
		{op: "GRU", direction: "reverse"},
		{op: "GRU", linearBeforeReset: true},
		{op: "LSTM", direction: "bidirectional"},
		{op: "RNN", activations: []string{"Elu", "Softplus"}, direction: "bidirectional", clip: 2},
		{op: "GRU", clip: 0.5, direction: "bidirectional"},
		{op: "GRU", clip: 0.5, linearBeforeReset: true},
		{op: "LSTM", inputForget: true, direction: "reverse"},
	} {
		c := &recurrentCase{recurrentSpec: s, steps: 9, batch: 13, inputs: 70, units: 161}
		c.fill(r, func() bool { return true })
		c.lens[3], c.lens[5] = 0, 9
		if s.inputForget {
			c.p = randomConstant(r, c.units, 1, 3*c.units)
		}
		all = append(all, c)
	}
	return all
}

// TestRecurrentSameBits: threads, the other sequences of the batch, and the number of
// steps at once change no bits. Neither do instruction sets with the same width of
// arithmetic.
func TestRecurrentSameBits(t *testing.T) {
	isas := kernels.ISAs()
	for _, c := range exactCases() {
		want := c.run(t, forcedEngine(t, "", 1))
		c.near(t, want, 1e-5)
		for _, threads := range []int{2, 3} {
			c.same(t, fmt.Sprintf("%d threads", threads), c.run(t, forcedEngine(t, "", threads)), want)
		}
		e := forcedEngine(t, "", 2)
		if strings.HasPrefix(e.ISA(), "avx512") && slices.Contains(isas, "avx2") {
			c.same(t, "avx2", c.run(t, forcedEngine(t, "avx2", 2)), want)
		}
		n := c.node(t, e)
		for _, b := range []int{0, 3, 5, 12} {
			c.same(t, fmt.Sprintf("sequence %d alone", b), c.alone(t, n, b), c.of(want, b))
		}
		if c.direction == "" {
			c.same(t, "step by step", c.stepwise(t, n), want)
		}
	}
}

// of returns the part of results that belongs to sequence b.
func (c *recurrentCase) of(o results, b int) (part results) {
	pick := func(x []float32) (y []float32) {
		for i := b * c.units; i < len(x); i += c.batch * c.units {
			y = append(y, x[i:][:c.units]...)
		}
		return y
	}
	return results{pick(o.y), pick(o.yh), pick(o.yc)}
}

// alone runs sequence b in a batch of one.
func (c *recurrentCase) alone(t *testing.T, n *recurrent, b int) results {
	one := *c
	one.batch, one.lens, one.x = 1, []int32{c.lens[b]}, nil
	for s := range c.steps {
		one.x = append(one.x, c.x[(s*c.batch+b)*c.inputs:][:c.inputs]...)
	}
	of := c.of(results{yh: c.h0, yc: c.c0}, b)
	one.h0, one.c0 = of.yh, of.yc
	return one.pass(t, n.newRun(c.steps, 1, true))
}

// stepwise runs each step as a pass of its own, with the states in place.
func (c *recurrentCase) stepwise(t *testing.T, n *recurrent) results {
	o, run := c.newResults(), n.newRun(1, c.batch, true)
	copy(o.yh, c.h0)
	copy(o.yc, c.c0)
	lens := make([]int32, c.batch)
	size := c.batch * c.units
	for s := range c.steps {
		h, cc := slices.Clone(o.yh), slices.Clone(o.yc)
		for b := range lens {
			lens[b] = min(1, max(0, c.lens[b]-int32(s)))
		}
		if err := run.run(c.x[s*c.batch*c.inputs:][:c.batch*c.inputs], lens, o.yh, o.yc, o.y[s*size:][:size], o.yh, o.yc); err != nil {
			t.Fatal(err)
		}
		for b := range lens { // a sequence without a step leaves zeros
			if lens[b] == 0 && c.lens[b] > 0 {
				copy(o.yh[b*c.units:][:c.units], h[b*c.units:])
				if o.yc != nil {
					copy(o.yc[b*c.units:][:c.units], cc[b*c.units:])
				}
			}
		}
	}
	return o
}

// TestRecurrentNaN: a NaN stays in its sequence, passes on in time, and reaches nothing
// from beyond a sequence's end.
func TestRecurrentNaN(t *testing.T) {
	e := forcedEngine(t, "", 2)
	nan := float32(math.NaN())
	for _, c := range exactCases() {
		n := c.node(t, e)
		c.lens = []int32{9, 9, 4, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9}
		run := n.newRun(c.steps, c.batch, true)
		want := c.pass(t, run)
		for _, row := range []int{4*c.batch + 2, 3, 8*c.batch + 3} { // beyond the ends of 2 and 3
			c.x[row*c.inputs] = nan
		}
		c.same(t, "NaN beyond an end", c.pass(t, run), want)
		c.x[(2*c.batch+1)*c.inputs] = nan // step 2 of sequence 1
		got := c.pass(t, run)
		for b := range c.batch {
			if b != 1 {
				c.same(t, "beside NaN", c.of(got, b), c.of(want, b))
			}
		}
		one := c.of(got, 1)
		for dir := range c.directions() {
			for s := range c.steps {
				back := dir == 1 || c.direction == "reverse"
				for j, v := range one.y[(s*c.directions()+dir)*c.units:][:c.units] {
					if reached := s == 2 || (s > 2) != back; (v != v) != reached {
						t.Fatalf("%v: unit %d of direction %d is %v in step %d, with NaN in step 2", c, j, dir, v, s)
					}
				}
			}
		}
		one.each(func(name string, x []float32) {
			if i := slices.IndexFunc(x, func(v float32) bool { return v == v }); name != "y" && i >= 0 {
				t.Fatalf("%v: %s[%d] is %v after a NaN", c, name, i, x[i])
			}
		})
	}
}

// TestRecurrentNoAllocations: passes allocate nothing, whatever outputs they set.
func TestRecurrentNoAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	e := forcedEngine(t, "", 2)
	for _, c := range exactCases() {
		o, lens := c.newResults(), c.lens
		run := c.node(t, e).newRun(c.steps, c.batch, true)
		for i, wanted := range []results{o, {yh: o.yh}, {y: o.y}, {yc: o.yc}} {
			first := true
			allocs := testing.AllocsPerRun(3, func() {
				l := lens
				if first = !first; first {
					l = nil
				}
				if err := run.run(c.x, l, c.h0, c.c0, wanted.y, wanted.yh, wanted.yc); err != nil {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%v: a pass with outputs %d allocates %v times", c, i, allocs)
			}
		}
	}
}

// TestRecurrentFirstPass: the first pass allocates nothing either.
func TestRecurrentFirstPass(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	e := forcedEngine(t, "", 1)
	for _, c := range exactCases() {
		o := c.newResults()
		n := c.node(t, e)
		c.pass(t, n.newRun(c.steps, c.batch, true)) // workers' own buffers
		const runs = 4
		var fresh []*recurrentRun
		for range runs + 1 {
			fresh = append(fresh, n.newRun(c.steps, c.batch, true))
		}
		allocs := testing.AllocsPerRun(runs, func() {
			if err := fresh[0].run(c.x, c.lens, c.h0, c.c0, o.y, o.yh, o.yc); err != nil {
				t.Fatal(err)
			}
			fresh = fresh[1:]
		})
		if allocs != 0 {
			t.Errorf("%v: a first pass allocates %v times", c, allocs)
		}
	}
}

// TestRecurrentTogether: several runs of a node work at once.
func TestRecurrentTogether(t *testing.T) {
	e := forcedEngine(t, "", 2)
	for _, c := range exactCases() {
		n := c.node(t, e)
		want := c.run(t, e)
		got := make([]results, 3)
		var all sync.WaitGroup
		for i := range got {
			run := n.newRun(c.steps, c.batch, true)
			all.Go(func() {
				for range 3 {
					got[i] = c.newResults()
					if err := run.run(c.x, c.lens, c.h0, c.c0, got[i].y, got[i].yh, got[i].yc); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		for _, o := range got {
			c.same(t, "beside others", o, want)
		}
	}
}

// TestRecurrentStates: y in place is y.
func TestRecurrentStates(t *testing.T) {
	e := forcedEngine(t, "", 2)
	r := rand.New(rand.NewPCG(4, 1))
	places := 0
	for _, s := range recurrentOptions() {
		c := recurrentCase{recurrentSpec: s, steps: 3, batch: 2, inputs: 4, units: 5}
		c.fill(r, func() bool { return false })
		run := c.node(t, e).newRun(c.steps, c.batch, false)
		o := c.pass(t, run)
		if run.inPlace() {
			places++
			c.same(t, "states", results{y: run.states()}, results{y: o.y})
			if err := run.run(c.x, nil, nil, nil, nil, nil, nil); err != nil {
				t.Fatal(err)
			}
			c.same(t, "states alone", results{y: run.states()}, results{y: o.y})
		} else if s.clip == 0 && s.activations == nil && !s.inputForget && (s.direction == "" || s.direction == "forward") {
			t.Errorf("%v: y is not in place", &c)
		}
	}
	if places == 0 {
		t.Error("no node has y in place")
	}
}

// TestRecurrentOutputs: an output is the same whether others are asked for or not.
func TestRecurrentOutputs(t *testing.T) {
	e := forcedEngine(t, "", 2)
	for _, c := range exactCases() {
		run := c.node(t, e).newRun(c.steps, c.batch, true)
		want, got := c.pass(t, run), c.newResults()
		for _, o := range []results{{y: got.y}, {yh: got.yh}, {yc: got.yc}} {
			if err := run.run(c.x, c.lens, c.h0, c.c0, o.y, o.yh, o.yc); err != nil {
				t.Fatal(err)
			}
		}
		c.same(t, "one output at a time", got, want)
	}
}

// TestRecurrentTwoActivations: an RNN of one direction takes the first of two activations,
// because ONNX's default has two.
func TestRecurrentTwoActivations(t *testing.T) {
	e := forcedEngine(t, "", 1)
	for _, direction := range []string{"forward", "reverse"} {
		c := recurrentCase{recurrentSpec: recurrentSpec{op: "RNN", direction: direction}, steps: 3, batch: 2, inputs: 4, units: 5}
		c.fill(rand.New(rand.NewPCG(7, 1)), func() bool { return true })
		c.activations = []string{"Relu"}
		want := c.run(t, e)
		c.activations = []string{"Relu", "Tanh"}
		c.same(t, "with a second activation", c.run(t, e), want)
		c.activations = []string{"Relu", "Tanh", "Tanh"}
		_, err := newRecurrent(e, c.recurrentSpec, c.w, c.r, c.b, c.p)
		wantError(t, err, "Relu, Tanh, Tanh", "want 1: f")
	}
}

// TestRecurrentLengths: lengths out of range are errors, and nothing is written.
func TestRecurrentLengths(t *testing.T) {
	e := forcedEngine(t, "", 1)
	for _, c := range exactCases() {
		run := c.node(t, e).newRun(c.steps, c.batch, true)
		for _, bad := range []struct {
			lens []int32
			says []string
		}{
			{slices.Repeat([]int32{1}, c.batch-1), []string{"12 values", "13 sequences"}},
			{append(slices.Repeat([]int32{1}, c.batch-1), 10), []string{"sequence 12", "10 steps", "to the 9"}},
			{append(slices.Repeat([]int32{1}, c.batch-1), -1), []string{"sequence 12", "-1 steps", "from 0"}},
		} {
			o := c.newResults()
			err := run.run(c.x, bad.lens, c.h0, c.c0, o.y, o.yh, o.yc)
			wantError(t, err, bad.says...)
			o.each(func(name string, x []float32) {
				if slices.ContainsFunc(x, func(v float32) bool { return !math.IsInf(float64(v), -1) }) {
					t.Fatalf("%v: %s is written before an error", c, name)
				}
			})
		}
		c.near(t, c.pass(t, run), 1e-5) // the run goes on
	}
}

func wantError(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", says)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}

// TestRecurrentErrors: what is wrong with a node is an error that names it.
func TestRecurrentErrors(t *testing.T) {
	e := forcedEngine(t, "", 1)
	for _, k := range []struct {
		name   string
		change func(c *recurrentCase)
		says   []string
	}{
		{"op", func(c *recurrentCase) { c.op = "Attention" }, []string{"Attention", "RNN, GRU and LSTM"}},
		{"direction", func(c *recurrentCase) { c.direction = "backward" }, []string{"backward", "reverse"}},
		{"clip", func(c *recurrentCase) { c.clip = -1 }, []string{"clip is -1", "above 0"}},
		{"clip NaN", func(c *recurrentCase) { c.clip = float32(math.NaN()) }, []string{"clip is NaN"}},
		{"hidden", func(c *recurrentCase) { c.hidden = 4 }, []string{"hidden_size is 4", "5 units"}},
		{"hidden negative", func(c *recurrentCase) { c.hidden = -5 }, []string{"hidden_size is -5"}},
		{"activation", func(c *recurrentCase) { c.activations = []string{"Sigmoid", "Gelu", "Tanh"} }, []string{"Gelu", "Softplus"}},
		{"activations", func(c *recurrentCase) { c.activations = []string{"Sigmoid", "Tanh"} }, []string{"Sigmoid, Tanh", "want 3", "f, g and h"}},
		{"activations none", func(c *recurrentCase) { c.activations = []string{} }, []string{"want 3"}},
		{"activations both", func(c *recurrentCase) {
			c.direction = "bidirectional"
			c.activations = []string{"Sigmoid", "Tanh", "Tanh"}
		}, []string{"want 6"}},
		{"no W", func(c *recurrentCase) { c.w = nil }, []string{"W and R"}},
		{"no R", func(c *recurrentCase) { c.r = nil }, []string{"W and R"}},
		{"W flat", func(c *recurrentCase) { c.w.shape = []int{60} }, []string{"W has shape [60]", "input_size"}},
		{"W rows", func(c *recurrentCase) { c.w.shape = []int{1, 10, 6} }, []string{"W has shape [1 10 6]", "[1 20 6]"}},
		{"W empty", func(c *recurrentCase) { *c.w = constant{shape: []int{1, 20, 0}} }, []string{"W has shape"}},
		{"W directions", func(c *recurrentCase) { c.direction = "bidirectional" }, []string{"W has shape [1 20 3]", "[2 20 3]"}},
		{"W short", func(c *recurrentCase) { c.w.data = c.w.data[1:] }, []string{"W has shape", "59 values"}},
		{"W long", func(c *recurrentCase) { c.w.data = append(c.w.data, 0) }, []string{"W has shape", "61 values"}},
		{"W wild", func(c *recurrentCase) { c.w.shape = []int{1, 20, math.MaxInt/20*4 + 3} }, []string{"W has shape"}},
		{"R flat", func(c *recurrentCase) { c.r.shape = []int{100} }, []string{"R has shape [100]", "hidden_size"}},
		{"R wild", func(c *recurrentCase) { c.r.shape = []int{1, 20, math.MaxInt/4 + 1} }, []string{"R has shape"}},
		{"R other", func(c *recurrentCase) { c.r.shape = []int{1, 25, 4} }, []string{"shape"}},
		{"B", func(c *recurrentCase) { c.b = &constant{[]int{1, 20}, make([]float32, 20)} }, []string{"B has shape [1 20]", "[1 40]"}},
		{"P", func(c *recurrentCase) { c.p = &constant{[]int{1, 20}, make([]float32, 20)} }, []string{"P has shape [1 20]", "[1 15]"}},
		{"P of a GRU", func(c *recurrentCase) {
			c.op = "GRU"
			c.fill(rand.New(rand.NewPCG(5, 1)), func() bool { return true })
			c.p = &constant{[]int{1, 15}, make([]float32, 15)}
		}, []string{"GRU has no peepholes"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := recurrentCase{recurrentSpec: recurrentSpec{op: "LSTM"}, steps: 1, batch: 1, inputs: 3, units: 5}
			c.fill(rand.New(rand.NewPCG(5, 1)), func() bool { return true })
			k.change(&c)
			_, err := newRecurrent(e, c.recurrentSpec, c.w, c.r, c.b, c.p)
			wantError(t, err, k.says...)
		})
	}
}

// TestRecurrentCompact: a node refers neither to its constants nor to a second copy of
// them.
func TestRecurrentCompact(t *testing.T) {
	e := forcedEngine(t, "", 1)
	for _, c := range exactCases() {
		n := c.node(t, e)
		run := n.newRun(c.steps, c.batch, true)
		want := c.pass(t, run)
		if n.model != nil && n.model.Slab != nil {
			t.Errorf("%v: the model keeps its parameters", c)
		}
		for _, k := range []*constant{c.w, c.r, c.b, c.p} {
			if k != nil {
				clear(k.data)
			}
		}
		c.same(t, "without its constants", c.pass(t, run), want)
	}
}
