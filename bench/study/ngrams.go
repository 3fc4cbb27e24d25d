package study

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/measure"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
)

// ngrams measures the n-gram models. Every order is estimated once and held in each of
// the stores.
func (l *level) ngrams(ctx context.Context) error {
	for order := 1; order <= l.options.MaxOrder; order++ {
		need := ngramBytes(len(l.data.Train), l.data.Vocab.Len(), entriesOf(inStore(l.rows, ngram.Trie.String())))
		if available := memory.Free(); need > available && !l.knows(order) {
			l.notes = append(l.notes, fmt.Sprintf("Orders from %d on are left out: they take about %s to train, and %s are free.",
				order, figures.Bytes(need), figures.Bytes(available)))
			l.nth += l.options.MaxOrder - order + 1
			return nil
		}
		if err := l.ngram(ctx, order); err != nil {
			return err
		}
	}
	return nil
}

// knows reports whether an earlier run measured the order in every store.
func (l *level) knows(order int) bool {
	for _, store := range ngram.Stores {
		if _, ok := l.known[l.ngramConfig(order, store)]; !ok {
			return false
		}
	}
	return true
}

// ngram measures the n-gram model of one order in the stores that no earlier run
// measured.
func (l *level) ngram(ctx context.Context, order int) error {
	event := l.event(Model{Kind: KindNgram, Order: order}.Name())
	var estimates *ngramEstimates
	for _, store := range ngram.Stores {
		config := l.ngramConfig(order, store)
		if row, ok := l.known[config]; ok {
			l.add(row)
			continue
		}
		if estimates == nil {
			l.working(event, "estimating")
			err := lm.Await(ctx, func() (err error) {
				estimates, err = estimateNgram(l.data.Corpus, l.options.Smoothing, order)
				return err
			})
			if err != nil {
				return err
			}
		}
		row := Row{Level: l.corpus.Level, Config: config}
		var model *ngram.Model
		l.working(event, "scoring in a "+storeNoun(store.String()))
		err := lm.Await(ctx, func() (err error) {
			row.Model, model, err = measureNgram(l.data.Corpus, estimates, store)
			if err == nil && l.options.Full {
				err = l.ngramStreams(ctx, &row, model)
			}
			return err
		})
		if err != nil {
			return err
		}
		row.Label = row.Model.Name()
		l.working(event, weighing)
		if err := l.keep(ctx, row, model); err != nil {
			return err
		}
	}
	if estimates != nil {
		l.tell(event, inStore(l.rows, ngram.Trie.String()))
	}
	return nil
}

// entriesOf returns the number of n-grams of each order, from the models of ascending
// orders.
func entriesOf(rows []Row) (entries []int) {
	total := 0
	for _, row := range rows {
		entries = append(entries, int(row.Entries)-total)
		total = int(row.Entries)
	}
	return entries
}

// ngramEstimates are the numbers of an n-gram model, for any store.
type ngramEstimates struct {
	*ngram.Estimates
	smoothing ngram.Smoothing
	order     int
	took      measure.Timing // of estimating them once
	fixed     bool           // some order has fixed discounts, because its counts gave none
}

// estimateNgram estimates the n-gram model of the given order. It can't be interrupted.
// The text is one stream, because an RNN doesn't see sentences either.
func estimateNgram(c *text.Corpus, smoothing ngram.Smoothing, order int) (*ngramEstimates, error) {
	e := &ngramEstimates{smoothing: smoothing, order: order}
	var discounts []ngram.Discounts
	var err error
	runtime.GC() // so that earlier garbage isn't swept while the clock runs
	e.took = measure.Repeat(1, 100*time.Millisecond, func() {
		e.Estimates, discounts, err = ngram.Estimate(c.Train, ngram.Config{Vocab: c.Vocab.Len(), Order: order, Smoothing: smoothing})
	})
	if err != nil {
		return nil, fmt.Errorf("%d-gram model: %w", order, err)
	}
	for _, d := range discounts {
		e.fixed = e.fixed || !d.Estimated
	}
	return e, nil
}

// measureNgram stores and scores the n-gram model and returns its row. It can't be
// interrupted.
func measureNgram(c *text.Corpus, e *ngramEstimates, store ngram.Store) (Model, *ngram.Model, error) {
	var model *ngram.Model
	var err error
	runtime.GC()
	stored := measure.Repeat(1, 50*time.Millisecond, func() {
		model, err = ngram.NewModel(e.Estimates, store)
	})
	if err != nil {
		return Model{}, nil, fmt.Errorf("%d-gram model: %w", e.order, err)
	}

	// The test split follows the validation split.
	start := model.NewScorer()
	start.ResetTo(c.Valid...)
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
		Order:          e.order,
		Smoothing:      e.smoothing.String(),
		Store:          store.String(),
		Entries:        int64(model.TotalEntries()),
		BytesPredicted: model.Shape().Bytes(),
		TrainSeconds:   (e.took.Median + stored.Median).Seconds(),
		TrainTokens:    int64(len(c.Train)),
		ScoreStreams:   1,
		BitsPerToken:   lm.Bits(nats, len(c.Test)),
		FixedDiscounts: e.fixed,
	}
	row.TrainTokensPerSecond = float64(row.TrainTokens) / row.TrainSeconds
	row.setScoring(score, len(c.Test))
	return row, model, nil
}

// ngramBytes estimates the memory for estimating the n-gram model of an order. It
// includes the largest store, held beside the estimates. ngrams are the known numbers
// of n-grams of the orders below. Their growth slows from order to order, so the last
// growth bounds the next.
func ngramBytes(tokens, vocab int, ngrams []int) int64 {
	next := vocab
	if n := len(ngrams); n > 0 {
		growth := float64(vocab)
		if n > 1 {
			growth = float64(ngrams[n-1]) / float64(max(ngrams[n-2], 1))
		}
		next = int(math.Min(float64(ngrams[n-1])*growth, float64(tokens)))
	}
	ngrams = append(ngrams[:len(ngrams):len(ngrams)], next)
	return ngram.EstimateBytes(tokens, vocab, ngrams) + ngram.NewShape(ngram.Map, vocab, ngrams).Bytes()
}

// timeScoring times work that scores the whole test split. It takes the median of five
// runs, each repeated to last 20 ms. Slow work is run less often.
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
	if t.Median <= 0 { // a tiny test split and a coarse clock
		return
	}
	m.ScoreTokensPerSecond = float64(tokens) / t.Median.Seconds()
	m.ScoreRuns = t.N
	m.ScoreSpread = float64(t.Max-t.Min) / float64(t.Median)
}
