package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WriteFolder writes a folder by calling write with an empty one beside it, which takes
// the name path once write has succeeded. A folder that was at path is removed then. On
// Linux the two change names at once. Elsewhere there is no folder at path between two
// renames: a process that is killed just there leaves both under hidden names. write syncs
// its files.
//
// It locks path as [NewLock] does. It first removes what a killed WriteFolder of path
// left. It refuses the working folder, and on Linux one where a file system is mounted,
// before it calls write.
func WriteFolder(path string, write func(folder string) error) (err error) {
	path = Resolve(filepath.Clean(path))
	parent := filepath.Dir(path)
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s", parent)
	}
	if err := checkReplaceable(path); err != nil {
		return err
	}
	lock, err := newLock(path)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := removeFoldersBeside(path); err != nil {
		return err
	}
	beside := func() string {
		return filepath.Join(parent, besidePrefix(path)+rand.Text()[:10]+besideSuffix)
	}
	made := beside()
	temporary.add(made)
	defer temporary.remove(made)
	if err := os.Mkdir(made, 0o777); err != nil {
		return fmt.Errorf("no folder can be made in %s: %w", parent, WithoutPath(err))
	}
	defer os.RemoveAll(made) // once it is renamed, there is none
	if err := write(made); err != nil {
		return err
	}
	if err := syncFolder(made); err != nil {
		return err
	}
	temporary.remove(made) // a signal must not remove what is about to have the name
	old, err := replaceFolder(made, path, beside)
	if err != nil {
		return err
	}
	err = syncFolder(parent) // before anything of the old folder is lost
	if removed := os.RemoveAll(old); removed != nil {
		return fmt.Errorf("written, but the folder before it can't be removed: %w", WithoutPath(removed))
	}
	return err
}

// checkReplaceable returns an error if the folder at path can't be renamed, or should not
// be. That there is none is no error.
func checkReplaceable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // the renames will tell
	}
	if here, err := os.Stat("."); err == nil && os.SameFile(info, here) {
		return errors.New("it is the folder that this program runs in, which would be gone")
	}
	if isMount(path) {
		return errors.New("a file system is mounted there, and so it gets no other name")
	}
	return nil
}

// replaceFolder renames a folder to path. It returns the name that the folder before now
// has, which may be none.
func replaceFolder(made, path string, beside func() string) (old string, err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return made, withoutLink(os.Rename(made, path))
	}
	if exchange(made, path) == nil {
		return made, nil
	}
	return renameFolders(made, path, beside)
}

// renameFolders is replaceFolder where names can't be exchanged.
func renameFolders(made, path string, beside func() string) (old string, err error) {
	old = beside()
	if err := os.Rename(path, old); err != nil {
		return "", withoutLink(err)
	}
	if err := os.Rename(made, path); err != nil {
		return "", errors.Join(withoutLink(err), os.Rename(old, path))
	}
	return old, nil
}

// withoutLink returns the cause of an error of a rename.
func withoutLink(err error) error {
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}

// removeFoldersBeside removes the folders that a killed [WriteFolder] left.
func removeFoldersBeside(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	prefix := besidePrefix(path)
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) && strings.HasSuffix(e.Name(), besideSuffix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(filepath.Dir(path), e.Name())))
		}
	}
	return err
}
