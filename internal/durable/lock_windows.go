package durable

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks a byte far behind the content of f, which others can't read where it is
// locked.
func tryLock(f *os.File) error {
	at := windows.Overlapped{OffsetHigh: math.MaxInt32}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// releaseLock closes f first, since Windows removes no open file. If another process has
// opened it since, it stays.
func releaseLock(f *os.File) error {
	err := f.Close()
	os.Remove(f.Name())
	return err
}
