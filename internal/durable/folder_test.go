package durable

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// writeName returns a writer of a folder with one file of that content.
func writeName(content string) func(folder string) error {
	return func(folder string) error {
		return os.WriteFile(filepath.Join(folder, "file"), []byte(content), 0o600)
	}
}

func TestWriteFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "folder")
	holds := func(want string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil || want != "" && (len(entries) != 1 || entries[0].Name() != "folder") || want == "" && len(entries) > 0 {
			t.Errorf("%v, error %v", entries, err)
		}
		if got, err := os.ReadFile(filepath.Join(path, "file")); want != "" && (err != nil || string(got) != want) {
			t.Errorf("%q, error %v, want %q", got, err, want)
		}
	}
	failure := errors.New("failure")
	failing := func(folder string) error { return errors.Join(writeName("half")(folder), failure) }
	if err := WriteFolder(path, failing); !errors.Is(err, failure) {
		t.Error(err)
	}
	holds("")
	for _, content := range []string{"first", "second"} {
		if err := WriteFolder(path, writeName(content)); err != nil {
			t.Fatal(err)
		}
		holds(content)
	}
	if err := WriteFolder(path, failing); !errors.Is(err, failure) {
		t.Error(err)
	}
	holds("second")

	// What a killed one left is removed, and a writer at work is not disturbed.
	left := filepath.Join(dir, besidePrefix(path)+"ABCDEFGHIJ"+besideSuffix)
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	err := WriteFolder(path+string(filepath.Separator), func(folder string) error {
		if _, err := os.Stat(left); err == nil {
			t.Error("what was left is still there")
		}
		if err := WriteFolder(path, writeName("other")); err == nil || !strings.Contains(err.Error(), "is writing it") {
			t.Errorf("a second writer: error %v", err)
		}
		return writeName("third")(folder)
	})
	if err != nil {
		t.Error(err)
	}
	holds("third")
	if err := WriteFolder(filepath.Join(dir, "none", "x"), writeName("x")); err == nil || !strings.Contains(err.Error(), "there is no folder") {
		t.Error(err)
	}
}

// A signal in the middle of the work removes all of the folder.
func TestRemoveTemporaryFolder(t *testing.T) {
	dir := t.TempDir()
	err := WriteFolder(filepath.Join(dir, "folder"), func(folder string) error {
		if err := writeName("x")(folder); err != nil {
			return err
		}
		RemoveTemporary()
		if _, err := os.Stat(folder); err == nil {
			t.Error("it is still there")
		}
		return errors.New("stopped")
	})
	if err == nil {
		t.Error("no error")
	}
}

// Without a call that exchanges names, a folder is replaced too.
func TestReplaceFolderByRenames(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"made", "path"} {
		if err := os.Mkdir(at(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := writeName(name)(at(name)); err != nil {
			t.Fatal(err)
		}
	}
	old, err := renameFolders(at("made"), at("path"), func() string { return at("old") })
	if err != nil || old != at("old") {
		t.Fatal(old, err)
	}
	for name, want := range map[string]string{"path": "made", "old": "path"} {
		if got, err := os.ReadFile(filepath.Join(at(name), "file")); err != nil || string(got) != want {
			t.Errorf("%s holds %q, error %v", name, got, err)
		}
	}
	if _, err := renameFolders(at("none"), at("path"), func() string { return at("older") }); err == nil {
		t.Error("no error")
	}
	if got, err := os.ReadFile(filepath.Join(at("path"), "file")); err != nil || string(got) != "made" {
		t.Errorf("after a failure it holds %q, error %v", got, err)
	}
}

// The working folder is refused before anything is written, under any name.
func TestWriteFolderHere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "here")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, path := range []string{".", dir, filepath.Join("..", "here")} {
		err := WriteFolder(path, func(string) error {
			t.Errorf("%s: is written", path)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "runs in") {
			t.Errorf("%s: error %v", path, err)
		}
	}
	for _, folder := range []string{dir, filepath.Dir(dir)} {
		if entries, err := os.ReadDir(folder); err != nil || len(entries) > 1 {
			t.Errorf("%v, error %v", entries, err)
		}
	}
}

// RemoveTemporary removes a folder in which files are made meanwhile.
func TestRemoveTemporaryOfAWriter(t *testing.T) {
	for range 20 {
		var writing sync.WaitGroup
		err := WriteFolder(filepath.Join(t.TempDir(), "folder"), func(folder string) error {
			begun := make(chan bool)
			writing.Go(func() {
				for i := 0; ; i++ {
					f, err := os.Create(filepath.Join(folder, strconv.Itoa(i)))
					if err != nil { // the folder is gone
						return
					}
					f.Close()
					if i == 100 {
						close(begun)
					}
				}
			})
			<-begun
			RemoveTemporary()
			writing.Wait()
			return errors.New("stopped")
		})
		if err == nil {
			t.Error("no error")
		}
	}
}
