package kernels

import "slices"

// MaxTriangle is the largest order of a [Triangle]. Its rows of a panel of B stay in L1
// then, and the triangle in L2. At order 256, halves of 128 or less lose 4 to 15 %.
const MaxTriangle = 256

// A Triangle is op(A) of order M, at most MaxTriangle, beside B of M×N. If Unit is set, its
// diagonal is 1, and results do not depend on the diagonal of A. They never depend on the
// other triangle of A.
type Triangle[T Float] struct {
	M, N   int
	Lower  bool // op(A) is a lower triangle
	Unit   bool
	Alpha  T
	A      []T
	LDA    int
	TransA bool
	B      []T // M×N, or N×M if TransB
	LDB    int
	TransB bool
}

// Trmm computes B = Alpha·op(A)·B. It rounds Alpha·B first. Each element is one chain of
// multiply-adds from 0. The chain goes towards the diagonal.
func (l Local[T]) Trmm(t *Triangle[T]) { l.m.triangle(t, false) }

// Trsm computes B = Alpha·op(A)⁻¹·B. It rounds Alpha·B first. Each element takes its
// products in one chain, in the order in which the rows are solved. Then it is multiplied by
// the reciprocal of its diagonal element. It is divided instead if any diagonal element, or
// its reciprocal, is subnormal.
func (l Local[T]) Trsm(t *Triangle[T]) { l.m.triangle(t, true) }

// A lower is a lower triangle. An upper one becomes lower as its rows and columns are
// counted from the last: then strides are negative.
type lower[T Float] struct {
	a             []T
	first, rs, cs int // row i, column k is a[first+i*rs+k*cs]
	diagonal      []T // or its reciprocals
	divide        bool
}

// triangle walks B in panels, and each panel in blocks of rows. A transposed B passes
// through the worker's space, where its columns are rows.
func (m *multiplier[T]) triangle(t *Triangle[T], solve bool) {
	m.makeSpace()
	nr, mr := m.set.NR, m.set.MR
	panel, result := m.space[:t.M*nr], m.space[MaxTriangle*nr:][:t.M*nr]
	a := m.lower(t, solve, m.space[2*MaxTriangle*nr:])
	if solve && !t.TransB && t.Alpha != 1 {
		m.scaleRows(t.M, t.N, t.B, t.LDB, t.Alpha)
	}
	blocks := (t.M + mr - 1) / mr
	for j := 0; j < t.N; j += nr {
		stopPoint()
		n := min(nr, t.N-j)
		c, first, ldc := result, 0, nr
		switch {
		case t.TransB && t.Lower:
			m.set.Transpose(n, t.M, t.Alpha, &panel[0], nr, &t.B[j*t.LDB], t.LDB)
		case t.TransB:
			m.set.Transpose(n, t.M, t.Alpha, &panel[len(panel)-nr], -nr, &t.B[j*t.LDB], t.LDB)
		default:
			c, ldc = t.B[j:], t.LDB
			if !t.Lower {
				first, ldc = (t.M-1)*ldc, -ldc
			}
			if !solve {
				m.set.Pack(t.M, n, &panel[0], &c[first], ldc)
				if t.Alpha != 1 {
					m.set.Scale(panel, t.Alpha)
				}
			}
		}
		if t.TransB && solve {
			c = panel
		}
		for b := range blocks {
			stopPoint()
			lo, hi := m.triangleRows(t.M, blocks, b)
			row, at, d := &c[first+lo*ldc], &a.a[a.first+lo*a.rs], &a.diagonal[lo]
			if solve {
				m.set.Trsm(hi-lo, lo, at, a.rs, a.cs, d, &panel[0], row, ldc, n, a.divide)
			} else {
				m.set.Trmm(hi-lo, lo, at, a.rs, a.cs, d, &panel[0], row, ldc, n)
			}
		}
		if t.TransB {
			sign, from := T(1), c
			if solve { // the panel holds the negative
				sign = -1
			}
			if !t.Lower {
				ldc, from = -ldc, c[len(c)-nr:]
			}
			for i := 0; i < n; i += transposeTogether {
				stopPoint()
				m.set.Transpose(t.M, min(transposeTogether, n-i), sign, &t.B[(j+i)*t.LDB], t.LDB, &from[i], ldc)
			}
		}
	}
}

// transposeTogether is the number of rows that a transpose writes at a time. More would
// evict each other where their stride is a power of 2.
const transposeTogether = 8

// triangleRows returns the rows of a block: see tileRows.
func (m *multiplier[T]) triangleRows(rows, blocks, b int) (lo, hi int) {
	if m.set.TallFirst {
		return b * m.set.MR, min((b+1)*m.set.MR, rows)
	}
	return rows * b / blocks, rows * (b + 1) / blocks
}

// lower returns the triangle of t. It takes up to (MaxTriangle+1)·(MaxTriangle+16) elements
// of space.
func (m *multiplier[T]) lower(t *Triangle[T], solve bool, space []T) lower[T] {
	a := lower[T]{a: t.A, diagonal: space[:t.M]}
	lda, trans := t.LDA, t.TransA
	if m.gathersTriangle(t) {
		a.a = space[MaxTriangle:]
		lda, trans = m.gatherTriangle(t, a.a), false
	}
	a.rs, a.cs = lda, 1
	if trans {
		a.rs, a.cs = a.cs, a.rs
	}
	if !t.Lower {
		a.first, a.rs, a.cs = (t.M-1)*(lda+1), -a.rs, -a.cs
	}
	for i := range a.diagonal {
		a.diagonal[i] = 1
	}
	if !t.Unit {
		for i := range a.diagonal {
			a.diagonal[i] = t.A[i*(t.LDA+1)]
		}
		if !t.Lower {
			slices.Reverse(a.diagonal)
		}
		a.divide = solve && !invert(a.diagonal)
	}
	return a
}

// invert replaces d by its reciprocals, if they are as good as divisions.
func invert[T Float](d []T) bool {
	least := T(0x1p-1022) // the smallest normal number
	if least == 0 {
		least = 0x1p-126
	}
	for _, v := range d {
		if abs := max(v, -v); abs > 0 && abs < least || abs > 1/least && v-v == 0 {
			return false
		}
	}
	for i, v := range d {
		d[i] = 1 / v
	}
	return true
}

// gathersTriangle says whether a triangle is copied before use: where its rows evict each
// other from L1, or lie across memory. A small one is read in place.
func (m *multiplier[T]) gathersTriangle(t *Triangle[T]) bool {
	if t.TransA {
		return t.M > min(crosswiseRows, linesTogether(t.LDA*elementSize[T]()))
	}
	return t.M > m.set.MR && t.LDA%m.aliasStride == 0
}

// crosswiseRows is the number of rows of a transposed triangle that is read in place. With
// 64 rows of float32 that gains 10 %.
const crosswiseRows = 64

// gatherTriangle copies the triangle of op(A) to space, and returns its row stride: an odd
// number of cache lines, so that a column lies in all sets of L1. Strips of rows that lie
// across memory, by Strip or Pack, were no faster.
func (m *multiplier[T]) gatherTriangle(t *Triangle[T], space []T) (ld int) {
	ld = MaxTriangle + 64/elementSize[T]()
	for i := 0; i < t.M; i += transposeTogether { // rows in memory
		stopPoint()
		n := min(transposeTogether, t.M-i)
		first, last := 0, i+n
		if t.Lower == t.TransA { // an upper triangle in memory
			first, last = i, t.M
		}
		if t.TransA {
			m.set.Transpose(n, last-first, 1, &space[first*ld+i], ld, &t.A[i*t.LDA+first], t.LDA)
			continue
		}
		for k := i; k < i+n; k++ {
			copy(space[k*ld+first:k*ld+last], t.A[k*t.LDA+first:])
		}
	}
	return ld
}
