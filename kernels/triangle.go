package kernels

import "batchrnn/asm"

// MaxTriangle is the largest order of a [Triangle]. Its rows of a panel of B stay in L1
// then, and the triangle in L2.
const MaxTriangle = 256

// A Triangle is op(A) of order M, at most MaxTriangle, beside B of M×N. If Unit is set, its
// diagonal is 1 and not read. The other triangle of op(A) is not read.
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
// the reciprocal of the diagonal, or divided if that of any row overflows or is subnormal.
func (l Local[T]) Trsm(t *Triangle[T]) { l.m.triangle(t, true) }

// A lower is a lower triangle. An upper one becomes lower as its rows and columns are
// counted from the last: then strides are negative.
type lower[T Float] struct {
	a          []T // row i, column k is a[from+i*rs+k*cs]
	from       int
	rs, cs     int
	onDiagonal []T // the blocks on the diagonal, as asm.Kernels.Trsm takes them
	divide     bool
}

// triangle walks B in panels, and each panel in blocks of rows. A tile computes what the
// rows before a block do to it. The block on the diagonal follows.
func (m *multiplier[T]) triangle(t *Triangle[T], solve bool) {
	m.makeSpace()
	nr, mr := m.set.NR, m.set.MR
	panel, work := m.space[:t.M*nr], m.space[MaxTriangle*nr:][:t.M*nr]
	a := m.lower(t, solve, m.space[2*MaxTriangle*nr:])
	if solve && !t.TransB && t.Alpha != 1 {
		m.scaleRows(t.M, t.N, t.B, t.LDB, t.Alpha)
	}
	blocks := (t.M + mr - 1) / mr
	for j := 0; j < t.N; j += nr {
		stopPoint()
		n := min(nr, t.N-j)
		c, ldc := work, nr
		if t.TransB {
			m.set.Transpose(n, t.M, &work[0], nr, &t.B[j*t.LDB], t.LDB)
			if solve && t.Alpha != 1 {
				m.set.Scale(work, t.Alpha)
			}
		} else {
			c, ldc = t.B[j:], t.LDB
		}
		first := 0
		if !t.Lower {
			first, ldc = (t.M-1)*ldc, -ldc
		}
		if !solve {
			stopPoint()
			m.set.Pack(t.M, n, &panel[0], &c[first], ldc)
			if t.Alpha != 1 {
				m.set.Scale(panel, t.Alpha)
			}
		}
		for b := range blocks {
			stopPoint()
			lo, hi := m.triangleRows(t.M, blocks, b)
			f := m.set.Gemm[hi-lo].Panels[1]
			if half := m.set.Gemm[hi-lo].Half; n <= nr/2 && half != nil {
				f = half
			}
			row, at, diagonal := &c[first+lo*ldc], &a.a[a.from+lo*a.rs], &a.onDiagonal[b*mr*mr]
			if solve {
				if lo > 0 {
					f(lo, at, a.rs, a.cs, &panel[0], 0, row, ldc, rowsInOrder, m.zeroBias, row, ldc, n, asm.Identity)
				}
				m.set.Trsm(hi-lo, diagonal, &panel[lo*nr], row, ldc, n, a.divide)
			} else {
				f(lo, at, a.rs, a.cs, &panel[0], 0, m.zeros, 0, rowsInOrder, m.zeroBias, row, ldc, n, asm.Identity)
				m.set.Trmm(hi-lo, diagonal, &panel[lo*nr], row, ldc, n)
			}
		}
		if t.TransB {
			for i := 0; i < n; i += transposeTogether {
				stopPoint()
				m.set.Transpose(t.M, min(transposeTogether, n-i), &t.B[(j+i)*t.LDB], t.LDB, &work[i], nr)
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

// lower lays out the triangle of t in space.
func (m *multiplier[T]) lower(t *Triangle[T], solve bool, space []T) lower[T] {
	a := lower[T]{a: t.A}
	lda, mr := t.LDA, m.set.MR
	blocks := (t.M + mr - 1) / mr
	a.onDiagonal, space = space[:blocks*mr*mr], space[blocks*mr*mr:]
	if m.gathersTriangle(t) {
		a.a, lda = space, MaxTriangle+64/elementSize[T]() // an odd number of cache lines
		for i := range t.M {
			first, last := 0, i+1
			if t.Lower == t.TransA { // an upper one in memory
				first, last = i, t.M
			}
			copy(space[i*lda+first:i*lda+last], t.A[i*t.LDA+first:])
		}
	}
	a.rs, a.cs = lda, 1
	if t.TransA {
		a.rs, a.cs = 1, lda
	}
	if !t.Lower {
		a.from, a.rs, a.cs = (t.M-1)*(lda+1), -a.rs, -a.cs
	}
	if solve && !t.Unit {
		for i := range t.M {
			a.divide = a.divide || !invertible(a.a[a.from+i*(a.rs+a.cs)])
		}
	}
	for b := range blocks {
		lo, hi := m.triangleRows(t.M, blocks, b)
		at := a.from + lo*(a.rs+a.cs)
		for i := range hi - lo {
			row := a.onDiagonal[(b*mr+i)*mr:][:i+1]
			for s := range row[:i] {
				row[s] = a.a[at+s*a.cs]
			}
			switch d := T(1); {
			case t.Unit:
				row[i] = d
			case solve && !a.divide:
				row[i] = d / a.a[at+i*a.cs]
			default:
				row[i] = a.a[at+i*a.cs]
			}
			at += a.rs
		}
	}
	return a
}

// gathersTriangle says whether a triangle is copied before use: its strips of rows would
// evict themselves from L1.
func (m *multiplier[T]) gathersTriangle(t *Triangle[T]) bool {
	if t.TransA {
		return t.M > linesTogether(t.LDA*elementSize[T]())
	}
	return t.LDA%m.aliasStride == 0 && t.M > m.set.MR
}

// invertible says whether 1/d is as good as a division by d.
func invertible[T Float](d T) bool {
	least := T(0x1p-1022) // the smallest normal number
	if least == 0 {
		least = 0x1p-126
	}
	inv := 1 / d
	finite, normal := inv-inv == 0, max(inv, -inv) >= least
	return finite && normal || d == 0 || d-d != 0
}
