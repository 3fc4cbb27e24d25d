package ngram

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkNGramEstimate(b *testing.B) {
	text := syntheticText(rand.New(rand.NewPCG(21, 22)), 2_000_000)
	for _, smoothing := range []Smoothing{KneserNey, Absolute} {
		for _, order := range []int{1, 3, 5, 7} {
			b.Run(fmt.Sprintf("smoothing=%v/order=%d", smoothing, order), func(b *testing.B) {
				benchmarkEstimate(b, text, Config{Vocab: letters, Order: order, Smoothing: smoothing})
			})
		}
	}
}

// BenchmarkNGramEstimateKenLM estimates what lmplz takes 1.05 s of a processor
// for: words at order 5.
func BenchmarkNGramEstimateKenLM(b *testing.B) {
	for _, f := range kenlmFigures {
		for order := 2; order <= len(f.ngrams); order++ {
			b.Run(fmt.Sprintf("level=%s/order=%d", f.level, order), func(b *testing.B) {
				vocab, train, _ := kenlmText(b, f.level)
				benchmarkEstimate(b, train, Config{Vocab: vocab.Len(), Order: order, Marks: kenlmMarks})
			})
		}
	}
}

func benchmarkEstimate(b *testing.B, text []int32, c Config) {
	total := 0
	for b.Loop() {
		e, _, err := Estimate(text, c)
		if err != nil {
			b.Fatal(err)
		}
		total = 0
		for i := range e.Orders {
			total += e.Orders[i].Len()
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(text))/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(float64(total), "ngrams")
}

// BenchmarkNGramEstimateOnDisk estimates and packs what BenchmarkNGramEstimateKenLM
// estimates, in memory and on disk. The ids of the words take 2.5 MB.
func BenchmarkNGramEstimateOnDisk(b *testing.B) {
	vocab, train, _ := kenlmText(b, "word")
	c := Config{Vocab: vocab.Len(), Order: 5, Marks: kenlmMarks}
	b.Run("memory=all", func(b *testing.B) {
		for b.Loop() {
			e, _, err := Estimate(train, c)
			if err != nil {
				b.Fatal(err)
			}
			mustModel(b, e, Trie)
		}
		b.ReportMetric(float64(b.N)*float64(len(train))/b.Elapsed().Seconds(), "tokens/s")
	})
	for _, memory := range []int64{500 << 10, 1 << 20, 4 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("memory=%d", memory), func(b *testing.B) {
			o := Disk{Memory: memory, Folder: b.TempDir()}
			for b.Loop() {
				if _, _, err := EstimateOnDisk(b.Context(), train, c, Trie, o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(train))/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
