package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// int8 emits the tiles of int8, and what makes int8 of float32. A quadruple of int8 is
// loaded and broadcast as a float32, so the tiles are those of gemm. They differ in the
// accumulators, which are integers, and so in their start and end.
//
// With VPDPBUSD a multiply-add takes four products. Its first factor is unsigned: x+128,
// from Quantise. The accumulators begin at -128·Σw, from the header of the panel.
//
// Without it, VPMADDUBSW adds two products in 16 bits. Its first factor is a magnitude,
// at most 127, and its second the other factor with the sign of the first. So it does not
// saturate. VPMADDWD adds pairs of these sums in 32 bits.
//
//   - Tiles of few rows take the magnitudes of A, and give the signs to B.
//   - Others take those of B. They invert the bits of A where a weight is negative, which
//     makes -x-1 of x. The accumulators begin at the sums of the magnitudes of negative
//     weights, from the header. VPSIGNB lost 4 % in 4x16, and a blend of x and -x 10 % in
//     12x32.
//
// Factors of 16 bits for VPMADDWD take as many instructions, and twice the memory for A.
func int8(g *gen) {
	g.of(quad)
	for rows := 1; rows <= g.mr(); rows++ {
		for _, p := range g.panels[rows] {
			g.tile(rows, p*panelVectors, false)
		}
	}
	g.tileRoutines()
	g.of(single)
	g.quantise()
	if !g.dots {
		g.dequantise()
	}
}

// header addresses a row of the header of a panel at p.
func (g *gen) header(p reg.Register, row, v int) operand.Mem {
	return at(p, (row-g.set.constant("Int8Header"))*g.nr()*g.size+v*g.bytes())
}

// startSums emits the first values of the accumulators, and the constants of stepQuads.
func (g *gen) startSums(rows, vectors int, acc func(row, v int) reg.VecPhysical, free []reg.VecPhysical) {
	ones, zero := free[0], free[1]
	if !g.dots {
		g.VMOVUPS(g.constant(0x00010001), ones)
	}
	g.zero(zero)
	b := g.panelStarts((vectors + panelVectors - 1) / panelVectors)
	for v := range vectors {
		x, header := acc(0, v), func(row int) operand.Mem { return g.header(b[v/panelVectors], row, v%panelVectors) }
		switch {
		case g.dots:
			g.VPSUBD(header(1), zero, x)
		case g.signsOfRows(rows):
			g.zero(x)
		default:
			g.VMOVUPS(header(2), x)
		}
	}
	for row := 1; row < rows; row++ {
		for v := range vectors {
			g.VMOVAPS(acc(0, v), acc(row, v))
		}
	}
}

// scaleSums returns what adds an accumulator, times its scales, to the start value in
// s[0], for each row from left to right. The result takes the place of the accumulator.
// Each row points to the scale behind it. The other registers of s are scratch.
func (g *gen) scaleSums(panels int, row func(int) operand.Mem, acc func(row, v int) reg.VecPhysical, s []reg.VecPhysical) func(i, v int) {
	b := g.panelStarts(panels)
	start, scale, t := s[0], s[1], s[2]
	return func(i, v int) {
		if v == 0 {
			g.spread(row(i), scale)
		}
		x := acc(i, v)
		g.VCVTDQ2PS(x, x)
		g.VMULPS(g.header(b[v/panelVectors], 0, v%panelVectors), scale, t)
		g.VFMADD213PS(start, t, x)
	}
}

// signsOfRows says whether stepQuads takes the magnitudes of A, and not those of B.
func (g *gen) signsOfRows(rows int) bool { return rows <= panelVectors }

// stepQuads emits one k without VPDPBUSD, on the constants of startSums.
func (g *gen) stepQuads(rows int, row func(int) operand.Mem, b []reg.GPVirtual, vectors, disp int, acc func(row, v int) reg.VecPhysical, free []reg.VecPhysical) {
	ones, zero, t, other := free[0], free[1], free[2], free[3]
	magnitude, sign := free[4:][:len(free[4:])/2], free[4+len(free[4:])/2:]
	products := func(magnitude, x reg.VecPhysical) {
		g.VPMADDUBSW(t, magnitude, t)
		g.VPMADDWD(ones, t, t)
		g.VPADDD(t, x, x)
	}
	panel := func(v int) operand.Mem { return at(b[v/panelVectors], disp+v%panelVectors*g.bytes()) }
	if !g.signsOfRows(rows) {
		for v := range vectors {
			g.VMOVUPS(panel(v), sign[v])
			g.VPABSB(sign[v], magnitude[v])
			if g.wide() {
				g.VPMOVB2M(sign[v], kMasks[v])
				g.VPMOVM2B(kMasks[v], sign[v])
			} else {
				g.VPCMPGTB(sign[v], zero, sign[v])
			}
		}
		for i := range rows {
			g.spread(row(i), other)
			for v := range vectors {
				g.xor(sign[v], other, t)
				products(magnitude[v], acc(i, v))
			}
		}
		return
	}
	for i := range rows {
		g.spread(row(i), sign[i])
		g.VPABSB(sign[i], magnitude[i])
		if g.wide() {
			g.VPMOVB2M(sign[i], kMasks[i])
		}
	}
	for v := range vectors {
		g.VMOVUPS(panel(v), other)
		for i := range rows {
			if g.wide() {
				g.VMOVAPS(other, t)
				g.VPSUBB(other, zero, kMasks[i], t)
			} else {
				g.VPSIGNB(sign[i], other, t)
			}
			products(magnitude[i], acc(i, v))
		}
	}
}

// quantise emits the maximum of the magnitudes, whose order is that of their bits, and
// then the conversion.
func (g *gen) quantise() {
	g.kernel("quantise", "", "Quantise", "rounds src to int8.")
	src, n := g.base("src"), g.length("src")
	largest, x, signless, tm := g.sumRegs(), g.vec[12], g.vec[13], g.vec[14]
	for _, v := range largest {
		g.zero(v)
	}
	g.signless(signless)
	g.loop64(n, []reg.GPVirtual{src}, tm, 1, func(q int, ls []lane) {
		ls[0].load(src, x)
		g.and(signless, x, x)
		g.VPMAXSD(x, largest[q], largest[q])
	})
	g.tree(largest, x, func(x, dst reg.VecPhysical) { g.VPMAXSD(x, dst, dst) })

	m, factor, scale, most := g.vec[0].AsX(), g.vec[1].AsX(), g.vec[2].AsX(), g.vec[3].AsX()
	bits := g.GP32()
	small, special, ready := g.label("small"), g.label("special"), g.label("ready")
	g.VMOVD(m, bits)
	g.CMPL(bits, operand.U32(math.Float32bits(0x1p-100)))
	g.JLT(operand.LabelRef(small))
	g.CMPL(bits, operand.U32(infBits))
	g.JGE(operand.LabelRef(special))
	g.VMOVSS(g.constant(math.Float32bits(float32(g.set.constant("MaxInt8")))), most)
	g.VDIVSS(m, most, factor)
	g.VDIVSS(most, m, scale)
	g.JMP(operand.LabelRef(ready))
	g.Label(special)
	g.VXORPS(factor, factor, factor)
	g.VMOVSS(g.constant(nanBits), scale)
	g.JMP(operand.LabelRef(ready))
	g.Label(small)
	g.VXORPS(factor, factor, factor)
	g.VXORPS(scale, scale, scale)
	g.Label(ready)
	g.VBROADCASTSS(factor, g.vec[1])

	src, n = g.base("src"), g.length("src")
	dst := g.arg("dst")
	y := g.vec[4]
	g.loop(4, n, []reg.GPVirtual{src}, func(ls []lane) {
		for i, l := range ls {
			l.load(src, y)
			g.VMULPS(g.vec[1], y, y)
			g.VCVTPS2DQ(y, y)
			bytes := g.bytesOf(y, g.vec[5])
			if l.mask == nil {
				if g.wide() {
					g.VMOVDQU(bytes, at(dst, i*g.lanes))
				} else {
					g.VMOVQ(bytes, at(dst, i*g.lanes))
				}
				continue
			}
			// As many quadruples as hold n elements.
			g.ADDQ(operand.Imm(3), n)
			g.SHRQ(operand.Imm(2), n)
			if g.wide() {
				g.VMOVDQU32(bytes, g.mask1(n, nil).k, at(dst, 0))
			} else {
				g.VPMASKMOVD(bytes, g.mask1(n, g.vec[6]).v.AsX(), at(dst, 0))
			}
			g.LEAQ(operand.Mem{Base: dst, Index: n, Scale: 4}, dst)
			return
		}
		g.ADDQ(operand.Imm(uint64(len(ls)*g.lanes)), dst)
	})
	g.VMOVSS(scale, at(dst, 0))
	g.finish()
}

// bytesOf emits the conversion of a vector of int32 to the bytes of a quadruple, in the
// lowest part of the register that it returns. t is scratch.
func (g *gen) bytesOf(x, t reg.VecPhysical) reg.VecPhysical {
	lo := x.AsX().(reg.VecPhysical)
	if g.wide() {
		if g.dots {
			g.VPADDD(g.constant(128), x, x)
		}
		g.VPMOVDB(x, lo)
		return lo
	}
	hi := t.AsX().(reg.VecPhysical)
	g.VEXTRACTI128(operand.Imm(1), x, hi)
	g.VPACKSSDW(hi, lo, lo)
	g.VPACKSSWB(lo, lo, lo)
	return lo
}

// dequantise emits the conversion of vectors, then of the elements left: what lies
// behind them can't be read.
func (g *gen) dequantise() {
	g.kernel("dequantise", "", "Dequantise", "sets dst to scale·q.")
	dst, n, q := g.base("dst"), g.length("dst"), g.arg("q")
	scale, x := g.vec[0], g.vec[1]
	g.broadcast("scale", scale)
	next, tail, one, end := g.label("loop"), g.label("tail"), g.label("one"), g.label("end")
	lanes := operand.Imm(uint64(g.lanes))
	g.SUBQ(lanes, n)
	g.JLT(operand.LabelRef(tail))
	g.Label(next)
	g.VPMOVSXBD(at(q, 0), x)
	g.VCVTDQ2PS(x, x)
	g.VMULPS(scale, x, x)
	g.VMOVUPS(x, at(dst, 0))
	g.ADDQ(lanes, q)
	g.ADDQ(operand.Imm(uint64(g.bytes())), dst)
	g.SUBQ(lanes, n)
	g.JGE(operand.LabelRef(next))
	g.Label(tail)
	g.ADDQ(lanes, n)
	g.JEQ(operand.LabelRef(end))
	g.Label(one)
	v := g.GP32()
	g.MOVBLSX(at(q, 0), v)
	g.VCVTSI2SSL(v, x.AsX(), x.AsX())
	g.VMULSS(scale.AsX(), x.AsX(), x.AsX())
	g.VMOVSS(x.AsX(), at(dst, 0))
	g.INCQ(q)
	g.ADDQ(operand.Imm(uint64(g.size)), dst)
	g.DECQ(n)
	g.JNE(operand.LabelRef(one))
	g.Label(end)
	g.finish()
}
