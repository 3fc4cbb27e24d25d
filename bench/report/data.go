package report

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"batchrnn/bench/study"
)

// JSON writes r as indented JSON with a final newline.
func JSON(w io.Writer, r study.LevelResult) error {
	// An empty list is [], not null.
	if r.Models == nil {
		r.Models = []study.Model{}
	}
	if r.Notes == nil {
		r.Notes = []string{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // <unk>, not \u003cunk\u003e
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// CSV writes a header row and one row per model. Columns have the names of the JSON
// fields.
func CSV(w io.Writer, r study.LevelResult) error {
	c := csv.NewWriter(w)
	c.Write([]string{
		"kind", "order", "hidden", "cell", "embedding", "smoothing", "store", "entries", "parameters", "softmax", "dropout", "halve",
		"bytes_predicted", "bytes_resident",
		"train_seconds", "train_tokens", "train_tokens_per_second", "full_train_tokens_per_second",
		"score_tokens_per_second", "score_runs", "score_spread", "score_streams",
		"bits_per_token", "adjusted_bits_per_token", "interrupted", "fixed_discounts", "unscored", "resident_unknown",
	})
	for _, m := range r.Models {
		c.Write([]string{
			m.Kind, strconv.Itoa(m.Order), strconv.Itoa(m.Hidden), m.Cell, strconv.Itoa(m.Embedding), m.Smoothing, m.Store, integer(m.Entries), integer(m.Parameters), m.Softmax, number(m.Dropout), strconv.FormatBool(m.Halve),
			integer(m.BytesPredicted), integer(m.BytesResident),
			number(m.TrainSeconds), integer(m.TrainTokens), number(m.TrainTokensPerSecond), number(m.FullTrainTokensPerSecond),
			number(m.ScoreTokensPerSecond), strconv.Itoa(m.ScoreRuns), number(m.ScoreSpread), strconv.Itoa(m.ScoreStreams),
			number(m.BitsPerToken), number(m.AdjustedBits), strconv.FormatBool(m.Interrupted),
			strconv.FormatBool(m.FixedDiscounts), strconv.FormatBool(m.Unscored), strconv.FormatBool(m.ResidentUnknown),
		})
	}
	c.Flush()
	return c.Error() // also holds an error of earlier writes
}

func integer(n int64) string { return strconv.FormatInt(n, 10) }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
