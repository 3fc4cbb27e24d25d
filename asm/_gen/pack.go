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

// strip emits a copy of narrow rows, each of one or two vectors at most. Whole vectors
// are stored as long as what is past a row is overwritten by the rows after it,
// for masked stores are slow on AVX2.
func (g *gen) strip() {
	g.kernel("strip", "", "Strip", "copies n columns of src close together.")
	k, n := g.arg("k"), g.arg("n")
	dst, src, ld := g.arg("dst"), g.arg("src"), g.argBytes("ld")
	x := g.vec[:(g.mr()+g.lanes-1)/g.lanes]
	masks := g.panelMasks(n, g.vec)
	width := g.GP64()
	g.MOVQ(n, width)
	g.SHLQ(operand.Imm(g.shift), width)
	row := func(store func(v int, m operand.Mem)) {
		for v := range x {
			g.load(masks(v), at(src, v*g.bytes()), x[v])
		}
		for v := range x {
			store(v, at(dst, v*g.bytes()))
		}
		g.ADDQ(ld, src)
		g.ADDQ(width, dst)
	}
	// Elements of dst behind the row at hand: whole vectors fit while they do.
	left := g.GP64()
	g.MOVQ(k, left)
	g.IMULQ(n, left)
	whole, masked, next, end := g.label("whole"), g.label("masked"), g.label("next"), g.label("end")
	g.Label(whole)
	g.CMPQ(left, operand.Imm(uint64(len(x)*g.lanes)))
	g.JLT(operand.LabelRef(masked))
	row(func(v int, m operand.Mem) { g.VMOVUPS(x[v], m) })
	g.SUBQ(n, left)
	g.JMP(operand.LabelRef(whole))
	g.Label(masked)
	g.TESTQ(left, left)
	g.JLE(operand.LabelRef(end))
	g.Label(next)
	row(func(v int, m operand.Mem) { g.store(masks(v), x[v], m) })
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

// packT emits the transposing pack: square blocks through registers, the ragged
// rest element by element.
func (g *gen) packT() {
	g.kernel("packT", "", "PackT", "writes rows of src as the columns of one panel.")
	const blockBytes = 32
	side := blockBytes / g.size // of a block
	rowBytes := g.nr() * g.size
	k, n := g.arg("k"), g.arg("n")
	dst, src, ld := g.arg("dst"), g.arg("src"), g.argBytes("ld")
	column, end := g.label("column"), g.label("end")
	// As many columns of the panel at a time as a block has; j counts them down.
	j := g.GP64()
	g.MOVQ(operand.U32(uint32(g.nr()/side)), j)
	g.Label(column)
	full, part, next := g.label("full"), g.label("part"), g.label("next")
	d, left := g.GP64(), g.GP64()
	g.MOVQ(dst, d)
	g.MOVQ(k, left)
	g.CMPQ(n, operand.Imm(uint64(side)))
	g.JLT(operand.LabelRef(part))

	ld3 := g.GP64()
	g.LEAQ(operand.Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	rows, ps := g.inFours(src, ld, ld3, side)
	advance := func(bytes int) {
		for _, p := range ps {
			g.ADDQ(operand.Imm(uint64(bytes)), p)
		}
	}
	rest := g.label("rest")
	g.SUBQ(operand.Imm(uint64(side)), left)
	g.JLT(operand.LabelRef(rest))
	g.Label(full)
	g.transpose(rows, func(i int, v reg.VecPhysical) { g.VMOVUPS(v, at(d, i*rowBytes)) })
	advance(blockBytes)
	g.ADDQ(operand.I32(int32(side*rowBytes)), d)
	g.SUBQ(operand.Imm(uint64(side)), left)
	g.JGE(operand.LabelRef(full))
	g.Label(rest)
	g.ADDQ(operand.Imm(uint64(side)), left)
	g.JEQ(operand.LabelRef(next))
	one := g.label("one")
	t := g.XMM()
	g.Label(one)
	for i, r := range rows {
		g.moveScalar(r, t)
		g.moveScalar(t, at(d, g.size*i))
	}
	advance(g.size)
	g.ADDQ(operand.I32(int32(rowBytes)), d)
	g.DECQ(left)
	g.JNE(operand.LabelRef(one))
	g.JMP(operand.LabelRef(next))

	// Fewer rows left than a block has, perhaps none: copy what exists, zero the rest.
	g.Label(part)
	g.TESTQ(left, left)
	g.JEQ(operand.LabelRef(next))
	p := g.GP64()
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
	g.moveScalar(at(q, 0), t)
	g.moveScalar(t, at(d, 0).Idx(i, uint8(g.size)))
	g.ADDQ(ld, q)
	g.INCQ(i)
	g.JMP(operand.LabelRef(cell))
	g.Label(filled)
	g.ADDQ(operand.Imm(uint64(g.size)), p)
	g.ADDQ(operand.I32(int32(rowBytes)), d)
	g.DECQ(left)
	g.JNE(operand.LabelRef(depth))

	g.Label(next)
	g.ADDQ(operand.Imm(blockBytes), dst)
	g.LEAQ(operand.Mem{Base: src, Index: ld, Scale: uint8(side)}, src)
	g.SUBQ(operand.Imm(uint64(side)), n)
	clamped := g.label("clamped")
	g.JGE(operand.LabelRef(clamped))
	g.XORQ(n, n)
	g.Label(clamped)
	g.DECQ(j)
	g.JNE(operand.LabelRef(column))
	g.Label(end)
	g.finish()
}

// inFours addresses n rows in fours from one pointer each. ld3 is three times the stride.
func (g *gen) inFours(first, ld, ld3 reg.GPVirtual, n int) (rows []operand.Mem, ps []reg.GPVirtual) {
	for range n / 4 {
		p := g.GP64()
		if len(ps) == 0 {
			g.MOVQ(first, p)
		} else {
			g.LEAQ(operand.Mem{Base: ps[len(ps)-1], Index: ld, Scale: 4}, p)
		}
		ps = append(ps, p)
		rows = append(rows, at(p, 0), at(p, 0).Idx(ld, 1), at(p, 0).Idx(ld, 2), at(p, 0).Idx(ld3, 1))
	}
	return rows, ps
}

// moveScalar moves one element.
func (g *gen) moveScalar(from, to operand.Op) {
	if g.size == double.size {
		g.VMOVSD(from, to)
	} else {
		g.VMOVSS(from, to)
	}
}

// transpose emits the transpose of a square block, of as many rows as a vector of 256 bits
// has elements. Halves of two rows that are loaded into one register spare the shuffles
// across it, for which Intel's processors have only one port.
func (g *gen) transpose(rows []operand.Mem, store func(i int, v reg.VecPhysical)) {
	n := len(rows) / 2
	vec := func(i int) reg.VecPhysical { return g.vec[i].AsY().(reg.VecPhysical) }
	for h := range 2 {
		var r, t []reg.VecPhysical
		for i := range n {
			r, t = append(r, vec(i)), append(t, vec(n+i))
			g.VMOVUPS(rows[i].Offset(16*h), r[i].AsX())
			g.VINSERTF128(operand.Imm(1), rows[n+i].Offset(16*h), r[i], r[i])
		}
		if g.size == single.size {
			for i := 0; i < n; i += 2 {
				g.VUNPCKLPS(r[i+1], r[i], t[i])
				g.VUNPCKHPS(r[i+1], r[i], t[i+1])
			}
			for i := range n / 2 {
				g.VUNPCKLPD(t[i+2], t[i], r[2*i])
				g.VUNPCKHPD(t[i+2], t[i], r[2*i+1])
			}
			t = r
		} else {
			g.VUNPCKLPD(r[1], r[0], t[0])
			g.VUNPCKHPD(r[1], r[0], t[1])
		}
		for i, v := range t {
			store(h*n+i, v)
		}
	}
}
