package kernels

import (
	"fmt"
	"runtime"

	"batchrnn/asm"
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
// 1 MB for each worker, for b of any size; a worker's first such product allocates
// it. If b stays the same for many products, [Packed] is faster.
func (e *Engine) GemmPlain(p Product, b Matrix) {
	e.checkPlain(&p, &b)
	p.checkApart("GemmPlain", b.K, b.N)
	b.checkApart(&p)
	runPlain(e, &plainProduct[float32]{operands: p.operands(), right: b.right(), alpha: 1, beta: 1})
}

// GemmPlain computes the columns of a product that belong to the given panels of b. b
// has [Worker.Panels] of b.N panels.
func (w *Worker) GemmPlain(p Product, b Matrix, panels Span) {
	w.checkPlain(&p, &b)
	checkSpan("GemmPlain", panels, w.Panels(b.N))
	w.single.plain(&plainProduct[float32]{operands: p.operands(), right: b.right(), alpha: 1, beta: 1}, panels)
}

func (o serial) checkPlain(p *Product, b *Matrix) {
	if p.B != nil {
		panic("kernels: GemmPlain: B is set, in whose place b is")
	}
	b.check("GemmPlain")
	o.checkProduct("GemmPlain", p, b.K, b.N)
}

func (m *Matrix) right() right[float32] {
	return right[float32]{k: m.K, cols: m.N, b: m.Data, ldb: m.LD, transB: m.Trans}
}

// A right is a right-hand matrix that is not packed: see [Matrix].
type right[T Float] struct {
	k, cols int
	b       []T
	ldb     int
	transB  bool
}

// A plainProduct is
//
//	C = act(add + bias + alpha·op(A)·op(B))
//
// where add may be beta·C: then add is C, and C is multiplied by beta first.
type plainProduct[T Float] struct {
	operands[T]
	right[T]
	alpha, beta T
}

// runPlain computes a product on as many workers as it is worth.
func runPlain[T Float](e *Engine, p *plainProduct[T]) {
	pool := e.pool
	nr := kernelsOf[T](e.set).NR
	panels := (p.cols + nr - 1) / nr
	if pool.begin(panels, p.m*p.k*p.cols) {
		*plainOf[T](pool) = *p
		pool.run(pool.want, plainTask)
	} else {
		w := pool.takeSolo()
		w.enter()
		multiplierOf[T](w).plain(p, Span{0, panels})
		w.leave()
		pool.giveSolo(w)
	}
	runtime.KeepAlive(e)
}

// plainOf returns the pool's product for a type of element.
func plainOf[T Float](p *pool) *plainProduct[T] {
	if x, ok := any(&p.plain).(*plainProduct[T]); ok {
		return x
	}
	return any(&p.plain64).(*plainProduct[T])
}

// plainTask is plainShare for the product that the pool holds. A func value of a generic
// function would allocate.
func plainTask(w *Worker) {
	if w.pool.plain.m > 0 {
		plainShare[float32](w)
	} else {
		plainShare[float64](w)
	}
}

// plainShare computes a worker's columns of the pool's product, in phases of columns.
// But each phase gathers rows of A anew. So if rows are gathered, phases are rows of B.
func plainShare[T Float](w *Worker) {
	p, m, n := plainOf[T](w.pool), multiplierOf[T](w), w.pool.want
	panels := m.panels(p.cols)
	if m.gathersPlain(p) {
		phases := min((p.k+gatheredDepth-1)/gatheredDepth, 1+p.m*p.k*p.cols/(n*gemmPhaseWork))
		for i := range phases {
			if i > 0 {
				w.Barrier()
			}
			part := p.part(Span{p.k * i / phases, p.k * (i + 1) / phases}, Span{0, p.cols})
			m.plain(&part, w.Share(panels))
		}
		return
	}
	step := phasePanels(panels, n, p.m*p.k*p.cols)
	for lo := 0; lo < panels; lo += step {
		if lo > 0 {
			w.Barrier()
		}
		share := w.Share(min(step, panels-lo))
		m.plain(p, Span{lo + share.Lo, lo + share.Hi})
	}
}

const (
	// plainDepth is the maximum number of rows of a plain matrix in a block.
	plainDepth = 1024
	// gatheredDepth is that number if rows of A are gathered.
	gatheredDepth = 512
	// gatheredBytes is the size of a packed block if rows of A are gathered: each block
	// gathers them anew. Twice the size lost 8 % at order 1000 where L2 has 2 MB.
	gatheredBytes = 1 << 20
	// plainTiles is the number of tiles that pass all panels of a block together. The
	// block stays in L2, and few tiles read and write C along its rows. From 1 to 4 are
	// alike. At 1000×1000×16, 16 lost 30 %.
	plainTiles = 2
	// packedTiles is the number of tiles from which a block is packed along its rows before
	// use. Each row may be on a page of its own, and a packing tile reads one panel of it.
	// At order 96, 8 lost 8 %; at 300×2048×2048, 40 lost 9 %.
	packedTiles = 24
)

// plainBytes is the size of a packed block. It stays in L2 beside rows of A and C.
var plainBytes = min(asm.L2()/2, gatheredBytes)

// Panels returns the number of panels of n columns. Workers share products by panels.
func (o serial) Panels(n int) int { return (n + o.set.NR - 1) / o.set.NR }

// panels returns the number of panels of n columns.
func (m *multiplier[T]) panels(n int) int { return (n + m.set.NR - 1) / m.set.NR }

// gathersPlain says whether rows of A are gathered before use. A transposed A is read in
// place if it is small, or if few panels read it.
func (m *multiplier[T]) gathersPlain(p *plainProduct[T]) bool {
	switch {
	case p.alpha != 1 && !p.negatesB():
		return true
	case p.transA:
		return p.cols > 2*m.set.NR && p.k > linesTogether(p.lda*elementSize[T]())
	}
	return m.aliases(&p.operands) && m.set.MR > l1Ways
}

// l1Ways is the number of lines at a stride of aliasBytes that L1 holds.
var l1Ways = asm.L1() / aliasBytes

// negatesB says whether the right-hand matrix takes the factor alpha, which is -1: that
// rounds nothing. It does if that is less work.
func (p *plainProduct[T]) negatesB() bool { return p.alpha == -1 && p.cols < p.m }

// linesTogether returns how many lines of memory at a stride in bytes stay in L1 together:
// those in all but 2 ways, and in the sets that the stride meets.
func linesTogether(stride int) int {
	return (l1Ways - 2) * aliasBytes / min(max(stride&-stride, 64), aliasBytes)
}

// plain computes some panels' columns of a product with a plain matrix, block by block. K
// is cut into equal parts. A part starts from the C that the part before it stored, so the
// cut changes no bits.
func (m *multiplier[T]) plain(p *plainProduct[T], panels Span) {
	if p.m == 0 || panels.Len() == 0 {
		return
	}
	m.makeSpace()
	nr, gather, negate := m.set.NR, m.gathersPlain(p), p.negatesB()
	depth, size := plainDepth, plainBytes/elementSize[T]()
	if gather {
		depth, size = gatheredDepth, gatheredBytes/elementSize[T]()
	}
	if p.k <= depth && panels == (Span{0, m.panels(p.cols)}) && panels.Hi*nr*p.k <= size { // the divisions below would slow small products
		m.plainPart(p, gather, negate)
		return
	}
	depths := (p.k + depth - 1) / depth
	deepest := (p.k + depths - 1) / depths
	widest := size / deepest / nr
	blocks := (panels.Len() + widest - 1) / widest
	for j := range blocks {
		lo, hi := panels.Lo+panels.Len()*j/blocks, panels.Lo+panels.Len()*(j+1)/blocks
		cols := Span{lo * nr, min(hi*nr, p.cols)}
		for i := range depths {
			part := p.part(Span{p.k * i / depths, p.k * (i + 1) / depths}, cols)
			m.plainPart(&part, gather, negate)
		}
	}
}

// plainPart computes a product whose right-hand matrix is one block.
func (m *multiplier[T]) plainPart(p *plainProduct[T], gather, negate bool) {
	var b block[T]
	b.operands, b.family = p.operands, &m.set.Family
	b.b, b.depth, b.n, b.k = m.space[:m.panels(p.cols)*p.k*m.set.NR], p.k, p.cols, p.k
	b.gather = gather
	m.layRows(&b)
	if p.beta != 1 {
		m.scaleRows(b.m, b.n, b.c, b.ldc, p.beta)
	}
	alpha := p.alpha
	if negate {
		alpha = 1
	}
	m.plainBlock(&b, &p.right, alpha, negate)
}

// makeSpace makes the space of a worker on its first use.
func (m *multiplier[T]) makeSpace() {
	if m.space == nil {
		m.space = aligned[T](gatheredBytes / elementSize[T]())
	}
}

// scaleRows multiplies rows of n elements by beta.
func (m *multiplier[T]) scaleRows(rows, n int, c []T, ldc int, beta T) {
	done := 0 // elements since a stop point; few in a row count as more, since each row may miss
	for i := range rows {
		row := c[i*ldc:][:n]
		for lo := 0; lo < n; lo += elementsPerCall {
			hi := callEnd(lo, n)
			m.set.Scale(row[lo:hi], beta)
		}
		if done += max(n, elementsPerCall/rowsPerCall); done >= elementsPerCall {
			stopPoint()
			done = 0
		}
	}
}

// plainBlock walks the rows of a product. It packs r into b, or -r if negate is set. If
// there are few tiles, the first one packs as it computes.
func (m *multiplier[T]) plainBlock(b *block[T], r *right[T], alpha T, negate bool) {
	size := plainTiles
	if b.gather {
		size = gatherTiles
	}
	packed := b.tiles >= packedTiles && !r.transB && !negate
	if packed {
		m.packBlock(b, r)
	}
	panels := m.panels(b.n)
	for lo := 0; lo < b.tiles; lo += size {
		group := Span{lo, min(lo+size, b.tiles)}
		if b.gather {
			m.gather(b, group, alpha)
		}
		for j := range panels {
			t := lo
			if lo == 0 && !packed {
				if !negate && m.plainTile(b, r, j) {
					t++
				} else {
					m.packPanel(b, r, j)
				}
				if negate {
					stopPoint()
					m.set.Scale(b.b[j*b.k*m.set.NR:][:b.k*m.set.NR], -1)
				}
			}
			for ; t < group.Hi; t++ {
				m.rowTile(b, t, group.Lo, Span{j, j + 1})
			}
		}
	}
}

// plainTile runs the first tile across a panel, and packs that panel. It returns false
// if the set has no such tile.
func (m *multiplier[T]) plainTile(b *block[T], r *right[T], j int) bool {
	_, end := b.tileRows(0)
	f, nr := m.set.Gemm[end].Plain, m.set.NR
	col := j * nr
	if f == nil || r.transB || col+nr > b.n {
		return false
	}
	// This repeats code of rowTile. Sharing it costs rowTile 5 % at H = 32.
	a, rs, cs := b.a, b.lda, 1
	switch {
	case !b.gather && b.transA:
		rs, cs = 1, b.lda
	case b.gather && b.transA:
		a, rs, cs = m.gathered(0), 1, end
	case b.gather:
		a, rs = m.gathered(0), b.k+gatherPad
	}
	s, lds, ids, bias := m.zeros, 0, rowsInOrder, m.zeroBias
	if b.addRows != nil {
		ids = &b.addRows[0]
	}
	if b.add != nil {
		s, lds = &b.add[col], b.ldadd
	}
	if b.bias != nil {
		bias = &b.bias[col]
	}
	f(b.k, &a[0], rs, cs, &r.b[col], r.ldb, &b.b[j*b.k*nr],
		s, lds, ids, bias, &b.c[col], b.ldc, int(b.act))
	return true
}

// packBlock packs r along its rows.
func (m *multiplier[T]) packBlock(b *block[T], r *right[T]) {
	nr := m.set.NR
	for lo := 0; lo < b.k; lo += packRowsTogether {
		stopPoint()
		rows := min(packRowsTogether, b.k-lo)
		for j := range m.panels(b.n) {
			if j%packPanelsTogether == packPanelsTogether-1 {
				stopPoint()
			}
			m.set.Pack(rows, min(nr, b.n-j*nr), &b.b[(j*b.k+lo)*nr], &r.b[lo*r.ldb+j*nr], r.ldb)
		}
	}
}

// packPanel packs panel j of r.
func (m *multiplier[T]) packPanel(b *block[T], r *right[T], j int) {
	nr := m.set.NR
	to, n := b.b[j*b.k*nr:], min(nr, b.n-j*nr)
	if r.transB {
		for lo := 0; lo < b.k; lo += packDepth {
			stopPoint()
			m.set.PackT(min(packDepth, b.k-lo), n, &to[lo*nr], &r.b[j*nr*r.ldb+lo], r.ldb)
		}
		return
	}
	for lo := 0; lo < b.k; lo += packRowsTogether {
		if lo%(packRowsTogether*packPanelsTogether) == 0 {
			stopPoint()
		}
		m.set.Pack(min(packRowsTogether, b.k-lo), n, &to[lo*nr], &r.b[lo*r.ldb+j*nr], r.ldb)
	}
}

// part returns the part of a product for some rows and columns of op(B). A part after
// the first starts from C. A part before the last has no activation.
func (p *plainProduct[T]) part(depth, cols Span) plainProduct[T] {
	part := *p
	part.k, part.cols = depth.Len(), cols.Len()
	if p.transB {
		part.b = p.b[cols.Lo*p.ldb+depth.Lo:]
	} else {
		part.b = p.b[depth.Lo*p.ldb+cols.Lo:]
	}
	part.c = p.c[cols.Lo:]
	if p.transA {
		part.a = p.a[depth.Lo*p.lda:]
	} else {
		part.a = p.a[depth.Lo:]
	}
	if p.add != nil {
		part.add = p.add[cols.Lo:]
	}
	if p.bias != nil {
		part.bias = p.bias[cols.Lo:cols.Hi]
	}
	if depth.Lo > 0 {
		part.add, part.ldadd, part.addRows, part.bias, part.beta = part.c, p.ldc, nil, nil, 1
	}
	if depth.Hi < p.k {
		part.act = Identity
	}
	return part
}
