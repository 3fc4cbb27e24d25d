package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestKernels runs every kernel of every Set on every shape and placement. It
// holds the results against the oracle, and everything that a kernel may not
// touch against what it was: canaries and pages without access around each
// slice, the gaps between the rows of a matrix, operands that are only read.
func TestKernels(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		testKernels(t, slots(s))
		testKernels(t, doubleSlots(s))
	})
}

func testKernels[T Float](t *testing.T, list []slot[T]) {
	for _, sl := range list {
		t.Run(sl.name, func(t *testing.T) {
			t.Parallel()
			arenas := newArenas[T](t, largest(sl))
			r := rand.New(rand.NewPCG(1, 2))
			for i, sh := range sl.shapes {
				at := placements
				if sl.field == "Gemm" {
					// So many shapes: each lies before the guard page, and
					// at the offset that is next in turn.
					at = []placement{placements[i%4], placements[4]}
				}
				for _, p := range at {
					if err := checkCall(sl, sh, p, arenas, r); err != nil {
						t.Fatalf("%v, %v: %v", sh, p, err)
					}
				}
			}
		})
	}
}

// largest is the length of the longest operand in a slot's shapes.
func largest[T Float](sl slot[T]) (n int) {
	for _, sh := range sl.shapes {
		for _, op := range sl.operands(sh) {
			n = max(n, op.len()+placements[3].offset)
		}
	}
	return n
}

// lay places the operands of a call and fills them: random values in what is
// read, NaN in what is only written, canaries in the gaps.
func lay[T Float](ops []operand, p placement, arenas []*arena[T], r *rand.Rand) [][]T {
	x := make([][]T, len(ops))
	for i, op := range ops {
		x[i] = arenas[i].place(op.len(), p, op.aligned)
		if op.encode != nil {
			op.encode(r, any(x[i]).([]float32))
			continue
		}
		for j := range x[i] {
			switch {
			case !op.has(j):
			case op.access == out:
				x[i][j] = T(math.NaN())
			default:
				x[i][j] = T(op.fill(r))
			}
		}
	}
	return x
}

func checkCall[T Float](sl slot[T], sh shape, p placement, arenas []*arena[T], r *rand.Rand) error {
	ops := sl.operands(sh)
	x := lay(ops, p, arenas, r)
	used := x // by the call; x has a slice for each operand
	if sh.alias != 0 {
		used = slices.Clone(x)
		used[0] = x[sh.alias]
	}
	before := make([][]T, len(x))
	for i := range x {
		before[i] = slices.Clone(x[i])
	}
	wantWritten, wantScalars := sl.want(sh, before)

	var scalars [2]T
	if err := catchFault(func() { sl.call(sh, used, &scalars) }); err != nil {
		return err
	}

	for i, want := range wantScalars {
		if !met(want, scalars[i]) {
			return fmt.Errorf("returned %g, want %g ± %g", scalars[i], want.value, want.tolerance)
		}
	}
	for i, op := range ops {
		if !arenas[i].intact() {
			return fmt.Errorf("wrote outside operand %d", i)
		}
		want := wantWritten[i]
		got := x[i]
		switch {
		case sh.alias != 0 && i == 0:
			got = used[0]
		case sh.alias != 0 && i == sh.alias:
			continue // checked as operand 0
		}
		for j := range got {
			if want == nil || !op.has(j) {
				if !sameBits(got[j], before[i][j]) {
					return fmt.Errorf("changed element %d of operand %d, which it may only read, or not even that", j, i)
				}
				continue
			}
			if e := want[j/op.ld*op.cols+j%op.ld]; !met(e, got[j]) {
				return fmt.Errorf("element %d of operand %d is %g, want %g ± %g", j, i, got[j], e.value, e.tolerance)
			}
		}
	}
	return nil
}
