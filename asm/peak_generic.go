package asm

// fmaPeakGenericFlops counts one step of fmaPeakGeneric's twelve chains.
const fmaPeakGenericFlops = 12

// Variables, so that the compiler can't simplify what is done with them.
var (
	peakFactor float32 = 1
	peakTerm   float32 = 0x1p-30
)

// fmaPeakGeneric runs six chains of multiplications beside six of additions,
// which fills two multipliers and two adders with a latency of three cycles:
// portable Go has no fused operation that is cheap everywhere.
func fmaPeakGeneric[T Float](n int) {
	f, t := T(peakFactor), T(peakTerm)
	m0, m1, m2, m3, m4, m5 := f, f, f, f, f, f
	a0, a1, a2, a3, a4, a5 := t, t, t, t, t, t
	for range n {
		m0 *= f
		a0 += t
		m1 *= f
		a1 += t
		m2 *= f
		a2 += t
		m3 *= f
		a3 += t
		m4 *= f
		a4 += t
		m5 *= f
		a5 += t
	}
	// Never true, but the compiler can't know, and so can't drop the loop.
	if sum := m0 + m1 + m2 + m3 + m4 + m5 + a0 + a1 + a2 + a3 + a4 + a5; sum < 0 {
		panic("asm: a sum of positive numbers is negative")
	}
}
