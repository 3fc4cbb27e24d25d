package asm

import (
	"math/rand/v2"
	"testing"
)

// TestNoAllocations calls every kernel through its Set, as kernels does.
func TestNoAllocations(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		testNoAllocations(t, slots(s))
		testNoAllocations(t, doubleSlots(s))
	})
}

func testNoAllocations[T Float](t *testing.T, list []slot[T]) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, sl := range list {
		sh := sl.shapes[len(sl.shapes)-1]
		x := laid[T](sl.operands(sh), r, positive)
		scalars := new([2]T)
		if n := testing.AllocsPerRun(10, func() { sl.call(sh, x, scalars) }); n != 0 {
			t.Errorf("%s allocates %v times a call", sl.name, n)
		}
	}
}
