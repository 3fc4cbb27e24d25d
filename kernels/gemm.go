package kernels

import (
	"fmt"
	"math"
	"runtime"

	"batchrnn/asm"
)

// A Product describes
//
//	C = Act(Add + Bias + op(A)·B)
//
// C is M×N, op(A) is M×K, B is K×N. All matrices but B are row-major, and LD is their
// row stride. C may be Add itself if AddRows is nil. Otherwise C must not overlap any
// operand: [Engine.Gemm] panics if it does, [Worker.Gemm] does not check.
type Product struct {
	M       int
	A       []float32 // M×K, or K×M if TransA
	LDA     int
	TransA  bool
	B       *Packed   // nil in GemmPlain
	Add     []float32 // start values, M×N; nil means zeros
	LDAdd   int
	AddRows []int32   // if not nil, row i starts from row AddRows[i] of Add, a table of N columns
	Bias    []float32 // N, added to every row; nil means zeros
	C       []float32
	LDC     int
	Act     Activation // zero is Identity
}

// gemmShareWork is the minimum number of multiply-adds that is worth a worker. It takes
// about 5 µs, several times the cost of starting one.
const gemmShareWork = 1 << 18

// gemmPhaseWork is the number of multiply-adds in a phase of a large product. They take
// about 0.1 ms. After a phase more workers may join.
const gemmPhaseWork = 1 << 23

// Gemm computes a product on as many workers as it is worth. They share the panels of
// B, so a product of one panel runs on one worker.
func (e *Engine) Gemm(p Product) {
	e.checkPacked("Gemm", "B", p.B)
	e.checkProduct("Gemm", &p, p.B.K, p.B.N)
	p.checkApart("Gemm", p.B.K, p.B.N)
	if pool := e.pool; pool.begin(p.B.Panels(), p.M*p.B.K*p.B.N) {
		pool.gemm = p
		pool.run(pool.want, gemmShare)
	} else {
		w := pool.takeSolo()
		w.enter()
		w.gemm(&p, p.B.All())
		w.leave()
		pool.giveSolo(w)
	}
	runtime.KeepAlive(e)
}

// begin takes the workers for a product of the given number of panels and
// multiply-adds. It returns false if the product is worth only one worker, or if the
// workers are busy.
func (p *pool) begin(panels, work int) bool {
	if p.closed.Load() {
		panic(closedEngine)
	}
	n := min(len(p.workers), panels, work/gemmShareWork)
	if n < 2 || !p.busy.TryLock() {
		return false
	}
	p.want = n
	return true
}

// gemmShare computes a worker's columns of the pool's product. A phase has whole panels
// for each worker. But each phase gathers rows of A anew. So if rows are gathered, a
// phase has whole groups of rows.
func gemmShare(w *Worker) {
	p, n := &w.pool.gemm, w.pool.want
	panels := p.B.Panels()
	if w.gathers(p) {
		group := gatherTiles * w.set.MR
		step := (1 + n*gemmPhaseWork/(group*p.B.K*p.B.N)) * group
		for lo := 0; lo < p.M; lo += step {
			if lo > 0 {
				w.Barrier()
			}
			part := p.rows(lo, min(step, p.M-lo))
			w.gemm(&part, w.Share(panels))
		}
		return
	}
	step := phasePanels(panels, n, p.M*p.B.K*p.B.N)
	for lo := 0; lo < panels; lo += step {
		if lo > 0 {
			w.Barrier()
		}
		share := w.Share(min(step, panels-lo))
		w.gemm(p, Span{lo + share.Lo, lo + share.Hi})
	}
}

// phasePanels returns the number of panels in a phase of n workers. work is the work of
// the whole product.
func phasePanels(panels, n, work int) int {
	phases := min(4, 1+work/(n*gemmPhaseWork))
	return (panels/phases/n + 1) * n
}

// rows returns the part of the product with n rows from lo on.
func (p *Product) rows(lo, n int) Product {
	part := *p
	part.M, part.C = n, p.C[lo*p.LDC:]
	if p.TransA {
		part.A = p.A[lo:]
	} else {
		part.A = p.A[lo*p.LDA:]
	}
	switch {
	case p.AddRows != nil:
		part.AddRows = p.AddRows[lo:][:n]
	case p.Add != nil:
		part.Add = p.Add[lo*p.LDAdd:]
	}
	return part
}

// gathers says whether rows of A are gathered before use.
func (w *Worker) gathers(p *Product) bool {
	return p.TransA || p.LDA%aliasStride == 0 && p.M > 1
}

// Gemm computes the columns of a product that belong to the given panels of B.
func (w *Worker) Gemm(p Product, panels Span) {
	w.checkPacked("Gemm", "B", p.B)
	w.checkProduct("Gemm", &p, p.B.K, p.B.N)
	checkSpan("Gemm", panels, p.B.Panels())
	w.gemm(&p, panels)
}

// checkProduct checks all of p except B, which is k×n.
func (o serial) checkProduct(op string, p *Product, k, n int) {
	if p.TransA {
		checkMatrix(op, "A", p.A, k, p.M, p.LDA)
	} else {
		checkMatrix(op, "A", p.A, p.M, k, p.LDA)
	}
	checkMatrix(op, "C", p.C, p.M, n, p.LDC)
	switch {
	case p.AddRows != nil:
		checkLen(op, "AddRows", len(p.AddRows), p.M)
		checkRows(op, "Add", p.Add, n, p.LDAdd, p.AddRows)
		if p.M > 0 && &p.Add[0] == &p.C[0] {
			panic("kernels: " + op + ": C is Add, whose rows AddRows reads in another order")
		}
	case p.Add != nil:
		checkMatrix(op, "Add", p.Add, p.M, n, p.LDAdd)
	}
	if p.Bias != nil {
		checkLen(op, "Bias", len(p.Bias), n)
	}
	if !p.Act.known() {
		panic(fmt.Sprintf("kernels: %s: unknown activation %d", op, int(p.Act)))
	}
}

// Stand-ins for missing operands: start values of zero, a bias of zero, and rows of Add
// in order. They are as wide and as tall as the largest tile of any set. The bias is
// -0: adding it changes no value.
var zeros, zeroBias, inOrder = standIns(asm.Sets())

func standIns(sets []*asm.Set) (zeros, zeroBias *float32, inOrder *int32) {
	columns, rows := 0, 0
	for _, s := range sets {
		columns, rows = max(columns, asm.MaxPanels*s.NR), max(rows, s.MR)
	}
	bias, order := Floats(columns), make([]int32, rows)
	for i := range bias {
		bias[i] = float32(math.Copysign(0, -1))
	}
	for i := range order {
		order[i] = int32(i)
	}
	return &Floats(columns)[0], &bias[0], &order[0]
}

// A block is a product over the rows [lo,lo+k) of B. It holds the product by value.
// Escape analysis does not tell fields apart. A pointer beside slices that reach a func
// field would move its target to the heap.
type block struct {
	Product
	gather bool // rows of op(A) are gathered first
	noLow  bool // a remainder of few rows shares with the tile before it
	lo, k  int
}

// maxDepth bounds the time of one call whose part of B comes from memory. At that depth
// 12 rows and a panel of 32 are 20 µs of arithmetic and 400 KB. Low tiles take several
// panels and half the depth.
const maxDepth = 3072

// gemm runs the loops around the tiles. It cuts K into equal blocks if necessary. A
// block starts from the C that the block before it stored, so the cut changes no bits.
//
// If rows are read in place, only maxDepth cuts them. Blocks of 512 keep 12 rows in L1.
// They lost 1 to 4 % at H = 1760, B = 32.
func (w *Worker) gemm(p *Product, panels Span) {
	if p.M == 0 || panels.Len() == 0 {
		return
	}
	k, depth := p.B.K, maxDepth
	if p.M < w.set.MR && w.set.Sgemm[p.M].Panels[2] != nil {
		depth /= 2
	}
	gather := w.gathers(p)
	if gather {
		depth = w.set.KC
	}
	blocks := (k + depth - 1) / depth
	for i := range blocks {
		b := block{Product: *p, gather: gather, noLow: k*panels.Len()*w.set.NR > nearPanels, lo: k * i / blocks}
		b.k = k*(i+1)/blocks - b.lo
		if i > 0 {
			b.Add, b.LDAdd, b.AddRows, b.Bias = p.C, p.LDC, nil, nil
		}
		if i < blocks-1 {
			b.Act = Identity
		}
		w.block(&b, panels)
	}
}

// fetchAhead is the distance in floats at which a tile prefetches its panel. The first
// of the tiles that share the panel prefetches it; the others find it in L2. A forward
// pass of H = 2048, B = 32 gains 7 % of peak (bench/RESULTS.md, Choices).
const fetchAhead = 2048

// nearPanels is a size of B in floats. Up to it, an additional pass over B for a low
// tile is fast enough. Above it the rows of the low tile share with the tile before it.
// 32 rows of N = K = 2560 by AVX2 gain 9 % (bench/RESULTS.md, Choices).
const nearPanels = 5 << 20

const (
	// gatherTiles is the number of tiles whose rows of A are gathered at a time. Each
	// panel of B that comes from L3 serves all these tiles. Their rows all stay in L2.
	gatherTiles = 4
	// stripDepth bounds the time of one call. Each row may miss the cache and the TLB,
	// which takes 0.1 µs.
	stripDepth = 256
	// gatherPad separates gathered rows by a cache line.
	gatherPad = 16
	// aliasStride is a row stride of A in floats. At its multiples, the same columns of
	// all rows fall into one set of L1 (4 KB a way). Tiles with more rows than L1 has
	// ways then evict their own rows. A forward pass of H = 2048, B = 32 on one thread
	// then reaches 80 to 87 % of peak. With gathering it reaches 91 %.
	aliasStride = 1024
)

// nearRows is the size, in floats, of a group of rows of A. A group passes all panels
// before the next group begins. It stays in L2 beside a panel and C. By AVX2, 6,400
// rows of N = K = 1760 gain 29 % (bench/RESULTS.md, Choices).
var nearRows = asm.L2() * 3 / 8 / 4

// groups returns the number of groups of rows, and the number of tiles.
func (w *Worker) groups(b *block) (groups, tiles int) {
	tiles = (b.M + w.set.MR - 1) / w.set.MR
	size := gatherTiles
	if !b.gather {
		size = max(2, nearRows/(b.k*w.set.MR))
	}
	return (tiles + size - 1) / size, tiles
}

// block walks the rows in tiles, gathered or in place.
func (w *Worker) block(b *block, panels Span) {
	if !b.gather && b.M*b.k <= nearRows { // the divisions below would slow small steps
		w.tiles(b, Span{0, (b.M + w.set.MR - 1) / w.set.MR}, panels)
		return
	}
	groups, n := w.groups(b)
	for g := range groups {
		group := Span{n * g / groups, n * (g + 1) / groups}
		if b.gather {
			w.gather(b, group)
		}
		w.tiles(b, group, panels)
	}
}

// tileRows returns the rows of tile t.
//
// In sets whose low tiles are slow, tiles have equal height: 16 rows are 8+8, not 12+4.
//
// On AVX2 all heights below the full one are slow: 89 to 92 % of peak against 96. Only
// tiles that take several panels are not. So on AVX2 full tiles come first.
//
// A remainder of one row shares with the tile before it. So does a remainder whose tile
// takes several panels, if these come from far away (nearPanels).
func (w *Worker) tileRows(b *block, t int) (lo, hi int) {
	mr := w.set.MR
	n := (b.M + mr - 1) / mr
	if !w.set.TallFirst {
		return b.M * t / n, b.M * (t + 1) / n
	}
	lo, hi = t*mr, min((t+1)*mr, b.M)
	if rest := b.M % mr; n > 1 && (rest == 1 || b.noLow && w.set.Sgemm[rest].Panels[2] != nil) {
		move := (mr+rest)/2 - rest
		switch t {
		case n - 2:
			hi -= move
		case n - 1:
			lo -= move
		}
	}
	return lo, hi
}

// tiles runs a group of tiles panel by panel. The panel stays in L2 while all rows
// pass. A single tile, or a low one at the end, takes several panels at a time.
func (w *Worker) tiles(b *block, group, panels Span) {
	last := group.Hi - 1
	lo, hi := w.tileRows(b, last)
	together := group
	if group.Len() == 1 || w.set.TallFirst && w.set.Sgemm[hi-lo].Panels[2] != nil {
		together.Hi = last
	}
	if together.Len() > 0 {
		for j := panels.Lo; j < panels.Hi; j++ {
			for t := together.Lo; t < together.Hi; t++ {
				w.rowTile(b, t, group.Lo, Span{j, j + 1})
			}
		}
	}
	if together.Hi == last {
		w.rowTile(b, last, group.Lo, panels)
	}
}

// gather copies the rows of op(A) for a group of tiles into the worker's buffer.
func (w *Worker) gather(b *block, group Span) {
	for t := group.Lo; t < group.Hi; t++ {
		lo, hi := w.tileRows(b, t)
		buf := w.gathered(t - group.Lo)
		if b.TransA { // rows of op(A) are columns of A
			for k := 0; k < b.k; k += stripDepth {
				stopPoint()
				w.set.Strip(min(stripDepth, b.k-k), hi-lo, &buf[k*(hi-lo)], &b.A[(b.lo+k)*b.LDA+lo], b.LDA)
			}
			continue
		}
		for i := range hi - lo {
			copy(buf[i*(b.k+gatherPad):], b.A[(lo+i)*b.LDA+b.lo:][:b.k])
		}
	}
}

// gathered returns the buffer of the i-th tile of a group.
func (w *Worker) gathered(i int) []float32 {
	n := w.set.MR * (w.set.KC + gatherPad)
	return w.rows[i*n:][:n]
}

// rowTile runs tile t across the panels, as many at a time as the set's tiles take.
// first is the first tile of its group.
func (w *Worker) rowTile(b *block, t, first int, panels Span) {
	i, end := w.tileRows(b, t)
	a, rs, cs := b.A, b.LDA, 1
	switch {
	case !b.gather:
		a = a[i*b.LDA+b.lo:]
	case b.TransA:
		a, rs, cs = w.gathered(t-first), 1, end-i
	default:
		a, rs = w.gathered(t-first), b.k+gatherPad
	}
	nr, tile := w.set.NR, &w.set.Sgemm[end-i]
	ids, from := inOrder, i
	if b.AddRows != nil {
		ids, from = &b.AddRows[i], 0
	}
	for j := panels.Lo; j < panels.Hi; {
		if j > panels.Lo {
			stopPoint()
		}
		col := j * nr
		n, cols := 1, b.B.N-col
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
		s, lds, bias := zeros, 0, zeroBias
		if b.Add != nil {
			s, lds = &b.Add[from*b.LDAdd+col], b.LDAdd
		}
		if b.Bias != nil {
			bias = &b.Bias[col]
		}
		bs := b.B.K * nr
		switch {
		case n > 1:
		case t == first:
			bs = fetchAhead
		default:
			bs = 0
		}
		f(b.k, &a[0], rs, cs, &b.B.data[(j*b.B.K+b.lo)*nr], bs,
			s, lds, ids, bias, &b.C[i*b.LDC+col], b.LDC, min(n*nr, cols), int(b.Act))
		j += n
	}
}
