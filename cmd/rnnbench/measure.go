package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"batchrnn/bench/measure"
	"batchrnn/bench/report"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
)

// This file holds the common part of the commands kernels and speed.

// A measurement is a command that prints a heading, measures, and prints the result,
// even if a signal ended it early.
type measurement struct {
	json    string // the value of the flag
	machine measure.Machine
	command string
	run     func(ctx context.Context, on func(nth, of int, name string)) (result any, interrupted bool)
	print   func(w io.Writer)
}

// do runs the measurement. It returns nil if everything was measured and printed.
func (m measurement) do(env *environment) error {
	// Mistakes are reported now, not after minutes of work.
	if m.json != "" && m.json != report.Stdout {
		if err := durable.CheckWritable(m.json); err != nil {
			return fmt.Errorf("--json: %q can't be written: %w: name a file in a folder that you may write to", m.json, err)
		}
	}
	ctx, stop := env.interruptible()
	defer stop()
	text, name := env.stdout, "standard output"
	if m.json == report.Stdout {
		text, name = env.stderr, "standard error"
	}
	out := &firstError{w: text}
	report.Machine(out, m.machine)
	fmt.Fprintf(out, "command  %s\n\n", m.command)
	if out.err != nil {
		return fmt.Errorf("%s: %w", name, out.err)
	}

	progress := newProgress(env.stderr)
	result, interrupted := m.run(ctx, progress.step)
	progress.close()
	// The file comes first: if the reader of standard output has gone, printing the
	// tables ends the program.
	err := writeJSON(m.json, env.stdout, result)
	stop()
	m.print(out)
	if out.err != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", name, out.err))
	}
	if err == nil && interrupted {
		err = errInterrupted
	}
	return err
}

// step reports the start of a piece of work: its number nth, of pieces in all.
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

// writeJSON writes v to the file or standard output that path names. It does nothing if
// path is empty.
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
	if err := durable.WriteFile(path, write); err != nil {
		return fmt.Errorf("--json: %q was not written: %w", path, err)
	}
	return nil
}

// firstError forwards writes until one fails, and keeps that error. Its Write returns
// none.
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

// writeTable prints the title and the table, with the given columns aligned left. It
// prints nothing if the table has no rows below its head.
func writeTable(w io.Writer, title string, t figures.Table, left ...int) {
	if len(t) < 2 {
		return
	}
	fmt.Fprintln(w, title)
	t.Write(w, "  ", "  ", left...)
	fmt.Fprintln(w)
}
