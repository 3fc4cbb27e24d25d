package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// reduce emits the sums over elements.
func reduce(g *gen) {
	g.dot("dot", "Dot", "returns Σ x·y.", true)
	g.dot("sumSq", "SumSq", "returns Σ x².", false)
	g.ofAbs("absSum", "AbsSum", "returns Σ |x|.", g.addTo)
	g.ofAbs("maxAbs", "MaxAbs", "returns max |x|.", g.maxTo)
}

// ofAbs emits a reduction of |x| by op.
func (g *gen) ofAbs(name, slot, doc string, op func(x, dst reg.VecPhysical)) {
	g.kernel(name, "", slot, doc)
	x, n := g.base("x"), g.length("x")
	sums, t, signless, tm := g.sumRegs(), g.vec[12], g.vec[13], g.vec[14]
	for _, s := range sums {
		g.zero(s)
	}
	g.signless(signless)
	g.loop64(n, []reg.GPVirtual{x}, tm, 1, func(q int, ls []lane) {
		ls[0].load(x, t)
		g.and(signless, t, t)
		op(t, sums[q])
	})
	g.tree(sums, t, op)
	g.Store(sums[0].AsX(), g.ReturnIndex(0))
	g.finish()
}

// signless fills a register with all bits of an element but the sign.
func (g *gen) signless(v reg.VecPhysical) {
	g.ones(v)
	if g.size == double.size {
		g.VPSRLQ(operand.Imm(1), v, v)
	} else {
		g.VPSRLD(operand.Imm(1), v, v)
	}
}

func (g *gen) dot(op, slot, doc string, two bool) {
	g.kernel(op, "", slot, doc)
	x, n := g.base("x"), g.length("x")
	y := x
	ptrs := []reg.GPVirtual{x}
	if two {
		y = g.base("y")
		ptrs = append(ptrs, y)
	}
	sums, tx, ty, tm := g.sumRegs(), g.vec[12], g.vec[13], g.vec[14]
	for _, s := range sums {
		g.zero(s)
	}
	g.loop64(n, ptrs, tm, 1, func(q int, ls []lane) {
		l := ls[0]
		l.load(x, tx)
		if two {
			l.load(y, ty)
			g.multiplyAdd(ty, tx, sums[q])
		} else {
			g.multiplyAdd(tx, tx, sums[q])
		}
	})
	g.sumTree(sums, tx)
	g.unsignZero(sums[0].AsX().(reg.VecPhysical), tx.AsX().(reg.VecPhysical))
	g.Store(sums[0].AsX(), g.ReturnIndex(0))
	g.finish()
}

// sumRegs are the vectors that hold the partial sums of a reduction.
func (g *gen) sumRegs() []reg.VecPhysical { return g.vec[:g.sums/g.lanes] }

// loop64 emits body for every g.sums elements, a group of vectors at a time,
// the first of which is number q; the last round is masked where elements are
// missing: a masked load gives +0, which changes no sum but -0. AVX2 masks come
// through tm, so groups of several vectors are for AVX-512.
func (g *gen) loop64(n reg.GPVirtual, ptrs []reg.GPVirtual, tm reg.VecPhysical, group int, body func(q int, ls []lane)) {
	next, tail, end := g.label("loop"), g.label("tail"), g.label("end")
	vectors := g.sums / g.lanes
	sums := uint64(g.sums)
	g.SUBQ(operand.Imm(sums), n)
	g.JLT(operand.LabelRef(tail))
	g.Label(next)
	lanes := func(q int) []lane {
		var ls []lane
		for i := range group {
			ls = append(ls, lane{g: g, disp: (q + i) * g.bytes()})
		}
		return ls
	}
	for q := 0; q < vectors; q += group {
		body(q, lanes(q))
	}
	for _, p := range ptrs {
		g.ADDQ(operand.I32(int32(maskBytes)), p)
	}
	g.SUBQ(operand.Imm(sums), n)
	g.JGE(operand.LabelRef(next))
	g.Label(tail)
	g.ADDQ(operand.Imm(sums), n)
	g.JEQ(operand.LabelRef(end))
	masks := g.masks64(n)
	for q := 0; q < vectors; q += group {
		if q > 0 {
			g.CMPQ(n, operand.Imm(uint64(q*g.lanes)))
			g.JLE(operand.LabelRef(end))
		}
		ls := lanes(q)
		for i := range ls {
			m := masks(q+i, tm)
			ls[i].mask = &m
		}
		body(q, ls)
	}
	g.Label(end)
}

// sumTree joins the partial sums in the order that Kernels.Dot states and leaves
// the total in lane 0 of s[0].
func (g *gen) sumTree(s []reg.VecPhysical, t reg.VecPhysical) { g.tree(s, t, g.addTo) }

// unsignZero makes the totals in s +0 where they are -0: partial sums are -0 where products
// of the other sign underflow, and +0 is added to more of them where vectors are wider.
func (g *gen) unsignZero(s, t reg.VecPhysical) {
	g.zero(t)
	g.addTo(t, s)
}

func (g *gen) addTo(x, dst reg.VecPhysical) { g.add(x, dst, dst) }

// maxTo leaves dst as it is where x is NaN.
func (g *gen) maxTo(x, dst reg.VecPhysical) { g.pick(g.VMAXPS, g.VMAXPD)(dst, x, dst) }

// tree reduces s to lane 0 of s[0] by op, halving.
func (g *gen) tree(s []reg.VecPhysical, t reg.VecPhysical, op func(x, dst reg.VecPhysical)) {
	if g.wide() {
		op(s[1], s[0])
		op(s[3], s[2])
		op(s[2], s[0])
		g.VEXTRACTF64X4(operand.Imm(1), s[0], t.AsY().(reg.VecPhysical))
	} else {
		// Even registers hold the lower halves of quarters of the lanes, odd the upper.
		for h := range 2 {
			op(s[2+h], s[h])
			op(s[6+h], s[4+h])
			op(s[4+h], s[h])
		}
		g.VMOVAPS(s[1], t)
	}
	g.fold(s[0], t, t, op)
}

// fold reduces the 256 bits of two vectors to lane 0 of lo by op, halving. t is scratch
// and may be hi.
func (g *gen) fold(lo, hi, t reg.VecPhysical, op func(x, dst reg.VecPhysical)) {
	y, yhi := lo.AsY().(reg.VecPhysical), hi.AsY().(reg.VecPhysical)
	op(yhi, y)
	x, tx := lo.AsX().(reg.VecPhysical), t.AsX().(reg.VecPhysical)
	if g.wide() { // can be one of the upper 16 registers
		g.VEXTRACTF32X4(operand.Imm(1), y, tx)
	} else {
		g.VEXTRACTF128(operand.Imm(1), y, tx)
	}
	op(tx, x)
	g.VMOVHLPS(x, x, tx)
	op(tx, x)
	if g.size == single.size {
		g.VMOVSHDUP(x, tx)
		op(tx, x)
	}
}
