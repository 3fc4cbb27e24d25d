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

// gemmGeneric_2x3 is a [Tile] of two rows and one panel.
func gemmGeneric_2x3[T Float](k int, a *T, rs, cs int, b *T, bs int, s *T, ss int, ids *int32, bias *T, c *T, ldc int, n int, act Act) {
	var c0, c1 [3]T
	startRow(c0[:], s, ss, ids, 0, row(bias, 0, n))
	startRow(c1[:], s, ss, ids, 1, row(bias, 0, n))

	if k > 0 {
		c00, c01, c02 := c0[0], c0[1], c0[2]
		c10, c11, c12 := c1[0], c1[1], c1[2]
		size := unsafe.Sizeof(*a)
		step := uintptr(cs) * size
		p0, p1, q := unsafe.Pointer(a), unsafe.Add(unsafe.Pointer(a), rs*int(size)), unsafe.Pointer(b)
		i, j := uintptr(0), uintptr(0)
		for end := uintptr(k/2) * (6 * size); j < end; j += 6 * size {
			a0 := *(*T)(unsafe.Add(p0, i))
			a1 := *(*T)(unsafe.Add(p1, i))
			b0 := *(*T)(unsafe.Add(q, j))
			c00 += T(a0 * b0)
			c10 += T(a1 * b0)
			b1 := *(*T)(unsafe.Add(q, j+size))
			c01 += T(a0 * b1)
			c11 += T(a1 * b1)
			b2 := *(*T)(unsafe.Add(q, j+2*size))
			c02 += T(a0 * b2)
			c12 += T(a1 * b2)
			i += step

			a0 = *(*T)(unsafe.Add(p0, i))
			a1 = *(*T)(unsafe.Add(p1, i))
			b0 = *(*T)(unsafe.Add(q, j+3*size))
			c00 += T(a0 * b0)
			c10 += T(a1 * b0)
			b1 = *(*T)(unsafe.Add(q, j+4*size))
			c01 += T(a0 * b1)
			c11 += T(a1 * b1)
			b2 = *(*T)(unsafe.Add(q, j+5*size))
			c02 += T(a0 * b2)
			c12 += T(a1 * b2)
			i += step
		}
		if k%2 != 0 {
			a0 := *(*T)(unsafe.Add(p0, i))
			a1 := *(*T)(unsafe.Add(p1, i))
			b0 := *(*T)(unsafe.Add(q, j))
			c00 += T(a0 * b0)
			c10 += T(a1 * b0)
			b1 := *(*T)(unsafe.Add(q, j+size))
			c01 += T(a0 * b1)
			c11 += T(a1 * b1)
			b2 := *(*T)(unsafe.Add(q, j+2*size))
			c02 += T(a0 * b2)
			c12 += T(a1 * b2)
		}
		c0 = [3]T{c00, c01, c02}
		c1 = [3]T{c10, c11, c12}
	}

	activate(c0[:n], act)
	activate(c1[:n], act)
	copyRow(row(c, 0, n), c0[:])
	copyRow(row(c, ldc, n), c1[:])
}

// gemmGeneric_1x3 is a [Tile] of one row and one panel.
func gemmGeneric_1x3[T Float](k int, a *T, rs, cs int, b *T, bs int, s *T, ss int, ids *int32, bias *T, c *T, ldc int, n int, act Act) {
	var c0 [3]T
	startRow(c0[:], s, ss, ids, 0, row(bias, 0, n))

	c00, c01, c02 := c0[0], c0[1], c0[2]
	size := unsafe.Sizeof(*a)
	step := uintptr(cs) * size
	p, q := unsafe.Pointer(a), unsafe.Pointer(b)
	i := uintptr(0)
	for j, end := uintptr(0), uintptr(k)*(3*size); j < end; j += 3 * size {
		a0 := *(*T)(unsafe.Add(p, i))
		c00 += T(a0 * *(*T)(unsafe.Add(q, j)))
		c01 += T(a0 * *(*T)(unsafe.Add(q, j+size)))
		c02 += T(a0 * *(*T)(unsafe.Add(q, j+2*size)))
		i += step
	}
	c0 = [3]T{c00, c01, c02}

	activate(c0[:n], act)
	copyRow(row(c, 0, n), c0[:])
}

// gemmGeneric_1x6 is a [Tile] of one row and two panels.
func gemmGeneric_1x6[T Float](k int, a *T, rs, cs int, b *T, bs int, s *T, ss int, ids *int32, bias *T, c *T, ldc int, n int, act Act) {
	var c0 [6]T
	startRow(c0[:], s, ss, ids, 0, row(bias, 0, n))

	if k > 0 {
		c00, c01, c02, c03, c04, c05 := c0[0], c0[1], c0[2], c0[3], c0[4], c0[5]
		size := unsafe.Sizeof(*a)
		step := uintptr(cs) * size
		p, q0, q1 := unsafe.Pointer(a), unsafe.Pointer(b), unsafe.Add(unsafe.Pointer(b), bs*int(size))
		i, j := uintptr(0), uintptr(0)
		for end := uintptr(k/2) * (6 * size); j < end; j += 6 * size {
			a0 := *(*T)(unsafe.Add(p, i))
			c00 += T(a0 * *(*T)(unsafe.Add(q0, j)))
			c01 += T(a0 * *(*T)(unsafe.Add(q0, j+size)))
			c02 += T(a0 * *(*T)(unsafe.Add(q0, j+2*size)))
			c03 += T(a0 * *(*T)(unsafe.Add(q1, j)))
			c04 += T(a0 * *(*T)(unsafe.Add(q1, j+size)))
			c05 += T(a0 * *(*T)(unsafe.Add(q1, j+2*size)))
			i += step

			a0 = *(*T)(unsafe.Add(p, i))
			c00 += T(a0 * *(*T)(unsafe.Add(q0, j+3*size)))
			c01 += T(a0 * *(*T)(unsafe.Add(q0, j+4*size)))
			c02 += T(a0 * *(*T)(unsafe.Add(q0, j+5*size)))
			c03 += T(a0 * *(*T)(unsafe.Add(q1, j+3*size)))
			c04 += T(a0 * *(*T)(unsafe.Add(q1, j+4*size)))
			c05 += T(a0 * *(*T)(unsafe.Add(q1, j+5*size)))
			i += step
		}
		if k%2 != 0 {
			a0 := *(*T)(unsafe.Add(p, i))
			c00 += T(a0 * *(*T)(unsafe.Add(q0, j)))
			c01 += T(a0 * *(*T)(unsafe.Add(q0, j+size)))
			c02 += T(a0 * *(*T)(unsafe.Add(q0, j+2*size)))
			c03 += T(a0 * *(*T)(unsafe.Add(q1, j)))
			c04 += T(a0 * *(*T)(unsafe.Add(q1, j+size)))
			c05 += T(a0 * *(*T)(unsafe.Add(q1, j+2*size)))
		}
		c0 = [6]T{c00, c01, c02, c03, c04, c05}
	}

	activate(c0[:n], act)
	copyRow(row(c, 0, n), c0[:])
}

// row returns the n elements at p[offset].
func row[T Float](p *T, offset, n int) []T {
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(p), offset*int(unsafe.Sizeof(*p)))), n)
}

// startRow sets dst to the start values of row i.
func startRow[T Float](dst []T, s *T, ss int, ids *int32, i int, bias []T) {
	id := *(*int32)(unsafe.Add(unsafe.Pointer(ids), 4*i))
	s0 := row(s, int(id)*ss, len(bias))
	for j, b := range bias {
		dst[j] = s0[j] + b
	}
}

// copyRow copies as much of src as dst has room for. It beats the built-in copy
// on the handful of floats in a tile's row.
func copyRow[T Float](dst, src []T) {
	for j := range min(len(dst), len(src)) {
		dst[j] = src[j]
	}
}

// activate applies act to x. Only float32 has functions other than the identity.
func activate[T Float](x []T, act Act) {
	if act == 0 || act == Identity {
		return
	}
	f := any(x).([]float32)
	switch act {
	case ReLU:
		reluGeneric(f, f)
	case Tanh:
		tanhGeneric(f, f)
	case Sigmoid:
		sigmoidGeneric(f, f)
	}
}
