package asm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// triangleSlots lists the triangles, and the transpose beside them.
func triangleSlots[T Float](k *Kernels[T]) []slot[T] {
	// Operands are rows of the triangle, their diagonal, the panel and C. An odd gap
	// divides. The triangle is transposed if gap/2 is odd.
	operands := func(sh shape, panel, c access) []operand {
		a := operand{rows: sh.m, cols: sh.k + sh.m, ld: sh.k + sh.m + sh.gap, fill: signed}
		if sh.crosswise() {
			a = operand{rows: a.cols, cols: a.rows, ld: sh.m + sh.gap, fill: signed}
		}
		return []operand{
			a,
			vector(sh.m, in, signed),
			{rows: sh.k + sh.m, cols: k.NR, ld: k.NR, access: panel, aligned: true, fill: normal},
			{rows: sh.m, cols: sh.n, ld: sh.n + sh.gap, access: c, fill: normal},
		}
	}
	return []slot[T]{
		{
			name: prefix[T]() + "Trsm", field: "Trsm",
			shapes:   triangleShapes(k.MR, k.NR),
			operands: func(sh shape) []operand { return operands(sh, inOut, inOut) },
			call: func(sh shape, x [][]T, _ *[2]T) {
				rs, cs := sh.triangleStrides()
				k.Trsm(sh.m, sh.k, first(x[0]), rs, cs, first(x[1]), first(x[2]), first(x[3]), sh.n+sh.gap, sh.n, sh.gap%2 == 1)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				c, p := make([]expect, sh.m*sh.n), make([]expect, (sh.k+sh.m)*k.NR)
				for i, v := range x[2] {
					p[i] = exactly(v)
					if i/k.NR >= sh.k { // beyond n any numbers
						p[i] = expect{0, math.Inf(1)}
					}
				}
				for i := range sh.m {
					t := triangleRow(sh, x, i)
					for j := range sh.n {
						sum := pair{hi: float64(x[3][i*(sh.n+sh.gap)+j])}
						magnitude, carried := math.Abs(sum.hi), 0.0
						for s, v := range t[:sh.k+i] {
							before := p[s*k.NR+j]
							sum = sum.add(float64(v), before.value)
							magnitude += math.Abs(float64(v) * before.value)
							carried += math.Abs(float64(v)) * before.tolerance
						}
						factor := float64(t[sh.k+i])
						if sh.gap%2 == 1 {
							factor = 1 / factor
						}
						// Two roundings a step, those of the last operation, and the oracle's.
						e := expect{value: sum.hi * factor}
						e.tolerance = 1.01*math.Abs(factor)*(carried+float64(2*(sh.k+i)+4)*rounding[T]()*(magnitude+carried)) + least[T]()
						c[i*sh.n+j] = e
						p[(sh.k+i)*k.NR+j] = expect{-e.value, e.tolerance}
					}
				}
				return [][]expect{nil, nil, p, c}, nil
			},
		},
		{
			name: prefix[T]() + "Trmm", field: "Trmm",
			shapes:   triangleShapes(k.MR, k.NR),
			operands: func(sh shape) []operand { return operands(sh, in, out) },
			call: func(sh shape, x [][]T, _ *[2]T) {
				rs, cs := sh.triangleStrides()
				k.Trmm(sh.m, sh.k, first(x[0]), rs, cs, first(x[1]), first(x[2]), first(x[3]), sh.n+sh.gap, sh.n)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				c := make([]expect, sh.m*sh.n)
				for i := range sh.m {
					for j := range sh.n {
						sum, magnitude := pair{}, 0.0
						for s, v := range triangleRow(sh, x, i) {
							sum = sum.add(float64(v), float64(x[2][s*k.NR+j]))
							magnitude += math.Abs(float64(v) * float64(x[2][s*k.NR+j]))
						}
						c[i*sh.n+j] = expect{sum.hi, 1.01*float64(2*(sh.k+i)+2)*rounding[T]()*magnitude + least[T]()}
					}
				}
				return [][]expect{nil, nil, nil, c}, nil
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
				k.Transpose(sh.m, sh.n, alpha, first(x[0]), sh.m+sh.gap, first(x[1]), sh.n+2*sh.gap)
			},
			want: func(sh shape, x [][]T) ([][]expect, []expect) {
				dst := make([]expect, 0, sh.m*sh.n)
				for j := range sh.n {
					for i := range sh.m {
						dst = append(dst, exactly(alpha*x[1][i*(sh.n+2*sh.gap)+j]))
					}
				}
				return [][]expect{dst, nil}, nil
			},
		},
	}
}

func triangleShapes(mr, nr int) (sh []shape) {
	for m := 1; m <= mr; m++ {
		for n := 1; n <= nr; n++ {
			sh = append(sh, shape{m: m, n: n, k: []int{0, 1, 2, 7, 13}[(2*m+n)%5], gap: (m + n) % 4})
		}
	}
	return sh
}

// crosswise says whether rows of the triangle lie across memory.
func (sh shape) crosswise() bool { return sh.gap/2%2 == 1 }

// triangleStrides returns the row and the column stride of the triangle.
func (sh shape) triangleStrides() (rs, cs int) {
	if sh.crosswise() {
		return 1, sh.m + sh.gap
	}
	return sh.k + sh.m + sh.gap, 1
}

// triangleRow returns row i of the triangle, with its diagonal.
func triangleRow[T Float](sh shape, x [][]T, i int) (row []T) {
	rs, cs := sh.triangleStrides()
	for s := range sh.k + i {
		row = append(row, x[0][i*rs+s*cs])
	}
	return append(row, x[1][i])
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
// triangles have other sizes agree. Matrices go up or down in memory. Of A nothing but the
// part before the diagonal is read.
func TestTrianglesAreChains(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		testTrianglesAreChains[float32](t, s)
		testTrianglesAreChains[float64](t, s)
	})
}

func testTrianglesAreChains[T Float](t *testing.T, s *Set) {
	k := of[T](s)
	r := rand.New(rand.NewPCG(11, 12))
	for i, sh := range triangleShapes(k.MR, k.NR) {
		fill := normal
		if i%2 == 0 {
			fill = roughOf[T]()
		}
		x := laid[T](triangleSlots(k)[0].operands(sh), r, fill)
		rs, cs := sh.triangleStrides()
		for i := range sh.m {
			for s := i; s < sh.m; s++ {
				x[0][i*rs+(sh.k+s)*cs] = T(math.NaN())
			}
		}
		ldc := sh.n + sh.gap
		solved, product := cloneAll(x), cloneAll(x)
		for i := range sh.m {
			t := triangleRow(sh, x, i)
			for j := range sh.n {
				sum := solved[3][i*ldc+j]
				for p, v := range t[:sh.k+i] {
					sum = multiplyAdd(s, v, solved[2][p*k.NR+j], sum)
				}
				if d := t[sh.k+i]; sh.gap%2 == 1 {
					sum /= d
				} else {
					sum *= d
				}
				solved[3][i*ldc+j], solved[2][(sh.k+i)*k.NR+j] = sum, -sum
				sum = 0
				for p, v := range t {
					sum = multiplyAdd(s, v, x[2][p*k.NR+j], sum)
				}
				product[3][i*ldc+j] = sum
			}
		}
		if i%3 == 0 { // the last rows and columns come first
			x[0], x[3] = backward(x[0]), backwardRows(x[3], sh.m, sh.n, ldc)
			solved[3], product[3] = backwardRows(solved[3], sh.m, sh.n, ldc), backwardRows(product[3], sh.m, sh.n, ldc)
		}
		check := func(name string, call func(a *T, rs, cs int, d, p, c *T, ldc int), want [][]T) {
			got := cloneAll(x)
			if i%3 == 0 {
				call(&got[0][len(got[0])-1], -rs, -cs, &got[1][0], &got[2][0], &got[3][(sh.m-1)*ldc], -ldc)
			} else {
				call(&got[0][0], rs, cs, &got[1][0], &got[2][0], &got[3][0], ldc)
			}
			for q := range want[2:] {
				for i, v := range want[2+q] {
					if (q == 1 || i%k.NR < sh.n) && !sameValue(got[2+q][i], v) {
						t.Fatalf("%s of %T, %v: element %d of operand %d is %x, the chain %x", name, v, sh, i, 2+q, got[2+q][i], v)
					}
				}
			}
		}
		check("Trsm", func(a *T, rs, cs int, d, p, c *T, ldc int) {
			k.Trsm(sh.m, sh.k, a, rs, cs, d, p, c, ldc, sh.n, sh.gap%2 == 1)
		}, solved)
		// The result in the panel itself, whose rows are C.
		check("Trsm in place", func(a *T, rs, cs int, d, p, c *T, ldc int) {
			for i := range sh.m {
				copy(row(p, (sh.k+i)*k.NR, sh.n), row(c, i*ldc, sh.n))
			}
			k.Trsm(sh.m, sh.k, a, rs, cs, d, p, &row(p, sh.k*k.NR, 1)[0], k.NR, sh.n, sh.gap%2 == 1)
		}, solved[:3])
		check("Trmm", func(a *T, rs, cs int, d, p, c *T, ldc int) {
			k.Trmm(sh.m, sh.k, a, rs, cs, d, p, c, ldc, sh.n)
		}, product)
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

			a, start, c := backward(x[1]), backwardRows(x[3], sh.tile.rows, sh.n, sh.lds()), make([]T, len(x[0]))
			top, last := sh.tile.rows-1, len(a)-1
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

// backwardRows returns a matrix of m×n from its last row to its first.
func backwardRows[T Float](x []T, m, n, ld int) []T {
	y := make([]T, len(x))
	for i := range m {
		copy(y[(m-1-i)*ld:][:n], x[i*ld:])
	}
	return y
}
