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
type namedTile struct {
	name               string // rows x columns
	rows, cols, panels int
	f                  Tile
	plain              PlainTile // in the place of f
}

// shape returns that of a call.
func (t namedTile) shape() tileShape {
	return tileShape{rows: t.rows, panels: t.panels, plain: t.plain != nil}
}

func tiles(s *Set) (list []namedTile) {
	add := func(rows, cols, panels int, f Tile) {
		if f != nil {
			list = append(list, namedTile{fmt.Sprintf("%dx%d", rows, cols), rows, cols, panels, f, nil})
		}
	}
	for rows, t := range s.Sgemm {
		add(rows, s.NR/2, 1, t.Half)
		for panels, f := range t.Panels {
			add(rows, panels*s.NR, panels, f)
		}
		if t.Plain != nil {
			list = append(list, namedTile{fmt.Sprintf("plain%dx%d", rows, s.NR), rows, s.NR, 1, nil, t.Plain})
		}
	}
	return list
}

func tileSlots(s *Set) (list []slot) {
	for _, t := range tiles(s) {
		list = append(list, slot{
			name: "Sgemm/" + t.name, field: "Sgemm",
			shapes:   tileShapes(t),
			operands: func(sh shape) []operand { return tileOperands(s, sh) },
			call:     func(sh shape, x [][]float32, _ *[2]float32) { callTile(t, s, sh, x) },
			want:     func(sh shape, x [][]float32) ([][]expect, []expect) { return wantTile(s, sh, x) },
		})
	}
	return list
}

// tileShapes takes every width with every depth and deals the layouts, start
// values and activations out among them.
func tileShapes(t namedTile) (list []shape) {
	deal := rand.New(rand.NewPCG(uint64(t.rows), uint64(t.cols)))
	for _, n := range widths(t) {
		for _, k := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 64, 130} {
			for range max(1, 36/len(widths(t))) {
				sh := shape{n: n, k: k, gap: deal.IntN(4) * 3, tile: t.shape()}
				sh.tile.transA, sh.tile.start, sh.tile.act = deal.IntN(2) == 0, start(deal.IntN(4)), Act(deal.IntN(5))
				list = append(list, sh)
			}
		}
	}
	return list
}

// widths lists the numbers of columns that a tile is called with: any within
// one panel, but several panels at once are always full, and so is a plain one.
func widths(t namedTile) (n []int) {
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
func panelStride(s *Set, sh shape) int {
	bs := sh.k * s.NR
	if sh.gap > 0 {
		bs += 16
	}
	return bs
}

// The operands of a tile are C, A, B, S and a bias; S is missing if it is C, and
// the bias stands alone or beside a table. B has all panels, whatever part of
// them n leaves, as a packed matrix has. Where it is plain, the panel that it becomes is
// the last operand.
func tileOperands(s *Set, sh shape) []operand {
	ops := tileReads(s, sh)
	if sh.tile.plain {
		ops[2] = operand{rows: sh.k, cols: sh.n, ld: sh.ldb(), fill: normal}
		panel := vector(sh.k*s.NR, out, nil)
		panel.aligned = true
		ops = append(ops, panel)
	}
	return ops
}

func tileReads(s *Set, sh shape) []operand {
	t := sh.tile
	c := operand{rows: t.rows, cols: sh.n, ld: sh.ldc(), access: out}
	a := operand{rows: t.rows, cols: sh.k, ld: sh.lda(), fill: normal}
	if t.transA {
		a.rows, a.cols = a.cols, a.rows
	}
	b := operand{rows: t.panels, cols: sh.k * s.NR, ld: panelStride(s, sh), aligned: true, fill: normal}
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

func callTile(t namedTile, s *Set, sh shape, x [][]float32) {
	rs, cs := sh.lda(), 1
	if sh.tile.transA {
		rs, cs = cs, rs
	}
	ids, add, start := &inOrder[0], &noBias[0], first(x[0])
	switch sh.tile.start {
	case matrix:
		start = first(x[3])
	case table:
		start, ids, add = first(x[3]), &tableRows[0], first(x[4])
	case bias:
		start, add = &zeros[0], first(x[3])
	}
	if t.plain != nil {
		t.plain(sh.k, first(x[1]), rs, cs, first(x[2]), sh.ldb(), first(x[len(x)-1]), start, sh.lds(), ids, add, first(x[0]), sh.ldc(), sh.tile.act)
		return
	}
	t.f(sh.k, first(x[1]), rs, cs, first(x[2]), panelStride(s, sh), start, sh.lds(), ids, add, first(x[0]), sh.ldc(), sh.n, sh.tile.act)
}

// What takes the place of start values that a tile does without.
var (
	zeros, noBias []float32
	inOrder       [MaxRows]int32
)

func init() {
	for _, s := range Sets() {
		zeros = make([]float32, max(len(zeros), MaxPanels*s.NR))
	}
	noBias = slices.Clone(zeros)
	for i := range noBias {
		noBias[i] = float32(math.Copysign(0, -1))
	}
	for i := range inOrder {
		inOrder[i] = int32(i)
	}
}

// startOf returns the start values of a tile as a matrix and its stride.
func startOf(sh shape, x [][]float32) (s []float32, lds int) {
	switch sh.tile.start {
	case inPlace:
		return x[0], sh.ldc()
	case table:
		s = make([]float32, sh.tile.rows*sh.n)
		for i := range sh.tile.rows {
			for j := range sh.n {
				s[i*sh.n+j] = x[3][int(tableRows[i])*sh.lds()+j] + x[4][j]
			}
		}
		return s, sh.n
	case bias:
		s = make([]float32, sh.n)
		for j, b := range x[3] {
			s[j] = 0 + b // of -0 too
		}
		return s, 0
	}
	return x[3], sh.lds()
}

// unpackB returns the panels of a tile as a k×n matrix.
func unpackB(s *Set, sh shape, panels []float32) []float32 {
	b := make([]float32, sh.k*sh.n)
	for p := range sh.k {
		for j := range sh.n {
			if sh.tile.plain {
				b[p*sh.n+j] = panels[p*sh.ldb()+j]
				continue
			}
			b[p*sh.n+j] = panels[j/s.NR*panelStride(s, sh)+p*s.NR+j%s.NR]
		}
	}
	return b
}

var oracles = []func(float64) float64{0: ref.Identity, Identity: ref.Identity, ReLU: ref.ReLU, Tanh: ref.Tanh, Sigmoid: ref.Sigmoid}

func wantTile(s *Set, sh shape, x [][]float32) ([][]expect, []expect) {
	s0, lds := startOf(sh, x)
	sums, magnitude := ref.Gemm(sh.tile.transA, false, sh.tile.rows, sh.n, sh.k,
		x[1], sh.lda(), unpackB(s, sh, x[2]), sh.n, s0, lds, oracles[sh.tile.act])
	c := make([]expect, len(sums))
	for i, v := range sums {
		// Two roundings a step, the slope of no activation above 1, and the
		// activation's own 2 ULP.
		c[i] = expect{v, float64(2*sh.k)*eps*magnitude[i] + slack}
		if act := sh.tile.act; act == Tanh || act == Sigmoid {
			c[i].tolerance += 2 * ref.ULP(v)
		}
	}
	written := make([][]expect, len(x))
	written[0] = c
	if sh.tile.plain {
		panel := make([]expect, 0, sh.k*sh.n)
		for _, v := range unpackB(s, sh, x[2]) {
			panel = append(panel, exactly(v))
		}
		written[len(x)-1] = panel
	}
	return written, nil
}
