package ngram

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchText is 2 million letters to train on and 200,000 to score.
func benchText() (train, test []int32) {
	text := syntheticText(rand.New(rand.NewPCG(21, 22)), 2_200_000)
	return text[:2_000_000], text[2_000_000:]
}

func BenchmarkNGramScore(b *testing.B) {
	train, test := benchText()
	for _, order := range []int{1, 3, 5, 7, 9} {
		b.Run(fmt.Sprintf("order=%d", order), func(b *testing.B) {
			m := mustTrain(b, train, letters, order)
			b.ReportAllocs()
			for b.Loop() {
				m.Score(test)
			}
			b.ReportMetric(float64(b.N)*float64(len(test))/b.Elapsed().Seconds(), "tokens/s")
			b.ReportMetric(float64(m.Bytes())/float64(m.TotalEntries()), "bytes/ngram")
		})
	}
}

func BenchmarkNGramTrain(b *testing.B) {
	train, _ := benchText()
	for _, order := range []int{1, 3, 5, 7} {
		b.Run(fmt.Sprintf("order=%d", order), func(b *testing.B) {
			entries := 0
			for b.Loop() {
				entries = mustTrain(b, train, letters, order).TotalEntries()
			}
			b.ReportMetric(float64(b.N)*float64(len(train))/b.Elapsed().Seconds(), "tokens/s")
			b.ReportMetric(float64(entries), "ngrams")
		})
	}
}
