package kernels

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// adviseHuge asks for huge pages where they fit within b. A system without huge pages
// may refuse; then b works all the same.
func adviseHuge(b []byte) {
	const page = 2 << 20
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % page)
	if whole := (len(b) - skip) / page * page; whole > 0 {
		_ = unix.Madvise(b[skip:skip+whole], unix.MADV_HUGEPAGE)
	}
}
