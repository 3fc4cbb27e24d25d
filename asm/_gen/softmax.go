package main

import (
	"math"

	"github.com/mmcloughlin/avo/reg"
)

// softmax emits three passes over a row: maximum, exponentials and their sum,
// scaling. Rows come in pieces of at most 16,384 floats, so passes two and three
// find them in L1 or L2. Registers on AVX2, the tighter case: 0-7 sums, 8-11 the
// element and scratch of exp, 13 the maximum, 14 the mask.
func softmax(g *gen) {
	g.kernel("softmax", "", "Softmax", "replaces x by scale·softmax(x).")
	sums, e, max, tm := g.sumRegs(), g.vec[8], g.vec[13], g.vec[14]
	group, cs := 1, cells(1, g.vec[8:])
	if g.wide() {
		group, cs = 4, cells(4, g.vec[16:])
	}

	x := g.base("x")
	lowest := g.f32(float32(math.Inf(-1)))
	for _, s := range sums {
		g.VMOVUPS(lowest, s)
	}
	g.loop64(g.length("x"), []reg.GPVirtual{x}, tm, 1, func(q int, ls []lane) {
		l := ls[0]
		switch {
		case l.mask == nil:
			l.load(x, e)
		case g.wide():
			g.VMOVUPS(lowest, e)
			g.VMOVUPS(at(x, l.disp), l.mask.k, e)
		default:
			l.load(x, e)
			g.VMOVUPS(lowest, max)
			g.VBLENDVPS(l.mask.v, e, max, e)
		}
		g.VMAXPS(e, sums[q], sums[q])
	})
	g.tree(sums, e, func(x, dst reg.VecPhysical) { g.VMAXPS(x, dst, dst) })
	g.Store(sums[0].AsX(), g.ReturnIndex(0))
	g.VBROADCASTSS(sums[0].AsX(), max)

	for _, s := range sums {
		g.zero(s)
	}
	x = g.base("x")
	g.loop64(g.length("x"), []reg.GPVirtual{x}, tm, group, func(q int, ls []lane) {
		for i, l := range ls {
			l.load(x, cs[i].x)
			g.VSUBPS(max, cs[i].x, cs[i].x)
		}
		g.exp(cs)
		for i, l := range ls {
			e := cs[i].x
			l.store(e, x)
			if l.mask != nil { // lanes that do not exist hold exp(-max)
				if g.wide() {
					g.VMOVAPS_Z(e, l.mask.k, e)
				} else {
					g.VANDPS(l.mask.v, e, e)
				}
			}
			g.VADDPS(e, sums[q+i], sums[q+i])
		}
	})
	g.sumTree(sums, e)
	g.Store(sums[0].AsX(), g.ReturnIndex(1))

	scale := g.vec[1]
	s0, s1 := sums[0].AsX(), scale.AsX()
	b, err := g.Param("scale").Resolve()
	if err != nil {
		panic(err)
	}
	g.VMOVSS(b.Addr, s1)
	g.VDIVSS(s0, s1, s1)
	g.VBROADCASTSS(s1, scale)
	x = g.base("x")
	g.loop(4, g.length("x"), []reg.GPVirtual{x}, each(func(l lane) {
		l.load(x, e)
		g.VMULPS(scale, e, e)
		l.store(e, x)
	}))
	g.finish()
}
