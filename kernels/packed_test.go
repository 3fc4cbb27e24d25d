package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// layOut is the model of a packed matrix: panel after panel, in each row after
// row of nr columns, at(i, j) where there is a column and zero where not.
func layOut(k, n, nr int, at func(i, j int) float32) []float32 {
	x := []float32{}
	for panel := 0; panel < n; panel += nr {
		for i := range k {
			for j := panel; j < panel+nr; j++ {
				if j < n {
					x = append(x, at(i, j))
				} else {
					x = append(x, 0)
				}
			}
		}
	}
	return x
}

// packings are sizes about the width of a panel and the depth of one call into
// assembly.
func packings(e *Engine) (sizes [][2]int) {
	nr := e.set.NR
	for _, n := range []int{1, nr - 1, nr, nr + 1, 3*nr - 1, 4*nr + 3} {
		for _, k := range []int{1, 2, 17} {
			sizes = append(sizes, [2]int{k, n})
		}
	}
	for _, k := range []int{packDepth - 1, packDepth, packDepth + 1, 2*packDepth + 3} {
		sizes = append(sizes, [2]int{k, nr + 1})
	}
	return sizes
}

func checkPacked(t *testing.T, what string, w *Packed, want []float32) {
	t.Helper()
	if len(w.data) != len(want) {
		t.Fatalf("%s: %d floats, want %d", what, len(w.data), len(want))
	}
	if i := firstDifference(w.data, want); i >= 0 {
		t.Errorf("%s: element %d is %g, want %g", what, i, w.data[i], want[i])
	}
	if uintptr(unsafe.Pointer(&w.data[0]))%64 != 0 {
		t.Errorf("%s: begins at %p, not on a cache line", what, &w.data[0])
	}
}

// TestPack packs over what another matrix has left, so that zeros beyond the
// edge have to be written.
func TestPack(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(21, 22))
		for _, size := range packings(e) {
			k, n := size[0], size[1]
			w := e.NewPacked(k, n)
			checkPacked(t, fmt.Sprintf("new %dx%d", k, n), w, layOut(k, n, w.nr, func(int, int) float32 { return 0 }))
			if got := e.PackedBytes(k, n); got != int64(len(w.data))*4 {
				t.Errorf("PackedBytes(%d, %d) is %d, %d are held", k, n, got, len(w.data)*4)
			}

			for _, gap := range []int{0, 3} {
				for i := range w.data {
					w.data[i] = canary
				}
				b, ldb := randoms(r, span(k, n, n+gap)), n+gap
				e.Pack(w, false, b, ldb)
				checkPacked(t, fmt.Sprintf("%dx%d", k, n), w, layOut(k, n, w.nr, func(i, j int) float32 { return b[i*ldb+j] }))

				for i := range w.data {
					w.data[i] = canary
				}
				b, ldb = randoms(r, span(n, k, k+gap)), k+gap
				e.Pack(w, true, b, ldb)
				checkPacked(t, fmt.Sprintf("%dx%d transposed", k, n), w, layOut(k, n, w.nr, func(i, j int) float32 { return b[j*ldb+i] }))
			}
		}
	})
}

// TestPackPanels packs each span of panels into canaries and finds the rest
// untouched.
func TestPackPanels(t *testing.T) {
	const k = 19
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(23, 24))
		n := 3*e.set.NR + 1
		b := randoms(r, k*n)
		for _, trans := range []bool{false, true} {
			whole := e.NewPacked(k, n)
			ldb := n
			if trans {
				ldb = k
			}
			e.Pack(whole, trans, b, ldb)
			for lo := range whole.Panels() + 1 {
				for hi := lo; hi <= whole.Panels(); hi++ {
					w := e.NewPacked(k, n)
					want := filled(len(w.data), canary)
					copy(w.data, want)
					stride := k * w.nr
					copy(want[lo*stride:hi*stride], whole.data[lo*stride:])
					e.PackPanels(w, trans, b, ldb, Span{lo, hi})
					checkPacked(t, fmt.Sprintf("panels [%d,%d)", lo, hi), w, want)
				}
			}
		}
	})
}

// TestPackRows puts a packed matrix together from rows of others.
func TestPackRows(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(25, 26))
		k, n, ldb := 23, 2*e.set.NR+3, 2*e.set.NR+9
		b := randoms(r, span(k, n, ldb))
		want := layOut(k, n, e.set.NR, func(i, j int) float32 { return b[i*ldb+j] })
		for _, cut := range []int{0, 1, 11, k} {
			w := e.NewPacked(k, n)
			for i := range w.data {
				w.data[i] = canary
			}
			e.PackRows(w, Span{cut, k}, b[min(cut*ldb, len(b)):], ldb)
			e.PackRows(w, Span{0, cut}, b, ldb)
			checkPacked(t, fmt.Sprintf("rows cut at %d", cut), w, want)
		}
	})
}

// TestAt reads every element of a packed matrix, and none outside it.
func TestAt(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		k, n := 3, 2*e.set.NR+1
		b := randoms(rand.New(rand.NewPCG(29, 30)), k*n)
		w := e.NewPacked(k, n)
		e.Pack(w, false, b, n)
		for i := range k {
			for j := range n {
				if got := w.At(i, j); !sameBits(got, b[i*n+j]) {
					t.Errorf("At(%d, %d) is %g, want %g", i, j, got, b[i*n+j])
				}
			}
		}
		for _, at := range [][2]int{{-1, 0}, {0, -1}, {k, 0}, {0, n}} {
			mustPanicWith(t, fmt.Sprintf("At(%d, %d)", at[0], at[1]), func() { w.At(at[0], at[1]) })
		}
	})
}

// TestPart uses the memory of some rows of a packed matrix for one of fewer rows.
func TestPart(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		r := rand.New(rand.NewPCG(27, 28))
		n := 2*e.set.NR + 1
		w := e.NewPacked(40, n)
		for _, rows := range []Span{{0, 1}, {0, 7}, {5, 12}, {39, 40}, {0, 40}} {
			for i := range w.data {
				w.data[i] = canary
			}
			var part Packed
			k := rows.Len()
			b := randoms(r, k*n)
			w.Part(&part, rows)
			from := rows.Lo * w.Panels() * w.nr
			if part.K != k || part.N != n || &part.data[0] != &w.data[from] {
				t.Fatalf("Part(%v) is %d×%d, elsewhere: %t", rows, part.K, part.N, &part.data[0] != &w.data[from])
			}
			e.Pack(&part, false, b, n)
			want := layOut(k, n, w.nr, func(i, j int) float32 { return b[i*n+j] })
			if !slices.EqualFunc(part.data, want, sameBits) {
				t.Errorf("rows %v hold other elements than were packed", rows)
			}
			for i, v := range w.data {
				if (i < from || i >= from+len(want)) && !sameBits(v, canary) {
					t.Fatalf("packing rows %v wrote element %d beside them", rows, i)
				}
			}
		}
	})
}

// TestColumns covers the columns of a matrix once by its panels.
func TestColumns(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		for _, n := range widths() {
			w := e.NewPacked(1, n)
			next := 0
			for j := range w.Panels() {
				c := w.Columns(Span{j, j + 1})
				if c.Lo != next || c.Len() < 1 || c.Len() > e.set.NR {
					t.Errorf("panel %d of %d columns covers %v", j, n, c)
				}
				next = c.Hi
			}
			if next != n || w.Columns(w.All()) != (Span{0, n}) {
				t.Errorf("the panels of %d columns end at %d, all cover %v", n, next, w.Columns(w.All()))
			}
		}
	})
}
