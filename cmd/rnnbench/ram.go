package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/bench/report"
	"batchrnn/bench/study"
)

type ramCommand struct {
	Corpus []string `sep:"none" placeholder:"PATH" help:"Text to train on: a file, a folder of text files, or - for standard input; given several times, several in order, as one text. Without it Newton's Opticks, out of the Go distribution."`
	forceText
	Level     string        `default:"char" placeholder:"char|word" help:"What a token is: char or word (default ${default})."`
	MaxOrder  int           `default:"7" placeholder:"N" help:"Measure n-gram models of the orders 1 to N, at most 9 (default ${default})."`
	Smoothing string        `default:"kneser-ney" placeholder:"NAME" help:"Smoothing of the n-gram models: kneser-ney, modified and interpolated, or absolute discounting (default ${default})."`
	Vocab     *int          `placeholder:"N" help:"Keep the N most frequent tokens, <unk> included (default: all characters, or 10000 words)."`
	MinCount  *int          `placeholder:"N" help:"Take tokens that the training split has fewer than N times as <unk> (default: 1, for words 2)."`
	Cell      string        `default:"rnn,gru" placeholder:"NAME" help:"Cell of the RNNs: rnn, the vanilla one, lstm, gru, gru-reset-before; several with commas between them (default ${default})."`
	Hidden    string        `default:"128,256" placeholder:"H" help:"Width of an RNN of the first cell; several with commas between them (default ${default}). The other cells have the largest width that takes no more bytes."`
	Budget    time.Duration `default:"30s" placeholder:"TIME" help:"Training time of each RNN, such as 20s or 3m (default ${default})."`
	Threads   int           `default:"${cores}" placeholder:"N" help:"Threads that an RNN runs on (default ${default}, as many as there are cores)."`
	Seed      uint64        `default:"1" placeholder:"N" help:"Seed of the RNNs' initial weights, and of the text where it is generated (default ${default})."`
	JSON      jsonFlag      `name:"json" placeholder:"[FILE]" help:"${json}"`
	CSV       *string       `name:"csv" placeholder:"FILE" help:"Write the figures as CSV, a row per model."`
	Plot      *string       `placeholder:"FILE.png|.svg" help:"Draw the bytes against the order."`
}

// Help returns the text that kong prints below the summary.
func (*ramCommand) Help() string {
	// kong rewraps the lines of a paragraph.
	return `Trains n-gram models of every order, each in four stores, and RNNs of
several cells and widths, each in float32 and int8, on the same tokens, and prints for each what it weighs in memory, how fast it trains
and scores, and how many bits per token it needs on text held out from training.
What a model weighs is computed, and measured in a process of its own.

The default takes about two and a half minutes on two cores: an RNN trains for the whole of
its budget. Ctrl-C, SIGTERM and SIGHUP print what has been measured until then.`
}

// Run is called by kong.
func (c *ramCommand) Run(env *environment) error {
	level, err := parseLevel(c.Level)
	if err != nil {
		return err
	}
	smoothing, err := parseSmoothing(c.Smoothing)
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
	outputs := report.Outputs{JSON: string(c.JSON)}
	for _, flag := range []struct {
		name  string
		value *string
		used  *string
	}{
		{"--csv", c.CSV, &outputs.CSV},
		{"--plot", c.Plot, &outputs.Plot},
	} {
		if *flag.used, err = given(flag.name, flag.value); err != nil {
			return err
		}
	}
	options := study.Options{
		Corpus: corpus, Levels: []text.Level{level}, Vocab: c.Vocab, MinCount: c.MinCount,
		MaxOrder: c.MaxOrder, Smoothing: smoothing, Cells: cells, Hidden: hidden, Budget: &c.Budget,
		Threads: c.Threads, Seed: c.Seed,
	}
	// Mistakes are reported now, not after minutes of work.
	if err := options.Validate(); err != nil {
		return err
	}
	if err := outputs.Check(corpus); err != nil {
		return err
	}
	progress := env.progress()
	progress.work(readingText)
	comparison, err := study.New(options, nil, nil, env.stdin)
	progress.done()
	if err != nil {
		return err
	}
	defer comparison.Close()

	ctx, stop := env.interruptible()
	defer stop()
	out, name := env.text(outputs.JSON)
	// The heading is a single write. A reader that stops after the first line, such as
	// head, would end the program at the second write.
	var heading bytes.Buffer
	start := comparison.Result()
	report.Heading(&heading, start.Machine, start.Corpora...)
	heading.WriteByte('\n')
	if _, err := heading.WriteTo(out); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}

	all, err := comparison.Run(ctx, progress.on)
	result := all.At(c.Level)
	progress.close()
	// The files come first: if the reader of standard output has gone, printing the
	// table ends the program.
	err = errors.Join(err, outputs.Write(result, env.stdout))
	stop()
	if textErr := report.Text(out, result); textErr != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", name, textErr))
	}
	if err == nil && result.Interrupted {
		err = errInterrupted
	}
	return err
}
