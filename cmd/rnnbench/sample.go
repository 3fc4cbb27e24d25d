package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/report"
)

type sampleCommand struct {
	Model       string   `arg:"" help:"A file that rnnbench train has written."`
	Length      int      `default:"400" placeholder:"N" help:"Tokens to draw (default ${default})."`
	Temperature float64  `default:"0.8" placeholder:"T" help:"0 takes the likeliest token each time, below 1 favours it, 1 draws from the model's own distribution (default ${default})."`
	TopK        *int     `name:"top-k" placeholder:"N" help:"Draw from the N likeliest tokens alone (default: all)."`
	TopP        *float64 `name:"top-p" placeholder:"P" help:"Draw from the likeliest tokens alone that together have a probability of P, such as 0.9; of those that --top-k leaves (default: all)."`
	Prompt      string   `placeholder:"TEXT" help:"What the text begins with."`
	Seed        uint64   `default:"1" placeholder:"N" help:"The same seed draws the same text (default ${default})."`
	Spell       bool     `help:"Draw <unk> as well, and spell a word for it that the model doesn't know, by the characters of rare words in its training."`
	JSON        jsonFlag `name:"json" placeholder:"[FILE]" help:"${json}"`
}

// flushEvery is the time after which text is shown that has been drawn.
const flushEvery = 100 * time.Millisecond

// Help returns the text that kong prints below the summary.
func (*sampleCommand) Help() string {
	return `Prints the prompt and what follows it. <unk> is not drawn, unless --spell writes a word for it. A token of the prompt that the model doesn't know is fed to it as <unk>. The temperature comes first, then --top-k, then --top-p; of equally likely tokens the one of the smaller id comes first, which is the more frequent one in training. A model of sentences writes one on each line; </s> counts as a token.`
}

// Run is called by kong.
func (c *sampleCommand) Run(env *environment) error {
	options := lm.SampleOptions{Length: c.Length, Temperature: c.Temperature, TopK: c.TopK, TopP: c.TopP, Seed: c.Seed, Prompt: c.Prompt, Spell: c.Spell}
	if err := options.Validate(); err != nil {
		return err
	}
	if err := c.JSON.check(text.Input{}, map[string]string{"MODEL": c.Model}); err != nil {
		return err
	}
	model, close, err := openModel(env, c.Model, 1) // more threads don't help a single row
	if err != nil {
		return err
	}
	defer close()
	out := bufio.NewWriter(env.stdout)
	var outErr error
	ctx, stop := env.interruptibleFilter()
	defer stop()
	flushed := time.Now()
	sample, err := lm.Draw(model, options, func(piece []byte) error {
		if c.JSON == report.Stdout {
			return ctx.Err()
		}
		if _, outErr = out.Write(piece); outErr == nil && time.Since(flushed) > flushEvery {
			outErr, flushed = out.Flush(), time.Now()
		}
		return cmp.Or(outErr, ctx.Err())
	})
	stop()
	stopped := errors.Is(err, context.Canceled)
	switch {
	case outErr != nil:
	case err != nil && !stopped:
		return errors.Join(err, out.Flush())
	case c.JSON != report.Stdout:
		out.WriteByte('\n')
		outErr = out.Flush()
	}
	if outErr != nil {
		return fmt.Errorf("standard output: %w", outErr)
	}
	if err := c.JSON.write(env.stdout, sample); err != nil {
		return err
	}
	if sample.UnknownTo > 0 {
		fmt.Fprintf(env.stderr, "rnnbench: tokens of the prompt that the model doesn't know: %d\n", sample.UnknownTo)
	}
	if stopped {
		return errStopped
	}
	return nil
}
