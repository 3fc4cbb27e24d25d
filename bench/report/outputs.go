package report

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"batchrnn/bench/lm/text"
	"batchrnn/bench/study"
	"batchrnn/internal/durable"
	"batchrnn/internal/option"
)

// Stdout as [Outputs.JSON] means standard output.
const Stdout = "-"

// Outputs are the files of a result; an empty name means no file.
type Outputs struct {
	JSON string // a file, or Stdout
	CSV  string
	Plot string // its extension says the format
}

// An output is one file to write.
type output struct {
	option, path string
	write        func(io.Writer, study.LevelResult) error
}

// files lists the outputs that are files. [Outputs.Check] must have accepted them.
func (o Outputs) files() []output {
	format, _ := PlotFormat(o.Plot)
	var files []output
	for _, f := range []output{
		{"JSON", o.JSON, JSON},
		{"CSV", o.CSV, CSV},
		{"Plot", o.Plot, func(w io.Writer, r study.LevelResult) error { return Plot(w, r, format) }},
	} {
		if f.path != "" && !(f.option == "JSON" && f.path == Stdout) {
			files = append(files, f)
		}
	}
	return files
}

// Check returns an error if [Outputs.Write] could not succeed, or would overwrite the
// corpus. Invalid names give an [option.Error], unwritable files another error. Call it
// before a long run; it leaves no file behind.
func (o Outputs) Check(corpus text.Input) error {
	if o.CSV == Stdout {
		return option.Misuse("CSV", "only JSON can go to standard output: give a file name")
	}
	if o.Plot != "" {
		if _, err := PlotFormat(o.Plot); err != nil {
			return option.Misuse("Plot", "%q: %w", o.Plot, err)
		}
	}
	files := o.files()
	for i, f := range files {
		for _, other := range files[:i] {
			if SameFile(f.path, other.path) {
				return option.Misuse(f.option, "%q is the file of %v too: give each its own", f.path, option.Field(other.option))
			}
		}
		if err := CheckFile(f.option, f.path, corpus); err != nil {
			return err
		}
	}
	return nil
}

// CheckFile does for the file of one option what [Outputs.Check] does. It returns an
// error if [durable.WriteFile] could not write it, or would overwrite the corpus, or add
// a text to it.
func CheckFile(name, path string, corpus text.Input) error {
	if corpus.Reads(absolute(path)) != "" {
		return belongs(name, path)
	}
	if err := durable.CheckWritable(path); err != nil {
		return option.Failure(name, "%q can't be written: %w: name a file that you may write to, in a folder that you may write to", path, err)
	}
	return nil
}

// belongs returns the error for an output that is a file of the corpus. A new file in a
// folder of texts would be one of the next run.
func belongs(name, path string) error {
	if _, err := os.Stat(path); err != nil {
		return option.Misuse(name, "%q would belong to the corpus, whose folder is read from .txt, .text and .md files: name a file of another kind, or elsewhere", path)
	}
	return option.Misuse(name, "%q belongs to the corpus, which it would overwrite: name another file", path)
}

// SameFile reports whether two names denote one file. The file need not exist.
func SameFile(a, b string) bool {
	a, b = absolute(a), absolute(b)
	if a == b {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// absolute returns a canonical name of a file, with links and relative parts resolved.
func absolute(path string) string {
	path = durable.Resolve(path)
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// Write writes r to every output. If one fails, the others are still written. Standard
// output comes last, because a write after its reader has gone ends the program. A
// result without models gives no plot.
func (o Outputs) Write(r study.LevelResult, stdout io.Writer) error {
	var errs []error
	for _, f := range o.files() {
		err := durable.WriteFile(f.path, func(w io.Writer) error { return f.write(w, r) })
		if err != nil && !errors.Is(err, ErrNothingToPlot) {
			errs = append(errs, option.Failure(f.option, "%q was not written: %w", f.path, err))
		}
	}
	if o.JSON == Stdout {
		if err := JSON(stdout, r); err != nil {
			errs = append(errs, option.Failure("JSON", "standard output: %w", err))
		}
	}
	return errors.Join(errs...)
}
