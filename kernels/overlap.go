package kernels

import (
	"fmt"
	"unsafe"
)

// checkApart panics unless a product's C is apart from its operands, and M is set. k
// and n are the sizes of its right-hand matrix.
func (p *Product) checkApart(op string, k, n int) {
	if p.M == 0 {
		if len(p.C) > 0 {
			panic(fmt.Sprintf("kernels: %s: M is 0, and C holds %d floats: set M to the rows of C", op, len(p.C)))
		}
		return
	}
	if n == 0 {
		return
	}
	rows, cols := p.M, k
	if p.TransA {
		rows, cols = k, p.M
	}
	if overlap(p.A, rows, cols, p.LDA, p.C, p.M, n, p.LDC) {
		panic("kernels: " + op + ": C overlaps A, which is still read when C is written: give C memory of its own")
	}
	if p.Add == nil || p.AddRows == nil && &p.Add[0] == &p.C[0] && (p.LDAdd == p.LDC || p.M == 1) {
		return
	}
	rows = p.M
	if p.AddRows != nil {
		rows = (len(p.Add) - n + p.LDAdd) / p.LDAdd
	}
	if overlap(p.Add, rows, n, p.LDAdd, p.C, p.M, n, p.LDC) {
		panic("kernels: " + op + ": C overlaps Add and is not the same matrix: give C memory of its own")
	}
}

// checkApart panics unless the C of p is apart from m.
func (m *Matrix) checkApart(p *Product) {
	rows, cols := m.K, m.N
	if m.Trans {
		rows, cols = m.N, m.K
	}
	if overlap(m.Data, rows, cols, m.LD, p.C, p.M, m.N, p.LDC) {
		panic("kernels: GemmPlain: C overlaps b, which is still read when C is written: give C memory of its own")
	}
}

// overlap says whether matrices a and c have an element in common. Each has the given
// rows, columns and row stride. Blocks of columns of one matrix can interleave without
// an overlap.
func overlap(a []float32, ra, ca, lda int, c []float32, rc, cc, ldc int) bool {
	if ra == 0 || ca == 0 || rc == 0 || cc == 0 {
		return false
	}
	// The distance in floats from the beginning of a.
	from := int(uintptr(unsafe.Pointer(&c[0]))-uintptr(unsafe.Pointer(&a[0]))) / 4
	if from >= (ra-1)*lda+ca || -from >= (rc-1)*ldc+cc {
		return false
	}
	for i := range rc {
		lo := from + i*ldc
		for r := max(0, lo/max(lda, 1)); r < ra && r*lda < lo+cc; r++ {
			if lo < r*lda+ca {
				return true
			}
		}
	}
	return false
}
