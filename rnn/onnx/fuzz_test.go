package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"batchrnn/kernels"
)

// limit lowers the limits of a plan during a test, so that a hostile model can be told
// from a large one.
func limit(t testing.TB, elements int, work int64) {
	e, w := maxElements, maxWork
	maxElements, maxWork = elements, work
	t.Cleanup(func() { maxElements, maxWork = e, w })
}

const (
	fuzzElements = 1 << 16
	fuzzWork     = 1 << 28
	// What a file and a plan may allocate in bytes: a multiple of the file's size, and of
	// the elements of a plan.
	perByte    = 200
	perElement = 4 * 16
	perRun     = 1 << 20
)

// survives loads b as a model and runs it, if that is possible. Errors must be one line
// for people. Memory must be in proportion to b.
func survives(t *testing.T, e *kernels.Engine, b []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := Load(e, bytes.NewReader(b))
	runs := 1
	for free := 1; free <= 3 && err == nil; free++ {
		in, out := small(m, free), outputsOf(m)
		if in == nil {
			break
		}
		for range 2 { // the second has the plan of the first
			runs++
			err := m.Run(in, out)
			checkError(t, err)
			if err != nil {
				break
			}
			checkOutputs(t, out)
		}
	}
	checkError(t, err)
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if most := uint64(perByte*len(b) + runs*(perElement*fuzzElements+perRun)); allocated > most {
		t.Errorf("%d bytes were allocated for a file of %d bytes and %d runs, want at most %d: %v", allocated, len(b), runs, most, err)
	}
}

// checkError fails unless err is nil or one line that is not too long.
func checkError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	s := err.Error()
	if !strings.HasPrefix(s, "onnx: ") || strings.ContainsAny(s, "\n\r") || len(s) > 3000 {
		t.Errorf("the error is not one short line: %q", s)
	}
}

// checkOutputs fails unless each output has as many elements as its shape.
func checkOutputs(t *testing.T, out map[string]*Tensor) {
	t.Helper()
	for name, o := range out {
		if n := count(o.Shape); len(o.Floats)+len(o.Ints) != n {
			t.Errorf("output %q of shape %v has %d floats and %d integers", name, o.Shape, len(o.Floats), len(o.Ints))
		}
	}
}

func fuzzEngine(f *testing.F) *kernels.Engine {
	e, err := kernels.New("", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(e.Close)
	limit(f, fuzzElements, fuzzWork)
	return e
}

// FuzzLoad loads any bytes, and runs what can be loaded.
func FuzzLoad(f *testing.F) {
	e := fuzzEngine(f)
	for _, s := range seeds() {
		f.Add(s.bytes())
	}
	f.Add([]byte{})
	f.Add([]byte("not a model"))
	f.Fuzz(func(t *testing.T, b []byte) { survives(t, e, b) })
}

// FuzzGraph joins seeds to one graph and changes it at random places, so that more of the
// models can be loaded than of FuzzLoad's.
func FuzzGraph(f *testing.F) {
	e := fuzzEngine(f)
	all := seeds()
	var files [][]byte
	for i, s := range all {
		files = append(files, s.bytes())
		f.Add([]byte{byte(i), byte(i + 1), byte(i * 7)}, []byte{})
		f.Add([]byte{byte(i)}, []byte{byte(i), 3, 1, byte(2 * i), byte(i), 4, 1, 1, 7})
	}
	f.Fuzz(func(t *testing.T, parts, changes []byte) {
		m := joined(files, parts)
		if m == nil {
			return
		}
		for d := (dice{changes}); len(d.b) > 0; {
			mutate(m, &d)
		}
		b := m.encode(nil)
		if len(b) < 1<<16 {
			survives(t, e, b)
		}
	})
}

// joined returns a model of the nodes of some files. The first input of each but the first
// is an output of the one before.
func joined(files [][]byte, parts []byte) *modelProto {
	var m *modelProto
	for k, part := range parts {
		if k == 8 {
			break
		}
		next := new(modelProto)
		if err := new(reader).model(next, files[int(part)%len(files)]); err != nil {
			panic(err)
		}
		if m == nil {
			m = next
			continue
		}
		prefix := fmt.Sprint(k, ".")
		g := &next.graph
		names := map[string]string{}
		if len(g.inputs) > 0 && len(m.graph.outputs) > 0 {
			names[g.inputs[0].name] = m.graph.outputs[0].name
			g.inputs = g.inputs[1:]
		}
		rename(g, prefix, names)
		m.graph.nodes = append(m.graph.nodes, g.nodes...)
		m.graph.initializers = append(m.graph.initializers, g.initializers...)
		m.graph.inputs = append(m.graph.inputs, g.inputs...)
		m.graph.outputs = append(g.outputs, m.graph.outputs...)
	}
	return m
}

// rename gives the names of a graph a prefix, except those in names.
func rename(g *graphProto, prefix string, names map[string]string) {
	to := func(s *string) {
		if other, ok := names[*s]; ok {
			*s = other
		} else if *s != "" {
			*s = prefix + *s
		}
	}
	for _, n := range g.nodes {
		for i := range n.inputs {
			to(&n.inputs[i])
		}
		for i := range n.outputs {
			to(&n.outputs[i])
		}
		for _, a := range n.attributes {
			if a.g != nil {
				rename(a.g, prefix, names)
			}
		}
	}
	for _, t := range g.initializers {
		to(&t.name)
	}
	for i := range g.inputs {
		to(&g.inputs[i].name)
	}
	for i := range g.outputs {
		to(&g.outputs[i].name)
	}
}

// dice are the choices of a fuzzer.
type dice struct{ b []byte }

func (d *dice) below(n int) int {
	if len(d.b) == 0 || n == 0 {
		return 0
	}
	v := int(d.b[0])
	d.b = d.b[1:]
	return v % n
}

// number returns a number that matters somewhere: small, huge or negative.
func (d *dice) number() int64 {
	return []int64{0, 1, 2, 3, 4, 5, 7, 8, 16, 64, 1000, 1 << 14, 1 << 16, 1 << 20, 1 << 31, 1 << 33, 1 << 62, -1, -2, -3, -4, -1 << 31, -1 << 63}[d.below(23)]
}

// mutate changes one thing of a model.
func mutate(m *modelProto, d *dice) {
	g := &m.graph
	var names []string
	collect := func(g *graphProto) {
		for _, n := range g.nodes {
			names = append(names, n.inputs...)
			names = append(names, n.outputs...)
		}
	}
	collect(g)
	for len(g.nodes) > 0 { // into a branch
		n := g.nodes[d.below(len(g.nodes))]
		var inner []*graphProto
		for _, a := range n.attributes {
			if a.g != nil {
				inner = append(inner, a.g)
			}
		}
		if len(inner) == 0 || d.below(3) == 0 {
			break
		}
		g = inner[d.below(len(inner))]
		collect(g)
	}
	name := func() string {
		if len(names) == 0 {
			return ""
		}
		return names[d.below(len(names))]
	}
	var n *nodeProto
	if len(g.nodes) > 0 {
		n = g.nodes[d.below(len(g.nodes))]
	}
	switch what := d.below(18); {
	case what == 0:
		m.opsets = []opsetProto{{"", int64(5 + d.below(22))}}
	case (what == 1 || what > 15) && len(g.initializers) > 0:
		t := g.initializers[d.below(len(g.initializers))]
		switch d.below(8) {
		case 0:
			t.kind = []Type{Float, Int64, Int32, Bool, Double, Float16, 8, 0}[d.below(8)]
		case 1:
			t.dims = append(t.dims, d.number())
		case 2:
			slices.Reverse(t.dims)
		case 3:
			*t = *newInts(t.name, []int64{d.number(), d.number()}, 2)
		default: // one of the integers, such as an axis or a size
			if n := len(t.raw) / 8; t.kind == Int64 && n > 0 {
				binary.LittleEndian.PutUint64(t.raw[8*d.below(n):], uint64(d.number()))
			}
		}
	case what == 2 && len(g.inputs) > 0:
		v := &g.inputs[d.below(len(g.inputs))]
		switch d.below(4) {
		case 0:
			v.kind = []Type{Float, Int64, Int32, Bool}[d.below(4)]
		case 1:
			v.dims = append(v.dims, dimProto{size: d.number(), sized: true})
		case 2:
			v.dims = v.dims[:d.below(len(v.dims)+1)]
		default:
			v.ranked = false
		}
	case what == 3:
		g.outputs = append(g.outputs, newValue(name(), Float))
	case n == nil:
	case what == 4 && len(n.inputs) > 0:
		n.inputs[d.below(len(n.inputs))] = name()
	case what == 5 && len(n.inputs) > 0:
		n.inputs[d.below(len(n.inputs))] = ""
	case what == 6:
		n.inputs = append(n.inputs, name())
	case what == 7 && len(n.outputs) > 0:
		n.outputs[d.below(len(n.outputs))] = name()
	case what == 8:
		all := operatorNames()
		n.op = all[d.below(len(all))]
	case what == 9: // the same node again, with other names
		twin := *n
		twin.inputs, twin.outputs = slices.Clone(n.inputs), nil
		for _, out := range n.outputs {
			twin.outputs = append(twin.outputs, out+"'")
		}
		if len(twin.inputs) > 0 && len(n.outputs) > 0 {
			twin.inputs[0] = n.outputs[0]
		}
		g.nodes = append(g.nodes, &twin)
		if len(twin.outputs) > 0 {
			g.outputs = append(g.outputs, newValue(twin.outputs[0], Float))
		}
	case what == 10:
		k := d.below(len(g.nodes))
		g.nodes = slices.Delete(g.nodes, k, k+1)
	case what == 11 && len(n.attributes) > 0:
		k := d.below(len(n.attributes))
		n.attributes = slices.Delete(n.attributes, k, k+1)
	case what == 12: // an attribute of the operator
		var known []string
		for a := range operators[n.op].attributes {
			known = append(known, a)
		}
		if slices.Sort(known); len(known) == 0 {
			break
		}
		a := known[d.below(len(known))]
		switch operators[n.op].attributes[a] {
		case attributeInt:
			n.attributes = append(n.attributes, intAttribute(a, d.number()))
		case attributeInts:
			n.attributes = append(n.attributes, intsAttribute(a, d.number(), d.number()))
		case attributeFloat:
			n.attributes = append(n.attributes, floatAttribute(a, float32(d.number())))
		case attributeString:
			n.attributes = append(n.attributes, textAttribute(a, []string{"", "reverse", "edge", "VALID", "x\ny"}[d.below(5)]))
		}
	case what == 13 && len(n.attributes) > 0:
		a := &n.attributes[d.below(len(n.attributes))]
		a.i, a.f = d.number(), float32(d.number())
		for i := range a.ints {
			a.ints[i] = d.number()
		}
	case what == 14 && len(n.attributes) > 0:
		a := &n.attributes[d.below(len(n.attributes))]
		a.kind = int64(d.below(12))
	}
}

// operatorNames returns all operators in one order, and some that don't exist.
var operatorNames = sync.OnceValue(func() (names []string) {
	for op := range operators {
		names = append(names, op)
	}
	slices.Sort(names)
	return append(names, "Loop", "")
})
