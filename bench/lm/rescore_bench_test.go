package lm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// vocabModel returns a network of sentences of v words.
func vocabModel(t testing.TB, threads, v int, c rnn.Config) *Model {
	t.Helper()
	e, err := kernels.New("", threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	words := []string{text.UnkToken, text.StartToken, text.EndToken}
	for i := len(words); i < v; i++ {
		words = append(words, fmt.Sprint("w", i))
	}
	vocab, err := text.NewVocabulary(words)
	if err != nil {
		t.Fatal(err)
	}
	c.Input, c.Output, c.Layers = v, v, 1
	n, err := rnn.New(e, c, 1)
	if err != nil {
		t.Fatal(err)
	}
	return NewRNN(n, &text.Corpus{Level: text.Sentence, Vocab: vocab}, Config{})
}

// confusions returns the n best of 20 words, as a recogniser gives them: 8 places, at
// random, have two alternatives each. The costs of the second ones are exponential.
func confusions(r *rand.Rand, v, n int) (texts []string) {
	const words, places = 20, 8
	word := func() string { return fmt.Sprint("w", 3+r.IntN(v-3)) }
	sentence := make([]string, words)
	for i := range sentence {
		sentence[i] = word()
	}
	at := r.Perm(words)[:places]
	var others [places]string
	var penalty [places]float64
	for i := range others {
		others[i], penalty[i] = word(), r.ExpFloat64()
	}
	cost := func(mask int) (sum float64) {
		for i, p := range penalty {
			sum += p * float64(mask>>i&1)
		}
		return sum
	}
	var masks []int
	for mask := range 1 << places {
		masks = append(masks, mask)
	}
	slices.SortFunc(masks, func(a, b int) int {
		if cost(a) < cost(b) {
			return -1
		}
		return 1
	})
	for _, mask := range masks[:n] {
		hypothesis := slices.Clone(sentence)
		for i, place := range at {
			if mask>>i&1 == 1 {
				hypothesis[place] = others[i]
			}
		}
		texts = append(texts, strings.Join(hypothesis, " "))
	}
	return texts
}

// strangers returns n texts of 20 words that share no prefix.
func strangers(r *rand.Rand, v, n int) (texts []string) {
	for i := range n {
		hypothesis := fmt.Append(nil, "w", 3+i)
		for range 19 {
			hypothesis = fmt.Append(hypothesis, " w", 3+r.IntN(v-3))
		}
		texts = append(texts, string(hypothesis))
	}
	return texts
}

// BenchmarkRescore scores 100-best lists of 20 words, V = 10,000, as lists and line by
// line, in turns: "times" is the median ratio.
func BenchmarkRescore(b *testing.B) {
	const v = 10_000
	for _, network := range []struct {
		name string
		c    rnn.Config
	}{
		{"vanilla", rnn.Config{Hidden: 256}},
		{"lstm", rnn.Config{Hidden: 256, Cell: rnn.LSTM}},
		{"gru-128-adaptive", rnn.Config{Hidden: 128, Cell: rnn.GRU, Embedding: 64, Cutoffs: []int{500, 2000}}},
	} {
		for _, shape := range []struct {
			name string
			make func(r *rand.Rand, v, n int) []string
		}{{"confusions", confusions}, {"strangers", strangers}} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%s/%d", network.name, shape.name, threads), func(b *testing.B) {
					m := vocabModel(b, threads, v, network.c)
					r, err := NewRescorer(m, Mixture{})
					if err != nil {
						b.Fatal(err)
					}
					random := rand.New(rand.NewPCG(1, 1))
					var lists [][]string
					for range 4 {
						lists = append(lists, shape.make(random, v, 100))
					}
					stream := m.NewStream()
					stream.Losses([]int32{5})
					var ids []int32
					var ratios []float64
					var listTime time.Duration
					for i := 0; b.Loop(); i++ {
						list := lists[i%len(lists)]
						start := time.Now()
						if _, err := r.Score(list); err != nil {
							b.Fatal(err)
						}
						middle := time.Now()
						for _, t := range list {
							ids = m.Vocab.Encode(ids[:0], m.level, append([]byte(t), '\n'))
							if _, err := stream.Losses(ids); err != nil {
								b.Fatal(err)
							}
						}
						listTime += middle.Sub(start)
						ratios = append(ratios, float64(time.Since(middle))/float64(middle.Sub(start)))
					}
					slices.Sort(ratios)
					b.ReportMetric(ratios[len(ratios)/2], "times")
					b.ReportMetric(float64(b.N*100)/listTime.Seconds(), "hypotheses/s")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
