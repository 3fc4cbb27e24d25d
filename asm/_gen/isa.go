package main

import (
	"fmt"
	"go/types"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa is what distinguishes the instruction sets: everything else in this
// module is written once, for vectors of gen.lanes elements.
type isa struct {
	name  string // in kernel names: tanhAVX2
	file  string // in file names: activation_avx2_amd64.s
	width int    // bytes in a vector
	vec   []reg.VecPhysical
	// panels lists, by the rows of a GEMM tile, how many panels at once the tiles of
	// that height take: as many as leave registers for B and the broadcasts, where one
	// panel alone has too few independent chains to hide the latency of a
	// multiply-add, 4 cycles at one (AVX-512) or two (AVX2) a cycle.
	panels [][]int
	// int8Panels is panels for the tiles of int8.
	int8Panels [][]int
	// dots says whether there is an instruction for products of four pairs of int8.
	dots bool
}

var (
	avx2 = isa{"AVX2", "avx2", 32, []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15},
		[][]int{1: {1, 2, 4}, {1, 2, 3}, {1, 2}, {1}, {1}, {1}},
		[][]int{1: {1, 2, 4}, {1, 2}, {1}, {1}}, false}
	avx512 = isa{"AVX512", "avx512", 64, []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31},
		[][]int{1: {1, 2, 4}, {1, 2, 4}, {1, 2, 4}, {1, 2, 3}, {1, 2}, {1, 2}, {1}, {1}, {1}, {1}, {1}, {1}},
		[][]int{1: {1, 2, 4}, {1, 2, 4}, {1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}}, false}
	// avx512vnni differs from avx512 in what has to do with int8.
	avx512vnni = isa{"AVX512VNNI", "avx512vnni", avx512.width, avx512.vec, avx512.panels, avx512.panels, true}
)

// bytes is the size of a vector.
func (i isa) bytes() int { return i.width }

// wide says whether this is AVX-512, with its mask registers.
func (i isa) wide() bool { return i.width == 64 }

// An element is what distinguishes the types of element.
type element struct {
	kind   types.BasicKind
	size   int    // in bytes
	shift  uint64 // log2 of size
	prefix string // of kernel names
	gemm   string // the name of GEMM
	infix  string // in the names of tables and numbers
	lanes  string // the constant of set.go that counts the partial sums of a reduction
}

var (
	single = element{types.Float32, 4, 2, "", "sgemm", "", "Lanes"}
	double = element{types.Float64, 8, 3, "d", "dgemm", "Double", "DoubleLanes"}
	// quad is four int8 in the place of a float32.
	quad = element{types.Float32, 4, 2, "", "int8", "Int8", "Lanes"}
)

// A gen builds one file of kernels for one instruction set.
type gen struct {
	*build.Context
	isa
	element          // of the kernel at hand
	lanes    int     // elements in a vector
	sums     int     // partial sums of a reduction
	panels   [][]int // of the tiles of these elements: see isa
	set      *setType
	consts   map[uint32]operand.Mem
	kept     map[uint32]reg.VecPhysical // constants that the loop at hand keeps in registers
	labels   int
	routines map[string][]cell // what each works on, by its name
	calls    []call
}

func newGen(i isa, s *setType) *gen {
	g := &gen{Context: build.NewContext(), isa: i, set: s, consts: map[uint32]operand.Mem{}, routines: map[string][]cell{}}
	g.ConstraintExpr("amd64,!purego,!noasm")
	g.of(single)
	return g
}

// of makes the kernels that follow work on elements of a type.
func (g *gen) of(e element) {
	g.element, g.lanes, g.sums = e, g.width/e.size, g.set.constant(e.lanes)
	g.panels = g.isa.panels
	if g.quads() {
		g.panels = g.int8Panels
	}
}

// mr is the number of rows of the tallest tile.
func (g *gen) mr() int { return len(g.panels) - 1 }

// quads says whether the elements are four int8 each.
func (g *gen) quads() bool { return g.element == quad }

// forBoth emits kernels for both types of element.
func forBoth(emit func(*gen)) func(*gen) {
	return func(g *gen) {
		for _, e := range []element{single, double} {
			g.of(e)
			emit(g)
		}
	}
}

// nr is the width of a panel.
func (g *gen) nr() int { return panelVectors * g.lanes }

// kernel begins the function that fills a slot. The name is completed by the
// instruction set and suffix.
func (g *gen) kernel(op, suffix, slot, doc string) {
	g.function(g.kernelName(op, suffix), slot, doc)
}

// function begins the function with a name that fills a slot.
func (g *gen) function(name, slot, doc string) {
	g.Function(name)
	g.Signature(g.set.slot(slot, g.kind))
	g.Attributes(attr.NOSPLIT)
	g.Pragma("noescape")
	g.Doc(name + " " + doc)
}

// kernelName is the name of a kernel on elements of the type at hand.
func (g *gen) kernelName(op, suffix string) string { return g.prefix + op + g.name + suffix }

// label returns a label that is unique in the file.
func (g *gen) label(name string) string {
	g.labels++
	return fmt.Sprintf("%s%d", name, g.labels)
}

// arg loads a parameter into a general register.
func (g *gen) arg(name string) reg.GPVirtual {
	return g.Load(g.Param(name), g.GP64()).(reg.GPVirtual)
}

// argBytes loads a parameter that counts elements and turns it into bytes.
func (g *gen) argBytes(name string) reg.GPVirtual {
	r := g.arg(name)
	g.SHLQ(operand.Imm(g.shift), r)
	return r
}

// base loads the base pointer of a slice parameter.
func (g *gen) base(name string) reg.GPVirtual {
	return g.Load(g.Param(name).Base(), g.GP64()).(reg.GPVirtual)
}

// length loads the length of a slice parameter.
func (g *gen) length(name string) reg.GPVirtual {
	return g.Load(g.Param(name).Len(), g.GP64()).(reg.GPVirtual)
}

// broadcast fills v with a parameter that is an element.
func (g *gen) broadcast(name string, v reg.VecPhysical) {
	g.spread(g.paramAddr(name), v)
}

// paramAddr addresses a parameter.
func (g *gen) paramAddr(name string) operand.Mem {
	b, err := g.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// The instructions that depend on the type of element.

func (g *gen) pick(s, d func(...operand.Op)) func(...operand.Op) {
	if g.size == double.size {
		return d
	}
	return s
}

func (g *gen) spread(ops ...operand.Op) { g.pick(g.VBROADCASTSS, g.VBROADCASTSD)(ops...) }
func (g *gen) add(ops ...operand.Op)    { g.pick(g.VADDPS, g.VADDPD)(ops...) }
func (g *gen) mul(ops ...operand.Op)    { g.pick(g.VMULPS, g.VMULPD)(ops...) }
func (g *gen) div(ops ...operand.Op)    { g.pick(g.VDIVPS, g.VDIVPD)(ops...) }
func (g *gen) multiplyAdd(ops ...operand.Op) {
	if g.quads() {
		g.VPDPBUSD(ops...)
		return
	}
	g.pick(g.VFMADD231PS, g.VFMADD231PD)(ops...)
}

// multiplySubtract emits c -= a·b, rounded once.
func (g *gen) multiplySubtract(a operand.Op, b, c reg.VecPhysical) {
	g.pick(g.VFNMADD231PS, g.VFNMADD231PD)(a, b, c)
}

// at addresses memory behind a register.
func at(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// symbol addresses static data or code.
func symbol(name string) operand.Mem {
	return operand.Mem{Symbol: operand.Symbol{Name: name}, Base: reg.StaticBase}
}

// constant returns 64 bytes of read-only memory filled with one bit pattern, so
// that a vector of either width can take it as an operand.
func (g *gen) constant(bits uint32) operand.Mem {
	if m, ok := g.consts[bits]; ok {
		return m
	}
	m := g.StaticGlobal(fmt.Sprintf("c%s_%08x", g.name, bits))
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := 0; i < g.bytes(); i += 8 {
		g.AppendDatum(operand.U64(uint64(bits)<<32 | uint64(bits)))
	}
	g.consts[bits] = m
	return m
}

// op returns a constant as an operand: the register that keeps it, or memory.
func (g *gen) op(bits uint32) operand.Op {
	if v, ok := g.kept[bits]; ok {
		return v
	}
	return g.constant(bits)
}

// f32 is op for a float value.
func (g *gen) f32(x float32) operand.Op { return g.op(math.Float32bits(x)) }

// keep loads constants into registers, as many as there are.
func (g *gen) keep(values []float32, regs []reg.VecPhysical) {
	g.kept = map[uint32]reg.VecPhysical{}
	for i, v := range regs[:min(len(regs), len(values))] {
		bits := math.Float32bits(values[i])
		g.VMOVUPS(g.constant(bits), v)
		g.kept[bits] = v
	}
}

// inReg returns a register that holds x: the one that keeps it, or t.
func (g *gen) inReg(x float32, t reg.VecPhysical) operand.Op {
	c := g.f32(x)
	if m, ok := c.(operand.Mem); ok {
		g.VMOVUPS(m, t)
		return t
	}
	return c
}

// set1 copies a constant into a register.
func (g *gen) set1(c operand.Op, dst reg.VecPhysical) { g.VMOVUPS(c, dst) }

// zero clears a vector register.
func (g *gen) zero(v reg.VecPhysical) {
	if g.wide() {
		g.VPXORD(v, v, v)
	} else {
		g.VXORPS(v, v, v)
	}
}

// ones sets all bits of v.
func (g *gen) ones(v reg.VecPhysical) {
	if g.wide() {
		g.VPTERNLOGD(operand.Imm(0xff), v, v, v)
	} else {
		g.VPCMPEQD(v, v, v)
	}
}

// Bitwise operations on floats: AVX-512F has them only in integer clothes.

func (g *gen) and(m operand.Op, x, dst reg.VecPhysical) {
	if g.wide() {
		g.VPANDD(m, x, dst)
	} else {
		g.VPAND(m, x, dst)
	}
}

func (g *gen) or(m operand.Op, x, dst reg.VecPhysical) {
	if g.wide() {
		g.VPORD(m, x, dst)
	} else {
		g.VPOR(m, x, dst)
	}
}

// less emits dst = all ones where a < b, else zeros. It is zeros where one is NaN.
func (g *gen) less(b operand.Op, a, dst reg.VecPhysical) { g.compare(0x11, b, a, dst) }

// equal emits dst = all ones where a = b, else zeros.
func (g *gen) equal(b operand.Op, a, dst reg.VecPhysical) { g.compare(0, b, a, dst) }

func (g *gen) compare(predicate uint64, b operand.Op, a, dst reg.VecPhysical) {
	if g.wide() {
		g.VCMPPS(operand.Imm(predicate), b, a, reg.K2)
		g.VPMOVM2D(reg.K2, dst)
	} else {
		g.VCMPPS(operand.Imm(predicate), b, a, dst)
	}
}

func (g *gen) xor(m operand.Op, x, dst reg.VecPhysical) {
	if g.wide() {
		g.VPXORD(m, x, dst)
	} else {
		g.VPXOR(m, x, dst)
	}
}
