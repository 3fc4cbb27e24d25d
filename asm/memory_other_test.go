//go:build !linux

package asm

import "testing"

// guarded returns plain memory: the canaries alone stand guard. It is
// large enough to begin on a page, which aligned operands rely on.
func guarded[T Float](t testing.TB, n int) []T {
	const classes = 32 << 10 // larger objects have pages of their own
	return make([]T, max(n, classes/4+1))
}
