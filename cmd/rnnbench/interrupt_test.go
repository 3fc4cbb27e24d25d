//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/study"
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
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "ram", "--corpus", writeText(t), "--max-order", "2", "--cell", "rnn", "--hidden", "8,16",
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
	for !strings.Contains(p.stderr.String(), "3/4 RNN 8") {
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
	text := strings.Join(strings.Fields(p.stdout.String()), " ") // lines break anywhere
	for _, want := range []string{"1-gram", "2-gram", "RNN 8 *", "training was stopped", "its training cut short"} {
		if !strings.Contains(text, want) {
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
	var r study.LevelResult
	if err := json.Unmarshal(b, &r); err != nil || !r.Interrupted || len(r.Models) != 9 || !r.Models[8].Interrupted {
		t.Errorf("JSON (error %v): %s", err, b)
	}
}

func TestInterruptedReportIsWrittenAndResumed(t *testing.T) {
	dir, text := filepath.Join(t.TempDir(), "out"), writeText(t)
	args := []string{"report", "--out", dir, "--corpus", text, "--level", "char", "--max-order", "1", "--cell", "rnn", "--hidden", "8,9", "--threads", "1"}
	p := &training{cmd: exec.CommandContext(t.Context(), os.Args[0], append(args, "--budget", "1h")...)}
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
	for !strings.Contains(p.stderr.String(), "2/4 char RNN 8") {
		n, err := stderr.Read(buf)
		p.stderr.Write(buf[:n])
		if err != nil {
			t.Fatalf("ended early: %v\n%s", err, p.stderr.String())
		}
	}
	time.Sleep(500 * time.Millisecond)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&p.stderr, stderr); err != nil {
		t.Fatal(err)
	}
	if status := p.status(t); status != exitInterrupted || !strings.Contains(p.stderr.String(), "--resume") {
		t.Errorf("exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
	}
	r := readResults(t, dir)
	if len(r.Rows) != 5 || !r.Interrupted || !r.Rows[4].Interrupted {
		t.Errorf("results %+v", r)
	}
	if html, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || !strings.Contains(string(html), "stopped early") {
		t.Errorf("the page does not say that it is of half a run: error %v", err)
	}

	status, _, errText := runArgs("", append(args, "--budget", "100ms", "--resume")...)
	if r := readResults(t, dir); status != 0 || len(r.Rows) != 9 || r.Interrupted || strings.Contains(errText, "1-gram") {
		t.Errorf("resumed: exit status %d, %d rows\n%s", status, len(r.Rows), errText)
	}
}

// start runs rnnbench on a small text, until it is stopped or done.
func start(t *testing.T, args ...string) (cmd *exec.Cmd, stdout io.ReadCloser) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], append([]string{"ram", "--corpus", writeText(t), "--max-order", "1",
		"--hidden", "8", "--budget", "100ms"}, args...)...)
	cmd.Env = append(os.Environ(), asMain+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdout
}

// As with "| head -1".
func TestFilesAreWrittenWhereNobodyReadsTheTable(t *testing.T) {
	dir := t.TempDir()
	csv, svg := filepath.Join(dir, "r.csv"), filepath.Join(dir, "r.svg")
	for _, more := range [][]string{nil, {"--json", "-"}} {
		cmd, stdout := start(t, append(more, "--csv", csv, "--plot", svg)...)
		if more == nil {
			stdout.Read(make([]byte, 10))
		}
		stdout.Close()
		cmd.Wait() // ended by the closed pipe, or with an error about it
		for _, name := range []string{csv, svg} {
			if info, err := os.Stat(name); err != nil || info.Size() == 0 {
				t.Errorf("%v: no %s: %v", more, filepath.Base(name), err)
			}
			os.Remove(name)
		}
	}
}

func TestInterruptEndsWritingToAPipeThatNobodyReads(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Skip("no mkfifo here:", err)
	}
	cmd, stdout := start(t, "--json", pipe)
	defer stdout.Close()
	ended := make(chan struct{})
	go func() { // the first one may end the measuring, the next one ends the program
		for range 200 {
			select {
			case <-ended:
				return
			case <-time.After(300 * time.Millisecond):
				cmd.Process.Signal(os.Interrupt)
			}
		}
		cmd.Process.Kill()
	}()
	cmd.Wait()
	close(ended)
	if status := cmd.ProcessState.ExitCode(); status != exitInterrupted {
		t.Errorf("ended with %v, want status %d", cmd.ProcessState, exitInterrupted)
	}
}
