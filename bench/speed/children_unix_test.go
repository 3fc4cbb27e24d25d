//go:build unix

package speed

import (
	"errors"
	"syscall"
	"testing"
)

// wantNoChild fails if this process has a child.
func wantNoChild(t *testing.T) {
	t.Helper()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: %d, error %v", pid, err)
	}
}
