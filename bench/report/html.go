package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/report/chart"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

//go:embed report.html.tmpl
var pageSource string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"printable": printable, "count": func(n int) string { return figures.Count(int64(n)) },
	"unknowns": unknowns,
}).Parse(pageSource))

// The widths that a plot is laid out for: on a desk, and on a phone. The page shows the
// one that fits.
const (
	wide   = 860
	narrow = 348
)

// A section is one level in the page.
type section struct {
	study.LevelResult
	Token   string // "character" or "word"
	Figures []inlineFigure
	Rows    [][]string // of the table, its head first
	Stores  [][]string // bytes and times of the n-gram models in each store, if there are several
	Softmax string     // the effect of the adaptive softmax, if there is one
	Stopped bool       // a training was stopped early
}

type inlineFigure struct {
	Title, Caption string
	Legend         []inlineKey
	Wide, Narrow   template.HTML
}

type inlineKey struct {
	Name   string
	Swatch template.HTML
}

// inline returns a figure as parts of the page.
func inline(fig figure) inlineFigure {
	f := inlineFigure{
		Title: fig.Title, Caption: fig.Caption,
		Wide:   template.HTML(fig.Inline(wide, fig.name+"-wide")),
		Narrow: template.HTML(fig.Inline(narrow, fig.name+"-narrow")),
	}
	for _, key := range fig.Legend() {
		f.Legend = append(f.Legend, inlineKey{key.Name, template.HTML(key.Swatch)})
	}
	return f
}

// HTML writes the report as one self-contained page. Every figure in it comes from r.
func HTML(w io.Writer, r study.Result) error {
	var sections []section
	for _, c := range r.Corpora {
		at := r.At(c.Level)
		s := section{LevelResult: at, Token: c.TokenName()}
		s.Corpus = c
		for _, fig := range drawings(r, c.Level) {
			s.Figures = append(s.Figures, inline(fig))
		}
		s.Rows = studyTable(r.OneStoreAt(c.Level), s.Token)
		s.Stores, s.Softmax = storesTable(at.Models, s.Token), softmaxes(at)
		for _, row := range r.RowsAt(c.Level) {
			s.Stopped = s.Stopped || row.Interrupted
		}
		sections = append(sections, s)
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		study.Result
		Sections []section
		Mixtures []string
		Budget   string
		Colors   template.CSS
	}{r, sections, mixtures(r), figures.Seconds(r.BudgetSeconds), template.CSS(chart.CSS())})
	if err != nil {
		return err
	}
	_, err = b.WriteTo(w)
	return err
}

// studyTable returns the table of a level, its head first.
func studyTable(rows []study.Row, token string) [][]string {
	table := figures.Table{{"model", "store", "n-grams or parameters", "bytes", "resident", "training", "tokens/s in training",
		"bits/" + token, "perplexity", "adjusted", "one by one", "batched", "streams"}}
	for _, r := range rows {
		table = append(table, []string{
			nameOf(r), storeOf(r), figures.Count(r.Entries + r.Parameters), sizeOf(r), figures.Known(!r.ResidentUnknown, figures.Bytes(r.BytesResident)),
			figures.Seconds(r.TrainSeconds), rateOrNone(r.TrainTokensPerSecond),
			figures.Known(!r.Unscored, fmt.Sprintf("%.3f", r.BitsPerToken)), figures.Known(!r.Unscored, fmt.Sprintf("%.4g", r.Perplexity)), figures.Known(!r.Unscored, fmt.Sprintf("%.4g", r.Adjusted)),
			secondsOrNone(r.LatencySeconds), secondsOrNone(r.BatchSeconds), figures.Known(r.BatchStreams > 0, fmt.Sprint(r.BatchStreams)),
		})
	}
	return table
}

// storeOf returns a model's store, with its softmax unless that is full.
func storeOf(r study.Row) string {
	if r.Softmax == rnnlm.AdaptiveSoftmax {
		return r.Store + ", " + r.Softmax
	}
	return r.Store
}

// softmaxes describes the effect of an adaptive softmax on training in a sentence. It
// returns "" if no full softmax was measured.
func softmaxes(r study.LevelResult) string {
	var clauses []string
	for _, m := range r.Models {
		if m.FullTrainTokensPerSecond > 0 {
			clauses = append(clauses, fmt.Sprintf("%s: %s, %s", m.Name(),
				figures.Rate(m.TrainTokensPerSecond), figures.Rate(m.FullTrainTokensPerSecond)))
		}
	}
	if len(clauses) == 0 {
		return ""
	}
	return fmt.Sprintf("%ss a second in training, with the adaptive softmax of these RNNs and, in a few seconds beside it, with a full one: %s.",
		strings.ToUpper(r.Corpus.TokenName()[:1])+r.Corpus.TokenName()[1:], strings.Join(clauses, "; "))
}

// mixtures describes the effect of mixing in a sentence for each level.
func mixtures(r study.Result) (sentences []string) {
	for _, m := range r.Rows {
		if m.Kind != study.KindMixture || len(m.Parts) != 2 {
			continue
		}
		best, at := 0.0, r.OneStoreAt(m.Level) // the best of both kinds, on the test split
		var apart []string
		for _, part := range m.Parts {
			i := slices.IndexFunc(at, func(r study.Row) bool { return r.Label == part && !r.Unscored })
			if i < 0 {
				continue
			}
			if best == 0 || at[i].BitsPerToken < best {
				best = at[i].BitsPerToken
			}
			apart = append(apart, fmt.Sprintf("%.4g of %s", at[i].Perplexity, part))
		}
		relation := "below"
		if m.BitsPerToken > best {
			relation = "above"
		}
		c := r.At(m.Level).Corpus
		sentence := fmt.Sprintf("%s, mixed with a weight of %.2f for the RNN, which predicts the validation split best, needs %.3f bits per %s, %.3f %s the better of the two, and takes %s.",
			m.Label, m.Weight, m.BitsPerToken, c.TokenName(), max(m.BitsPerToken-best, best-m.BitsPerToken), relation, sizeOf(m))
		if len(apart) == len(m.Parts) {
			sentence += fmt.Sprintf(" Its perplexity is %.4g, beside %s.", m.Perplexity, strings.Join(apart, " and "))
		}
		sentences = append(sentences, sentence)
	}
	return sentences
}

// secondsOrNone formats a time of scoring with at least two digits.
func secondsOrNone(s float64) string {
	switch {
	case s <= 0:
		return figures.None
	case s < 1e-6:
		return fmt.Sprintf("%.0f ns", 1e9*s)
	case s >= 99.95e-6 && s < 999.5e-6:
		return fmt.Sprintf("%.0f µs", 1e6*s)
	}
	return figures.Seconds(s)
}
