package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// list returns the names in dir, hidden ones included.
func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestWriteFileIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.json")
	put := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	if err := WriteFile(path, put("first")); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, put("second")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := WriteFile(path, func(w io.Writer) error {
		io.WriteString(w, "half of the thi")
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got := read(t, path); got != "second" {
		t.Errorf("after a failed write the file holds %q", got)
	}
	if got := list(t, dir); got != "out.json" {
		t.Errorf("left behind: %s", got)
	}
}

func TestWriteFileFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	linked(t, os.Symlink(real, link))
	if err := WriteFile(link, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", info, err)
	}
	if got := read(t, real); got != "new" {
		t.Errorf("the link's target holds %q", got)
	}
}

func TestWriteFileToADevice(t *testing.T) {
	before, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckWritable(os.DevNull); err != nil {
		t.Error(err)
	}
	if err := WriteFile(os.DevNull, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(os.DevNull); err != nil || after.Mode() != before.Mode() {
		t.Errorf("%s was replaced: %v %v", os.DevNull, after, err)
	}
}

func TestCheckWritable(t *testing.T) {
	dir := t.TempDir()
	if err := CheckWritable(filepath.Join(dir, "new.csv")); err != nil {
		t.Error(err)
	}
	if got := list(t, dir); got != "" {
		t.Errorf("left behind: %s", got)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing", "x.csv")
	for path, want := range map[string]string{
		"":                         "no file name",
		dir:                        "is a folder",
		missing:                    "there is no folder " + filepath.Dir(missing),
		filepath.Join(file, "x"):   "",
		filepath.Join(dir, "\x00"): "",
	} {
		if err := CheckWritable(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckWritable(%q): error %v, want one with %q", path, err, want)
		}
	}
	if os.Getuid() == 0 {
		return // who may write everywhere
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if err := CheckWritable(filepath.Join(dir, "new.csv")); err == nil {
		t.Error("a read-only folder passed")
	}
}

func TestWriteFileKeepsPermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }
	if err := WriteFile(path, put); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || after.Mode() != before.Mode() {
		t.Errorf("permissions %v became %v (error %v)", before.Mode(), after.Mode(), err)
	}
	if os.Getuid() == 0 {
		return // who may write everything
	}
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	if CheckWritable(path) == nil || WriteFile(path, func(io.Writer) error { return nil }) == nil {
		t.Error("a read-only file passed")
	}
	if got := read(t, path); got != "new" {
		t.Errorf("the read-only file holds %q", got)
	}
}

func TestWriteFileThroughADanglingLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	linked(t, os.Symlink(filepath.Join("sub", "new"), link))
	if err := CheckWritable(link); err != nil {
		t.Error(err)
	}
	if err := WriteFile(link, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "sub", "new")); got != "x" {
		t.Errorf("the link's target holds %q", got)
	}
	if err := os.Symlink("round", filepath.Join(dir, "round")); err != nil {
		t.Fatal(err)
	}
	if err := CheckWritable(filepath.Join(dir, "round")); err == nil {
		t.Error("a link to itself passed")
	}
}

// linked wants err, of making a link, to be nil. Only Windows may refuse one.
func linked(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	t.Skip("links need a privilege on Windows:", err)
}
