package main

import (
	"context"
	"fmt"
	"io"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/report"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type encodeCommand struct {
	Out    string   `required:"" placeholder:"DIR" help:"Folder of the files, a new one, or one that rnnbench encode has written."`
	Corpus []string `sep:"none" placeholder:"PATH" help:"Text to encode: a file, a folder of text files, or - for standard input; given several times, several in order, as one text. Without it Newton's Opticks, out of the Go distribution."`
	forceText
	Valid     *string `placeholder:"FILE" help:"Text to validate on. The corpus is then all for training."`
	Test      *string `placeholder:"FILE" help:"Text to test on. The corpus is then all for training; for an RNN without --valid its last 5 % still are for validation."`
	All       bool    `help:"Hold nothing out for a test; for an RNN without --valid the last 5 % still are for validation."`
	Kind      string  `default:"rnn" placeholder:"rnn|ngram" help:"What the ids are for, which decides defaults and what is held out: rnn or ngram (default ${default}). Both can train on either, but an RNN needs a validation part."`
	Level     *string `placeholder:"char|word" help:"What a token is: char or word (default char, or that of the model of --vocab-from)."`
	Sentences bool    `help:"With --level word: each line is a sentence by itself."`
	Vocab     *int    `placeholder:"N" help:"Keep the N most frequent tokens, <unk> included (default: all characters, or 10000 words; all words for n-grams with --sentences)."`
	MinCount  *int    `placeholder:"N" help:"Take tokens that the training split has fewer than N times as <unk> (default: 1, for words 2; 1 for n-grams with --sentences)."`
	VocabFrom *string `placeholder:"MODEL" help:"Take the vocabulary of this model, a file that rnnbench train has written, so that train --init can go on from it."`
	Seed      uint64  `default:"1" placeholder:"N" help:"Seed of the text where it is generated (default ${default})."`
}

// Help returns the text that kong prints below the summary.
func (*encodeCommand) Help() string {
	return `"rnnbench train --corpus DIR" trains on the files, and writes the same model as from the text with the same flags, bit by bit. The files are mapped, not read into memory. The index, ` + text.IndexName + `, says what was encoded, and has the sizes and checksums of all files.

The text is read once, in pieces: it may be larger than memory, also from standard input. Memory holds each distinct token once. The disk needs 8 bytes a token while it works; 4 stay.

DIR takes its name once all of it is written. Ctrl-C, SIGTERM and SIGHUP leave what was there before.`
}

// Run is called by kong.
func (c *encodeCommand) Run(env *environment) error {
	level, err := parseTokens(c.Level, c.Sentences)
	if err != nil {
		return err
	}
	corpus, err := corpusSource(c.Corpus, c.ForceText)
	if err != nil {
		return err
	}
	switch c.Out {
	case "":
		return option.Misuse("--out", "the name is empty: give one")
	case report.Stdout:
		return option.Misuse("--out", "ids are a folder of files, which standard output can't take: name one")
	}
	options := lm.TrainOptions{
		TextOptions: lm.TextOptions{Corpus: corpus, Level: level, Vocab: c.Vocab, MinCount: c.MinCount, Seed: c.Seed},
		Valid:       c.Valid, Test: c.Test, All: c.All, Kind: c.Kind, Threads: 1,
	}
	if err := options.Validate(); err != nil {
		return err
	}
	if err := text.CheckFolder(c.Out); err != nil {
		return option.Failure("--out", "%q %w", c.Out, err)
	}
	known, err := c.model(env, &options)
	if err != nil {
		return err
	}
	progress := env.progress()
	writing := progress.part("writing the ids")
	// A signal ends the program, and removes the folder in work.
	index, err := lm.Encode(context.Background(), options, known, c.Out, env.stdin, func(read int64, written float64) {
		if written > 0 {
			writing(written)
			return
		}
		progress.on(study.Event{Progress: lm.Progress{Work: encodingText, Detail: encodingText + ", " + figures.Bytes(read), Fraction: lm.Unknown}})
	})
	progress.close()
	if err != nil {
		return err
	}
	if err := printEncoded(env.stdout, index, c.Out); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

const encodingText = "encoding the text"

// model opens the model of --vocab-from, and takes its level. It is nil without one.
func (c *encodeCommand) model(env *environment, o *lm.TrainOptions) (*lm.Model, error) {
	path, err := given("--vocab-from", c.VocabFrom)
	if err != nil || path == "" {
		return nil, err
	}
	for flag, is := range map[string]bool{"--vocab": c.Vocab != nil, "--min-count": c.MinCount != nil} {
		if is {
			return nil, option.Misuse(flag, "--vocab-from has the vocabulary: leave one of them out")
		}
	}
	m, close, err := openModel(env, path, 1)
	if err != nil {
		return nil, option.Failure("--vocab-from", "%w", err)
	}
	close() // its vocabulary is all that is used
	level, err := text.ParseLevel(m.Config.Level)
	if err != nil {
		return nil, err
	}
	if c.Level != nil && o.Level != level {
		return nil, option.Misuse("--level", "the model of --vocab-from has level %v: leave it out", level)
	}
	o.Level = level
	return m, nil
}

func printEncoded(w io.Writer, x text.Index, folder string) error {
	out := &firstError{w: w}
	token := lm.Corpus{Level: x.Level}.TokenName()
	figures.Paragraph(out, 9, "corpus", x.Name)
	figures.Paragraph(out, 9, "SHA-256", x.SHA256)
	figures.Paragraph(out, 9, "", fmt.Sprintf("%s: %s to train, %s to validate, %s to test",
		figures.Plural(int64(x.TrainTokens()+x.ValidTokens()+x.TestTokens()), token), figures.Count(int64(x.TrainTokens())),
		figures.Count(int64(x.ValidTokens())), figures.Count(int64(x.TestTokens()))))
	unknown := ""
	if x.TestTokens() > 0 {
		unknown = fmt.Sprintf("; %.2f %% of the test split is <unk>", 100*float64(x.TestUnk)/float64(x.TestTokens()))
	}
	figures.Paragraph(out, 9, "", fmt.Sprintf("vocabulary of %s%s", figures.Count(int64(x.Vocab)), unknown))
	if x.BadBytes > 0 {
		figures.Paragraph(out, 9, "note", "bytes of the text that are not UTF-8, each taken as U+FFFD: "+figures.Count(int64(x.BadBytes)))
	}
	if x.LeftOut > 0 {
		figures.Paragraph(out, 9, "note", lm.LeftOut(x.LeftOut, x.FirstLeftOut))
	}
	if x.Synthetic {
		figures.Paragraph(out, 9, "note", "the text is generated: no Go distribution with Newton's Opticks was found")
	}
	files := len(x.Train) + len(x.Valid) + len(x.Test)
	fmt.Fprintf(out, "saved    %s, %s of ids, %s\n", folder, figures.Plural(int64(files), "file"), figures.Bytes(x.Size()))
	return out.err
}
