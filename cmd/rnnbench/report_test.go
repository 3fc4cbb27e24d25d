package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/study"
)

// readResults reads what a report has left.
func readResults(t *testing.T, dir string) (r study.Result) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	decodeStrictly(t, string(b), &r)
	return r
}

func TestReportFromEndToEnd(t *testing.T) {
	dir, text := filepath.Join(t.TempDir(), "out"), writeText(t)
	args := []string{"report", "--out", dir, "--corpus", text, "--max-order", "2", "--cell", "rnn,gru", "--hidden", "32", "--budget", "200ms", "--threads", "1"}
	status, stdout, stderr := runArgs("", args...)
	if status != 0 {
		t.Fatalf("exit status %d\n%s%s", status, stdout, stderr)
	}
	for _, want := range []string{"SHA-256", "bits/char", "bits/word", "2-gram", "RNN 32", "GRU ", " + ", "From order 1 to 2", "report   " + filepath.Join(dir, "report.html")} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if !strings.Contains(stderr, "10/10 word mixture") {
		t.Errorf("progress: %s", stderr)
	}
	first := readResults(t, dir)
	if len(first.Rows) != 26 || first.Interrupted || !strings.Contains(first.Command, "--budget 200ms") {
		t.Errorf("results %+v", first)
	}
	if status, stdout, stderr := runArgs("", "sample", filepath.Join(dir, "models", "word-rnn-32.lm"), "--length", "5"); status != 0 || len(strings.Fields(stdout)) != 5 {
		t.Errorf("sample of its model: exit status %d, %q, %s", status, stdout, stderr)
	}

	// All is there already, so that the figures stay the same to the last digit.
	if status, _, stderr := runArgs("", append(args, "--resume")...); status != 0 || strings.Contains(stderr, "RNN") || strings.Contains(stderr, "GRU") {
		t.Errorf("resumed: exit status %d\n%s", status, stderr)
	}
	// Going on without a cell of the report would lose its rows.
	other := append(slices.Clone(args), "--resume", "--cell", "lstm")
	if status, stdout, stderr := runArgs("", other...); status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--cell: ") {
		t.Errorf("resumed with another cell: exit status %d\n%s%s", status, stdout, stderr)
	}
	second := readResults(t, dir)
	a, _ := json.Marshal(first.Rows)
	b, _ := json.Marshal(second.Rows)
	if string(a) != string(b) {
		t.Errorf("other rows after a resume:\n%s\n%s", a, b)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestBadInputOfReport(t *testing.T) {
	text := writeText(t)
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	if err := os.Mkdir(damaged, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "results.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	report := func(more ...string) []string {
		return append([]string{"report", "--corpus", text, "--out", out}, more...)
	}
	for _, test := range []struct {
		name   string
		status int
		want   string
		args   []string
	}{
		{"no folder", 2, "--out", []string{"report"}},
		{"folder without a name", 2, "--out", []string{"report", "--out", ""}},
		{"standard output for a folder", 2, "--out", []string{"report", "--out", "-"}},
		{"folder below a file", 1, "--out", []string{"report", "--corpus", text, "--out", filepath.Join(text, "x")}},
		{"level", 2, "--level", report("--level", "char,byte")},
		{"level twice", 2, "--level", report("--level", "char,char")},
		{"count of characters", 2, "--min-count", report("--level", "char", "--min-count", "2")},
		{"vocab of characters", 2, "--vocab", report("--level", "char", "--vocab", "50")},
		{"order", 2, "--max-order", report("--max-order", "10")},
		{"width", 2, "--hidden", report("--hidden", "0")},
		{"cell", 2, "--cell", report("--cell", "elman")},
		{"cell twice", 2, "--cell", report("--cell", "rnn,rnn")},
		{"budget", 2, "--budget", report("--budget", "0s")},
		{"threads", 2, "--threads", report("--threads", "0")},
		{"corpus missing", 1, "--corpus", report("--corpus", filepath.Join(dir, "none"))},
		{"damaged results", 1, "--resume", []string{"report", "--corpus", text, "--out", damaged, "--resume"}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != test.status {
			t.Errorf("%s: exit status %d, want %d", test.name, status, test.status)
		}
		if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "rnnbench: ") || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("%s: standard output %q, standard error %q, want one line that names %s", test.name, stdout, stderr, test.want)
		}
	}
}
