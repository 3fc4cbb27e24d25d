//go:build linux && (amd64 || arm64) && !nompi

package parallel

import (
	"syscall"
	"unsafe"
)

// handlers are the kernel's descriptions of what a process does at each signal.
type handlers [65][64]byte

// signalHandlers returns the present ones. The runtime of Go needs its own: for nil
// pointers, to stop goroutines, and for os/signal. UCX below MPICH installs others as it is
// loaded, which end the process at any nil pointer.
func signalHandlers() *handlers {
	h := new(handlers)
	for sig := 1; sig < len(h); sig++ {
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&h[sig])), 8, 0, 0)
	}
	return h
}

// restore makes h the present ones again.
func (h *handlers) restore() {
	now := signalHandlers()
	for sig := 1; sig < len(h); sig++ {
		if now[sig] != h[sig] {
			syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&h[sig])), 0, 8, 0, 0)
		}
	}
}
