package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// The tests of this file hold the kernels of int8 to what set.go says, bit for bit. So
// Sets that fuse agree, too.

// int8Slots lists the kernels of int8.
func int8Slots(s *Set) []slot[float32] {
	list := []slot[float32]{
		{
			name: "Quantise", field: "Quantise",
			shapes: vectors(0),
			operands: func(sh shape) []operand {
				return []operand{vector((sh.n+3)/4+1, out, nil), vector(sh.n, in, normal)}
			},
			call: func(sh shape, x [][]float32, _ *[2]float32) { s.Quantise(first(x[0]), x[1]) },
			want: func(sh shape, x [][]float32) ([][]expect, []expect) {
				q := encoded(s, quantised(x[1]))
				return [][]expect{bitsOf(append(q, quantisedScale(x[1]))), nil}, nil
			},
		},
		{
			name: "Dequantise", field: "Dequantise",
			shapes: vectors(0),
			operands: func(sh shape) []operand {
				return []operand{vector(sh.n, out, nil), vector((sh.n+3)/4, in, normal)}
			},
			call: func(sh shape, x [][]float32, _ *[2]float32) {
				s.Dequantise(x[0], unsafe.SliceData(lastInt8(x[1], sh.n)), alpha)
			},
			want: func(sh shape, x [][]float32) ([][]expect, []expect) {
				y := make([]expect, sh.n)
				for i, v := range lastInt8(x[1], sh.n) {
					y[i] = exactly(alpha * float32(v))
				}
				return [][]expect{y, nil}, nil
			},
		},
	}
	for _, t := range tilesOf(s.NR, &s.Int8) {
		list = append(list, slot[float32]{
			name: "Int8/" + t.name, field: "Gemm",
			shapes:   int8Shapes(t),
			operands: func(sh shape) []operand { return int8Operands(s, sh) },
			call:     func(sh shape, x [][]float32, _ *[2]float32) { callInt8(t, s.NR, sh, x) },
			want:     func(sh shape, x [][]float32) ([][]expect, []expect) { return wantInt8(s, sh, x), nil },
		})
	}
	return list
}

// bitsOf expects results to the bit, as far as values tell. TestQuantise tells NaN apart.
func bitsOf(x []float32) (y []expect) {
	for _, v := range x {
		y = append(y, exactly(v))
	}
	return y
}

// int8s returns the bytes of x.
func int8s(x []float32) []int8 { return unsafe.Slice((*int8)(unsafe.Pointer(first(x))), 4*len(x)) }

// lastInt8 returns the last n bytes of x: no memory lies behind them.
func lastInt8(x []float32, n int) []int8 { return int8s(x)[4*len(x)-n:] }

// quantised is Quantise by definition, in int8 and without padding.
func quantised(x []float32) []int8 {
	m := float32(0)
	for _, v := range x {
		m = max(m, float32(math.Abs(float64(v)))) // NaN stays
	}
	factor, _ := quantiseScale(m)
	q := make([]int8, len(x))
	for i, v := range x {
		q[i] = int8(math.RoundToEven(float64(v * factor)))
	}
	return q
}

func quantisedScale(x []float32) float32 {
	m := float32(0)
	for _, v := range x {
		m = max(m, float32(math.Abs(float64(v))))
	}
	_, scale := quantiseScale(m)
	return scale
}

// encoded returns int8 as the tiles of a Set read them, padded with zeros.
func encoded(s *Set, q []int8) []float32 {
	x := make([]float32, (len(q)+3)/4)
	zero := zeroCode(s)
	for i, to := 0, int8s(x); i < len(to); i++ {
		to[i] = zero
		if i < len(q) {
			to[i] += q[i]
		}
	}
	return x
}

// zeroCode is the code of 0 in the encoding of a Set.
func zeroCode(s *Set) int8 {
	var x [2]float32
	s.Quantise(&x[0], make([]float32, 1))
	return int8s(x[:1])[0]
}

// TestQuantise compares all bits, those that make a NaN too.
func TestQuantise(t *testing.T) {
	everySet(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(21, 22))
		for _, n := range sizes {
			for i, size := range []float32{1, 0, 1e30, 0x1p-100, 0x1p-101, math.MaxFloat32, 0x1p-149} {
				x := make([]float32, n)
				for j := range x {
					x[j] = (2*r.Float32() - 1) * size
				}
				if n > 0 {
					x[(n-1)*i/7] = size
				}
				got := make([]float32, (n+3)/4+1)
				s.Quantise(&got[0], x)
				for j, want := range append(encoded(s, quantised(x)), quantisedScale(x)) {
					if !sameBits(got[j], want) {
						t.Fatalf("%d elements up to %g: quadruple %d is %x, want %x", n, size, j, math.Float32bits(got[j]), math.Float32bits(want))
					}
				}
			}
		}
	})
}

// TestQuantiseSpecials puts special values at every place of a vector.
func TestQuantiseSpecials(t *testing.T) {
	const n = 83
	everySet(t, func(t *testing.T, s *Set) {
		for at := range n {
			for _, v := range specials {
				x := fillWith[float32](n, 0.5)
				x[at] = v
				got := make([]float32, (n+3)/4+1)
				s.Quantise(&got[0], x)
				scale := got[len(got)-1]
				if v-v != 0 {
					if scale == scale {
						t.Fatalf("%g at %d: the scale is %g, want NaN", v, at, scale)
					}
					continue
				}
				for j, want := range append(encoded(s, quantised(x)), quantisedScale(x)) {
					if !sameBits(got[j], want) {
						t.Fatalf("%g at %d: quadruple %d is %x, want %x", v, at, j, math.Float32bits(got[j]), math.Float32bits(want))
					}
				}
			}
		}
	})
}

// int8Shapes takes every width with some depths. It deals start values and activations
// out among them.
func int8Shapes(t namedTile[float32]) (list []shape) {
	deal := rand.New(rand.NewPCG(uint64(t.rows), uint64(t.cols)))
	for _, n := range widths(t) {
		for _, k := range []int{0, 1, 2, 3, 4, 5, 7, 9, 31} {
			for range max(1, 12/len(widths(t))) {
				sh := shape{n: n, k: k, gap: deal.IntN(4) * 3, tile: t.shape()}
				dealStart[float32](&sh.tile, deal)
				list = append(list, sh)
			}
		}
	}
	return append(list, shape{n: t.cols, k: 1024, tile: t.shape()})
}

// int8Stride is the distance of two panels.
func int8Stride(nr int, sh shape) int { return panelStride(nr, sh) + Int8Header*nr }

// int8Operands are those of a tile with A and B of int8. A row of A ends with its scale.
// A panel of B begins with its header.
func int8Operands(s *Set, sh shape) []operand {
	ops := tileReads(s.NR, sh)
	ops[1] = operand{rows: sh.tile.rows, cols: sh.k + 1, ld: sh.lda() + 1, encode: func(r *rand.Rand, x []float32) {
		for i := range sh.tile.rows {
			row := x[i*(sh.lda()+1):][:sh.k+1]
			copy(row, encoded(s, randomInt8(r, 4*sh.k)))
			row[sh.k] = r.Float32() / 64
		}
	}}
	ops[2] = operand{rows: sh.tile.panels, cols: (Int8Header + sh.k) * s.NR, ld: int8Stride(s.NR, sh), aligned: true, encode: func(r *rand.Rand, x []float32) {
		for j := range sh.tile.panels {
			panel := x[j*int8Stride(s.NR, sh):][:(Int8Header+sh.k)*s.NR]
			weights := int8s(panel[Int8Header*s.NR:])
			copy(weights, randomInt8(r, len(weights)))
			for col := range s.NR {
				sum, negative := int32(0), int32(0)
				for p := range sh.k {
					for _, w := range weights[4*(p*s.NR+col):][:4] {
						sum += int32(w)
						negative += int32(max(-w, 0))
					}
				}
				panel[col] = float32(r.NormFloat64()) / 64
				*(*int32)(unsafe.Pointer(&panel[s.NR+col])) = 128 * sum
				*(*int32)(unsafe.Pointer(&panel[2*s.NR+col])) = negative
			}
		}
	}}
	return ops
}

// randomInt8 returns values of a product, half of them the largest, for the greatest sums.
func randomInt8(r *rand.Rand, n int) []int8 {
	q := make([]int8, n)
	largest := r.IntN(2) == 0
	for i := range q {
		if q[i] = int8(r.IntN(2*MaxInt8+1) - MaxInt8); largest {
			q[i] = MaxInt8
			if r.IntN(8) == 0 {
				q[i] = -MaxInt8
			}
		}
	}
	return q
}

func callInt8(t namedTile[float32], nr int, sh shape, x [][]float32) {
	start, ids, add := startArgs(sh, x)
	b := (*float32)(unsafe.Add(unsafe.Pointer(first(x[2])), 4*Int8Header*nr)) // where k is 0, behind x[2]
	t.f(sh.k, first(x[1]), sh.lda()+1, 1, b, int8Stride(nr, sh), start, sh.lds(), ids, add, first(x[0]), sh.ldc(), sh.n, sh.tile.act)
}

// wantInt8 computes a tile as set.go says.
func wantInt8(s *Set, sh shape, x [][]float32) [][]expect {
	s0, lds := startOf(sh, x)
	zero := zeroCode(s)
	c := make([]float32, 0, sh.tile.rows*sh.n)
	for i := range sh.tile.rows {
		row := x[1][i*(sh.lda()+1):][:sh.k+1]
		for j := range sh.n {
			panel := x[2][j/s.NR*int8Stride(s.NR, sh):][:(Int8Header+sh.k)*s.NR]
			weights, values := int8s(panel[Int8Header*s.NR:]), int8s(row)
			sum := int32(0)
			for p := range 4 * sh.k {
				sum += int32(values[p]-zero) * int32(weights[4*(p/4*s.NR+j%s.NR)+p%4])
			}
			c = append(c, multiplyAdd(s, float32(sum), row[sh.k]*panel[j%s.NR], s0[i*lds+j]))
		}
	}
	applyAct(s, sh.tile.act, c)
	written := make([][]expect, len(x))
	written[0] = bitsOf(c)
	return written
}

// TestInt8Kernels is TestKernels for the kernels of int8.
func TestInt8Kernels(t *testing.T) {
	everySet(t, func(t *testing.T, s *Set) { testKernels(t, int8Slots(s)) })
}

// TestInt8NoAllocations is TestNoAllocations for the kernels of int8.
func TestInt8NoAllocations(t *testing.T) {
	everySet(t, func(t *testing.T, s *Set) { testNoAllocations(t, int8Slots(s)) })
}

// TestInt8Specials gives the tiles scales and start values that are special. A NaN scale
// spoils its row or its column alone.
func TestInt8Specials(t *testing.T) {
	everySet(t, func(t *testing.T, s *Set) {
		for _, tile := range tilesOf(s.NR, &s.Int8) {
			sh := shape{n: tile.cols, k: 3, tile: tile.shape()}
			sh.tile.start = matrix
			for i, v := range specials {
				for place := range 3 {
					r := rand.New(rand.NewPCG(23, uint64(i)))
					x := laid[float32](int8Operands(s, sh), r, normal)
					switch place {
					case 0:
						x[1][r.IntN(tile.rows)*(sh.lda()+1)+sh.k] = v
					case 1:
						x[2][r.IntN(tile.panels)*int8Stride(s.NR, sh)+r.IntN(s.NR)] = v
					case 2:
						x[3][r.IntN(tile.rows)*sh.lds()+r.IntN(sh.n)] = v
					}
					want := wantInt8(s, sh, x)[0]
					callInt8(tile, s.NR, sh, x)
					for j, e := range want {
						if got := x[0][j]; !sameValue(got, float32(e.value)) {
							t.Fatalf("%s, %g in operand %d: element %d is %g, want %g", tile.name, v, place+1, j, got, e.value)
						}
					}
				}
			}
		}
	})
}

// FuzzInt8 runs a kernel of int8 of every Set on operands of any size and place.
func FuzzInt8(f *testing.F) {
	f.Add(uint8(0), uint8(0), uint16(1), uint8(0), uint16(0), uint64(1))
	f.Add(uint8(1), uint8(15), uint16(64), uint8(7), uint16(0x1ff), uint64(2))
	f.Add(uint8(5), uint8(16), uint16(33), uint8(1), uint16(0x2a5), uint64(3))
	f.Add(uint8(11), uint8(30), uint16(256), uint8(0), uint16(0x35b), uint64(4))

	arenas := newArenas[float32](f, 1<<16)
	f.Fuzz(func(t *testing.T, which, cols uint8, k uint16, gap uint8, choice uint16, seed uint64) {
		for _, s := range Sets() {
			list := int8Slots(s)
			sl := list[int(which)%len(list)]
			sh := sl.shapes[int(cols)%len(sl.shapes)]
			if sl.field == "Gemm" {
				sh.k, sh.gap = int(k)%300, int(gap)%20
				sh.tile.start, sh.tile.act = start(choice%4), acts[float32]()[choice/4%5]
			} else {
				sh.n = int(k) % 2000
			}
			p := placements[int(choice/32)%len(placements)]
			if err := checkCall(sl, sh, p, arenas, rand.New(rand.NewPCG(seed, 0))); err != nil {
				t.Fatalf("%s %s, %v: %v", s.Name, sl.name, sh, err)
			}
		}
	})
}

// BenchmarkInt8Tile runs each tile over one block of A and B in L1 or L2.
func BenchmarkInt8Tile(b *testing.B) {
	for _, s := range Sets() {
		for _, tile := range tilesOf(s.NR, &s.Int8) {
			for _, k := range []int{64, 256} {
				b.Run(fmt.Sprintf("isa=%s/tile=%s/k=%d", s.Name, tile.name, 4*k), func(b *testing.B) {
					sh := shape{n: tile.cols, k: k, tile: tile.shape()}
					x := laid[float32](int8Operands(s, sh), rand.New(rand.NewPCG(15, 16)), signed)
					for i, v := range x {
						x[i] = aligned(v)
					}
					b.ReportAllocs()
					for b.Loop() {
						callInt8(tile, s.NR, sh, x)
					}
					ops := 2 * float64(tile.rows*sh.n*4*k) * float64(b.N) / b.Elapsed().Seconds()
					b.ReportMetric(ops/1e9, "GOP/s")
					b.ReportMetric(ops/peak(s.Name, &s.Kernels), "x-float32-peak")
				})
			}
		}
	}
}

// BenchmarkQuantise runs what is of int8 but no tile, on vectors in L1.
func BenchmarkQuantise(b *testing.B) {
	for _, field := range []string{"Quantise", "Dequantise"} {
		for _, s := range Sets() {
			b.Run(fmt.Sprintf("op=%s/isa=%s", field, s.Name), func(b *testing.B) {
				benchField(b, int8Slots(s), field, vectorBench(s), 5)
			})
		}
	}
}
