//go:build unix

package durable

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Map returns the first size bytes of the file, which stay after Close. The system reads
// them when they are needed, and may drop them at any time. Nobody may write the file, or
// the bytes.
func (s *Scratch) Map(size int) (bytes []byte, unmap func(), err error) {
	if size == 0 {
		return nil, func() {}, nil
	}
	bytes, err = unix.Mmap(int(s.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping a file of %d bytes: %w", size, err)
	}
	return bytes, func() { unix.Munmap(bytes) }, nil
}
