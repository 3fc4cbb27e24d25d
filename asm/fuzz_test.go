package asm

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// FuzzGemm runs a tile of every Set on the same problem, and holds it against
// the oracle, the chain of doc.go and its canaries.
func FuzzGemm(f *testing.F) {
	f.Add(uint8(0), uint8(0), uint16(1), uint8(0), uint16(0), uint64(1))
	f.Add(uint8(3), uint8(15), uint16(64), uint8(7), uint16(0x1ff), uint64(2))
	f.Add(uint8(5), uint8(16), uint16(33), uint8(1), uint16(0x2a5), uint64(3))
	f.Add(uint8(11), uint8(30), uint16(256), uint8(0), uint16(0x35b), uint64(4))
	f.Add(uint8(0), uint8(127), uint16(7), uint8(3), uint16(0x1e0), uint64(5))

	arenas, doubleArenas := newArenas[float32](f, 1<<16), newArenas[float64](f, 1<<16)
	f.Fuzz(func(t *testing.T, rows, cols uint8, k uint16, gap uint8, choice uint16, seed uint64) {
		for _, s := range floatSets() {
			fuzzTile(t, s, arenas, rows, cols, k, gap, choice, seed)
			fuzzTile(t, s, doubleArenas, rows, cols, k, gap, choice, seed)
		}
	})
}

func fuzzTile[T Float](t *testing.T, s *Set, arenas []*arena[T], rows, cols uint8, k uint16, gap uint8, choice uint16, seed uint64) {
	bit := func(i, n int) int { return int(choice) >> i % n }
	list, nr := tiles[T](s), of[T](s).NR
	tile := list[int(rows)%len(list)]
	w := widths(tile)
	sh := shape{
		n: w[int(cols)%len(w)], k: int(k) % 300, gap: int(gap) % 20,
		tile: tile.shape(),
	}
	sh.tile.transA, sh.tile.start, sh.tile.act = bit(0, 2) == 0, start(bit(1, 4)), acts[T]()[1+bit(3, 4)%(len(acts[T]())-1)]
	fill := []func(*rand.Rand) float64{normal, signed, positive, roughOf[T]()}[bit(5, 4)]

	sl := slot[T]{
		operands: func(sh shape) []operand {
			ops := tileOperands(nr, sh)
			for i := range ops {
				ops[i].fill = fill
			}
			return ops
		},
		call: func(sh shape, x [][]T, _ *[2]T) { callTile(tile, nr, sh, x) },
		want: func(sh shape, x [][]T) ([][]expect, []expect) { return wantTile(nr, sh, x) },
	}
	if bit(5, 4) != 3 { // the oracle has infinities elsewhere
		if err := checkCall(sl, sh, placements[bit(7, len(placements))], arenas, rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatalf("%s %s of %T, %v: %v", s.Name, tile.name, T(0), sh, err)
		}
	}
	if err := checkChain(s, tile, sh, laid[T](tileOperands(nr, sh), rand.New(rand.NewPCG(seed, 1)), fill)); err != nil {
		t.Fatalf("%s %s of %T, %v: %v", s.Name, tile.name, T(0), sh, err)
	}
}

// FuzzLinear runs the kernels of both types of element that are no tiles, on operands of
// any size and place. It holds them against the oracle, their canaries and each other.
func FuzzLinear(f *testing.F) {
	f.Add(uint8(0), uint8(1), uint16(1), uint8(1), uint8(0), uint16(0), uint64(1))
	f.Add(uint8(5), uint8(7), uint16(67), uint8(9), uint8(3), uint16(0x1c), uint64(2))
	f.Add(uint8(6), uint8(29), uint16(300), uint8(20), uint8(1), uint16(0x0e), uint64(3))
	f.Add(uint8(7), uint8(3), uint16(5), uint8(33), uint8(5), uint16(0x07), uint64(4))

	arenas, doubleArenas := newArenas[float32](f, 1<<16), newArenas[float64](f, 1<<16)
	f.Fuzz(func(t *testing.T, which, m uint8, n uint16, k, gap uint8, choice uint16, seed uint64) {
		sh := shape{m: int(m) % 40, n: int(n) % 600, k: int(k) % 70, gap: int(gap) % 20}
		fuzzLinear(t, arenas, int(which), sh, choice, seed)
		fuzzLinear(t, doubleArenas, int(which), sh, choice, seed)
	})
}

func fuzzLinear[T Float](t *testing.T, arenas []*arena[T], which int, sh shape, choice uint16, seed uint64) {
	fill := []func(*rand.Rand) float64{normal, signed, positive, roughOf[T]()}[choice%4]
	var fusedSlots []slot[T]
	for _, s := range floatSets() {
		list := linearSlots[T](s)
		sl := list[which%len(list)]
		switch k := of[T](s); sl.field { // what limits n
		case "Pack", "PackT":
			sh.n = 1 + sh.n%k.NR
		case "Strip":
			sh.n = 1 + sh.n%k.MR
		case "Trsm", "Trmm":
			sh.m, sh.n, sh.k = 1+sh.m%k.MR, 1+sh.n%k.NR, sh.k%30
		default:
			if fused(s) {
				fusedSlots = append(fusedSlots, sl)
			}
		}
		operands := sl.operands
		sl.operands = func(sh shape) []operand {
			ops := operands(sh)
			for i := range ops {
				ops[i].fill = fill
			}
			return ops
		}
		if choice%4 == 3 { // the oracle has infinities elsewhere
			continue
		}
		if err := checkCall(sl, sh, placements[int(choice)/4%len(placements)], arenas, rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatalf("%s %s, %v: %v", s.Name, sl.name, sh, err)
		}
	}
	for i := 1; i < len(fusedSlots); i++ {
		x := laid[T](fusedSlots[0].operands(sh), rand.New(rand.NewPCG(seed, 1)), fill)
		if err := sameCall(fusedSlots[0], fusedSlots[i], sh, x); err != nil {
			t.Fatalf("%s, %v: %v", fusedSlots[0].name, sh, err)
		}
	}
}

// FuzzElementwise runs the functions of one variable on raw bits.
func FuzzElementwise(f *testing.F) {
	var all []byte
	for _, v := range specials {
		all = binary.LittleEndian.AppendUint32(all, math.Float32bits(v))
	}
	f.Add(all, uint8(0))
	f.Add(all[:4*17], uint8(1))
	f.Add(all[:4*16], uint8(4))
	f.Add([]byte("\x00\x00\x80\x3f\x1f\x85\x2b\x41\xcd\xcc\x4c\xbe"), uint8(4))

	const most = 1 << 10
	arenas := newArenas[float32](f, most+4)
	f.Fuzz(func(t *testing.T, bits []byte, where uint8) {
		x := make([]float32, min(len(bits)/4, most))
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(bits[4*i:]))
		}
		p := placements[int(where)%len(placements)]
		var results [][]float32 // of the Sets that fuse, function after function
		for _, s := range floatSets() {
			var result []float32
			for i, fn := range functions {
				sl := elementwise(fn.name, fn.slot(s), functions[i])
				sl.operands = func(sh shape) []operand {
					next := -1
					return []operand{vector(sh.n, out, nil), vector(sh.n, in, func(*rand.Rand) float64 { next++; return float64(x[next]) })}
				}
				if err := checkCall(sl, shape{n: len(x)}, p, arenas, nil); err != nil {
					t.Fatalf("%s, %s of %x: %v", s.Name, fn.name, x, err)
				}
				y := make([]float32, len(x))
				fn.slot(s)(y, x)
				result = append(result, y...)
			}
			if fused(s) {
				results = append(results, result)
			}
		}
		for _, r := range results {
			for i := range r {
				if !sameValue(r[i], results[0][i]) {
					t.Fatalf("%s of %x: %x and %x", functions[i/len(x)].name, x[i%len(x)], r[i], results[0][i])
				}
			}
		}
	})
}

// FuzzGated runs the steps of gated cells and their derivatives on vectors of any length,
// and holds them against the oracle, their sequence of roundings and their canaries.
func FuzzGated(f *testing.F) {
	f.Add(uint8(0), uint16(1), uint8(0), uint8(0), uint64(1))
	f.Add(uint8(1), uint16(67), uint8(3), uint8(0x1c), uint64(2))
	f.Add(uint8(2), uint16(128), uint8(16), uint8(0x3a), uint64(3))
	f.Add(uint8(3), uint16(513), uint8(1), uint8(0x19), uint64(4))

	const most, mostGap = 600, 20
	arenas := newArenas[float32](f, 5*(most+mostGap)+4)
	f.Fuzz(func(t *testing.T, which uint8, n uint16, gap, choice uint8, seed uint64) {
		bit := func(i, n int) int { return int(choice) >> i % n }
		sh := shape{n: int(n) % most, gap: int(gap) % mostGap}
		fill := []func(*rand.Rand) float64{normal, signed, positive, rough}[bit(4, 4)]
		for _, s := range floatSets() {
			list := gatedSlots(s)
			sl := list[int(which)%len(list)]
			sh.alias = sl.shapes[bit(3, 2)].alias
			operands := sl.operands
			sl.operands = func(sh shape) []operand {
				ops := operands(sh)
				for i := range ops {
					ops[i].fill = fill
				}
				return ops
			}
			if bit(4, 4) != 3 { // what overflows in float32 need not in float64
				if err := checkCall(sl, sh, placements[bit(0, 8)%len(placements)], arenas, rand.New(rand.NewPCG(seed, 0))); err != nil {
					t.Fatalf("%s %s, %v: %v", s.Name, sl.name, sh, err)
				}
			}
			if err := checkGatedOrder(s, sl, sh, laid[float32](sl.operands(sh), rand.New(rand.NewPCG(seed, 1)), fill)); err != nil {
				t.Fatalf("%s %s, %v: %v", s.Name, sl.name, sh, err)
			}
		}
	})
}
