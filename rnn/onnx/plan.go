package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"batchrnn/kernels"
)

// A plan computes the graph for inputs of given shapes. It has all memory that this
// takes. One goroutine at a time uses a plan.
type plan struct {
	key             string
	inputs, outputs []*tensor
	steps           []step
	size            int   // of its memory, in elements
	work            int64 // of a run: see maxWork
	given           int64 // when it was last given back
}

type step struct {
	n   *node
	run func() error
}

// What a run may take: a small file can ask for any size.
var (
	// maxElements is the maximum number of elements that a plan allocates, 4 GiB of floats.
	maxElements = min(1<<30, math.MaxInt/32)
	// maxWork is the maximum number of multiply-adds of a run, minutes of one core.
	maxWork int64 = 1 << 43
)

// What the constants of a file may take: 256 MiB of floats, besides as many elements as the
// file has bytes, and seconds of one core.
const (
	maxFixedElements = 1 << 26
	maxFixedWork     = 1 << 36
)

// limits are what a plan may take.
type limits struct {
	elements int
	work     int64
	remedy   string
}

// fixedLimits returns the limits of what depends on the file alone.
func (m *Model) fixedLimits() limits {
	return limits{min(maxElements, maxFixedElements+m.size), min(maxWork, maxFixedWork), "export the model with smaller constants"}
}

// What a plan counts apart from elements and multiply-adds.
const (
	elementWork = 32   // the work on an element outside of products, in multiply-adds
	callWork    = 4096 // the work of a call of a kernel beside that on its elements
	nodeSize    = 256  // the memory of a node's steps, in elements
)

// A compiler makes a plan.
type compiler struct {
	m      *Model
	plan   *plan
	limits limits
}

// A scope holds the tensors of a graph by their names.
type scope struct {
	g     *graph
	named map[string]*tensor
	outer *scope
}

func (s *scope) find(name string) *tensor {
	for ; s != nil; s = s.outer {
		if t := s.named[name]; t != nil {
			return t
		}
		if t := s.g.constants[name]; t != nil {
			return t
		}
	}
	return nil
}

// needsValues says that a plan depends on the elements of some inputs.
type needsValues struct{ inputs []int }

func (e *needsValues) Error() string { return "the plan depends on the values of inputs" }

// A call is a node whose plan is being made.
type call struct {
	*compiler
	n  *node
	s  *scope
	in []*tensor // [inputs], nil for those that are left out
	// known says that all inputs are known, fixed that they are the same in every plan.
	known, fixed bool
}

// compile makes the plan for inputs of these shapes, and of these values if byValue.
func (m *Model) compile(key string, in map[string]*Tensor, byValue []bool) (*plan, error) {
	m.compiling.Lock()
	defer m.compiling.Unlock()
	c := &compiler{m, &plan{key: key}, limits{maxElements, maxWork, "split the batch or the sequence"}}
	s := &scope{m.main, map[string]*tensor{}, nil}
	for i, v := range m.inputs {
		given := in[v.Name]
		t, err := c.alloc(v.Type, slices.Clone(given.Shape), nil)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", quote(v.Name), err)
		}
		t.shared = true
		if v.Type != Float {
			t.from = []int{i}
		}
		if byValue[i] {
			t.known, t.from = true, nil
			t.take(given)
		}
		s.named[v.Name] = t
		c.plan.inputs = append(c.plan.inputs, t)
	}
	out, err := c.graph(s)
	if err != nil {
		return nil, err
	}
	for _, t := range out {
		flat, err := c.flat(t)
		if err != nil {
			return nil, err
		}
		c.plan.outputs = append(c.plan.outputs, flat)
	}
	return c.plan, nil
}

// graph makes the steps of a graph, and returns its outputs.
func (c *compiler) graph(s *scope) ([]*tensor, error) {
	if err := c.m.settle(s); err != nil {
		return nil, err
	}
	for _, n := range s.g.nodes {
		if err := c.node(s, n); err != nil {
			return nil, err
		}
	}
	var out []*tensor
	for _, name := range s.g.outputs {
		out = append(out, s.find(name))
	}
	return out, nil
}

// node makes the steps of a node, and names its outputs.
func (c *compiler) node(s *scope, n *node) error {
	op, err := c.m.operator(n)
	if err != nil {
		return err
	}
	call := &call{compiler: c, n: n, s: s, known: true, fixed: true}
	work := int64(0)
	for _, name := range n.inputs {
		var t *tensor
		if name != "" {
			t = s.find(name)
			call.known, call.fixed = call.known && t.known, call.fixed && t.fixed
			work += elementWork * int64(t.count())
		}
		call.in = append(call.in, t)
	}
	out, err := call.outputs(op, work)
	if need := (*needsValues)(nil); errors.As(err, &need) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n.label, err)
	}
	for i, name := range n.outputs {
		if name == "" {
			continue
		}
		if out[i].fixed && !call.fixed { // such as a view whose shape depends on the inputs
			t := *out[i]
			t.fixed = false
			out[i] = &t
		}
		if j := slices.Index(call.in, out[i]); j >= 0 && !call.alone(j) { // others read it by its first name
			out[i].shared = true
		}
		s.named[name] = out[i]
	}
	return nil
}

// outputs makes the steps of the call, and returns its outputs. work is that on the inputs.
func (c *call) outputs(op operator, work int64) ([]*tensor, error) {
	if err := c.spend(work + callWork); err != nil {
		return nil, err
	}
	if err := c.grow(nodeSize); err != nil {
		return nil, err
	}
	out, err := op.plan(c)
	if err != nil {
		return nil, err
	}
	for i, name := range c.n.outputs {
		if name == "" {
			continue
		}
		if i >= len(out) || out[i] == nil {
			return nil, fmt.Errorf("output %d, %s, is not supported: export the model without it", i, quote(name))
		}
		if _, err := extent(out[i].shape); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// alloc returns a tensor with memory of its own. order is a tensor of the same shape whose
// order of axes in memory it takes, or nil for row-major.
func (c *compiler) alloc(kind Type, shape []int, order *tensor) (*tensor, error) {
	n, err := c.fits(shape)
	if err != nil {
		return nil, err
	}
	if err := c.grow(n); err != nil {
		return nil, err
	}
	if err := c.spend(elementWork * int64(n)); err != nil {
		return nil, err
	}
	t := &tensor{kind: kind, shape: shape, stride: rowMajor(shape)}
	if order != nil {
		k := 1
		for _, axis := range byStride(order.shape, order.stride) {
			t.stride[axis] = k
			k *= shape[axis]
		}
	}
	if kind == Float {
		t.floats = kernels.Floats(n)
	} else {
		t.ints = make([]int64, n)
	}
	return t, nil
}

// fits returns the number of elements of a shape. It returns an error if the plan can't
// have as many more.
func (c *compiler) fits(shape []int) (int, error) {
	if _, err := extent(shape); err != nil {
		return 0, err
	}
	n := count(shape)
	if n > c.limits.elements-c.plan.size {
		return 0, fmt.Errorf("a tensor of shape %.200s would bring the memory above the %d elements that are supported: %s", fmt.Sprint(shape), c.limits.elements, c.limits.remedy)
	}
	return n, nil
}

// grow adds elements to the plan's memory.
func (c *compiler) grow(n int) error {
	if n > c.limits.elements-c.plan.size {
		return fmt.Errorf("%d elements more would bring the memory above the %d that are supported: %s", n, c.limits.elements, c.limits.remedy)
	}
	c.plan.size += n
	return nil
}

// spend adds multiply-adds to the plan's work.
func (c *compiler) spend(work int64, factors ...int) error {
	for _, f := range factors {
		if f > 0 && work > c.limits.work/int64(f) {
			work = c.limits.work + 1
			break
		}
		work *= int64(f)
	}
	if work > c.limits.work-c.plan.work {
		return fmt.Errorf("it would bring the work above the %d multiply-adds that are supported: %s", c.limits.work, c.limits.remedy)
	}
	c.plan.work += work
	return nil
}

// out returns a new tensor for an output of the call, row-major, or in the order of axes
// of a tensor.
func (c *call) out(kind Type, shape []int, order *tensor) (*tensor, error) {
	t, err := c.alloc(kind, shape, order)
	if err != nil {
		return nil, err
	}
	t.known, t.fixed, t.own = c.known, c.fixed, true
	if kind != Float && !c.known {
		for _, in := range c.in {
			switch {
			case in == nil || in.known:
			case in.kind == Float:
				t.dynamic = true
			default:
				t.dynamic = t.dynamic || in.dynamic
				for _, i := range in.from {
					if !slices.Contains(t.from, i) {
						t.from = append(t.from, i)
					}
				}
			}
		}
	}
	return t, nil
}

// over returns a tensor of floats for an output of the call. It has the memory of input i if
// the node alone reads that, and if the input has this shape. Otherwise it is that of out.
func (c *call) over(i int, shape []int, order *tensor) (*tensor, error) {
	t := c.in[i]
	if t.own && !t.known && t.kind == Float && c.alone(i) && slices.Equal(t.shape, shape) && t.dense() {
		t = t.view(shape, t.stride, 0)
		t.own = true
		return t, nil
	}
	return c.out(Float, shape, order)
}

// unread returns a tensor in the place of an output that nothing reads.
func (c *call) unread(shape []int) (*tensor, error) {
	if _, err := c.fits(shape); err != nil {
		return nil, err
	}
	return &tensor{kind: Float, shape: shape, stride: make([]int, len(shape)), floats: make([]float32, 1)}, nil
}

// step adds a step to the plan. If all inputs of the call are known, it runs at once.
func (c *call) step(run func() error) error {
	if c.known {
		return run()
	}
	c.plan.steps = append(c.plan.steps, step{c.n, run})
	return nil
}

// flat returns a row-major tensor of t's elements and no more. It is a view of t, or a copy
// that a step makes.
func (c *compiler) flat(t *tensor) (*tensor, error) {
	if t == nil {
		return nil, nil
	}
	if t.flat() {
		t = t.view(t.shape, rowMajor(t.shape), 0)
		if t.kind == Float {
			t.floats = t.floats[:t.count()]
		} else {
			t.ints = t.ints[:t.count()]
		}
		return t, nil
	}
	d, err := c.alloc(t.kind, t.shape, nil)
	if err != nil {
		return nil, err
	}
	d.known, d.fixed, d.from, d.dynamic = t.known, t.fixed, t.from, t.dynamic
	run := newCopy(d, t)
	if t.known {
		return d, run()
	}
	c.plan.steps = append(c.plan.steps, step{run: run}) // a copy needs no node: it never fails
	return d, nil
}

// flatInput returns input i, row-major, or nil if it is left out.
func (c *call) flatInput(i int) (*tensor, error) {
	if !c.has(i) {
		return nil, nil
	}
	return c.flat(c.in[i])
}

// has says whether the node has input i.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil }

// values returns the elements of input i, which must be integers that are known.
func (c *call) values(i int) ([]int64, error) {
	t := c.in[i]
	switch {
	case t.kind == Float:
		return nil, fmt.Errorf("input %d, %s, has type float, want integers", i, quote(c.n.inputs[i]))
	case t.known:
		t, err := c.flat(t)
		if err != nil {
			return nil, err
		}
		return t.ints[:t.count()], nil
	case t.dynamic || len(t.from) == 0:
		return nil, fmt.Errorf("input %d, %s, depends on floats of the run, and must be known before: export the model without that", i, quote(c.n.inputs[i]))
	}
	return nil, &needsValues{t.from}
}

// alone says whether the node alone reads its input i.
func (c *call) alone(i int) bool {
	name := c.n.inputs[i]
	return c.s.named[name] != nil && c.s.g.uses[name] == 1 && !c.in[i].shared
}

// The attributes of a call. Each has the default that the operator gives it.

func (c *call) attribute(name string) *attributeProto {
	for i := range c.n.attributes {
		if c.n.attributes[i].name == name {
			return &c.n.attributes[i]
		}
	}
	return nil
}

func (c *call) integer(name string, other int64) int64 {
	if a := c.attribute(name); a != nil {
		return a.i
	}
	return other
}

func (c *call) float(name string, other float32) float32 {
	if a := c.attribute(name); a != nil {
		return a.f
	}
	return other
}

func (c *call) text(name, other string) string {
	if a := c.attribute(name); a != nil {
		return a.s
	}
	return other
}

func (c *call) integers(name string) []int64 {
	if a := c.attribute(name); a != nil {
		return a.ints
	}
	return nil
}

// axis returns an axis of rank dimensions, counted from the end if it is negative.
func axis(a int64, rank int) (int, error) {
	if a < -int64(rank) || a >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside a tensor of %d dimensions", a, rank)
	}
	if a < 0 {
		a += int64(rank)
	}
	return int(a), nil
}
