package asm

import "math"

// All functions but relu are computed in float64 and rounded once. That leaves them
// within 0.51 ULP. Subnormal results come out of the same rounding.
//
// On amd64 the conversion to float64 waits for the last write to its register. Where
// that is the previous element's result, each element takes the latency of the whole
// function: two to five times as long. Here constants or integers come in between; look
// again after any change.

func tanhGeneric(dst, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = tanh(x)
	}
}

func sigmoidGeneric(dst, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = sigmoid(x)
	}
}

func expGeneric(dst, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = exp(x)
	}
}

func logGeneric(dst, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = float32(math.Log(float64(x)))
	}
}

func sqrtGeneric(dst, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = float32(math.Sqrt(float64(x)))
	}
}

func reluGeneric(dst, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		if x < 0 {
			x = 0
		}
		dst[i] = x
	}
}

func tanhGradGeneric(m, n int, d *float32, ldd int, y *float32, ldy int) {
	for i := range m {
		di, yi := row(d, i*ldd, n), row(y, i*ldy, n)
		for j, y := range yi {
			di[j] *= tanhSlope(y)
		}
	}
}

func sigmoidGradGeneric(m, n int, d *float32, ldd int, y *float32, ldy int) {
	for i := range m {
		di, yi := row(d, i*ldd, n), row(y, i*ldy, n)
		for j, y := range yi {
			di[j] *= sigmoidSlope(y)
		}
	}
}

func reluGradGeneric(m, n int, d *float32, ldd int, y *float32, ldy int) {
	for i := range m {
		di, yi := row(d, i*ldd, n), row(y, i*ldy, n)
		for j, y := range yi {
			if y <= 0 {
				di[j] = 0
			}
		}
	}
}

// tanhSlope and sigmoidSlope return the derivatives at y = tanh(z) and y = sigmoid(z).
func tanhSlope(y float32) float32    { return 1 - float32(y*y) }
func sigmoidSlope(y float32) float32 { return float32(y * (1 - y)) }

// tanh returns (e^2|x| - 1) / (e^2|x| + 1) with the sign of x.
func tanh(x float32) float32 {
	const sign = 1 << 31
	b := math.Float32bits(x)
	u := 2 * float64(math.Float32frombits(b&^sign))
	if u > 20 { // 1 - tanh 10 is 4e-9: less than half a unit in the last place of 1
		u = 20
	}
	s, p := expParts(u)
	e := s*p + (s - 1) // e^u - 1, which is p, not a difference, for small u
	y := float32(e / (e + 2))
	return math.Float32frombits(math.Float32bits(y) | b&sign)
}

// sigmoid returns 1 / (1 + e^-x).
func sigmoid(x float32) float32 {
	switch {
	case x < -104: // the result is less than half the least subnormal, 2^-150
		return 0
	case x > 104:
		return 1
	}
	s, p := expParts(-float64(x))
	return float32(1 / (1 + s + s*p))
}

// exp returns e^x.
func exp(x float32) float32 {
	switch {
	case x > 89: // over MaxFloat32
		return float32(math.Inf(1))
	case x < -104: // less than half the least subnormal, 2^-150
		return 0
	}
	s, p := expParts(float64(x))
	return float32(s + s*p)
}

// expSteps is the number of steps from a power of two to the next in expTable.
const expSteps = 32

// expTable holds 2^(j/expSteps).
var expTable = func() (table [expSteps]float64) {
	for j := range table {
		table[j] = math.Exp2(float64(j) / expSteps)
	}
	return table
}()

// expParts splits e^x into a step of the table and a remainder, e^x = s·(1+p),
// for |x| < 700: x = n·(ln 2)/32 + r with |r| <= (ln 2)/64, s = 2^(n/32) and
// p = e^r - 1. The series of p ends with r⁴/4!; the rest is less than 2^-33 of p.
// A series long enough to need no table has more instructions than the processor
// looks ahead, and half the speed.
func expParts(x float64) (s, p float64) {
	// Adding 1.5·2^52 rounds to an integer and leaves it in the low bits.
	const round = 3 << 51
	t := x*(math.Log2E*expSteps) + round
	n := math.Float64bits(t)
	r := x - (t-round)*(math.Ln2/expSteps)
	s = math.Float64frombits(math.Float64bits(expTable[n%expSteps]) + n/expSteps<<52)
	return s, r * (1 + r*(1.0/2) + r*r*(1.0/6+r*(1.0/24)))
}
