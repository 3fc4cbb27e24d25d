//go:build unix

package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"batchrnn/bench/speed"
)

// TestInterruptedSpeed sends Ctrl-C into a row that would last an hour.
func TestInterruptedSpeed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.json")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "speed", "--hidden", "16", "--batch", "2", "--time", "1h", "--assert", "90", "--json", file)
	cmd.Env = append(os.Environ(), asMain+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	lines.Scan() // "1/8 ..."
	time.Sleep(100 * time.Millisecond)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	for lines.Scan() {
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v, want status %d", err, exitInterrupted)
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
