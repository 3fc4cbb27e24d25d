package ngram

import (
	"fmt"
	"strings"
	"testing"

	"batchrnn/bench/corpus"
)

// benchCorpus is the default text, as words.
func benchCorpus(b *testing.B) *corpus.Corpus {
	c, err := corpus.Build(corpus.Default(1), corpus.Options{Level: corpus.Word, MaxVocab: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkNGramScore(b *testing.B) {
	c := benchCorpus(b)
	for order := 1; order <= MaxOrder; order++ {
		est, err := estimate(c.Train, c.Vocab.Len(), order)
		if err != nil {
			b.Fatal(err)
		}
		for _, store := range Stores {
			b.Run(fmt.Sprintf("store=%s/order=%d", strings.ReplaceAll(store.String(), " ", "-"), order), func(b *testing.B) {
				m := mustModel(b, est, store)
				b.ReportAllocs()
				for b.Loop() {
					m.Score(c.Test)
				}
				queries := float64(b.N) * float64(len(c.Test))
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/queries, "ns/query")
				b.ReportMetric(queries/b.Elapsed().Seconds(), "tokens/s")
				b.ReportMetric(float64(m.Bytes())/float64(m.TotalEntries()), "bytes/ngram")
			})
		}
	}
}

// Making a store of estimates.
func BenchmarkNGramStore(b *testing.B) {
	c := benchCorpus(b)
	est, err := estimate(c.Train, c.Vocab.Len(), 5)
	if err != nil {
		b.Fatal(err)
	}
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
