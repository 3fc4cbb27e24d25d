package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The tests of this file hold the promise of doc.go bit for bit: against a
// scalar emulation where it says which operations run in which order, and one
// Set against another for the rest.

// multiplyAdd returns a·b + c as s computes it: rounded once, or after each
// operation.
func multiplyAdd(s *Set, a, b, c float32) float32 {
	if fused(s) {
		return fma(a, b, c)
	}
	return float32(a*b) + c
}

// fma returns a·b + c rounded once. The product of two float32 is exact in
// float64. The sum is not, and rounding it to float64 and then to float32 could
// err where the first rounding lands between two float32: so it is rounded to
// odd instead, which keeps the second rounding right (Boldo & Melquiond 2008).
func fma(a, b, c float32) float32 {
	x, y := float64(a)*float64(b), float64(c)
	sum := x + y
	// Knuth's two-sum: sum + rest is x + y exactly.
	t := sum - x
	rest := (x - (sum - t)) + (y - t)
	if bits := math.Float64bits(sum); rest != 0 && bits&1 == 0 && !math.IsInf(sum, 0) && !math.IsNaN(rest) {
		if (rest > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return float32(sum)
}

func TestFMA(t *testing.T) {
	for _, c := range []struct{ a, b, c, want float32 }{
		{2, 3, 4, 10},
		{1 + 0x1p-23, 1 + 0x1p-23, 0, 1 + 0x1p-22},
		{1 + 0x1p-23, 1 + 0x1p-23, -1 - 0x1p-22, 0x1p-46},
		// Half a unit and a little: rounding twice would go to even, down.
		{0x1p-24, 1 + 0x1p-23, 1 + 0x1p-22, 1 + 0x1p-22 + 0x1p-23},
		{0x1p-12, 0x1p-12, 1, 1},
		{0x1p-12, 0x1p-12 + 0x1p-35, 1, 1 + 0x1p-23},
		{-0x1p-100, 0x1p-100, 1 + 0x1p-23, 1 + 0x1p-23},
		{0x1p-75, 0x1p-75, 0, 0}, // a tie with even 0
		{0x1p-75, 0x1p-75 + 0x1p-98, 0, 0x1p-149},
		{math.MaxFloat32, 2, float32(math.Inf(-1)), float32(math.Inf(-1))},
	} {
		if got := fma(c.a, c.b, c.c); !sameBits(got, c.want) {
			t.Errorf("fma(%x, %x, %x) = %x, want %x", c.a, c.b, c.c, got, c.want)
		}
	}
}

// rough draws values of all sizes, and now and then one that is special.
func rough(r *rand.Rand) float32 {
	switch u := r.Uint32(); {
	case u < 1<<24: // one in 256
		return specials[r.IntN(len(specials))]
	case u < 1<<31:
		return normal(r)
	}
	return float32(math.Ldexp(r.NormFloat64(), r.IntN(120)-80))
}

// laid returns freshly filled operands in plain memory.
func laid(ops []operand, r *rand.Rand, fill func(*rand.Rand) float32) [][]float32 {
	x := make([][]float32, len(ops))
	for i, op := range ops {
		x[i] = make([]float32, op.len())
		for j := range x[i] {
			x[i][j] = fill(r)
		}
	}
	return x
}

func cloneAll(x [][]float32) [][]float32 {
	y := make([][]float32, len(x))
	for i := range x {
		y[i] = slices.Clone(x[i])
	}
	return y
}

// TestTilesAreChains holds every element of every tile to the scalar chain
// k-ascending from its start value. So tiles of all heights and widths agree,
// and so do the Sets that fuse.
func TestTilesAreChains(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		for _, tile := range tiles(s) {
			t.Run(tile.name, func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(3, 4))
				for i, sh := range tileShapes(tile) {
					fill := normal
					if i%2 == 0 {
						fill = rough
					}
					if err := checkChain(s, tile, sh, laid(tileOperands(s, sh), r, fill)); err != nil {
						t.Fatalf("%v: %v", sh, err)
					}
				}
			})
		}
	})
}

// checkChain runs a tile on x and compares it with its chain. The activation of
// a tile is the Set's function on slices.
func checkChain(s *Set, tile namedTile, sh shape, x [][]float32) error {
	want := chain(s, sh, x)
	switch sh.tile.act {
	case ReLU:
		s.ReLU(want, want)
	case Tanh:
		s.Tanh(want, want)
	case Sigmoid:
		s.Sigmoid(want, want)
	}
	callTile(tile, s, sh, x)
	for i := range sh.tile.rows {
		for j := range sh.n {
			if got, want := x[0][i*sh.ldc()+j], want[i*sh.n+j]; !sameValue(got, want) {
				return fmt.Errorf("row %d, column %d is %x, the chain %x", i, j, got, want)
			}
		}
	}
	return nil
}

// chain computes S + bias + A·B as doc.go says, dense.
func chain(s *Set, sh shape, x [][]float32) []float32 {
	b := unpackB(s, sh, x[2])
	start, lds := startOf(sh, x)
	c := make([]float32, 0, sh.tile.rows*sh.n)
	for i := range sh.tile.rows {
		for j := range sh.n {
			sum := start[i*lds+j]
			for p := range sh.k {
				a := i*sh.lda() + p
				if sh.tile.transA {
					a = p*sh.lda() + i
				}
				sum = multiplyAdd(s, x[1][a], b[p*sh.n+j], sum)
			}
			c = append(c, sum)
		}
	}
	return c
}

// TestReductionsKeepLanes holds reductions to the lanes and the tree of Set.Dot.
func TestReductionsKeepLanes(t *testing.T) {
	eachSet(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, n := range sizes {
			x, y := make([]float32, n), make([]float32, n)
			for i := range x {
				x[i], y[i] = normal(r), normal(r)
				if n%2 == 0 {
					x[i], y[i] = rough(r), rough(r)
				}
			}
			product := func(y []float32) float32 {
				return inLanes(n, func(i int, sum float32) float32 { return multiplyAdd(s, x[i], y[i], sum) })
			}
			if got, want := s.Dot(x, y), product(y); !sameValue(got, want) {
				t.Errorf("Dot of %d: %x, want %x", n, got, want)
			}
			if got, want := s.SumSq(x), product(x); !sameValue(got, want) {
				t.Errorf("SumSq of %d: %x, want %x", n, got, want)
			}

			if n == 0 {
				continue
			}
			for i := range x {
				x[i] = normal(r)
			}
			top := slices.Max(x)
			e := make([]float32, n)
			for i := range e {
				e[i] = x[i] - top
			}
			s.Exp(e, e)
			want := inLanes(n, func(i int, sum float32) float32 { return sum + e[i] })
			max, sum := s.Softmax(x, 1)
			if !sameBits(max, top) || !sameBits(sum, want) {
				t.Errorf("Softmax of %d returned %x, %x, want %x, %x", n, max, sum, top, want)
			}
		}
	})
}

// inLanes is a reduction of n elements: add folds element i into a sum.
func inLanes(n int, add func(i int, sum float32) float32) float32 {
	var lanes [Lanes]float32
	for i := range n {
		lanes[i%Lanes] = add(i, lanes[i%Lanes])
	}
	var v [16]float32
	for i := range v {
		v[i] = (lanes[i] + lanes[16+i]) + (lanes[32+i] + lanes[48+i])
	}
	for _, half := range []int{8, 4, 2, 1} {
		for i := range half {
			v[i] += v[i+half]
		}
	}
	return v[0]
}

// TestSetsAgree gives the same operands to every Set that fuses and compares
// bits. Tiles and panels depend on the Set; TestTilesAreChains compares them.
func TestSetsAgree(t *testing.T) {
	sets := slices.DeleteFunc(Sets(), func(s *Set) bool { return !fused(s) })
	if len(sets) < 2 {
		t.Skip("there are not two such Sets on this machine; BATCHRNN_REQUIRE_ISA makes a missing one fail")
	}
	first, others := slots(sets[0]), map[string][]slot{}
	for _, s := range sets[1:] {
		others[s.Name] = slots(s)
	}
	for i, sl := range first {
		if sl.field == "Sgemm" || sl.field == "Pack" || sl.field == "PackT" || sl.field == "Strip" {
			continue
		}
		t.Run(sl.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 8))
			for j, sh := range sl.shapes {
				fill := normal
				if j%2 == 0 {
					fill = rough
				}
				x := laid(sl.operands(sh), r, fill)
				if sh.alias != 0 {
					x[0] = x[sh.alias]
				}
				for name, list := range others {
					if err := sameCall(sl, list[i], sh, x); err != nil {
						t.Fatalf("%s against %s, %v: %v", sets[0].Name, name, sh, err)
					}
				}
			}
		})
	}
}

// sameCall runs two kernels on copies of x.
func sameCall(a, b slot, sh shape, x [][]float32) error {
	var scalarsA, scalarsB [2]float32
	xa, xb := cloneAll(x), cloneAll(x)
	a.call(sh, xa, &scalarsA)
	b.call(sh, xb, &scalarsB)
	for i := range scalarsA {
		// What the maximum is where there is a NaN is nobody's business.
		if a.field == "Softmax" && math.IsNaN(float64(scalarsA[1])) && math.IsNaN(float64(scalarsB[1])) {
			break
		}
		if !sameValue(scalarsA[i], scalarsB[i]) {
			return fmt.Errorf("result %d: %x and %x", i, scalarsA[i], scalarsB[i])
		}
	}
	for i := range xa {
		for j := range xa[i] {
			if !sameValue(xa[i][j], xb[i][j]) {
				return fmt.Errorf("operand %d, element %d: %x and %x", i, j, xa[i][j], xb[i][j])
			}
		}
	}
	return nil
}
