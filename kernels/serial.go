package kernels

import "batchrnn/asm"

// serial holds the operations that run on the calling goroutine. An Engine and
// a Worker have them in common.
type serial struct{ set *asm.Set }

// ISA returns the name of the instruction set.
func (o serial) ISA() string { return o.set.Name }

// elementsPerCall bounds the work of one call into assembly, in which the
// runtime can't stop the goroutine: 16,384 elements of the slowest kernel, Adam,
// from memory take about 30 µs.
const elementsPerCall = 1 << 14

// rowsPerCall does the same for matrices of few columns, where each row may be
// a miss of cache and TLB.
const rowsPerCall = 256

// callEnd returns the end of the part of n elements that begins at lo and goes
// to assembly in one call.
func callEnd(lo, n int) int {
	if lo > 0 {
		stopPoint()
	}
	return min(lo+elementsPerCall, n)
}

// stopPoint is a place where the runtime can stop the goroutine. It stands
// between two calls into assembly. A loop of such calls alone has no other: the
// runtime stops goroutines in Go code, by a signal or where a function checks its
// stack, and such a loop is in Go code for a few nanoseconds a turn. Adam over 52
// million elements held up a stop of the world for 26 ms without, 70 µs with it.
//
//go:noinline
func stopPoint() { leaf() }

// leaf makes stopPoint a function that calls one, for only such functions check
// their stack.
//
//go:noinline
func leaf() {}
