//go:build !amd64 || purego || noasm

package asm

// Sets returns the Sets that this machine can run, slowest first: here the
// portable one alone.
func Sets() []*Set { return []*Set{&generic} }
