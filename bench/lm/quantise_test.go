package lm

import (
	"math"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
)

// TestQuantise: a model of int8 takes less memory and a smaller file, says what it is, and
// predicts nearly as the model that it was made of.
func TestQuantise(t *testing.T) {
	for _, m := range testNetworks(t, text.Char) {
		q, err := m.Quantise()
		if err != nil {
			t.Fatal(err)
		}
		want := m.Config
		want.Int8 = true
		if q.Config != want || m.Config.Int8 || !strings.Contains(q.Config.Name(), " int8") {
			t.Errorf("%+v became %+v", m.Config, q.Config)
		}
		if a, b := m.Bytes(), q.Bytes(); !(b < a) {
			t.Errorf("%s takes %d bytes, %d before", q.Config.Name(), b, a)
		}
		if a, b := len(encode(t, m)), len(encode(t, q)); !(b < a) {
			t.Errorf("%s has a file of %d bytes, %d before", q.Config.Name(), b, a)
		}
		ids := m.Vocab.Encode(nil, m.level, []byte(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20)))
		a, errA := m.Score(t.Context(), nil, ids)
		b, errB := q.Score(t.Context(), nil, ids)
		if off := Bits(b, len(ids)) - Bits(a, len(ids)); errA != nil || errB != nil || !(math.Abs(off) <= 0.01) {
			t.Errorf("%s needs %.4f bits more, errors %v, %v", q.Config.Name(), off, errA, errB)
		}
		t.Logf("%s: %d bytes, %d before", q.Config.Description(), q.Bytes(), m.Bytes())
	}
}
