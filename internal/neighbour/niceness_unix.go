//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package neighbour

import "syscall"

const hasNiceness = true

// setNiceness sets the niceness of this thread, or of this process where threads have
// none.
func setNiceness(n int) error {
	const process, self = 0, 0 // PRIO_PROCESS
	return syscall.Setpriority(process, self, n)
}
