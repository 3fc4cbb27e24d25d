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
		for _, c := range []Config{
			{Input: 1, Hidden: 1},
			{Input: 65, Hidden: 256, Output: 65},
			{Input: 33, Dense: true, Hidden: 65},
			{Input: 7, Dense: true, Hidden: 48, Output: 1},
			{Input: 500, Hidden: 31, Output: 499},
		} {
			name := fmt.Sprintf("%+v", c)
			m := newModel(t, e, c, 1)
			if got := len(m.Slab); got != c.Params() {
				t.Errorf("%s: %d parameters, Params says %d", name, got, c.Params())
			}
			if n := len(m.Wx) + len(m.Wh) + len(m.Bh) + len(m.Wy) + len(m.By); n != len(m.Slab) {
				t.Errorf("%s: the parts hold %d parameters, the slab %d", name, n, len(m.Slab))
			}
			bytes := 4 * int64(len(m.Slab))
			for _, p := range []*kernels.Packed{m.wx, m.wh, m.wy, m.wxT, m.whT, m.wyT} {
				if p != nil {
					bytes += 4 * int64(reflect.ValueOf(p).Elem().FieldByName("data").Len())
				}
			}
			if bytes != c.Bytes(e) {
				t.Errorf("%s: %d bytes, Bytes says %d", name, bytes, c.Bytes(e))
			}
		}
	})
}

// TestSlabParts: the parts lie in the slab one after another and can't grow into
// each other.
func TestSlabParts(t *testing.T) {
	p := newParams(Config{Input: 2, Hidden: 3, Output: 4})
	for i := range p.Slab {
		p.Slab[i] = float32(i)
	}
	first := float32(0)
	for i, part := range [][]float32{p.Wx, p.Wh, p.Bh, p.Wy, p.By} {
		if part[0] != first || cap(part) != len(part) {
			t.Errorf("part %d begins with element %v of the slab, want %v; length %d, capacity %d", i, part[0], first, len(part), cap(part))
		}
		first += float32(len(part))
	}
}
