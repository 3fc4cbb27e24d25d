package asm

import (
	"math"
	"unsafe"
)

// int8Generic_1x3 is a [Tile] of Set.Int8 for one row.
func int8Generic_1x3(k int, a *float32, rs, cs int, b *float32, bs int, s *float32, ss int, ids *int32, bias *float32, c *float32, ldc int, n int, act Act) {
	int8Row(k, a, b, s, ss, ids, bias, c, n, act)
}

// int8Generic_2x3 is a [Tile] of Set.Int8 for two rows.
func int8Generic_2x3(k int, a *float32, rs, cs int, b *float32, bs int, s *float32, ss int, ids *int32, bias *float32, c *float32, ldc int, n int, act Act) {
	int8Row(k, a, b, s, ss, ids, bias, c, n, act)
	int8Row(k, &row(a, rs, 1)[0], b, s, ss, &unsafe.Slice(ids, 2)[1], bias, &row(c, ldc, 1)[0], n, act)
}

// int8Row computes a row of a tile.
func int8Row(k int, a, b *float32, s *float32, ss int, ids *int32, bias *float32, c *float32, n int, act Act) {
	const quad = 4
	var start [genericNR]float32
	startRow(start[:], s, ss, ids, 0, row(bias, 0, n))
	x, w := unsafe.Slice((*int8)(unsafe.Pointer(a)), quad*k), unsafe.Slice((*int8)(unsafe.Pointer(b)), quad*genericNR*k)
	var sums [genericNR]int32
	for p := 0; p < len(x); p += quad {
		x0, x1, x2, x3 := int32(x[p]), int32(x[p+1]), int32(x[p+2]), int32(x[p+3])
		group := w[p*genericNR:][:quad*genericNR]
		for j := range sums {
			q := group[quad*j:][:quad]
			sums[j] += x0*int32(q[0]) + x1*int32(q[1]) + x2*int32(q[2]) + x3*int32(q[3])
		}
	}
	scale, scales, out := row(a, k, 1)[0], row(b, -Int8Header*genericNR, n), row(c, 0, n)
	for j := range out {
		start[j] += float32(float32(sums[j]) * float32(scale*scales[j]))
	}
	activate(start[:n], act)
	copyRow(out, start[:])
}

// quantiseGeneric is Set.Quantise. Its encoding is int8.
func quantiseGeneric(dst *float32, src []float32) {
	var largest uint32 // of the magnitudes as bits, in whose order NaN is above infinity
	for _, v := range src {
		largest = max(largest, math.Float32bits(v)&^(1<<31))
	}
	factor, scale := quantiseScale(math.Float32frombits(largest))
	n := (len(src) + 3) / 4
	to := unsafe.Slice((*int8)(unsafe.Pointer(dst)), 4*n)
	clear(to[len(src):])
	for j, v := range src {
		to[j] = int8(math.RoundToEven(float64(float32(v * factor))))
	}
	*(*float32)(unsafe.Add(unsafe.Pointer(dst), 4*n)) = scale
}

// quantiseScale returns the factor by which values up to largest become int8, and its
// inverse. See Set.Quantise.
func quantiseScale(largest float32) (factor, scale float32) {
	switch {
	case largest < 0x1p-100:
		return 0, 0
	case !(largest <= math.MaxFloat32):
		return 0, float32(math.NaN())
	}
	return MaxInt8 / largest, largest / MaxInt8
}

func dequantiseGeneric(dst []float32, q *int8, scale float32) {
	for j, v := range unsafe.Slice(q, len(dst)) {
		dst[j] = scale * float32(v)
	}
}
