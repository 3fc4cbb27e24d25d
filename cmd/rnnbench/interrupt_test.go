//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batchrnn/bench"
)

// A training is a running rnnbench with an hour of training before it.
type training struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	json           string
}

// startTraining starts rnnbench and waits until it trains an RNN.
func startTraining(t *testing.T) *training {
	t.Helper()
	p := &training{json: filepath.Join(t.TempDir(), "r.json")}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "ram", "--corpus", writeText(t), "--max-order", "2", "--hidden", "8,16",
		"--budget", "1h", "--json", p.json)
	p.cmd.Env = append(os.Environ(), asMain+"=1")
	p.cmd.Stdout = &p.stdout
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<10)
	for !strings.Contains(p.stderr.String(), "2/4 2-gram") {
		n, err := stderr.Read(buf)
		p.stderr.Write(buf[:n])
		if err != nil {
			t.Fatalf("ended early: %v\n%s", err, p.stderr.String())
		}
	}
	time.Sleep(500 * time.Millisecond)
	return p
}

// status waits for the end, which must be near.
func (p *training) status(t *testing.T) int {
	t.Helper()
	watchdog := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
	defer watchdog.Stop()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("ended with %v, want an exit status", err)
	}
	return exit.ExitCode()
}

func TestInterruptPrintsWhatWasMeasured(t *testing.T) {
	p := startTraining(t)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := p.status(t); status != exitInterrupted {
		t.Errorf("exit status %d, want %d\n%s", status, exitInterrupted, p.stderr.String())
	}
	for _, want := range []string{"1-gram", "2-gram", "RNN 8 *", "training was stopped", "its training cut short"} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, p.stdout.String())
		}
	}
	if strings.Contains(p.stdout.String(), "RNN 16") {
		t.Error("a model that was never trained is in the table")
	}
	b, err := os.ReadFile(p.json)
	if err != nil {
		t.Fatal(err)
	}
	var r bench.Result
	if err := json.Unmarshal(b, &r); err != nil || !r.Interrupted || len(r.Models) != 3 || !r.Models[2].Interrupted {
		t.Errorf("JSON (error %v): %s", err, b)
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	p := startTraining(t)
	// The second signal may find the program done already; either way it ends.
	p.cmd.Process.Signal(os.Interrupt)
	time.Sleep(50 * time.Millisecond)
	p.cmd.Process.Signal(os.Interrupt)
	if status := p.status(t); status != -1 && status != exitInterrupted {
		t.Errorf("exit status %d", status)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(p.json), ".*")); len(left) > 0 {
		t.Logf("left aside: %v", left)
	}
}
