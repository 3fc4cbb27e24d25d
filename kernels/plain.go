package kernels

import "fmt"

// A Matrix is the right-hand matrix of a product as it is: row-major, LD being the
// distance between rows. A product packs it on the way, a block at a time, and so it
// costs no memory and need not be packed anew when it changes. Where it stays the
// same for many products, [Packed] is faster.
type Matrix struct {
	K, N  int
	Data  []float32 // K×N, or N×K where Trans
	LD    int
	Trans bool
}

func (m *Matrix) check() {
	switch {
	case m.Data == nil && m.K == 0 && m.N == 0:
		panic("kernels: Gemm: B is nil")
	case m.K < 1 || m.N < 1:
		panic(fmt.Sprintf("kernels: Gemm: Plain of %d×%d: both must be at least 1", m.K, m.N))
	case m.Trans:
		checkMatrix("Gemm", "Plain", m.Data, m.N, m.K, m.LD)
	default:
		checkMatrix("Gemm", "Plain", m.Data, m.K, m.N, m.LD)
	}
}

const (
	// plainDepth is how many rows of a plain matrix are packed together at most.
	plainDepth = 1024
	// plainBlock is the size of a packed block, in floats: half of a small L2.
	plainBlock = 1 << 16
	// plainTiles is how many tiles' rows of A meet a block in turn: they stay in L2
	// beside it.
	plainTiles = 16
	// Where rows of A are gathered, anew for each block, blocks are wider. With such of
	// plainBlock the product of 1760×1600 and 1600×1760 reaches 83 to 92 % of the rate
	// that these have.
	gatheredDepth = 512
	gatheredBlock = 1 << 18
)

// Panels returns the number of panels of n columns, by which products with n columns
// are shared out.
func (o serial) Panels(n int) int { return (n + o.set.NR - 1) / o.set.NR }

// plain computes some panels' columns of a product with a plain matrix, block by block:
// the first tile packs what it reads for the others. K is cut into equal parts. Since
// one begins from the C that the one before it stored, the cut changes no bits.
func (w *Worker) plain(p *Product, panels Span) {
	if p.M == 0 || panels.Len() == 0 {
		return
	}
	m, nr, gather := &p.Plain, w.set.NR, w.gathers(p)
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
			b := block{Product: p.part(rows, cols), gather: gather, k: rows.Len()}
			if i > 0 {
				b.S, b.LDS, b.IDs, b.Bias = b.C, b.LDC, nil, nil
			}
			if i < depths-1 {
				b.Act = Identity
			}
			w.packed = Packed{K: rows.Len(), N: cols.Len(), nr: nr}
			w.packed.data = w.space[:w.packed.Panels()*w.packed.K*nr]
			b.B = &w.packed
			w.plainBlock(&b)
		}
	}
}

// plainBlock walks the rows of a product whose B becomes b.B as the first group of
// tiles passes.
func (w *Worker) plainBlock(b *block) {
	n := (b.M + w.set.MR - 1) / w.set.MR
	size := plainTiles
	if b.gather {
		size = gatherTiles
	}
	groups := (n + size - 1) / size
	for g := range groups {
		group := Span{n * g / groups, n * (g + 1) / groups}
		if b.gather {
			w.gather(b, group)
		}
		for j := range b.B.Panels() {
			t := group.Lo
			if g == 0 {
				if w.plainTile(b, j) {
					t++
				} else {
					w.packPanel(&b.Plain, b.B, j)
				}
			}
			for ; t < group.Hi; t++ {
				w.rowTile(b, t, group.Lo, Span{j, j + 1})
			}
		}
	}
}

// plainTile runs the first tile across a panel, and packs that. It returns false where
// there is no such tile.
func (w *Worker) plainTile(b *block, j int) bool {
	_, end := w.tileRows(b, 0)
	f, nr := w.set.Sgemm[end].Plain, w.set.NR
	col := j * nr
	if f == nil || b.Plain.Trans || col+nr > b.B.N {
		return false
	}
	a, rs, cs := w.left(b, 0, 0)
	s, lds, ids, bias := b.starts(0, col)
	f(b.k, &a[0], rs, cs, &b.Plain.Data[col], b.Plain.LD, &b.B.data[j*b.k*nr],
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

// part returns the product of some columns of op(A) with as many rows and some columns
// of a plain B.
func (p *Product) part(depth, cols Span) Product {
	part := *p
	part.C = p.C[cols.Lo:]
	if p.Plain.Trans {
		part.Plain.Data = p.Plain.Data[cols.Lo*p.Plain.LD+depth.Lo:]
	} else {
		part.Plain.Data = p.Plain.Data[depth.Lo*p.Plain.LD+cols.Lo:]
	}
	if p.TransA {
		part.A = p.A[depth.Lo*p.LDA:]
	} else {
		part.A = p.A[depth.Lo:]
	}
	if p.S != nil {
		part.S = p.S[cols.Lo:]
	}
	if p.Bias != nil {
		part.Bias = p.Bias[cols.Lo:cols.Hi]
	}
	return part
}
