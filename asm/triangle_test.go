package asm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// triangleSlots lists the triangles, and the transpose beside them.
func triangleSlots[T Float](k *Kernels[T]) []slot[T] {
	// Operands are the triangle in MR columns, the panel and C. k = 1 divides.
	operands := func(sh shape, panel access) []operand {
		return []operand{
			{rows: sh.m, cols: k.MR, ld: k.MR, fill: signed},
			{rows: sh.m, cols: k.NR, ld: k.NR, access: panel, aligned: true, fill: normal},
			{rows: sh.m, cols: sh.n, ld: sh.n + sh.gap, access: inOut, fill: normal},
		}
	}
	return []slot[T]{
		{
			name: prefix[T]() + "Trsm", field: "Trsm",
			shapes:   triangleShapes(k.MR, k.NR, 2),
			operands: func(sh shape) []operand { return operands(sh, out) },
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.Trsm(sh.m, first(x[0]), first(x[1]), first(x[2]), sh.n+sh.gap, sh.n, sh.k == 1)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				c, p := make([]expect, sh.m*sh.n), make([]expect, sh.m*k.NR)
				for i := range sh.m {
					t := x[0][i*k.MR:][:i+1]
					for j := range sh.n {
						sum := pair{hi: float64(x[2][i*(sh.n+sh.gap)+j])}
						magnitude, carried := math.Abs(sum.hi), 0.0
						for s, v := range t[:i] {
							row := c[s*sh.n+j]
							sum = sum.add(-float64(v), row.value)
							magnitude += math.Abs(float64(v) * row.value)
							carried += math.Abs(float64(v)) * row.tolerance
						}
						factor := float64(t[i])
						if sh.k == 1 {
							factor = 1 / factor
						}
						// Two roundings a step, those of the last operation, and the oracle's.
						e := expect{value: sum.hi * factor}
						e.tolerance = 1.01*math.Abs(factor)*(carried+float64(2*i+4)*rounding[T]()*(magnitude+carried)) + least[T]()
						c[i*sh.n+j] = e
						p[i*k.NR+j] = expect{-e.value, e.tolerance}
					}
				}
				return [][]expect{nil, p, c}, nil
			},
		},
		{
			name: prefix[T]() + "Trmm", field: "Trmm",
			shapes:   triangleShapes(k.MR, k.NR, 1),
			operands: func(sh shape) []operand { return operands(sh, in) },
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.Trmm(sh.m, first(x[0]), first(x[1]), first(x[2]), sh.n+sh.gap, sh.n)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				c := make([]expect, sh.m*sh.n)
				for i := range sh.m {
					for j := range sh.n {
						sum := pair{hi: float64(x[2][i*(sh.n+sh.gap)+j])}
						magnitude := math.Abs(sum.hi)
						for s, v := range x[0][i*k.MR:][:i+1] {
							sum = sum.add(float64(v), float64(x[1][s*k.NR+j]))
							magnitude += math.Abs(float64(v) * float64(x[1][s*k.NR+j]))
						}
						c[i*sh.n+j] = expect{sum.hi, 1.01*float64(2*i+2)*rounding[T]()*magnitude + least[T]()}
					}
				}
				return [][]expect{nil, nil, c}, nil
			},
		},
		{
			name: prefix[T]() + "Transpose", field: "Transpose",
			shapes: transposeShapes(),
			operands: func(sh shape) []operand {
				return []operand{
					{rows: sh.n, cols: sh.m, ld: sh.m + sh.gap, access: out},
					{rows: sh.m, cols: sh.n, ld: sh.n + 2*sh.gap, fill: normal},
				}
			},
			call: func(sh shape, x [][]T, _ *[2]T) {
				k.Transpose(sh.m, sh.n, first(x[0]), sh.m+sh.gap, first(x[1]), sh.n+2*sh.gap)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				dst := make([]expect, 0, sh.m*sh.n)
				for j := range sh.n {
					for i := range sh.m {
						dst = append(dst, exactly(x[1][i*(sh.n+2*sh.gap)+j]))
					}
				}
				return [][]expect{dst, nil}, nil
			},
		},
	}
}

func triangleShapes(mr, nr, forms int) (sh []shape) {
	for m := 1; m <= mr; m++ {
		for n := 1; n <= nr; n++ {
			sh = append(sh, shape{m: m, n: n, k: (m + n) % forms, gap: (m + n) % 3 * 3})
		}
	}
	return sh
}

func transposeShapes() (sh []shape) {
	for m := range 19 {
		for n := range 19 {
			sh = append(sh, shape{m: m, n: n, gap: (m + n) % 3 * 5})
		}
	}
	return append(sh, shape{m: 33, n: 70, gap: 1})
}

// TestTrianglesAreChains holds triangles to their scalar chains, so that Sets whose
// triangles have other sizes agree. C goes up or down in memory.
func TestTrianglesAreChains(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		testTrianglesAreChains[float32](t, s)
		testTrianglesAreChains[float64](t, s)
	})
}

func testTrianglesAreChains[T Float](t *testing.T, s *Set) {
	k := of[T](s)
	r := rand.New(rand.NewPCG(11, 12))
	trsm, trmm := triangleSlots(k)[0], triangleSlots(k)[1]
	for i, sh := range append(triangleShapes(k.MR, k.NR, 2), triangleShapes(k.MR, k.NR, 1)...) {
		fill := normal
		if i%2 == 0 {
			fill = roughOf[T]()
		}
		x := laid[T](trmm.operands(sh), r, fill)
		ld := sh.n + sh.gap
		at := func(i, j int) int { return i*ld + j } // in C
		up := i%3 == 0
		if up {
			at = func(i, j int) int { return (sh.m-1-i)*ld + j }
		}
		solved, product := cloneAll(x), cloneAll(x)
		for i := range sh.m {
			for j := range sh.n {
				sum := &solved[2][at(i, j)]
				for s1 := range i {
					*sum = multiplyAdd(s, -x[0][i*k.MR+s1], solved[2][at(s1, j)], *sum)
				}
				if d := x[0][i*k.MR+i]; sh.k == 1 {
					*sum /= d
				} else {
					*sum *= d
				}
				solved[1][i*k.NR+j] = -*sum
				for s1 := range i + 1 {
					product[2][at(i, j)] = multiplyAdd(s, x[0][i*k.MR+s1], x[1][s1*k.NR+j], product[2][at(i, j)])
				}
			}
		}
		got := cloneAll(x)
		if up {
			k.Trmm(sh.m, first(x[0]), first(got[1]), &got[2][at(0, 0)], -ld, sh.n)
		} else {
			trmm.call(sh, got, nil)
		}
		for i, want := range product[2] {
			if !sameValue(got[2][i], want) {
				t.Fatalf("Trmm of %T, %v: element %d is %x, the chain %x", want, sh, i, got[2][i], want)
			}
		}
		got = cloneAll(x)
		if up {
			k.Trsm(sh.m, first(x[0]), first(got[1]), &got[2][at(0, 0)], -ld, sh.n, sh.k == 1)
		} else {
			trsm.call(sh, got, nil)
		}
		for i, want := range solved[2] {
			if !sameValue(got[2][i], want) {
				t.Fatalf("Trsm of %T, %v: element %d is %x, the chain %x", want, sh, i, got[2][i], want)
			}
		}
		for i, want := range solved[1] {
			if i%k.NR < sh.n && !sameValue(got[1][i], want) {
				t.Fatalf("Trsm of %T, %v: element %d of the panel is %x, want %x", want, sh, i, got[1][i], want)
			}
		}
	}
}

// TestNegativeStrides: tiles and Pack give the same where A, S and C lie the other way
// round in memory.
func TestNegativeStrides(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		testNegativeStrides[float32](t, s)
		testNegativeStrides[float64](t, s)
	})
}

func testNegativeStrides[T Float](t *testing.T, s *Set) {
	const k = 9
	set := of[T](s)
	r := rand.New(rand.NewPCG(13, 14))
	for _, tile := range tiles[T](s) {
		if tile.plain != nil {
			continue
		}
		for _, transA := range []bool{false, true} {
			sh := shape{n: tile.cols, k: k, gap: 3, tile: tile.shape()}
			sh.tile.start, sh.tile.transA = matrix, transA
			x := laid[T](tileOperands(set.NR, sh), r, normal)
			callTile(tile, set.NR, sh, x)

			a, start, c := backward(x[1]), make([]T, len(x[3])), make([]T, len(x[0]))
			top, last := sh.tile.rows-1, len(a)-1
			for i := range sh.tile.rows {
				copy(start[(top-i)*sh.lds():], x[3][i*sh.lds():][:sh.n])
			}
			rs, cs := -sh.lda(), -1
			if transA {
				rs, cs = cs, rs
			}
			_, noBias := standIns[T]()
			tile.f(k, &a[last], rs, cs, first(x[2]), panelStride(set.NR, sh), &start[top*sh.lds()], -sh.lds(),
				&inOrder[0], noBias, &c[top*sh.ldc()], -sh.ldc(), sh.n, 0)
			for i := range sh.tile.rows {
				for j := range sh.n {
					if got, want := c[(top-i)*sh.ldc()+j], x[0][i*sh.ldc()+j]; !sameBits(got, want) {
						t.Fatalf("%s of %T: row %d, column %d is %x, want %x", tile.name, want, i, j, got, want)
					}
				}
			}
		}
	}
	src, got, want := make([]T, k*set.NR), make([]T, k*set.NR), make([]T, k*set.NR)
	for i := range src {
		src[i] = T(normal(r))
	}
	n := set.NR - 1
	set.Pack(k, n, &got[0], &src[(k-1)*set.NR], -set.NR)
	for p := range k {
		copy(want[p*set.NR:][:n], src[(k-1-p)*set.NR:])
	}
	for i := range want {
		if !sameBits(got[i], want[i]) {
			t.Fatalf("Pack of %T: element %d is %x, want %x", want[i], i, got[i], want[i])
		}
	}
}

// backward returns x from its last element to its first.
func backward[T Float](x []T) []T {
	y := make([]T, len(x))
	for i, v := range x {
		y[len(x)-1-i] = v
	}
	return y
}
