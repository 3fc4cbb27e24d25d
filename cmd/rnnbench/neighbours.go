package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"batchrnn/bench/speed"
	"batchrnn/internal/figures"
)

// printNeighbours prints a table for each size, and the rows that miss a mark.
func printNeighbours(w io.Writer, r speed.Result) {
	if len(r.Rows) > 0 {
		fmt.Fprintln(w, figures.Wrap(fmt.Sprintf("Forward passes beside others, tanh, T = %d: one worker and all in turns; rates are those of one caller", r.Rows[0].T), "", figures.Screen))
		fmt.Fprintf(w, "The marks: at least %v of one worker's throughput, at most %v times its p99\n\n", speed.LeastThroughput, speed.MostP99)
	}
	var compared []speed.Row
	for rows := r.Rows; len(rows) > 0; {
		n := 0
		for n < len(rows) && rows[n].H == rows[0].H && rows[n].B == rows[0].B {
			if rows[n].Compared() {
				compared = append(compared, rows[n])
			}
			n++
		}
		printBeside(w, rows[:n])
		rows = rows[n:]
	}
	printMisses(w, compared)
	for _, l := range r.LeftOut {
		fmt.Fprintf(w, "left out: %s: %s\n", l.Beside, l.Reason)
	}
}

// printBeside prints a table of one size.
func printBeside(w io.Writer, rows []speed.Row) {
	t := figures.Table{{"beside", "workers", "runs", "mean ms", "median", "p99", "GFLOP/s", "tokens/s", "throughput/one", "p99/one", ""}}
	for _, r := range rows {
		throughput, p99, note := "", "", ""
		if r.Compared() {
			throughput, p99, note = fmt.Sprintf("%.2f", r.ThroughputRatio), fmt.Sprintf("%.2f", r.P99Ratio), missed(r)
		}
		t.Add(r.Beside, strconv.Itoa(r.Threads), strconv.Itoa(r.Runs),
			figures.Decimals(1e3*r.MeanSeconds, 3), figures.Decimals(1e3*r.MedianSeconds, 3), figures.Decimals(1e3*r.P99Seconds, 3),
			figures.Decimals(r.MeanGFLOPS, 1), fmt.Sprintf("%.0f", r.TokensPerSecond), throughput, p99, note)
	}
	writeTable(w, fmt.Sprintf("H %d, B %d", rows[0].H, rows[0].B), 2, t, 0, 10)
}

// missed names the marks that a compared row misses.
func missed(r speed.Row) string {
	var marks []string
	if r.Slow() {
		marks = append(marks, "slow")
	}
	if r.Judged() && r.Stalling() {
		marks = append(marks, "p99")
	}
	return strings.Join(marks, ", ")
}

// printMisses prints which of the compared rows miss a mark.
func printMisses(w io.Writer, rows []speed.Row) {
	if len(rows) == 0 {
		return
	}
	var slow, stalling []string
	judged := 0
	for _, r := range rows {
		name := fmt.Sprintf("H %d, B %d, %s", r.H, r.B, r.Beside)
		if r.Slow() {
			slow = append(slow, fmt.Sprintf("%s: %.2f", name, r.ThroughputRatio))
		}
		if r.Judged() {
			judged++
			if r.Stalling() {
				stalling = append(stalling, fmt.Sprintf("%s: %.2f", name, r.P99Ratio))
			}
		}
	}
	printList(w, fmt.Sprintf("%d of %d rows below %v of one worker's throughput", len(slow), len(rows), speed.LeastThroughput), slow)
	printList(w, fmt.Sprintf("%d of %d rows above %v times one worker's p99", len(stalling), judged, speed.MostP99), stalling)
	if n := len(rows) - judged; n > 0 {
		fmt.Fprintf(w, "not judged by p99: %d of %d rows, with fewer than %d passes of one worker\n", n, len(rows), speed.JudgedRuns)
	}
}

// printList prints a heading and the items below it.
func printList(w io.Writer, heading string, items []string) {
	if len(items) > 0 {
		heading += ":"
	}
	fmt.Fprintln(w, heading)
	for _, item := range items {
		fmt.Fprintln(w, "  "+item)
	}
}
