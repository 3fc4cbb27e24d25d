package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type rescoreCommand struct {
	Model    string   `arg:"" help:"A file that rnnbench train has written."`
	Ngram    *string  `placeholder:"FILE" help:"Mix this n-gram model in: an ARPA file, which may be compressed, or a file that rnnbench train has written."`
	Lambda   *float64 `placeholder:"SHARE" help:"Share of MODEL in the mixture, from 0 to 1; --ngram has the rest (default 0.5)."`
	LMWeight *float64 `name:"lm-weight" placeholder:"W" help:"Add W times the log-probability to the number in the last field of each line, and print and compare the sum."`
	Spell    bool     `help:"Charge each <unk> for its spelling too, under every model that knows how."`
	Best     bool     `help:"Print the best hypothesis of each list alone."`
	Threads  int      `default:"${cores}" placeholder:"N" help:"Threads that an RNN runs on (default ${default}, as many as there are cores)."`
	JSON     jsonFlag `name:"json" placeholder:"[FILE]" help:"Write a JSON object for each hypothesis, and at last one for the total: to FILE, or without one to standard output in place of the text."`
}

// Help returns the text that kong prints below the summary.
func (*rescoreCommand) Help() string {
	return `Reads lists of hypotheses, such as the n best of a speech recogniser, and prints what each costs under the model, as soon as its list has ended. All hypotheses of a list are scored together, and a prefix that several share once. Without --ngram and --spell the figure is the one that "rnnbench score" gives the words alone.

The first line says which of two forms the lines have. Moses' is "utterance ||| words ||| features ||| score", where all after the words may be missing. Each line is printed again, with the log-probability (natural logarithm) as one more field. Kaldi's is "utterance-n words". Printed are the key and the cost, the log-probability with its sign turned; with --best the utterance and the words of its best hypothesis.

Lines that follow each other and name the same utterance are a list, which may have 64 MiB and 262,144 hypotheses; an utterance that comes back later has another list. A hypothesis may be empty. Only a model of sentences charges its end, see "rnnbench train --sentences": others favour short hypotheses.

With --ngram a word's probability is SHARE times that of MODEL, and 1 - SHARE times that of the n-grams. Both must be models of sentences, or neither. A word that one of the two doesn't know has the probability of <unk> there. That flatters it; with --spell the probability is divided among all unknown words. An ARPA file has no spelling, and there <unk> is most often one word's share already. How lines are read, and what signals do, is as for "rnnbench score".`
}

// Run is called by kong.
func (c *rescoreCommand) Run(env *environment) error {
	name, err := given("--ngram", c.Ngram)
	if err != nil {
		return err
	}
	lambda := 0.5
	switch {
	case c.Lambda != nil && name == "":
		return option.Misuse("--lambda", "there is nothing to mix: give --ngram, or leave it out")
	case c.Lambda != nil:
		lambda = *c.Lambda
	}
	if err := lm.CheckLambda(lambda); err != nil {
		return err
	}
	if w := c.LMWeight; w != nil && (math.IsNaN(*w) || math.IsInf(*w, 0)) {
		return option.Misuse("--lm-weight", "%v is no weight: give a number such as 0.5", *w)
	}
	if err := c.JSON.check(text.Input{Paths: []string{text.Stdin}}, map[string]string{"MODEL": c.Model, "--ngram": name}); err != nil {
		return err
	}
	model, close, err := openModel(env, c.Model, c.Threads)
	if err != nil {
		return err
	}
	defer close()
	mixture := lm.Mixture{Lambda: lambda, Spell: c.Spell}
	if name != "" {
		if mixture.Ngram, err = openNgrams(env, name, model); err != nil {
			return err
		}
	}
	rescorer, err := lm.NewRescorer(model, mixture)
	if err != nil {
		return err
	}
	return c.JSON.file(func(file io.Writer) error { return c.rescore(env, rescorer, file) })
}

// openNgrams reads the model to mix with model.
func openNgrams(env *environment, path string, model *lm.Model) (*lm.Model, error) {
	told := env.progress().part("reading the n-grams")
	told(0)
	other, noUnk, err := lm.OpenNgrams(path, model, told)
	env.progress().done()
	if err != nil {
		return nil, fmt.Errorf("--ngram: %q: %w: give an ARPA file, or an n-gram model that rnnbench train has written", path, durable.WithoutPath(err))
	}
	if noUnk {
		figures.Paragraph(env.notes(), 9, "note", fmt.Sprintf("%s lists no <unk>: unknown words have a log10 probability of %d there, as in KenLM", path, ngram.MissingUnk))
	}
	return other, nil
}

// rescore scores the lists and prints them, as JSON to file too.
func (c *rescoreCommand) rescore(env *environment, rescorer *lm.Rescorer, file io.Writer) error {
	f := newFilter(env, c.JSON, file)
	progress := env.progress()
	shown := isTerminal(env.stdout) // the lines are the progress
	lists := 0
	ctx, stop := env.interruptibleFilter()
	defer stop()
	total, err := lm.RescoreLists(rescorer, interruptibleReader(ctx, env.stdin), c.LMWeight, func(list []lm.Rescored, form lm.NBestForm) error {
		if lists++; !shown {
			progress.count("rescoring", lists, "list")
		}
		for i := range list {
			h := &list[i]
			if c.Best && !h.Best {
				continue
			}
			f.object(h)
			if f.prints() {
				_, f.outErr = fmt.Fprintln(f.out, c.line(h, form))
			}
			if err := f.err(); err != nil {
				return err
			}
		}
		f.outErr = f.out.Flush()
		return cmp.Or(f.outErr, ctx.Err())
	})
	progress.close()
	err = f.end(total, err, ctx.Err() != nil)
	stop()
	if err != nil && !errors.Is(err, errStopped) {
		return err
	}
	name := total.Model.Name()
	if total.Ngram != nil {
		name = fmt.Sprintf("%v %s + %.6g %s", *total.Lambda, name, 1-*total.Lambda, total.Ngram.Name())
	}
	figures.Paragraph(env.notes(), len("total: "), "total:", fmt.Sprintf("%s, %s, %s, %s of them <unk>, ln p %.4f; model %s", figures.Plural(int64(total.Utterances), "list"),
		figures.Plural(int64(total.Lines), "line"), figures.Plural(int64(total.Tokens), "token"), figures.Count(int64(total.Unk)), total.LogProb, name))
	return err
}

// line returns what is printed of a hypothesis.
func (c *rescoreCommand) line(h *lm.Rescored, form lm.NBestForm) string {
	switch {
	case form == lm.Fielded:
		return fmt.Sprintf("%s ||| %.4f", h.Input, h.Value())
	case c.Best:
		return strings.TrimRight(h.Utterance+" "+h.Words, " ")
	}
	key := h.Input
	if i := strings.IndexAny(key, " \t"); i >= 0 {
		key = key[:i]
	}
	return fmt.Sprintf("%s %.4f", key, 0-h.LogProb)
}
