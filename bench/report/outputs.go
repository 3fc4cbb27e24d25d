package report

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"batchrnn/bench"
)

// Stdout as [Outputs.JSON] is standard output.
const Stdout = "-"

// Outputs are the files that a result goes to; an empty name is none. Errors
// speak of them by the names of rnnbench's flags.
type Outputs struct {
	JSON string // a file, or Stdout
	CSV  string
	Plot string // its extension says the format
}

// An output is one file to write.
type output struct {
	flag, path string
	write      func(io.Writer, bench.Result) error
}

// files lists the outputs that are files. [Outputs.Check] has approved of them.
func (o Outputs) files() []output {
	format, _ := PlotFormat(o.Plot)
	var files []output
	for _, f := range []output{
		{"--json", o.JSON, JSON},
		{"--csv", o.CSV, CSV},
		{"--plot", o.Plot, func(w io.Writer, r bench.Result) error { return Plot(w, r, format) }},
	} {
		if f.path != "" && !(f.flag == "--json" && f.path == Stdout) {
			files = append(files, f)
		}
	}
	return files
}

// Check returns an error if [Outputs.Write] could not succeed: a
// [bench.OptionError] for names that make no sense, another error for files
// that can't be written. It is for the time before a long run, and leaves
// nothing behind.
func (o Outputs) Check() error {
	if o.CSV == Stdout {
		return &bench.OptionError{Name: "--csv", Err: errors.New("only --json can go to standard output: give a file name")}
	}
	if o.Plot != "" {
		if _, err := PlotFormat(o.Plot); err != nil {
			return &bench.OptionError{Name: "--plot", Err: fmt.Errorf("%q: %w", o.Plot, err)}
		}
	}
	taken := map[string]string{}
	for _, f := range o.files() {
		path := filepath.Clean(f.path)
		if other, ok := taken[path]; ok {
			return &bench.OptionError{Name: f.flag, Err: fmt.Errorf("%q is the file of %s too: give each its own", f.path, other)}
		}
		taken[path] = f.flag
		if err := CheckWritable(f.path); err != nil {
			return fmt.Errorf("%s: %q can't be written: %w: name a file in a folder that you may write to", f.flag, f.path, err)
		}
	}
	return nil
}

// Write writes r to every output. A failure of one does not keep the others
// from being written. Of a result without models no plot is made.
func (o Outputs) Write(r bench.Result, stdout io.Writer) error {
	var errs []error
	if o.JSON == Stdout {
		if err := JSON(stdout, r); err != nil {
			errs = append(errs, fmt.Errorf("--json: standard output: %w", err))
		}
	}
	for _, f := range o.files() {
		err := WriteFile(f.path, func(w io.Writer) error { return f.write(w, r) })
		if err != nil && !errors.Is(err, ErrNothingToPlot) {
			errs = append(errs, fmt.Errorf("%s: %q was not written: %w", f.flag, f.path, err))
		}
	}
	return errors.Join(errs...)
}
