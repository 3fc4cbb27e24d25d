//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package durable

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks f until it is closed. The lock is of the open file, so that a second one
// in the same process is refused too.
func tryLock(f *os.File) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return errLocked
		default:
			return err
		}
	}
}

// releaseLock removes f before others can lock it.
func releaseLock(f *os.File) error {
	return errors.Join(os.Remove(f.Name()), f.Close())
}
