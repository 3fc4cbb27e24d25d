package study

import (
	"context"
	"math"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/measure"
	"batchrnn/rnn"
)

// batchStreams is the number of parallel streams for throughput, if the text is long
// enough.
const batchStreams = 32

// latencyTokens is the largest number of tokens that are read one by one. A pass over a
// whole test split would take seconds and give the same time.
const latencyTokens = 20_000

// ngramStreams sets the figures of a Full study for an n-gram model. They are its bits
// on the validation split, and its time a token on one stream and on several. Both
// times are on one thread.
func (l *level) ngramStreams(ctx context.Context, row *Row, model *ngram.Model) error {
	c := l.data
	if err := l.validBits(ctx, row, lm.NewNgram(model, c.Corpus, lm.Config{})); err != nil {
		return err
	}
	if row.ScoreTokensPerSecond > 0 {
		row.LatencySeconds = 1 / row.ScoreTokensPerSecond
	}
	streams := min(batchStreams, len(c.Test))
	length := len(c.Test) / streams
	scorers := make([]*ngram.Scorer, streams)
	for i := range scorers {
		scorers[i] = model.NewScorer()
	}
	var nats float64
	t := timeScoring(func() {
		for at := range length {
			for i, s := range scorers {
				nats += s.Score(c.Test[i*length+at])
			}
		}
	})
	row.BatchSeconds = t.Median.Seconds() / float64(streams*length)
	row.BatchStreams, row.BatchThreads = streams, 1
	return nil
}

// rnnStreams does the same for an RNN, whose batches run on all threads of the engine.
func (l *level) rnnStreams(ctx context.Context, row *Row, model *rnn.Model) error {
	c := l.data
	if err := l.validBits(ctx, row, lm.NewRNN(model, c.Corpus, lm.Config{})); err != nil {
		return err
	}
	if row.ScoreTokensPerSecond > 0 {
		row.BatchSeconds = 1 / row.ScoreTokensPerSecond
	}
	row.BatchStreams, row.BatchThreads = row.ScoreStreams, l.engine.Threads()

	text := c.Test[:min(len(c.Test), latencyTokens)]
	if len(text) < 2 {
		return nil
	}
	ws := model.NewWorkspace(1, 1)
	pass := func(text []int32) {
		ws.Reset()
		for i := range text[1:] {
			ws.Forward(text[i : i+1])
			ws.Loss(text[i+1 : i+2])
			ws.Carry()
		}
	}
	// This is the number of tokens that take a tenth of a second.
	start := time.Now()
	few := text[:min(len(text), 101)]
	pass(few)
	each := max(time.Since(start).Seconds()/float64(len(few)-1), 1e-9)
	text = text[:min(len(text), max(int(0.1/each), 2))]
	t := measure.Repeat(5, 0, func() { pass(text) })
	row.LatencySeconds = t.Median.Seconds() / float64(len(text)-1)
	return ctx.Err()
}

// validBits sets the bits on the validation split.
func (l *level) validBits(ctx context.Context, row *Row, m *lm.Model) error {
	losses, err := m.Losses(ctx, l.data.Train, l.data.Valid)
	row.ValidBits = lm.Bits(sum(losses), len(l.data.Valid))
	return err
}

func sum(losses []float32) (total float64) {
	for _, l := range losses {
		total += float64(l)
	}
	return total
}

// mixtureWeight returns the weight w for which w·exp(-a) + (1-w)·exp(-b) predicts best.
// The likelihood is concave in w, so its maximum is where the slope is 0, or at an end.
// Expectation maximisation would converge slowly.
func mixtureWeight(a, b []float32) float64 {
	slope := func(w float64) (s float64) {
		for i := range a {
			ratio := math.Exp(float64(b[i]) - float64(a[i])) // of the probabilities
			if math.IsInf(ratio, 1) {
				s += 1 / w
				continue
			}
			s += (ratio - 1) / (w*ratio + 1 - w)
		}
		return s
	}
	lo, hi := 0.0, 1.0
	for hi-lo > 1e-9 {
		if mid := (lo + hi) / 2; slope(mid) > 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}

// mixtureNats returns the cost of all tokens under the mixture.
func mixtureNats(w float64, a, b []float32) (nats float64) {
	for i := range a {
		nats -= math.Log(w*math.Exp(-float64(a[i])) + (1-w)*math.Exp(-float64(b[i])))
	}
	return nats
}
