package kernels

import "unsafe"

// hugeFrom is the size in bytes from which memory asks for huge pages. A matrix of that
// size has many pages of 4 KB. On many processors they are more than the entries of the
// second-level TLB. Each page walk stalls the multiply-adds. At H = 2560, B = 16 on one
// thread huge pages gain about 1 %.
const hugeFrom = 4 << 20

// Floats returns n zeros that begin on a cache line. It asks the system to back 4 MB
// and more by huge pages.
func Floats(n int) []float32 {
	const line = 64 / 4
	s := make([]float32, n+line-1)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(s)))/4) & (line - 1)
	s = s[skip:][:n:n]
	if 4*n >= hugeFrom {
		adviseHuge(s)
	}
	return s
}
