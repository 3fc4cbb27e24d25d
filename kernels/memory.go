package kernels

import "unsafe"

// hugeFrom is the size in bytes from which memory asks for huge pages. A matrix of that
// size has many pages of 4 KB. On many processors they are more than the entries of the
// second-level TLB. Each page walk stalls the multiply-adds. At H = 2560, B = 16 on one
// thread huge pages gain about 1 %.
const hugeFrom = 4 << 20

// Floats returns n zeros that begin on a cache line. It asks the system to back 4 MB
// and more by huge pages.
func Floats(n int) []float32 { return aligned[float32](n) }

// aligned is Floats for any type of element.
func aligned[T Float](n int) []T {
	size := elementSize[T]()
	line := 64 / size
	s := make([]T, n+line-1)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(s)))/uintptr(size)) & (line - 1)
	s = s[skip:][:n:n]
	if size*n >= hugeFrom {
		adviseHuge(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), size*n))
	}
	return s
}
