//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"batchrnn/bench/speed"
)

// TestStoppedSpeedLeavesNoProcess sends Ctrl-C amid the conditions. As in a
// terminal it reaches the command and its children, which are a process group.
func TestStoppedSpeedLeavesNoProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.json")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "speed", "--neighbours", "--threads", "2",
		"--hidden", "8,9,10,11,12,13,14,15", "--batch", "1", "--time", "100ms", "--json", file)
	cmd.Env = append(os.Environ(), asMain+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	group := -cmd.Process.Pid
	watchdog := time.AfterFunc(10*time.Second, func() { syscall.Kill(group, syscall.SIGKILL) })
	defer watchdog.Stop()
	if line, err := bufio.NewReader(stderr).ReadString('\n'); err != nil { // "1/56 ..."
		t.Fatalf("it prints %q, error %v", line, err)
	}
	time.Sleep(300 * time.Millisecond) // most often beside a busy process then
	if err := syscall.Kill(group, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, stderr)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v, want status %d", err, exitInterrupted)
	}
	if err := syscall.Kill(group, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("a process is left: %v", err)
		syscall.Kill(group, syscall.SIGKILL)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r speed.Result
	decodeStrictly(t, string(b), &r)
	if !r.Interrupted {
		t.Errorf("%+v", r)
	}
}
