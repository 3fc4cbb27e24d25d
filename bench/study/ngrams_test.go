package study

import (
	"testing"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

// What is asked for beforehand covers what comes, and is of the same size.
func TestNgramBytes(t *testing.T) {
	c, err := text.Build(text.Default(1), text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []int
	for order := 1; order <= 4; order++ {
		need := ngramBytes(len(c.Train), c.Vocab.Len(), entries)
		e, err := estimateNgram(c, ngram.KneserNey, order)
		if err != nil {
			t.Fatal(err)
		}
		entries = entries[:0]
		for i := range e.Orders {
			entries = append(entries, e.Orders[i].Len())
		}
		got := ngram.EstimateBytes(len(c.Train), c.Vocab.Len(), entries) + ngram.NewShape(ngram.Map, c.Vocab.Len(), entries).Bytes()
		if need < got || need > 3*got {
			t.Errorf("order %d: %d bytes are taken, %d were foretold", order, got, need)
		}
	}
}
