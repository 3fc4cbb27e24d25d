package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// triangle emits the triangles that stand beside the tiles of GEMM, and the transpose for
// matrices whose columns are to be rows.
func triangle(g *gen) {
	g.kernel("trsm", "", "Trsm", "solves a triangle for columns of C.")
	g.triangleRows(true)
	g.kernel("trmm", "", "Trmm", "adds the product of a triangle and a panel to C.")
	g.triangleRows(false)
	g.transposeMatrix()
}

// triangleRows emits a triangle row by row. Row i takes its factors times the rows before
// it, which registers hold. Rows overlap as the processor looks ahead. Registers, by number
// of vector:
//
//	AVX-512  0-21 rows before the last    22, 23 a row    24 a factor    25 signs
//	AVX2     0-9  rows before the last    10, 11 a row    12 a factor    13 signs    14, 15 masks
func (g *gen) triangleRows(solve bool) {
	mr := g.mr()
	held := (mr - 1) * panelVectors
	acc, factor, signs := g.vec[held:][:panelVectors], g.vec[held+panelVectors], g.vec[held+panelVectors+1]
	// Columns of the triangle are addressed in fours from one pointer each.
	rs, cs, cs3 := g.argBytes("rs"), g.argBytes("cs"), g.GP64()
	g.LEAQ(operand.Mem{Base: cs, Index: cs, Scale: 2}, cs3)
	columns, as := g.inFours(g.arg("a"), cs, cs3, (mr+2)/4*4)
	rows, d, p := g.arg("rows"), g.arg("d"), g.arg("p")
	c, ldc, n := g.arg("c"), g.argBytes("ldc"), g.arg("n")
	var divide reg.GPVirtual
	if solve {
		divide = g.arg("divide")
		g.setSigns(signs)
	}
	masks := g.panelMasks(n, g.vec)
	end := g.label("end")
	body := func(ls []lane) {
		for i := range mr {
			for v, l := range ls {
				l.load(c, acc[v])
			}
			for s := range i {
				g.spread(columns[s], factor)
				for v := range ls {
					if x := g.vec[s*panelVectors+v]; solve {
						g.multiplySubtract(factor, x, acc[v])
					} else {
						g.multiplyAdd(factor, x, acc[v])
					}
				}
			}
			x := acc // row i for later rows
			if i < mr-1 {
				x = g.vec[i*panelVectors:][:panelVectors]
			}
			g.spread(at(d, i*g.size), factor)
			panel := func(v int) operand.Mem { return at(p, i*g.nr()*g.size+v*g.bytes()) }
			if solve {
				byDivision, done := g.label("divide"), g.label("done")
				g.TESTQ(divide, divide)
				g.JNE(operand.LabelRef(byDivision))
				for v := range ls {
					g.mul(factor, acc[v], x[v])
				}
				g.JMP(operand.LabelRef(done))
				g.Label(byDivision)
				for v := range ls {
					g.div(factor, acc[v], x[v])
				}
				g.Label(done)
				for v, l := range ls {
					l.store(x[v], c)
					g.xor(signs, x[v], acc[v])
					g.VMOVUPS(acc[v], panel(v))
				}
			} else {
				for v, l := range ls {
					if i < mr-1 {
						g.VMOVUPS(panel(v), x[v])
						g.multiplyAdd(factor, x[v], acc[v])
					} else {
						g.multiplyAdd(panel(v), factor, acc[v])
					}
					l.store(acc[v], c)
				}
			}
			if i < mr-1 {
				g.ADDQ(ldc, c)
				g.DECQ(rows)
				g.JEQ(operand.LabelRef(end))
				for _, a := range as {
					g.ADDQ(rs, a)
				}
			}
		}
	}
	full, masked := make([]lane, panelVectors), make([]lane, panelVectors)
	for v := range panelVectors {
		m := masks(v)
		full[v] = lane{g: g, disp: v * g.bytes()}
		masked[v] = lane{g: g, disp: v * g.bytes(), mask: &m}
	}
	edge := g.label("masked")
	g.CMPQ(n, operand.U32(uint32(g.nr())))
	g.JNE(operand.LabelRef(edge))
	body(full)
	g.JMP(operand.LabelRef(end))
	g.Label(edge)
	body(masked)
	g.Label(end)
	g.finish()
}

// setSigns sets the sign bit of each element of v, and no other bit.
func (g *gen) setSigns(v reg.VecPhysical) {
	if g.wide() {
		g.VPTERNLOGD(operand.U8(0xff), v, v, v)
	} else {
		g.VPCMPEQD(v, v, v)
	}
	if g.size == double.size {
		g.VPSLLQ(operand.U8(63), v, v)
	} else {
		g.VPSLLD(operand.U8(31), v, v)
	}
}

// transposeMatrix emits the transpose: square blocks through registers, along the rows of
// src, and the rest element by element.
func (g *gen) transposeMatrix() {
	g.kernel("transpose", "", "Transpose", "copies alpha times the transpose of src.")
	const blockBytes = 32
	side := blockBytes / g.size // of a block
	m, dst, ldd := g.arg("m"), g.arg("dst"), g.argBytes("ldd")
	src, lds := g.arg("src"), g.argBytes("lds")
	ldd3, lds3 := g.GP64(), g.GP64()
	g.LEAQ(operand.Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	g.LEAQ(operand.Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	left, d := g.GP64(), g.GP64()
	alpha := g.vec[15] // past the registers of a block
	g.broadcast("alpha", alpha)
	one := func(from, to operand.Mem) {
		x := g.XMM()
		g.moveScalar(from, x)
		g.pick(g.VMULSS, g.VMULSD)(alpha.AsX(), x, x)
		g.moveScalar(x, to)
	}
	block, rest, row, end := g.label("block"), g.label("rest"), g.label("row"), g.label("end")
	g.SUBQ(operand.Imm(uint64(side)), m)
	g.JLT(operand.LabelRef(rest))
	g.Label(block)
	from, ps := g.inFours(src, lds, lds3, side)
	to, ds := g.inFours(dst, ldd, ldd3, side)
	g.Load(g.Param("n"), left)
	next, part, single, done := g.label("next"), g.label("part"), g.label("single"), g.label("done")
	g.SUBQ(operand.Imm(uint64(side)), left)
	g.JLT(operand.LabelRef(part))
	g.Label(next)
	g.transpose(from, func(i int, v reg.VecPhysical) {
		g.mul(alpha.AsY(), v, v)
		g.VMOVUPS(v, to[i])
	})
	for _, p := range ps {
		g.ADDQ(operand.Imm(blockBytes), p)
	}
	for range side / 4 {
		for _, p := range ds {
			g.LEAQ(operand.Mem{Base: p, Index: ldd, Scale: 4}, p)
		}
	}
	g.SUBQ(operand.Imm(uint64(side)), left)
	g.JGE(operand.LabelRef(next))
	g.Label(part)
	g.ADDQ(operand.Imm(uint64(side)), left)
	g.JEQ(operand.LabelRef(done))
	g.Label(single)
	for i, r := range from {
		one(r, at(ds[0], i*g.size))
	}
	for _, p := range ps {
		g.ADDQ(operand.Imm(uint64(g.size)), p)
	}
	g.ADDQ(ldd, ds[0])
	g.DECQ(left)
	g.JNE(operand.LabelRef(single))
	g.Label(done)
	for range side / 4 {
		g.LEAQ(operand.Mem{Base: src, Index: lds, Scale: 4}, src)
	}
	g.ADDQ(operand.Imm(blockBytes), dst)
	g.SUBQ(operand.Imm(uint64(side)), m)
	g.JGE(operand.LabelRef(block))

	g.Label(rest)
	g.ADDQ(operand.Imm(uint64(side)), m)
	g.JEQ(operand.LabelRef(end))
	g.Label(row)
	cell, filled := g.label("cell"), g.label("filled")
	p := g.GP64()
	g.MOVQ(src, p)
	g.MOVQ(dst, d)
	g.Load(g.Param("n"), left)
	g.TESTQ(left, left)
	g.JEQ(operand.LabelRef(filled))
	g.Label(cell)
	one(at(p, 0), at(d, 0))
	g.ADDQ(operand.Imm(uint64(g.size)), p)
	g.ADDQ(ldd, d)
	g.DECQ(left)
	g.JNE(operand.LabelRef(cell))
	g.Label(filled)
	g.ADDQ(lds, src)
	g.ADDQ(operand.Imm(uint64(g.size)), dst)
	g.DECQ(m)
	g.JNE(operand.LabelRef(row))
	g.Label(end)
	g.finish()
}
