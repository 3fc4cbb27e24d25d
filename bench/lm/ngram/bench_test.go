package ngram

import (
	"fmt"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
)

// benchWords is one half of the default text to train on and one to score: long
// enough that the processor doesn't know it by heart.
func benchWords(b *testing.B) (train, test []int32, vocab int) {
	c, err := text.Build(text.Default(1), text.Options{Level: text.Word, MaxVocab: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	half := len(c.Train) / 2
	return c.Train[:half], c.Train[half:], c.Vocab.Len()
}

func BenchmarkNGramScore(b *testing.B) {
	train, test, vocab := benchWords(b)
	for order := 1; order <= MaxOrder; order++ {
		est, _ := mustEstimate(b, train, Config{Vocab: vocab, Order: order})
		for _, store := range Stores {
			b.Run(fmt.Sprintf("store=%s/order=%d", strings.ReplaceAll(store.String(), " ", "-"), order), func(b *testing.B) {
				m := mustModel(b, est, store)
				b.ReportAllocs()
				for b.Loop() {
					m.Score(test)
				}
				queries := float64(b.N) * float64(len(test))
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/queries, "ns/query")
				b.ReportMetric(queries/b.Elapsed().Seconds(), "tokens/s")
				b.ReportMetric(float64(m.Bytes())/float64(m.TotalEntries()), "bytes/ngram")
			})
		}
	}
}

// Making a store of estimates.
func BenchmarkNGramStore(b *testing.B) {
	train, _, vocab := benchWords(b)
	est, _ := mustEstimate(b, train, Config{Vocab: vocab, Order: 5})
	for _, store := range Stores {
		b.Run("store="+strings.ReplaceAll(store.String(), " ", "-"), func(b *testing.B) {
			entries := 0
			for b.Loop() {
				entries = mustModel(b, est, store).TotalEntries()
			}
			b.ReportMetric(float64(b.N)*float64(entries)/b.Elapsed().Seconds(), "ngrams/s")
		})
	}
}
