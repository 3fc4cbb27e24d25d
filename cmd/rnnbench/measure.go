package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"batchrnn/bench/lm/text"
	"batchrnn/bench/measure"
	"batchrnn/bench/report"
	"batchrnn/internal/figures"
)

// This file holds the common part of the commands kernels and speed.

// A measurement is a command that prints a heading, measures, and prints the result,
// even if a signal ended it early.
type measurement struct {
	json    jsonFlag
	files   map[string]string // of other flags
	machine measure.Machine
	command string
	run     func(ctx context.Context, on func(nth, of int, name string)) (result any, interrupted bool)
	print   func(w io.Writer)
}

// do runs the measurement. It returns nil if everything was measured and printed.
func (m measurement) do(env *environment) error {
	// Mistakes are reported now, not after minutes of work.
	if err := m.json.check(text.Input{}, m.files); err != nil {
		return err
	}
	text, name := env.text(string(m.json))
	out := &firstError{w: text}
	report.Machine(out, m.machine)
	report.Command(out, m.command)
	fmt.Fprintln(out)
	if out.err != nil {
		return fmt.Errorf("%s: %w", name, out.err)
	}

	ctx, stop := env.interruptible()
	defer stop()
	progress := env.progress()
	result, interrupted := m.run(ctx, progress.step)
	progress.close()
	// The file comes first: if the reader of standard output has gone, printing the
	// tables ends the program.
	err := m.json.write(env.stdout, result)
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

// writeTable prints the title and the table, with the given columns aligned left. A
// table that is too wide is folded, see [figures.Table.WriteFolded]. It prints nothing if
// the table has no rows below its head.
func writeTable(w io.Writer, title string, keys int, t figures.Table, left ...int) {
	if len(t) < 2 {
		return
	}
	fmt.Fprintln(w, figures.Wrap(title, "", figures.Screen))
	t.WriteFolded(w, figures.Screen, keys, "  ", "  ", left...)
	fmt.Fprintln(w)
}
