//go:build !linux

package asm

import "testing"

// guardedFloats returns plain memory: the canaries alone stand guard. It is
// large enough to begin on a page, which aligned operands rely on.
func guardedFloats(t testing.TB, n int) []float32 {
	const classes = 32 << 10 // larger objects have pages of their own
	return make([]float32, max(n, classes/4+1))
}
