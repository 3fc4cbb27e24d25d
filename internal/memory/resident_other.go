//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows)

package memory

import (
	"errors"
	"fmt"
	"runtime"
)

// Resident is unknown on this system: it returns an error that wraps
// errors.ErrUnsupported.
func Resident() (bytes int64, err error) {
	return 0, fmt.Errorf("resident memory on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
