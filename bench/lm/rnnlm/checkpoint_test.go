package rnnlm

import (
	"context"
	"io"
	"math"
	"path/filepath"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/durable"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// byTokens returns options of trainings by tokens that take part of a second, with
// many steps, some validations and some epochs.
func byTokens() map[string]Options {
	variants := map[string]Options{
		"plain":    {},
		"adaptive": {Cutoffs: []int{3, 7}, Dropout: 0.2, Halve: true, Rate: 0.05, Patience: 4},
		"tied":     {Tied: true, Dropout: 0.5},
		"embedded": {Cell: rnn.GRU, Embedding: 16, Tied: true, Dropout: 0.2},
	}
	for name, o := range variants {
		o.Hidden, o.Tokens, o.Seed, o.Streams, o.Steps = 16, 30_000, 5, 4, 15
		variants[name] = o
	}
	return variants
}

func train(t testing.TB, e *kernels.Engine, c *text.Corpus, o Options) (slab []float32, stats Stats) {
	t.Helper()
	m, stats, err := Train(t.Context(), e, c, o, func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	return m.Slab, stats
}

// comparable leaves out what the clock says.
func (p Progress) comparable() Progress {
	p.Elapsed, p.Steps, p.Resumed = 0, 0, 0
	return p
}

func TestTrainByTokens(t *testing.T) {
	one, c := oneThread(t), tinyCorpus(t)
	for name, o := range byTokens() {
		slab, stats := train(t, newEngine(t), c, o)
		again, statsAgain := train(t, one, c, o)
		if i := firstDifference(slab, again); i >= 0 {
			t.Errorf("%s: two trainings differ in parameter %d", name, i)
		}
		if stats.comparable() != statsAgain.comparable() || !(stats.Valid > 0) || stats.Interrupted {
			t.Errorf("%s: %+v, then %+v", name, stats, statsAgain)
		}
		step := int64(o.Streams * o.Steps)
		if !stats.Stopped && (stats.Tokens < o.Tokens || stats.Tokens >= o.Tokens+step) {
			t.Errorf("%s: a budget of %d tokens spent %d", name, o.Tokens, stats.Tokens)
		}
	}
}

func firstDifference(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// broken starts a training with a checkpoint after every step, and breaks it off
// after some.
func broken(t testing.TB, e *kernels.Engine, c *text.Corpus, o Options, steps int) *trainer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Every = 1
	tr, err := newTrainer(e, c, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tr.writeFile = func(path string, write func(io.Writer) error) error {
		if steps--; steps <= 0 {
			cancel()
		}
		return durable.WriteFile(path, write)
	}
	if err := tr.resume(); err != nil {
		t.Fatal(err)
	}
	if err := tr.run(ctx, func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestResumedTrainingHasTheSameBits breaks trainings off at places that don't
// follow the validations or epochs.
func TestResumedTrainingHasTheSameBits(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for name, o := range byTokens() {
		slab, stats := train(t, e, c, o)
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		for _, steps := range []int{1, 2, 86, 97, 1, 60} {
			broken(t, e, c, o, steps)
		}
		got, gotStats := train(t, e, c, o)
		if i := firstDifference(got, slab); i >= 0 {
			t.Errorf("%s: parameter %d is %v instead of %v", name, i, got[i], slab[i])
		}
		if gotStats.comparable() != stats.comparable() || gotStats.Resumed == 0 || gotStats.Elapsed <= 0 {
			t.Errorf("%s: stats %+v instead of %+v", name, gotStats, stats)
		}
	}
}

func TestResumedTrainingHasTheTimeThatIsLeft(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	o := Options{Hidden: 8, Budget: time.Hour, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	first := broken(t, e, c, o, 30)
	tr, err := newTrainer(e, c, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.resume(); err != nil {
		t.Fatal(err)
	}
	if p := tr.progress; p.Elapsed <= 0 || p.Elapsed > first.progress.Elapsed || p.Tokens != first.progress.Tokens {
		t.Fatalf("resumed at %+v, broken off at %+v", p, first.progress)
	}
	spent := tr.progress.Elapsed
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.run(ended, func(Progress) {}); err != nil || tr.progress.Elapsed < spent || tr.spent() < int64(spent) {
		t.Errorf("%v is spent after %v: error %v", tr.progress.Elapsed, spent, err)
	}
}

func oneThread(t testing.TB) *kernels.Engine {
	t.Helper()
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}
