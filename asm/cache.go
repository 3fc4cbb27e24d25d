package asm

// usualL1 and usualL2 are what L1 and L2 return where the machine doesn't tell.
const (
	usualL1 = 1 << 15
	usualL2 = 1 << 19
)
