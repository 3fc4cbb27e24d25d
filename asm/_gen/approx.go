package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The approximations of exp, tanh and sigmoid. Each is one sequence of
// correctly rounded operations, the same for both instruction sets, with no
// table, no rcp and no rsqrt. The exhaustive test walks all 2^32 inputs; the
// errors below are its maxima.
//
// All three write x = n·ln2 + r with |r| <= ln2/2, where n comes from adding a
// magic number (1.5·2^23 and a bias) whose last bits then hold n. Clamps take
// the constant as first and the element as second source, because max and min
// return the second where one is NaN.
//
// Polynomials were fitted with Sollya's fpminimax to 24-bit coefficients, but
// for exp's, a minimax fit weighted by the distance of floats around e^r and
// rounded coefficient by coefficient. Figures are G elements/s on a 3.66 GHz
// Zen 4, 4,096 elements, AVX-512 / AVX2.
const (
	signBit = 0x80000000
	ln2Lo   = 0xb102e308 // ln2 - float32(ln2) = -1.90465421e-9

	sigmoidScale = 1 << 32
)

var (
	log2e = float32(math.Log2E)
	ln2   = float32(math.Ln2)
)

// expm1 on [-0.3468,0.3468] as r + r²·q(r), relative error 1.4e-8, c1 = 1:
// fpminimax(expm1(x), [|2,...,6|], [|24...|], [-0.3468;0.3468], relative, x).
var tanhCoef = []float32{0x1.6b73ap-10, 0x1.1227aap-7, 0x1.555716p-5, 0x1.5554bp-3, 0x1.fffffep-2}

// exp as 1 + r·q(r), 1.07 ULP before rounding.
var expCoef = []float32{0x1.0eba8ap-7, 0x1.573c44p-5, 0x1.555d46p-3, 0x1.fffdcp-2, 0x1.ffffeep-1, 1}

// exp as 1 + r + r²·q(r), relative error 3.2e-9, c0 = c1 = 1:
// fpminimax(exp(x), [|2,...,6|], [|24...|], [-0.3468;0.3468], relative, 1+x).
var sigmoidCoef = []float32{0x1.6a624cp-10, 0x1.123abcp-7, 0x1.55589ep-5, 0x1.55549p-3, 0x1.fffffcp-2, 1}

// log(1+m) on [-1/3,1/3] as m + m²·(-1/2 + m·p(m)), relative error 4.6e-9: a fit of least
// squares, weighted anew until it is minimax, and rounded.
var logCoef = []float32{-0x1.08055ep-3, 0x1.1e66ccp-3, -0x1.f3115p-4, 0x1.1ed714p-3, -0x1.559dcap-3, 0x1.99d028p-3, -0x1.fffefp-3, 0x1.555506p-2, -0.5}

// The parts of log's arithmetic on bits.
const (
	logLow      = 0x3f2aaaab // 2/3
	exponentBit = 0xff800000 // sign and exponent
	oneBits     = 0x3f800000
	nanBits     = 0x7fc00000
	infBits     = 0x7f800000
)

// A cell is the registers of one vector under approximation: x comes in and
// goes out in x, the rest is scratch. Several cells in lockstep hide latency.
type cell struct{ x, k, t, q reg.VecPhysical }

// cells cuts registers into n cells.
func cells(n int, r []reg.VecPhysical) []cell {
	var c []cell
	for i := range n {
		c = append(c, cell{r[i], r[n+3*i], r[n+3*i+1], r[n+3*i+2]})
	}
	return c
}

// lockstep emits each step for all cells before the next step.
func lockstep(cs []cell, steps ...func(c cell)) {
	for _, step := range steps {
		for _, c := range cs {
			step(c)
		}
	}
}

// clampBelow emits x = max(lo, x).
func (g *gen) clampBelow(lo float32) func(cell) {
	return func(c cell) { g.VMAXPS(c.x, g.inReg(lo, c.t), c.x) }
}

// clampAbove emits x = min(hi, x).
func (g *gen) clampAbove(hi float32) func(cell) {
	return func(c cell) { g.VMINPS(c.x, g.inReg(hi, c.t), c.x) }
}

// round emits k = magic + n and t = n for n = round(x·log2e).
func (g *gen) round(bias float32) []func(cell) {
	magic := 1.5*(1<<23) + bias
	return []func(cell){
		func(c cell) { g.set1(g.f32(magic), c.k) },
		func(c cell) { g.VFMADD231PS(g.f32(log2e), c.x, c.k) },
		func(c cell) { g.VSUBPS(g.f32(magic), c.k, c.t) },
	}
}

// horner emits q = the polynomial in x with coefficients scaled by scale.
func (g *gen) horner(coef []float32, scale float32) []func(cell) {
	steps := []func(cell){func(c cell) { g.set1(g.f32(coef[0]*scale), c.q) }}
	for _, a := range coef[1:] {
		steps = append(steps, func(c cell) { g.VFMADD213PS(g.f32(a*scale), c.x, c.q) })
	}
	return steps
}

// tanhAbs emits x = tanh|x|. With -2|x| = n·ln2 + r, s = 2^n and p = e^r - 1,
//
//	tanh|x| = ((1-s) - s·p) / ((1+s) + s·p).
//
// The exponent is negative so that the denominator comes to lie just below 2
// for small x, where its rounding costs half of what it would just above. At
// the clamp 1-s rounds to 1, and the quotient is 1 exactly.
//
// At most 1.954 ULP, at 0.5193234. 4.6 / 3.6. What lost: an odd rational 9/8,
// 5.7 ULP and above 1, 4.9 / 4.8; E/(E+2) with E = expm1(2x), 2.6 ULP, 4.3 /
// 3.2; 2 - N for the denominator, 2.5 ULP, 4.3 / 3.2.
func (g *gen) tanhAbs(cs []cell) {
	lockstep(cs, func(c cell) { g.VADDPS(c.x, c.x, c.x) },
		func(c cell) { g.or(g.op(signBit), c.x, c.x) },
		g.clampBelow(-18))
	lockstep(cs, g.round(127)...)
	lockstep(cs, func(c cell) { g.VPSLLD(operand.Imm(23), c.k, c.k) },
		// One part of ln2 is enough: the error n·1.9e-9 is damped by s.
		func(c cell) { g.VFNMADD231PS(g.f32(ln2), c.t, c.x) },
		func(c cell) { g.VMULPS(c.x, c.x, c.t) })
	lockstep(cs, g.horner(tanhCoef, 1)...)
	lockstep(cs, func(c cell) { g.VFMADD231PS(c.q, c.t, c.x) }, // p
		func(c cell) { g.VADDPS(g.f32(1), c.k, c.t) },
		func(c cell) { g.VSUBPS(c.k, g.inReg(1, c.q), c.q) },
		func(c cell) { g.VFMADD231PS(c.k, c.x, c.t) },
		func(c cell) { g.VFNMADD231PS(c.k, c.x, c.q) },
		func(c cell) { g.VDIVPS(c.t, c.q, c.x) })
}

// copySign emits x = abs with the sign of x, for abs without sign.
func (g *gen) copySign(abs, x reg.VecPhysical) {
	if g.wide() {
		g.VPTERNLOGD(operand.Imm(0xec), g.op(signBit), abs, x) // abs | (x & sign)
		return
	}
	g.VPAND(g.op(signBit), x, x)
	g.VPOR(abs, x, x)
}

// exp emits x = e^x = 2^n·(1 + r·q(r)), scaled in two steps of which the first
// is exact, so that results underflow gradually with a single rounding.
//
// At most 1.900 ULP, at 5.2432499. 7.0 / 4.5. What lost: the plain relative
// fit, 1.989 ULP; the two multiplications of AVX2 on AVX-512, 5.6.
func (g *gen) exp(cs []cell) {
	lockstep(cs, g.clampBelow(-104), g.clampAbove(89))
	lockstep(cs, g.round(254)...)
	lockstep(cs, func(c cell) { g.VFNMADD231PS(g.f32(ln2), c.t, c.x) },
		func(c cell) { g.VFNMADD231PS(g.op(ln2Lo), c.t, c.x) })
	lockstep(cs, g.horner(expCoef, 1)...)
	if g.wide() {
		lockstep(cs, func(c cell) { g.VSCALEFPS(c.t, c.q, c.x) })
		return
	}
	// k ends in 254+n: its two halves are exponents with their bias already.
	lockstep(cs, func(c cell) { g.VPSRLD(operand.Imm(1), c.k, c.t) },
		func(c cell) { g.VPSUBD(c.t, c.k, c.k) },
		func(c cell) { g.VPSLLD(operand.Imm(23), c.t, c.t) },
		func(c cell) { g.VPSLLD(operand.Imm(23), c.k, c.k) },
		func(c cell) { g.VMULPS(c.t, c.q, c.q) },
		func(c cell) { g.VMULPS(c.k, c.q, c.x) })
}

// log emits x = ln x = e·ln2 + log(1+m) for x = 2^e·(1+m) with 1+m in [2/3,4/3). Numbers
// below the least normal are first multiplied by 2^23. Where x is no number above 0 the
// result is garbage: see logSpecials.
func (g *gen) log(cs []cell) {
	scale := uint32(oneBits ^ 0x4b000000) // between 1 and 2^23
	lockstep(cs, func(c cell) { g.less(g.f32(0x1p-126), c.x, c.t) },
		func(c cell) { g.and(g.op(scale), c.t, c.q) },
		func(c cell) { g.xor(g.op(oneBits), c.q, c.q) },
		func(c cell) { g.VMULPS(c.q, c.x, c.x) },
		func(c cell) { g.and(g.f32(-23), c.t, c.t) },
		func(c cell) { g.VPSUBD(g.op(logLow), c.x, c.k) },
		func(c cell) { g.and(g.op(exponentBit), c.k, c.k) },
		func(c cell) { g.VPSUBD(c.k, c.x, c.x) },
		func(c cell) { g.VCVTDQ2PS(c.k, c.k) },
		func(c cell) { g.VFMADD231PS(g.f32(0x1p-23), c.k, c.t) }, // e
		func(c cell) { g.VSUBPS(g.f32(1), c.x, c.x) },            // m
		func(c cell) { g.VMULPS(c.x, c.x, c.k) })
	lockstep(cs, g.horner(logCoef, 1)...)
	lockstep(cs, func(c cell) { g.VFMADD231PS(c.k, c.q, c.x) },
		func(c cell) { g.VFMADD231PS(g.f32(ln2), c.t, c.x) })
}

// logSpecials emits x = y where y is NaN or +Inf, NaN where y < 0 and -Inf where y is 0.
// y is what x is the logarithm of.
func (g *gen) logSpecials(x, y, t, q reg.VecPhysical) {
	g.less(g.op(infBits), y, t)
	g.choose(x, y, t)
	g.equal(g.f32(0), y, q)
	g.and(g.op(nanBits^0xff800000), q, q)
	g.xor(g.op(nanBits), q, q)
	g.zero(t)
	g.less(y, t, t)
	g.choose(x, q, t)
}

// choose emits x = y where mask has no ones. x is overwritten.
func (g *gen) choose(x, y, mask reg.VecPhysical) {
	g.xor(y, x, x)
	g.and(mask, x, x)
	g.xor(y, x, x)
}

// sigmoid emits x = t/(t + e^-r) with t = 2^n, all scaled by 2^32 so that the
// division does the gradual underflow.
//
// At most 1.9991 ULP, at -0.00034499. 5.1 / 4.3. What lost: degree 5, 3.4 ULP,
// 5.3 / 4.4; adding 1 before the polynomial, 2.4 ULP, 4.8 / 4.0.
func (g *gen) sigmoid(cs []cell) {
	lockstep(cs, g.clampBelow(-104), g.clampAbove(20))
	lockstep(cs, g.round(127+32)...)
	lockstep(cs, func(c cell) { g.VPSLLD(operand.Imm(23), c.k, c.k) },
		func(c cell) { g.VFMSUB231PS(g.f32(ln2), c.t, c.x) },
		func(c cell) { g.VFMADD231PS(g.op(ln2Lo), c.t, c.x) })
	lockstep(cs, g.horner(sigmoidCoef, sigmoidScale)...)
	lockstep(cs, func(c cell) { g.VFMADD213PS(c.k, c.x, c.q) },
		func(c cell) { g.VADDPS(g.f32(sigmoidScale), c.q, c.q) },
		func(c cell) { g.VDIVPS(c.q, c.k, c.x) })
}
