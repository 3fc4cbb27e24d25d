//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"batchrnn/bench/gradients"
)

// trainedModel trains a small model and returns its file.
func trainedModel(t *testing.T) string {
	t.Helper()
	model := filepath.Join(t.TempDir(), "m.lm")
	if status, _, stderr := runArgs("", "train", "--corpus", writeText(t), "--kind", "ngram", "--order", "2", "--out", model); status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	return model
}

// TestSignalsEndLoading: while a text is read that never ends, each signal ends each
// command at once, and nothing is left.
func TestSignalsEndLoading(t *testing.T) {
	model := trainedModel(t)
	for _, args := range [][]string{
		{"train", "--corpus", "-", "--out", "m.lm", "--checkpoint", "c"},
		{"report", "--corpus", "-", "--out", "."},
		{"encode", "--corpus", "-", "--out", "ids"},
		{"ram", "--corpus", "-", "--json", "r.json"},
		{"eval", model, "--corpus", "-"},
	} {
		for _, sig := range endings {
			t.Run(args[0]+" "+sig.String(), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				fifo := filepath.Join(dir, "fifo")
				if err := syscall.Mkfifo(fifo, 0o600); err != nil {
					t.Skip("no pipe with a name here:", err)
				}
				own := inDir(args, dir)
				own[slices.Index(own, "-")] = fifo
				p := startProcess(t, nil, nil, own...)
				w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the reader
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				w.WriteString("some text")
				p.Process.Signal(sig)
				if status := p.end(); status != exitSignal+int(sig) || p.lastLine() != "rnnbench: interrupted" || p.stdout.String() != "" {
					t.Errorf("exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
				}
				if left := leftIn(t, dir, "fifo"); left != "" && left != "models" {
					t.Errorf("left behind: %s", left)
				}
			})
		}
	}
}

// inDir makes the files of outputs ones in dir.
func inDir(args []string, dir string) []string {
	args = slices.Clone(args)
	for i := 1; i < len(args); i++ {
		switch args[i-1] {
		case "--out", "--checkpoint", "--json", "--csv", "--plot":
			if !filepath.IsAbs(args[i]) {
				args[i] = filepath.Join(dir, args[i])
			}
		}
	}
	return args
}

// leftIn lists what is in dir, hidden files too, without what was there before.
func leftIn(t *testing.T, dir string, before ...string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !slices.Contains(before, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

// TestSignalsEndWork: each signal ends what each command does, and what there is by then
// is saved and printed.
func TestSignalsEndWork(t *testing.T) {
	model, text := trainedModel(t), writeText(t)
	for _, c := range []struct {
		args    []string
		ready   string // on standard output or standard error
		wait    time.Duration
		printed []string
		files   string
	}{
		{[]string{"train", "--corpus", text, "--hidden", "8", "--threads", "1", "--budget", "1h", "--out", "m.lm", "--checkpoint", "c", "--every", "1ms"}, "corpus", 0,
			[]string{"saved", "interrupted: the model is saved as it was at its best, and the same command goes on from"}, "c m.lm"},
		{[]string{"report", "--corpus", text, "--level", "char", "--max-order", "1", "--cell", "rnn", "--hidden", "8", "--threads", "1", "--budget", "1h", "--out", "."}, " of training", 400 * time.Millisecond,
			[]string{"1-gram", "RNN 8", "report.html", "interrupted", "--resume"}, ""},
		{[]string{"ram", "--corpus", text, "--max-order", "1", "--cell", "rnn", "--hidden", "8", "--threads", "1", "--budget", "1h", "--json", "r.json", "--csv", "r.csv", "--plot", "r.svg"}, " of training", 400 * time.Millisecond,
			[]string{"1-gram", "RNN 8 *", "interrupted: the figures are those measured until then"}, "r.csv r.json r.svg"},
		{[]string{"gradients", "--cell", "rnn", "--lengths", "4", "--updates", "1000000", "--threads", "1", "--json", "g.json", "--plot", "g.svg"}, "1/20", 400 * time.Millisecond,
			[]string{"interrupted"}, "g.json"},
		{[]string{"kernels", "--time", "1h", "--json", "k.json"}, "1/", 50 * time.Millisecond, []string{"interrupted"}, "k.json"},
		{[]string{"speed", "--hidden", "16", "--batch", "2", "--time", "1h", "--json", "s.json"}, "1/", 50 * time.Millisecond, []string{"interrupted"}, "s.json"},
		{[]string{"sample", model, "--length", "10000000", "--json", "d.json"}, "e", 0, []string{"interrupted"}, "d.json"},
		{[]string{"score", model}, "\t4\t", 0, []string{"total: 2 lines, 8 tokens", "interrupted: the figures are those measured until then"}, ""},
	} {
		for _, sig := range endings {
			t.Run(c.args[0]+" "+sig.String(), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				p := startProcess(t, endlessPipe(t, "over\nlazy\n"), nil, inDir(c.args, dir)...)
				if !p.until(c.ready, p.prints(c.ready)) || c.args[0] == "train" && !p.until("checkpoint", exists(filepath.Join(dir, "c"))) {
					t.Fatalf("it ended before the signal\n%s%s", p.stdout.String(), p.stderr.String())
				}
				time.Sleep(c.wait) // the first steps of a training
				p.Process.Signal(sig)
				if status := p.end(); status != exitSignal+int(sig) {
					t.Errorf("exit status %d\n%s", status, p.stderr.String())
				}
				for _, want := range c.printed {
					if !p.prints(want)() {
						t.Errorf("no %q in\n%.2000s\n%s", want, p.stdout.String(), p.stderr.String())
					}
				}
				if c.files == "" {
					return
				}
				if left := leftIn(t, dir); left != c.files {
					t.Errorf("files %q, want %q", left, c.files)
				}
				for _, name := range strings.Fields(c.files) {
					if b, err := os.ReadFile(filepath.Join(dir, name)); strings.HasSuffix(name, ".json") && (err != nil || !json.Valid(b)) {
						t.Errorf("%s: %d bytes, error %v", name, len(b), err)
					}
				}
			})
		}
	}
}

// TestStoppedGradients: the models that are trained by then are in the table, the file
// and the plot.
func TestStoppedGradients(t *testing.T) {
	for wait := 300 * time.Millisecond; ; wait *= 3 {
		dir := t.TempDir()
		p := startProcess(t, nil, nil, "gradients", "--cell", "rnn", "--lengths", "4", "--updates", "3000", "--threads", "1",
			"--json", filepath.Join(dir, "g.json"), "--plot", filepath.Join(dir, "g.svg"))
		p.until("model", p.prints("1/20"))
		time.Sleep(wait)
		p.Process.Signal(syscall.SIGTERM)
		if status := p.end(); status != exitSignal+int(syscall.SIGTERM) {
			t.Fatalf("exit status %d\n%s", status, p.stderr.String())
		}
		b, err := os.ReadFile(filepath.Join(dir, "g.json"))
		if err != nil {
			t.Fatal(err)
		}
		var r gradients.Result
		decodeStrictly(t, string(b), &r)
		if len(r.Models) == 0 {
			continue // a slow machine
		}
		if !r.Interrupted || !strings.Contains(p.stdout.String(), "Adding problem") || !strings.Contains(p.stdout.String(), r.Models[0].Network) {
			t.Errorf("%d models\n%s", len(r.Models), p.stdout.String())
		}
		if left := leftIn(t, dir); left != "g.json g.svg" {
			t.Errorf("files %q", left)
		}
		return
	}
}

// TestIgnoredHangup: under nohup a training outlives its terminal, and a later SIGTERM
// ends it all the same.
func TestIgnoredHangup(t *testing.T) {
	dir := t.TempDir()
	p := &process{t: t, ended: make(chan struct{})}
	p.Cmd = exec.CommandContext(t.Context(), "sh", "-c", `trap "" HUP; exec "$0" "$@"`, os.Args[0], "train", "--corpus", writeText(t),
		"--hidden", "8", "--budget", "1h", "--out", filepath.Join(dir, "m.lm"))
	p.Env = append(os.Environ(), asMain+"=1")
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	if err := p.Start(); err != nil {
		t.Skip("no shell here:", err)
	}
	go func() { p.Wait(); close(p.ended) }()
	p.until("heading", p.prints("corpus"))
	p.Process.Signal(syscall.SIGHUP)
	time.Sleep(300 * time.Millisecond)
	select {
	case <-p.ended:
		t.Fatalf("it ended\n%s", p.stderr.String())
	default:
	}
	p.Process.Signal(syscall.SIGTERM)
	if status := p.end(); status != exitSignal+int(syscall.SIGTERM) {
		t.Errorf("exit status %d\n%s", status, p.stderr.String())
	}
}

// TestReadersThatEndFirst: Ctrl-C ends "rnnbench train | tee log" as a whole, and a lost
// connection takes the readers with it. The training goes on, or is saved.
func TestReadersThatEndFirst(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.lm")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "train", "--corpus", writeText(t), "--hidden", "8", "--budget", "1h", "--out", out)
	cmd.Env = append(os.Environ(), asMain+"=1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.Read(make([]byte, 1<<10)) // the heading
	time.Sleep(200 * time.Millisecond)
	r.Close()
	cmd.Process.Signal(syscall.SIGHUP)
	cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != exitSignal+int(syscall.SIGHUP) {
		t.Errorf("exit status %d", status)
	}
	if status, _, stderr := runArgs("", "sample", out, "--length", "10"); status != 0 {
		t.Errorf("sample of what was saved: exit status %d\n%s", status, stderr)
	}
}

// TestSecondSignalEndsAtOnce: a later signal ends a program that can't finish what the
// first one asks for. Nothing half written is left.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	for _, second := range endings {
		t.Run(second.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fifo := filepath.Join(dir, "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Skip("no pipe with a name here:", err)
			}
			p := startProcess(t, nil, nil, "train", "--corpus", writeText(t), "--hidden", "8", "--budget", "50ms", "--out", fifo,
				"--checkpoint", filepath.Join(dir, "c"))
			p.until("heading", p.prints("corpus"))
			time.Sleep(300 * time.Millisecond) // now, or soon, it waits for a reader
			p.Process.Signal(syscall.SIGTERM)
			time.Sleep(100 * time.Millisecond)
			select {
			case <-p.ended:
				t.Fatalf("the first signal ended it\n%s", p.stderr.String())
			default:
			}
			time.Sleep(together)
			p.Process.Signal(second)
			if status := p.end(); status != exitSignal+int(second) {
				t.Errorf("exit status %d\n%s", status, p.stderr.String())
			}
			if left := leftIn(t, dir, "fifo", "c"); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// TestSignalSentTwice: timeout sends a signal to its process and to the group, so that it
// comes twice within microseconds. All is saved as after one.
func TestSignalSentTwice(t *testing.T) {
	text := writeText(t)
	for _, sig := range endings {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := startProcess(t, nil, nil, "train", "--corpus", text, "--hidden", "8", "--threads", "1", "--budget", "1h",
				"--out", filepath.Join(dir, "m.lm"), "--checkpoint", filepath.Join(dir, "c"), "--every", "1ms")
			if !p.until("checkpoint", exists(filepath.Join(dir, "c"))) {
				t.Fatalf("it ended before the signal\n%s", p.stderr.String())
			}
			p.Process.Signal(sig)
			for range 20 { // one of them while the model is written
				time.Sleep(time.Millisecond)
				p.Process.Signal(sig)
			}
			if status := p.end(); status != exitSignal+int(sig) {
				t.Errorf("exit status %d\n%s", status, p.stderr.String())
			}
			if left := leftIn(t, dir); left != "c m.lm" {
				t.Errorf("files %q\n%s", left, p.stderr.String())
			}
		})
	}
}

// TestInterruptedReportKeepsTheOneBefore: a report that is ended before it has measured
// anything does not replace an earlier one.
func TestInterruptedReportKeepsTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "results.json"), []byte(`{"rows": [{}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, nil, nil, "report", "--corpus", writeText(t), "--level", "char", "--max-order", "1", "--cell", "rnn", "--hidden", "8",
		"--threads", "1", "--budget", "20ms", "--out", dir)
	p.until("heading", p.prints("corpus"))
	p.Process.Signal(syscall.SIGINT)
	if status := p.end(); status != exitInterrupted {
		t.Errorf("exit status %d\n%s", status, p.stderr.String())
	}
	b, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct{ Rows []struct{} }
	if err := json.Unmarshal(b, &r); err != nil || len(r.Rows) == 0 {
		t.Errorf("%d rows, error %v\n%s", len(r.Rows), err, p.stderr.String())
	}
}

// TestReadersThatStopEarly: the reader of standard output ends a command, as head does.
// No file that is half written is left, and no lock.
func TestReadersThatStopEarly(t *testing.T) {
	model, text := trainedModel(t), writeText(t)
	for _, c := range []struct {
		args []string
		left string
	}{
		{[]string{"score", model, "--json", "s.json"}, ""},
		{[]string{"sample", model, "--length", "1000000"}, ""},
		{[]string{"report", "--corpus", text, "--level", "char", "--max-order", "1", "--cell", "rnn", "--hidden", "8", "--threads", "1", "--budget", "50ms", "--out", "."},
			"memory-char.png memory-char.svg models quality-char.png quality-char.svg report.html results.csv results.json speed-char.png speed-char.svg"},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), os.Args[0], inDir(c.args, dir)...)
			cmd.Env = append(os.Environ(), asMain+"=1")
			cmd.Stdin = strings.NewReader(strings.Repeat("over the lazy dog\n", 10000))
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stdout = w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			r.Read(make([]byte, 1))
			r.Close()
			cmd.Wait()
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGPIPE {
				t.Errorf("ended by %v, exit status %d", status.Signal(), status.ExitStatus())
			}
			if left := leftIn(t, dir); left != c.left {
				t.Errorf("files %q, want %q", left, c.left)
			}
		})
	}
}
