package rnnlm

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
)

// printableCorpus has the 95 characters of ASCII, which is about what English
// books use.
func printableCorpus(t testing.TB) *text.Corpus {
	t.Helper()
	var b strings.Builder
	for i := range 200_000 {
		b.WriteByte(byte(' ' + i*i%95))
	}
	for c := byte(' '); c <= '~'; c++ {
		b.WriteByte(c)
	}
	c, err := text.Build(text.New("ASCII", []byte(b.String())), text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTestTrainer(t testing.TB, hidden, threads int) *trainer {
	t.Helper()
	e, err := kernels.New("", threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	tr, err := newTrainer(e, printableCorpus(t), Options{Hidden: hidden, Budget: time.Hour}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tr.started = time.Now()
	return tr
}

func TestStepsAndScoresAllocateNothing(t *testing.T) {
	tr := newTestTrainer(t, 32, 2)
	if n := testing.AllocsPerRun(50, func() {
		if err := tr.step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations in a training step", n)
	}
	scorer, err := NewScorer(tr.model, tr.history, tr.valid)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(3, func() { scorer.Score(ctx) }); n != 0 {
		t.Errorf("%v allocations in scoring", n)
	}
}

// BenchmarkTrain is a whole training step: dealing out, forward, backward,
// clipping, Adam and packing.
func BenchmarkTrain(b *testing.B) {
	for _, hidden := range []int{128, 256, 512} {
		for _, threads := range []int{1, 2} {
			tr := newTestTrainer(b, hidden, threads)
			name := fmt.Sprintf("isa=%s/h=%d/b=%d/t=%d/threads=%d", tr.model.Engine().ISA(), hidden, tr.streams.count, tr.streams.steps, threads)
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := tr.step(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*len(tr.streams.ids))/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}

func BenchmarkScore(b *testing.B) {
	for _, hidden := range []int{128, 256} {
		tr := newTestTrainer(b, hidden, 2)
		scorer, err := NewScorer(tr.model, tr.history, tr.valid)
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("isa=%s/h=%d/b=%d/threads=2", tr.model.Engine().ISA(), hidden, scorer.Streams())
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := scorer.Score(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(tr.valid))/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
