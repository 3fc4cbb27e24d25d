package main

import (
	"bufio"
	"encoding/json"
	"fmt"

	"batchrnn/bench/lm"
	"batchrnn/internal/figures"
)

type scoreCommand struct {
	Model string `arg:"" help:"A file that rnnbench train has written."`
	JSON  bool   `name:"json" help:"Print a JSON object for each line, and one for the total on standard error."`
}

// Help returns the text that kong prints below the summary.
func (*scoreCommand) Help() string {
	return `Prints for each line of standard input, separated by tabs: its bits, its tokens, how many of them are <unk>, its perplexity per token. The total goes to standard error.

Each line is scored by itself, and its end isn't counted; a character model starts as after a line end, an n-gram model of words with no history, an RNN of words after <unk>. An empty line costs nothing, and its perplexity is 0. A byte that is not UTF-8 counts as the character U+FFFD. A line has at most 64 MiB.`
}

// Run is called by kong.
func (c *scoreCommand) Run(env *environment) error {
	model, close, err := openModel(c.Model, 1) // more threads don't help a single row
	if err != nil {
		return err
	}
	defer close()
	out := bufio.NewWriter(env.stdout)
	objects := json.NewEncoder(out)
	var outErr error
	total, err := lm.ScoreLines(model, env.stdin, func(s lm.Score, last bool) error {
		if c.JSON {
			outErr = objects.Encode(s)
		} else {
			_, outErr = fmt.Fprintf(out, "%.4f\t%d\t%d\t%s\n", s.Bits, s.Tokens, s.Unk, figures.Significant(s.Perplexity))
		}
		if outErr == nil && last {
			outErr = out.Flush()
		}
		return outErr
	})
	if outErr == nil {
		outErr = out.Flush()
	}
	if outErr != nil {
		return fmt.Errorf("standard output: %w", outErr)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.stderr).Encode(total)
	}
	fmt.Fprintf(env.stderr, "total: %s lines, %s tokens, %s of them <unk>, %.3f bits per token, perplexity %s; model %s\n",
		figures.Count(int64(total.Lines)), figures.Count(int64(total.Tokens)), figures.Count(int64(total.Unk)),
		total.BitsPerToken, figures.Significant(total.Perplexity), model.Config.Name())
	return nil
}
