package rnnlm

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

// TestBadOptions: what can't be trained is an error that names the value.
func TestBadOptions(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for name, test := range map[string]struct {
		Options
		want string
	}{
		"all dropped":       {Options{Hidden: 4, Dropout: 1}, "dropout of 1"},
		"dropout below 0":   {Options{Hidden: 4, Dropout: -0.5}, "dropout of -0.5"},
		"dropout NaN":       {Options{Hidden: 4, Dropout: math.NaN()}, "dropout of NaN"},
		"patience below 0":  {Options{Hidden: 4, Patience: -1}, "patience for -1"},
		"cutoff too large":  {Options{Hidden: 4, Cutoffs: []int{1000}}, "cutoff 0 is 1000"},
		"tied and adaptive": {Options{Hidden: 4, Cutoffs: []int{3}, Tied: true}, "tied and adaptive"},
		"no width":          {Options{}, "hidden size is 0"},
		"embedding below 0": {Options{Hidden: 4, Embedding: -1}, "embedding of width -1"},
		"batch below 0":     {Options{Hidden: 4, Streams: -1}, "-1 streams"},
		"steps below 0":     {Options{Hidden: 4, Steps: -2}, "-2 steps"},
		"rate below 0":      {Options{Hidden: 4, Rate: -0.1}, "learning rate of -0.1"},
		"rate NaN":          {Options{Hidden: 4, Rate: math.NaN()}, "learning rate of NaN"},
		"SGD without rate":  {Options{Hidden: 4, Optimizer: SGD}, "sgd has no default"},
		"clip below 0":      {Options{Hidden: 4, Clip: -2}, "norm of -2"},
		"clip NaN":          {Options{Hidden: 4, Clip: math.NaN()}, "norm of NaN"},
		"optimizer":         {Options{Hidden: 4, Optimizer: "lion"}, "lion"},
		"tied gates":        {Options{Hidden: 4, Cell: rnn.GRU, Tied: true}, "Config.Embedding"},
	} {
		test.Budget = time.Minute
		m, _, err := Train(t.Context(), e, c, test.Options, func(Progress) {})
		if m != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: model %v, error %v; want one with %q", name, m != nil, err, test.want)
		}
	}
}

// TestDefaults take the place of zeros and of nothing else.
func TestDefaults(t *testing.T) {
	got := Options{Hidden: 4}.withDefaults()
	want := Options{Hidden: 4, Layers: 1, Streams: defaultStreams, Steps: vanillaRecipe.steps, Rate: 0.01, Clip: vanillaRecipe.clip, Optimizer: Adam, Every: defaultEvery, Shards: 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	set := Options{Hidden: 4, Layers: 2, Streams: 3, Steps: 5, Rate: 0.5, Clip: 0.75, Optimizer: SGD, Every: time.Second, Shards: 4}
	if got := set.withDefaults(); !reflect.DeepEqual(got, set) {
		t.Errorf("%+v, were %+v", got, set)
	}
}

// TestInputsStartWide: the input weights come from ±inputScale at any width, but where
// they are the output's too.
func TestInputsStartWide(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for _, hidden := range []int{16, 64} {
		for _, tied := range []bool{false, true} {
			tr, err := newTrainer(e, c, Options{Hidden: hidden, Tied: tied, Budget: time.Minute}.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			want := inputScale(c.Vocab.Len())
			if tied {
				want = 1 / math.Sqrt(float64(hidden))
			}
			wx := tr.model.Cells[0].Wx
			if got := float64(max(slices.Max(wx), -slices.Min(wx))); !(got <= 1.0001*want && got >= 0.9*want) {
				t.Errorf("width %d, tied %t: input weights up to %v, want %v", hidden, tied, got, want)
			}
		}
	}
}

// TestEmbeddingsStart: embeddings come from ±embeddingScale, tied ones from ±1/3, and the
// input weights from ±1/√H at any width.
func TestEmbeddingsStart(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for _, width := range []int{16, 64} {
		for _, tied := range []bool{false, true} {
			o := Options{Cell: rnn.GRU, Hidden: width, Embedding: width, Tied: tied, Budget: time.Minute}
			tr, err := newTrainer(e, c, o.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			bound := embeddingScale
			if tied {
				bound = 1.0 / 3
			}
			for name, of := range map[string]struct {
				values []float32
				want   float64
			}{
				"embeddings":    {tr.model.We, bound},
				"input weights": {tr.model.Cells[0].Wx, 1 / math.Sqrt(float64(width))},
			} {
				if got := float64(max(slices.Max(of.values), -slices.Min(of.values))); !(got <= 1.0001*of.want && got >= 0.9*of.want) {
					t.Errorf("width %d, tied %t: %s up to %v, want %v", width, tied, name, got, of.want)
				}
			}
		}
	}
}

func TestTokensPerSecond(t *testing.T) {
	for _, test := range []struct {
		Progress
		want float64
	}{{Progress{}, 0}, {Progress{Steps: 2 * time.Second, Tokens: 100}, 50}} {
		if got := test.TokensPerSecond(); got != test.want {
			t.Errorf("%+v: %v tokens a second, want %v", test.Progress, got, test.want)
		}
	}
}

// TestAdaptiveCutoffs: every vocabulary gets cutoffs that make a model.
func TestAdaptiveCutoffs(t *testing.T) {
	for _, vocab := range []int{2, 1999, 2000, 19_999, 20_000, 1_000_000} {
		for _, width := range []int{1, 8, 64, 1000} {
			c := wordCorpus(t, vocab)
			o := Options{Hidden: width, Cutoffs: AdaptiveCutoffs(c, width)}
			if err := o.config(vocab).Validate(); err != nil {
				t.Errorf("vocabulary of %d: %v", vocab, err)
			}
			if (len(o.Cutoffs) > 0) != (vocab >= 2000) {
				t.Errorf("vocabulary of %d has cutoffs %v", vocab, o.Cutoffs)
			}
		}
	}
}

// TestCutoffsCostLeast holds the cutoffs to the cost of every choice on a coarse grid.
func TestCutoffsCostLeast(t *testing.T) {
	const vocab, width = 4000, 128 // one cluster or two
	c := wordCorpus(t, vocab)
	share := make([]float64, vocab+1)
	for _, id := range c.Train {
		for i := range id + 1 {
			share[i] += 1 / float64(len(c.Train))
		}
	}
	cost := func(cuts []int) float64 {
		sum := float64(cuts[0]+len(cuts)) * (width + perOutput)
		for i, lo := range cuts {
			hi := append(cuts, vocab)[i+1]
			f := features(width, i)
			sum += (share[lo] - share[hi]) * (float64(hi-lo)*(f+perOutput) + f*width)
		}
		return sum
	}
	least := cost(AdaptiveCutoffs(c, width))
	for a := 16; a < vocab; a += 97 {
		for b := a; b < vocab; b += 97 {
			cuts := []int{a, b}
			if b == a {
				cuts = cuts[:1]
			}
			if got := cost(cuts); !(got >= 0.99*least) {
				t.Errorf("cutoffs %v cost %.0f, those chosen, %v, %.0f", cuts, got, AdaptiveCutoffs(c, width), least)
			}
		}
	}
}

// wordCorpus returns a corpus whose training text has the given number of words, the
// n-th about 1/n as often as the first (Zipf).
func wordCorpus(t *testing.T, vocab int) *text.Corpus {
	t.Helper()
	words := []string{text.UnkToken}
	for i := range vocab - 1 {
		words = append(words, fmt.Sprint("w", i))
	}
	v, err := text.NewVocabulary(words)
	if err != nil {
		t.Fatal(err)
	}
	c := &text.Corpus{Level: text.Word, Vocab: v}
	for i := range vocab {
		for range max(1, vocab/(4*(i+1))) {
			c.Train = append(c.Train, int32(i))
		}
	}
	return c
}

// TestTrainWithOptions learns as TestTrainLearns does.
func TestTrainWithOptions(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for name, o := range map[string]Options{
		"adaptive": {Cutoffs: []int{3, 7}},
		"tied":     {Tied: true},
		"dropout":  {Dropout: 0.1},
		"halves":   {Halve: true},
		"embedded": {Embedding: 8},
		"both":     {Cell: rnn.GRU, Embedding: 32, Tied: true},
	} {
		o.Hidden, o.Budget, o.Seed = 32, time.Minute, 1
		tr, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		tr.started = time.Now()
		for range 400 {
			if err := tr.step(t.Context()); err != nil {
				t.Fatal(name, err)
			}
		}
		s, err := NewScorer(tr.model, c.Valid, c.Test)
		if err != nil {
			t.Fatal(err)
		}
		nats, err := s.Score(t.Context())
		if perToken := nats / float64(len(c.Test)); err != nil || !(perToken < 0.5) {
			t.Errorf("%s: %.3f nats per token (error %v), want less than 0.5", name, perToken, err)
		}
	}
}

func TestStepsWithOptionsAllocateNothing(t *testing.T) {
	for _, o := range []Options{{Cutoffs: []int{10, 30}, Dropout: 0.2}, {Tied: true, Halve: true}, {Cell: rnn.GRU, Embedding: 32, Tied: true, Dropout: 0.2}} {
		o.Hidden, o.Budget = 32, time.Hour
		tr, err := newTrainer(newEngine(t), printableCorpus(t), o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		tr.started = time.Now()
		if n := testing.AllocsPerRun(50, func() {
			if err := tr.step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%+v: %v allocations in a training step", o, n)
		}
	}
}

// TestHalvesAndPatience: validations that find nothing better halve the rate and
// try the patience; one that does renews it.
func TestHalvesAndPatience(t *testing.T) {
	c := tinyCorpus(t)
	tr, err := newTrainer(newEngine(t), c, Options{Hidden: 4, Budget: time.Hour, Rate: 0.5, Halve: true, Patience: 2}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tr.started = time.Now()
	tr.passes = 1e9 // long after the rate's rise
	good := slices.Clone(tr.model.Slab)
	set := func(slab []float32) {
		copy(tr.model.Slab, slab)
		tr.model.Update()
	}
	bad := slices.Clone(good)
	for i := range bad {
		bad[i] *= 10
	}
	for i, test := range []struct {
		slab []float32
		rate float32
		out  bool
	}{{good, 0.5, false}, {bad, 0.25, false}, {make([]float32, len(good)), 0.25, false}, {bad, 0.125, false}, {bad, 0.0625, true}} {
		set(test.slab)
		if i == 2 {
			tr.progress.Valid = 100 // whatever comes is better
		}
		tr.validate(t.Context())
		if rate := tr.rate(); rate != test.rate || tr.outOfPatience() != test.out {
			t.Errorf("after validation %d the rate is %v, out of patience %t; want %v, %t", i+1, rate, tr.outOfPatience(), test.rate, test.out)
		}
	}
}

// TestTrainLosesPatience: a rate at which nothing is learned ends the training
// long before its budget, with the best parameters.
func TestTrainLosesPatience(t *testing.T) {
	c := tinyCorpus(t)
	o := Options{Hidden: 8, Budget: 20 * time.Second, Patience: 1, Rate: 1e-30}
	m, stats, err := Train(t.Context(), newEngine(t), c, o, func(Progress) {})
	if err != nil || m == nil || !stats.Stopped || stats.Interrupted || !(stats.Valid > 0) || stats.Elapsed >= o.Budget {
		t.Errorf("model %v, stats %+v, error %v", m != nil, stats, err)
	}
}

// TestDefaultRate: the rate falls with the width, and with the layers of gated cells.
func TestDefaultRate(t *testing.T) {
	for _, test := range []struct {
		Options
		want float64
	}{
		{Options{Hidden: 50, Layers: 1}, 0.01},
		{Options{Hidden: 200, Layers: 4}, 0.005},
		{Options{Hidden: 150, Layers: 1, Cell: rnn.GRU}, 0.01},
		{Options{Hidden: 150, Layers: 4, Cell: rnn.LSTM}, 0.005},
	} {
		if got := test.withDefaults().Rate; !(math.Abs(got-test.want) <= 1e-12) {
			t.Errorf("%+v: rate %v, want %v", test.Options, got, test.want)
		}
	}
}
