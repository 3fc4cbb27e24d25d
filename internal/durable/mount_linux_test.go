package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestIsMount(t *testing.T) {
	for path, want := range map[string]bool{"/proc": true, "/": true, "/proc/self": false, t.TempDir(): false, "/missing": false} {
		if got := isMount(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if err := WriteFolder("/proc", func(string) error { panic("is written") }); err == nil {
		t.Error("no error")
	}
}

// TestReplaceFolderAtOnce: there is a folder at the path at any time.
func TestReplaceFolderAtOnce(t *testing.T) {
	dir := t.TempDir()
	made, path := filepath.Join(dir, "made"), filepath.Join(dir, "path")
	for _, name := range []string{made, path} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := writeName(name)(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := exchange(made, path); err != nil {
		t.Skipf("this file system can't: %v", err)
	}
	old, err := replaceFolder(made, path, func() string {
		t.Error("the folder is renamed first")
		return filepath.Join(dir, "old")
	})
	if got, readErr := os.ReadFile(filepath.Join(path, "file")); err != nil || readErr != nil || old != made || string(got) != path {
		t.Errorf("%q, the one before is at %q, errors %v, %v", got, old, err, readErr)
	}
}
