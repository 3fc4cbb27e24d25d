package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"batchrnn/bench"
	"batchrnn/bench/disk"
	"batchrnn/bench/report"
	"batchrnn/bench/speed"
)

// This file holds what the commands kernels and speed share.

// A measurement is a command that prints a heading, measures, and prints what
// it found, also where Ctrl-C ended it early.
type measurement struct {
	json    string // as the flag has it
	machine bench.Machine
	command string
	run     func(ctx context.Context, on func(nth, of int, name string)) (result any, interrupted bool)
	print   func(w io.Writer)
}

// do runs the measurement. The error is nil if all was measured and printed.
func (m measurement) do(env *environment) error {
	// What is wrong is said now, not after minutes of work.
	if m.json != "" && m.json != report.Stdout {
		if err := disk.CheckWritable(m.json); err != nil {
			return fmt.Errorf("--json: %q can't be written: %w: name a file in a folder that you may write to", m.json, err)
		}
	}
	text, name := env.stdout, "standard output"
	if m.json == report.Stdout {
		text, name = env.stderr, "standard error"
	}
	out := &firstError{w: text}
	fmt.Fprintf(out, "machine  %s, %s/%s, %s\n", m.machine.CPU, m.machine.OS, m.machine.Arch, m.machine.Go)
	fmt.Fprintf(out, "kernels  %s, %s\n", m.machine.ISA, speed.Threads(m.machine.Threads))
	fmt.Fprintf(out, "command  %s\n\n", m.command)
	if out.err != nil {
		return fmt.Errorf("%s: %w", name, out.err)
	}

	ctx, stop := interruptible()
	defer stop()

	progress := newProgress(env.stderr)
	result, interrupted := m.run(ctx, progress.step)
	progress.close()
	stop() // writing to a pipe that nobody reads ends by Ctrl-C only
	// The file comes first: where nobody reads standard output any longer, the
	// tables end the program.
	err := writeJSON(m.json, env.stdout, result)
	m.print(out)
	if out.err != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", name, out.err))
	}
	if err == nil && interrupted {
		err = errInterrupted
	}
	return err
}

// step tells that the nth of so many pieces of work begins.
func (p *progress) step(nth, of int, name string) {
	line := fmt.Sprintf("%d/%d %s", nth, of, name)
	switch {
	case p.terminal:
		if p.bar == nil {
			p.bar = newBar(p.w, barWidth, true)
		}
		p.bar.Describe(line)
		p.bar.Set((nth - 1) * (barSteps - 1) / of)
	case nth == 1 || time.Since(p.told) >= tellEvery:
		fmt.Fprintln(p.w, line)
		p.told = time.Now()
	}
}

// writeJSON writes v to the file or the standard output that path names, if
// any.
func writeJSON(path string, stdout io.Writer, v any) error {
	write := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	switch path {
	case "":
		return nil
	case report.Stdout:
		if err := write(stdout); err != nil {
			return fmt.Errorf("--json: standard output: %w", err)
		}
		return nil
	}
	if err := disk.WriteFile(path, write); err != nil {
		return fmt.Errorf("--json: %q was not written: %w", path, err)
	}
	return nil
}

// firstError passes writes on until one fails.
type firstError struct {
	w   io.Writer
	err error
}

func (f *firstError) Write(b []byte) (int, error) {
	if f.err == nil {
		_, f.err = f.w.Write(b)
	}
	return len(b), nil
}

// A table is rows of cells, the first of them the heads of its columns.
type table [][]string

// add appends a row.
func (t *table) add(cells ...string) { *t = append(*t, cells) }

// write prints the title and the table, numbers to the right and, in the
// columns named left, words to the left. It prints nothing if there are no rows
// below the head.
func (t table) write(w io.Writer, title string, left ...int) {
	if len(t) < 2 {
		return
	}
	width := make([]int, len(t[0]))
	isLeft := make([]bool, len(t[0]))
	for _, i := range left {
		isLeft[i] = true
	}
	for _, row := range t {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintln(w, title)
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if isLeft[i] {
				cell, pad = cell+pad, ""
			}
			line.WriteString("  " + pad + cell)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(w)
}

// decimals writes a figure, or none.
func decimals(v float64, n int) string {
	if v <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", n, v)
}
