package asm

import "github.com/klauspost/cpuid/v2"

// L1 returns the size of a core's first cache of data, in bytes.
func L1() int {
	if n := cpuid.CPU.Cache.L1D; n > 0 {
		return n
	}
	return usualL1
}

// L2 returns the size of a core's own second cache, in bytes.
func L2() int {
	if n := cpuid.CPU.Cache.L2; n > 0 {
		return n
	}
	return usualL2
}
