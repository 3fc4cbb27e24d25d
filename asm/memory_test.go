package asm

import (
	"fmt"
	"math"
	"runtime/debug"
	"testing"
	"unsafe"
)

// canary fills whatever a kernel may not touch. It is a NaN, so that a kernel
// that reads it gives itself away too.
func canary[T Float]() T {
	if isDouble[T]() {
		return T(math.Float64frombits(0x7ff5c3e17fa5c3e1))
	}
	return T(math.Float32frombits(0x7fa5c3e1))
}

func isDouble[T Float]() bool { return unsafe.Sizeof(*new(T)) == 8 }

// margin is the number of canaries checked on either side of a slice.
const margin = 64

// An arena is memory for one operand. Where the system allows, a page that
// can't be read or written lies on either side of it.
type arena[T Float] struct {
	mem   []T
	start int // of the slice handed out last
	n     int
}

// A placement says where in its arena an operand lies: as many elements behind
// the page before it, or right before the page behind it.
type placement struct {
	offset int
	end    bool
}

func (p placement) String() string {
	if p.end {
		return "before the guard page"
	}
	return fmt.Sprintf("%d elements behind the guard page", p.offset)
}

var placements = []placement{{offset: 0}, {offset: 1}, {offset: 2}, {offset: 3}, {end: true}}

// place returns a slice of n elements with canaries in it and around it. An
// aligned slice begins at a multiple of 64 bytes, unless the placement is the
// end and n is odd.
func (a *arena[T]) place(n int, p placement, aligned bool) []T {
	a.start, a.n = p.offset, n
	switch {
	case p.end:
		a.start = len(a.mem) - n
	case aligned:
		a.start = 0
	}
	for i := max(0, a.start-margin); i < min(len(a.mem), a.start+n+margin); i++ {
		a.mem[i] = canary[T]()
	}
	return a.mem[a.start : a.start+n : a.start+n]
}

// intact reports whether the canaries around the slice are still there.
func (a *arena[T]) intact() bool {
	for i := max(0, a.start-margin); i < a.start; i++ {
		if !sameBits(a.mem[i], canary[T]()) {
			return false
		}
	}
	for i := a.start + a.n; i < min(len(a.mem), a.start+a.n+margin); i++ {
		if !sameBits(a.mem[i], canary[T]()) {
			return false
		}
	}
	return true
}

// newArenas returns an arena of at least n elements for each operand of a kernel.
func newArenas[T Float](t testing.TB, n int) []*arena[T] {
	const operands = 6 // LSTMGrad has six. So has a tile: C, A, B, S, bias and the panel that B becomes
	arenas := make([]*arena[T], operands)
	for i := range arenas {
		arenas[i] = &arena[T]{mem: guarded[T](t, n)}
	}
	return arenas
}

// catchFault runs f and returns the fault if it touches a guard page.
func catchFault(f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	f()
	return nil
}

// sameBits compares the bits of two values.
func sameBits[T Float](x, y T) bool {
	if isDouble[T]() {
		return *(*uint64)(unsafe.Pointer(&x)) == *(*uint64)(unsafe.Pointer(&y))
	}
	return *(*uint32)(unsafe.Pointer(&x)) == *(*uint32)(unsafe.Pointer(&y))
}

// sameValue compares the bits of two values but for the payload of a NaN.
func sameValue[T Float](x, y T) bool { return sameBits(x, y) || x != x && y != y }
