package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Lock keeps other processes from writing a file in the meantime.
type Lock struct {
	file *os.File // beside the one that is locked; nil if locks are not to be had
}

// InUse is the error of [NewLock] for a file that another process has locked.
type InUse struct {
	Process string // its number, with the machine's name if it is another one; may be empty
}

func (e *InUse) Error() string {
	if e.Process == "" {
		return "another process is writing it"
	}
	return "process " + e.Process + " is writing it"
}

// errLocked is tryLock's error for a file that is locked.
var errLocked = errors.New("locked")

const lockSuffix = "lock"

// lockAttempts bounds how often a lock is removed between being opened and locked. It
// matters on file systems whose files have no identity.
const lockAttempts = 100

// NewLock locks path, which [WriteFile] may replace meanwhile and which need not exist.
// The lock is a file beside it. It ends with the process at the latest. Where the system
// has no locks, or path is no regular file, NewLock succeeds and does nothing.
func NewLock(path string) (*Lock, error) {
	path, old, err := target(path)
	if err != nil {
		return nil, err
	}
	if direct(old) {
		return &Lock{}, nil
	}
	return newLock(path)
}

// newLock is NewLock for a path without links, of a file or a folder.
func newLock(path string) (*Lock, error) {
	name := filepath.Join(filepath.Dir(path), besidePrefix(path)+lockSuffix)
	for range lockAttempts {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, fmt.Errorf("its lock %s can't be opened: %w", name, WithoutPath(err))
		}
		switch err := tryLock(f); {
		case err == nil:
		case errors.Is(err, errLocked):
			defer f.Close()
			return nil, &InUse{owner(f)}
		default: // a file system without locks
			return &Lock{}, errors.Join(f.Close(), os.Remove(name))
		}
		// The process before may have removed the file after it was opened here.
		if opened, err := f.Stat(); err == nil {
			if named, err := os.Stat(name); err == nil && os.SameFile(opened, named) {
				temporary.add(name)
				f.Truncate(0)
				host, _ := os.Hostname()
				fmt.Fprintf(f, "%d %s\n", os.Getpid(), host) // for InUse alone: a full disk doesn't matter
				return &Lock{f}, nil
			}
		}
		f.Close()
	}
	return &Lock{}, nil
}

// owner returns the process that the file of a lock names.
func owner(f *os.File) string {
	var b [300]byte
	n, _ := f.ReadAt(b[:], 0)
	process, host, _ := strings.Cut(strings.TrimSpace(string(b[:n])), " ")
	if here, _ := os.Hostname(); host != "" && host != here {
		process += " on " + host
	}
	return process
}

// Release unlocks the file. A nil Lock is of no file.
func (l *Lock) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	defer temporary.remove(l.file.Name())
	return releaseLock(l.file)
}
