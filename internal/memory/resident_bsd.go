//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package memory

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Resident returns the PEAK of the bytes that this process has had in physical memory,
// not the current number. Without cgo these systems report nothing else. So a growth
// between two calls is a lower bound. It is exact only if nothing larger was held and
// dropped before.
func Resident() (bytes int64, err error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("resident memory: getrusage: %w", err)
	}
	n := int64(u.Maxrss)
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return n, nil // Apple counts bytes, the BSDs count KiB
	}
	return n << 10, nil
}
