package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// groups addresses the groups of Z: group k begins k·gate floats after z.
type groups struct{ z, gate, gate3 reg.GPVirtual }

func (p groups) at(k int) operand.Mem {
	m := at(p.z, 0)
	switch k {
	case 0:
		return m
	case 3:
		return m.Idx(p.gate3, 1)
	}
	return m.Idx(p.gate, uint8(k))
}

// groups loads the parameters that address the groups of Z.
func (g *gen) groups() groups {
	p := groups{g.arg("z"), g.argBytes("gate"), g.GP64()}
	g.LEAQ(operand.Mem{Base: p.gate, Index: p.gate, Scale: 2}, p.gate3)
	return p
}

// gated emits the steps of gated cells. A step works on as many cells in lockstep as
// tanh does; a derivative needs no approximation.
func gated(g *gen) {
	n := 2
	if g.wide() {
		n = 4
	}
	all := cells(n, g.vec)
	consts := g.vec[4*n : len(g.vec)-1]

	g.kernel("lstm", "", "LSTM", "is the step of an LSTM cell.")
	left, z := g.arg("n"), g.groups()
	c, next, h := g.arg("c"), g.arg("next"), g.arg("h")
	g.keep(tanhConsts(), consts)
	g.loop(n, left, []reg.GPVirtual{z.z, c, next, h}, func(ls []lane) {
		cs := all[:len(ls)]
		for i, l := range ls {
			r := cs[i]
			l.loadFrom(z.at(0), r.x)
			l.loadFrom(z.at(2), r.k)
			g.VMULPS(r.k, r.x, r.x) // i·g
			l.loadFrom(z.at(1), r.t)
			l.load(c, r.q)
			g.VFMADD231PS(r.q, r.t, r.x) // + f·c
			l.store(r.x, next)
		}
		g.tanhAbs(cs)
		for i, l := range ls {
			r := cs[i]
			l.load(next, r.t)
			g.copySign(r.x, r.t)
			l.storeTo(r.t, z.at(4))
			l.loadFrom(z.at(3), r.k)
			g.VMULPS(r.k, r.t, r.t)
			l.store(r.t, h)
		}
	})
	g.kept = nil
	g.finish()

	g.kernel("gru", "", "GRU", "is the step of a GRU cell.")
	left, z = g.arg("n"), g.groups()
	h, next = g.arg("h"), g.arg("next")
	g.keep(tanhConsts(), consts)
	g.loop(n, left, []reg.GPVirtual{z.z, h, next}, func(ls []lane) {
		cs := all[:len(ls)]
		for i, l := range ls {
			r := cs[i]
			l.loadFrom(z.at(2), r.x)
			l.loadFrom(z.at(0), r.k)
			l.loadFrom(z.at(3), r.t)
			g.VFMADD231PS(r.t, r.k, r.x) // x + r·q
			l.storeTo(r.x, z.at(2))
		}
		g.tanhAbs(cs)
		for i, l := range ls {
			r := cs[i]
			l.loadFrom(z.at(2), r.t)
			g.copySign(r.x, r.t)
			l.storeTo(r.t, z.at(2))
			l.load(h, r.q)
			l.loadFrom(z.at(1), r.k)
			g.VSUBPS(r.t, r.q, r.q)      // h - ñ
			g.VFMADD231PS(r.q, r.k, r.t) // ñ + z·(h - ñ)
			l.store(r.t, next)
		}
	})
	g.kept = nil
	g.finish()

	one := g.vec[len(g.vec)-2]
	t := g.vec[0]
	sigmoid := func(d, y reg.VecPhysical) { g.timesSigmoidGrad(d, y, one, t) }
	tanh := func(d, y reg.VecPhysical) { g.timesTanhGrad(d, y, one, t) }

	g.kernel("lstmGrad", "", "LSTMGrad", "is the derivative of LSTM.")
	left, z = g.arg("n"), g.groups()
	dz := groups{g.arg("dz"), z.gate, z.gate3}
	carry, dh := g.arg("carry"), g.arg("dh")
	c, dc := g.arg("c"), g.arg("dc")
	g.VMOVUPS(g.f32(1), one)
	g.loop(2, left, []reg.GPVirtual{z.z, dz.z, carry, dh, c, dc}, each(func(l lane) {
		d, tc, o, dcv, y, w := g.vec[1], g.vec[2], g.vec[3], g.vec[4], g.vec[5], g.vec[6]
		l.load(carry, d)
		l.load(dh, y)
		g.VADDPS(y, d, d)
		l.loadFrom(z.at(4), tc)
		l.loadFrom(z.at(3), o)
		g.VMULPS(tc, d, w)
		sigmoid(w, o)
		l.storeTo(w, dz.at(3)) // dh·tanh(c)·o'
		g.VMULPS(o, d, d)
		l.load(dc, dcv)
		g.VMOVAPS(one, t)
		g.VFNMADD231PS(tc, tc, t)
		g.VFMADD231PS(t, d, dcv) // dc + dh·o·(1 - tanh²(c))
		l.loadFrom(z.at(0), tc)  // i
		l.loadFrom(z.at(2), y)   // g
		g.VMULPS(y, dcv, d)
		sigmoid(d, tc)
		l.storeTo(d, dz.at(0))
		g.VMULPS(tc, dcv, d)
		tanh(d, y)
		l.storeTo(d, dz.at(2))
		l.loadFrom(z.at(1), y) // f
		l.load(c, d)
		g.VMULPS(dcv, d, d)
		sigmoid(d, y)
		l.storeTo(d, dz.at(1))
		g.VMULPS(y, dcv, dcv)
		l.store(dcv, dc)
	}))
	g.finish()

	g.kernel("gruGrad", "", "GRUGrad", "is the derivative of GRU.")
	left, z = g.arg("n"), g.groups()
	dz = groups{g.arg("dz"), z.gate, z.gate3}
	carry, dh, h = g.arg("carry"), g.arg("dh"), g.arg("h")
	g.VMOVUPS(g.f32(1), one)
	g.loop(2, left, []reg.GPVirtual{z.z, dz.z, carry, dh, h}, each(func(l lane) {
		d, zv, nv, w, y := g.vec[1], g.vec[2], g.vec[3], g.vec[4], g.vec[5]
		l.load(carry, d)
		l.load(dh, y)
		g.VADDPS(y, d, d)
		l.loadFrom(z.at(1), zv)
		l.loadFrom(z.at(2), nv)
		l.load(h, w)
		g.VSUBPS(nv, w, w)
		g.VMULPS(d, w, w)
		sigmoid(w, zv)
		l.storeTo(w, dz.at(1)) // dh·(h - ñ)·z'
		g.VMULPS(zv, d, w)
		l.store(w, carry)
		g.VSUBPS(zv, one, w)
		g.VMULPS(w, d, d)
		tanh(d, nv)
		l.storeTo(d, dz.at(2)) // dh·(1 - z)·ñ'
		l.loadFrom(z.at(0), y)
		g.VMULPS(y, d, w)
		l.storeTo(w, dz.at(3)) // by q
		l.loadFrom(z.at(3), w)
		g.VMULPS(w, d, d)
		sigmoid(d, y)
		l.storeTo(d, dz.at(0)) // by r
	}))
	g.finish()
}
