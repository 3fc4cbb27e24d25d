package kernels

import (
	"fmt"
	"runtime"
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
	if p.gathers() {
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
func (p *Product) gathers() bool {
	return p.TransA || p.LDA%(aliasBytes/4) == 0 && p.M > 1 || p.B.int8
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
	if p.TransA && p.B != nil && p.B.int8 {
		panic("kernels: " + op + ": A is transposed, and B is of int8, which takes rows of A: transpose A before")
	}
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
	if p.B.int8 {
		w.gemmInt8(p, panels)
		return
	}
	k, depth := p.B.K, maxDepth
	if p.M < w.set.MR && w.set.Gemm[p.M].Panels[2] != nil {
		depth /= 2
	}
	gather := p.gathers()
	if gather {
		depth = w.set.KC
	}
	var b block[float32] // field by field: to copy a literal costs 5 % of a step of H = 32
	b.m, b.a, b.lda, b.transA = p.M, p.A, p.LDA, p.TransA
	b.add, b.ldadd, b.addRows, b.bias = p.Add, p.LDAdd, p.AddRows, p.Bias
	b.c, b.ldc, b.act = p.C, p.LDC, p.Act
	b.family, b.b, b.depth, b.n, b.k = &w.set.Family, p.B.data, k, p.B.N, k
	b.gather, b.noLow = gather, k*panels.Len()*w.set.NR > nearPanels
	w.single.layRows(&b)
	if k <= depth {
		w.single.block(&b, panels)
		return
	}
	blocks := (k + depth - 1) / depth
	for i := range blocks {
		b.lo = k * i / blocks
		b.k, b.act = k*(i+1)/blocks-b.lo, Identity
		if i > 0 {
			b.add, b.ldadd, b.addRows, b.bias = p.C, p.LDC, nil, nil
		}
		if i == blocks-1 {
			b.act = p.Act
		}
		w.single.block(&b, panels)
	}
}
