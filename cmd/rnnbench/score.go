package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/figures"
)

type scoreCommand struct {
	Model  string   `arg:"" help:"A file that rnnbench train has written."`
	Tokens bool     `help:"Print a line for each token in place of one for each line, or with --json an array of them."`
	JSON   jsonFlag `name:"json" placeholder:"[FILE]" help:"Write a JSON object for each line, and at last one for the total: to FILE, or without one to standard output in place of the text."`
}

// Help returns the text that kong prints below the summary.
func (*scoreCommand) Help() string {
	return `Prints for each line of standard input, separated by tabs: its bits, its tokens, how many of them are <unk>, its perplexity per token. With --tokens, for each token: the number of its line, the token as written (quoted where it has a blank, or a character that can't be printed), its bits, and 1 if it is <unk>, otherwise 0. The total goes to standard error. In JSON are also the figures without <unk>, those with every <unk> spelled, and bits per byte.

Each line is scored by itself, and its end isn't counted; a character model starts as after a line end, an n-gram model of words with no history, an RNN of words after <unk>. An empty line costs nothing, and its perplexity is 0. Under a model of sentences, see "rnnbench train --sentences", each line starts after <s> and ends in </s>, which counts as a token, of an empty line too. A byte that is not UTF-8 counts as the character U+FFFD. A byte order mark is no part of the text; UTF-16 that begins with one, gzip and zstd are read as what they hold. A line has at most 64 MiB. Ctrl-C, SIGTERM and SIGHUP print the total so far.`
}

// Run is called by kong.
func (c *scoreCommand) Run(env *environment) error {
	if err := c.JSON.check(text.Input{Paths: []string{text.Stdin}}, map[string]string{"MODEL": c.Model}); err != nil {
		return err
	}
	model, close, err := openModel(env, c.Model, 1) // more threads don't help a single row
	if err != nil {
		return err
	}
	defer close()
	return c.JSON.file(func(file io.Writer) error { return c.score(env, model, file) })
}

// score scores the lines and prints them, as JSON to file too.
func (c *scoreCommand) score(env *environment, model *lm.Model, file io.Writer) error {
	f := newFilter(env, c.JSON, file)
	progress := env.progress()
	shown := isTerminal(env.stdout) // the lines are the progress
	ctx, stop := env.interruptibleFilter()
	defer stop()
	total, err := lm.ScoreLines(model, interruptibleReader(ctx, env.stdin), c.Tokens, func(s lm.Score, last bool) error {
		if !shown {
			progress.count("scoring", s.Line, "line")
		}
		f.object(s)
		switch {
		case !f.prints():
		case c.Tokens:
			f.outErr = printTokens(f.out, s)
		default:
			_, f.outErr = fmt.Fprintf(f.out, "%.4f\t%d\t%d\t%s\n", s.Bits, s.Tokens, s.Unk, s.Perplexity)
		}
		if f.outErr == nil && last {
			f.outErr = f.out.Flush()
		}
		return cmp.Or(f.err(), ctx.Err())
	})
	progress.close()
	err = f.end(total, err, ctx.Err() != nil)
	stop()
	if err != nil && !errors.Is(err, errStopped) {
		return err
	}
	figures.Paragraph(env.notes(), len("total: "), "total:", fmt.Sprintf("%s, %s, %s of them <unk>, %.4f bits per token, perplexity %s%s; model %s",
		figures.Plural(int64(total.Lines), "line"), figures.Plural(int64(total.Tokens), "token"), figures.Count(int64(total.Unk)),
		total.BitsPerToken, total.Perplexity.Digits(6), others(total.Costs), model.Config.Name()))
	return err
}

// others describes the figures of a total beside those of all tokens.
func others(c lm.Costs) (text string) {
	if c.Unk > 0 && c.Unk < c.Tokens {
		text = fmt.Sprintf(", without <unk> %s", c.Known.Digits(6))
	}
	if c.Unk > 0 && !c.AdjustedUnknown {
		text += fmt.Sprintf(", with every <unk> spelled %s", c.Adjusted.Digits(6))
	}
	if c.BitsPerByte > 0 {
		text += fmt.Sprintf("; %.4f bits per byte", c.BitsPerByte)
	}
	return text
}

// printTokens prints a line for each token of s.
func printTokens(out *bufio.Writer, s lm.Score) error {
	for _, token := range s.TokenCosts {
		text, unk := token.Token, 0
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
			text = strconv.Quote(text)
		}
		if token.Unk {
			unk = 1
		}
		if _, err := fmt.Fprintf(out, "%d\t%s\t%.4f\t%d\n", s.Line, text, token.Bits, unk); err != nil {
			return err
		}
	}
	return nil
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	if o, ok := w.(standardOutput); ok {
		w = o.Writer
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
