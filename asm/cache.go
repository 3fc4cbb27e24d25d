package asm

// usualL2 is what L2 returns where the machine doesn't tell.
const usualL2 = 1 << 19
