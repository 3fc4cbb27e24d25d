package asm

import "unsafe"

func packGeneric[T Float](k, n int, dst *T, src *T, ld int) {
	const nr = 3
	panel := unsafe.Slice(dst, k*nr)
	clear(panel)
	for p := range k {
		copyRow(panel[p*nr:][:nr], row(src, p*ld, n))
	}
}

func packTGeneric[T Float](k, n int, dst *T, src *T, ld int) {
	const nr = 3
	panel := unsafe.Slice(dst, k*nr)
	clear(panel)
	for j := range n {
		for p, v := range row(src, j*ld, k) {
			panel[p*nr+j] = v
		}
	}
}

func stripGeneric[T Float](k, n int, dst *T, src *T, ld int) {
	strip := unsafe.Slice(dst, k*n)
	for p := range k {
		copy(strip[p*n:][:n], row(src, p*ld, n))
	}
}

func transposeGeneric[T Float](m, n int, alpha T, dst *T, ldd int, src *T, lds int) {
	for j := range n {
		column := row(dst, j*ldd, m)
		for i := range column {
			column[i] = alpha * row(src, i*lds+j, 1)[0]
		}
	}
}
