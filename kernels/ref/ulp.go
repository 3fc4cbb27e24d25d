package ref

import "math"

// ULP is the distance between neighbouring float32 values at x: 2^(e-23) for
// 2^e <= |x| < 2^(e+1), and 2^-149 throughout the subnormals.
func ULP(x float64) float64 {
	e := int(math.Float64bits(x)>>52&0x7ff) - 1023
	return math.Float64frombits(uint64(min(max(e, -126), 127)-23+1023) << 52)
}

// ULPError is the distance from got to want, the truth, in units of [ULP](want). It is
// 0 if both are NaN and +Inf if one is. An infinity counts as 2^128, where the next
// value would be. So does every truth beyond that.
func ULPError(got float32, want float64) float64 {
	g := float64(got)
	switch {
	case math.IsNaN(g) || math.IsNaN(want):
		if math.IsNaN(g) && math.IsNaN(want) {
			return 0
		}
		return math.Inf(1)
	case g == want:
		return 0
	}
	const limit = 0x1p128
	g = min(max(g, -limit), limit)
	want = min(max(want, -limit), limit)
	return math.Abs(g-want) / ULP(want)
}
