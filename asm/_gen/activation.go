package main

import (
	"math"

	"github.com/mmcloughlin/avo/reg"
)

// activation emits the element-wise functions. They run as many cells in
// lockstep as leave registers for some of the constants.
func activation(g *gen) {
	n := 2
	if g.wide() {
		n = 4
	}
	all := cells(n, g.vec)
	for _, f := range []struct {
		op, slot, doc string
		consts        []float32
		apply         func([]cell)
	}{
		{"tanh", "Tanh", "sets dst to tanh(src).", tanhConsts(), g.tanhAbs},
		{"sigmoid", "Sigmoid", "sets dst to 1/(1+exp(-src)).", sigmoidConsts(), g.sigmoid},
		{"exp", "Exp", "sets dst to exp(src).", expConsts(), g.exp},
		{"log", "Log", "sets dst to log(src).", logConsts(), g.log},
	} {
		g.kernel(f.op, "", f.slot, f.doc)
		dst, src := g.base("dst"), g.base("src")
		g.keep(f.consts, g.vec[4*n:len(g.vec)-1])
		g.loop(n, g.length("dst"), []reg.GPVirtual{dst, src}, func(ls []lane) {
			cs := all[:len(ls)]
			for i, l := range ls {
				l.load(src, cs[i].x)
			}
			f.apply(cs)
			for i, l := range ls {
				y := cs[i].x
				switch f.op {
				case "tanh":
					y = cs[i].t
					l.load(src, y)
					g.copySign(cs[i].x, y)
				case "log":
					l.load(src, cs[i].k)
					g.logSpecials(y, cs[i].k, cs[i].t, cs[i].q)
				}
				l.store(y, dst)
			}
		})
		g.kept = nil
		g.finish()
	}

	x, zero := g.vec[0], g.vec[1]
	g.kernel("sqrt", "", "Sqrt", "sets dst to √src.")
	dst, src := g.base("dst"), g.base("src")
	g.loop(4, g.length("dst"), []reg.GPVirtual{dst, src}, each(func(l lane) {
		l.load(src, x)
		g.VSQRTPS(x, x)
		l.store(x, dst)
	}))
	g.finish()

	g.kernel("relu", "", "ReLU", "sets dst to max(src, 0).")
	dst, src = g.base("dst"), g.base("src")
	g.zero(zero)
	g.loop(4, g.length("dst"), []reg.GPVirtual{dst, src}, each(func(l lane) {
		l.load(src, x)
		g.relu(x, zero)
		l.store(x, dst)
	}))
	g.finish()
}

// relu emits max(x, 0). The maximum returns its second source when both are
// zero or one is NaN, and x is the second: NaN and -0 stay.
func (g *gen) relu(x, zero reg.VecPhysical) { g.VMAXPS(x, zero, x) }

// The constants of the approximations, for loops to keep in registers: first
// those that must be in one when they are used.

func tanhConsts() []float32 {
	return append([]float32{1, -18, 1.5*(1<<23) + 127, log2e, ln2}, tanhCoef...)
}

func sigmoidConsts() []float32 {
	c := []float32{-104, 20, 1.5*(1<<23) + 127 + 32, log2e, ln2, math.Float32frombits(ln2Lo)}
	for _, a := range sigmoidCoef {
		c = append(c, a*sigmoidScale)
	}
	return c
}

func expConsts() []float32 {
	return append([]float32{-104, 89, 1.5*(1<<23) + 254, log2e, ln2, math.Float32frombits(ln2Lo)}, expCoef...)
}

func logConsts() []float32 {
	c := append([]float32{ln2, 1, 0x1p-23}, logCoef...)
	for _, bits := range []uint32{logLow, exponentBit} {
		c = append(c, math.Float32frombits(bits))
	}
	return c
}

// tileCells are the cells that a tile routine works on, beyond any
// accumulator: two on AVX-512, one on AVX2.
func (g *gen) tileCells() []cell {
	if g.wide() {
		return cells(2, g.vec[24:])
	}
	return cells(1, g.vec[12:])
}

func (g *gen) tileRoutines() {
	g.routine("tanhAbsTile"+g.infix, "applies tanh|x|.", g.tileCells())
	g.tanhAbs(g.tileCells())
	g.RET()
	g.routine("sigmoidTile"+g.infix, "applies sigmoid.", g.tileCells())
	g.sigmoid(g.tileCells())
	g.RET()
}
