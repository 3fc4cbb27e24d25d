package rnn

import (
	"fmt"
	"testing"
)

// BenchmarkInt8 runs passes of float32 and int8 weights beside each other, on one thread:
// one row step by step, and batches.
func BenchmarkInt8(b *testing.B) {
	for _, cell := range []CellKind{Vanilla, GRU, LSTM} {
		for _, h := range []int{256, 512, 1024, 1760} {
			for _, batch := range []int{1, 16, 64} {
				steps := 1
				if batch > 1 {
					steps = 20
				}
				m := newModel(b, newEngine(b, "", 1), Config{Input: 65, Cell: cell, Layers: 1, Hidden: h}, 1)
				for i, m := range []*Model{m, quantised(b, m)} {
					b.Run(fmt.Sprintf("cell=%v/h=%d/b=%d/format=%s", cell, h, batch, []string{"float32", "int8"}[i]), func(b *testing.B) {
						ws := m.NewWorkspace(steps, batch)
						ids := make([]int32, steps*batch)
						b.ReportAllocs()
						for b.Loop() {
							ws.Forward(ids)
							ws.Carry()
						}
					})
				}
			}
		}
	}
}
