package report

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile writes a file by calling write, so that at path there is either
// what was there before or the whole new file: the bytes go to a file beside
// it, are synced, and take its name and permissions last. What is at path and
// isn't a regular file, such as a pipe or /dev/stdout, is written to directly.
func WriteFile(path string, write func(io.Writer) error) error {
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

	f, err := createBeside(path, old)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// CheckWritable returns an error if [WriteFile] could not write path now. It
// leaves nothing behind.
func CheckWritable(path string) error {
	path, old, err := target(path)
	if err != nil || direct(old) {
		return err
	}
	f, err := createBeside(path, old)
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
	resolved = resolve(path)
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
			return "", nil, withoutPath(err)
		}
		return resolved, old, f.Close()
	}
	return resolved, old, nil
}

// direct says whether a file has to be written to in place, because a rename
// would replace it by something of another kind.
func direct(old fs.FileInfo) bool { return old != nil && !old.Mode().IsRegular() }

// resolve follows symbolic links, also where the last one leads to a file that
// isn't there yet.
func resolve(path string) string {
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
func createBeside(path string, old fs.FileInfo) (*os.File, error) {
	mode := fs.FileMode(0o666)
	if old != nil {
		mode = old.Mode().Perm()
	}
	name := filepath.Join(filepath.Dir(path), ".rnnbench-"+rand.Text()[:10]+".tmp")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		// The name that the user knows, not the one beside it.
		return nil, fmt.Errorf("no file can be made in %s: %w", filepath.Dir(path), withoutPath(err))
	}
	if old != nil {
		if err := f.Chmod(mode); err != nil { // what the umask took away
			return nil, errors.Join(withoutPath(err), f.Close(), os.Remove(name))
		}
	}
	return f, nil
}

// withoutPath returns what went wrong, where err is the message of a call that
// names a path.
func withoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
