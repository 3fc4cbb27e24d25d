//go:build linux && (amd64 || arm64) && !nompi

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eachMpirun runs f with each mpirun that is installed.
func eachMpirun(t *testing.T, f func(t *testing.T, mpirun string)) {
	for _, mpirun := range []string{"mpirun.openmpi", "mpirun.mpich"} {
		t.Run(mpirun, func(t *testing.T) {
			if _, err := exec.LookPath(mpirun); err != nil {
				if os.Getenv("BATCHRNN_REQUIRE_MPI") != "" {
					t.Fatalf("%s is not installed, and BATCHRNN_REQUIRE_MPI is set", mpirun)
				}
				t.Skipf("%s is not installed: rnnbench is not tested with it (apt-get install openmpi-bin mpich)", mpirun)
			}
			f(t, mpirun)
		})
	}
}

// startRanks starts rnnbench in n ranks, in a folder.
func startRanks(t *testing.T, mpirun, dir string, n int, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	launch := []string{"-np", strconv.Itoa(n), exe}
	if mpirun == "mpirun.openmpi" {
		launch = append([]string{"--oversubscribe"}, launch...)
	}
	p := &process{Cmd: exec.CommandContext(t.Context(), mpirun, append(launch, args...)...), t: t, ended: make(chan struct{})}
	p.Dir = dir
	p.Env = append(os.Environ(), asMain+"=1", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	p.WaitDelay = 5 * time.Second // a rank that is left holds the pipes
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Wait()
		close(p.ended)
	}()
	return p
}

// complaints returns the lines of standard error that are rnnbench's.
func (p *process) complaints() (lines []string) {
	for line := range strings.Lines(p.stderr.String()) {
		if strings.HasPrefix(line, "rnnbench: ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// pids returns the processes of rnnbench that mpirun has started in a folder, by rank.
func pids(t *testing.T, dir string) map[int]int {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	ranks := map[int]int{}
	for _, file := range found {
		of := filepath.Dir(file)
		cwd, _ := os.Readlink(of + "/cwd")
		exe, _ := os.Readlink(of + "/exe")
		own, _ := os.Executable()
		env, err := os.ReadFile(file)
		if err != nil || cwd != dir || exe != own {
			continue // ended, or another
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			for _, name := range []string{"OMPI_COMM_WORLD_RANK=", "PMI_RANK="} {
				if rank, ok := bytes.CutPrefix(v, []byte(name)); ok {
					n, err := strconv.Atoi(string(rank))
					pid, pidErr := strconv.Atoi(filepath.Base(of))
					if err == nil && pidErr == nil {
						ranks[n] = pid
					}
				}
			}
		}
	}
	return ranks
}

// rankFlags are those of a training that takes a second or two, with a checkpoint.
var rankFlags = strings.Fields("train --corpus text.txt --hidden 12 --batch 8 --quiet --every 50ms --checkpoint c --out m.lm --epochs")

// TestRanksOfMpirun: any number of ranks gives the file of one process. One prints.
func TestRanksOfMpirun(t *testing.T) {
	dir := filepath.Dir(writeText(t))
	if status, _, stderr := runIn(t, dir, append(rankFlags, "2", "--shards", "8")...); status != exitOK {
		t.Fatal(stderr)
	}
	want, err := os.ReadFile(filepath.Join(dir, "m.lm"))
	if err != nil {
		t.Fatal(err)
	}
	eachMpirun(t, func(t *testing.T, mpirun string) {
		for _, n := range []int{2, 8} {
			os.Remove(filepath.Join(dir, "m.lm"))
			p := startRanks(t, mpirun, dir, n, append(rankFlags, "2", "--json", "r.json")...)
			if status := p.end(); status != exitOK {
				t.Fatalf("%d ranks: exit status %d\n%s", n, status, p.stderr.String())
			}
			got, err := os.ReadFile(filepath.Join(dir, "m.lm"))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("the model of %d ranks differs from that of one process (error %v)", n, err)
			}
			if out := p.stdout.String(); strings.Count(out, "saved ") != 1 || !strings.Contains(out, fmt.Sprintf("in %d", n)) || len(p.complaints()) > 0 {
				t.Errorf("%d ranks print\n%s%s", n, out, p.stderr.String())
			}
			if json, err := os.ReadFile(filepath.Join(dir, "r.json")); err != nil || !bytes.Contains(json, fmt.Appendf(nil, `"ranks": %d`, n)) {
				t.Errorf("%d ranks: JSON %s (error %v)", n, json, err)
			}
		}
	})
}

// TestRankZeroSpeaks alone: the help, and the progress.
func TestRankZeroSpeaks(t *testing.T) {
	dir := filepath.Dir(writeText(t))
	eachMpirun(t, func(t *testing.T, mpirun string) {
		p := startRanks(t, mpirun, dir, 3, "train", "--help")
		if status := p.end(); status != exitOK || strings.Count(p.stdout.String(), "Usage:") != 1 {
			t.Errorf("help: exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
		}
		p = startRanks(t, mpirun, dir, 2, "train", "--corpus", "text.txt", "--hidden", "4", "--batch", "8", "--epochs", "0.1", "--progress", "json", "--out", "m.lm")
		if status := p.end(); status != exitOK || strings.Count(p.stderr.String(), `"reading the text"`) != 1 {
			t.Errorf("progress: exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
		}
	})
}

// runIn runs rnnbench as a process in a folder.
func runIn(t *testing.T, dir string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...), t: t, ended: make(chan struct{})}
	p.Dir, p.Env = dir, append(os.Environ(), asMain+"=1")
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	p.Run()
	return p.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()
}

// TestEndedRanks: a signal saves the model and the checkpoint. After a killed rank or a
// killed mpirun the checkpoint is there, and goes on in another number of ranks, to the
// same bits. Package rnnlm tests the bits after interrupts.
func TestEndedRanks(t *testing.T) {
	text := writeText(t)
	dir := filepath.Dir(text)
	if status, _, stderr := runIn(t, dir, append(rankFlags, "120", "--shards", "8")...); status != exitOK {
		t.Fatal(stderr)
	}
	want, err := os.ReadFile(filepath.Join(dir, "m.lm"))
	if err != nil {
		t.Fatal(err)
	}
	eachMpirun(t, func(t *testing.T, mpirun string) {
		for name, end := range map[string]func(t *testing.T, p *process){
			"SIGTERM": func(t *testing.T, p *process) { p.Process.Signal(syscall.SIGTERM) },
			"Ctrl-C":  func(t *testing.T, p *process) { p.Process.Signal(os.Interrupt) },
			"killed rank": func(t *testing.T, p *process) {
				if pid, ok := pids(t, p.Dir)[3]; ok {
					syscall.Kill(pid, syscall.SIGKILL)
				} else {
					t.Error("no rank 3")
				}
			},
			"killed mpirun": func(t *testing.T, p *process) { p.Process.Kill() },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // most of the time is mpirun's, which sleeps
				if name == "Ctrl-C" || name == "killed mpirun" {
					manyCommands(t)
				}
				dir := copyText(t, text)
				model, checkpoint := filepath.Join(dir, "m.lm"), filepath.Join(dir, "c")
				epochs := "1e6" // mpirun takes a second or two to pass on what happens
				if name == "killed rank" {
					epochs = "120"
				}
				p := startRanks(t, mpirun, dir, 4, append(rankFlags, epochs)...)
				if !p.until("checkpoint", exists(checkpoint)) {
					t.Fatalf("ended before\n%s", p.stderr.String())
				}
				end(t, p)
				if status := p.end(); status == exitOK {
					t.Error("exit status 0")
				}
				for deadline := time.Now().Add(20 * time.Second); len(pids(t, dir)) > 0; time.Sleep(20 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("ranks go on: %v\n%s", pids(t, dir), p.stderr.String())
					}
				}
				_, err := os.Stat(model)
				if killed := strings.HasPrefix(name, "killed"); killed == (err == nil) {
					t.Errorf("the model is saved: %v\n%s%s", err == nil, p.stdout.String(), p.stderr.String())
				}
				if _, err := os.Stat(checkpoint); err != nil {
					t.Error(err)
				}
				if name != "killed rank" {
					return
				}
				p = startRanks(t, mpirun, dir, 2, append(rankFlags, epochs)...)
				if status := p.end(); status != exitOK || !strings.Contains(p.stdout.String(), "resumed after") {
					t.Fatalf("exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
				}
				if got, err := os.ReadFile(model); err != nil || !bytes.Equal(got, want) {
					t.Errorf("a training that 2 ranks have ended differs from one without a break (error %v)", err)
				}
			})
		}
	})
}

// copyText copies a text to a folder of its own, which it returns.
func copyText(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile(text)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, filepath.Base(text)), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBadRanks: one line says what is wrong, and all end. Package lm tests more.
func TestBadRanks(t *testing.T) {
	text := writeText(t)
	eachMpirun(t, func(t *testing.T, mpirun string) {
		for name, test := range map[string]struct {
			ranks  int
			args   []string
			status int
			want   string
		}{
			"another command":   {3, []string{"ram", "--corpus", "text.txt"}, exitMisuse, "ram runs in one process"},
			"of one rank":       {1, append(rankFlags, "1", ":", "-np", "1", os.Args[0], "eval", "m.lm"), exitMisuse, "rank 1: eval runs in one process"},
			"too many":          {4, append(rankFlags, "1", "--shards", "2"), exitMisuse, "4 ranks can't share 2 shards"},
			"no such flag":      {2, []string{"train", "--flag"}, exitMisuse, "unknown flag --flag"},
			"no such folder":    {2, append(rankFlags, "1", "--out", "none/m.lm"), exitFailure, "there is no folder"},
			"not a checkpoint":  {2, append(rankFlags, "1", "--checkpoint", "bad"), exitFailure, "not a checkpoint"},
			"different options": {2, append(rankFlags, "1", ":", "-np", "2", os.Args[0], "train", "--corpus", "text.txt", "--hidden", "13", "--out", "m.lm"), exitFailure, "rank 2 has "},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if name == "of one rank" && mpirun == "mpirun.openmpi" { // which ends all by itself
					manyCommands(t)
				}
				dir := copyText(t, text)
				if err := os.WriteFile(filepath.Join(dir, "bad"), []byte("no checkpoint"), 0o600); err != nil {
					t.Fatal(err)
				}
				p := startRanks(t, mpirun, dir, test.ranks, test.args...)
				status, lines := p.end(), p.complaints()
				if i := slices.Index(lines, "rnnbench: interrupted"); i > 0 {
					lines = lines[:i] // Open MPI ends the others with a signal
				}
				if status != test.status || len(lines) != 1 || !strings.Contains(lines[0], test.want) {
					t.Errorf("exit status %d, %q, want one line with %q\n%s", status, lines, test.want, p.stderr.String())
				}
			})
		}
	})
}
