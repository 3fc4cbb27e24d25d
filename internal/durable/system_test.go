package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// failing is a file whose calls fail from the nth on; writes put half of what
// they get, as a disk that is full does.
type failing struct {
	file
	left *int
	with error
}

func (f failing) fails() bool { *f.left--; return *f.left < 0 }

func (f failing) Write(b []byte) (int, error) {
	if f.fails() {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, f.with
	}
	return f.file.Write(b)
}

func (f failing) Sync() error {
	if f.fails() {
		return f.with
	}
	return f.file.Sync()
}

func (f failing) Close() error {
	err := f.file.Close()
	if f.fails() {
		return f.with
	}
	return err
}

// TestWriteFileOnADiskThatFails: whatever call fails, and all after it, the file
// is what it was before or the whole new one, the error says why, and nothing else
// is left.
func TestWriteFileOnADiskThatFails(t *testing.T) {
	const before, after = "what was there", "three sections of the new file"
	write := func(w io.Writer) error {
		s, err := NewWriter(w, "\x89TESTS\r\n", 1)
		for word := range strings.FieldsSeq(after) {
			if err == nil {
				err = s.Section(strings.NewReader(word))
			}
		}
		return err
	}
	var whole strings.Builder
	if err := write(&whole); err != nil {
		t.Fatal(err)
	}
	for _, with := range []error{syscall.ENOSPC, nil} { // nil of a write is a short one
		done := false
		for n := 0; !done; n++ {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			left := n
			s := theSystem
			fails := func() bool { left--; return left < 0 }
			s.create = func(name string, mode fs.FileMode) (file, error) {
				if fails() {
					return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
				}
				f, err := theSystem.create(name, mode)
				return failing{f, &left, with}, err
			}
			s.rename = func(from, to string) error {
				if fails() {
					return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.ENOSPC}
				}
				return os.Rename(from, to)
			}
			renamed := false
			s.syncFolder = func(string) error {
				if renamed = true; fails() {
					return syscall.EIO
				}
				return nil
			}
			err := s.writeFile(path, write)
			done = left >= 0
			want := before
			if renamed {
				want = whole.String()
			}
			if got := read(t, path); got != want {
				t.Fatalf("call %d fails with %v: the file holds %q", n, with, got)
			}
			if (err == nil) && !done && with != nil || done && err != nil {
				t.Errorf("call %d fails with %v: error %v", n, with, err)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), besideSuffix)) {
				t.Errorf("error %q: want one line, without the name of the file beside", err)
			}
			if got := list(t, dir); got != "file" {
				t.Errorf("call %d fails with %v: left behind: %s", n, with, got)
			}
		}
	}
}

func TestRemoveLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("long", 60))
	err := WriteFile(path, func(w io.Writer) error {
		f := w.(nameless).w.(file)
		// As if the process ended here.
		return errors.Join(os.Link(f.Name(), f.Name()+besideSuffix), os.WriteFile(filepath.Join(dir, ".rnnbench-others.tmp"), nil, 0o600))
	})
	linked(t, err)
	if err := RemoveLeftovers(path); err != nil {
		t.Error(err)
	}
	if got := list(t, dir); got != ".rnnbench-others.tmp "+filepath.Base(path) {
		t.Errorf("left: %s", got)
	}
	if err := RemoveLeftovers(filepath.Join(dir, "none", "x")); err == nil {
		t.Error("no error for a missing folder")
	}
}

// TestErrorsNameNoFileBeside: an error of writing says why, also inside another error. It
// does not name the file beside, which nobody knows.
func TestErrorsNameNoFileBeside(t *testing.T) {
	s := theSystem
	s.create = func(name string, mode fs.FileMode) (file, error) {
		f, err := theSystem.create(name, mode)
		return failing{f, new(int), &fs.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}}, err
	}
	err := s.writeFile(filepath.Join(t.TempDir(), "m.lm"), func(w io.Writer) error {
		_, err := io.WriteString(w, "the model")
		return fmt.Errorf("writing the model: %w", err)
	})
	if want := "writing the model: " + syscall.ENOSPC.Error(); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
