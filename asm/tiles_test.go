package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"batchrnn/kernels/ref"
)

// tileShape is the part of a shape that only GEMM tiles have.
type tileShape struct {
	rows, panels int
	transA       bool // A is stored by columns: rs = 1, cs = lda
	plain        bool // B is not packed
	start        start
	act          Act
}

// start says where a tile finds its start values.
type start int

const (
	bias    start = iota // one row for all
	matrix               // a matrix of its own
	inPlace              // C
	table                // rows of a matrix, in any order, and a bias
)

// tableRows are the rows at which the rows of a tile start in a table.
var tableRows = [MaxRows]int32{2, 0, 2, 1, 6, 5, 0, 3, 3, 4, 6, 1}

func (t tileShape) String() string {
	if t.rows == 0 {
		return ""
	}
	return fmt.Sprintf(" rows=%d panels=%d plain=%t transA=%t start=%s act=%s", t.rows, t.panels, t.plain, t.transA,
		[]string{"bias", "matrix", "inPlace", "table"}[t.start], actNames[t.act])
}

var actNames = []string{"default", Identity: "identity", ReLU: "relu", Tanh: "tanh", Sigmoid: "sigmoid"}

// A namedTile is one register tile of a Set.
type namedTile[T Float] struct {
	name               string // rows x columns
	rows, cols, panels int
	f                  Tile[T]
	plain              PlainTile[T] // in the place of f
}

// shape returns that of a call.
func (t namedTile[T]) shape() tileShape {
	return tileShape{rows: t.rows, panels: t.panels, plain: t.plain != nil}
}

func tiles[T Float](s *Set) []namedTile[T] {
	k := of[T](s)
	return tilesOf(k.NR, &k.Family)
}

// tilesOf lists the tiles of a family whose panels have nr columns.
func tilesOf[T Float](nr int, family *Family[T]) (list []namedTile[T]) {
	add := func(rows, cols, panels int, f Tile[T]) {
		if f != nil {
			list = append(list, namedTile[T]{fmt.Sprintf("%dx%d", rows, cols), rows, cols, panels, f, nil})
		}
	}
	for rows, t := range family.Gemm {
		add(rows, nr/2, 1, t.Half)
		for panels, f := range t.Panels {
			add(rows, panels*nr, panels, f)
		}
		if t.Plain != nil {
			list = append(list, namedTile[T]{fmt.Sprintf("plain%dx%d", rows, nr), rows, nr, 1, nil, t.Plain})
		}
	}
	return list
}

func tileSlots[T Float](s *Set) (list []slot[T]) {
	k := of[T](s)
	for _, t := range tiles[T](s) {
		list = append(list, slot[T]{
			name: prefix[T]() + "Gemm/" + t.name, field: "Gemm",
			shapes:   tileShapes(t),
			operands: func(sh shape) []operand { return tileOperands(k.NR, sh) },
			call:     func(sh shape, x [][]T, _ *[2]T) { callTile(t, k.NR, sh, x) },
			want:     func(sh shape, x [][]T) ([][]expect, []expect) { return wantTile(k.NR, sh, x) },
		})
	}
	return list
}

// tileShapes takes every width with every depth and deals the layouts, start
// values and activations out among them.
func tileShapes[T Float](t namedTile[T]) (list []shape) {
	deal := rand.New(rand.NewPCG(uint64(t.rows), uint64(t.cols)))
	for _, n := range widths(t) {
		for _, k := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 64, 130} {
			for range max(1, 36/len(widths(t))) {
				sh := shape{n: n, k: k, gap: deal.IntN(4) * 3, tile: t.shape()}
				sh.tile.transA = deal.IntN(2) == 0
				dealStart[T](&sh.tile, deal)
				list = append(list, sh)
			}
		}
	}
	return list
}

// dealStart deals a tile start values and an activation.
func dealStart[T Float](t *tileShape, deal *rand.Rand) {
	t.start, t.act = start(deal.IntN(4)), acts[T]()[deal.IntN(len(acts[T]()))]
}

// widths lists the numbers of columns that a tile is called with: any within
// one panel, but several panels at once are always full, and so is a plain one.
func widths[T Float](t namedTile[T]) (n []int) {
	if t.panels > 1 || t.plain != nil {
		return []int{t.cols}
	}
	for j := range t.cols {
		n = append(n, j+1)
	}
	return n
}

// The strides that follow from a shape. They differ where they can, so that a
// kernel that takes one for another is found out.
func (sh shape) ldc() int { return sh.n + sh.gap }
func (sh shape) lds() int {
	switch sh.tile.start {
	case bias:
		return 0
	case matrix, table:
		return sh.n + 2*sh.gap
	}
	return sh.ldc()
}
func (sh shape) lda() int {
	if sh.tile.transA {
		return sh.tile.rows + sh.gap
	}
	return sh.k + sh.gap
}

// ldb is the row stride of a plain B.
func (sh shape) ldb() int { return sh.n + 4*sh.gap }

// panelStride keeps panels aligned, with unused memory between them if the
// shape has gaps.
func panelStride(nr int, sh shape) int {
	bs := sh.k * nr
	if sh.gap > 0 {
		bs += 16
	}
	return bs
}

// The operands of a tile are C, A, B, S and a bias; S is missing if it is C, and
// the bias stands alone or beside a table. B has all panels, whatever part of
// them n leaves, as a packed matrix has. Where it is plain, the panel that it becomes is
// the last operand.
func tileOperands(nr int, sh shape) []operand {
	ops := tileReads(nr, sh)
	if sh.tile.plain {
		ops[2] = operand{rows: sh.k, cols: sh.n, ld: sh.ldb(), fill: normal}
		panel := vector(sh.k*nr, out, nil)
		panel.aligned = true
		ops = append(ops, panel)
	}
	return ops
}

func tileReads(nr int, sh shape) []operand {
	t := sh.tile
	c := operand{rows: t.rows, cols: sh.n, ld: sh.ldc(), access: out}
	a := operand{rows: t.rows, cols: sh.k, ld: sh.lda(), fill: normal}
	if t.transA {
		a.rows, a.cols = a.cols, a.rows
	}
	b := operand{rows: t.panels, cols: sh.k * nr, ld: panelStride(nr, sh), aligned: true, fill: normal}
	switch t.start {
	case bias:
		return []operand{c, a, b, vector(sh.n, in, normal)}
	case matrix:
		return []operand{c, a, b, {rows: t.rows, cols: sh.n, ld: sh.lds(), fill: normal}}
	case table:
		rows := int(slices.Max(tableRows[:])) + 1
		return []operand{c, a, b, {rows: rows, cols: sh.n, ld: sh.lds(), fill: normal}, vector(sh.n, in, normal)}
	}
	c.access, c.fill = inOut, normal
	return []operand{c, a, b}
}

func callTile[T Float](t namedTile[T], nr int, sh shape, x [][]T) {
	rs, cs := sh.lda(), 1
	if sh.tile.transA {
		rs, cs = cs, rs
	}
	start, ids, add := startArgs(sh, x)
	if t.plain != nil {
		t.plain(sh.k, first(x[1]), rs, cs, first(x[2]), sh.ldb(), first(x[len(x)-1]), start, sh.lds(), ids, add, first(x[0]), sh.ldc(), sh.tile.act)
		return
	}
	t.f(sh.k, first(x[1]), rs, cs, first(x[2]), panelStride(nr, sh), start, sh.lds(), ids, add, first(x[0]), sh.ldc(), sh.n, sh.tile.act)
}

// startArgs returns what a tile gets of its start values.
func startArgs[T Float](sh shape, x [][]T) (start *T, ids *int32, add *T) {
	zeros, noBias := standIns[T]()
	switch sh.tile.start {
	case matrix:
		return first(x[3]), &inOrder[0], noBias
	case table:
		return first(x[3]), &tableRows[0], first(x[4])
	case bias:
		return zeros, &inOrder[0], first(x[3])
	}
	return first(x[0]), &inOrder[0], noBias
}

// standIns are what takes the place of start values and a bias that a tile does without.
func standIns[T Float]() (zeros, noBias *T) {
	if z, ok := any(&zeros32[0]).(*T); ok {
		return z, any(&noBias32[0]).(*T)
	}
	return any(&zeros64[0]).(*T), any(&noBias64[0]).(*T)
}

const widest = MaxPanels * 32 // columns of a tile

var (
	zeros32, noBias32 [widest]float32
	zeros64, noBias64 [widest]float64
	inOrder           [MaxRows]int32
)

func init() {
	for i := range widest {
		noBias32[i], noBias64[i] = negativeZero, math.Copysign(0, -1)
	}
	for i := range inOrder {
		inOrder[i] = int32(i)
	}
}

// acts are the functions that tiles on a type of element apply.
func acts[T Float]() []Act {
	if isDouble[T]() {
		return []Act{0, Identity}
	}
	return []Act{0, Tanh, ReLU, Sigmoid, Identity}
}

// startOf returns the start values of a tile as a matrix and its stride.
func startOf[T Float](sh shape, x [][]T) (s []T, lds int) {
	switch sh.tile.start {
	case inPlace:
		return x[0], sh.ldc()
	case table:
		s = make([]T, sh.tile.rows*sh.n)
		for i := range sh.tile.rows {
			for j := range sh.n {
				s[i*sh.n+j] = x[3][int(tableRows[i])*sh.lds()+j] + x[4][j]
			}
		}
		return s, sh.n
	case bias:
		s = make([]T, sh.n)
		for j, b := range x[3] {
			s[j] = 0 + b // of -0 too
		}
		return s, 0
	}
	return x[3], sh.lds()
}

// unpackB returns the panels of a tile as a k×n matrix.
func unpackB[T Float](nr int, sh shape, panels []T) []T {
	b := make([]T, sh.k*sh.n)
	for p := range sh.k {
		for j := range sh.n {
			if sh.tile.plain {
				b[p*sh.n+j] = panels[p*sh.ldb()+j]
				continue
			}
			b[p*sh.n+j] = panels[j/nr*panelStride(nr, sh)+p*nr+j%nr]
		}
	}
	return b
}

var oracles = []func(float64) float64{0: ref.Identity, Identity: ref.Identity, ReLU: ref.ReLU, Tanh: ref.Tanh, Sigmoid: ref.Sigmoid}

func wantTile[T Float](nr int, sh shape, x [][]T) ([][]expect, []expect) {
	s0, lds := startOf(sh, x)
	b := unpackB(nr, sh, x[2])
	c := make([]expect, sh.tile.rows*sh.n)
	for i := range sh.tile.rows {
		for j := range sh.n {
			sum := pair{hi: float64(s0[i*lds+j])}
			magnitude := math.Abs(sum.hi)
			for p := range sh.k {
				a := i*sh.lda() + p
				if sh.tile.transA {
					a = p*sh.lda() + i
				}
				sum = sum.add(float64(x[1][a]), float64(b[p*sh.n+j]))
				magnitude += math.Abs(float64(x[1][a]) * float64(b[p*sh.n+j]))
			}
			// Two roundings a step, the slope of no activation above 1, and the
			// activation's own 2 ULP.
			v := oracles[sh.tile.act](sum.hi)
			e := expect{v, float64(2*sh.k)*rounding[T]()*magnitude*1.01 + least[T]()}
			if act := sh.tile.act; act == Tanh || act == Sigmoid {
				e.tolerance += 2 * ref.ULP(v)
			}
			c[i*sh.n+j] = e
		}
	}
	written := make([][]expect, len(x))
	written[0] = c
	if sh.tile.plain {
		panel := make([]expect, 0, sh.k*sh.n)
		for _, v := range unpackB(nr, sh, x[2]) {
			panel = append(panel, exactly(v))
		}
		written[len(x)-1] = panel
	}
	return written, nil
}
