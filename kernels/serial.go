package kernels

import "batchrnn/asm"

// serial holds the operations that run on the calling goroutine. Engine and Worker both
// have them.
type serial struct{ set *asm.Set }

// ISA returns the name of the instruction set.
func (o serial) ISA() string { return o.set.Name }

// elementsPerCall bounds the work of one call into assembly: during a call the runtime
// can't stop the goroutine. 16,384 elements of the slowest kernel, Adam, take about 30 µs
// from memory.
const elementsPerCall = 1 << 14

// rowsPerCall does the same for matrices of few columns, where each row may miss the
// cache and the TLB.
const rowsPerCall = 256

// callEnd returns the end of the part of n elements that begins at lo and goes to
// assembly in one call. It has a stop point before every part but the first.
func callEnd(lo, n int) int {
	if lo > 0 {
		stopPoint()
	}
	return min(lo+elementsPerCall, n)
}

// stopPoint is a place where the runtime can stop the goroutine, between two calls into
// assembly. The runtime stops goroutines in Go code only: by a signal, or where a
// function checks its stack. A loop of calls into assembly is in Go code for a few
// nanoseconds a turn: a signal seldom finds it there. Without this, Adam over 52
// million elements held up a stop of the world for 26 ms; with it, for 70 µs.
//
//go:noinline
func stopPoint() { leaf() }

// leaf makes stopPoint a function that calls another: only such functions check their
// stack.
//
//go:noinline
func leaf() {}
