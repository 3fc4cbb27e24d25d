package study

import (
	"fmt"
	"strings"

	"batchrnn/bench/lm"

	"batchrnn/bench/measure"
)

// Format is the version of the JSON forms of [Result] and [LevelResult].
const Format = 1

// A Result holds all measurements of a study. Its JSON form is stable: fields may be
// added, not renamed.
type Result struct {
	Format        int             `json:"format"` // Format
	Command       string          `json:"command"`
	Machine       measure.Machine `json:"machine"`
	Seed          uint64          `json:"seed"`
	BudgetSeconds float64         `json:"budget_seconds"` // training time of each RNN
	Corpora       []lm.Corpus     `json:"corpora"`        // the same text at each level
	Rows          []Row           `json:"rows"`
	Notes         []string        `json:"notes"`       // facts for judging these figures
	Limits        []string        `json:"limits"`      // conclusions that the figures don't support
	Interrupted   bool            `json:"interrupted"` // the run was stopped before every row was measured
}

// KindMixture is the kind of a row for the linear interpolation of an RNN and an n-gram
// model.
const KindMixture = "mixture"

// A Row holds the measurements of one model at one level.
type Row struct {
	Level string `json:"level"`
	Label string `json:"name"`
	Model

	ValidBits  float64       `json:"valid_bits_per_token"` // on all of the validation split
	Perplexity lm.Perplexity `json:"perplexity"`           // on the test split, as BitsPerToken
	Adjusted   lm.Perplexity `json:"adjusted_perplexity"`  // as AdjustedBits

	// LatencySeconds is the time of a token on one stream, where each token waits for
	// the one before. BatchSeconds is the time of a token with BatchStreams parallel
	// streams on BatchThreads threads. Both are medians.
	LatencySeconds float64 `json:"latency_seconds"`
	BatchSeconds   float64 `json:"batch_seconds"`
	BatchStreams   int     `json:"batch_streams"`
	BatchThreads   int     `json:"batch_threads"`

	// Of a mixture: weight·p of the RNN + (1-weight)·p of the n-gram model. The weight
	// predicts the validation split best.
	Weight float64  `json:"weight"`
	Parts  []string `json:"parts,omitempty"` // their names

	// Config identifies all that the figures depend on, apart from the program. A row
	// with the same Config need not be measured again.
	Config string `json:"config"`
}

// At returns the corpus and the rows of a level as a [LevelResult], without the
// mixture.
func (r Result) At(level string) LevelResult {
	one := LevelResult{
		Format: Format, Machine: r.Machine, Interrupted: r.Interrupted, Notes: r.Notes,
		Settings: Settings{Seed: r.Seed, BudgetSeconds: r.BudgetSeconds},
	}
	for _, c := range r.Corpora {
		if c.Level == level {
			one.Corpus = c
		}
	}
	for _, row := range r.Rows {
		if row.Level == level && row.Kind != KindMixture {
			one.Models = append(one.Models, row.Model)
		}
	}
	one.Summary = Summarize(one)
	return one
}

// OneStoreAt returns the rows of a level. Of the n-gram models it returns those of
// [LevelResult.OneStore].
func (r Result) OneStoreAt(level string) (rows []Row) {
	store := r.At(level).store()
	for _, row := range r.RowsAt(level) {
		if row.Kind != KindNgram || row.Store == store {
			rows = append(rows, row)
		}
	}
	return rows
}

// RowsAt returns the rows of a level.
func (r Result) RowsAt(level string) (rows []Row) {
	for _, row := range r.Rows {
		if row.Level == level {
			rows = append(rows, row)
		}
	}
	return rows
}

// limits are conclusions that the figures of a study don't support.
var limits = []string{
	"One text, one seed, one machine: what differs by less than a few thousandths of a bit, or a few percent of time, may differ the other way elsewhere.",
	"Every RNN trains for the same time, not to its end: a wide one would gain from more.",
	"The validation and the test split are the last tenth of the text, in which names and matters may come up that the training part does not have.",
	"Bits per character and bits per word are of different tokens, and those per word count <unk> as a word like any other, unless they are adjusted: neither compares with the other level.",
	"The bytes of a model are those it computes with, without the vocabulary, which is the same for all, and without the buffers of a pass.",
	"Latency is measured on text in order, by one caller, with warm caches: a service that answers many callers sees more of both.",
}

// config joins the values that a row depends on.
func config(parts ...any) string {
	fields := make([]string, len(parts))
	for i, p := range parts {
		fields[i] = fmt.Sprint(p)
	}
	return strings.Join(fields, " | ")
}
