package main

import (
	"context"
	"fmt"

	"batchrnn/bench/lm"
	"batchrnn/bench/report"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

type evalCommand struct {
	Model  string   `arg:"" help:"A file that rnnbench train has written."`
	Corpus []string `sep:"none" placeholder:"PATH" help:"Text to score: a file, a folder of text files, or - for standard input; given several times, several in order, as one text."`
	forceText
	Split   string   `default:"auto" placeholder:"PART" help:"What of it: all, train, valid or test, or auto (the default): test of the text that the model was trained on, all of any other."`
	Threads int      `default:"${cores}" placeholder:"N" help:"Threads that an RNN runs on (default ${default}, as many as there are cores)."`
	JSON    jsonFlag `name:"json" placeholder:"[FILE]" help:"${json}"`
}

// Help returns the text that kong prints below the summary.
func (*evalCommand) Help() string {
	return `The text is scored as one, the history carried through; an RNN reads up to 32 places of it at once, each after the tokens before it. A model of sentences, see "rnnbench train --sentences", scores each line by itself, as KenLM's query does: after <s>, with </s> as its last token.

A token that the model doesn't know counts as <unk>, which is part of the bits and of the rate that is printed. That flatters a small vocabulary, and so there are adjusted figures, which charge each such token for its spelling too, by a model of the characters of rare words: they compare between models of any vocabulary, and per byte also between characters and words. "Without it" leaves out the tokens that are <unk>, as KenLM's "excluding OOVs" does. A byte that is not UTF-8 counts as the character U+FFFD.`
}

// Run is called by kong.
func (c *evalCommand) Run(env *environment) error {
	corpus, err := corpusSource(c.Corpus, c.ForceText)
	if err != nil {
		return err
	}
	// Mistakes are reported now, not after a large model was read.
	if err := lm.CheckEvaluation(corpus, c.Split); err != nil {
		return err
	}
	if err := c.JSON.check(corpus, map[string]string{"MODEL": c.Model}); err != nil {
		return err
	}
	model, close, err := openModel(env, c.Model, c.Threads)
	if err != nil {
		return err
	}
	defer close()
	progress := env.progress()
	e, err := lm.Evaluate(context.Background(), model, corpus, c.Split, env.stdin, func(p lm.Progress) { progress.on(study.Event{Progress: p}) }) // a signal ends the program
	progress.close()
	if err != nil {
		return err
	}
	if err := c.JSON.write(env.stdout, e); err != nil || c.JSON == report.Stdout {
		return err
	}
	token := lm.Corpus{Level: e.Model.Level}.TokenName()
	out := &firstError{w: env.stdout}
	figures.Paragraph(out, 12, "model", e.Model.Description()+", "+figures.Bytes(e.Bytes)+" in memory")
	sentences := ""
	if e.Sentences > 0 {
		sentences = fmt.Sprintf(", %s </s> among them", figures.Count(int64(e.Sentences)))
	}
	fmt.Fprintf(out, "text        %q, split %s: %s %ss%s\n", e.Corpus, e.Split, figures.Count(int64(e.Tokens)), token, sentences)
	fmt.Fprintf(out, "loss        %.4f bits per %s\n", e.BitsPerToken, token)
	fmt.Fprintf(out, "perplexity  %s\n", e.Perplexity.Digits(6))
	fmt.Fprintf(out, "<unk>       %s, %.2f %% of the %ss\n", figures.Count(int64(e.Unk)), 100*e.UnkRate, token)
	if e.Unk > 0 && e.Unk < e.Tokens {
		fmt.Fprintf(out, "without it  %.4f bits per %s, perplexity %s\n", e.KnownBits, token, e.Known.Digits(6))
	}
	if e.AdjustedUnknown {
		fmt.Fprintf(out, "adjusted    not known: the file does not say how unknown words are spelled\n")
	} else {
		figures.Paragraph(out, 12, "adjusted", fmt.Sprintf("%.4f bits per %s, perplexity %s, with every <unk> spelled", e.AdjustedBits, token, e.Adjusted.Digits(6)))
	}
	if e.BitsPerByte > 0 {
		fmt.Fprintf(out, "per byte    %.4f bits, with every <unk> spelled, of %s\n", e.BitsPerByte, figures.Plural(int64(e.TextBytes), "byte"))
	}
	fmt.Fprintf(out, "speed       %s tokens/s\n", figures.Rate(e.TokensPerSecond))
	if e.BadBytes > 0 {
		figures.Paragraph(out, 12, "note", "bytes of the text that are not UTF-8, each taken as U+FFFD: "+figures.Count(int64(e.BadBytes)))
	}
	if e.LeftOut > 0 {
		figures.Paragraph(out, 12, "note", lm.LeftOut(e.LeftOut, e.FirstLeftOut))
	}
	if e.Seen {
		fmt.Fprintf(out, "note        the model was trained on some of this: the figures flatter it\n")
	}
	if out.err != nil {
		return fmt.Errorf("standard output: %w", out.err)
	}
	return nil
}
