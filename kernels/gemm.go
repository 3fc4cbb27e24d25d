package kernels

import (
	"fmt"

	"batchrnn/asm"
)

// An Activation is applied to each element of a product before it is stored.
type Activation int

const (
	Identity = Activation(asm.Identity)
	ReLU     = Activation(asm.ReLU)
	Tanh     = Activation(asm.Tanh)
	Sigmoid  = Activation(asm.Sigmoid)
)

// A Product describes
//
//	C = Act(S + op(A)·B)
//
// with C of M×N, op(A) of M×K, B of K×N. All matrices but B are row-major, LD
// being the distance between rows.
type Product struct {
	M      int
	A      []float32 // M×K, or K×M where TransA
	LDA    int
	TransA bool
	B      *Packed
	S      []float32 // start values, M×N; nil means zeros; may be C
	LDS    int       // 0: S is one row of N for all, a bias
	C      []float32
	LDC    int
	Act    Activation
}

// gemmSerial is the number of multiply-adds below which a product is not worth
// a second thread: about 10 µs, several times what it costs to start one.
const gemmSerial = 1 << 19

// Gemm computes a product on as many threads as it is worth.
func (e *Engine) Gemm(p Product) {
	e.checkProduct(&p)
	if len(e.pool.workers) > 1 && p.M*p.B.K*p.B.N >= gemmSerial && e.pool.busy.TryLock() {
		e.pool.gemm = p
		e.pool.run(len(e.pool.workers), gemmShare)
		e.pool.gemm = Product{}
		e.pool.busy.Unlock()
		return
	}
	w := e.takeSolo()
	w.gemm(&p, p.B.All())
	e.giveSolo(w)
}

func gemmShare(w *Worker) { w.gemm(&w.pool.gemm, w.Share(w.pool.gemm.B.Panels())) }

// Gemm computes the columns of a product that belong to the given panels of B.
func (w *Worker) Gemm(p Product, panels Span) {
	w.checkProduct(&p)
	checkSpan("Gemm", panels, p.B.Panels())
	w.gemm(&p, panels)
}

func (e *Engine) checkProduct(p *Product) {
	e.checkPacked("Gemm", "B", p.B)
	k, n := p.B.K, p.B.N
	if p.TransA {
		checkMatrix("Gemm", "A", p.A, k, p.M, p.LDA)
	} else {
		checkMatrix("Gemm", "A", p.A, p.M, k, p.LDA)
	}
	checkMatrix("Gemm", "C", p.C, p.M, n, p.LDC)
	switch {
	case p.S == nil:
	case p.LDS == 0:
		checkMatrix("Gemm", "S", p.S, 1, n, n)
	default:
		checkMatrix("Gemm", "S", p.S, p.M, n, p.LDS)
	}
	if p.Act < Identity || p.Act > Sigmoid {
		panic(fmt.Sprintf("kernels: Gemm: unknown activation %d", p.Act))
	}
}

// zeros is the start row of products without start values, as wide as the
// widest tile of any set.
var zeros [asm.MaxPanels * 32]float32

// A block is a product over the rows [lo,lo+k) of B. It holds the product by
// value: escape analysis does not tell fields apart, and a pointer beside
// slices that reach a func field would move its target to the heap.
type block struct {
	Product
	gather bool // rows of op(A) are brought together first
	lo, k  int
}

// maxDepth bounds the time of one tile: 24 accumulators take 27 µs at 3.66 GHz.
const maxDepth = 4096

// gemm runs the loops around the tiles. K is cut into equal blocks where it
// must be; since a block begins from the C that the one before it stored, the
// cut changes no bits. Rows that are read in place are cut at maxDepth alone:
// blocks of 512 to keep 12 rows in L1 lost 2 to 4 % at H = 1760.
func (w *Worker) gemm(p *Product, panels Span) {
	if p.M == 0 || panels.Len() == 0 {
		return
	}
	k, depth := p.B.K, maxDepth
	gather := p.TransA || p.LDA%aliasStride == 0 && p.M > 1
	if gather {
		depth = w.set.KC
	}
	blocks := (k + depth - 1) / depth
	for i := range blocks {
		b := block{Product: *p, gather: gather, lo: k * i / blocks}
		b.k = k*(i+1)/blocks - b.lo
		if i > 0 {
			b.S, b.LDS = p.C, p.LDC
		}
		if b.S == nil {
			b.LDS = 0
		}
		if i < blocks-1 {
			b.Act = Identity
		}
		w.block(&b, panels)
	}
}

const (
	// gatherTiles is how many tiles' rows of A are gathered at a time: each panel
	// of B that comes from L3 serves as many tiles, and all of them stay in L2.
	gatherTiles = 4
	// gatherPad parts gathered rows by a cache line.
	gatherPad = 16
	// aliasStride is the row stride of A, in floats, whose multiples put the same
	// columns of all rows into one set of L1 (4 KB a way): taller tiles than it
	// has ways then evict their own rows. H = 2048, B = 32: 75 % of peak without
	// gathering.
	aliasStride = 1024
)

// block walks the rows in tiles of equal height rather than with one short
// remainder: 16 rows are 8+8, not 12+4, for low tiles are the slow ones.
func (w *Worker) block(b *block, panels Span) {
	tiles := (b.M + w.set.MR - 1) / w.set.MR
	switch {
	case b.gather:
		groups := (tiles + gatherTiles - 1) / gatherTiles
		for g := range groups {
			w.gathered(b, Span{tiles * g / groups, tiles * (g + 1) / groups}, tiles, panels)
		}
	case tiles == 1:
		w.rowTile(b, 0, b.M, b.A[b.lo:], b.LDA, 1, panels)
	default:
		// Panel by panel: its block stays in L2 while all rows pass.
		for j := panels.Lo; j < panels.Hi; j++ {
			for t := range tiles {
				i, end := b.rows(t, tiles)
				w.rowTile(b, i, end-i, b.A[i*b.LDA+b.lo:], b.LDA, 1, Span{j, j + 1})
			}
		}
	}
}

// rows returns the first row of tile t of n and the row after its last.
func (b *block) rows(t, n int) (lo, hi int) { return b.M * t / n, b.M * (t + 1) / n }

// gathered brings the rows of op(A) for some tiles together, then runs them
// panel by panel.
func (w *Worker) gathered(b *block, group Span, tiles int, panels Span) {
	size := w.set.MR * (w.set.KC + gatherPad)
	buf := func(t int) []float32 { return w.rows[(t-group.Lo)*size:][:size] }
	rs, cs := b.k+gatherPad, 1
	for t := group.Lo; t < group.Hi; t++ {
		i, end := b.rows(t, tiles)
		if b.TransA { // rows of op(A) are columns of A
			w.set.Strip(b.k, end-i, &buf(t)[0], &b.A[b.lo*b.LDA+i], b.LDA)
			continue
		}
		for r := range end - i {
			copy(buf(t)[r*rs:], b.A[(i+r)*b.LDA+b.lo:][:b.k])
		}
	}
	if group.Len() == 1 {
		i, end := b.rows(group.Lo, tiles)
		if b.TransA {
			rs, cs = 1, end-i
		}
		w.rowTile(b, i, end-i, buf(group.Lo), rs, cs, panels)
		return
	}
	for j := panels.Lo; j < panels.Hi; j++ {
		for t := group.Lo; t < group.Hi; t++ {
			i, end := b.rows(t, tiles)
			if b.TransA {
				rs, cs = 1, end-i
			}
			w.rowTile(b, i, end-i, buf(t), rs, cs, Span{j, j + 1})
		}
	}
}

// rowTile runs one row of tiles, from row i, across the panels: as many panels
// at once as there are tiles for.
func (w *Worker) rowTile(b *block, i, rows int, a []float32, rs, cs int, panels Span) {
	nr, t := w.set.NR, &w.set.Sgemm[rows]
	for j := panels.Lo; j < panels.Hi; {
		col := j * nr
		n, cols := 1, b.B.N-col
		f := t.Panels[1]
		switch {
		case cols <= nr/2 && t.Half != nil:
			f = t.Half
		case t.Panels[2] != nil:
			for wide := min(panels.Hi-j, cols/nr, asm.MaxPanels); wide > 1; wide-- {
				if t.Panels[wide] != nil {
					n, f = wide, t.Panels[wide]
					break
				}
			}
		}
		s := &zeros[0]
		if b.S != nil {
			s = &b.S[i*b.LDS+col]
		}
		f(b.k, &a[0], rs, cs, &b.B.data[(j*b.B.K+b.lo)*nr], b.B.K*nr,
			s, b.LDS, &b.C[i*b.LDC+col], b.LDC, min(n*nr, cols), int(b.Act))
		j += n
	}
}
