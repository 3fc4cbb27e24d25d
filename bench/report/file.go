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
// it, are synced, and take its name last. What is at path and isn't a regular
// file, such as a pipe or /dev/stdout, is written to directly.
func WriteFile(path string, write func(io.Writer) error) error {
	path, direct, err := target(path)
	if err != nil {
		return err
	}
	if direct {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}

	f, err := createBeside(path)
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
	path, direct, err := target(path)
	if err != nil || direct {
		return err
	}
	f, err := createBeside(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// target follows path if it is a symbolic link, and says whether what it finds
// has to be written to directly because a rename would replace it by something
// of another kind.
func target(path string) (resolved string, direct bool, err error) {
	if path == "" {
		return "", false, errors.New("no file name")
	}
	if resolved, err = filepath.EvalSymlinks(path); err != nil {
		resolved = path // most often a file that isn't there yet
	}
	info, err := os.Stat(resolved)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent := filepath.Dir(resolved)
		if info, err := os.Stat(parent); err != nil || !info.IsDir() {
			return "", false, fmt.Errorf("there is no folder %s", parent)
		}
		return resolved, false, nil
	case err != nil:
		return "", false, err
	case info.IsDir():
		return "", false, fmt.Errorf("%s is a folder", path)
	}
	return resolved, !info.Mode().IsRegular(), nil
}

// createBeside makes a new file with a name of its own in path's folder. Unlike
// os.CreateTemp it leaves the permissions to the user's umask, since this file
// is the one that stays.
func createBeside(path string) (*os.File, error) {
	name := ".rnnbench-" + rand.Text()[:10] + ".tmp"
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		// The name that the user knows, not the one beside it.
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, fmt.Errorf("no file can be made in %s: %w", filepath.Dir(path), err)
	}
	return f, nil
}
