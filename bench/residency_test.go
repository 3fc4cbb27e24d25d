package bench

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"batchrnn/bench/ngram"
	"batchrnn/bench/rnnlm"
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
	m, err := ngram.Train(tokens, 500, 3)
	if err != nil {
		t.Fatal(err)
	}
	return m
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
	network, err := rnn.New(engine, rnn.Config{Input: 200, Hidden: 512, Output: 200}, 1)
	if err != nil {
		t.Fatal(err)
	}
	table := randomNgram(t)
	for _, test := range []struct {
		kind  string
		model io.WriterTo
		want  int64
	}{
		{KindNgram, table, table.Bytes()},
		{KindRNN, rnnlm.File{Model: network}, network.Bytes(engine)},
	} {
		got, err := residentBytes(t.Context(), residentRuns, test.kind, test.model, kernels.EnvISA+"="+engine.ISA())
		if err != nil {
			t.Fatal(test.kind, err)
		}
		off := float64(got-test.want) / float64(test.want)
		t.Logf("%s: predicted %d, resident %d: %+.1f %%", test.kind, test.want, got, 100*off)
		if test.want < wellMeasured {
			t.Errorf("%s: a model of %d bytes tests nothing", test.kind, test.want)
		}
		if off < -0.05 || off > 0.05 {
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

func TestResidentBytesFailsInOneLine(t *testing.T) {
	model := randomNgram(t)
	_, err := residentBytes(t.Context(), 1, KindNgram, damaged{model})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "the process that was to hold the model") {
		t.Errorf("a damaged model: error %v", err)
	}
	if _, err := residentBytes(t.Context(), 1, "abacus", model); err == nil || !strings.Contains(err.Error(), "no such kind") {
		t.Errorf("an unknown kind: error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := residentBytes(ctx, 1, KindNgram, model); err == nil {
		t.Error("no error from a context that has ended")
	}
	t.Setenv(childEnv, KindNgram)
	if _, err := residentBytes(t.Context(), 1, KindNgram, model); !errors.Is(err, errNotServed) {
		t.Errorf("in a child process: error %v", err)
	}
}
