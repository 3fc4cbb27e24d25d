package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// triangle emits the rows of triangular matrices, and the transpose for matrices whose
// columns are to be rows.
func triangle(g *gen) {
	g.kernel("trsm", "", "Trsm", "solves rows of a triangle.")
	g.triangleHeights(true)
	g.kernel("trmm", "", "Trmm", "multiplies rows of a triangle by a panel.")
	g.triangleHeights(false)
	g.transposeMatrix()
}

// triangleHeights emits the rows of a triangle for each number of them. The tallest come
// first.
func (g *gen) triangleHeights(solve bool) {
	rows := g.arg("rows")
	for height := g.mr(); height > 0; height-- {
		next := g.label("lower")
		if height > 1 {
			g.CMPQ(rows, operand.Imm(uint64(height)))
			g.JNE(operand.LabelRef(next))
		}
		g.triangleRows(height, solve)
		g.Label(next)
	}
}

// triangleRows emits some rows of a triangle. It is a tile of GEMM over the columns before
// the diagonal, whose triangle follows in its registers: see gemm. A triangle apart from the
// tile lost 4 % at order 256 and 10 % at 64. Registers past the accumulators are scratch, but
// for the signs and, on AVX2, the masks.
func (g *gen) triangleRows(rows int, solve bool) {
	rowBytes := panelVectors * g.bytes() // of a panel
	acc := func(row, v int) reg.VecPhysical { return g.vec[row*panelVectors+v] }
	free := g.vec[rows*panelVectors:]
	factor, signs, held := free[0], free[1], free[len(free)-panelVectors:]
	c, ldc, n := g.arg("c"), g.argBytes("ldc"), g.arg("n")

	// lanes emits body for the columns, and on AVX2 again for a panel with an edge.
	lanes := func(body func(ls []lane)) {
		full, masked := make([]lane, panelVectors), make([]lane, panelVectors)
		masks := g.panelMasks(n, held)
		for v := range panelVectors {
			m := masks(v)
			full[v] = lane{g: g, disp: v * g.bytes()}
			masked[v] = lane{g: g, disp: v * g.bytes(), mask: &m}
		}
		if g.wide() {
			body(masked)
			return
		}
		edge, done := g.label("edge"), g.label("done")
		g.CMPQ(n, operand.U32(uint32(g.nr())))
		g.JNE(operand.LabelRef(edge))
		body(full)
		g.JMP(operand.LabelRef(done))
		g.Label(edge)
		body(masked)
		g.Label(done)
	}
	if solve {
		lanes(func(ls []lane) {
			from := g.GP64()
			g.MOVQ(c, from)
			for i := range rows {
				for v, l := range ls {
					l.load(from, acc(i, v))
				}
				for line := 0; line < rowBytes; line += 64 {
					g.PREFETCHT1(at(from, rowBytes+line))
				}
				if i < rows-1 {
					g.ADDQ(ldc, from)
				}
			}
		})
	} else {
		for _, x := range g.vec[:rows*panelVectors] {
			g.zero(x)
		}
	}

	k, b := g.arg("k"), g.arg("p")
	a, rs, cs := g.arg("a"), g.argBytes("rs"), g.argBytes("cs")
	row := g.rowsFrom(a, rs, rows)
	next, diagonal := g.label("loop"), g.label("diagonal")
	g.TESTQ(k, k)
	g.JEQ(operand.LabelRef(diagonal))
	g.Label(next)
	g.stepRows(rows, panelVectors, row, at(b, 0), acc, free, nil)
	g.ADDQ(cs, a)
	g.ADDQ(operand.I32(int32(rowBytes)), b)
	g.DECQ(k)
	g.JNE(operand.LabelRef(next))
	g.Label(diagonal)

	d := g.arg("d")
	var divide reg.GPVirtual
	if solve {
		divide = g.arg("divide")
		g.setSigns(signs)
	}
	lanes(func(ls []lane) {
		for s := range rows {
			g.spread(at(d, s*g.size), factor)
			panel := func(v int) operand.Mem { return at(b, s*rowBytes+v*g.bytes()) }
			if solve {
				g.finishRow(divide, factor, acc(s, 0), acc(s, 1))
			} else {
				for v := range ls {
					g.multiplyAdd(panel(v), factor, acc(s, v))
				}
			}
			for v, l := range ls {
				l.store(acc(s, v), c)
			}
			if solve {
				for v := range ls {
					g.xor(signs, acc(s, v), factor)
					g.VMOVUPS(factor, panel(v))
				}
			}
			if s == rows-1 {
				break
			}
			g.ADDQ(ldc, c)
			for i := s + 1; i < rows; i++ {
				g.spread(row(i), factor)
				for v := range ls {
					if solve {
						g.multiplySubtract(factor, acc(s, v), acc(i, v))
					} else {
						g.multiplyAdd(panel(v), factor, acc(i, v))
					}
				}
			}
			g.ADDQ(cs, a)
		}
	})
	g.finish()
}

// finishRow multiplies a row by its factor, or divides by it.
func (g *gen) finishRow(divide reg.GPVirtual, factor reg.VecPhysical, row ...reg.VecPhysical) {
	byDivision, done := g.label("divide"), g.label("done")
	g.TESTQ(divide, divide)
	g.JNE(operand.LabelRef(byDivision))
	for _, x := range row {
		g.mul(factor, x, x)
	}
	g.JMP(operand.LabelRef(done))
	g.Label(byDivision)
	for _, x := range row {
		g.div(factor, x, x)
	}
	g.Label(done)
}

// setSigns sets the sign bit of each element of v, and no other bit.
func (g *gen) setSigns(v reg.VecPhysical) {
	g.ones(v)
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
	// A store that misses L1 waits: a solution from the right gains 2 %.
	for _, r := range to {
		g.PREFETCHT0(r.Offset(64))
	}
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
