//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package neighbour

import "syscall"

const hasNiceness = true

// setNiceness sets the niceness of this thread, and where the system has none of
// threads, of this process.
func setNiceness(n int) error {
	const process, self = 0, 0 // PRIO_PROCESS
	return syscall.Setpriority(process, self, n)
}
