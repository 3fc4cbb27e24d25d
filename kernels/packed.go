package kernels

import "fmt"

// Packed is the right-hand matrix of a product, K rows by N columns, in the layout of
// one engine's tiles. Its elements are float32, or int8 with a scale for each column. It
// consists of panels of NR columns. Each panel holds its K rows one after another, 64-byte
// aligned, with zeros beyond the last column.
type Packed struct {
	K, N int // read-only
	nr   int
	int8 bool
	data []float32 // [Panels][K][nr], or that of int8: see panel
}

// NewPacked returns a packed matrix of zeros with k rows and n columns.
func (e *Engine) NewPacked(k, n int) *Packed {
	if k < 1 || n < 1 {
		panic(fmt.Sprintf("kernels: NewPacked of %d×%d: both must be at least 1", k, n))
	}
	nr := e.set.NR
	return &Packed{K: k, N: n, nr: nr, data: Floats((n + nr - 1) / nr * nr * k)}
}

// PackedBytes returns the size of a packed k×n matrix in bytes.
func (e *Engine) PackedBytes(k, n int) int64 {
	nr := int64(e.set.NR)
	return (int64(n) + nr - 1) / nr * nr * int64(k) * 4
}

// Panels returns the number of panels. Workers share products by panels.
func (p *Packed) Panels() int { return (p.N + p.nr - 1) / p.nr }

// Columns returns the columns that a span of panels covers.
func (p *Packed) Columns(panels Span) Span {
	return Span{min(panels.Lo*p.nr, p.N), min(panels.Hi*p.nr, p.N)}
}

// All returns the span of all panels.
func (p *Packed) All() Span { return Span{0, p.Panels()} }

// At returns one element. Of int8 it is the value times the scale of the column.
func (p *Packed) At(row, col int) float32 {
	if uint(row) >= uint(p.K) || uint(col) >= uint(p.N) {
		panic(fmt.Sprintf("kernels: At(%d, %d) is outside a packed matrix of %d×%d", row, col, p.K, p.N))
	}
	if p.int8 {
		value, scale := p.int8At(row, col)
		return scale * float32(value)
	}
	return p.data[(col/p.nr*p.K+row)*p.nr+col%p.nr]
}

// Pack copies the K×N matrix b, row stride ldb, into p. If trans is set, b is N×K, and
// Pack copies its transpose.
func (o serial) Pack(p *Packed, trans bool, b []float32, ldb int) {
	o.PackPanels(p, trans, b, ldb, p.All())
}

// PackPanels is Pack for some of the panels.
func (o serial) PackPanels(p *Packed, trans bool, b []float32, ldb int, panels Span) {
	o.checkPacked("Pack", "p", p)
	p.checkFloat("Pack")
	if trans {
		checkMatrix("Pack", "b", b, p.N, p.K, ldb)
	} else {
		checkMatrix("Pack", "b", b, p.K, p.N, ldb)
	}
	checkSpan("Pack", panels, p.Panels())
	if !trans {
		o.packRows(p, panels, 0, p.K, b[min(panels.Lo*p.nr, len(b)):], ldb)
		return
	}
	for j := panels.Lo; j < panels.Hi; j++ {
		o.packT(p, j, b, ldb)
	}
}

// Part makes view a matrix of some rows of p, at least one, in the memory of p. Pack view
// before use: packing view or p overwrites the other. Views of rows apart have memory
// apart. If the caller keeps view, Part allocates nothing.
func (p *Packed) Part(view *Packed, rows Span) {
	if rows.Lo < 0 || rows.Len() < 1 || rows.Hi > p.K {
		panic(fmt.Sprintf("kernels: Part of rows %d to %d of a packed matrix of %d rows", rows.Lo, rows.Hi, p.K))
	}
	p.checkFloat("Part")
	row := p.Panels() * p.nr
	*view = Packed{K: rows.Len(), N: p.N, nr: p.nr, data: p.data[rows.Lo*row : rows.Hi*row]}
}

// PackRows copies the matrix b, row stride ldb, into some of p's rows.
func (o serial) PackRows(p *Packed, rows Span, b []float32, ldb int) {
	o.checkPacked("PackRows", "p", p)
	p.checkFloat("PackRows")
	checkSpan("PackRows", rows, p.K)
	checkMatrix("PackRows", "b", b, rows.Len(), p.N, ldb)
	o.packRows(p, p.All(), rows.Lo, rows.Len(), b, ldb)
}

// packRowsTogether is the number of rows that are copied at a time. They are read along
// whole rows, and each panel gets 2 KB at a time.
const packRowsTogether = 16

// packPanelsTogether is the number of calls of that size, 0.1 µs each, between two stop
// points.
const packPanelsTogether = 64

// packRows copies n rows of b into rows [row,row+n) of some panels of p. b begins at
// the first column of these panels.
func (o serial) packRows(p *Packed, panels Span, row, n int, b []float32, ldb int) {
	for lo := 0; lo < n; lo += packRowsTogether {
		stopPoint()
		rows := min(packRowsTogether, n-lo)
		for j := panels.Lo; j < panels.Hi; j++ {
			if (j-panels.Lo)%packPanelsTogether == packPanelsTogether-1 {
				stopPoint()
			}
			cols := min(p.nr, p.N-j*p.nr)
			o.set.Pack(rows, cols, &p.data[(j*p.K+row+lo)*p.nr], &b[lo*ldb+(j-panels.Lo)*p.nr], ldb)
		}
	}
}

// packDepth bounds the time of one call into assembly.
const packDepth = 1024

// packT copies the rows of b that become panel j.
func (o serial) packT(p *Packed, j int, b []float32, ldb int) {
	col := j * p.nr
	n := min(p.nr, p.N-col)
	for lo := 0; lo < p.K; lo += packDepth {
		stopPoint()
		o.set.PackT(min(packDepth, p.K-lo), n, &p.data[(j*p.K+lo)*p.nr], &b[col*ldb+lo], ldb)
	}
}
