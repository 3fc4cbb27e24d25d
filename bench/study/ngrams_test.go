package study

import (
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
)

// What is asked for beforehand covers what comes, and is of the same size.
func TestNgramBytes(t *testing.T) {
	c, err := text.Build(text.Default(1), text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []int
	for order := 1; order <= 4; order++ {
		need := ngramBytes(len(c.Train), c.Vocab.Len(), entries)
		e, err := estimateNgram(c, ngram.KneserNey, order)
		if err != nil {
			t.Fatal(err)
		}
		entries = entries[:0]
		for i := range e.Orders {
			entries = append(entries, e.Orders[i].Len())
		}
		got := ngram.EstimateBytes(len(c.Train), c.Vocab.Len(), entries) + ngram.NewShape(ngram.Map, c.Vocab.Len(), entries).Bytes()
		if need < got || need > 3*got {
			t.Errorf("order %d: %d bytes are taken, %d were foretold", order, got, need)
		}
	}
}

// TestTrainingTimeIsThatOfOneRun: a small text is estimated and stored many times over, and
// the sum of these runs is not the time of training. At least half of the runs take the
// median or longer, whatever the speed.
func TestTrainingTimeIsThatOfOneRun(t *testing.T) {
	c, err := text.Build(text.New("a fable", []byte(strings.Repeat("The quick brown fox. ", 20))), text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	e, err := estimateNgram(c, ngram.KneserNey, 2)
	if err != nil {
		t.Fatal(err)
	}
	spent := time.Since(start)
	if half := time.Duration((e.took.N + 1) / 2); e.took.Median*half > spent {
		t.Errorf("one of %d estimates takes %v, and all of them took %v", e.took.N, e.took.Median, spent)
	}
	start = time.Now()
	row, _, err := measureNgram(c, e, ngram.Trie)
	if err != nil {
		t.Fatal(err)
	}
	if most := e.took.Median + time.Since(start); !(row.TrainSeconds <= most.Seconds()) {
		t.Errorf("training took %v s, want at most %v", row.TrainSeconds, most)
	}
}
