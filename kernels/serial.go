package kernels

import "batchrnn/asm"

// serial holds the operations that run on the calling goroutine. Engine and Worker both
// have them.
type serial struct{ set *asm.Set }

// ISA returns the name of the instruction set.
func (o serial) ISA() string { return o.set.Name }

// elementsPerCall bounds the work of one call into assembly, because the runtime can't
// stop the goroutine during a call. 16,384 elements of the slowest kernel, Adam, take
// about 30 µs from memory.
const elementsPerCall = 1 << 14

// rowsPerCall bounds the same work for matrices of few columns, whose rows may each miss
// the cache and the TLB.
const rowsPerCall = 256

// callEnd cuts n elements into parts for one call into assembly each. It returns the end
// of the part that begins at lo. It has a stop point before every part but the first.
func callEnd(lo, n int) int {
	if lo > 0 {
		stopPoint()
	}
	return min(lo+elementsPerCall, n)
}

// stopPoint is a place where the runtime can stop the goroutine, between two calls into
// assembly. The runtime stops goroutines only in Go code: by a signal, or when a function
// checks its stack. A loop of calls into assembly is in Go code for only a few
// nanoseconds a turn. A signal seldom finds it there. Without stop points, Adam over 52
// million elements delayed a stop of the world by 26 ms; with them, by 70 µs.
//
//go:noinline
func stopPoint() { leaf() }

// leaf makes stopPoint a function that calls another. Only such functions check their
// stack.
//
//go:noinline
func leaf() {}
