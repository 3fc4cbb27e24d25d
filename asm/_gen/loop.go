package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A lane is one vector's worth of an element-wise loop: where it lies behind
// each pointer, and which of its elements exist.
type lane struct {
	g    *gen
	disp int
	mask *mask // nil: all
}

func (l lane) load(p reg.GPVirtual, dst reg.VecPhysical) { l.loadFrom(at(p, 0), dst) }

func (l lane) store(src reg.VecPhysical, p reg.GPVirtual) { l.storeTo(src, at(p, 0)) }

func (l lane) loadFrom(m operand.Mem, dst reg.VecPhysical) {
	if m = m.Offset(l.disp); l.mask != nil {
		l.g.load(*l.mask, m, dst)
	} else {
		l.g.VMOVUPS(m, dst)
	}
}

func (l lane) storeTo(src reg.VecPhysical, m operand.Mem) {
	if m = m.Offset(l.disp); l.mask != nil {
		l.g.store(*l.mask, src, m)
	} else {
		l.g.VMOVUPS(src, m)
	}
}

// multiplyAdd adds x times what lies at m to sum. t is scratch.
func (l lane) multiplyAdd(m operand.Mem, x, sum, t reg.VecPhysical) {
	switch {
	case l.mask == nil:
		l.g.multiplyAdd(m.Offset(l.disp), x, sum)
	case l.g.wide():
		l.g.multiplyAdd(m.Offset(l.disp), x, l.mask.k, sum)
	default:
		l.loadFrom(m, t)
		l.g.multiplyAdd(t, x, sum)
	}
}

// each makes the body of a loop that treats its lanes one after another. They
// may use the same registers: renaming tells them apart.
func each(body func(lane)) func([]lane) {
	return func(ls []lane) {
		for _, l := range ls {
			body(l)
		}
	}
}

// loop emits body for n elements behind the pointers: several lanes at a time,
// then one by one, then for the masked rest. The last vector register is the
// loop's own.
func (g *gen) loop(unroll int, n reg.GPVirtual, ptrs []reg.GPVirtual, body func([]lane)) {
	advance := func(vectors int) {
		for _, p := range ptrs {
			g.ADDQ(operand.I32(int32(vectors*g.bytes())), p)
		}
	}
	round := func(vectors int) {
		next, done := g.label("loop"), g.label("done")
		step := operand.I32(int32(vectors * g.lanes))
		g.SUBQ(step, n)
		g.JLT(operand.LabelRef(done))
		g.Label(next)
		var ls []lane
		for u := range vectors {
			ls = append(ls, lane{g: g, disp: u * g.bytes()})
		}
		body(ls)
		advance(vectors)
		g.SUBQ(step, n)
		g.JGE(operand.LabelRef(next))
		g.Label(done)
		g.ADDQ(step, n)
	}
	if unroll > 1 {
		round(unroll)
	}
	round(1)
	end := g.label("end")
	g.TESTQ(n, n)
	g.JEQ(operand.LabelRef(end))
	m := g.mask1(n, g.vec[len(g.vec)-1])
	body([]lane{{g: g, mask: &m}})
	g.Label(end)
}

// finish ends a kernel.
func (g *gen) finish() {
	g.VZEROUPPER()
	g.RET()
}
