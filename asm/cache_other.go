//go:build !amd64

package asm

// L1 returns the size of a core's first cache of data, in bytes.
func L1() int { return usualL1 }

// L2 returns the size of a core's own second cache, in bytes.
func L2() int { return usualL2 }
