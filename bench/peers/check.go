package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// tolerance is the largest difference between two implementations that count as doing
// the same work. It is relative to the largest element of the same array.
const tolerance = 1e-3

// wideTolerance is tolerance for float64. That of factorizations grows with the condition
// of the matrix, here some 10⁴.
const wideTolerance = 1e-9

// jumpTolerance is the tolerance for gradients through ReLU, relative to the root mean
// square. The derivative of ReLU jumps: rounding moves about one state in a million
// across zero. Each moves its whole term of the gradient. So two correct results differ
// by about the root of that, 1e-3, at any size.
const jumpTolerance = 1e-2

// apartTolerance returns the tolerance for the outputs of networks and the states of int8,
// which is absolute. The voice detectors carry states. With int8 each library rounds weights
// and states in its own way: those of oneDNN are multiples of 1/127.
func (w Workload) apartTolerance() float64 {
	switch {
	case w.Kind == "int8":
		return 0.02
	case w.Voice():
		return 1e-4
	}
	return 1e-5
}

// compare describes the difference between got and want; "" means they agree.
func compare(w Workload, got, want Results) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		g, ok := got[name]
		if !ok {
			return "has no " + name
		}
		if len(g) != len(want[name]) {
			return fmt.Sprintf("%s has %d elements, not %d", name, len(g), len(want[name]))
		}
		diff, most, of := difference(g, want[name]), tolerance, " of the greatest element"
		if w.Double {
			most = wideTolerance
		}
		if w.Act == "relu" && w.Backward() && name != "h" {
			diff, most, of = spread(g, want[name]), jumpTolerance, " of the root mean square"
		}
		if w.Apart() {
			diff, most, of = apart(Results{name: g}, want), w.apartTolerance(), ""
		}
		if !(diff <= most) { // NaN is a mismatch
			return fmt.Sprintf("%s differs by %.2g%s", name, diff, of)
		}
	}
	return ""
}

// difference returns max|got-want| / max|want|.
func difference(got, want []float64) float64 {
	var diff, size float64
	for i, x := range want {
		d := math.Abs(got[i] - x)
		if math.IsNaN(d) {
			return d
		}
		diff, size = max(diff, d), max(size, math.Abs(x))
	}
	return ratio(diff, size)
}

// apart returns max|got-want| over all arrays of got.
func apart(got, want Results) float64 {
	var diff float64
	for name, g := range got {
		for i, x := range want[name] {
			d := math.Abs(g[i] - x)
			if math.IsNaN(d) {
				return d
			}
			diff = max(diff, d)
		}
	}
	return diff
}

// spread returns the root mean square of got-want over that of want.
func spread(got, want []float64) float64 {
	var diff, size float64
	for i, x := range want {
		d := got[i] - x
		diff, size = diff+d*d, size+x*x
	}
	return math.Sqrt(ratio(diff, size))
}

// ratio returns a/b, and 0 for 0/0.
func ratio(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a / b
}
