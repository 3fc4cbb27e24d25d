package residency

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/rnnlm"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// randomNgram returns a trigram model of some 4 MB.
func randomNgram(t *testing.T) *ngram.Model {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	tokens := make([]int32, 200_000)
	for i := range tokens {
		tokens[i] = r.Int32N(500)
	}
	est, _, err := ngram.Estimate(tokens, ngram.Config{Vocab: 500, Order: 3})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ngram.NewModel(est, ngram.Hash)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// randomEstimates lists that many trigrams over 1000 words, with what they begin
// with.
func randomEstimates(trigrams int) *ngram.Estimates {
	const vocab = 1000
	r := rand.New(rand.NewPCG(3, 4))
	est := &ngram.Estimates{Vocab: vocab, Orders: make([]ngram.Order, 3)}
	for n, count := range []int{vocab, trigrams / 3, trigrams} {
		o := &est.Orders[n]
		step := 1 // of prefix and word, as one number
		if n > 0 {
			step = est.Orders[n-1].Len() * vocab / count
		}
		for i := range count {
			key := i*step + r.IntN(step)
			if n > 0 {
				o.Prefix = append(o.Prefix, uint32(key/vocab))
			}
			o.Word = append(o.Word, int32(key%vocab))
			o.Prob = append(o.Prob, -8*r.Float32())
			if n < 2 {
				o.Backoff = append(o.Backoff, -float32(r.IntN(1000))/300)
			}
		}
	}
	return est
}

func TestEveryStore(t *testing.T) {
	if runtime.GOOS != "linux" || raceDetector {
		t.Skip("resident memory is exact on Linux, without the race detector's shadow")
	}
	for _, c := range []struct {
		store    ngram.Store
		trigrams int
	}{
		{ngram.Map, 350_000}, // half of its slots are free
		{ngram.Map, 680_000}, // hardly any are, and some of its tables have split
		{ngram.Hash, 1_000_000},
		{ngram.Trie, 1_000_000},
		{ngram.Quantised, 1_000_000},
		{ngram.Trie, 300_000}, // of slices that share their memory
	} {
		m, err := ngram.NewModel(randomEstimates(c.trigrams), c.store)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Measure(t.Context(), Runs, lm.Ngram, m)
		if err != nil {
			t.Fatal(c.store, err)
		}
		want := m.Shape().Bytes()
		off := float64(got-want) / float64(want)
		t.Logf("%v of %d n-grams: predicted %d, resident %d: %+.1f %%", c.store, m.TotalEntries(), want, got, 100*off)
		if !(-0.05 <= off && off <= 0.05) {
			t.Errorf("%v of %d n-grams: resident bytes are %+.1f %% off", c.store, m.TotalEntries(), 100*off)
		}
	}
}

func TestResidentBytesMeetThePredictedOnes(t *testing.T) {
	if runtime.GOOS != "linux" || raceDetector {
		t.Skip("resident memory is exact on Linux, without the race detector's shadow")
	}
	engine, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	network, err := rnn.New(engine, rnn.Config{Input: 200, Layers: 1, Hidden: 1024, Output: 200}, 1)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := rnn.New(engine, rnn.Config{Input: 200, Layers: 1, Hidden: 2048, Output: 200}, 1)
	if err != nil {
		t.Fatal(err)
	}
	quantised, err := wide.Quantise(nil)
	if err != nil {
		t.Fatal(err)
	}
	table := randomNgram(t)
	for _, test := range []struct {
		kind  string
		model io.WriterTo
		want  int64
	}{
		{lm.Ngram, table, table.Bytes()},
		{lm.RNN, rnnlm.File{Model: network}, network.Bytes(engine)},
		{lm.RNN, rnnlm.File{Model: quantised}, quantised.Bytes(engine)},
	} {
		got, err := Measure(t.Context(), Runs, test.kind, test.model, kernels.EnvISA+"="+engine.ISA())
		if err != nil {
			t.Fatal(test.kind, err)
		}
		off := float64(got-test.want) / float64(test.want)
		t.Logf("%s: predicted %d, resident %d: %+.1f %%", test.kind, test.want, got, 100*off)
		if test.want < 1<<20 {
			t.Errorf("%s: a model of %d bytes tests nothing", test.kind, test.want)
		}
		if !(-0.05 <= off && off <= 0.05) {
			t.Errorf("%s: resident bytes are %+.1f %% off", test.kind, 100*off)
		}
	}
}

// damaged writes a model that no reader takes.
type damaged struct{ io.WriterTo }

func (d damaged) WriteTo(w io.Writer) (int64, error) {
	n, err := d.WriterTo.WriteTo(writerFunc(func(b []byte) (int, error) {
		b[len(b)/2]++
		defer func() { b[len(b)/2]-- }()
		return w.Write(b)
	}))
	return n, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestMeasureFailsInOneLine(t *testing.T) {
	model := randomNgram(t)
	_, err := Measure(t.Context(), 1, lm.Ngram, damaged{model})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "the process that was to hold the model") {
		t.Errorf("a damaged model: error %v", err)
	}
	if _, err := Measure(t.Context(), 1, "abacus", model); err == nil || !strings.Contains(err.Error(), "no such kind") {
		t.Errorf("an unknown kind: error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ctx, 1, lm.Ngram, model); err == nil {
		t.Error("no error from a context that has ended")
	}
	t.Setenv(childEnv, lm.Ngram)
	if _, err := Measure(t.Context(), 1, lm.Ngram, model); !errors.Is(err, errNotServed) {
		t.Errorf("in a child process: error %v", err)
	}
}
