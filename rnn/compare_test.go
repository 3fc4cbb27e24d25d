package rnn

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

type float interface{ ~float32 | ~float64 }

// near fails where an element of got is further than tol from want.
func near[A, B float](t *testing.T, name string, got []A, want []B, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", name, len(got), len(want))
	}
	for i := range got {
		g, w := float64(got[i]), float64(want[i])
		if !within(g, w, tol) {
			t.Errorf("%s[%d] is %.9g, want %.9g ± %.3g", name, i, g, w, tol)
			return
		}
	}
}

// within says whether got is at most tol from want, which a NaN never is.
func within(got, want, tol float64) bool { return math.Abs(got-want) <= tol }

// nearScaled is near with a tolerance relative to the largest element: an
// element that is small because large terms cancel carries their rounding.
func nearScaled[A, B float](t *testing.T, name string, got []A, want []B, rel float64) {
	t.Helper()
	near(t, name, got, want, rel*maxAbs(want))
}

func maxAbs[A float](x []A) float64 {
	var m float64
	for _, v := range x {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}

// sameBits fails where an element of got differs from want in any bit.
func sameBits(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d elements, want %d", name, len(got), len(want))
	} else if i := firstDifference(got, want); i >= 0 {
		t.Errorf("%s[%d] is %.9g, want the same bits as %.9g", name, i, got[i], want[i])
	}
}

// firstDifference returns the index of the first element whose bits differ, or
// -1; a and b are of one length.
func firstDifference(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// mustPanic runs f and fails where it doesn't panic with a message that holds
// every one of parts.
func mustPanic(t *testing.T, f func(), parts ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		r := recover()
		if r == nil {
			t.Errorf("no panic, want one that says %q", parts)
			return
		}
		msg := fmt.Sprint(r)
		for _, p := range parts {
			if !strings.Contains(msg, p) {
				t.Errorf("panic says %q, want %q in it", msg, p)
			}
		}
	}()
	f()
}
