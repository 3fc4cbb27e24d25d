package lm

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"batchrnn/internal/figures"
)

// A Perplexity is the number of equally likely tokens that cost as many bits as a token
// does on average. It is +Inf where float64 has no such number, from 1,024 bits on. JSON
// then has null. The bits are exact all the same.
type Perplexity float64

// PerplexityOf returns 2^bitsPerToken.
func PerplexityOf(bitsPerToken float64) Perplexity { return Perplexity(math.Exp2(bitsPerToken)) }

// beyond is what stands for a perplexity of +Inf.
const beyond = "more than 1.8e308"

// String formats p with four digits, as [figures.Significant] does.
func (p Perplexity) String() string {
	if math.IsInf(float64(p), 1) {
		return beyond
	}
	return figures.Significant(float64(p))
}

// Digits formats p with n significant digits, or with all digits before the point.
func (p Perplexity) Digits(n int) string {
	if math.IsInf(float64(p), 1) || p >= 1e15 {
		return p.String()
	}
	before := max(1, 1+int(math.Floor(math.Log10(max(float64(p), 1)))))
	return strconv.FormatFloat(float64(p), 'f', max(n-before, 0), 64)
}

// Format implements [fmt.Formatter]: the verbs of a float64 work, and v and s give String.
func (p Perplexity) Format(f fmt.State, verb rune) {
	if verb == 'v' || verb == 's' || math.IsInf(float64(p), 1) {
		fmt.Fprint(f, p.String())
		return
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), float64(p))
}

// MarshalJSON implements [json.Marshaler].
func (p Perplexity) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(p), 1) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(p))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *Perplexity) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		*p = Perplexity(math.Inf(1))
		return nil
	}
	return json.Unmarshal(raw, (*float64)(p))
}
