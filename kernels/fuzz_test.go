package kernels

import (
	"math/rand/v2"
	"testing"
)

// FuzzGemm holds a product of any shape and variant to the oracle, on one
// thread, on three by spans, and bit for bit between the sets that fuse.
func FuzzGemm(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint16(1), uint8(0), uint8(0), uint64(1))
	f.Add(uint8(13), uint8(33), uint16(513), uint8(0x17), uint8(1), uint64(2))
	f.Add(uint8(12), uint8(129), uint16(7), uint8(0x2a), uint8(3), uint64(3))
	f.Add(uint8(31), uint8(97), uint16(1030), uint8(0x7d), uint8(5), uint64(4))
	f.Add(uint8(0), uint8(15), uint16(200), uint8(0xb8), uint8(9), uint64(5))

	type pair struct{ one, several *Engine }
	var engines []pair
	for _, isa := range FloatISAs() {
		engines = append(engines, pair{open(f, isa, 1), open(f, isa, 3)})
	}
	f.Fuzz(func(t *testing.T, m, n uint8, k uint16, variant, gap uint8, seed uint64) {
		p := &problem{
			m: 1 + int(m)%40, n: 1 + int(n), k: 1 + int(k)%1100, gap: int(gap) % 20,
			transA: variant&1 != 0, transB: variant&2 != 0,
			start: start(variant >> 2 & 7 % 5), act: Tanh + Activation(variant>>5&3),
		}
		p.fill(rand.New(rand.NewPCG(seed, 0)))
		want, tolerance := p.want()
		var fused []float32
		for _, e := range engines {
			c := p.compute(e.one)
			if err := p.check(c, want, tolerance); err != nil {
				t.Fatalf("%s, %v: %v", e.one.ISA(), p, err)
			}
			q := p.product(nil)
			e.several.Run(3, func(worker *Worker) { worker.GemmPlain(q, p.plain(), worker.Share(worker.Panels(p.n))) })
			if i := firstDifference(q.C, c); i >= 0 {
				t.Fatalf("%s, %v: element %d is %x packed on the way, %x before", e.one.ISA(), p, i, q.C[i], c[i])
			}
			w := p.pack(e.several)
			q = p.product(w)
			e.several.Run(3, func(worker *Worker) { worker.Gemm(q, worker.Share(w.Panels())) })
			if i := firstDifference(q.C, c); i >= 0 {
				t.Fatalf("%s, %v: element %d is %x by spans, %x at once", e.one.ISA(), p, i, q.C[i], c[i])
			}
			if e.one.ISA() == "generic" {
				continue
			}
			if fused == nil {
				fused = c
			}
			if i := firstDifference(c, fused); i >= 0 {
				t.Fatalf("%s, %v: element %d is %x, elsewhere %x", e.one.ISA(), p, i, c[i], fused[i])
			}
		}
	})
}
