package rnn

import (
	"fmt"
	"reflect"
	"testing"

	"batchrnn/kernels"
)

// TestSizes: what a configuration says that a model will weigh is what it
// weighs.
func TestSizes(t *testing.T) {
	eachEngine(t, []int{1}, func(t *testing.T, e *kernels.Engine) {
		for _, c := range append([]Config{
			{Input: 1, Layers: 1, Hidden: 1},
			{Input: 65, Layers: 1, Hidden: 256, Output: 65},
			{Input: 33, Dense: true, Layers: 1, Hidden: 65},
			{Input: 7, Dense: true, Layers: 1, Hidden: 48, Output: 1},
			{Input: 500, Layers: 1, Hidden: 31, Output: 499},
			{Input: 50, Layers: 1, Hidden: 31, Output: 50, Tied: true},
			{Input: 50, Layers: 3, Hidden: 31, Output: 50, Tied: true, Residual: true},
			{Input: 50, Layers: 2, Hidden: 31, Output: 9, Bidirectional: true, LastStep: true},
			{Input: 7, Dense: true, Layers: 3, Hidden: 65, Bidirectional: true},
			{Input: 50, Layers: 2, Hidden: 67, Output: 400, Bidirectional: true, Cutoffs: []int{20, 100}},
			{Input: 500, Layers: 1, Hidden: 67, Output: 499, Cutoffs: []int{20, 100, 300}},
			{Input: 5, Dense: true, Layers: 1, Hidden: 3, Output: 40, Cutoffs: []int{1, 2}},
			{Input: 50, Cell: LSTM, Dense: true, Layers: 1, Hidden: 100, Projection: 33, TwoBiases: true},
			{Input: 50, Cell: GRU, Layers: 1, Hidden: 1},
			{Input: 50, Embedding: 70, Layers: 1, Hidden: 31, Output: 49},
			{Input: 50, Embedding: 67, Cell: GRU, Layers: 1, Hidden: 67, Output: 50, Tied: true},
		}, eachCell(Config{Input: 50, Layers: 2, Hidden: 67, Output: 40, Bidirectional: true})...) {
			name := fmt.Sprintf("%+v", c)
			m := newModel(t, e, c, 1)
			if got := len(m.Slab); got != c.Params() {
				t.Errorf("%s: %d parameters, Params says %d", name, got, c.Params())
			}
			if n := partsLen(m); n != len(m.Slab) {
				t.Errorf("%s: the parts hold %d parameters, the slab %d", name, n, len(m.Slab))
			}
			ws := m.NewTraining(7, 3)
			// The rest is small: a row of states for each sequence, and a layer's worth
			// where not all layers have it.
			if bytes, said := passBytes(ws), c.PassBytes(7, 3); bytes > said || said > bytes*5/4 {
				t.Errorf("%s: passes take %d bytes, PassBytes says %d", name, bytes, said)
			}
			if bytes := 4*int64(len(m.Slab)) + packedBytes(m); bytes != c.TrainingBytes(e) {
				t.Errorf("%s: %d bytes, TrainingBytes says %d", name, bytes, c.TrainingBytes(e))
			}
			m.Compact()
			if bytes := 4*int64(partsLen(m)) + packedBytes(m); bytes != c.Bytes(e) {
				t.Errorf("%s: %d bytes, Bytes says %d", name, bytes, c.Bytes(e))
			}
		}
	})
}

// partsLen returns the number of floats in all parts of the parameters.
func partsLen(m *Model) int {
	n := len(m.We) + len(m.Wy) + len(m.By)
	for _, c := range m.Cells {
		n += len(c.Wx) + len(c.Wh) + len(c.Bh) + len(c.Br) + len(c.Wr)
	}
	for _, t := range m.Tails {
		n += len(t.Proj) + len(t.Wy) + len(t.By)
	}
	return n
}

// passBytes returns the bytes of a training workspace's activations and gradients.
func passBytes(ws *Workspace) int64 {
	n := len(ws.grads[0]) + len(ws.grads[1]) + len(ws.back.dz) + len(ws.back.dp) + len(ws.embedded) + len(ws.dembedded)
	for _, l := range ws.layers {
		n += len(l.h) + len(l.c) + len(l.z) + len(l.m) + len(l.g)
		if ws.m.Residual && &l.out[0] != &l.h[ws.B*ws.m.width()] {
			n += len(l.out)
		}
	}
	return 4 * int64(n)
}

// packedBytes returns the bytes of all packed weights, and of the sums of biases.
func packedBytes(m *Model) int64 {
	var all []*kernels.Packed
	for _, weights := range m.packed {
		for _, p := range weights {
			all = append(append(all, p.plain...), p.trans...)
		}
	}
	var n int64
	for _, s := range m.sums {
		n += 4 * int64(len(s))
	}
	for _, p := range all {
		if p != nil {
			n += 4 * int64(reflect.ValueOf(p).Elem().FieldByName("data").Len())
		}
	}
	return n
}

// TestSlabParts: the parts lie in the slab one after another and can't grow into
// each other.
func TestSlabParts(t *testing.T) {
	for _, c := range eachCell(Config{Input: 2, Embedding: 5, Layers: 2, Bidirectional: true, Hidden: 3, Output: 14, Cutoffs: []int{4, 9}}) {
		checkSlabParts(t, newParams(c))
	}
}

func checkSlabParts(t *testing.T, p Params) {
	t.Helper()
	for i := range p.Slab {
		p.Slab[i] = float32(i)
	}
	first := float32(0)
	parts := [][]float32{p.We}
	for _, c := range p.Cells {
		parts = append(parts, c.Wx, c.Wh, c.Bh)
		if c.Br != nil {
			parts = append(parts, c.Br)
		}
		if c.Wr != nil {
			parts = append(parts, c.Wr)
		}
	}
	parts = append(parts, p.Wy, p.By)
	for _, t := range p.Tails {
		parts = append(parts, t.Proj, t.Wy, t.By)
	}
	for i, part := range parts {
		if part[0] != first || cap(part) != len(part) {
			t.Errorf("part %d begins with element %v of the slab, want %v; length %d, capacity %d", i, part[0], first, len(part), cap(part))
		}
		first += float32(len(part))
	}
}
