package asm

import "unsafe"

// The portable tiles keep six sums, one for each multiply-add that two scalar units with
// a latency of three cycles have in flight. More sums would hide no more latency. They
// would cost registers: the Go compiler puts all additions at the end of a loop behind
// all products, so the products fill registers too. 2x3 reaches 12.2 GFLOP/s on one core
// of a Zen 4, 3x4 6.9 (bench/RESULTS.md, Choices).
//
// Loops are unrolled by two, which spares half of the additions to offsets. The loads
// have no helper function: each inlined call would leave a no-op.
//
// Rows and panels are addressed from their first element by a growing offset. A moving
// pointer would end outside its slice.

const float32Size = unsafe.Sizeof(float32(0))

// sgemmGeneric_2x3 is a [Tile] of two rows and one panel.
func sgemmGeneric_2x3(k int, a *float32, rs, cs int, b *float32, bs int, s *float32, ss int, ids *int32, bias *float32, c *float32, ldc int, n int, act Act) {
	var c0, c1 [3]float32
	startRow(c0[:], s, ss, ids, 0, row(bias, 0, n))
	startRow(c1[:], s, ss, ids, 1, row(bias, 0, n))

	if k > 0 {
		c00, c01, c02 := c0[0], c0[1], c0[2]
		c10, c11, c12 := c1[0], c1[1], c1[2]
		step := uintptr(cs) * float32Size
		p0, p1, q := unsafe.Pointer(a), unsafe.Add(unsafe.Pointer(a), rs*int(float32Size)), unsafe.Pointer(b)
		i, j := uintptr(0), uintptr(0)
		for end := uintptr(k/2) * (6 * float32Size); j < end; j += 6 * float32Size {
			a0 := *(*float32)(unsafe.Add(p0, i))
			a1 := *(*float32)(unsafe.Add(p1, i))
			b0 := *(*float32)(unsafe.Add(q, j))
			c00 += float32(a0 * b0)
			c10 += float32(a1 * b0)
			b1 := *(*float32)(unsafe.Add(q, j+4))
			c01 += float32(a0 * b1)
			c11 += float32(a1 * b1)
			b2 := *(*float32)(unsafe.Add(q, j+8))
			c02 += float32(a0 * b2)
			c12 += float32(a1 * b2)
			i += step

			a0 = *(*float32)(unsafe.Add(p0, i))
			a1 = *(*float32)(unsafe.Add(p1, i))
			b0 = *(*float32)(unsafe.Add(q, j+12))
			c00 += float32(a0 * b0)
			c10 += float32(a1 * b0)
			b1 = *(*float32)(unsafe.Add(q, j+16))
			c01 += float32(a0 * b1)
			c11 += float32(a1 * b1)
			b2 = *(*float32)(unsafe.Add(q, j+20))
			c02 += float32(a0 * b2)
			c12 += float32(a1 * b2)
			i += step
		}
		if k%2 != 0 {
			a0 := *(*float32)(unsafe.Add(p0, i))
			a1 := *(*float32)(unsafe.Add(p1, i))
			b0 := *(*float32)(unsafe.Add(q, j))
			c00 += float32(a0 * b0)
			c10 += float32(a1 * b0)
			b1 := *(*float32)(unsafe.Add(q, j+4))
			c01 += float32(a0 * b1)
			c11 += float32(a1 * b1)
			b2 := *(*float32)(unsafe.Add(q, j+8))
			c02 += float32(a0 * b2)
			c12 += float32(a1 * b2)
		}
		c0 = [3]float32{c00, c01, c02}
		c1 = [3]float32{c10, c11, c12}
	}

	activate(c0[:n], act)
	activate(c1[:n], act)
	copyRow(row(c, 0, n), c0[:])
	copyRow(row(c, ldc, n), c1[:])
}

// sgemmGeneric_1x3 is a [Tile] of one row and one panel.
func sgemmGeneric_1x3(k int, a *float32, rs, cs int, b *float32, bs int, s *float32, ss int, ids *int32, bias *float32, c *float32, ldc int, n int, act Act) {
	var c0 [3]float32
	startRow(c0[:], s, ss, ids, 0, row(bias, 0, n))

	c00, c01, c02 := c0[0], c0[1], c0[2]
	step := uintptr(cs) * float32Size
	p, q := unsafe.Pointer(a), unsafe.Pointer(b)
	i := uintptr(0)
	for j, end := uintptr(0), uintptr(k)*(3*float32Size); j < end; j += 3 * float32Size {
		a0 := *(*float32)(unsafe.Add(p, i))
		c00 += float32(a0 * *(*float32)(unsafe.Add(q, j)))
		c01 += float32(a0 * *(*float32)(unsafe.Add(q, j+4)))
		c02 += float32(a0 * *(*float32)(unsafe.Add(q, j+8)))
		i += step
	}
	c0 = [3]float32{c00, c01, c02}

	activate(c0[:n], act)
	copyRow(row(c, 0, n), c0[:])
}

// sgemmGeneric_1x6 is a [Tile] of one row and two panels.
func sgemmGeneric_1x6(k int, a *float32, rs, cs int, b *float32, bs int, s *float32, ss int, ids *int32, bias *float32, c *float32, ldc int, n int, act Act) {
	var c0 [6]float32
	startRow(c0[:], s, ss, ids, 0, row(bias, 0, n))

	if k > 0 {
		c00, c01, c02, c03, c04, c05 := c0[0], c0[1], c0[2], c0[3], c0[4], c0[5]
		step := uintptr(cs) * float32Size
		p, q0, q1 := unsafe.Pointer(a), unsafe.Pointer(b), unsafe.Add(unsafe.Pointer(b), bs*int(float32Size))
		i, j := uintptr(0), uintptr(0)
		for end := uintptr(k/2) * (6 * float32Size); j < end; j += 6 * float32Size {
			a0 := *(*float32)(unsafe.Add(p, i))
			c00 += float32(a0 * *(*float32)(unsafe.Add(q0, j)))
			c01 += float32(a0 * *(*float32)(unsafe.Add(q0, j+4)))
			c02 += float32(a0 * *(*float32)(unsafe.Add(q0, j+8)))
			c03 += float32(a0 * *(*float32)(unsafe.Add(q1, j)))
			c04 += float32(a0 * *(*float32)(unsafe.Add(q1, j+4)))
			c05 += float32(a0 * *(*float32)(unsafe.Add(q1, j+8)))
			i += step

			a0 = *(*float32)(unsafe.Add(p, i))
			c00 += float32(a0 * *(*float32)(unsafe.Add(q0, j+12)))
			c01 += float32(a0 * *(*float32)(unsafe.Add(q0, j+16)))
			c02 += float32(a0 * *(*float32)(unsafe.Add(q0, j+20)))
			c03 += float32(a0 * *(*float32)(unsafe.Add(q1, j+12)))
			c04 += float32(a0 * *(*float32)(unsafe.Add(q1, j+16)))
			c05 += float32(a0 * *(*float32)(unsafe.Add(q1, j+20)))
			i += step
		}
		if k%2 != 0 {
			a0 := *(*float32)(unsafe.Add(p, i))
			c00 += float32(a0 * *(*float32)(unsafe.Add(q0, j)))
			c01 += float32(a0 * *(*float32)(unsafe.Add(q0, j+4)))
			c02 += float32(a0 * *(*float32)(unsafe.Add(q0, j+8)))
			c03 += float32(a0 * *(*float32)(unsafe.Add(q1, j)))
			c04 += float32(a0 * *(*float32)(unsafe.Add(q1, j+4)))
			c05 += float32(a0 * *(*float32)(unsafe.Add(q1, j+8)))
		}
		c0 = [6]float32{c00, c01, c02, c03, c04, c05}
	}

	activate(c0[:n], act)
	copyRow(row(c, 0, n), c0[:])
}

// row returns the n floats at p[offset].
func row(p *float32, offset, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), offset*int(float32Size))), n)
}

// startRow sets dst to the start values of row i.
func startRow(dst []float32, s *float32, ss int, ids *int32, i int, bias []float32) {
	id := *(*int32)(unsafe.Add(unsafe.Pointer(ids), 4*i))
	s0 := row(s, int(id)*ss, len(bias))
	for j, b := range bias {
		dst[j] = s0[j] + b
	}
}

// copyRow copies as much of src as dst has room for. It beats the built-in copy
// on the handful of floats in a tile's row.
func copyRow(dst, src []float32) {
	for j := range min(len(dst), len(src)) {
		dst[j] = src[j]
	}
}

// activate applies act to x.
func activate(x []float32, act Act) {
	switch act {
	case ReLU:
		reluGeneric(x, x)
	case Tanh:
		tanhGeneric(x, x)
	case Sigmoid:
		sigmoidGeneric(x, x)
	}
}
