//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// ignoreFileLimit turns a write beyond the limit of ulimit -f into an error. By itself it
// would end the program.
func ignoreFileLimit() { signal.Ignore(syscall.SIGXFSZ) }
