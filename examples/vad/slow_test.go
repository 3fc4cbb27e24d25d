//go:build race || purego || noasm

package main

// slow is true where the models take many times as long.
const slow = true
