//go:build unix

package main

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What ends a command in the table of docs/interrupts.md.
const (
	bySignal = "INT, TERM, HUP"
	byKill   = "KILL"
	byDisk   = "full disk"
)

// A killPoint is a line of the table: a command that is ended, what it leaves, and what
// the same command does then.
type killPoint struct {
	command, phase, by string
	status             string // as a shell reports it
	left               string // names; lock and part are hidden files, and what is in parentheses may be there
	again              string

	flags  string // beside those of killCommands
	at     moment
	limit  int                              // bytes of a file that can be written; 0 for all
	check  func(t *testing.T, p *process)   // nil for nothing more
	checks func(t *testing.T, again string) // of what the same command prints
}

// A moment waits until a process is where it is to be ended.
type moment func(p *process, dir string) bool

// killCommands are the flags of the commands. Files are in a folder of their own.
var killCommands = map[string]string{
	"train":     "--corpus - --threads 1 --out m.lm",
	"report":    "--corpus - --threads 1 --level char --max-order 1 --cell rnn --hidden 8 --budget 200ms --resume --out .",
	"ram":       "--corpus - --threads 1 --max-order 1 --cell rnn --hidden 8 --budget 200ms --json r.json --csv r.csv --plot r.svg",
	"gradients": "--threads 1 --cell rnn --lengths 4 --updates 200 --json g.json --plot g.svg",
}

const (
	rnnFlags   = "--hidden 8 --epochs 8 --checkpoint c --every 20ms"
	ngramFlags = "--kind ngram --order 9"
	diskFlags  = ngramFlags + " --memory 32M"
	// A short training of a wide network, which validates for a third of its time.
	validFlags = "--hidden 512 --epochs 1 --checkpoint c --every 200ms"
)

// Moments.
var (
	heading     = moment(func(p *process, _ string) bool { return p.until("heading", p.prints("corpus")) })
	trainingRNN = moment(func(p *process, _ string) bool { return p.until("n-gram", p.prints("1-gram  ")) && pause(100) })
	scoring     = moment(func(p *process, _ string) bool { return p.until("n-gram", p.prints("1-gram  ")) && pause(205) })
)

func pause(milliseconds int) bool {
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	return true
}

func after(m moment, milliseconds int) moment {
	return func(p *process, dir string) bool { return m(p, dir) && pause(milliseconds) }
}

// file returns the moment when a file is there.
func file(name string) moment {
	return func(p *process, dir string) bool { return p.until(name, exists(filepath.Join(dir, name))) }
}

// writing returns the moment when the file that is to become m.lm is there, after the
// heading. Another was made and removed before, to see whether it can be.
func writing(p *process, dir string) bool {
	part := fmt.Sprintf(".rnnbench-%08x-*.tmp", crc32.Checksum([]byte("m.lm"), crc32.MakeTable(crc32.Castagnoli)))
	return heading(p, dir) && p.until("file in the making", func() bool {
		names, _ := filepath.Glob(filepath.Join(dir, part))
		return len(names) > 0 || exists(filepath.Join(dir, "m.lm"))()
	})
}

func says(texts ...string) func(*testing.T, *process) {
	return func(t *testing.T, p *process) {
		t.Helper()
		for _, text := range texts {
			if !p.prints(text)() {
				t.Errorf("no %q in\n%.3000s\n%s", text, p.stdout.String(), p.stderr.String())
			}
		}
	}
}

func has(text string) func(*testing.T, string) {
	return func(t *testing.T, again string) {
		t.Helper()
		if !strings.Contains(again, text) {
			t.Errorf("again: no %q in\n%s", text, again)
		}
	}
}

func lacks(text string) func(*testing.T, string) {
	return func(t *testing.T, again string) {
		t.Helper()
		if strings.Contains(again, text) {
			t.Errorf("again: %q in\n%s", text, again)
		}
	}
}

const (
	anew    = "starts anew"
	goesOn  = "goes on"
	missing = "starts with what is missing"
)

var killPoints = []killPoint{
	{command: "train", phase: "load", by: bySignal, status: "128 + n", left: "", again: anew, flags: rnnFlags},
	{command: "train", phase: "load", by: byKill, status: "137", left: "lock", again: anew, flags: rnnFlags},
	{command: "train", phase: "estimate", by: bySignal, status: "128 + n", left: "", again: anew, flags: ngramFlags, at: heading},
	{command: "train", phase: "estimate", by: byKill, status: "137", left: "", again: anew, flags: ngramFlags, at: heading},
	{command: "train", phase: "estimate on disk", by: bySignal, status: "128 + n", left: "", again: anew, flags: diskFlags, at: after(heading, 30)},
	{command: "train", phase: "estimate on disk", by: byKill, status: "137", left: "", again: anew, flags: diskFlags, at: after(heading, 30)},
	{command: "train", phase: "estimate on disk", by: byDisk, status: "1", left: "", again: anew, flags: diskFlags, limit: 100_000,
		check: says("temporary files in")},
	{command: "train", phase: "training", by: bySignal, status: "128 + n", left: "c m.lm", again: goesOn, flags: rnnFlags, at: file("c"), checks: has("resumed after")},
	{command: "train", phase: "training", by: byKill, status: "137", left: "c lock (part)", again: goesOn, flags: rnnFlags, at: file("c"), checks: has("resumed after")},
	{command: "train", phase: "training", by: byDisk, status: "0", left: "m.lm", again: anew, flags: rnnFlags, limit: 6000,
		check: says("warning: checkpoint", "the run goes on, and tries again", "warning  the last checkpoint")},
	{command: "train", phase: "validation", by: bySignal, status: "128 + n", left: "c m.lm", again: goesOn, flags: validFlags, at: after(file("c"), 30), checks: has("resumed after")},
	{command: "train", phase: "validation", by: byKill, status: "137", left: "c lock (part)", again: goesOn, flags: validFlags, at: after(file("c"), 30), checks: has("resumed after")},
	{command: "train", phase: "save", by: bySignal, status: "128 + n", left: "m.lm", again: anew, flags: rnnFlags, at: writing},
	{command: "train", phase: "save", by: byKill, status: "137", left: "(m.lm) (c) lock (part)", again: goesOn, flags: rnnFlags, at: writing},
	{command: "train", phase: "save", by: byDisk, status: "1", left: "c", again: goesOn, flags: rnnFlags + " --out /dev/full",
		check: says("was not written", "the model is in ", "instead"), checks: has("resumed after")},

	{command: "report", phase: "load", by: bySignal, status: "128 + n", left: "", again: anew},
	{command: "report", phase: "load", by: byKill, status: "137", left: "lock", again: anew},
	{command: "report", phase: "estimate", by: bySignal, status: "128 + n", left: "report.html results.csv results.json", again: missing, at: after(heading, 30)},
	{command: "report", phase: "estimate", by: byKill, status: "137", left: "(results.json) lock (part)", again: missing, at: after(heading, 30)},
	{command: "report", phase: "training", by: bySignal, status: "128 + n", left: "report.html results.csv results.json", again: missing, flags: "--budget 600ms", at: trainingRNN, check: says("1-gram"), checks: lacks("1-gram  ")},
	{command: "report", phase: "training", by: byKill, status: "137", left: "results.json lock (part)", again: missing, flags: "--budget 600ms", at: trainingRNN, checks: lacks("1-gram  ")},
	{command: "report", phase: "training", by: byDisk, status: "1", left: "results.csv results.json", again: missing, limit: 12_000, check: says("was not written", "1-gram"), checks: lacks("1-gram  ")},
	{command: "report", phase: "validation", by: bySignal, status: "128 + n", left: "report.html results.csv results.json", again: missing, at: scoring, checks: lacks("1-gram  ")},
	{command: "report", phase: "validation", by: byKill, status: "137", left: "results.json lock (part)", again: missing, at: scoring, checks: lacks("1-gram  ")},
	{command: "report", phase: "save", by: bySignal, status: "128 + n", left: "report.html results.csv results.json", again: missing, at: file("results.csv"), checks: lacks("RNN 8  ")},
	{command: "report", phase: "save", by: byKill, status: "137", left: "(report.html) results.csv results.json lock (part)", again: missing, at: file("results.csv"), checks: lacks("RNN 8  ")},

	{command: "ram", phase: "load", by: bySignal, status: "128 + n", left: "", again: anew},
	{command: "ram", phase: "load", by: byKill, status: "137", left: "", again: anew},
	{command: "ram", phase: "estimate", by: bySignal, status: "128 + n", left: "r.csv r.json (r.svg)", again: anew, at: after(heading, 30)},
	{command: "ram", phase: "estimate", by: byKill, status: "137", left: "", again: anew, at: after(heading, 30)},
	{command: "ram", phase: "training", by: bySignal, status: "128 + n", left: "r.csv r.json r.svg", again: anew, flags: "--budget 600ms", at: trainingRNN, check: says("1-gram")},
	{command: "ram", phase: "training", by: byKill, status: "137", left: "", again: anew, flags: "--budget 600ms", at: trainingRNN},
	{command: "ram", phase: "validation", by: bySignal, status: "128 + n", left: "r.csv r.json r.svg", again: anew, at: scoring, check: says("1-gram")},
	{command: "ram", phase: "validation", by: byKill, status: "137", left: "", again: anew, at: scoring},
	{command: "ram", phase: "save", by: bySignal, status: "128 + n", left: "r.csv r.json r.svg", again: anew, at: file("r.json")},
	{command: "ram", phase: "save", by: byKill, status: "137", left: "r.json (r.csv) (r.svg) (part)", again: anew, at: file("r.json")},
	{command: "ram", phase: "save", by: byDisk, status: "1", left: "", again: anew, limit: 100, check: says("was not written", "1-gram", "RNN 8")},

	{command: "gradients", phase: "training", by: bySignal, status: "128 + n", left: "g.json (g.svg)", again: anew, at: after(gradientsBegin, 100)},
	{command: "gradients", phase: "training", by: byKill, status: "137", left: "", again: anew, at: after(gradientsBegin, 100)},
	{command: "gradients", phase: "save", by: bySignal, status: "128 + n", left: "g.json g.svg", again: anew, at: file("g.svg")},
	{command: "gradients", phase: "save", by: byKill, status: "137", left: "(g.json) g.svg (part)", again: anew, at: file("g.svg")},
	{command: "gradients", phase: "save", by: byDisk, status: "1", left: "", again: anew, limit: 100, check: says("was not written", "Adding problem")},
}

func gradientsBegin(p *process, _ string) bool { return p.until("model", p.prints("1/20")) }

// killText returns a text in which n-grams take a while.
func killText() string {
	r := rand.New(rand.NewPCG(1, 0))
	var b strings.Builder
	for b.Len() < 60_000 {
		word := r.IntN(1 + r.IntN(2000))
		fmt.Fprintf(&b, "%s%d ", strings.Repeat("x", word%5), word)
	}
	return b.String()
}

// TestKillPoints ends commands at all points of the table in docs/interrupts.md.
func TestKillPoints(t *testing.T) {
	if os.Getenv("BATCHRNN_LONG") == "" {
		t.Skip("ends a hundred processes: set BATCHRNN_LONG=1")
	}
	text := killText()
	for n, k := range killPoints {
		var signals []syscall.Signal
		switch k.by {
		case bySignal:
			signals = endings
			if k.command == "report" || k.command == "ram" { // which take longer; TestSignalsEndWork has them all
				signals = signals[n%len(signals):][:1]
			}
		case byKill:
			signals = []syscall.Signal{syscall.SIGKILL}
		case byDisk:
			signals = []syscall.Signal{0}
		}
		for i, sig := range signals {
			t.Run(fmt.Sprint(k.command, " ", k.phase, " ", k.by, " ", int(sig)), func(t *testing.T) {
				t.Parallel()
				k.test(t, text, sig, i == 0 && k.mayMatter())
			})
		}
	}
}

// mayMatter says whether the same command is given again: where what is left may matter to
// it, and another point leaves something else.
func (k killPoint) mayMatter() bool {
	switch {
	case k.command == "train":
		return true
	case k.again == anew:
		return k.phase == "training" && k.by == byKill
	}
	return k.by != bySignal && k.phase != "validation" || k.phase == "training"
}

// test ends the command by a signal, or lets it end by itself. With again it then gives
// the same command.
func (k killPoint) test(t *testing.T, text string, sig syscall.Signal, again bool) {
	if strings.Contains(k.flags, "/dev/full") && !exists("/dev/full")() {
		t.Skip("there is no /dev/full here")
	}
	dir, tmp := t.TempDir(), t.TempDir()
	args := inDir(append([]string{k.command}, strings.Fields(killCommands[k.command]+" "+k.flags)...), dir)
	env := []string{"TMPDIR=" + tmp}
	if k.limit > 0 {
		env = append(env, fmt.Sprint(fileLimit, "=", k.limit))
	}
	var stdin io.Reader = strings.NewReader(text)
	var written atomic.Int64
	if k.phase == "load" {
		stdin = largePipe(t, &written)
	}
	p := startProcess(t, stdin, env, args...)
	if k.phase == "load" {
		p.until("end of a pipe", func() bool { return written.Load() == largePipeBytes })
	}
	if k.at != nil && !k.at(p, dir) {
		t.Fatalf("it ended before its time\n%.3000s\n%s", p.stdout.String(), p.stderr.String())
	}
	if sig != 0 {
		p.Process.Signal(sig)
	}
	status, want := fmt.Sprint(p.end()), k.status
	if sig != 0 && status == "0" {
		t.Skip("it was done before the signal came")
	}
	if k.by == bySignal {
		want = fmt.Sprint(exitSignal + int(sig))
	}
	if status != want {
		t.Errorf("exit status %s, want %s\n%s", status, want, p.stderr.String())
	}
	if k.check != nil {
		k.check(t, p)
	}
	k.compareLeft(t, dir)
	if !again {
		return
	}
	if k.command == "train" {
		args = append(args, "--out", filepath.Join(dir, "m.lm")) // where there is room
	}
	p = startProcess(t, strings.NewReader(text), []string{"TMPDIR=" + tmp}, args...)
	if status := p.end(); status != 0 {
		t.Errorf("again: exit status %d\n%s", status, p.stderr.String())
	}
	if k.checks != nil {
		said := p.stderr.String()
		if k.command == "train" {
			said = p.stdout.String()
		}
		k.checks(t, said)
	}
	if hidden, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(hidden) > 0 && k.command != "ram" && k.command != "gradients" && k.phase != "save" {
		t.Errorf("again: left behind: %v %v", hidden, err)
	}
}

// compareLeft compares what is in dir with the table.
func (k killPoint) compareLeft(t *testing.T, dir string) {
	t.Helper()
	got := map[string]bool{}
	for name := range strings.FieldsSeq(leftIn(t, dir)) {
		switch {
		case strings.HasSuffix(name, ".tmp"):
			name = "part"
		case strings.HasPrefix(name, "."):
			name = "lock"
		case k.command == "report" && !strings.HasPrefix(name, "report") && !strings.HasPrefix(name, "results"):
			continue // plots, and the folder of models
		}
		got[name] = true
	}
	for name := range strings.FieldsSeq(k.left) {
		optional := strings.Trim(name, "()")
		if !got[optional] && optional == name {
			t.Errorf("there is no %s", name)
		}
		delete(got, optional)
	}
	if len(got) > 0 && k.phase != "validation" { // which may be over by the time of the signal
		t.Errorf("left behind: %v", got)
	}
}

// TestTableOfKillPoints holds the table in docs/interrupts.md to the one that is tested.
func TestTableOfKillPoints(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "interrupts.md"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "| `") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	var want []string
	for _, k := range killPoints {
		left := "-"
		if k.left != "" {
			left = k.left
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |", k.command, k.phase, k.by, k.status, left, k.again))
	}
	if !slices.Equal(lines, want) {
		t.Errorf("the table in docs/interrupts.md is to be:\n%s", strings.Join(want, "\n"))
	}
}
