package asm

import "unsafe"

func packGeneric(k, n int, dst *float32, src *float32, ld int) {
	const nr = 3
	panel := unsafe.Slice(dst, k*nr)
	clear(panel)
	for p := range k {
		copyRow(panel[p*nr:][:nr], row(src, p*ld, n))
	}
}

func packTGeneric(k, n int, dst *float32, src *float32, ld int) {
	const nr = 3
	panel := unsafe.Slice(dst, k*nr)
	clear(panel)
	for j := range n {
		for p, v := range row(src, j*ld, k) {
			panel[p*nr+j] = v
		}
	}
}

func stripGeneric(k, n int, dst *float32, src *float32, ld int) {
	strip := unsafe.Slice(dst, k*n)
	for p := range k {
		copy(strip[p*n:][:n], row(src, p*ld, n))
	}
}
