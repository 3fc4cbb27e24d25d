package durable

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// holdEnv, set in the environment, is the file that TestLockToHold locks.
const holdEnv = "DURABLE_TEST_HOLD"

// TestLockToHold is the other process of TestLockOfAnotherProcess.
func TestLockToHold(t *testing.T) {
	path := os.Getenv(holdEnv)
	if path == "" {
		t.Skip("runs in a process of its own")
	}
	if _, err := NewLock(path); err != nil {
		t.Fatal(err)
	}
	fmt.Println("locked")
	os.Stdin.Read(make([]byte, 1))
}

func TestLockOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, strings.Repeat("long", 60)), filepath.Join(dir, "link")
	linked(t, os.Symlink(path, link))
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLockToHold$")
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "locked\n" {
		t.Fatalf("it prints %q, error %v", line, err)
	}
	for _, name := range []string{path, link} {
		_, err := NewLock(name)
		if inUse, ok := errors.AsType[*InUse](err); !ok || inUse.Process != strconv.Itoa(cmd.Process.Pid) || !strings.Contains(err.Error(), inUse.Process) {
			t.Errorf("error %v, want one that names process %d", err, cmd.Process.Pid)
		}
	}
	other, err := NewLock(filepath.Join(dir, "other"))
	if err != nil {
		t.Errorf("another file: %v", err)
	}
	if err := other.Release(); err != nil {
		t.Error(err)
	}
	// A process that is killed leaves the file of its lock, but not the lock.
	cmd.Process.Kill()
	cmd.Wait()
	if left := list(t, dir); !strings.HasSuffix(left, lockSuffix+" link") {
		t.Errorf("files %q", left)
	}
	lock, err := NewLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
	if left := list(t, dir); left != "link" {
		t.Errorf("left behind: %s", left)
	}
}

// TestLock: one of many holds the lock at any moment, also while it is released.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	held, done := make(chan bool, 1), make(chan error)
	const workers, rounds = 4, 200
	for range workers {
		go func() {
			for range rounds {
				lock, err := NewLock(path)
				if err != nil {
					if _, ok := errors.AsType[*InUse](err); !ok {
						done <- err
						return
					}
					continue
				}
				select {
				case held <- true:
				default:
					done <- errors.New("two hold it")
					return
				}
				<-held
				if err := lock.Release(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range workers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if lock, err := NewLock(os.DevNull); err != nil || lock.Release() != nil {
		t.Errorf("a device: error %v", err)
	}
	if _, err := NewLock(filepath.Join(path, "none", "file")); err == nil {
		t.Error("no error for a missing folder")
	}
	var none *Lock
	if err := none.Release(); err != nil {
		t.Error(err)
	}
}

// TestRemoveTemporary: a process that ends in the middle of its work removes what it was
// writing and its locks, and nothing else.
func TestRemoveTemporary(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	put := func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }
	if err := errors.Join(WriteFile(path, put), CheckWritable(filepath.Join(dir, "new"))); err != nil {
		t.Fatal(err)
	}
	lock, err := NewLock(path)
	if err != nil {
		t.Fatal(err)
	}
	WriteFile(path, func(io.Writer) error {
		if got := list(t, dir); strings.Count(got, ".rnnbench-") != 2 {
			t.Errorf("files %q, want the lock and the one that is written", got)
		}
		RemoveTemporary()
		if got := list(t, dir); got != "file" && !strings.Contains(got, lockSuffix) { // Windows removes no open file
			t.Errorf("files %q", got)
		}
		return errors.New("the process would have ended")
	})
	lock.Release()
	RemoveTemporary()
	if got := list(t, dir); got != "file" {
		t.Errorf("files %q", got)
	}
}

func TestFreeSpace(t *testing.T) {
	dir := t.TempDir()
	inFolder, known := FreeSpace(dir)
	if !known {
		t.Skip("this file system doesn't tell")
	}
	ofFile, knownToo := FreeSpace(filepath.Join(dir, "new"))
	// Others write too.
	if !knownToo || inFolder <= 0 || ofFile < inFolder/2 || ofFile > 2*inFolder {
		t.Errorf("%d bytes in the folder, %d for a file in it", inFolder, ofFile)
	}
	for _, path := range []string{os.DevNull, filepath.Join(dir, "none", "file")} {
		if bytes, known := FreeSpace(path); known {
			t.Errorf("%s: %d bytes", path, bytes)
		}
	}
}
