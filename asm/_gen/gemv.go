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
		groups = []int{rowsJoined, 1}
	}
	g.kernel("gemv", "", "Gemv", "multiplies A by x.")
	m, y := g.arg("m"), g.arg("y")
	a, lda := g.arg("a"), g.argBytes("lda")
	if g.wide() {
		g.firstsMask()
	}
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
		g.gemvGroup(rows, passes, y, a, lda)
		g.ADDQ(operand.Imm(uint64(rows*g.size)), y)
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

// gemvGroup emits the elements of y of some rows, and moves a past them.
func (g *gen) gemvGroup(rows, passes int, y, a, lda reg.GPVirtual) {
	sums := g.sums / g.lanes / passes // of a row in a pass
	acc := func(row int) []reg.VecPhysical { return g.vec[row*sums:][:sums] }
	free := g.vec[rows*sums:]
	x0, x1, tm, t := free[0], free[1], free[2], free[3]
	var earlier operand.Mem // sums of the pass before, two vectors of a row
	if passes > 1 {
		earlier = g.AllocLocal(rows * 2 * g.bytes())
	}
	joined := g.label("joined")
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
				l.multiplyAdd(at(p, 0), v, acc(i)[q%sums], t)
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
		if pass == 0 { // the lanes of the other pass may all be empty
			n := g.length("x")
			g.CMPQ(n, operand.Imm(uint64(sums*g.lanes)))
			g.JLE(operand.LabelRef(joined))
		}
	}
	g.Label(joined)
	if rows == rowsJoined {
		g.joinRows(acc)
		g.updateRows(g.vec[0], free[0], y)
	} else {
		for i := range row {
			s := acc(i)
			if passes > 1 {
				g.fold(s[0], s[1], s[2], g.addTo)
			} else {
				g.sumTree(s, free[0])
			}
			g.updateRow(s[0].AsX().(reg.VecPhysical), x0.AsX().(reg.VecPhysical), at(y, i*g.size))
		}
	}
	for range rows {
		g.ADDQ(lda, a)
	}
}

// rowsJoined is the number of rows whose sums AVX-512 joins side by side.
const rowsJoined = 4

// firstsK marks the first element of each 128 bits.
var firstsK = reg.K5

func (g *gen) firstsMask() {
	bits := g.GP32()
	if g.size == double.size {
		g.MOVL(operand.U32(0x55), bits)
	} else {
		g.MOVL(operand.U32(0x1111), bits)
	}
	g.KMOVW(bits, firstsK)
}

// joinRows joins the partial sums of rows in the order that Kernels.Dot states. The totals
// are in the first lanes of acc(0)[0] then.
func (g *gen) joinRows(acc func(row int) []reg.VecPhysical) {
	for i := range rowsJoined {
		s := acc(i)
		g.addTo(s[1], s[0])
		g.addTo(s[3], s[2])
		g.addTo(s[2], s[0])
	}
	// halves adds the upper halves of x and y to the lower ones, side by side in x.
	halves := func(lower, upper uint64, x, y, t reg.VecPhysical) {
		g.VSHUFF64X2(operand.Imm(lower), y, x, t)
		g.VSHUFF64X2(operand.Imm(upper), y, x, x)
		g.addTo(t, x)
	}
	s, t := acc(0)[0], acc(0)[1]
	halves(0x44, 0xee, s, acc(1)[0], t)
	halves(0x44, 0xee, acc(2)[0], acc(3)[0], acc(2)[1])
	halves(0x88, 0xdd, s, acc(2)[0], t)
	g.VPERMILPD(operand.Imm(0x55), s, t)
	g.addTo(t, s)
	if g.size == single.size {
		g.VMOVSHDUP(s, t)
		g.addTo(t, s)
	}
	g.pick3(g.VCOMPRESSPS_Z, g.VCOMPRESSPD_Z)(s, firstsK, s)
}

// updateRow emits y = alpha·s + beta·y for lane 0 of s. If beta is 0, y is not read.
func (g *gen) updateRow(s, t reg.VecPhysical, y operand.Mem) {
	g.unsignZero(s, t)
	move := g.pick(g.VMOVSS, g.VMOVSD)
	mul, add := g.pick(g.VMULSS, g.VMULSD), g.pick(g.VADDSS, g.VADDSD)
	mul(g.paramAddr("alpha"), s, s)
	g.unlessZero("beta", func() {
		move(g.paramAddr("beta"), t)
		mul(y, t, t)
		add(t, s, s)
	})
	move(s, y)
}

// updateRows is updateRow for rowsJoined lanes.
func (g *gen) updateRows(s, t reg.VecPhysical, y reg.GPVirtual) {
	first := func(v reg.VecPhysical) reg.VecPhysical {
		if g.size == double.size {
			return v.AsY().(reg.VecPhysical)
		}
		return v.AsX().(reg.VecPhysical)
	}
	s, t = first(s), first(t)
	g.unsignZero(s, t)
	g.broadcast("alpha", t)
	g.mul(t, s, s)
	g.unlessZero("beta", func() {
		g.broadcast("beta", t)
		g.mul(at(y, 0), t, t)
		g.add(t, s, s)
	})
	g.VMOVUPS(s, at(y, 0))
}

// unlessZero emits body for a parameter that is not ±0.
func (g *gen) unlessZero(name string, body func()) {
	zero := g.label("zero")
	bits := g.GP64()
	if g.size == double.size {
		g.MOVQ(g.paramAddr(name), bits)
		g.ADDQ(bits, bits)
	} else {
		g.MOVL(g.paramAddr(name), bits.As32())
		g.ADDL(bits.As32(), bits.As32())
	}
	g.JEQ(operand.LabelRef(zero))
	body()
	g.Label(zero)
}

// blockVectors is the number of vectors of the columns that go through all rows at once.
const blockVectors = 8

// gemvT emits GemvT. If dst is short, it is in registers, and rows go one by one.
func (g *gen) gemvT() {
	g.kernel("gemvT", "", "GemvT", "adds the rows of A, each times its element of alpha·x, to dst.")
	m, a, lda, x, alpha := g.rowFactors()
	incx := g.GP64()
	g.MOVQ(operand.U32(uint32(g.size)), incx)
	dst, n := g.base("dst"), g.length("dst")
	long, end := g.label("long"), g.label("end")
	g.CMPQ(n, operand.I32(int32(blockVectors*g.lanes)))
	g.JGT(operand.LabelRef(long))
	g.byVectors(n, end, true, func(ls []lane) {
		acc, t := g.vec[:len(ls)], g.vec[14]
		for i, l := range ls {
			l.load(dst, acc[i])
		}
		g.eachRow(m, a, lda, x, incx, alpha, func(p reg.GPVirtual, factor reg.VecPhysical) {
			for i, l := range ls {
				l.multiplyAdd(at(p, 0), factor, acc[i], t)
			}
		})
		for i, l := range ls {
			l.store(acc[i], dst)
		}
	})
	g.Label(long)
	g.gemvTLong(m, a, lda, x, alpha)
	g.Label(end)
	g.finish()
}

// gemvTLong emits GemvT for a long dst: some rows at a time, with their elements of alpha·x
// in registers. dst is read and written once for all of them. Memory sees one stream a row.
func (g *gen) gemvTLong(m, a, lda, x reg.GPVirtual, alpha reg.VecPhysical) {
	groups := []int{8, 4, 2, 1} // more compete for the same sets of L1 where lda is a power of 2
	lda3 := g.GP64()
	g.LEAQ(operand.Mem{Base: lda, Index: lda, Scale: 2}, lda3)
	for _, rows := range groups {
		next, done := g.label(fmt.Sprintf("rows%d_", rows)), g.label("done")
		g.SUBQ(operand.Imm(uint64(rows)), m)
		g.JLT(operand.LabelRef(done))
		g.Label(next)
		for i := range rows {
			g.spread(at(x, i*g.size), g.vec[i])
			g.mul(alpha, g.vec[i], g.vec[i])
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
					l.multiplyAdd(row[r], g.vec[r], acc[i], t)
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
}

// ger emits Ger. Where rows follow closely, the whole vectors of all rows come first, then
// the rest: a load would wait for the masked store before it, whose vector reaches into
// the next row.
func (g *gen) ger() {
	g.kernel("ger", "", "Ger", "adds alpha·x·yᵀ to A.")
	m, a, lda, x, alpha := g.rowFactors()
	incx := g.argBytes("incx")
	y, n, whole := g.base("y"), g.length("y"), g.GP64()
	long, rest, close, end := g.label("long"), g.label("rest"), g.label("close"), g.label("end")
	update := func(l lane, p reg.GPVirtual, factor, y, t reg.VecPhysical) {
		l.load(p, t)
		g.multiplyAdd(y, factor, t)
		l.store(t, p)
	}
	block := func(ls []lane) {
		t := g.vec[blockVectors:]
		for i, l := range ls {
			l.load(y, g.vec[i])
		}
		g.eachRow(m, a, lda, x, incx, alpha, func(p reg.GPVirtual, factor reg.VecPhysical) {
			for i, l := range ls {
				update(l, p, factor, g.vec[i], t[i%2])
			}
		})
	}
	g.MOVQ(n, whole)
	g.ANDQ(operand.I32(int32(-g.lanes)), whole)
	g.CMPQ(n, operand.I32(int32(blockVectors*g.lanes)))
	g.JGT(operand.LabelRef(long))
	g.CMPQ(n, whole)
	g.JEQ(operand.LabelRef(close))
	gap := g.GP64()
	g.LEAQ(operand.Mem{Base: lda, Disp: -g.bytes()}, gap)
	g.SARQ(operand.Imm(g.shift), gap)
	g.CMPQ(n, gap)
	g.JGT(operand.LabelRef(close))
	g.byVectors(n, end, true, block)
	g.Label(close)
	g.TESTQ(whole, whole)
	g.JEQ(operand.LabelRef(rest))
	g.byVectors(whole, rest, false, block)
	g.Label(long)
	g.eachRow(m, a, lda, x, incx, alpha, func(row reg.GPVirtual, factor reg.VecPhysical) {
		p, py, left := g.GP64(), g.GP64(), g.GP64()
		g.MOVQ(row, p)
		g.MOVQ(y, py)
		g.MOVQ(whole, left)
		g.loop(4, left, []reg.GPVirtual{p, py}, each(func(l lane) {
			l.load(py, g.vec[0])
			update(l, p, factor, g.vec[0], g.vec[1])
		}))
	})
	g.Label(rest)
	g.LEAQ(operand.Mem{Base: a, Index: whole, Scale: uint8(g.size)}, a)
	g.LEAQ(operand.Mem{Base: y, Index: whole, Scale: uint8(g.size)}, y)
	g.SUBQ(whole, n)
	g.JEQ(operand.LabelRef(end))
	last := g.mask1(n, g.vec[15])
	block([]lane{{g: g, mask: &last}})
	g.Label(end)
	g.finish()
}

// rowFactors loads the parameters of a kernel that takes rows times elements of alpha·x,
// and returns at once if there are no rows.
func (g *gen) rowFactors() (m, a, lda, x reg.GPVirtual, alpha reg.VecPhysical) {
	some := g.label("some")
	m, a, lda, x, alpha = g.arg("m"), g.arg("a"), g.argBytes("lda"), g.arg("x"), g.vec[13]
	g.TESTQ(m, m)
	g.JNE(operand.LabelRef(some))
	g.RET()
	g.Label(some)
	g.broadcast("alpha", alpha)
	return m, a, lda, x, alpha
}

// eachRow emits a loop over rows. factor is the row's element of alpha·x.
func (g *gen) eachRow(m, a, lda, x, incx reg.GPVirtual, alpha reg.VecPhysical, body func(row reg.GPVirtual, factor reg.VecPhysical)) {
	next, row, px, left, factor := g.label("row"), g.GP64(), g.GP64(), g.GP64(), g.vec[12]
	g.MOVQ(a, row)
	g.MOVQ(x, px)
	g.MOVQ(m, left)
	g.Label(next)
	g.spread(at(px, 0), factor)
	g.mul(alpha, factor, factor)
	body(row, factor)
	g.ADDQ(lda, row)
	g.ADDQ(incx, px)
	g.DECQ(left)
	g.JNE(operand.LabelRef(next))
}

// byVectors emits body for each number of vectors that n elements take, up to
// blockVectors. The last one is masked if there may be a rest. Then it jumps to end.
func (g *gen) byVectors(n reg.GPVirtual, end string, rest bool, body func([]lane)) {
	for vectors := 1; vectors <= blockVectors; vectors++ {
		more := g.label("more")
		if vectors < blockVectors {
			g.CMPQ(n, operand.I32(int32(vectors*g.lanes)))
			g.JGT(operand.LabelRef(more))
		}
		var ls []lane
		for i := range vectors {
			ls = append(ls, lane{g: g, disp: i * g.bytes()})
		}
		if rest {
			g.SUBQ(operand.I32(int32((vectors-1)*g.lanes)), n)
			last := g.mask1(n, g.vec[15])
			ls[vectors-1].mask = &last
		}
		body(ls)
		g.JMP(operand.LabelRef(end))
		g.Label(more)
	}
}
