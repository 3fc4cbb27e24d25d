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
	e.checkPacked(p.B)
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

// zeros is the start row of products without start values. It is as long as
// the widest group of panels that a tile takes.
var zeros [512]float32

// gemm runs the loops around the tiles. K is cut into equal blocks no deeper
// than KC, so that a block of A's rows stays in L1; since a block begins from
// the C that the one before it stored, the cut changes no bits.
func (w *Worker) gemm(p *Product, panels Span) {
	if p.M == 0 || panels.Len() == 0 {
		return
	}
	set, k := w.set, p.B.K
	blocks := (k + set.KC - 1) / set.KC
	for b := range blocks {
		lo, hi := k*b/blocks, k*(b+1)/blocks
		blk := block{p: p, lo: lo, k: hi - lo, s: p.S, act: asm.Identity}
		if p.S != nil {
			blk.lds = p.LDS
		}
		if b > 0 {
			blk.s, blk.lds = p.C, p.LDC
		}
		if b == blocks-1 {
			blk.act = int(p.Act)
		}
		w.block(&blk, panels)
	}
}

// A block is a product over the rows [lo,lo+k) of B.
type block struct {
	p     *Product
	lo, k int
	s     []float32
	lds   int
	act   asm.Act
}

// block walks the rows in tiles of equal height rather than with one short
// remainder: 16 rows are 8+8, not 12+4, for low tiles are the slow ones.
func (w *Worker) block(b *block, panels Span) {
	p, mr := b.p, w.set.MR
	tiles := (p.M + mr - 1) / mr
	if p.TransA {
		// Rows of op(A) are columns of A: bring a strip together, then use it for
		// all panels.
		for t := range tiles {
			i, end := p.M*t/tiles, p.M*(t+1)/tiles
			w.strip(b, i, end-i)
			w.rowTile(b, i, end-i, w.strips, 1, end-i, panels)
		}
		return
	}
	if tiles == 1 {
		w.rowTile(b, 0, p.M, p.A[b.lo:], p.LDA, 1, panels)
		return
	}
	// Panel by panel: its block stays in L2 while all rows pass.
	for j := panels.Lo; j < panels.Hi; j++ {
		for t := range tiles {
			i, end := p.M*t/tiles, p.M*(t+1)/tiles
			w.tile(b, w.set.Sgemm[end-i].One, i, p.A[i*p.LDA+b.lo:], p.LDA, 1, j, 1)
		}
	}
}

// rowTile runs one row of tiles across the panels, several at once where the
// height allows it.
func (w *Worker) rowTile(b *block, i, rows int, a []float32, rs, cs int, panels Span) {
	t := &w.set.Sgemm[rows]
	full := min(panels.Hi, b.p.B.N/w.set.NR) // panels without missing columns
	j := panels.Lo
	if t.Panels > 1 {
		for ; j+t.Panels <= full; j += t.Panels {
			w.tile(b, t.Many, i, a, rs, cs, j, t.Panels)
		}
	}
	for ; j < panels.Hi; j++ {
		w.tile(b, t.One, i, a, rs, cs, j, 1)
	}
}

// tile runs one tile, whose first row is i and whose first panel is j.
func (w *Worker) tile(b *block, f asm.Tile, i int, a []float32, rs, cs, j, panels int) {
	p := b.p
	nr, col := w.set.NR, j*w.set.NR
	s := &zeros[0]
	if b.s != nil {
		s = &b.s[i*b.lds+col]
	}
	f(b.k, &a[0], rs, cs, &p.B.data[(j*p.B.K+b.lo)*nr], p.B.K*nr,
		s, b.lds, &p.C[i*p.LDC+col], p.LDC, min(panels*nr, p.B.N-col), b.act)
}

// strip gathers rows columns of A, from i, over the block's depth: [k][rows].
func (w *Worker) strip(b *block, i, rows int) {
	lda := b.p.LDA
	src := b.p.A[b.lo*lda+i:]
	for k := range b.k {
		copy(w.strips[k*rows:][:rows], src[k*lda:][:rows])
	}
}
