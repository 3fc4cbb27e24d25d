package lm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
	"batchrnn/rnn"
)

// writeText writes a text of some 7,000 characters and returns its path.
func writeText(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	source := strings.Repeat("The quick brown fox jumps over the lazy dog, and the dog sleeps on. ", 100)
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// RNNs of words have dropout and a rate that is halved, unless somebody says
// otherwise.
func TestWordsAreTrainedOtherwise(t *testing.T) {
	no, none := false, 0.0
	for _, test := range []struct {
		change  func(*TrainOptions)
		dropout float64
		halve   bool
	}{
		{func(o *TrainOptions) {}, 0, false},
		{func(o *TrainOptions) { o.Level = text.Word }, wordDropout, true},
		{func(o *TrainOptions) { o.Level, o.Halve = text.Word, &no }, wordDropout, false},
		{func(o *TrainOptions) { o.Level, o.Dropout = text.Word, &none }, 0, true},
	} {
		o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(writeText(t))}, Kind: RNN, Threads: 1}
		test.change(&o)
		training, err := NewTraining(o, nil)
		if err != nil {
			t.Fatal(err)
		}
		training.Close()
		if n := training.network; n.Dropout != test.dropout || n.Halve != test.halve {
			t.Errorf("%v: dropout %v, halving %v", o.Level, n.Dropout, n.Halve)
		}
	}
}

// A text whose words are all different has no vocabulary of words seen twice.
func TestTextOfRareWords(t *testing.T) {
	var words strings.Builder
	for i := range 100 {
		words.WriteString(strings.Repeat("x", i+1) + " ")
	}
	source := text.New("rare words", []byte(words.String()))
	o := TextOptions{Level: text.Word}
	if _, err := NewData(source, o, Parts{}); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "MinCount: ") {
		t.Errorf("error %v", err)
	}
	one := 1
	o.MinCount = &one
	if _, err := NewData(source, o, Parts{}); err != nil {
		t.Fatal(err)
	}
}

// TestGrace: what is done after Ctrl-C has some time, and then ends too.
func TestGrace(t *testing.T) {
	defer func(was time.Duration) { GraceTime = was }(GraceTime)
	for name, before := range map[string]bool{"ended before": true, "ends later": false} {
		GraceTime = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		if before {
			cancel()
		}
		after, release := Grace(ctx)
		cancel()
		if err := after.Err(); err != nil {
			t.Errorf("%s: no time is left: %v", name, err)
		}
		release()
		if after.Err() == nil {
			t.Errorf("%s: released, and goes on", name)
		}

		GraceTime = time.Millisecond
		ctx, cancel = context.WithCancel(t.Context())
		if before {
			cancel()
		}
		after, release = Grace(ctx)
		cancel()
		<-after.Done() // or the test's own time ends
		release()
	}
}

// TestFraction: a training tells what it trains, and how much of it is done, from nothing
// to all. Then it tells how much of the test split is scored.
func TestFraction(t *testing.T) {
	epochs, hidden, layers, embedding := 3.0, 8, 2, 5
	training, err := NewTraining(TrainOptions{TextOptions: TextOptions{Corpus: fileInput(writeText(t))}, Kind: RNN, Epochs: &epochs,
		Hidden: &hidden, Layers: &layers, Embedding: &embedding, Threads: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer training.Close()
	var done []float64
	scored := false
	if _, _, err := training.Run(t.Context(), func(p Progress) {
		if p.Work == workTest {
			scored = true
		} else if done = append(done, p.Fraction); p.Work != workTraining || scored {
			t.Errorf("%s after the scoring", p.Work)
		}
		if p.Model != "RNN 2×8 (embedding 5)" {
			t.Errorf("it trains %s", p.Model)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if !scored {
		t.Error("scoring is silent")
	}
	if !slices.IsSorted(done) || done[0] != 0 || done[len(done)-1] != 1 {
		t.Errorf("fractions %v, want them to rise from 0 to 1", done)
	}
}

// TestSoftmax: many words have an adaptive softmax, but for a tied output and where a
// full one is asked for. Gated cells read them through an embedding.
func TestSoftmax(t *testing.T) {
	var words strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&words, "%d ", i)
	}
	c, err := text.Build(text.New("numbers", []byte(words.String())), text.Options{Level: text.Word})
	if err != nil {
		t.Fatal(err)
	}
	gru, none, wide := rnn.GRU, 0, 100
	for _, test := range []struct {
		o         TrainOptions
		adaptive  bool
		embedding int
	}{
		{TrainOptions{}, true, 0},
		{TrainOptions{Tied: true}, false, 0},
		{TrainOptions{FullSoftmax: true}, false, 0},
		{TrainOptions{Tied: true, FullSoftmax: true}, false, 0},
		{TrainOptions{Embedding: &wide}, true, 100},
		{TrainOptions{Cell: &gru}, true, DefaultHidden / 2},
		{TrainOptions{Cell: &gru, FullSoftmax: true}, false, DefaultHidden / 2},
		{TrainOptions{Cell: &gru, Embedding: &wide}, true, 100},
		{TrainOptions{Cell: &gru, Embedding: &none}, true, 0},
	} {
		got := test.o.network(c, nil)
		if (len(got.Cutoffs) > 0) != test.adaptive || got.Embedding != test.embedding {
			t.Errorf("%+v: cutoffs %v, an embedding of %d", test.o, got.Cutoffs, got.Embedding)
		}
	}
}

// fileInput returns the text in a file.
func fileInput(path string) text.Input { return text.Input{Paths: []string{path}} }
