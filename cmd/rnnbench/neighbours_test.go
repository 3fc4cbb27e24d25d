package main

import (
	"strings"
	"testing"

	"batchrnn/bench/speed"
)

func TestSpeedBesideNeighbours(t *testing.T) {
	status, stdout, stderr := runArgs("", "speed", "--neighbours", "--threads", "1,2", "--hidden", "8,24", "--batch", "3", "--time", "2ms", "--json", "-")
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, stderr)
	}
	for _, want := range []string{"rnnbench speed --neighbours --threads 1,2 --hidden 8,24 --batch 3 --time 2ms", "2 threads",
		"H 8, B 3\n", "H 24, B 3\n", "throughput/one", "p99/one", "8-callers", "rows below 0.9 of one worker's throughput", "rows above 2 times one worker's p99"} {
		if !strings.Contains(stderr, want) && !strings.Contains(joined(stderr), want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	var r speed.Result
	decodeStrictly(t, stdout, &r)
	wantFields(t, stdout, "rows", "kind", "isa", "h", "b", "t", "pass", "threads", "runs", "seconds", "median_seconds",
		"beside", "engines", "callers", "mean_seconds", "p99_seconds", "mean_gflops", "tokens_per_second")
	compared := 0
	for _, row := range r.Rows {
		if row.Compared() {
			compared++
			if !(row.ThroughputRatio > 0) || !(row.P99Ratio > 0) || row.OneRuns == 0 {
				t.Errorf("row %+v", row)
			}
		}
	}
	if want := 2 * (7 - len(r.LeftOut)); compared != want || len(r.Rows) != 2*want || r.Interrupted || r.Machine.Threads != 2 {
		t.Errorf("%d of %d rows are compared, want %d: %+v", compared, len(r.Rows), want, r.Machine)
	}
}

// TestMissesAreTold prints rows of known ratios.
func TestMissesAreTold(t *testing.T) {
	row := func(beside string, one int, throughput, p99 float64) speed.Row {
		return speed.Row{Kind: speed.KindNeighbour, H: 32, B: 1, T: 50, Threads: 2, Beside: beside,
			Runs: 50, OneRuns: one, ThroughputRatio: throughput, P99Ratio: p99}
	}
	var out strings.Builder
	printNeighbours(&out, speed.Result{
		Rows: []speed.Row{
			row("quiet", 500, 1.8, 0.6), row("process", 500, 0.07, 50), row("goroutine", 500, 0.95, 2.5), row("8-callers", 20, 0.85, 9),
		},
		LeftOut: []speed.LeftOut{{Beside: "nice-process", Reason: "no niceness"}},
	})
	text := out.String()
	for _, want := range []string{
		"2 of 4 rows below 0.9 of one worker's throughput:\n  H 32, B 1, process: 0.07\n  H 32, B 1, 8-callers: 0.85\n",
		"2 of 3 rows above 2 times one worker's p99:\n  H 32, B 1, process: 50.00\n  H 32, B 1, goroutine: 2.50\n",
		"not judged by p99: 1 of 4 rows, with fewer than 100 passes of one worker\n",
		"left out: nice-process: no niceness\n",
		" 0.07    50.00  slow, p99\n",
		" 0.85     9.00  slow\n",
		" 1.80     0.60\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
