package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"batchrnn/bench"
	"batchrnn/bench/report"
)

// errInterrupted is returned by commands that Ctrl-C has stopped early.
var errInterrupted = errors.New("interrupted: the figures are those measured until then")

type ramCommand struct {
	Corpus   string        `placeholder:"PATH" help:"Text to train on: a file, a folder of text files, or - for standard input. Without it Newton's Opticks, out of the Go distribution."`
	Level    string        `default:"char" placeholder:"char|word" help:"What a token is: char or word (default ${default})."`
	MaxOrder int           `default:"7" placeholder:"N" help:"Measure n-gram models of the orders 1 to N, at most 9 (default ${default})."`
	Vocab    *int          `placeholder:"N" help:"Keep the N most frequent tokens, <unk> included (default: all characters, or 10000 words)."`
	Hidden   []int         `default:"128,256" placeholder:"H" help:"Width of an RNN; several with commas between them (default ${default})."`
	Budget   time.Duration `default:"40s" placeholder:"TIME" help:"Training time of each RNN, such as 20s or 3m (default ${default})."`
	Threads  int           `default:"${cores}" placeholder:"N" help:"Threads that an RNN runs on (default ${default}, as many as there are cores)."`
	Seed     uint64        `default:"1" placeholder:"N" help:"Seed of the RNNs' initial weights, and of the text where it is generated (default ${default})."`
	JSON     string        `name:"json" placeholder:"FILE|-" help:"Write the figures as JSON; with - to standard output, and everything else to standard error."`
	CSV      string        `name:"csv" placeholder:"FILE" help:"Write the figures as CSV, a row per model."`
	Plot     string        `placeholder:"FILE.png|.svg" help:"Draw the bytes against the order."`
}

// Help is what kong prints below the summary.
func (*ramCommand) Help() string {
	return `Trains n-gram models of every order and RNNs of several widths on the same tokens, and prints for each what it weighs in memory, how fast it trains and scores, and how many bits per token it needs on text held out from training. What a model weighs is computed, and measured in a process of its own.

The default takes about two minutes on two cores: an RNN trains for the whole of its budget. Ctrl-C prints what has been measured until then.`
}

// Run is called by kong.
func (c *ramCommand) Run(env *environment) error {
	level, err := bench.ParseLevel(c.Level)
	if err != nil {
		return err
	}
	options := bench.Options{
		Corpus: c.Corpus, Level: level, Vocab: c.Vocab,
		MaxOrder: c.MaxOrder, Hidden: c.Hidden, Budget: c.Budget,
		Threads: c.Threads, Seed: c.Seed,
	}
	outputs := report.Outputs{JSON: c.JSON, CSV: c.CSV, Plot: c.Plot}
	// What is wrong is said now, not after minutes of work.
	if err := options.Validate(); err != nil {
		return err
	}
	if err := outputs.Check(); err != nil {
		return err
	}
	comparison, err := bench.New(options, env.stdin)
	if err != nil {
		return err
	}
	defer comparison.Close()

	text, name := env.stdout, "standard output"
	if c.JSON == report.Stdout {
		text, name = env.stderr, "standard error"
	}
	if err := report.Heading(text, comparison.Heading()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintln(text)

	// The first Ctrl-C ends the run; the next one, with the signal's usual
	// effect back in force, the program.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop)

	progress := newProgress(env.stderr)
	result, err := comparison.Run(ctx, progress.on)
	progress.close()
	if textErr := report.Text(text, result); textErr != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", name, textErr))
	}
	err = errors.Join(err, outputs.Write(result, env.stdout))
	if err == nil && result.Interrupted {
		err = errInterrupted
	}
	return err
}
