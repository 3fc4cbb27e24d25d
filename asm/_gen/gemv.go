package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemv emits the products of a matrix and a vector.
func gemv(g *gen) {
	g.gemvRows()
	g.gemvT()
	g.ger()
}

// gemvPassBytes is the longest row for which AVX2 takes three rows in two passes: L2 holds
// three and x.
const gemvPassBytes = 32 << 10

// gemvRows emits Gemv: some rows at a time, for which each vector of x is loaded once.
// Each row has the partial sums of Dot. AVX2 has registers for three rows with half of
// the sums, and passes over rows that L2 holds twice. Each pass reads other lines.
func (g *gen) gemvRows() {
	groups := []int{3, 1}
	if g.wide() {
		groups = []int{6, 4, 2, 1}
	}
	g.kernel("gemv", "", "Gemv", "multiplies A by x.")
	m, dst := g.arg("m"), g.arg("dst")
	a, lda := g.arg("a"), g.argBytes("lda")
	for _, rows := range groups {
		next, done, long := g.label(fmt.Sprintf("rows%d_", rows)), g.label("done"), g.label("long")
		passes := 1
		if !g.wide() && rows > 1 {
			passes = 2
			n := g.length("x")
			g.CMPQ(n, operand.U32(uint32(gemvPassBytes/g.size)))
			g.JGT(operand.LabelRef(long))
		}
		g.SUBQ(operand.Imm(uint64(rows)), m)
		g.JLT(operand.LabelRef(done))
		g.Label(next)
		g.gemvGroup(rows, passes, dst, a, lda)
		g.ADDQ(operand.Imm(uint64(rows*g.size)), dst)
		g.SUBQ(operand.Imm(uint64(rows)), m)
		g.JGE(operand.LabelRef(next))
		g.Label(done)
		g.ADDQ(operand.Imm(uint64(rows)), m)
		if passes > 1 {
			g.Label(long)
		}
	}
	g.finish()
}

// gemvGroup emits the dot products of some rows, and moves a past them.
func (g *gen) gemvGroup(rows, passes int, dst, a, lda reg.GPVirtual) {
	sums := g.sums / g.lanes / passes // of a row in a pass
	acc := func(row int) []reg.VecPhysical { return g.vec[row*sums:][:sums] }
	free := g.vec[rows*sums:]
	x0, x1, tm, t := free[0], free[1], free[2], free[3]
	var earlier operand.Mem // sums of the pass before, two vectors of a row
	if passes > 1 {
		earlier = g.AllocLocal(rows * 2 * g.bytes())
	}
	row := make([]reg.GPVirtual, rows)
	for i := range row {
		row[i] = g.GP64()
	}
	for pass := range passes {
		for i, p := range row {
			if i == 0 {
				g.MOVQ(a, p)
			} else {
				g.LEAQ(operand.Mem{Base: row[i-1], Index: lda, Scale: 1}, p)
			}
		}
		x, n := g.base("x"), g.length("x")
		for _, s := range g.vec[:rows*sums] {
			g.zero(s)
		}
		g.loop64(n, append(row[:rows:rows], x), tm, 1, func(q int, ls []lane) {
			if q/sums != pass {
				return
			}
			l, v := ls[0], []reg.VecPhysical{x0, x1}[q%2]
			l.load(x, v)
			for i, p := range row {
				s := acc(i)[q%sums]
				if l.mask == nil {
					g.multiplyAdd(at(p, l.disp), v, s)
					continue
				}
				l.load(p, t)
				g.multiplyAdd(t, v, s)
			}
		})
		if passes == 1 {
			break
		}
		// Two quarters of the lanes, of two vectors each.
		for i := range row {
			s := acc(i)
			for h := range 2 {
				m := earlier.Offset((2*i + h) * g.bytes())
				g.add(s[2+h], s[h], s[h])
				if pass == 0 {
					g.VMOVUPS(s[h], m)
				} else {
					g.add(m, s[h], s[h])
				}
			}
		}
	}
	for i := range row {
		s := acc(i)
		if passes > 1 {
			g.fold(s[0], s[1], s[2], g.addTo)
		} else {
			g.sumTree(s, free[0])
		}
		g.storeScalar(s[0], at(dst, i*g.size))
	}
	for range rows {
		g.ADDQ(lda, a)
	}
}

// storeScalar stores lane 0 of v.
func (g *gen) storeScalar(v reg.VecPhysical, m operand.Mem) {
	if g.size == double.size {
		g.VMOVSD(v.AsX(), m)
	} else {
		g.VMOVSS(v.AsX(), m)
	}
}

// gemvT emits GemvT: some rows at a time, with their elements of x in registers. dst is
// read and written once for all of them. Memory sees one stream a row.
func (g *gen) gemvT() {
	groups := []int{8, 4, 2, 1} // more compete for the same sets of L1 where lda is a power of 2
	g.kernel("gemvT", "", "GemvT", "adds the rows of A, each times its element of x, to dst.")
	m, a, lda, x := g.arg("m"), g.arg("a"), g.argBytes("lda"), g.arg("x")
	lda3 := g.GP64()
	g.LEAQ(operand.Mem{Base: lda, Index: lda, Scale: 2}, lda3)
	for _, rows := range groups {
		next, done := g.label(fmt.Sprintf("rows%d_", rows)), g.label("done")
		g.SUBQ(operand.Imm(uint64(rows)), m)
		g.JLT(operand.LabelRef(done))
		g.Label(next)
		for i := range rows {
			g.spread(at(x, i*g.size), g.vec[i])
		}
		// Rows are addressed in fours from one pointer each.
		var ps []reg.GPVirtual
		var row []operand.Mem
		for i := 0; i < rows; i += 4 {
			p := g.GP64()
			if i == 0 {
				g.MOVQ(a, p)
			} else {
				g.LEAQ(operand.Mem{Base: ps[len(ps)-1], Index: lda, Scale: 4}, p)
			}
			ps = append(ps, p)
			row = append(row, at(p, 0), at(p, 0).Idx(lda, 1), at(p, 0).Idx(lda, 2), at(p, 0).Idx(lda3, 1))
		}
		dst, n := g.base("dst"), g.length("dst")
		t := g.vec[len(g.vec)-2]
		g.loop(4, n, append(ps, dst), func(ls []lane) {
			acc := g.vec[rows:]
			for i, l := range ls {
				l.load(dst, acc[i])
			}
			for r := range rows {
				for i, l := range ls {
					if l.mask == nil {
						g.multiplyAdd(row[r].Offset(l.disp), g.vec[r], acc[i])
						continue
					}
					l.loadFrom(row[r], t)
					g.multiplyAdd(t, g.vec[r], acc[i])
				}
			}
			for i, l := range ls {
				l.store(acc[i], dst)
			}
		})
		for range rows / 4 {
			g.LEAQ(operand.Mem{Base: a, Index: lda, Scale: 4}, a)
		}
		for range rows % 4 {
			g.ADDQ(lda, a)
		}
		g.ADDQ(operand.Imm(uint64(rows*g.size)), x)
		g.SUBQ(operand.Imm(uint64(rows)), m)
		g.JGE(operand.LabelRef(next))
		g.Label(done)
		g.ADDQ(operand.Imm(uint64(rows)), m)
	}
	g.finish()
}

// ger emits Ger row by row: its stores are the bound.
func (g *gen) ger() {
	g.kernel("ger", "", "Ger", "adds x·yᵀ to A.")
	m, a, lda, x := g.arg("m"), g.arg("a"), g.argBytes("lda"), g.arg("x")
	row, end := g.label("row"), g.label("end")
	g.TESTQ(m, m)
	g.JEQ(operand.LabelRef(end))
	g.Label(row)
	p := g.GP64()
	g.MOVQ(a, p)
	y, n := g.base("y"), g.length("y")
	factor, t, u := g.vec[0], g.vec[1], g.vec[2]
	g.spread(at(x, 0), factor)
	g.loop(4, n, []reg.GPVirtual{p, y}, each(func(l lane) {
		l.load(p, t)
		l.load(y, u)
		g.multiplyAdd(u, factor, t)
		l.store(t, p)
	}))
	g.ADDQ(lda, a)
	g.ADDQ(operand.Imm(uint64(g.size)), x)
	g.DECQ(m)
	g.JNE(operand.LabelRef(row))
	g.Label(end)
	g.finish()
}
