package asm

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// FuzzSgemm runs a tile of every Set on the same problem, and holds it against
// the oracle, the chain of doc.go and its canaries.
func FuzzSgemm(f *testing.F) {
	f.Add(uint8(0), uint8(0), uint16(1), uint8(0), uint16(0), uint64(1))
	f.Add(uint8(3), uint8(15), uint16(64), uint8(7), uint16(0x1ff), uint64(2))
	f.Add(uint8(5), uint8(16), uint16(33), uint8(1), uint16(0x2a5), uint64(3))
	f.Add(uint8(11), uint8(30), uint16(256), uint8(0), uint16(0x35b), uint64(4))
	f.Add(uint8(0), uint8(127), uint16(7), uint8(3), uint16(0x1e0), uint64(5))

	arenas := newArenas(f, 1<<16)
	f.Fuzz(func(t *testing.T, rows, cols uint8, k uint16, gap uint8, choice uint16, seed uint64) {
		bit := func(i, n int) int { return int(choice) >> i % n }
		for _, s := range Sets() {
			list := tiles(s)
			tile := list[int(rows)%len(list)]
			w := widths(tile)
			sh := shape{
				n: w[int(cols)%len(w)], k: int(k) % 300, gap: int(gap) % 20,
				tile: tile.shape(),
			}
			sh.tile.transA, sh.tile.start, sh.tile.act = bit(0, 2) == 0, start(bit(1, 4)), Tanh+Act(bit(3, 4))
			fill := []func(*rand.Rand) float32{normal, signed, positive, rough}[bit(5, 4)]

			sl := slot{
				operands: func(sh shape) []operand {
					ops := tileOperands(s, sh)
					for i := range ops {
						ops[i].fill = fill
					}
					return ops
				},
				call: func(sh shape, x [][]float32, _ *[2]float32) { callTile(tile, s, sh, x) },
				want: func(sh shape, x [][]float32) ([][]expect, []expect) { return wantTile(s, sh, x) },
			}
			if bit(5, 4) != 3 { // what overflows in float32 need not in float64
				if err := checkCall(sl, sh, placements[bit(7, len(placements))], arenas, rand.New(rand.NewPCG(seed, 0))); err != nil {
					t.Fatalf("%s %s, %v: %v", s.Name, tile.name, sh, err)
				}
			}
			if err := checkChain(s, tile, sh, laid(tileOperands(s, sh), rand.New(rand.NewPCG(seed, 1)), fill)); err != nil {
				t.Fatalf("%s %s, %v: %v", s.Name, tile.name, sh, err)
			}
		}
	})
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
	arenas := newArenas(f, most+4)
	f.Fuzz(func(t *testing.T, bits []byte, where uint8) {
		x := make([]float32, min(len(bits)/4, most))
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(bits[4*i:]))
		}
		p := placements[int(where)%len(placements)]
		var results [][]float32 // of the Sets that fuse, function after function
		for _, s := range Sets() {
			var result []float32
			for i, fn := range functions {
				sl := elementwise(fn.name, fn.slot(s), functions[i])
				sl.operands = func(sh shape) []operand {
					next := -1
					return []operand{vector(sh.n, out, nil), vector(sh.n, in, func(*rand.Rand) float32 { next++; return x[next] })}
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
	arenas := newArenas(f, 5*(most+mostGap)+4)
	f.Fuzz(func(t *testing.T, which uint8, n uint16, gap, choice uint8, seed uint64) {
		bit := func(i, n int) int { return int(choice) >> i % n }
		sh := shape{n: int(n) % most, gap: int(gap) % mostGap}
		fill := []func(*rand.Rand) float32{normal, signed, positive, rough}[bit(4, 4)]
		for _, s := range Sets() {
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
			if err := checkGatedOrder(s, sl, sh, laid(sl.operands(sh), rand.New(rand.NewPCG(seed, 1)), fill)); err != nil {
				t.Fatalf("%s %s, %v: %v", s.Name, sl.name, sh, err)
			}
		}
	})
}
