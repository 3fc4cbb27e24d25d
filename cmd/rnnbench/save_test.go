package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"batchrnn/internal/durable"
)

// TestOneWriterAtATime: a second training on a checkpoint, and a second report in a
// folder, are refused in one line. It names the file, the process and the remedy.
func TestOneWriterAtATime(t *testing.T) {
	dir, text := t.TempDir(), writeText(t)
	checkpoint, folder := filepath.Join(dir, "c"), filepath.Join(dir, "report")
	for _, test := range []struct {
		flag, value, locked string
		args                []string
	}{
		{"--checkpoint", checkpoint, checkpoint, []string{"train", "--corpus", text, "--hidden", "4", "--budget", "20ms", "--out", filepath.Join(dir, "m.lm"), "--checkpoint", checkpoint}},
		{"--out", folder, filepath.Join(folder, "results.json"), []string{"report", "--corpus", text, "--level", "char", "--max-order", "1", "--cell", "rnn", "--hidden", "4", "--budget", "20ms", "--out", folder}},
	} {
		if err := os.MkdirAll(filepath.Dir(test.locked), 0o700); err != nil {
			t.Fatal(err)
		}
		lock, err := durable.NewLock(test.locked)
		if err != nil {
			t.Fatal(err)
		}
		want := test.flag + `: "` + test.value + `": process ` + strconv.Itoa(os.Getpid()) + " is writing it: wait for its end, or name another "
		status, stdout, stderr := runArgs("", test.args...)
		if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(filepath.ToSlash(stderr), filepath.ToSlash(want)) {
			t.Errorf("locked: exit status %d, standard output %q, standard error %q, want %q", status, stdout, stderr, want)
		}
		if err := lock.Release(); err != nil {
			t.Fatal(err)
		}
		if status, _, stderr := runArgs("", test.args...); status != 0 {
			t.Errorf("unlocked: exit status %d\n%s", status, stderr)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(test.locked), ".*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}

// TestNoRoom: where there is no room for what a training writes, it is refused before it
// starts. Where nobody knows, it is tried.
func TestNoRoom(t *testing.T) {
	defer func(was func(string) (int64, bool)) { freeSpace = was }(freeSpace)
	dir, text := t.TempDir(), writeText(t)
	out, checkpoint, folder := filepath.Join(dir, "m.lm"), filepath.Join(dir, "c"), filepath.Join(dir, "report")
	train := []string{"train", "--corpus", text, "--hidden", "256", "--budget", "20ms", "--out", out} // 320 KB
	checkpointed := append(train, "--checkpoint", checkpoint)                                         // 2.6 MB for two
	report := []string{"report", "--corpus", text, "--level", "char", "--max-order", "1", "--cell", "rnn", "--hidden", "4", "--budget", "20ms", "--out", folder}
	for _, test := range []struct {
		name        string
		room        map[string]int64 // none known elsewhere
		args        []string
		flag, value string // of the refusal
	}{
		{"no room for the model", map[string]int64{out: 300_000}, train, "--out", out},
		{"room for the model", map[string]int64{out: 600_000}, train, "", ""},
		{"room for the model alone", map[string]int64{out: 600_000, checkpoint: 600_000}, checkpointed, "--checkpoint", checkpoint},
		{"room for one checkpoint", map[string]int64{out: 2_000_000, checkpoint: 2_000_000}, checkpointed, "--checkpoint", checkpoint},
		{"room for two checkpoints", map[string]int64{out: 4_000_000, checkpoint: 4_000_000}, checkpointed, "", ""},
		{"not known", nil, train, "", ""},
		{"n-grams", map[string]int64{out: 0}, []string{"train", "--corpus", text, "--kind", "ngram", "--out", out}, "", ""},
		{"no room for a report", map[string]int64{folder: 100_000}, report, "--out", folder},
	} {
		freeSpace = func(path string) (int64, bool) {
			room, known := test.room[path]
			return room, known
		}
		status, stdout, stderr := runArgs("", test.args...)
		switch {
		case test.flag == "" && status != 0:
			t.Errorf("%s: exit status %d\n%s", test.name, status, stderr)
		case test.flag != "" && (status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 ||
			!strings.Contains(stderr, test.flag+": "+strconv.Quote(test.value)+" takes ") || !strings.Contains(stderr, "are free there: make room")):
			t.Errorf("%s: exit status %d, standard output %q, standard error %q", test.name, status, stdout, stderr)
		}
	}
}

// TestLostFolders: no training is lost with the folder of its model or its checkpoint.
func TestLostFolders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no folder with an open file in it")
	}
	text := writeText(t)
	for _, test := range []struct {
		name                       string
		out, checkpoint, elsewhere string // folders
		status                     int
		printed, said              []string
	}{
		{"the model's", "lost", "here", "tmp", 1, []string{"saved    "}, []string{"was not written", "there is no folder", "the model is in ", "instead"}},
		{"both", "lost", "here", "none", 1, nil, []string{"was not written", "there is no folder", ", nor in "}},
		{"the checkpoint's", "here", "lost", "tmp", 0, []string{"saved    ", "warning  the last checkpoint ", "was not written"},
			[]string{"warning: checkpoint ", "there is no folder", "the run goes on, and tries again"}},
	} {
		dir := t.TempDir()
		in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
		for _, name := range []string{"lost", "here", "tmp"} {
			if err := os.Mkdir(in(name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("TMPDIR", in(test.elsewhere))
		lost := make(chan struct{})
		go func() { // once there is a checkpoint, the training has begun
			defer close(lost)
			for range 20_000 {
				if _, err := os.Stat(in(test.checkpoint, "c")); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			for os.RemoveAll(in("lost")) != nil { // a new file may be made meanwhile
			}
		}()
		var out, stderr bytes.Buffer
		status := run([]string{"train", "--corpus", text, "--hidden", "8", "--epochs", "100", "--out", in(test.out, "m.lm"),
			"--checkpoint", in(test.checkpoint, "c"), "--every", "20ms"}, nil, &out, &stderr)
		<-lost
		if status != test.status {
			t.Errorf("%s: exit status %d, want %d", test.name, status, test.status)
		}
		for _, want := range test.printed {
			if !strings.Contains(out.String(), want) && !strings.Contains(joined(out.String()), want) {
				t.Errorf("%s: no %q in\n%s", test.name, want, out.String())
			}
		}
		for _, want := range test.said {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%s: no %q in\n%s", test.name, want, stderr.String())
			}
		}
		models, err := filepath.Glob(in("tmp", "*", "m.lm"))
		if test.out == "here" {
			models = []string{in("here", "m.lm")}
		}
		switch {
		case test.elsewhere == "none":
			if _, err := os.Stat(in("here", "c")); err != nil || len(models) > 0 {
				t.Errorf("%s: models %v, no checkpoint: %v", test.name, models, err)
			}
		case err != nil || len(models) != 1 || !strings.Contains(out.String(), models[0]):
			t.Errorf("%s: models %v, error %v, in\n%s", test.name, models, err, out.String())
		default:
			if status, _, stderr := runArgs("", "sample", models[0], "--length", "5"); status != 0 {
				t.Errorf("%s: sample of what was saved: exit status %d\n%s", test.name, status, stderr)
			}
		}
	}
}
