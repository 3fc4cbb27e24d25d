//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEndedTrainingGoesOn ends a training by kill -9, then by Ctrl-C, and compares
// the file that comes out with that of one that was never ended. All files lie in the
// folder of the corpus, which a training again must find to be the same.
func TestEndedTrainingGoesOn(t *testing.T) {
	dir := filepath.Dir(writeText(t))
	at := func(name string) string { return filepath.Join(dir, name) }
	args := func(out string, more ...string) []string {
		return append([]string{"train", "--corpus", dir, "--hidden", "8", "--epochs", "50", "--dropout", "0.1", "--out", out}, more...)
	}
	if status, _, stderr := runArgs("", args(at("whole.lm"), "--threads", "1")...); status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	checkpointed := args(at("m.lm"), "--checkpoint", at("c"), "--every", "1ms")
	for _, signal := range []os.Signal{os.Kill, os.Interrupt} {
		p := &training{cmd: exec.CommandContext(t.Context(), os.Args[0], checkpointed...)}
		p.cmd.Env = append(os.Environ(), asMain+"=1")
		p.cmd.Stderr = &p.stderr
		var before os.FileInfo
		if signal == os.Interrupt {
			before, _ = os.Stat(at("c"))
		}
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			now, err := os.Stat(at("c"))
			if err == nil && (before == nil || !os.SameFile(before, now)) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no checkpoint: %v\n%s", err, p.stderr.String())
			}
		}
		p.cmd.Process.Signal(signal)
		if err := p.cmd.Wait(); err == nil {
			t.Skip("the training was done before the signal came")
		}
		switch status := p.cmd.ProcessState.ExitCode(); {
		case signal == os.Kill && status != -1:
			t.Fatalf("exit status %d\n%s", status, p.stderr.String())
		case signal == os.Interrupt && (status != exitInterrupted || !strings.Contains(p.stderr.String(), "goes on from")):
			t.Errorf("exit status %d\n%s", status, p.stderr.String())
		}
	}
	// A training of another cell leaves the checkpoint as it is.
	other := append(slices.Clone(checkpointed), "--cell", "lstm")
	if status, _, stderr := runArgs("", other...); status != 1 || strings.Contains(strings.TrimSpace(stderr), "\n") || !strings.Contains(stderr, "cell rnn") || !strings.Contains(stderr, "lstm") {
		t.Errorf("resumed with another cell: exit status %d\n%s", status, stderr)
	}
	status, stdout, stderr := runArgs("", checkpointed...)
	if status != 0 || !strings.Contains(stdout, "resumed after") {
		t.Fatalf("exit status %d\n%s%s", status, stdout, stderr)
	}
	want, err := os.ReadFile(at("whole.lm"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(at("m.lm")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the model is another one: error %v", err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 3 {
		t.Errorf("left behind: %v %v", names, err)
	}
}
