package asm

import "github.com/klauspost/cpuid/v2"

// L2 returns the size of a core's own second cache, in bytes.
func L2() int {
	if n := cpuid.CPU.Cache.L2; n > 0 {
		return n
	}
	return usualL2
}
