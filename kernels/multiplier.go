package kernels

import (
	"math"
	"unsafe"

	"batchrnn/asm"
)

// A Float is the type of an element.
type Float = asm.Float

// A multiplier runs the tiles of one type of element on a worker.
type multiplier[T Float] struct {
	set   *asm.Kernels[T]
	rows  []T // gathered rows of A, [gatherTiles][MR·(KC+gatherPad)]
	space []T // a block of a plain B; nil until needed

	// Sizes in elements: see nearBytes, fetchBytes and aliasBytes.
	nearRows, fetchAhead, aliasStride int
	// Stand-ins for missing operands: start values of zero, and a bias of -0, which
	// changes no value. They are as wide as the widest tile.
	zeros, zeroBias *T

	quantise func(dst *T, src []T) // asm.Set.Quantise; nil for float64
}

func newMultiplier[T Float](set *asm.Kernels[T]) multiplier[T] {
	size := elementSize[T]()
	zeros, bias := aligned[T](asm.MaxPanels*set.NR), aligned[T](asm.MaxPanels*set.NR)
	for i := range bias {
		bias[i] = T(math.Copysign(0, -1))
	}
	return multiplier[T]{
		set: set, rows: aligned[T](gatherTiles * set.MR * (set.KC + gatherPad)),
		nearRows: nearBytes / size, fetchAhead: fetchBytes / size, aliasStride: aliasBytes / size,
		zeros: &zeros[0], zeroBias: &bias[0],
	}
}

// kernelsOf returns a set's kernels for a type of element.
func kernelsOf[T Float](set *asm.Set) *asm.Kernels[T] {
	if k, ok := any(&set.Kernels).(*asm.Kernels[T]); ok {
		return k
	}
	return any(&set.Double).(*asm.Kernels[T])
}

// elementSize returns the size of an element in bytes.
func elementSize[T Float]() int { return int(unsafe.Sizeof(T(0))) }

// rowsInOrder are the row numbers of a tile whose rows of Add are in order.
var rowsInOrder = func() *int32 {
	var order [asm.MaxRows]int32
	for i := range order {
		order[i] = int32(i)
	}
	return &order[0]
}()

// operands are those of a product, but for the right-hand matrix: see [Product].
type operands[T Float] struct {
	m       int
	a       []T
	lda     int
	transA  bool
	add     []T
	ldadd   int
	addRows []int32
	bias    []T
	c       []T
	ldc     int
	act     Activation
}

func (p *Product) operands() operands[float32] {
	return operands[float32]{
		m: p.M, a: p.A, lda: p.LDA, transA: p.TransA,
		add: p.Add, ldadd: p.LDAdd, addRows: p.AddRows, bias: p.Bias,
		c: p.C, ldc: p.LDC, act: p.Act,
	}
}

// aliases says whether the same columns of all rows of A fall into one set of L1.
func (m *multiplier[T]) aliases(p *operands[T]) bool {
	return p.lda%m.aliasStride == 0 && p.m > 1
}

// A block is a product over the rows [lo,lo+k) of a packed B. It holds the operands by
// value. Escape analysis does not tell fields apart. A pointer beside slices that reach a
// func field would move its target to the heap.
type block[T Float] struct {
	operands[T]
	family   *asm.Family[T]
	b        []T  // [panels][depth][NR]
	depth, n int  // rows and columns of B
	gather   bool // rows of op(A) are gathered first
	quantise int  // if not 0, rows of A are quantised as they are gathered: they have this many elements
	noLow    bool // a remainder of few rows shares with the tile before it
	lo, k    int

	// Tiles are of height rows, and the first tall of them of one more. The last takes
	// shared rows from the one before it. See layRows.
	tiles, height, tall, shared int
}

// fetchBytes is the distance at which a tile prefetches its panel. The first
// of the tiles that share the panel prefetches it; the others find it in L2. A forward
// pass of H = 2048, B = 32 gains 7 % of peak (bench/RESULTS.md, Choices).
const fetchBytes = 8192

// nearPanels is a size of B in floats. Up to it, an additional pass over B for a low
// tile is fast enough. Above it the rows of the low tile share with the tile before it.
// 32 rows of N = K = 2560 by AVX2 gain 9 % (bench/RESULTS.md, Choices).
const nearPanels = 5 << 20

const (
	// gatherTiles is the number of tiles whose rows of A are gathered at a time. Each
	// panel of B that comes from L3 serves all these tiles. Their rows all stay in L2.
	gatherTiles = 4
	// stripDepth is the number of rows of a transposed A that the tiles of a group gather
	// at a time. Each row may be on a page of its own, which the TLB then keeps for all
	// tiles. It bounds the time between stop points: to miss cache and TLB takes 0.1 µs.
	stripDepth = 64
	// gatherPad separates gathered rows by a cache line or two.
	gatherPad = 16
	// aliasBytes is a row stride of A. At its multiples, the same columns of all rows fall
	// into one set of L1 (4 KB a way). Tiles with more rows than L1 has ways then evict
	// their own rows. A forward pass of H = 2048, B = 32 on one thread then reaches 80 to
	// 87 % of peak. With gathering it reaches 91 %.
	aliasBytes = 4096
)

// nearBytes is the size of a group of rows of A. A group passes all panels
// before the next group begins. It stays in L2 beside a panel and C. By AVX2, 6,400
// rows of N = K = 1760 gain 29 % (bench/RESULTS.md, Choices).
var nearBytes = asm.L2() * 3 / 8

// block walks the rows in tiles, gathered or in place.
func (m *multiplier[T]) block(b *block[T], panels Span) {
	if !b.gather && b.m*b.k <= m.nearRows { // the divisions below would slow small steps
		m.tiles(b, Span{0, b.tiles}, panels)
		return
	}
	size := gatherTiles
	if !b.gather {
		size = max(2, m.nearRows/(b.k*b.family.MR))
	}
	groups := (b.tiles + size - 1) / size
	for g := range groups {
		group := Span{b.tiles * g / groups, b.tiles * (g + 1) / groups}
		if b.gather {
			m.gather(b, group, 1)
		}
		m.tiles(b, group, panels)
	}
}

// layRows divides the rows into tiles.
//
// In sets whose low tiles are slow, tiles have equal height: 16 rows are 8+8, not 12+4.
//
// On AVX2 all heights below the full one are slow: 89 to 92 % of peak against 96. Only
// tiles that take several panels are not. So on AVX2 full tiles come first.
//
// A remainder of one row shares with the tile before it. So does a remainder whose tile
// takes several panels, if these come from far away (nearPanels).
func (m *multiplier[T]) layRows(b *block[T]) {
	mr := b.family.MR
	b.tiles, b.height, b.tall, b.shared = 1, b.m, 0, 0
	if b.m <= mr {
		return
	}
	b.tiles = (b.m + mr - 1) / mr
	if !b.family.TallFirst {
		b.height = b.m / b.tiles
		b.tall = b.m - b.tiles*b.height
		return
	}
	b.height = mr
	if rest := b.m - (b.tiles-1)*mr; rest == 1 || b.noLow && b.family.Gemm[rest].Panels[2] != nil {
		b.shared = (mr+rest)/2 - rest
	}
}

// tileRows returns the rows of tile t.
func (b *block[T]) tileRows(t int) (lo, hi int) {
	lo = t*b.height + min(t, b.tall)
	hi = min((t+1)*b.height+min(t+1, b.tall), b.m)
	switch t {
	case b.tiles - 1:
		lo -= b.shared
	case b.tiles - 2:
		hi -= b.shared
	}
	return lo, hi
}

// tiles runs a group of tiles panel by panel. The panel stays in L2 while all rows
// pass. A single tile, or a low one at the end, takes several panels at a time.
func (m *multiplier[T]) tiles(b *block[T], group, panels Span) {
	last := group.Hi - 1
	lo, hi := b.tileRows(last)
	together := group
	if group.Len() == 1 || b.family.TallFirst && b.family.Gemm[hi-lo].Panels[2] != nil {
		together.Hi = last
	}
	if together.Len() > 0 {
		for j := panels.Lo; j < panels.Hi; j++ {
			for t := together.Lo; t < together.Hi; t++ {
				m.rowTile(b, t, group.Lo, Span{j, j + 1})
			}
		}
	}
	if together.Hi == last {
		m.rowTile(b, last, group.Lo, panels)
	}
}

// gather copies the rows of op(A) for a group of tiles into the worker's buffer, times
// alpha.
func (m *multiplier[T]) gather(b *block[T], group Span, alpha T) {
	if b.transA { // rows of op(A) are columns of A
		for k := 0; k < b.k; k += stripDepth {
			n := min(stripDepth, b.k-k)
			for t := group.Lo; t < group.Hi; t++ {
				stopPoint()
				lo, hi := b.tileRows(t)
				to := m.gathered(t - group.Lo)[k*(hi-lo):][:n*(hi-lo)]
				m.set.Strip(n, hi-lo, &to[0], &b.a[(b.lo+k)*b.lda+lo], b.lda)
				if alpha != 1 {
					m.set.Scale(to, alpha)
				}
			}
		}
		return
	}
	for t := group.Lo; t < group.Hi; t++ {
		lo, hi := b.tileRows(t)
		buf := m.gathered(t - group.Lo)
		for i := range hi - lo {
			to := buf[i*(b.k+gatherPad):][:b.k]
			if b.quantise > 0 {
				stopPoint()
				m.quantise(&to[0], b.a[(lo+i)*b.lda:][:min(quad*b.k, b.quantise)])
				continue
			}
			copy(to, b.a[(lo+i)*b.lda+b.lo:])
			if alpha != 1 {
				stopPoint()
				m.set.Scale(to, alpha)
			}
		}
	}
}

// gathered returns the buffer of the i-th tile of a group.
func (m *multiplier[T]) gathered(i int) []T {
	n := m.set.MR * (m.set.KC + gatherPad)
	return m.rows[i*n:][:n]
}

// rowTile runs tile t across the panels, as many at a time as the set's tiles take.
// first is the first tile of its group.
func (m *multiplier[T]) rowTile(b *block[T], t, first int, panels Span) {
	i, end := b.tileRows(t)
	a, rs, cs := b.a, b.lda, 1
	switch {
	case !b.gather && b.transA:
		a, rs, cs = a[b.lo*b.lda+i:], 1, b.lda
	case !b.gather:
		a = a[i*b.lda+b.lo:]
	case b.transA:
		a, rs, cs = m.gathered(t-first), 1, end-i
	default:
		a, rs = m.gathered(t-first), b.k+gatherPad
	}
	nr, tile := m.set.NR, &b.family.Gemm[end-i]
	ids, from := rowsInOrder, i
	if b.addRows != nil {
		ids, from = &b.addRows[i], 0
	}
	for j := panels.Lo; j < panels.Hi; {
		if j > panels.Lo {
			stopPoint()
		}
		col := j * nr
		n, cols := 1, b.n-col
		f := tile.Panels[1]
		switch {
		case cols <= nr/2 && tile.Half != nil:
			f = tile.Half
		case tile.Panels[2] != nil:
			for wide := min(panels.Hi-j, cols/nr, asm.MaxPanels); wide > 1; wide-- {
				if tile.Panels[wide] != nil {
					n, f = wide, tile.Panels[wide]
					break
				}
			}
		}
		s, lds, bias := m.zeros, 0, m.zeroBias
		if b.add != nil {
			s, lds = &b.add[from*b.ldadd+col], b.ldadd
		}
		if b.bias != nil {
			bias = &b.bias[col]
		}
		bs := b.depth * nr
		switch {
		case n > 1:
		case t == first:
			bs = m.fetchAhead
		default:
			bs = 0
		}
		f(b.k, &a[0], rs, cs, &b.b[(j*b.depth+b.lo)*nr], bs,
			s, lds, ids, bias, &b.c[i*b.ldc+col], b.ldc, min(n*nr, cols), int(b.act))
		j += n
	}
}
