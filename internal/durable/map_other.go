//go:build !unix

package durable

import (
	"errors"
	"fmt"
)

// Map returns an error: files are mapped on Unix alone.
func (s *Scratch) Map(size int) (bytes []byte, unmap func(), err error) {
	return nil, nil, fmt.Errorf("mapping a file: %w", errors.ErrUnsupported)
}
