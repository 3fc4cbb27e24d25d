//go:build unix

package neighbour

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// wantNoChild fails if this process has a child.
func wantNoChild(t *testing.T, when string) {
	t.Helper()
	pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	if !errors.Is(err, syscall.ECHILD) {
		t.Errorf("%s: a child is left: %d, error %v", when, pid, err)
	}
}

// TestProcessEndsWithItsParent closes the pipe, as the death of the parent does.
func TestProcessEndsWithItsParent(t *testing.T) {
	for _, niceness := range []int{0, lowest} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+strconv.Itoa(niceness))
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(stdout).ReadString('\n'); line != busyLine {
			t.Errorf("niceness %d: the process prints %q, error %v", niceness, line, err)
		}
		if runtime.GOOS == "linux" && niceness != 0 && !hasThread(t, cmd.Process.Pid, niceness) {
			t.Errorf("no thread has the niceness %d", niceness)
		}
		// Ctrl-C in a terminal reaches the child as well.
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("niceness %d: the process ends with %v", niceness, err)
		}
	}
	wantNoChild(t, "after both")
}

// hasThread reports whether a thread of the process has the niceness.
func hasThread(t *testing.T, pid, niceness int) bool {
	t.Helper()
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	if err != nil || len(threads) == 0 {
		if runtime.GOOS == "linux" {
			t.Fatal("no threads can be seen:", err)
		}
		t.Skip("no threads can be seen:", err)
	}
	for _, name := range threads {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // a thread may have ended
		}
		_, after, _ := strings.Cut(string(b), ") ") // the name may hold blanks
		if fields := strings.Fields(after); len(fields) > 16 && fields[16] == strconv.Itoa(niceness) {
			return true
		}
	}
	return false
}
