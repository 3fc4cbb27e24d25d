package report

import (
	"bufio"
	"fmt"
	"io"

	"batchrnn/bench/lm"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// StudyHeading writes the machine and the corpora.
func StudyHeading(w io.Writer, r study.Result) error {
	err := Heading(w, r.Machine, r.Corpora...)
	if err == nil {
		_, err = fmt.Fprintf(w, "training %s for each RNN\n", figures.Seconds(r.BudgetSeconds))
	}
	return err
}

// levelTable returns the rows of a level. Where there is <unk>, perplexities stand in
// place of bits, because adjusted ones compare across vocabularies and both don't fit.
func levelTable(c lm.Corpus, rows []study.Row) figures.Table {
	adjusted := c.UnkRate > 0
	head := []string{"model", "bytes", "training", "bits/" + c.Level}
	if adjusted {
		head = append(head[:3], "perplexity", "adjusted")
	}
	below := make([]string, len(head))
	table := figures.Table{append(head, "one by", "batched"), append(below, "one", "")}
	for _, row := range rows {
		cells := []string{nameOf(row), sizeOf(row), figures.Seconds(row.TrainSeconds)}
		if adjusted {
			cells = append(cells, figures.Known(!row.Unscored, fmt.Sprintf("%.4g", row.Perplexity)), figures.Known(!row.Unscored, fmt.Sprintf("%.4g", row.Adjusted)))
		} else {
			cells = append(cells, figures.Known(!row.Unscored, fmt.Sprintf("%.3f", row.BitsPerToken)))
		}
		table.Add(append(cells, secondsOrNone(row.LatencySeconds), secondsOrNone(row.BatchSeconds))...)
	}
	return table
}

// StudyText writes tables and sentences for each level.
func StudyText(w io.Writer, r study.Result) error {
	b := bufio.NewWriter(w)
	for i, c := range r.Corpora {
		rows := r.OneStoreAt(c.Level)
		if len(rows) == 0 {
			continue
		}
		if i > 0 {
			fmt.Fprintln(b)
		}
		writeTable(b, levelTable(c, rows))
		at := r.At(c.Level)
		writeStores(b, at.Models, "bits/"+c.Level)
		fmt.Fprintf(b, "\n%s\n", figures.Wrap(at.Summary, "", tableWidth))
		if sentence := softmaxes(at); sentence != "" {
			fmt.Fprintf(b, "\n%s\n", figures.Wrap(sentence, "", tableWidth))
		}
	}
	for _, sentence := range mixtures(r) {
		fmt.Fprintf(b, "\n%s\n", figures.Wrap(sentence, "", tableWidth))
	}
	return b.Flush()
}
