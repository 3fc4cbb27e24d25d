package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A mask limits loads and stores to the elements that exist: a mask register on
// AVX-512, a vector of all ones or all zeros per lane on AVX2.
type mask struct {
	k reg.Register    // AVX-512
	v reg.VecPhysical // AVX2
}

// kMasks are the AVX-512 mask registers in the order of use; K0 can't be one.
var kMasks = []reg.Register{reg.K1, reg.K2, reg.K3, reg.K4}

// masks64 sets up the masks for n < g.sums elements spread over g.sums/lanes vectors.
// It returns a function that readies the mask of vector q: on AVX2 masks are
// read when needed, into v, from a table of as many ones and zeros.
func (g *gen) masks64(n reg.GPVirtual) func(q int, v reg.VecPhysical) mask {
	if g.wide() {
		bits, t := g.GP64(), g.GP64()
		g.MOVQ(operand.I32(-1), bits)
		g.BZHIQ(n, bits, bits)
		for q, k := range kMasks {
			g.MOVQ(bits, t)
			if q > 0 {
				g.SHRQ(operand.Imm(uint64(g.lanes*q)), t)
			}
			g.KMOVW(t.As32(), k)
		}
		return func(q int, _ reg.VecPhysical) mask { return mask{k: kMasks[q]} }
	}
	p := g.maskTable(n)
	return func(q int, v reg.VecPhysical) mask {
		g.VMOVDQU(at(p, 32*q), v)
		return mask{v: v}
	}
}

// mask1 sets up the mask for n elements of one vector, n <= lanes.
func (g *gen) mask1(n reg.GPVirtual, v reg.VecPhysical) mask {
	if g.wide() {
		bits := g.GP32()
		g.MOVL(operand.I32(-1), bits)
		g.BZHIL(n.As32(), bits, bits)
		g.KMOVW(bits, reg.K1)
		return mask{k: reg.K1}
	}
	g.VMOVDQU(at(g.maskTable(n), 0), v)
	return mask{v: v}
}

// maskBytes is the size of as many elements as a reduction has partial sums.
const maskBytes = 256

// maskTable returns the address in the table at which n ones stand before the
// zeros.
func (g *gen) maskTable(n reg.GPVirtual) reg.GPVirtual {
	const ones = 0xffffffff
	if _, ok := g.consts[ones]; !ok {
		m := g.StaticGlobal("masks" + g.name)
		g.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 2 * maskBytes / 8 {
			g.AppendDatum(operand.U64(-uint64(1 - i/(maskBytes/8))))
		}
		g.consts[ones] = m
	}
	p, off := g.GP64(), g.GP64()
	g.LEAQ(g.consts[ones].Offset(maskBytes), p)
	g.MOVQ(n, off)
	g.SHLQ(operand.Imm(g.shift), off)
	g.SUBQ(off, p)
	return p
}

// load reads the masked lanes and clears the others.
func (g *gen) load(m mask, src operand.Mem, dst reg.VecPhysical) {
	if g.wide() {
		g.pick3(g.VMOVUPS_Z, g.VMOVUPD_Z)(src, m.k, dst)
	} else {
		g.pick3(g.VMASKMOVPS, g.VMASKMOVPD)(src, m.v, dst)
	}
}

// pick3 is pick for instructions of three operands.
func (g *gen) pick3(s, d func(_, _, _ operand.Op)) func(_, _, _ operand.Op) {
	if g.size == double.size {
		return d
	}
	return s
}

// store writes the masked lanes alone.
func (g *gen) store(m mask, src reg.VecPhysical, dst operand.Mem) {
	if g.wide() {
		g.pick(g.VMOVUPS, g.VMOVUPD)(src, m.k, dst)
	} else {
		g.pick3(g.VMASKMOVPS, g.VMASKMOVPD)(src, m.v, dst)
	}
}
