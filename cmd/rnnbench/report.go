package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"batchrnn/bench/report"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type reportCommand struct {
	Out    string   `required:"" placeholder:"DIR" help:"Folder that the report goes to; it is made where there is none."`
	Corpus []string `sep:"none" placeholder:"PATH" help:"Text to train on: a file, a folder of text files, or - for standard input; given several times, several in order, as one text. Without it Newton's Opticks, out of the Go distribution."`
	forceText
	Level    string         `default:"char,word" placeholder:"char|word" help:"What a token is, both with a comma between them (default ${default})."`
	MaxOrder int            `default:"9" placeholder:"N" help:"Measure n-gram models of the orders 1 to N, at most 9 (default ${default})."`
	Vocab    *int           `placeholder:"N" help:"Keep the N most frequent words, <unk> included (default: 10000)."`
	MinCount *int           `placeholder:"N" help:"Take words that the training split has fewer than N times as <unk> (default: 2)."`
	Cell     string         `default:"rnn,gru" placeholder:"NAME" help:"Cell of the RNNs: rnn, the vanilla one, lstm, gru, gru-reset-before; several with commas between them (default ${default})."`
	Hidden   string         `default:"128,256" placeholder:"H" help:"Width of an RNN of the first cell; several with commas between them (default ${default}). The other cells have the largest width that takes no more bytes."`
	Budget   *time.Duration `placeholder:"TIME" help:"Training time of each RNN, such as 20s or 3m (default: 51 s for each MB of the text, from 10s to 4m)."`
	Threads  int            `default:"${cores}" placeholder:"N" help:"Threads that an RNN runs on (default ${default}, as many as there are cores)."`
	Seed     uint64         `default:"1" placeholder:"N" help:"Seed of the RNNs' initial weights, and of the text where it is generated (default ${default})."`
	Resume   bool           `help:"Go on from the report in DIR: what is there is not measured again. The text, the machine and the settings must be the same; more orders, cells, widths and levels may be asked for. Without it, an earlier report is replaced."`
}

// Help returns the text that kong prints below the summary.
func (*reportCommand) Help() string {
	return `Measures n-gram models of every order, RNNs of several cells and widths, and the linear interpolation of the best of each: memory, bits per token, time a token takes, time to train. It writes report.html, which needs no network, each plot as PNG and SVG, results.json, results.csv, and the RNNs as models for rnnbench eval, sample and score.

The default takes about five minutes on two cores; with a text of 3 MB the training of the RNNs alone takes 21. Ctrl-C, SIGTERM and SIGHUP write the report of what has been measured until then, and --resume goes on from there.`
}

// Run is called by kong.
func (c *reportCommand) Run(env *environment) error {
	levels, err := parseLevels(c.Level)
	if err != nil {
		return err
	}
	hidden, err := parseWidths(c.Hidden)
	if err != nil {
		return err
	}
	cells, err := parseCells(c.Cell)
	if err != nil {
		return err
	}
	corpus, err := corpusSource(c.Corpus, c.ForceText)
	if err != nil {
		return err
	}
	options := study.Options{
		Corpus: corpus, Levels: levels, Vocab: c.Vocab, MinCount: c.MinCount, MaxOrder: c.MaxOrder, Cells: cells, Hidden: hidden, Budget: c.Budget,
		Threads: c.Threads, Seed: c.Seed, Full: true,
	}
	options.Command = reportCommandLine(options, c.Out)
	// Mistakes are reported now, not after minutes of work.
	if err := options.Validate(); err != nil {
		return err
	}
	if c.Out == report.Stdout {
		return option.Misuse("--out", "a report is a folder of files, which standard output can't take: name a folder")
	}
	folder, err := report.OpenFolder(c.Out, corpus)
	if err != nil {
		return err
	}
	defer folder.Close()
	var earlier *study.Result
	if c.Resume {
		if earlier, err = folder.Earlier(); err != nil {
			return err
		}
	}
	progress := env.progress()
	progress.work(readingText)
	comparison, err := study.New(options, folder, earlier, env.stdin)
	progress.done()
	if err != nil {
		return err
	}
	defer comparison.Close()
	if err := checkSpace("--out", c.Out, comparison.FileBytes()+pageBytes); err != nil {
		return err
	}
	ctx, stop := env.interruptible()
	defer stop()
	var heading bytes.Buffer
	report.StudyHeading(&heading, comparison.Result())
	heading.WriteByte('\n')
	if _, err := heading.WriteTo(env.stdout); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}

	result, err := comparison.Run(ctx, progress.on)
	if result.Interrupted && len(result.Rows) == 0 && folder.HasReport() {
		progress.close()
		return fmt.Errorf("%w: nothing was measured, and the report there stays as it was", errStopped)
	}
	// The files come first, as in ram.
	progress.work("writing the page")
	err = errors.Join(err, folder.Write(result))
	progress.close()
	stop()
	if textErr := report.StudyText(env.stdout, result); textErr != nil {
		err = errors.Join(err, fmt.Errorf("standard output: %w", textErr))
	}
	if err == nil {
		fmt.Fprintf(env.stdout, "\nreport   %s\n", folder.Page())
		if result.Interrupted {
			err = fmt.Errorf("%w: the report is of what was measured until then, and --resume goes on from there", errStopped)
		}
	}
	return err
}

// reportCommandLine returns the command line that repeats the measurement.
func reportCommandLine(o study.Options, out string) string {
	var flags []string
	add := func(flag, value string) { flags = append(flags, set(flag, value)) }
	for _, path := range o.Corpus.Paths {
		add("corpus", path)
	}
	if o.Corpus.Force {
		flags = append(flags, "--force-text")
	}
	levels := make([]string, len(o.Levels))
	for i, l := range o.Levels {
		levels[i] = l.String()
	}
	add("level", strings.Join(levels, ","))
	if o.Vocab != nil {
		add("vocab", strconv.Itoa(*o.Vocab))
	}
	if o.MinCount != nil {
		add("min-count", strconv.Itoa(*o.MinCount))
	}
	add("max-order", strconv.Itoa(o.MaxOrder))
	add("cell", cellNames(o.Cells))
	add("hidden", figures.List(o.Hidden, ","))
	if o.Budget != nil {
		add("budget", o.Budget.String())
	}
	add("threads", strconv.Itoa(o.Threads))
	add("seed", strconv.FormatUint(o.Seed, 10))
	add("out", out)
	return asTyped("report", flags...)
}
