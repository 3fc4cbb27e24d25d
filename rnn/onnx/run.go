package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// maxValues is the maximum number of elements of an input that decides the plan.
const maxValues = 4096

// Plans that are kept for the next run of the same shapes. The latest is always kept.
const (
	maxIdle         = 64
	maxIdleElements = 1 << 27 // 512 MiB of floats
)

// idleSum is the number of idle plans, and of their elements.
type idleSum struct{ plans, elements int }

// Run computes the graph. in has a tensor for every input. out has a tensor for each output
// that is wanted; Run sets its shape and its elements, in the memory that the tensor has
// if that is large enough.
//
// The first run with inputs of some shapes makes a plan and its memory, and so does the
// first that runs beside others. Later runs allocate nothing. The model keeps the memory
// of up to 64 plans.
//
// It returns an error if an input is missing, unknown or has a wrong shape, if an operator
// can't take the shapes, or if an id or a length is out of range. Then out is unchanged.
func (m *Model) Run(in, out map[string]*Tensor) error {
	p, err := m.take(in, out)
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	for i, t := range p.inputs {
		given := in[m.inputs[i].Name]
		copy(t.floats, given.Floats)
		copy(t.ints, given.Ints)
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
				o.Floats, o.Ints = append(o.Floats[:0], t.floats[:n]...), nil
			} else {
				o.Floats, o.Ints = nil, append(o.Ints[:0], t.ints[:n]...)
			}
		}
	}
	m.give(p)
	return nil
}

// take returns a plan for the inputs.
func (m *Model) take(in, out map[string]*Tensor) (*plan, error) {
	if err := m.checkTensors(in, out); err != nil {
		return nil, err
	}
	var room [512]byte
	for {
		m.mu.Lock()
		key := room[:0]
		for i := range m.inputs {
			t := in[m.inputs[i].Name]
			key = binary.AppendUvarint(key, uint64(len(t.Shape)))
			for _, d := range t.Shape {
				key = binary.AppendUvarint(key, uint64(d))
			}
			if m.byValue[i] {
				for _, v := range t.Ints {
					key = binary.AppendVarint(key, v)
				}
			}
		}
		if list := m.idle[string(key)]; len(list) > 0 {
			p := list[len(list)-1]
			m.idle[p.key] = list[:len(list)-1]
			m.idleSum.plans--
			m.idleSum.elements -= p.size
			m.mu.Unlock()
			return p, nil
		}
		byValue := slices.Clone(m.byValue)
		m.mu.Unlock()

		p, err := m.compile(string(key), in, byValue)
		var need *needsValues
		if !errors.As(err, &need) {
			return p, err
		}
		for _, i := range need.inputs {
			name := m.inputs[i].Name
			if n := len(in[name].Ints); n > maxValues {
				return nil, fmt.Errorf("the values of input %s decide the shapes of the run, and it has %d of them: at most %d are supported", quote(name), n, maxValues)
			}
			m.mu.Lock()
			m.byValue[i] = true
			m.mu.Unlock()
		}
	}
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
	for i := range m.inputs {
		v := &m.inputs[i]
		t := in[v.Name]
		if t == nil {
			return fmt.Errorf("input %s is missing: give a tensor of type %v", quote(v.Name), v.Type)
		}
		if err := v.check(t); err != nil {
			return fmt.Errorf("input %s: %w", quote(v.Name), err)
		}
	}
	if len(in) > len(m.inputs) {
		for name := range in {
			if !slices.ContainsFunc(m.inputs, func(v Value) bool { return v.Name == name }) {
				return fmt.Errorf("the model has no input %s: it has %s", quote(name), names(m.inputs))
			}
		}
	}
	for name, t := range out {
		if t == nil {
			return fmt.Errorf("the tensor for output %s is nil", quote(name))
		}
		if !slices.ContainsFunc(m.outputs, func(v Value) bool { return v.Name == name }) {
			return fmt.Errorf("the model has no output %s: it has %s", quote(name), names(m.outputs))
		}
	}
	return nil
}

func names(values []Value) string {
	s := ""
	for i, v := range values {
		if i > 0 {
			s += ", "
		}
		s += quote(v.Name)
	}
	return s
}

// check returns an error unless t is a tensor of this value.
func (v *Value) check(t *Tensor) error {
	n := 1
	for _, d := range t.Shape {
		if d < 0 || d > 0 && n > maxElements/d {
			return fmt.Errorf("shape %v is impossible or has more than the %d elements that are supported", t.Shape, maxElements)
		}
		n *= d
	}
	switch floats, ints := len(t.Floats), len(t.Ints); {
	case v.Shape != nil && len(t.Shape) != len(v.Shape):
		return fmt.Errorf("shape %v has %d dimensions, want %d: %v", t.Shape, len(t.Shape), len(v.Shape), v.Shape)
	case v.Type == Float && (floats != n || ints != 0), v.Type != Float && (ints != n || floats != 0):
		return fmt.Errorf("%d floats and %d integers of shape %v, want %d elements of type %v", floats, ints, t.Shape, n, v.Type)
	}
	for i, d := range v.Shape {
		if d >= 0 && t.Shape[i] != d {
			return fmt.Errorf("shape %v, want %v, where -1 is any size", t.Shape, v.Shape)
		}
	}
	return nil
}
