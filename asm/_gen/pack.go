package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pack emits what brings operands of GEMM together.
func pack(g *gen) {
	g.packPanel()
	g.packT()
	g.strip()
}

// strip emits a copy of narrow rows, each narrower than a vector. Whole vectors
// are stored as long as what is past a row is overwritten by the rows after it,
// for masked stores are slow on AVX2.
func (g *gen) strip() {
	g.kernel("strip", "", "Strip", "copies n columns of src close together.")
	k, n := g.arg("k"), g.arg("n")
	dst, src, ld := g.arg("dst"), g.arg("src"), g.argBytes("ld")
	x, tm := g.vec[0], g.vec[1]
	m := g.mask1(n, tm)
	width := g.GP64()
	g.MOVQ(n, width)
	g.SHLQ(operand.Imm(2), width)
	row := func(store func()) {
		g.load(m, at(src, 0), x)
		store()
		g.ADDQ(ld, src)
		g.ADDQ(width, dst)
	}
	// Floats of dst behind the row at hand: whole vectors fit while they do.
	left := g.GP64()
	g.MOVQ(k, left)
	g.IMULQ(n, left)
	whole, masked, next, end := g.label("whole"), g.label("masked"), g.label("next"), g.label("end")
	g.Label(whole)
	g.CMPQ(left, operand.Imm(uint64(g.lanes)))
	g.JLT(operand.LabelRef(masked))
	row(func() { g.VMOVUPS(x, at(dst, 0)) })
	g.SUBQ(n, left)
	g.JMP(operand.LabelRef(whole))
	g.Label(masked)
	g.TESTQ(left, left)
	g.JLE(operand.LabelRef(end))
	g.Label(next)
	row(func() { g.store(m, x, at(dst, 0)) })
	g.SUBQ(n, left)
	g.JGT(operand.LabelRef(next))
	g.Label(end)
	g.finish()
}

// packPanel emits the copy of a panel's columns.
func (g *gen) packPanel() {
	g.kernel("pack", "", "Pack", "copies columns of src as one panel.")
	k, n := g.arg("k"), g.arg("n")
	dst, src, ld := g.arg("dst"), g.arg("src"), g.argBytes("ld")
	x, masks := g.vec[:panelVectors], g.panelMasks(n, g.vec)
	row, end := g.label("row"), g.label("end")
	g.TESTQ(k, k)
	g.JEQ(operand.LabelRef(end))
	g.Label(row)
	for v := range x {
		g.load(masks(v), at(src, v*g.bytes()), x[v])
	}
	for v := range x {
		g.VMOVUPS(x[v], at(dst, v*g.bytes()))
	}
	g.ADDQ(ld, src)
	g.ADDQ(operand.Imm(uint64(panelVectors*g.bytes())), dst)
	g.DECQ(k)
	g.JNE(operand.LabelRef(row))
	g.Label(end)
	g.finish()
}

// packT emits the transposing pack: 8×8 blocks through registers, the ragged
// rest element by element.
func (g *gen) packT() {
	g.kernel("packT", "", "PackT", "writes rows of src as the columns of one panel.")
	nr := g.nr()
	k, n := g.arg("k"), g.arg("n")
	dst, src, ld := g.arg("dst"), g.arg("src"), g.argBytes("ld")
	column, end := g.label("column"), g.label("end")
	// Eight columns of the panel at a time; j counts them down.
	j := g.GP64()
	g.MOVQ(operand.U32(uint32(nr/8)), j)
	g.Label(column)
	full, part, next := g.label("full"), g.label("part"), g.label("next")
	d, left := g.GP64(), g.GP64()
	g.MOVQ(dst, d)
	g.MOVQ(k, left)
	g.CMPQ(n, operand.Imm(8))
	g.JLT(operand.LabelRef(part))

	p, p4 := g.GP64(), g.GP64()
	ld3 := g.GP64()
	g.LEAQ(operand.Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	g.MOVQ(src, p)
	g.LEAQ(operand.Mem{Base: src, Index: ld, Scale: 4}, p4)
	rows := []operand.Mem{
		at(p, 0), at(p, 0).Idx(ld, 1), at(p, 0).Idx(ld, 2), at(p, 0).Idx(ld3, 1),
		at(p4, 0), at(p4, 0).Idx(ld, 1), at(p4, 0).Idx(ld, 2), at(p4, 0).Idx(ld3, 1),
	}
	rest := g.label("rest")
	g.SUBQ(operand.Imm(8), left)
	g.JLT(operand.LabelRef(rest))
	g.Label(full)
	g.transpose8(rows, func(i int, v reg.VecPhysical) { g.VMOVUPS(v, at(d, i*nr*4)) })
	g.ADDQ(operand.Imm(32), p)
	g.ADDQ(operand.Imm(32), p4)
	g.ADDQ(operand.I32(int32(8*nr*4)), d)
	g.SUBQ(operand.Imm(8), left)
	g.JGE(operand.LabelRef(full))
	g.Label(rest)
	g.ADDQ(operand.Imm(8), left)
	g.JEQ(operand.LabelRef(next))
	one := g.label("one")
	t := g.XMM()
	g.Label(one)
	for i, r := range rows {
		g.VMOVSS(r, t)
		g.VMOVSS(t, at(d, 4*i))
	}
	g.ADDQ(operand.Imm(4), p)
	g.ADDQ(operand.Imm(4), p4)
	g.ADDQ(operand.I32(int32(nr*4)), d)
	g.DECQ(left)
	g.JNE(operand.LabelRef(one))
	g.JMP(operand.LabelRef(next))

	// Fewer than eight rows left, perhaps none: copy what exists, zero the rest.
	g.Label(part)
	g.TESTQ(left, left)
	g.JEQ(operand.LabelRef(next))
	g.MOVQ(src, p)
	zero := g.vec[15].AsY().(reg.VecPhysical)
	g.VXORPS(zero, zero, zero)
	depth, cell, filled := g.label("depth"), g.label("cell"), g.label("filled")
	g.Label(depth)
	q, i := g.GP64(), g.GP64()
	g.VMOVUPS(zero, at(d, 0))
	g.MOVQ(p, q)
	g.XORQ(i, i)
	g.Label(cell)
	g.CMPQ(i, n)
	g.JGE(operand.LabelRef(filled))
	g.VMOVSS(at(q, 0), t)
	g.VMOVSS(t, at(d, 0).Idx(i, 4))
	g.ADDQ(ld, q)
	g.INCQ(i)
	g.JMP(operand.LabelRef(cell))
	g.Label(filled)
	g.ADDQ(operand.Imm(4), p)
	g.ADDQ(operand.I32(int32(nr*4)), d)
	g.DECQ(left)
	g.JNE(operand.LabelRef(depth))

	g.Label(next)
	g.ADDQ(operand.Imm(32), dst)
	g.LEAQ(operand.Mem{Base: src, Index: ld, Scale: 8}, src)
	g.SUBQ(operand.Imm(8), n)
	clamped := g.label("clamped")
	g.JGE(operand.LabelRef(clamped))
	g.XORQ(n, n)
	g.Label(clamped)
	g.DECQ(j)
	g.JNE(operand.LabelRef(column))
	g.Label(end)
	g.finish()
}

// transpose8 emits the transpose of an 8×8 block: three rounds of interleaving,
// at distance 1, 2 and 4.
func (g *gen) transpose8(rows []operand.Mem, store func(i int, v reg.VecPhysical)) {
	var r, t [8]reg.VecPhysical
	for i := range 8 {
		r[i] = g.vec[i].AsY().(reg.VecPhysical)
		t[i] = g.vec[8+i].AsY().(reg.VecPhysical)
		g.VMOVUPS(rows[i], r[i])
	}
	for i := 0; i < 8; i += 2 {
		g.VUNPCKLPS(r[i+1], r[i], t[i])
		g.VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 8; i += 4 {
		for h := range 2 {
			g.VUNPCKLPD(t[i+h+2], t[i+h], r[i+2*h])
			g.VUNPCKHPD(t[i+h+2], t[i+h], r[i+2*h+1])
		}
	}
	for i := range 4 {
		g.VPERM2F128(operand.Imm(0x20), r[i+4], r[i], t[i])
		g.VPERM2F128(operand.Imm(0x31), r[i+4], r[i], t[i+4])
	}
	for i := range 8 {
		store(i, t[i])
	}
}
