package main

import (
	"fmt"
	"go/types"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// panelVectors is the width of a panel in vectors: NR = 2·lanes, so that each
// broadcast of A feeds two multiply-adds per panel.
const panelVectors = 2

// gemm emits the register tiles of GEMM. Registers, by number of vector:
//
//	AVX-512  0-23 accumulators, row by row    24, 25 B    26-31 broadcasts of A
//	AVX2     0-11 accumulators, row by row    12 B or two 13-15 broadcasts of A
//
// and in the epilogue everything past the accumulators is scratch.
func gemm(g *gen) {
	for rows := 1; rows <= g.mr(); rows++ {
		g.tile(rows, 1, false)
		for _, p := range g.panels[rows] {
			g.tile(rows, p*panelVectors, false)
		}
		g.tile(rows, panelVectors, true)
	}
	if g.activates() {
		g.tileRoutines()
	}
}

// activates says whether tiles apply a function.
func (g *gen) activates() bool { return g.kind == types.Float32 }

// tileName is the name of a tile.
func (g *gen) tileName(rows, columns int, plain bool) string {
	op := g.element.gemm
	if plain {
		op += "Plain"
	}
	return fmt.Sprintf("%s%s_%dx%d", op, g.name, rows, columns)
}

// tile emits the tile of some rows by some vectors: half a panel, or panels; or one
// of a plain B, which it packs.
func (g *gen) tile(rows, vectors int, plain bool) {
	rowBytes := panelVectors * g.bytes() // of a panel
	panels := (vectors + panelVectors - 1) / panelVectors
	if plain {
		g.function(g.tileName(rows, vectors*g.lanes, true), "PlainTile",
			fmt.Sprintf("is the GEMM tile of %d rows by %d columns of a plain B.", rows, vectors*g.lanes))
	} else {
		g.function(g.tileName(rows, vectors*g.lanes, false), "Tile",
			fmt.Sprintf("is the GEMM tile of %d rows by %d columns.", rows, vectors*g.lanes))
	}
	acc := func(row, v int) reg.VecPhysical { return g.vec[row*vectors+v] }
	free := g.vec[rows*vectors:]

	// Edges exist in single panels only; the driver sees to that.
	edge := panels == 1 && !plain
	var n reg.GPVirtual
	var masks func(v int) mask
	// starts emits the start values. Where they are in registers of into, done goes on.
	starts := func(into func(row, v int) reg.VecPhysical, free []reg.VecPhysical, done func(row, v int)) {
		full, masked := g.label("full"), g.label("masked")
		if edge {
			n = g.arg("n")
			masks = g.panelMasks(n, free)
		}
		if edge && !g.wide() {
			g.CMPQ(n, operand.U32(uint32(vectors*g.lanes)))
			g.JNE(operand.LabelRef(masked))
		}
		if !edge || !g.wide() {
			g.startValues(rows, vectors, into, free, func(_ int, m operand.Mem, x reg.VecPhysical) { g.VMOVUPS(m, x) }, done)
		}
		if edge {
			if !g.wide() {
				g.JMP(operand.LabelRef(full))
				g.Label(masked)
			}
			g.startValues(rows, vectors, into, free[:len(free)-panelVectors], func(v int, m operand.Mem, x reg.VecPhysical) { g.load(masks(v), m, x) }, done)
			g.Label(full)
		}
	}
	if g.quads() {
		g.startSums(rows, vectors, acc, free)
	} else {
		starts(acc, free, func(_, _ int) {})
	}
	loop := g.label("loop")

	// The chain over k. One pointer walks A, so that a step has few additions: on Intel
	// they share ports with the multiply-adds.
	k := g.arg("k")
	rs, cs := g.argBytes("rs"), g.argBytes("cs")
	a := g.arg("a")
	row := g.rowsFrom(a, rs, rows)
	b := g.panelStarts(panels)
	// A panel that comes from L3 or memory arrives late without this: the
	// processor's own prefetching stops at every page of 4 KB.
	var ahead, ldb, dst reg.GPVirtual
	switch {
	case plain:
		ldb, dst = g.argBytes("ldb"), g.arg("dst")
	case g.fetches(rows, vectors):
		ahead = g.argBytes("bs")
		g.ADDQ(b[0], ahead)
	}
	step := func(u int) {
		disp := u * rowBytes
		if plain {
			for line := 0; line < rowBytes; line += 64 {
				g.PREFETCHT0(at(b[0], rowBytes+line))
			}
			g.stepRows(rows, vectors, row, at(b[0], 0), acc, free, func(v int, x reg.VecPhysical) {
				g.VMOVUPS(x, at(dst, disp+v*g.bytes()))
			})
			g.ADDQ(ldb, b[0])
			g.ADDQ(cs, a)
			return
		}
		if ahead != nil {
			for line := 0; line < rowBytes; line += 64 {
				g.PREFETCHT1(at(ahead, disp+line))
			}
		}
		switch {
		case g.quads() && !g.dots:
			g.stepQuads(rows, row, b, vectors, disp, acc, free)
		case panels == 1:
			g.stepRows(rows, vectors, row, at(b[0], disp), acc, free, nil)
		default:
			g.stepPanels(rows, row, b, disp, acc, free)
		}
		g.ADDQ(cs, a)
	}
	unroll := 4
	tail, store := g.label("tail"), g.label("finish")
	g.SUBQ(operand.Imm(uint64(unroll)), k)
	g.JLT(operand.LabelRef(tail))
	g.Label(loop)
	for u := range unroll {
		step(u)
	}
	next := b // what moves on by the rows of a packed panel
	if plain {
		next = []reg.GPVirtual{dst}
	}
	for _, p := range next {
		g.ADDQ(operand.I32(int32(unroll*rowBytes)), p)
	}
	if ahead != nil {
		g.ADDQ(operand.I32(int32(unroll*rowBytes)), ahead)
	}
	g.SUBQ(operand.Imm(uint64(unroll)), k)
	g.JGE(operand.LabelRef(loop))
	g.Label(tail)
	g.ADDQ(operand.Imm(uint64(unroll)), k)
	g.JEQ(operand.LabelRef(store))
	single := g.label("single")
	g.Label(single)
	step(0)
	for _, p := range next {
		g.ADDQ(operand.I32(int32(rowBytes)), p)
	}
	g.DECQ(k)
	g.JNE(operand.LabelRef(single))
	g.Label(store)

	if g.quads() {
		s, scaled := free[0], g.scaleSums(panels, row, acc, free[:3])
		starts(func(_, _ int) reg.VecPhysical { return s }, free[3:], scaled)
	}
	if g.activates() {
		g.epilogue(rows*vectors, free)
	}

	c, ldc := g.arg("c"), g.argBytes("ldc")
	stores := func(store func(v, row int)) {
		for row := range rows {
			for v := range vectors {
				store(v, row)
			}
			if row < rows-1 {
				g.ADDQ(ldc, c)
			}
		}
		g.VZEROUPPER()
		g.RET()
	}
	if edge && !g.wide() {
		maskedStore := g.label("maskedStore")
		n = g.arg("n")
		g.CMPQ(n, operand.U32(uint32(vectors*g.lanes)))
		g.JNE(operand.LabelRef(maskedStore))
		stores(func(v, row int) { g.VMOVUPS(acc(row, v), at(c, v*g.bytes())) })
		g.Label(maskedStore)
		masks = g.panelMasks(n, free)
	}
	if edge {
		stores(func(v, row int) { g.store(masks(v), acc(row, v), at(c, v*g.bytes())) })
	} else {
		stores(func(v, row int) { g.VMOVUPS(acc(row, v), at(c, v*g.bytes())) })
	}
}

// rowsFrom returns the addresses of rows at a stride from a pointer. An index is an odd
// multiple of the stride, and an address scales it by a power of two.
func (g *gen) rowsFrom(p, stride reg.GPVirtual, rows int) func(i int) operand.Mem {
	odd := map[int]reg.GPVirtual{1: stride}
	for i := 3; i < rows; i += 2 {
		odd[i] = g.GP64()
		g.LEAQ(operand.Mem{Base: odd[i-2], Index: stride, Scale: 2}, odd[i])
	}
	return func(i int) operand.Mem {
		if i == 0 {
			return at(p, 0)
		}
		scale := i & -i
		return at(p, 0).Idx(odd[i/scale], uint8(scale))
	}
}

// panelStarts returns pointers to the panels of B.
func (g *gen) panelStarts(panels int) []reg.GPVirtual {
	b := []reg.GPVirtual{g.arg("b")}
	if panels > 1 {
		bs := g.argBytes("bs")
		for j := 1; j < panels; j++ {
			p := g.GP64()
			g.LEAQ(operand.Mem{Base: b[j-1], Index: bs, Scale: 1}, p)
			b = append(b, p)
		}
	}
	return b
}

// fetches says whether a tile brings what comes next into L2: those that take a
// full panel on its own, and have the arithmetic to hide it behind.
func (g *gen) fetches(rows, vectors int) bool { return vectors == panelVectors && rows >= g.mr()/2 }

// startValues emits the loads of a row of S and the bias for each row. A tile
// that fetches ahead asks for the columns of the next panel too. Where the stride of S is
// 0, all rows start from its first.
func (g *gen) startValues(rows, vectors int, acc func(row, v int) reg.VecPhysical, free []reg.VecPhysical, load func(v int, m operand.Mem, x reg.VecPhysical), done func(row, v int)) {
	ids, bias := g.arg("ids"), g.arg("bias")
	s, ss := g.arg("s"), g.argBytes("ss")
	inRegisters := vectors <= len(free)
	if !inRegisters && vectors <= panelVectors {
		panic("a tile with an edge would read past the bias")
	}
	if inRegisters {
		for v := range vectors {
			load(v, at(bias, v*g.bytes()), free[v])
		}
	}
	plus := func(v int, x reg.VecPhysical) {
		if inRegisters {
			g.add(free[v], x, x)
		} else {
			g.add(at(bias, v*g.bytes()), x, x)
		}
	}
	same, end := g.label("same"), g.label("started")
	copies := rows > 1 && !g.quads() // sums of integers leave no registers for the start values
	if copies {
		g.TESTQ(ss, ss)
		g.JEQ(operand.LabelRef(same))
	}
	for row := range rows {
		p := g.GP64()
		g.MOVLQSX(at(ids, 4*row), p)
		g.IMULQ(ss, p)
		g.ADDQ(s, p)
		for v := range vectors {
			x := acc(row, v)
			load(v, at(p, v*g.bytes()), x)
			plus(v, x)
			done(row, v)
		}
		if g.fetches(rows, vectors) {
			for line := 0; line < vectors*g.bytes(); line += 64 {
				g.PREFETCHT1(at(p, vectors*g.bytes()+line))
			}
		}
	}
	if !copies {
		return
	}
	g.JMP(operand.LabelRef(end))
	g.Label(same)
	for v := range vectors {
		x := acc(0, v)
		load(v, at(s, v*g.bytes()), x)
		plus(v, x)
		for row := 1; row < rows; row++ {
			g.VMOVAPS(x, acc(row, v))
		}
	}
	g.Label(end)
}

// stepRows emits one k of a single panel: its vectors of B, which keep may store, then
// row by row. To load B a k ahead, or to broadcast a lone vector's rows
// in the multiply-add, gained nothing on Intel.
func (g *gen) stepRows(rows, vectors int, row func(int) operand.Mem, b operand.Mem, acc func(row, v int) reg.VecPhysical, free []reg.VecPhysical, keep func(v int, x reg.VecPhysical)) {
	bv := free[:vectors]
	for v := range bv {
		g.VMOVUPS(b.Offset(v*g.bytes()), bv[v])
	}
	if keep != nil {
		for v := range bv {
			keep(v, bv[v])
		}
	}
	bcast := free[vectors:]
	for i := range rows {
		x := bcast[i%len(bcast)]
		g.spread(row(i), x)
		for v := range bv {
			g.multiplyAdd(bv[v], x, acc(i, v))
		}
	}
}

// stepPanels emits one k of several panels: all broadcasts, then B vector by
// vector. With one row B goes straight into the multiply-add.
func (g *gen) stepPanels(rows int, row func(int) operand.Mem, b []reg.GPVirtual, disp int, acc func(row, v int) reg.VecPhysical, free []reg.VecPhysical) {
	x := free[:rows]
	for i := range x {
		g.spread(row(i), x[i])
	}
	bv := free[rows:]
	for j, p := range b {
		for v := range panelVectors {
			m := at(p, disp+v*g.bytes())
			col := j*panelVectors + v
			if rows == 1 {
				g.multiplyAdd(m, x[0], acc(0, col))
				continue
			}
			t := bv[col%len(bv)]
			g.VMOVUPS(m, t)
			for i := range x {
				g.multiplyAdd(t, x[i], acc(i, col))
			}
		}
	}
}

// panelMasks returns the masks of the two vectors of a panel with n columns.
func (g *gen) panelMasks(n reg.GPVirtual, free []reg.VecPhysical) func(v int) mask {
	if g.wide() {
		bits := g.GP32()
		g.MOVL(operand.I32(-1), bits)
		g.BZHIL(n.As32(), bits, bits)
		g.KMOVW(bits, reg.K1)
		g.SHRL(operand.Imm(uint64(g.lanes)), bits)
		g.KMOVW(bits, reg.K2)
		return func(v int) mask { return mask{k: kMasks[v]} }
	}
	m := free[len(free)-panelVectors:]
	p := g.maskTable(n)
	for v := range panelVectors {
		g.VMOVDQU(at(p, v*g.bytes()), m[v])
	}
	return func(v int) mask { return mask{v: m[v]} }
}

// epilogue applies act to the accumulators. tanh and sigmoid are routines
// shared by all tiles: inlined they would fill half a megabyte of source.
func (g *gen) epilogue(accs int, free []reg.VecPhysical) {
	act := g.arg("act")
	relu, tanh, done := g.label("relu"), g.label("tanh"), g.label("done")
	is := func(name string) { g.CMPQ(act, operand.Imm(uint64(g.set.constant(name)))) }
	is("ReLU")
	g.JEQ(operand.LabelRef(relu))
	is("Tanh")
	g.JEQ(operand.LabelRef(tanh))
	is("Sigmoid")
	g.JNE(operand.LabelRef(done))
	g.callTile("sigmoidTile"+g.infix, accs, func(y, x reg.VecPhysical) { g.VMOVAPS(y, x) })
	g.JMP(operand.LabelRef(done))
	g.Label(tanh)
	g.callTile("tanhAbsTile"+g.infix, accs, g.copySign)
	g.JMP(operand.LabelRef(done))
	g.Label(relu)
	z := free[0]
	g.zero(z)
	for _, x := range g.vec[:accs] {
		g.relu(x, z)
	}
	g.Label(done)
}

// callTile hands the accumulators to a routine, a few at a time, and merges
// each result y into its accumulator x.
func (g *gen) callTile(name string, accs int, merge func(y, x reg.VecPhysical)) {
	cs := g.tileCells()
	for i := 0; i < accs; i += len(cs) {
		last := cs[:min(len(cs), accs-i)]
		for j, c := range last {
			g.VMOVAPS(g.vec[i+j], c.x)
		}
		g.call(name+g.name, last, cs, g.vec[:accs])
		for j, c := range last {
			merge(c.x, g.vec[i+j])
		}
	}
}
