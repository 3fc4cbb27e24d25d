package report

import (
	"bytes"
	"encoding/json"
	"html"
	"math"
	"strings"
	"testing"

	"batchrnn/bench/lm"
	"batchrnn/bench/study"
)

// TestPerplexityBeyondFloat64: no number stands in for it in the tables, the page and the
// JSON, and a later run reads it again.
func TestPerplexityBeyondFloat64(t *testing.T) {
	r := sampleStudy()
	for i := range r.Rows {
		r.Rows[i].Perplexity, r.Rows[i].Adjusted = lm.PerplexityOf(3000), lm.PerplexityOf(1024)
	}
	var text bytes.Buffer
	if err := StudyText(&text, r); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, printed := range map[string]string{"the tables": text.String(), "the page": html.UnescapeString(pageOf(t, r))} {
		if !strings.Contains(printed, "more than 1.8e308") || strings.Contains(printed, "Inf") || strings.Contains(printed, "e+308") {
			t.Errorf("%s:\n%.3000s", name, printed)
		}
	}
	if !strings.Contains(string(raw), `"perplexity":null`) || !strings.Contains(string(raw), `"adjusted_perplexity":null`) {
		t.Errorf("%.2000s", raw)
	}
	var back study.Result
	if err := json.Unmarshal(raw, &back); err != nil || !math.IsInf(float64(back.Rows[0].Perplexity), 1) {
		t.Errorf("comes back as %v, error %v", back.Rows[0].Perplexity, err)
	}
}
