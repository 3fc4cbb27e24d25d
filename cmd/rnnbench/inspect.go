package main

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/report"
	"batchrnn/internal/engine"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type inspectCommand struct {
	Model string   `arg:"" help:"A file that rnnbench train has written."`
	JSON  jsonFlag `name:"json" placeholder:"[FILE]" help:"${json}"`
}

// Help returns the text that kong prints below the summary.
func (*inspectCommand) Help() string {
	return `Reads all of the file, and so checks every checksum in it. The tokens shown are the first of the vocabulary, the most frequent ones where rnnbench has trained the model.`
}

// Run is called by kong.
func (c *inspectCommand) Run(env *environment) error {
	if c.Model == "" {
		return option.Misuse(modelArgument, "the name is empty: give a file that rnnbench train has written")
	}
	if err := c.JSON.check(text.Input{}, map[string]string{modelArgument: c.Model}); err != nil {
		return err
	}
	e, err := engine.New("", 1)
	if err != nil {
		return err
	}
	defer e.Close()
	told := env.progress().part(loadingModel)
	told(0)
	i, err := lm.Inspect(c.Model, e, told)
	env.progress().close()
	if err != nil {
		return openError(err)
	}
	if err := c.JSON.write(env.stdout, i); err != nil || c.JSON == report.Stdout {
		return err
	}
	out := &firstError{w: env.stdout}
	printInspection(out, i)
	if out.err != nil {
		return fmt.Errorf("standard output: %w", out.err)
	}
	return nil
}

// label is the width of the labels of printInspection, which the other lines of a
// paragraph are indented by.
const label = 10

func printInspection(w io.Writer, i lm.Inspection) {
	paragraph := func(name, text string) { figures.Paragraph(w, label, name, text) }
	m := i.Model
	token := lm.Corpus{Level: m.Level}.TokenName()
	paragraph("model", m.Description())
	if m.Kind == lm.RNN {
		size := figures.Plural(i.Parameters, "parameter")
		if i.Activation != "" {
			size += ", activation " + i.Activation
		}
		if len(i.Cutoffs) > 0 {
			size += ", cutoffs of the softmax " + figures.List(i.Cutoffs, ", ")
		}
		paragraph("", size)
	} else {
		var entries []string
		for _, n := range i.Ngrams {
			entries = append(entries, figures.Count(int64(n)))
		}
		paragraph("", fmt.Sprintf("n-grams of each order: %s; in a %s", strings.Join(entries, ", "), i.Store))
	}
	paragraph("memory", figures.Bytes(i.MemoryBytes)+", without the vocabulary")
	paragraph("tokens", fmt.Sprintf("%ss, a vocabulary of %s, first", token, figures.Count(int64(m.Vocab))))
	var first []string
	for _, t := range i.FirstTokens {
		if m.Level == text.Char.String() && t != text.UnkToken {
			t = strconv.Quote(t)
		}
		first = append(first, t)
	}
	paragraph("", strings.Join(first, " "))
	trained := figures.Count(m.TrainTokens) + " tokens"
	if m.TrainSeconds > 0 {
		trained += " in " + figures.Seconds(m.TrainSeconds)
	}
	if m.ValidBits > 0 {
		trained += fmt.Sprintf("; %.3f bits per %s on the validation split", m.ValidBits, token)
	}
	if m.Interrupted {
		trained += "; stopped before its time"
	}
	if m.TrainTokens == 0 {
		trained = "elsewhere, or not at all"
	}
	paragraph("trained", trained)
	if options := trainingOptions(m); len(options) > 0 {
		paragraph("options", strings.Join(options, ", "))
	}
	if m.SHA256 != "" { // an ARPA file doesn't say it
		paragraph("corpus", strconv.Quote(m.Corpus))
		paragraph("SHA-256", m.SHA256)
	}
	paragraph("file", fmt.Sprintf("%s, version %d (its model %d), written %s",
		figures.Bytes(i.Bytes), i.Version, i.ModelVersion, i.Modified.Format("2006-01-02 15:04 MST")))
	for _, s := range i.Sections {
		fmt.Fprintf(w, "%*s%-14s %13s bytes, CRC-32C %s\n", label, "", s.Name, figures.Count(s.Bytes), s.CRC32C)
	}
	paragraph("SHA-256", i.SHA256)
}

// trainingOptions lists the fields of c that are set and that no other line shows, by
// their JSON names. So it shows options that are added later, too.
func trainingOptions(c lm.Config) (options []string) {
	shown := map[string]bool{"Kind": true, "Level": true, "Vocab": true, "Corpus": true, "SHA256": true, "TrainSeconds": true,
		"TrainTokens": true, "ValidBits": true, "Interrupted": true, "Order": true, "Hidden": true}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if shown[field.Name] || v.Field(i).IsZero() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		name = strings.ReplaceAll(name, "_", " ")
		if v.Field(i).Kind() != reflect.Bool {
			name += fmt.Sprintf(" %v", v.Field(i))
		}
		options = append(options, name)
	}
	return options
}
