package report

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/study"
	"batchrnn/internal/durable"
	"batchrnn/internal/option"
	"batchrnn/kernels"
)

// A Folder is the folder of a report, and the [study.Store] of its study. Each file in
// it is written completely or not at all. One process at a time has it open.
type Folder struct {
	path string
	lock *durable.Lock // of results.json
}

// Names in a [Folder].
const (
	resultsJSON = "results.json"
	resultsCSV  = "results.csv"
	page        = "report.html"
	modelFolder = "models"
)

// OpenFolder returns the folder at path, and creates it if it is missing. It returns an
// error if a report in it would overwrite a file of the corpus. The caller closes it.
func OpenFolder(path string, corpus text.Input) (Folder, error) {
	if path == "" {
		return Folder{}, option.Misuse("Out", "the name is empty: give a folder")
	}
	files := mayWrite(path)
	resolved := make([]string, len(files))
	for i, name := range files {
		resolved[i] = absolute(name)
	}
	if read := corpus.Reads(resolved...); read != "" {
		return Folder{}, belongs("Out", files[slices.Index(resolved, read)])
	}
	err := os.MkdirAll(filepath.Join(path, modelFolder), 0o777)
	if err == nil {
		err = durable.CheckWritable(filepath.Join(path, resultsJSON))
	}
	if err != nil {
		return Folder{}, option.Failure("Out", "%q can't take a report: %w: name a folder that you may write to", path, durable.WithoutPath(err))
	}
	lock, err := durable.NewLock(filepath.Join(path, resultsJSON))
	if err != nil {
		return Folder{}, option.Failure("Out", "%q: %w: wait for its end, or name another folder", path, err)
	}
	return Folder{path, lock}, nil
}

// Close lets other processes open the folder.
func (f Folder) Close() error { return f.lock.Release() }

// mayWrite returns the paths of all files in the folder at path that a report may write.
// Of the models, whose names depend on the options, it returns those that are there.
func mayWrite(path string) (files []string) {
	for _, name := range []string{resultsJSON, resultsCSV, page} {
		files = append(files, filepath.Join(path, name))
	}
	for _, pattern := range []string{"*-*.png", "*-*.svg", filepath.Join(modelFolder, "*.lm")} {
		found, _ := filepath.Glob(filepath.Join(path, pattern))
		files = append(files, found...)
	}
	return files
}

// HasReport reports whether the folder has the results of a report.
func (f Folder) HasReport() bool {
	_, err := os.Stat(filepath.Join(f.path, resultsJSON))
	return err == nil
}

// Page returns the path of the report's page.
func (f Folder) Page() string { return filepath.Join(f.path, page) }

// Earlier returns the existing report in the folder, nil if there is none. A damaged file
// is an error.
func (f Folder) Earlier() (*study.Result, error) {
	path := filepath.Join(f.path, resultsJSON)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var r study.Result
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err == nil && r.Format != study.Format {
		err = fmt.Errorf("format %d: this program reads format %d", r.Format, study.Format)
	}
	if err != nil {
		return nil, option.Failure("Resume", "%q: %w: leave it out to measure everything anew", path, durable.WithoutPath(err))
	}
	return &r, nil
}

// Keep implements [study.Store].
func (f Folder) Keep(r study.Result) error {
	return f.write(resultsJSON, func(w io.Writer) error { return studyJSON(w, r) })
}

// SaveModel implements [study.Store].
func (f Folder) SaveModel(name string, m io.WriterTo) error {
	return f.write(filepath.Join(modelFolder, name), func(w io.Writer) error {
		_, err := m.WriteTo(w)
		return err
	})
}

// LoadModel implements [study.Store].
func (f Folder) LoadModel(name string, e *kernels.Engine) (*lm.Model, error) {
	return lm.Open(filepath.Join(f.path, modelFolder, name), e)
}

func (f Folder) write(name string, write func(io.Writer) error) error {
	path := filepath.Join(f.path, name)
	err := durable.RemoveLeftovers(path) // of a killed report
	if err == nil {
		err = durable.WriteFile(path, write)
	}
	if err != nil {
		return option.Failure("Out", "%q was not written: %w", path, err)
	}
	return nil
}

// Write writes the whole report: the results, the plots and the page. If one fails, the
// others are still written.
func (f Folder) Write(r study.Result) error {
	errs := []error{
		f.Keep(r),
		f.write(resultsCSV, func(w io.Writer) error { return studyCSV(w, r) }),
	}
	for _, c := range r.Corpora {
		for _, fig := range drawings(r, c.Level) {
			for _, format := range []string{"png", "svg"} {
				errs = append(errs, f.write(fig.name+"."+format, func(w io.Writer) error {
					return writePlot(w, fig.Plot, format)
				}))
			}
		}
	}
	errs = append(errs, f.write(page, func(w io.Writer) error { return HTML(w, r) }))
	return errors.Join(errs...)
}

func studyJSON(w io.Writer, r study.Result) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // <unk>, not \u003cunk\u003e
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// studyCSV writes a header and one line per row. Columns have the names of the JSON
// fields.
func studyCSV(w io.Writer, r study.Result) error {
	c := csv.NewWriter(w)
	c.Write([]string{
		"level", "name", "kind", "order", "hidden", "cell", "embedding", "smoothing", "store", "entries", "parameters", "softmax", "dropout", "halve",
		"bytes_predicted", "bytes_resident", "train_seconds", "train_tokens", "train_tokens_per_second", "full_train_tokens_per_second",
		"score_tokens_per_second", "score_spread", "latency_seconds", "batch_seconds", "batch_streams", "batch_threads",
		"valid_bits_per_token", "bits_per_token", "perplexity", "adjusted_bits_per_token", "adjusted_perplexity", "weight", "interrupted", "unscored", "resident_unknown", "config",
	})
	for _, m := range r.Rows {
		c.Write([]string{
			m.Level, m.Label, m.Kind, strconv.Itoa(m.Order), strconv.Itoa(m.Hidden), m.Cell, strconv.Itoa(m.Embedding), m.Smoothing, m.Store, integer(m.Entries), integer(m.Parameters), m.Softmax, number(m.Dropout), strconv.FormatBool(m.Halve),
			integer(m.BytesPredicted), integer(m.BytesResident), number(m.TrainSeconds), integer(m.TrainTokens), number(m.TrainTokensPerSecond), number(m.FullTrainTokensPerSecond),
			number(m.ScoreTokensPerSecond), number(m.ScoreSpread), number(m.LatencySeconds), number(m.BatchSeconds),
			strconv.Itoa(m.BatchStreams), strconv.Itoa(m.BatchThreads),
			number(m.ValidBits), number(m.BitsPerToken), number(float64(m.Perplexity)), number(m.AdjustedBits), number(float64(m.Adjusted)), number(m.Weight),
			strconv.FormatBool(m.Interrupted), strconv.FormatBool(m.Unscored), strconv.FormatBool(m.ResidentUnknown), m.Config,
		})
	}
	c.Flush()
	return c.Error() // also holds an error of earlier writes
}
