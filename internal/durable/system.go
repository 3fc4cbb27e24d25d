package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// A system is what [WriteFile] asks of the operating system. In tests it fails.
type system struct {
	create     func(name string, mode fs.FileMode) (file, error)
	rename     func(from, to string) error
	syncFolder func(path string) error
}

type file interface {
	io.WriteCloser
	Name() string
	Chmod(fs.FileMode) error
	Sync() error
}

var theSystem = system{
	create: func(name string, mode fs.FileMode) (file, error) {
		return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	},
	rename:     os.Rename,
	syncFolder: syncFolder,
}

// syncFolder makes the names in a folder outlive a loss of power, where the
// system knows how to.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // where a folder can't be opened for that
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil // a folder may be for writing only
	}
	err = f.Sync()
	f.Close()
	if err == nil || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("written, but its folder can't be synced: %w", WithoutPath(err))
}

// WithoutPath returns what went wrong, where err is the message of a call that
// names a path.
func WithoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
