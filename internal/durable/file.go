package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WriteFile writes a file by calling write. At any moment, path holds either the old
// content or the complete new one. The bytes go to a file beside it with the old file's
// permissions. That file is synced, then renamed to path. Then the folder is synced, so
// that the name survives a loss of power. If path is not a regular file, such as a pipe
// or /dev/stdout, it is written to directly.
func WriteFile(path string, write func(io.Writer) error) error {
	return theSystem.writeFile(path, write)
}

func (s system) writeFile(path string, write func(io.Writer) error) error {
	path, old, err := target(path)
	if err != nil {
		return err
	}
	if direct(old) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(nameless{f}), f.Close())
	}

	f, err := s.createBeside(path, old)
	if err != nil {
		return err
	}
	defer temporary.remove(f.Name())
	err = write(nameless{f})
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = s.rename(f.Name(), path)
	}
	if err == nil {
		return s.syncFolder(filepath.Dir(path))
	}
	switch e := err.(type) { // the error names the file beside path, which the user doesn't know
	case *fs.PathError:
		err = e.Err
	case *os.LinkError:
		err = e.Err
	}
	return errors.Join(err, os.Remove(f.Name()))
}

// nameless forwards to a writer. Its errors name no file: the user doesn't know the one
// beside path, and callers name path themselves.
type nameless struct{ w io.Writer }

func (n nameless) Write(b []byte) (int, error) {
	written, err := n.w.Write(b)
	return written, WithoutPath(err)
}

// RemoveLeftovers removes the files that a killed [WriteFile] of path left beside it.
// No other process may write path.
func RemoveLeftovers(path string) error {
	path, old, err := target(path)
	if err != nil || direct(old) {
		return err
	}
	prefix := besidePrefix(path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && strings.HasSuffix(e.Name(), besideSuffix) && e.Type().IsRegular() {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(path), e.Name())))
		}
	}
	return err
}

// CheckWritable returns an error if [WriteFile] could not write path now. It leaves no
// file behind.
func CheckWritable(path string) error {
	path, old, err := target(path)
	if err != nil || direct(old) {
		return err
	}
	f, err := theSystem.createBeside(path, old)
	if err != nil {
		return err
	}
	defer temporary.remove(f.Name())
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// target follows path if it is a symbolic link. old describes the file there, nil if
// there is none. A read-only regular file is an error, because the rename would replace
// it without asking.
func target(path string) (resolved string, old fs.FileInfo, err error) {
	if path == "" {
		return "", nil, errors.New("no file name")
	}
	resolved = Resolve(path)
	old, err = os.Stat(resolved)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent := filepath.Dir(resolved)
		if info, err := os.Stat(parent); err != nil || !info.IsDir() {
			return "", nil, fmt.Errorf("there is no folder %s", parent)
		}
		return resolved, nil, nil
	case err != nil:
		return "", nil, err
	case old.IsDir():
		return "", nil, fmt.Errorf("%s is a folder", path)
	case old.Mode().IsRegular():
		f, err := os.OpenFile(resolved, os.O_WRONLY, 0)
		if err != nil {
			return "", nil, WithoutPath(err)
		}
		return resolved, old, f.Close()
	}
	return resolved, old, nil
}

// direct reports whether a file must be written in place, because a rename would
// replace it by one of another kind.
func direct(old fs.FileInfo) bool { return old != nil && !old.Mode().IsRegular() }

// Resolve follows symbolic links. The last one may lead to a missing file.
func Resolve(path string) string {
	for range 40 { // Linux's own limit
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			return resolved
		}
		// /dev/stdout may lead to a pipe, whose link target is not a path.
		if _, err := os.Stat(path); err == nil {
			return path
		}
		link, err := os.Readlink(path)
		if err != nil {
			break // usually a missing file
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// createBeside creates a file of a unique name in path's folder, with the permissions
// of the old file. Without an old file they follow the user's umask, unlike
// os.CreateTemp's, because this file will be the final one.
func (s system) createBeside(path string, old fs.FileInfo) (file, error) {
	mode := fs.FileMode(0o666)
	if old != nil {
		mode = old.Mode().Perm()
	}
	name := filepath.Join(filepath.Dir(path), besidePrefix(path)+rand.Text()[:10]+besideSuffix)
	temporary.add(name)
	f, err := s.create(name, mode)
	if err != nil {
		temporary.remove(name)
		// The error names path's folder, which the user knows.
		return nil, fmt.Errorf("no file can be made in %s: %w", filepath.Dir(path), WithoutPath(err))
	}
	if old != nil {
		if err := f.Chmod(mode); err != nil { // restores what the umask removed
			defer temporary.remove(name)
			return nil, errors.Join(WithoutPath(err), f.Close(), os.Remove(name))
		}
	}
	return f, nil
}

// besidePrefix returns the prefix of the names of files beside path, so that a later
// process can find them. It is a hash, because a long name would not fit.
func besidePrefix(path string) string {
	return fmt.Sprintf(".rnnbench-%08x-", crc32.Checksum([]byte(filepath.Base(path)), castagnoli))
}

const besideSuffix = ".tmp"
