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

// A system holds the system calls of [WriteFile]. Tests make them fail.
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

// syncFolder makes the names in a folder survive a loss of power, on systems that
// support it.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // Windows can't open a folder for syncing
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil // a folder may be write-only
	}
	err = f.Sync()
	f.Close()
	if err == nil || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("written, but its folder can't be synced: %w", WithoutPath(err))
}

// WithoutPath returns the cause of err without the path and call that err names.
func WithoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
