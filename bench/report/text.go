package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/measure"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// Heading writes the machine and the corpus, at each of its levels.
func Heading(w io.Writer, m measure.Machine, corpora ...lm.Corpus) error {
	b := bufio.NewWriter(w)
	Machine(b, m)
	for i, c := range corpora {
		if i == 0 {
			writeSource(b, c)
		}
		writeTokens(b, c)
	}
	return b.Flush()
}

// Machine writes the machine.
func Machine(w io.Writer, m measure.Machine) {
	figures.Paragraph(w, label, "machine", fmt.Sprintf("%s, %s/%s, %s", m.CPU, m.OS, m.Arch, m.Go))
	figures.Paragraph(w, label, "kernels", m.ISA+", "+figures.Plural(m.Threads, "thread"))
}

// label is the width of a label, and the indentation of the lines below it.
const label = 9

// Command writes the command that repeats a run. A line that goes on ends in a backslash,
// so that a shell takes all of it.
func Command(w io.Writer, command string) {
	words := strings.Split(command, " --") // flags stay together with their values
	line := "command  " + words[0]
	for _, word := range words[1:] {
		word = " --" + word
		if utf8.RuneCountInString(line+word+` \`) > tableWidth {
			fmt.Fprintln(w, line+` \`)
			line = strings.Repeat(" ", label-1)
		}
		line += word
	}
	fmt.Fprintln(w, line)
}

// writeSource writes the source of the text.
func writeSource(b *bufio.Writer, c lm.Corpus) {
	fmt.Fprintf(b, "corpus   %s\n", printable(c.Name))
	if c.Synthetic {
		figures.Paragraph(b, label, "", "generated: no Go distribution with Newton's Opticks was found")
	}
	figures.Paragraph(b, label, "SHA-256", c.SHA256)
	for _, part := range []struct{ name, source string }{{"validation", c.ValidName}, {"test", c.TestName}} {
		if part.source != "" {
			fmt.Fprintf(b, "%*s%s from %s\n", label, "", part.name, printable(part.source))
		}
	}
}

// writeTokens writes the numbers of tokens and of the vocabulary.
func writeTokens(b *bufio.Writer, c lm.Corpus) {
	figures.Paragraph(b, label, "", fmt.Sprintf("%s: %s to train, %s to validate, %s to test",
		figures.Plural(int64(c.Tokens), c.TokenName()), figures.Count(int64(c.Train)),
		figures.Count(int64(c.Valid)), figures.Count(int64(c.Test))))
	figures.Paragraph(b, label, "", fmt.Sprintf("vocabulary of %s; %s", figures.Count(int64(c.Vocab)), unknowns(c)))
	if c.LeftOut > 0 {
		figures.Paragraph(b, label, "", lm.LeftOut(c.LeftOut, c.FirstLeftOut))
	}
	if c.BadBytes > 0 {
		figures.Paragraph(b, label, "", isAre(c.BadBytes, "byte")+" not UTF-8, each taken as U+FFFD")
	}
}

// unknowns describes the share of <unk> in the text.
func unknowns(c lm.Corpus) string {
	if c.Test == 0 {
		return fmt.Sprintf("%.2f %% of the training split is <unk>", 100*c.TrainUnk)
	}
	text := fmt.Sprintf("%.2f %% of the test split is <unk>", 100*c.UnkRate)
	if c.TrainUnk > 0 {
		text = fmt.Sprintf("%.2f %% of the training and %s", 100*c.TrainUnk, text)
	}
	if c.UnkRate > 0 {
		text += fmt.Sprintf(", spelled at %.1f bits each", c.UnkBits)
	}
	return text
}

// printable returns name, quoted if it has unprintable characters.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// Text writes the table of all models, the table of stores, the summary and the notes.
func Text(w io.Writer, r study.LevelResult) error {
	b := bufio.NewWriter(w)
	models := r.OneStore()
	if len(models) > 0 && models[0].Kind == study.KindNgram {
		fmt.Fprintf(b, "n-gram models: interpolated %s; store: %s\n\n", smoothingTerm(models[0].Smoothing), models[0].Store)
	}
	rows := [][]string{
		{"model", "n-grams,", "bytes", "bytes", "time to", "tokens/s", "tokens/s", "bits/"},
		{"", "weights", "predicted", "resident", "train", "training", "scoring", r.Corpus.Level},
	}
	adjusted := r.Corpus.UnkRate > 0 // without <unk>, adjusted figures would repeat those before
	if adjusted {
		rows[0], rows[1] = append(rows[0], "bits/"+r.Corpus.Level), append(rows[1], "adjusted")
	}
	for _, m := range models {
		name := m.Name()
		if m.Interrupted {
			name += " *"
		}
		size := m.Entries
		if m.Kind == study.KindRNN {
			size = m.Parameters
		}
		row := []string{
			name, figures.Count(size), figures.Known(m.BytesPredicted > 0, figures.Bytes(m.BytesPredicted)),
			figures.Known(!m.ResidentUnknown, figures.Bytes(m.BytesResident)),
			figures.Seconds(m.TrainSeconds), rateOrNone(m.TrainTokensPerSecond), rateOrNone(m.ScoreTokensPerSecond),
			figures.Known(!m.Unscored, threeDecimals(m.BitsPerToken)),
		}
		if adjusted {
			row = append(row, figures.Known(!m.Unscored, threeDecimals(m.AdjustedBits)))
		}
		rows = append(rows, row)
	}
	writeTable(b, rows)
	for _, m := range r.Models {
		if m.Interrupted {
			fmt.Fprintln(b, "* training was stopped before its time")
			break
		}
	}
	writeStores(b, r.Models, "bits/"+r.Corpus.Level)
	if r.Summary != "" {
		fmt.Fprintf(b, "\n%s\n", figures.Wrap(r.Summary, "", tableWidth))
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(b)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "- %s\n", figures.Wrap(n, "  ", tableWidth-2))
	}
	return b.Flush()
}

// smoothingTerm returns the field's term for a smoothing.
func smoothingTerm(smoothing string) string {
	switch smoothing {
	case ngram.KneserNey.String():
		return "modified Kneser-Ney"
	case ngram.Absolute.String():
		return "absolute discounting"
	}
	return smoothing
}

// threeDecimals formats bits per token.
func threeDecimals(bits float64) string {
	return fmt.Sprintf("%.3f", max(bits, 0)) // max makes 0 of -0
}

// tableWidth is the widest text in columns.
const tableWidth = figures.Screen

// writeTable aligns the first column left and the others right. A table that would be
// too wide gets narrower gaps; where that isn't enough it is folded.
func writeTable(w io.Writer, t figures.Table) {
	gap := "   "
	if t.Width(gap) > tableWidth {
		gap = "  "
	}
	t.WriteFolded(w, tableWidth, 1, "", gap, 0)
}

// rateOrNone formats tokens per second.
func rateOrNone(perSecond float64) string {
	if perSecond <= 0 {
		return figures.None
	}
	return figures.Rate(perSecond)
}

func isAre(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return figures.Plural(n, noun) + " are"
}
