package asm

import "math"

// tanh, sigmoid and exp are computed in float64 and rounded once, which leaves
// them within 0.501 ULP; subnormal results come out of the same rounding.

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
			di[j] *= 1 - float32(y*y)
		}
	}
}

func sigmoidGradGeneric(m, n int, d *float32, ldd int, y *float32, ldy int) {
	for i := range m {
		di, yi := row(d, i*ldd, n), row(y, i*ldy, n)
		for j, y := range yi {
			di[j] *= float32(y * (1 - y))
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

// tanh returns (e^2|x| - 1) / (e^2|x| + 1) with the sign of x.
func tanh(x float32) float32 {
	// The sign is kept in integers: moved between float64 registers it makes a
	// chain of conversions from one element to the next, and tanh 4x slower.
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
	u := -float64(x)
	switch {
	case u > 104: // the result is less than half the least subnormal, 2^-150
		return 0
	case u < -104:
		return 1
	}
	s, p := expParts(u)
	return float32(1 / (1 + s + s*p))
}

// exp returns e^x.
func exp(x float32) float32 {
	u := float64(x)
	switch {
	case u > 89: // over MaxFloat32
		return float32(math.Inf(1))
	case u < -104: // less than half the least subnormal, 2^-150
		return 0
	}
	s, p := expParts(u)
	return float32(s + s*p)
}

// expParts splits e^x into a power of two and a remainder, e^x = s·(1+p), for
// |x| < 700: x = k·ln 2 + r with |r| <= ln 2 / 2, s = 2^k and p = e^r - 1. The
// series of p ends with r⁹/9!; what it leaves out is less than 2^-38 of p.
func expParts(x float64) (s, p float64) {
	// Adding 1.5·2^52 rounds to an integer and leaves it in the low bits.
	const round = 3 << 51
	t := x*math.Log2E + round
	s = math.Float64frombits((math.Float64bits(t) + 1023) << 52)
	r := x - (t-round)*math.Ln2
	r2 := r * r
	lo := 1 + r*(1.0/2) + r2*(1.0/6+r*(1.0/24))
	hi := 1.0/120 + r*(1.0/720) + r2*(1.0/5040+r*(1.0/40320)+r2*(1.0/362880))
	return s, r * (lo + r2*r2*hi)
}
