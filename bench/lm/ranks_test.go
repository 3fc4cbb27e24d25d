package lm

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
	"batchrnn/rnn/parallel"
)

// A rank is how one of several ended.
type rankEnd struct {
	model   *Model
	trained Trained
	err     error
}

// trainRanks trains on n ranks. change, which may be nil, changes the options of each.
func trainRanks(t *testing.T, ctx context.Context, o TrainOptions, n int, change func(rank int, o *TrainOptions)) []rankEnd {
	t.Helper()
	ends := make([]rankEnd, n)
	var wg sync.WaitGroup
	for i, r := range parallel.Local(n) {
		wg.Go(func() {
			defer r.Close()
			o := o
			o.Reducer = r
			if change != nil {
				change(i, &o)
			}
			training, err := NewTraining(o, nil)
			if err != nil {
				ends[i].err = err
				return
			}
			defer training.Close()
			ends[i].model, ends[i].trained, ends[i].err = training.Run(ctx, func(Progress) {})
		})
	}
	wg.Wait()
	return ends
}

func shardedOptions(t *testing.T) TrainOptions {
	return TrainOptions{TextOptions: TextOptions{Corpus: fileInput(writeText(t)), Seed: 3}, Kind: RNN, Threads: 1,
		Hidden: new(8), Epochs: new(2.0), Shards: new(8), Batch: new(8), Checkpoint: new(filepath.Join(t.TempDir(), "checkpoint"))}
}

// TestRanksGiveTheSameFile: ranks give the model that one process gives, and the first
// scores it.
func TestRanksGiveTheSameFile(t *testing.T) {
	o := shardedOptions(t)
	var want []byte
	var bits float64
	for _, n := range []int{1, 2, 8} {
		for i, end := range trainRanks(t, t.Context(), o, n, nil) {
			if end.err != nil {
				t.Fatalf("rank %d of %d: %v", i, n, end.err)
			}
			file := encode(t, end.model)
			if want == nil {
				want, bits = file, end.trained.BitsPerToken
			}
			if !bytes.Equal(file, want) {
				t.Errorf("the file of rank %d of %d differs from that of one process", i, n)
			}
			if scored := end.trained.BitsPerToken != 0; scored != (i == 0) || scored && end.trained.BitsPerToken != bits {
				t.Errorf("rank %d of %d: %v bits per token, one process %v", i, n, end.trained.BitsPerToken, bits)
			}
		}
		if err := os.Remove(*o.Checkpoint); err == nil {
			t.Fatal("a checkpoint was written, though no time for one was up")
		}
	}
	if c := mustRead(t, want); c.Shards != 8 || c.Batch != 8 {
		t.Errorf("%+v", c)
	}
}

func mustRead(t *testing.T, file []byte) Config {
	t.Helper()
	m, err := Read(bytes.NewReader(file), int64(len(file)), newEngine(t))
	if err != nil {
		t.Fatal(err)
	}
	return m.Config
}

var theirRank = regexp.MustCompile(`rank \d: `)

// TestRanksFailTogether: all ranks have the error of the first that has one.
func TestRanksFailTogether(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.txt")
	if err := os.WriteFile(other, []byte(strings.Repeat("the lazy dog sleeps. ", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		ranks  int
		change func(rank int, o *TrainOptions)
		misuse bool
		want   string
	}{
		"no text on rank 1": {2, func(rank int, o *TrainOptions) {
			if rank == 1 {
				o.Corpus.Paths = []string{other + "-missing"}
			}
		}, false, "other.txt-missing"},
		"bad options on rank 2": {4, func(rank int, o *TrainOptions) {
			if rank == 2 {
				o.Layers = new(-1)
			}
		}, true, "Layers: -1 layers can't be trained"},
		"another text on rank 1": {2, func(rank int, o *TrainOptions) {
			if rank == 1 {
				o.Corpus = fileInput(other)
			}
		}, false, "rank 1 has SHA-256 of the text "},
		"another seed on rank 3": {4, func(rank int, o *TrainOptions) {
			if rank == 3 {
				o.Seed++
			}
		}, false, "rank 3 has seed 4, rank 0 has 3: start all ranks with the same program, text and options"},
		"another recipe on rank 1": {2, func(rank int, o *TrainOptions) {
			if rank == 1 {
				o.Steps = new(12)
			}
		}, false, "rank 1 has steps 12, rank 0 has 25"},
		"more ranks than shards": {4, func(_ int, o *TrainOptions) { o.Shards = new(2) }, true, "Shards: 4 ranks can't share 2 shards"},
		"three ranks":            {3, func(int, *TrainOptions) {}, true, "Shards: 3 ranks can't share 8 shards of the batch alike"},
		"n-grams": {2, func(_ int, o *TrainOptions) {
			*o = TrainOptions{TextOptions: o.TextOptions, Kind: Ngram, Threads: 1, Reducer: o.Reducer}
		}, true, "Kind: n-grams are counted in one process"},
		"standard input":   {2, func(_ int, o *TrainOptions) { o.Corpus.Paths = []string{text.Stdin} }, true, "Corpus: standard input goes to one rank"},
		"a bad checkpoint": {2, func(_ int, o *TrainOptions) { o.Checkpoint = &other }, false, "not a checkpoint"},
		"fewer rows":       {8, func(_ int, o *TrainOptions) { o.Batch = new(4) }, false, "8 ranks can't share a batch of 4 rows"},
	} {
		for i, end := range trainRanks(t, t.Context(), shardedOptions(t), test.ranks, test.change) {
			// What the others say names the rank.
			if end.err == nil || !strings.Contains(theirRank.ReplaceAllString(end.err.Error(), ""), test.want) || option.IsMisuse(end.err) != test.misuse || IsLost(end.err) {
				t.Errorf("%s: rank %d: error %v (misuse: %v), want one with %q", name, i, end.err, option.IsMisuse(end.err), test.want)
			}
		}
	}
}

// TestAgreeInPlaceOfTraining: a rank that fails before ends the others too.
func TestAgreeInPlaceOfTraining(t *testing.T) {
	o := shardedOptions(t)
	var wg sync.WaitGroup
	for i, r := range parallel.Local(2) {
		wg.Go(func() {
			defer r.Close()
			err := option.Misuse("Out", "no name")
			if i == 0 {
				o := o
				o.Reducer = r
				_, err = NewTraining(o, nil)
			} else {
				err = Agree(r, err)
			}
			if !option.IsMisuse(err) || !strings.HasSuffix(err.Error(), "no name") || strings.Contains(err.Error(), "rank 1") != (i == 0) {
				t.Errorf("rank %d: error %v", i, err)
			}
		})
	}
	wg.Wait()
}

// TestInterruptedRanksDoNotScore: mpirun leaves them no time for it.
func TestInterruptedRanksDoNotScore(t *testing.T) {
	o := shardedOptions(t)
	o.Epochs = new(1e5)
	for _, by := range []int{0, 1} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ends := make([]rankEnd, 2)
		var wg sync.WaitGroup
		for i, r := range parallel.Local(2) {
			wg.Go(func() {
				defer r.Close()
				o := o
				o.Reducer = r
				training, err := NewTraining(o, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer training.Close()
				own := t.Context()
				if i == by {
					own = ctx
				}
				ends[i].model, ends[i].trained, ends[i].err = training.Run(own, func(p Progress) {
					if p.Training.Tokens > 0 {
						cancel()
					}
				})
			})
		}
		wg.Wait()
		for i, end := range ends {
			if end.err != nil || !end.trained.Interrupted || end.trained.BitsPerToken != 0 || end.trained.Unscored != (i == 0) {
				t.Errorf("interrupted by rank %d: rank %d: %+v, error %v", by, i, end.trained, end.err)
			}
		}
		if _, err := os.Stat(*o.Checkpoint); err != nil {
			t.Error(err)
		}
	}
}
