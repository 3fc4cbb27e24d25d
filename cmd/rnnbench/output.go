package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/alecthomas/kong"

	"batchrnn/bench/lm/text"
	"batchrnn/bench/report"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

// jsonFormat is the version of the JSON forms, "format" in each. docs/json.md describes
// them.
const jsonFormat = 1

// A jsonFlag is where JSON goes: a file, [report.Stdout], or nowhere if it is empty. On
// the command line, --json alone and --json - mean standard output, and --json FILE and
// --json=FILE a file. It means the same for every command.
type jsonFlag string

const jsonHelp = "Write the result as JSON: to FILE, or without one to standard output, with the text on standard error."

// Decode implements [kong.MapperValue].
func (j *jsonFlag) Decode(ctx *kong.DecodeContext) error {
	*j = report.Stdout
	if next := ctx.Scan.Peek(); next.IsValue() {
		ctx.Scan.Pop()
		*j = jsonFlag(outputName(next.String()))
	}
	if *j == "" {
		return errors.New("the name is empty: give one, or --json alone for standard output") // kong names the flag
	}
	return nil
}

// mayLackValue reports whether a flag may stand without a value.
func mayLackValue(f *kong.Flag) bool { return f.Target.Type() == reflect.TypeFor[jsonFlag]() }

// modelAfterJSON returns args with - as the file of a --json that is followed by the only
// other word, and reports whether there is one. A command that lacks its model means
// that word by it.
func modelAfterJSON(args []string) (again []string, ok bool) {
	for i, a := range args {
		if a == "--json" && i+1 < len(args) {
			again = append(append(again, args[:i]...), "--json=-")
			return append(again, args[i+1:]...), true
		}
	}
	return nil, false
}

// check returns an error if the file could not be written, or if it would overwrite one
// of others, given by flag. corpus is as in [report.CheckFile].
func (j jsonFlag) check(corpus text.Input, others map[string]string) error {
	if j == "" {
		return nil
	}
	for flag, path := range others {
		switch {
		case path == "":
		case j == report.Stdout && path == report.Stdout:
			return option.Misuse("--json", "standard output takes the file of %s already: give --json a file", flag)
		case j != report.Stdout && path != report.Stdout && report.SameFile(string(j), path):
			return option.Misuse("--json", "%q is the file of %s too: give each its own", string(j), flag)
		}
	}
	if j == report.Stdout {
		return nil
	}
	return report.CheckFile("--json", string(j), corpus)
}

// write writes v as indented JSON. It does nothing if j is empty.
func (j jsonFlag) write(stdout io.Writer, v any) error {
	write := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false) // <unk>, not \u003cunk\u003e
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	switch j {
	case "":
		return nil
	case report.Stdout:
		if err := write(stdout); err != nil {
			return j.notWritten(err)
		}
		return nil
	}
	if err := durable.WriteFile(string(j), write); err != nil {
		return j.notWritten(err)
	}
	return nil
}

// notWritten adds the place of the JSON to an error of writing it.
func (j jsonFlag) notWritten(err error) error {
	if j == report.Stdout {
		return fmt.Errorf("--json: standard output: %w", err)
	}
	return fmt.Errorf("--json: %q was not written: %w", string(j), err)
}

// file calls write with the file of j, which takes its name at the end, also where a signal
// has stopped write. Without a file, what is written goes nowhere.
func (j jsonFlag) file(write func(io.Writer) error) error {
	if j == "" || j == report.Stdout {
		return write(io.Discard)
	}
	var writing error
	err := durable.WriteFile(string(j), func(w io.Writer) error {
		file := bufio.NewWriter(w)
		if writing = write(file); writing != nil && !errors.Is(writing, errStopped) {
			return writing
		}
		return file.Flush()
	})
	if err == nil || writing != nil && errors.Is(err, writing) {
		return cmp.Or(err, writing)
	}
	return j.notWritten(err)
}

// A filter is the output of a command that reads standard input: text on standard output,
// and JSON objects there or in a file.
type filter struct {
	json            jsonFlag
	out             *bufio.Writer // standard output
	objects         *json.Encoder
	outErr, jsonErr error
}

// newFilter returns a filter whose objects go to file, unless j is [report.Stdout].
func newFilter(env *environment, j jsonFlag, file io.Writer) *filter {
	f := &filter{json: j, out: bufio.NewWriter(env.stdout)}
	if j == report.Stdout {
		file = f.out
	}
	f.objects = json.NewEncoder(file)
	f.objects.SetEscapeHTML(false) // <unk> and </s> are as written
	return f
}

// object writes v as a line of JSON, if that is asked for.
func (f *filter) object(v any) {
	if f.json != "" {
		f.jsonErr = f.objects.Encode(v)
	}
}

// prints reports whether there is text to print.
func (f *filter) prints() bool { return f.jsonErr == nil && f.json != report.Stdout }

func (f *filter) err() error { return cmp.Or(f.jsonErr, f.outErr) }

// end writes the total, unless the command has failed with err, and flushes. stopped says
// that a signal has ended the command.
func (f *filter) end(total any, err error, stopped bool) error {
	if f.err() == nil && (err == nil || stopped) {
		f.object(total)
	}
	if f.outErr == nil {
		f.outErr = f.out.Flush()
	}
	switch {
	case f.jsonErr != nil:
		return f.json.notWritten(f.jsonErr)
	case f.outErr != nil:
		return fmt.Errorf("standard output: %w", f.outErr)
	case stopped:
		return errInterrupted
	}
	return err
}

// outputName returns [report.Stdout] for the system's names of standard output too. As a
// file it would hold the text as well.
func outputName(path string) string {
	switch path {
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return report.Stdout
	}
	return path
}

// text returns where a command's text goes, and its name in errors: to standard output,
// unless a file named - is there.
func (env *environment) text(files ...string) (w io.Writer, name string) {
	for _, f := range files {
		if f == report.Stdout {
			return env.notes(), "standard error"
		}
	}
	return env.stdout, "standard output"
}

// notes returns where text goes that is neither the result nor an error.
func (env *environment) notes() io.Writer {
	if env.Quiet || env.Progress == progressJSON {
		return io.Discard
	}
	return env.stderr
}

// writeOut writes the file of --out, or standard output where that is named -.
func writeOut(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path != report.Stdout {
		if err := durable.WriteFile(path, write); err != nil {
			return fmt.Errorf("--out: %q was not written: %w", path, err)
		}
		return nil
	}
	if o, ok := stdout.(standardOutput); ok {
		o.result = true // what can't be written here is lost
		stdout = o
	}
	out := bufio.NewWriterSize(stdout, 64<<10)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("--out: standard output: %w", err)
	}
	return nil
}

// checkOut returns an error if [writeOut] could not write the file.
func checkOut(path string, corpus text.Input) error {
	if path == report.Stdout {
		return nil
	}
	return report.CheckFile("--out", path, corpus)
}

// written describes a file of --out that was written.
func written(path string, size int64) string {
	if path == report.Stdout {
		path = "standard output"
	}
	return path + ", " + figures.Bytes(size)
}
