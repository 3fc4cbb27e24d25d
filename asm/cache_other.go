//go:build !amd64

package asm

// L2 returns the size of a core's own second cache, in bytes.
func L2() int { return usualL2 }
