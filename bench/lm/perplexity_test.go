package lm

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

// TestPerplexity: a perplexity that float64 doesn't have is called so, and no number
// stands in for it, neither in text nor in JSON.
func TestPerplexity(t *testing.T) {
	for _, test := range []struct {
		bits       float64
		text, json string
	}{
		{0, "1.000", "1"},
		{7, "128.0", "128"},
		{1023, "8.99e+307", "8.98846567431158e+307"},
		{1024, "more than 1.8e308", "null"},
		{1e9, "more than 1.8e308", "null"},
	} {
		p := PerplexityOf(test.bits)
		raw, err := json.Marshal(p)
		if p.String() != test.text || fmt.Sprint(p) != test.text || string(raw) != test.json || err != nil {
			t.Errorf("%v bits: %s, in JSON %s, error %v, want %s and %s", test.bits, p, raw, err, test.text, test.json)
		}
		var back Perplexity
		if err := json.Unmarshal(raw, &back); err != nil || back != p {
			t.Errorf("%s comes back as %v, error %v", raw, back, err)
		}
		want := fmt.Sprintf("%.4g", math.Exp2(test.bits))
		if math.IsInf(float64(p), 1) {
			want = test.text
		}
		if got := fmt.Sprintf("%.4g", p); got != want {
			t.Errorf("%v bits: %%.4g gives %s, want %s", test.bits, got, want)
		}
	}
}

// TestDigits: digits beyond the asked ones are rounded off, but none before the point.
func TestDigits(t *testing.T) {
	for p, want := range map[Perplexity]string{
		0: "0.00000", 1: "1.00000", 9.999999: "10.00000", 105.572136: "105.572", 123456.7: "123457", 12345678.4: "12345678",
		1e20: "1e+20", Perplexity(math.Inf(1)): beyond,
	} {
		if got := p.Digits(6); got != want {
			t.Errorf("%g: %s, want %s", float64(p), got, want)
		}
	}
}
