package kernels

import (
	"fmt"
	"runtime"
)

// A Matrix is a K×N matrix that is not packed. It is row-major with row stride LD.
type Matrix struct {
	K, N  int
	Data  []float32 // K×N, or N×K if Trans
	LD    int
	Trans bool
}

func (m *Matrix) check(op string) {
	switch {
	case m.K < 1 || m.N < 1:
		panic(fmt.Sprintf("kernels: %s: b of %d×%d: both must be at least 1", op, m.K, m.N))
	case m.Trans:
		checkMatrix(op, "b", m.Data, m.N, m.K, m.LD)
	default:
		checkMatrix(op, "b", m.Data, m.K, m.N, m.LD)
	}
}

// Columns returns this worker's part of n columns: the columns of its share of panels.
func (w *Worker) Columns(n int) Span {
	panels := w.Share(w.Panels(n))
	return Span{min(panels.Lo*w.set.NR, n), min(panels.Hi*w.set.NR, n)}
}

// GemmPlain is Gemm with b in the place of p.B, which must be nil. b may change from
// one product to the next. GemmPlain packs it on the way, a block at a time. That takes
// 2 MB for each worker, for b of any size; a worker's first such product allocates
// them. If b stays the same for many products, [Packed] is faster.
func (e *Engine) GemmPlain(p Product, b Matrix) {
	e.checkPlain(&p, &b)
	p.checkApart("GemmPlain", b.K, b.N)
	b.checkApart(&p)
	if pool := e.pool; pool.begin(e.Panels(b.N), p.M*b.K*b.N) {
		pool.gemm, pool.plain = p, b
		pool.run(pool.want, plainShare)
	} else {
		w := pool.takeSolo()
		w.enter()
		w.plain(&p, &b, Span{0, e.Panels(b.N)})
		w.leave()
		pool.giveSolo(w)
	}
	runtime.KeepAlive(e)
}

// plainShare computes a worker's columns of the pool's product, in phases of columns.
// But each phase gathers rows of A anew. So if rows are gathered, phases are rows of b.
func plainShare(w *Worker) {
	p, b, n := &w.pool.gemm, &w.pool.plain, w.pool.want
	panels := w.Panels(b.N)
	if w.gathers(p) {
		phases := min((b.K+gatheredDepth-1)/gatheredDepth, 1+p.M*b.K*b.N/(n*gemmPhaseWork))
		for i := range phases {
			if i > 0 {
				w.Barrier()
			}
			rows := Span{b.K * i / phases, b.K * (i + 1) / phases}
			part, right := p.part(rows, Span{0, b.N}, b.K), b.part(rows, Span{0, b.N})
			w.plain(&part, &right, w.Share(panels))
		}
		return
	}
	step := phasePanels(panels, n, p.M*b.K*b.N)
	for lo := 0; lo < panels; lo += step {
		if lo > 0 {
			w.Barrier()
		}
		share := w.Share(min(step, panels-lo))
		w.plain(p, b, Span{lo + share.Lo, lo + share.Hi})
	}
}

// GemmPlain computes the columns of a product that belong to the given panels of b. b
// has [Worker.Panels] of b.N panels.
func (w *Worker) GemmPlain(p Product, b Matrix, panels Span) {
	w.checkPlain(&p, &b)
	checkSpan("GemmPlain", panels, w.Panels(b.N))
	w.plain(&p, &b, panels)
}

func (o serial) checkPlain(p *Product, b *Matrix) {
	if p.B != nil {
		panic("kernels: GemmPlain: B is set, in whose place b is")
	}
	b.check("GemmPlain")
	o.checkProduct("GemmPlain", p, b.K, b.N)
}

const (
	// plainDepth is the maximum number of rows of a plain matrix in a block.
	plainDepth = 1024
	// plainBlock is the size of a packed block, in floats: half of a small L2.
	plainBlock = 1 << 16
	// Each block gathers rows of A anew. So if rows are gathered, blocks are larger.
	// With blocks of plainBlock the product of 1760×1600 and 1600×1760 reaches 83 to
	// 92 % of that rate.
	gatheredDepth = 512
	gatheredBlock = 1 << 19
)

// Panels returns the number of panels of n columns. Workers share products by panels.
func (o serial) Panels(n int) int { return (n + o.set.NR - 1) / o.set.NR }

// plain computes some panels' columns of a product with a plain matrix, block by block.
// The first tile packs its panels for the tiles below it. K is cut into equal parts. A
// part starts from the C that the part before it stored, so the cut changes no bits.
func (w *Worker) plain(p *Product, m *Matrix, panels Span) {
	if p.M == 0 || panels.Len() == 0 {
		return
	}
	if w.space == nil {
		w.space = Floats(gatheredBlock)
	}
	nr, gather := w.set.NR, w.gathers(p)
	depth, size := plainDepth, plainBlock
	if gather {
		depth, size = gatheredDepth, gatheredBlock
	}
	depths := (m.K + depth - 1) / depth
	deepest := (m.K + depths - 1) / depths
	widest := size / deepest / nr
	blocks := (panels.Len() + widest - 1) / widest
	for j := range blocks {
		lo, hi := panels.Lo+panels.Len()*j/blocks, panels.Lo+panels.Len()*(j+1)/blocks
		cols := Span{lo * nr, min(hi*nr, m.N)}
		for i := range depths {
			rows := Span{m.K * i / depths, m.K * (i + 1) / depths}
			b := block{Product: p.part(rows, cols, m.K), gather: gather, k: rows.Len()}
			right := m.part(rows, cols)
			w.packed = Packed{K: rows.Len(), N: cols.Len(), nr: nr}
			w.packed.data = w.space[:w.packed.Panels()*w.packed.K*nr]
			b.B = &w.packed
			w.plainBlock(&b, &right)
		}
	}
}

// plainBlock walks the rows of a product. The first group of tiles packs m into b.B.
func (w *Worker) plainBlock(b *block, m *Matrix) {
	groups, n := w.groups(b)
	for g := range groups {
		group := Span{n * g / groups, n * (g + 1) / groups}
		if b.gather {
			w.gather(b, group)
		}
		for j := range b.B.Panels() {
			t := group.Lo
			if g == 0 {
				if w.plainTile(b, m, j) {
					t++
				} else {
					w.packPanel(m, b.B, j)
				}
			}
			for ; t < group.Hi; t++ {
				w.rowTile(b, t, group.Lo, Span{j, j + 1})
			}
		}
	}
}

// plainTile runs the first tile across a panel, and packs that panel. It returns false
// if the set has no such tile.
func (w *Worker) plainTile(b *block, m *Matrix, j int) bool {
	_, end := w.tileRows(b, 0)
	f, nr := w.set.Sgemm[end].Plain, w.set.NR
	col := j * nr
	if f == nil || m.Trans || col+nr > b.B.N {
		return false
	}
	// This repeats code of rowTile. Sharing it costs rowTile 5 % at H = 32.
	a, rs, cs := b.A, b.LDA, 1
	switch {
	case b.gather && b.TransA:
		a, rs, cs = w.gathered(0), 1, end
	case b.gather:
		a, rs = w.gathered(0), b.k+gatherPad
	}
	s, lds, ids, bias := zeros, 0, inOrder, zeroBias
	if b.AddRows != nil {
		ids = &b.AddRows[0]
	}
	if b.Add != nil {
		s, lds = &b.Add[col], b.LDAdd
	}
	if b.Bias != nil {
		bias = &b.Bias[col]
	}
	f(b.k, &a[0], rs, cs, &m.Data[col], m.LD, &b.B.data[j*b.k*nr],
		s, lds, ids, bias, &b.C[col], b.LDC, int(b.Act))
	return true
}

// packPanel packs panel j of m.
func (w *Worker) packPanel(m *Matrix, p *Packed, j int) {
	if m.Trans {
		w.packT(p, j, m.Data, m.LD)
	} else {
		w.packRows(p, Span{j, j + 1}, 0, p.K, m.Data[j*p.nr:], m.LD)
	}
}

// part returns the part of a product for columns depth of op(A) and columns cols of B.
// op(A) has k columns in all. It does not set B. A part after the first starts from C.
// A part before the last has no activation.
func (p *Product) part(depth, cols Span, k int) Product {
	part := *p
	part.C = p.C[cols.Lo:]
	if p.TransA {
		part.A = p.A[depth.Lo*p.LDA:]
	} else {
		part.A = p.A[depth.Lo:]
	}
	if p.Add != nil {
		part.Add = p.Add[cols.Lo:]
	}
	if p.Bias != nil {
		part.Bias = p.Bias[cols.Lo:cols.Hi]
	}
	if depth.Lo > 0 {
		part.Add, part.LDAdd, part.AddRows, part.Bias = part.C, p.LDC, nil, nil
	}
	if depth.Hi < k {
		part.Act = Identity
	}
	return part
}

// part returns some rows and columns of m.
func (m *Matrix) part(rows, cols Span) Matrix {
	part := *m
	part.K, part.N = rows.Len(), cols.Len()
	if m.Trans {
		part.Data = m.Data[cols.Lo*m.LD+rows.Lo:]
	} else {
		part.Data = m.Data[rows.Lo*m.LD+cols.Lo:]
	}
	return part
}
