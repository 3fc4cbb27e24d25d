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

// WriteFile writes a file by calling write, so that at path there is either
// what was there before or the whole new file: the bytes go to a file beside
// it, are synced, and take its name and permissions last; then the folder is
// synced, so that the name outlives a loss of power. What is at path and isn't a
// regular file, such as a pipe or /dev/stdout, is written to directly.
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
		return errors.Join(write(f), f.Close())
	}

	f, err := s.createBeside(path, old)
	if err != nil {
		return err
	}
	err = write(f)
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
	switch e := err.(type) { // the name in it is one that the user doesn't know
	case *fs.PathError:
		err = e.Err
	case *os.LinkError:
		err = e.Err
	}
	return errors.Join(err, os.Remove(f.Name()))
}

// RemoveLeftovers removes what a process that was killed in [WriteFile] of path
// has left beside it. It is for a path that no other process writes.
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

// CheckWritable returns an error if [WriteFile] could not write path now. It
// leaves nothing behind.
func CheckWritable(path string) error {
	path, old, err := target(path)
	if err != nil || direct(old) {
		return err
	}
	f, err := theSystem.createBeside(path, old)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// target follows path if it is a symbolic link, and describes what it finds
// there: nil is nothing yet. A regular file may be written to, or there is an
// error: a rename would replace a read-only one without asking.
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

// direct says whether a file has to be written to in place, because a rename
// would replace it by something of another kind.
func direct(old fs.FileInfo) bool { return old != nil && !old.Mode().IsRegular() }

// Resolve follows symbolic links, also where the last one leads to a file that
// isn't there yet.
func Resolve(path string) string {
	for range 40 { // what Linux allows, too
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			return resolved
		}
		// /dev/stdout may lead to a pipe, whose name leads nowhere.
		if _, err := os.Stat(path); err == nil {
			return path
		}
		link, err := os.Readlink(path)
		if err != nil {
			break // most often a file that isn't there yet
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

// createBeside makes a new file with a name of its own in path's folder, with
// the permissions of the old file. Where there is none it leaves them to the
// user's umask, unlike os.CreateTemp, since this file is the one that stays.
func (s system) createBeside(path string, old fs.FileInfo) (file, error) {
	mode := fs.FileMode(0o666)
	if old != nil {
		mode = old.Mode().Perm()
	}
	name := filepath.Join(filepath.Dir(path), besidePrefix(path)+rand.Text()[:10]+besideSuffix)
	f, err := s.create(name, mode)
	if err != nil {
		// The name that the user knows, not the one beside it.
		return nil, fmt.Errorf("no file can be made in %s: %w", filepath.Dir(path), WithoutPath(err))
	}
	if old != nil {
		if err := f.Chmod(mode); err != nil { // what the umask took away
			return nil, errors.Join(WithoutPath(err), f.Close(), os.Remove(name))
		}
	}
	return f, nil
}

// besidePrefix begins the names of the files that are to take path's name, so that
// a later process can tell whose they were; a long name would not fit in there.
func besidePrefix(path string) string {
	return fmt.Sprintf(".rnnbench-%08x-", crc32.Checksum([]byte(filepath.Base(path)), castagnoli))
}

const besideSuffix = ".tmp"
