package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vector emits the element-wise kernels that need no approximation.
func vector(g *gen) {
	t := g.vec[2]

	g.pairwise("add", "Add", "sets dst to a + b.", g.VADDPS)
	forBoth((*gen).scaled)(g)
	g.of(single)
	g.colSums()

	one := g.vec[3]
	g.grad("tanhGrad", "TanhGrad", "multiplies D by 1 - Y².", func() {
		g.VMOVUPS(g.f32(1), one)
	}, func(d, y reg.VecPhysical) { g.timesTanhGrad(d, y, one, t) })
	g.grad("sigmoidGrad", "SigmoidGrad", "multiplies D by Y(1 - Y).", func() {
		g.VMOVUPS(g.f32(1), one)
	}, func(d, y reg.VecPhysical) { g.timesSigmoidGrad(d, y, one, t) })
	g.grad("reluGrad", "ReLUGrad", "clears D where Y <= 0.", func() {
		g.zero(one)
	}, func(d, y reg.VecPhysical) {
		const notLE = 6 // true for NaN too
		if g.wide() {
			g.VCMPPS(operand.Imm(notLE), one, y, reg.K2)
			g.VMOVAPS_Z(d, reg.K2, d)
		} else {
			g.VCMPPS(operand.Imm(notLE), one, y, t)
			g.VANDPS(t, d, d)
		}
	})

	g.pairwise("mul", "Mul", "sets dst to a·b.", g.VMULPS)
}

// scaled emits what takes vectors times a number.
func (g *gen) scaled() {
	x, y, alpha := g.vec[0], g.vec[1], g.vec[3]

	g.kernel("axpy", "", "Axpy", "adds alpha·x to y.")
	py, px := g.base("y"), g.base("x")
	g.broadcast("alpha", alpha)
	g.loop(4, g.length("y"), []reg.GPVirtual{py, px}, each(func(l lane) {
		l.load(py, y)
		l.load(px, x)
		g.multiplyAdd(x, alpha, y)
		l.store(y, py)
	}))
	g.finish()

	g.kernel("scale", "", "Scale", "multiplies x by alpha.")
	px = g.base("x")
	g.broadcast("alpha", alpha)
	g.loop(4, g.length("x"), []reg.GPVirtual{px}, each(func(l lane) {
		l.load(px, x)
		g.mul(alpha, x, x)
		l.store(x, px)
	}))
	g.finish()
}

// pairwise emits one instruction on the elements of two vectors.
func (g *gen) pairwise(op, slot, doc string, apply func(...operand.Op)) {
	x, y := g.vec[0], g.vec[1]
	g.kernel(op, "", slot, doc)
	dst, a, b := g.base("dst"), g.base("a"), g.base("b")
	g.loop(4, g.length("dst"), []reg.GPVirtual{dst, a, b}, each(func(l lane) {
		l.load(a, x)
		l.load(b, y)
		apply(y, x, x)
		l.store(x, dst)
	}))
	g.finish()
}

// timesTanhGrad emits d *= 1 - y². one holds ones, t is scratch.
func (g *gen) timesTanhGrad(d, y, one, t reg.VecPhysical) {
	g.VMOVAPS(one, t)
	g.VFNMADD231PS(y, y, t)
	g.VMULPS(t, d, d)
}

// timesSigmoidGrad emits d *= y(1 - y), with the registers of timesTanhGrad.
func (g *gen) timesSigmoidGrad(d, y, one, t reg.VecPhysical) {
	g.VSUBPS(y, one, t)
	g.VMULPS(y, t, t)
	g.VMULPS(t, d, d)
}

// grad emits one of the derivative kernels over an m×n matrix.
func (g *gen) grad(op, slot, doc string, setup func(), body func(d, y reg.VecPhysical)) {
	g.kernel(op, "", slot, doc)
	m, n := g.arg("m"), g.arg("n")
	d, y := g.arg("d"), g.arg("y")
	ldd, ldy := g.argBytes("ldd"), g.argBytes("ldy")
	setup()
	row, end := g.label("row"), g.label("end")
	g.TESTQ(m, m)
	g.JEQ(operand.LabelRef(end))
	g.Label(row)
	pd, py, left := g.GP64(), g.GP64(), g.GP64()
	g.MOVQ(d, pd)
	g.MOVQ(y, py)
	g.MOVQ(n, left)
	g.loop(2, left, []reg.GPVirtual{pd, py}, each(func(l lane) {
		l.load(pd, g.vec[0])
		l.load(py, g.vec[1])
		body(g.vec[0], g.vec[1])
		l.store(g.vec[0], pd)
	}))
	g.ADDQ(ldd, d)
	g.ADDQ(ldy, y)
	g.DECQ(m)
	g.JNE(operand.LabelRef(row))
	g.Label(end)
	g.finish()
}

// colSums walks down the rows with the sums of a few vectors of columns in
// registers, so that dst is read and written once.
func (g *gen) colSums() {
	g.kernel("colSums", "", "ColSums", "adds the m rows of A to dst, row 0 first.")
	m, dst, n := g.arg("m"), g.base("dst"), g.length("dst")
	a, lda := g.arg("a"), g.argBytes("lda")
	down := func(vectors int, l lane) {
		for v := range vectors {
			lane{g, v * g.bytes(), l.mask}.load(dst, g.vec[v])
		}
		p, left := g.GP64(), g.GP64()
		g.MOVQ(a, p)
		g.MOVQ(m, left)
		row, done := g.label("row"), g.label("down")
		g.TESTQ(left, left)
		g.JEQ(operand.LabelRef(done))
		g.Label(row)
		for v := range vectors {
			t := g.vec[vectors+v]
			lane{g, v * g.bytes(), l.mask}.load(p, t)
			g.VADDPS(t, g.vec[v], g.vec[v])
		}
		g.ADDQ(lda, p)
		g.DECQ(left)
		g.JNE(operand.LabelRef(row))
		g.Label(done)
		for v := range vectors {
			lane{g, v * g.bytes(), l.mask}.store(g.vec[v], dst)
		}
	}
	const wideColumns = 4
	blocks, end := g.label("blocks"), g.label("end")
	step := operand.I32(int32(wideColumns * g.lanes))
	size := operand.I32(int32(wideColumns * g.bytes()))
	g.SUBQ(step, n)
	g.JLT(operand.LabelRef(end))
	g.Label(blocks)
	down(wideColumns, lane{g: g})
	g.ADDQ(size, dst)
	g.ADDQ(size, a)
	g.SUBQ(step, n)
	g.JGE(operand.LabelRef(blocks))
	g.Label(end)
	g.ADDQ(step, n)
	g.loop(1, n, []reg.GPVirtual{dst, a}, each(func(l lane) { down(1, l) }))
	g.finish()
}
