package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/residency"
	"batchrnn/bench/study"
	"batchrnn/internal/neighbour"
	"batchrnn/kernels"
)

// asMain is set in a process that runs main in place of the tests.
const asMain = "RNNBENCH_TEST_MAIN"

// manyCommands skips a test of many commands one after the other, which takes seconds.
// The race detector finds nothing in it that other tests do not run.
func manyCommands(t *testing.T) {
	t.Helper()
	if raceDetector || os.Getenv("BATCHRNN_LONG") == "" {
		t.Skip("runs many commands: set BATCHRNN_LONG=1, without the race detector")
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	residency.ServeChild()
	neighbour.ServeChild()
	// The race detector would keep each child waiting for a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// writeText writes a small text and returns its path.
func writeText(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, and the dog sleeps on. ", 100)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runArgs runs the program in this process.
func runArgs(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &err)
	return status, out.String(), err.String()
}

func TestBadInput(t *testing.T) {
	text := writeText(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noText := filepath.Join(dir, "pictures")
	if err := os.Mkdir(noText, 0o700); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing", "out")

	for _, test := range []struct {
		name   string
		status int
		want   string // what the error line must name
		args   []string
	}{
		{"no command", 2, "ram", nil},
		{"unknown command", 2, "rom", []string{"rom"}},
		{"unknown flag", 2, "--ordre", []string{"ram", "--ordre", "3"}},
		{"stray argument", 2, "text.txt", []string{"ram", "text.txt"}},
		{"corpus missing", 1, "--corpus", []string{"ram", "--corpus", filepath.Join(dir, "none.txt")}},
		{"corpus empty", 1, "--corpus", []string{"ram", "--corpus", file("empty.txt", "")}},
		{"corpus without text", 1, "--corpus", []string{"ram", "--corpus", noText}},
		{"corpus of one token", 1, "--corpus", []string{"ram", "--corpus", file("one.txt", "x")}},
		{"corpus of one word", 1, "--corpus", []string{"ram", "--level", "word", "--corpus", file("word.txt", "hippopotomonstrosesquippedaliophobia")}},
		{"standard input empty", 1, "--corpus", []string{"ram", "--corpus", "-"}},
		{"level", 2, "--level", []string{"ram", "--level", "syllable"}},
		{"smoothing", 2, "--smoothing", []string{"ram", "--smoothing", "laplace"}},
		{"vocab 0", 2, "--vocab", []string{"ram", "--vocab", "0"}},
		{"vocab -1", 2, "--vocab", []string{"ram", "--vocab", "-1"}},
		{"seen 0 times", 2, "--min-count", []string{"ram", "--min-count", "0"}},
		{"vocab many", 2, "--vocab", []string{"ram", "--vocab", "many"}},
		{"order 0", 2, "--max-order", []string{"ram", "--max-order", "0"}},
		{"order 99", 2, "--max-order", []string{"ram", "--max-order", "99"}},
		{"order -2", 2, "--max-order", []string{"ram", "--max-order", "-2"}},
		{"order 1.5", 2, "--max-order", []string{"ram", "--max-order", "1.5"}},
		{"hidden 0", 2, "--hidden", []string{"ram", "--hidden", "0"}},
		{"hidden none", 2, "--hidden", []string{"ram", "--hidden", ""}},
		{"hidden with a hole", 2, "--hidden", []string{"ram", "--hidden", "8,,16"}},
		{"hidden absurd", 2, "--hidden", []string{"ram", "--hidden", "999999999"}},
		{"hidden beyond int64", 2, "--hidden", []string{"ram", "--hidden", "99999999999999999999"}},
		{"cell unknown", 2, "--cell", []string{"ram", "--cell", "elman"}},
		{"cell none", 2, "--cell", []string{"ram", "--cell", ""}},
		{"cell twice", 2, "--cell", []string{"ram", "--cell", "gru,gru"}},
		{"budget 0", 2, "--budget", []string{"ram", "--budget", "0s"}},
		{"budget negative", 2, "--budget", []string{"ram", "--budget", "-20s"}},
		{"budget without unit", 2, "--budget", []string{"ram", "--budget", "20"}},
		{"threads 0", 2, "--threads", []string{"ram", "--threads", "0"}},
		{"threads negative", 2, "--threads", []string{"ram", "--threads", "-2"}},
		{"seed negative", 2, "--seed", []string{"ram", "--seed", "-1"}},
		{"JSON in a missing folder", 1, "--json", []string{"ram", "--json", missing}},
		{"JSON onto a folder", 1, "--json", []string{"ram", "--json", dir}},
		{"CSV in a missing folder", 1, "--csv", []string{"ram", "--csv", missing}},
		{"CSV below a file", 1, "--csv", []string{"ram", "--csv", filepath.Join(text, "x.csv")}},
		{"CSV to standard output", 2, "--csv", []string{"ram", "--csv", "-"}},
		{"plot in a missing folder", 1, "--plot", []string{"ram", "--plot", missing + ".png"}},
		{"plot as PDF", 2, "--plot", []string{"ram", "--plot", "x.pdf"}},
		{"plot without extension", 2, "--plot", []string{"ram", "--plot", "x"}},
		{"corpus without a name", 2, "--corpus", []string{"ram", "--corpus", ""}},
		{"JSON without a name", 2, "--json", []string{"ram", "--json="}},
		{"CSV without a name", 2, "--csv", []string{"ram", "--csv", ""}},
		{"plot without a name", 2, "--plot", []string{"ram", "--plot", ""}},
		{"hidden negative", 2, "-5 is no width", []string{"ram", "--hidden", "-5"}},
		{"CSV onto the JSON", 2, "is the file of --json too", []string{"ram", "--corpus", text, "--json", file("both", ""), "--csv", filepath.Join(dir, "both")}},
		{"output onto the corpus", 2, "--csv", []string{"ram", "--corpus", text, "--csv", text}},
		{"one file for two", 2, "--plot", []string{"ram", "--json", filepath.Join(dir, "a.png"), "--plot", filepath.Join(dir, "a.png")}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != test.status {
			t.Errorf("%s: exit status %d, want %d", test.name, status, test.status)
		}
		if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "rnnbench: ") || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("%s: standard output %q, standard error %q, want one line that names %s", test.name, stdout, stderr, test.want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}

	t.Setenv(kernels.EnvISA, "sse9")
	status, _, stderr := runArgs("", "ram", "--corpus", text)
	if status != 2 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, kernels.EnvISA) || !strings.Contains(stderr, "generic") {
		t.Errorf("unknown set: exit status %d, %q", status, stderr)
	}
}

func TestHelp(t *testing.T) {
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"--help"}, []string{"ram", "Usage: rnnbench"}},
		{[]string{"ram", "--help"}, []string{"--corpus", "--level", "--max-order", "--smoothing", "--vocab", "--cell", "--hidden", "--budget", "--threads",
			"--seed", "--json", "--csv", "--plot", "default 7", "128,256", "Ctrl-C"}},
		{[]string{"report", "--help"}, []string{"--out", "--level", "--cell", "--hidden", "--budget", "--resume", "report.html", "Ctrl-C"}},
		{[]string{"train", "--help"}, []string{"--out", "--kind", "--order", "--cell", "--embedding", "--hidden", "--budget", "--init", "--rate", "--batch", "--steps", "--clip", "--optimizer", "--json", "Ctrl-C"}},
		{[]string{"encode", "--help"}, []string{"--out", "--corpus", "--level", "--vocab-from", "Ctrl-C"}},
		{[]string{"eval", "--help"}, []string{"<model>", "--corpus", "--split", "--json", "U+FFFD"}},
		{[]string{"sample", "--help"}, []string{"<model>", "--length", "--temperature", "--top-k", "--top-p", "--prompt", "--seed", "--json", "<unk>"}},
		{[]string{"quantise", "--help"}, []string{"<model>", "--out", "a quarter", "standard output"}},
		{[]string{"score", "--help"}, []string{"<model>", "--json", "U+FFFD", "tabs"}},
		{[]string{"rescore", "--help"}, []string{"<model>", "--ngram", "--lambda", "--lm-weight", "--spell", "--best", "--threads", "--json", "natural logarithm"}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != 0 || stderr != "" {
			t.Errorf("%v: exit status %d, standard error %q", test.args, status, stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%v: no %q in\n%s", test.args, want, stdout)
			}
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 81 {
				t.Errorf("%v: long line: %s", test.args, line)
			}
		}
	}
}

func TestRAMFromEndToEnd(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	status, stdout, stderr := runArgs("", "ram", "--corpus", writeText(t), "--max-order", "3", "--smoothing", "absolute", "--cell", "rnn, lstm", "--hidden", "16, 32", "--budget", "300ms",
		"--threads", "2", "--json", at("r.json"), "--csv", at("r.csv"), "--plot", at("r.png"))
	if status != 0 {
		t.Fatalf("exit status %d\n%s%s", status, stdout, stderr)
	}
	for _, want := range []string{"machine", "SHA-256", "2 threads", "3-gram", "RNN 32", "LSTM ", "bits/char", "6,800 characters", "From order 1 to 3", "interpolated absolute discounting", "quantised"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if !strings.Contains(stderr, "7/7 LSTM ") {
		t.Errorf("progress: %s", stderr)
	}

	f, err := os.Open(at("r.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r study.LevelResult
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if len(r.Models) != 20 || r.Interrupted || r.Machine.Threads != 2 || r.Models[16].Hidden != 32 || r.Models[16].Cell != "rnn" || r.Models[17].Store != "int8" || r.Models[18].Cell != "lstm" || r.Models[18].BytesPredicted > r.Models[16].BytesPredicted || r.Models[0].Smoothing != "absolute" || !strings.Contains(stdout, r.Corpus.SHA256) {
		t.Errorf("JSON: %+v", r)
	}

	g, err := os.Open(at("r.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if rows, err := csv.NewReader(g).ReadAll(); err != nil || len(rows) != 21 {
		t.Errorf("CSV: %d rows, error %v", len(rows), err)
	}
	h, err := os.Open(at("r.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := png.Decode(h); err != nil {
		t.Error("PNG:", err)
	}
}

func TestRAMWithJSONOnStandardOutput(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "r.svg")
	text, err := os.ReadFile(writeText(t))
	if err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := runArgs(string(text)+"\xff\xfe", "ram", "--corpus", "-", "--level", "word", "--vocab", "10",
		"--max-order", "2", "--hidden", "8", "--budget", "100ms", "--json", "-", "--plot", svg)
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	var r study.LevelResult
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in\n%s", err, stdout)
	}
	if r.Corpus.Level != "word" || r.Corpus.Vocab != 10 || r.Corpus.UnkRate == 0 || r.Corpus.BadBytes != 2 {
		t.Errorf("corpus %+v", r.Corpus)
	}
	for _, want := range []string{"SHA-256", "bits/word", "2 bytes are not UTF-8"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in standard error:\n%s", want, stderr)
		}
	}
	if b, err := os.ReadFile(svg); err != nil || !bytes.Contains(b, []byte("</svg>")) {
		t.Errorf("SVG: %d bytes, error %v", len(b), err)
	}
}

// brokenWriter is a standard output that takes nothing.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestBrokenStandardOutputIsAFailure(t *testing.T) {
	var stderr bytes.Buffer
	status := run([]string{"ram", "--corpus", writeText(t), "--max-order", "1", "--hidden", "8", "--budget", "50ms"}, nil, brokenWriter{}, &stderr)
	if status != 1 || !strings.Contains(stderr.String(), "standard output") {
		t.Errorf("exit status %d\n%s", status, stderr.String())
	}
}
