package bench

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"batchrnn/bench/corpus"
	"batchrnn/bench/measure"
	"batchrnn/bench/ngram"
)

// measureNgram trains and scores the n-gram model of the given order and fills
// a row. It can't be interrupted.
func measureNgram(c *corpus.Corpus, order int) (Model, *ngram.Model, error) {
	var model *ngram.Model
	var err error
	runtime.GC() // what came before is not to be swept while the clock runs
	train := measure.Repeat(1, 100*time.Millisecond, func() {
		model, err = ngram.Train(c.Train, c.Vocab.Len(), order)
	})
	if err != nil {
		return Model{}, nil, fmt.Errorf("%d-gram model: %w", order, err)
	}

	// The test split goes on where the validation split ends.
	start := model.NewScorer()
	for _, w := range c.Valid[max(0, len(c.Valid)-(order-1)):] {
		start.Score(w)
	}
	var nats float64
	score := timeScoring(func() {
		s := *start
		nats = 0
		for _, w := range c.Test {
			nats += s.Score(w)
		}
	})
	row := Model{
		Kind:           KindNgram,
		Order:          order,
		Store:          model.Store().String(),
		Entries:        int64(model.TotalEntries()),
		BytesPredicted: model.Shape().Bytes(),
		TrainSeconds:   train.Median.Seconds(),
		TrainTokens:    int64(len(c.Train)),
		ScoreStreams:   1,
		BitsPerToken:   bits(nats, len(c.Test)),
	}
	row.TrainTokensPerSecond = float64(row.TrainTokens) / row.TrainSeconds
	row.setScoring(score, len(c.Test))
	return row, model, nil
}

// nextOrderBytes estimates the memory that training the order after m's takes,
// from how the number of n-grams has grown: it grows ever more slowly, so the
// last step's growth bounds the next one's.
func nextOrderBytes(m *ngram.Model, trainTokens int) int64 {
	entries := m.Entries()
	last := float64(entries[len(entries)-1])
	growth := float64(m.Vocab())
	if len(entries) > 1 {
		growth = last / float64(entries[len(entries)-2])
	}
	next := int(math.Min(last*growth, float64(trainTokens)))
	return ngram.NewShape(m.Store(), m.Vocab(), append(entries, next)).Bytes() + ngram.TrainBytes(trainTokens, next)
}

// timeScoring times work that scores the whole test split: the median of five
// runs, each of them as many repeats as take 20 ms. Slow work is run less often.
func timeScoring(score func()) measure.Timing {
	runtime.GC()
	start := time.Now()
	score() // warm caches and branch predictors
	once := time.Since(start)
	if once > 2*time.Second {
		return measure.Repeat(1, 0, score)
	}
	runs, repeats := 5, int(20*time.Millisecond/max(once, time.Microsecond))+1
	if once > 200*time.Millisecond {
		runs = 3
	}
	t := measure.Repeat(runs, 0, func() {
		for range repeats {
			score()
		}
	})
	each := time.Duration(repeats)
	return measure.Timing{Median: t.Median / each, Min: t.Min / each, Max: t.Max / each, N: t.N}
}

func (m *Model) setScoring(t measure.Timing, tokens int) {
	if t.Median <= 0 { // a test split of a few tokens, a coarse clock
		return
	}
	m.ScoreTokensPerSecond = float64(tokens) / t.Median.Seconds()
	m.ScoreRuns = t.N
	m.ScoreSpread = float64(t.Max-t.Min) / float64(t.Median)
}

// bits is the mean per token of a total in nats.
func bits(nats float64, tokens int) float64 {
	// No token costs less than nothing; what rounding takes away from 0 is no news.
	return max(nats/math.Ln2/float64(tokens), 0)
}

// await runs work, but doesn't wait for it longer than ctx lives. Work that is
// left behind goes on to its end, unheard.
func await(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
