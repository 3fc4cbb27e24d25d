package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/speed"
	"batchrnn/kernels"
)

// joined returns a text without its line breaks and indentation, which come anywhere.
func joined(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "\\\n", "\n")), " ")
}

// decodeStrictly wants JSON of exactly the fields of v.
func decodeStrictly(t *testing.T, text string, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// wantFields wants each of the objects under key to have the fields.
func wantFields(t *testing.T, text, key string, fields ...string) {
	t.Helper()
	var result map[string]any
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		t.Fatal(err)
	}
	rows, _ := result[key].([]any)
	if len(rows) == 0 {
		t.Errorf("no %s", key)
	}
	for _, row := range rows {
		for _, f := range fields {
			if _, ok := row.(map[string]any)[f]; !ok {
				t.Fatalf("%s without %s: %v", key, f, row)
			}
		}
	}
}

func TestKernels(t *testing.T) {
	status, stdout, stderr := runArgs("", "kernels", "--time", "10us", "--largest", "2,3,40,300", "--json", "-")
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	var r speed.KernelResult
	decodeStrictly(t, stdout, &r)
	wantFields(t, stdout, "rows", "kind", "isa", "name", "seconds")

	type key struct{ kind, isa string }
	seen := map[key]bool{}
	for _, row := range r.Rows {
		seen[key{row.Kind, row.ISA}] = true
		tile := row.Kind == speed.KindTile
		if !(row.Seconds > 0) || tile && (!(row.PercentPeak > 0) || row.Columns == 0) || !tile && (!(row.GBPerSecond > 0) || row.N == 0) {
			t.Errorf("row %+v", row)
		}
	}
	for _, isa := range kernels.FloatISAs() {
		for _, kind := range []string{speed.KindTile, speed.KindActivation, speed.KindVector, speed.KindReduction,
			speed.KindSoftmax, speed.KindOptimizer, speed.KindPacking} {
			if !seen[key{kind, isa}] {
				t.Errorf("no %s of %s", kind, isa)
			}
		}
	}
	want := []string{"→ " + r.Machine.ISA, "B = 1", "sigmoid gradient", "rnnbench kernels --time 10µs"}
	if len(kernels.ISAs()) > 1 {
		wantFields(t, stdout, "calls", "isa", "kernel", "size", "where", "calls", "median_seconds")
		want = append(want, "Longest single call", "V 300")
	}
	for _, want := range want {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
}

func TestSpeed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.json")
	args := []string{"speed", "--cell", "rnn,gru", "--threads", "1,2", "--hidden", "24", "--batch", "3,4", "--time", "10us", "--assert", "0.001", "--json", file}
	batches := 0
	if isa := os.Getenv(kernels.EnvISA); isa != "generic" && len(kernels.ISAs()) > 1 { // else a matter of seconds
		args, batches = append(args, "--batches"), 130
	}
	status, stdout, stderr := runArgs("", args...)
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	for _, want := range []string{"rnnbench speed --cell rnn,gru --threads 1,2 --hidden 24 --batch 3,4 --time 10µs", "2 threads",
		"both ways", "training steps", "tokens/s", "µs a step", "% of read", "% peak"} {
		if !strings.Contains(joined(stdout), want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r speed.Result
	decodeStrictly(t, string(b), &r)
	wantFields(t, string(b), "rows", "kind", "isa", "h", "b", "threads", "runs", "seconds", "median_seconds")
	rows := map[string]int{}
	for _, row := range r.Rows {
		rows[row.Kind]++
		if row.Kind == speed.KindTrain && !(row.TokensPerSecond > 0) || row.Kind == speed.KindSingle && !(row.PercentRead > 0) {
			t.Errorf("row %+v", row)
		}
	}
	// Two batches on one and two threads, two passes; the rest is fixed.
	want := map[string]int{"deepbench": 8, "gated": 8, "forward": 4, "train": 4, "step": 4, "single": 6, "batch": batches}
	want["gemm"] = 9 * max(1, len(kernels.FloatISAs())-1)
	for kind, n := range want {
		if rows[kind] != n {
			t.Errorf("%d rows of %s, want %d", rows[kind], kind, n)
		}
	}
	if r.Machine.Threads != 2 || r.Machine.ISA != r.Rows[0].ISA || r.Interrupted {
		t.Errorf("%+v", r.Machine)
	}
}

func TestSpeedAssertion(t *testing.T) {
	status, _, stderr := runArgs("", "speed", "--cell", "rnn", "--threads", "1", "--hidden", "8,9", "--batch", "1", "--time", "1us", "--assert", "1000")
	if status != 1 || !strings.Contains(stderr, "--assert: 4 of") {
		t.Errorf("exit status %d\n%s", status, stderr)
	}
	offenders := slices.DeleteFunc(strings.Split(stderr, "\n"), func(line string) bool { return !strings.HasSuffix(line, "% of peak") })
	if len(offenders) != 4 || !strings.HasPrefix(offenders[3], "H 9, B 1, 1 thread, forward+backward: ") {
		t.Errorf("offenders %q", offenders)
	}
}

func TestHelpOfMeasurements(t *testing.T) {
	for command, flags := range map[string][]string{
		"kernels": {"--isa", "--time", "--largest", "--json", "20ms"},
		"speed":   {"--cell", "--threads", "--hidden", "--batch", "--time", "--batches", "--neighbours", "--assert", "--json", "300ms", "1760,2048,2560"},
	} {
		status, stdout, stderr := runArgs("", command, "--help")
		if status != 0 || stderr != "" {
			t.Errorf("%s: exit status %d, standard error %q", command, status, stderr)
		}
		for _, flag := range flags {
			if !strings.Contains(stdout, flag) {
				t.Errorf("%s: no %q in\n%s", command, flag, stdout)
			}
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 81 {
				t.Errorf("%s: long line: %s", command, line)
			}
		}
	}
}

func TestBadInputOfMeasurements(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing", "out")
	for _, test := range []struct {
		status int
		want   string // what the error line must name
		args   []string
	}{
		{2, "rnnbench kernels --help", []string{"kernels", "--hidden", "4"}},
		{2, "stray", []string{"speed", "stray"}},
		{2, "--isa", []string{"kernels", "--isa", "sse9"}},
		{2, "--time", []string{"kernels", "--time", "0s"}},
		{2, "--time", []string{"kernels", "--time", "20"}},
		{2, "--largest", []string{"kernels", "--largest", "50,128"}},
		{2, "--largest", []string{"kernels", "--largest", "50,128,0,10"}},
		{2, "--largest", []string{"kernels", "--largest", "1048576,1048576,1048576,10"}},
		{1, "--json", []string{"kernels", "--json", missing}},
		{2, "--cell", []string{"speed", "--cell", "elman"}},
		{2, "--cell", []string{"speed", "--cell", ""}},
		{2, "--cell", []string{"speed", "--cell", "gru,gru"}},
		{2, "--cell", []string{"speed", "--neighbours", "--cell", "gru"}},
		{2, "--assert", []string{"speed", "--cell", "gru", "--assert", "90"}},
		{2, "--threads", []string{"speed", "--threads", "0"}},
		{2, "--threads", []string{"speed", "--threads", "1,1"}},
		{2, "--threads", []string{"speed", "--threads", ""}},
		{2, "--hidden", []string{"speed", "--hidden", "-4"}},
		{2, "--hidden", []string{"speed", "--hidden", "1048576", "--batch", "1048576"}},
		{2, "--batch", []string{"speed", "--batch", "many"}},
		{2, "--time", []string{"speed", "--time", "-1s"}},
		{2, "--time", []string{"speed", "--time", "99h"}},
		{2, "--assert", []string{"speed", "--assert", "-1"}},
		{2, "--assert", []string{"speed", "--assert", "NaN"}},
		{2, "--assert", []string{"speed", "--assert", "most"}},
		{1, "--json", []string{"speed", "--json", missing}},
		{2, "--assert", []string{"speed", "--neighbours", "--assert", "90"}},
		{2, "--batches", []string{"speed", "--neighbours", "--batches"}},
		{2, "--threads", []string{"speed", "--neighbours", "--threads", "1"}},
		{2, "--threads", []string{"speed", "--neighbours", "--threads", ""}},
		{2, "--hidden", []string{"speed", "--neighbours", "--hidden", "1048576", "--batch", "1048576"}},
		{2, "--batch", []string{"speed", "--neighbours", "--batch", "8,8"}},
		{2, "--time", []string{"speed", "--neighbours", "--time", "0s"}},
		{1, "--json", []string{"speed", "--neighbours", "--threads", "2", "--json", missing}},
	} {
		status, stdout, stderr := runArgs("", test.args...)
		if status != test.status || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("%v: exit status %d, standard output %q, standard error %q, want %d and one line that names %s",
				test.args, status, stdout, stderr, test.status, test.want)
		}
	}
	t.Setenv(kernels.EnvISA, "sse9")
	for _, command := range []string{"kernels", "speed", "speed --neighbours"} {
		if status, _, stderr := runArgs("", strings.Fields(command)...); status != 2 || strings.Count(stderr, kernels.EnvISA) != 1 {
			t.Errorf("%s with an unknown set: exit status %d, %s", command, status, stderr)
		}
	}
}
