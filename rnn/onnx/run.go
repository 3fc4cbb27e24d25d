package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxValues is the maximum number of elements of an input that decides the plan.
const maxValues = 4096

// The plans that are kept for the next run of the same shapes. The latest is always kept.
const (
	maxIdle         = 64
	maxIdleElements = 1 << 27 // 512 MiB of floats
)

// idleSum is the number of idle plans, and of their elements.
type idleSum struct{ plans, elements int }

// Run computes the graph. in has a tensor for every input. out has a tensor for each output
// that is wanted. Run sets its shape and its elements, in the memory that the tensor has
// if that is large enough. A tensor may be in both maps: a state that goes out and in
// again.
//
// The first run with inputs of some shapes makes a plan and its memory. So does a run that
// finds the plan in use by another goroutine. Later runs allocate nothing.
//
// Run returns an error if an input is missing, unknown, or of a wrong type or shape. It
// returns one if an operator can't take the shapes, and if an index or a length is out of
// range. Then out is unchanged.
func (m *Model) Run(in, out map[string]*Tensor) error {
	p, err := m.take(in, out)
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	for i, t := range p.inputs {
		t.take(in[m.inputs[i].Name])
	}
	for i := range p.steps {
		s := &p.steps[i]
		if err := s.run(); err != nil {
			m.give(p)
			return fmt.Errorf("onnx: %s: %w", s.n.label, err)
		}
	}
	for i, t := range p.outputs {
		if o := out[m.outputs[i].Name]; o != nil {
			n := t.count()
			o.Shape = append(o.Shape[:0], t.shape...)
			if t.kind == Float {
				o.Floats, o.Ints = append(o.Floats[:0], t.floats[:n]...), o.Ints[:0]
			} else {
				o.Floats, o.Ints = o.Floats[:0], append(o.Ints[:0], t.ints[:n]...)
			}
		}
	}
	m.give(p)
	return nil
}

// take copies the elements of t.
func (to *tensor) take(t *Tensor) {
	copy(to.floats, t.Floats)
	copy(to.ints, t.Ints)
	if to.kind == Bool {
		for i, v := range to.ints {
			if v != 0 {
				to.ints[i] = 1
			}
		}
	}
}

// take returns a plan for the inputs.
func (m *Model) take(in, out map[string]*Tensor) (*plan, error) {
	if err := m.checkTensors(in, out); err != nil {
		return nil, err
	}
	for {
		m.mu.Lock()
		m.setKey(in)
		key := m.key
		if list := m.idle[string(key)]; len(list) > 0 {
			p := list[len(list)-1]
			m.idle[p.key] = list[:len(list)-1]
			m.idleSum.plans--
			m.idleSum.elements -= p.size
			m.mu.Unlock()
			return p, nil
		}
		byValue, id := slices.Clone(m.byValue), string(key)
		m.mu.Unlock()

		p, err := m.compile(id, in, byValue)
		var need *needsValues
		if !errors.As(err, &need) {
			return p, err
		}
		for _, i := range need.inputs {
			name := m.inputs[i].Name
			if n := len(in[name].Ints); n > maxValues {
				return nil, fmt.Errorf("the values of input %s decide the shapes of the run, and it has %d of them: give at most %d", quote(name), n, maxValues)
			}
			m.mu.Lock()
			m.byValue[i] = true
			m.mu.Unlock()
		}
	}
}

// setKey sets m.key to that of the plan for the inputs: their shapes, and the values of
// those that decide the plan. m.mu must be held.
func (m *Model) setKey(in map[string]*Tensor) {
	key := m.key[:0]
	for i := range m.inputs {
		t := in[m.inputs[i].Name]
		by := uint64(0)
		if m.byValue[i] {
			by = 1
		}
		key = binary.AppendUvarint(key, uint64(len(t.Shape))<<1|by)
		for _, d := range t.Shape {
			key = binary.AppendUvarint(key, uint64(d))
		}
		if m.byValue[i] {
			for _, v := range t.Ints {
				key = binary.AppendVarint(key, v)
			}
		}
	}
	m.key = key
}

// give takes back a plan. It drops the plans that were not used for longest if there are
// too many.
func (m *Model) give(p *plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock++
	p.given = m.clock
	m.idle[p.key] = append(m.idle[p.key], p)
	m.idleSum.plans++
	m.idleSum.elements += p.size
	for m.idleSum.plans > 1 && (m.idleSum.plans > maxIdle || m.idleSum.elements > maxIdleElements) {
		m.dropOldest()
	}
}

func (m *Model) dropOldest() {
	var oldest *plan
	for _, list := range m.idle {
		if len(list) > 0 && (oldest == nil || list[0].given < oldest.given) {
			oldest = list[0]
		}
	}
	list := slices.Delete(m.idle[oldest.key], 0, 1)
	if len(list) == 0 {
		delete(m.idle, oldest.key)
	} else {
		m.idle[oldest.key] = list
	}
	m.idleSum.plans--
	m.idleSum.elements -= oldest.size
}

// checkTensors checks the names, types and shapes of a run's tensors.
func (m *Model) checkTensors(in, out map[string]*Tensor) error {
	found := 0
	for i := range m.inputs {
		v := &m.inputs[i]
		t := in[v.Name]
		if t == nil {
			continue
		}
		if err := v.check(t); err != nil {
			return fmt.Errorf("input %s: %w", quote(v.Name), err)
		}
		found++
	}
	if len(in) > found { // a wrong name explains that another is missing
		for name, t := range in {
			switch {
			case !slices.ContainsFunc(m.inputs, func(v Value) bool { return v.Name == name }):
				return fmt.Errorf("the model has no input %s: give %s", quote(name), names(m.inputs))
			case t == nil:
				return fmt.Errorf("the tensor for input %s is nil", quote(name))
			}
		}
	}
	for i := range m.inputs {
		if v := &m.inputs[i]; in[v.Name] == nil {
			return fmt.Errorf("input %s is missing: give a tensor %s", quote(v.Name), v.kind())
		}
	}
	for name, t := range out {
		if t == nil {
			return fmt.Errorf("the tensor for output %s is nil: give one, which may be empty", quote(name))
		}
		if !slices.ContainsFunc(m.outputs, func(v Value) bool { return v.Name == name }) {
			return fmt.Errorf("the model has no output %s: ask for %s", quote(name), names(m.outputs))
		}
	}
	return nil
}

// names lists values for an error message.
func names(values []Value) string {
	const most = 20
	var all []string
	for i, v := range values {
		if i == most {
			all = append(all, fmt.Sprintf("%d more", len(values)-most))
			break
		}
		all = append(all, quote(v.Name))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// check returns an error unless t is a tensor of this value.
func (v *Value) check(t *Tensor) error {
	if _, err := extent(t.Shape); err != nil {
		return err
	}
	n := count(t.Shape)
	floats, ints := len(t.Floats), len(t.Ints)
	switch {
	case v.Shape != nil && len(t.Shape) != len(v.Shape):
		return fmt.Errorf("shape %v has %d dimensions, want %d: %s", t.Shape, len(t.Shape), len(v.Shape), v.kind())
	case v.Type == Float && (floats != n || ints != 0):
		return fmt.Errorf("shape %v with %d floats and %d integers, want %d floats: %s", t.Shape, floats, ints, n, v.kind())
	case v.Type != Float && (ints != n || floats != 0):
		return fmt.Errorf("shape %v with %d floats and %d integers, want %d integers: %s", t.Shape, floats, ints, n, v.kind())
	}
	for i, d := range v.Shape {
		if d >= 0 && t.Shape[i] != d {
			return fmt.Errorf("shape %v, want %s", t.Shape, v.kind())
		}
	}
	if v.Type == Int32 {
		for i, e := range t.Ints {
			if e != int64(int32(e)) {
				return fmt.Errorf("element %d is %d, which is no int32", i, e)
			}
		}
	}
	return nil
}
