package rnnlm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/parallel"
)

// shardedTexts returns options of trainings that ranks share, each with its text.
func shardedTexts(t testing.TB) map[string]shardedTraining {
	chars := tinyCorpus(t)
	words, sentences := linesCorpus(t, text.Word), linesCorpus(t, text.Sentence)
	all := map[string]shardedTraining{
		"vanilla":           {chars, Options{Cell: rnn.Vanilla}},
		"gru":               {chars, Options{Cell: rnn.GRU, Layers: 2}},
		"lstm":              {chars, Options{Cell: rnn.LSTM, Dropout: 0.3}},
		"tied":              {chars, Options{Tied: true, Dropout: 0.2}},
		"words":             {words, Options{Cell: rnn.GRU, Embedding: 6, Cutoffs: []int{8, 20}, Dropout: 0.2, Halve: true, Rate: 0.03}},
		"words of an lstm":  {words, Options{Cell: rnn.LSTM, Embedding: 6, Cutoffs: []int{8, 20}, Patience: 3, Rate: 0.03}},
		"vanilla words":     {words, Options{Cutoffs: []int{8, 20}, Optimizer: SGD, Rate: 0.5}},
		"sentences":         {sentences, Options{Cell: rnn.LSTM, Dropout: 0.2, Embedding: 6, Cutoffs: []int{8, 20}}},
		"sentences, halved": {sentences, Options{Cell: rnn.GRU, Halve: true, Rate: 0.03}},
	}
	for name, s := range all {
		o := &s.options
		o.Hidden, o.Tokens, o.Seed, o.Streams, o.Steps, o.Shards = 8, 6000, 5, 13, 7, 8
		all[name] = s
	}
	return all
}

type shardedTraining struct {
	corpus  *text.Corpus
	options Options
}

// linesCorpus is a text of a few dozen words, in lines of unequal length.
func linesCorpus(t testing.TB, level text.Level) *text.Corpus {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	for range 600 {
		for range 1 + rng.IntN(12) {
			fmt.Fprintf(&b, "w%d ", rng.IntN(1+rng.IntN(40)))
		}
		b.WriteString("\n")
	}
	c, err := text.Build(text.New("words", []byte(b.String())), text.Options{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A rank is how one of several ended.
type rankEnd struct {
	model *rnn.Model
	stats Stats
	err   error
}

// trainRanks trains on n ranks. change, which may be nil, changes the trainer of each.
func trainRanks(t testing.TB, c *text.Corpus, o Options, n int, change func(rank int, tr *trainer) context.Context) []rankEnd {
	t.Helper()
	ends := make([]rankEnd, n)
	var wg sync.WaitGroup
	for rank, r := range parallel.Local(n) {
		wg.Go(func() {
			defer r.Close()
			e, err := kernels.New("", 1)
			if err != nil {
				ends[rank].err = err
				return
			}
			t.Cleanup(e.Close)
			o := o
			o.Reducer = r
			ends[rank] = trainRank(t.Context(), e, c, o, rank, change)
		})
	}
	wg.Wait()
	return ends
}

// trainRank is Train, with a change of the trainer before it runs.
func trainRank(ctx context.Context, e *kernels.Engine, c *text.Corpus, o Options, rank int, change func(rank int, tr *trainer) context.Context) (end rankEnd) {
	o = o.withDefaults()
	tr, err := newTrainer(e, c, o)
	if err != nil {
		return rankEnd{err: err}
	}
	began := time.Now()
	tr.clock = func() time.Time { return began } // checkpoints hold times
	if change != nil {
		if with := change(rank, tr); with != nil {
			ctx = with
		}
	}
	if !tr.ranks.alone() {
		err = tr.compare(facts(e, c, o, tr.identity))
	}
	if err == nil && o.Checkpoint != "" {
		err = tr.resume()
	}
	if err == nil {
		err = tr.run(ctx, func(Progress) {})
	}
	return rankEnd{tr.model, tr.stats(ctx), err}
}

// sameEnds reports an error if the ranks did not end alike, and returns their model.
func sameEnds(t *testing.T, name string, ends []rankEnd) (slab []float32) {
	t.Helper()
	for rank, end := range ends {
		if end.err != nil {
			t.Fatalf("%s: rank %d of %d: %v", name, rank, len(ends), end.err)
		}
		if slab == nil {
			slab = end.model.Slab
		}
		if i := firstDifference(slab, end.model.Slab); i >= 0 {
			t.Errorf("%s: parameter %d of rank %d of %d differs from that of rank 0", name, i, rank, len(ends))
		}
		a, b := end.stats.comparable(), ends[0].stats.comparable()
		a.Unsaved, b.Unsaved = nil, nil
		if end.stats.Options.Streams != 13 || end.stats.Options.Shards != 8 {
			t.Errorf("%s: rank %d of %d trained %+v", name, rank, len(ends), end.stats.Options)
		}
		if a != b || end.stats.Interrupted != ends[0].stats.Interrupted || end.stats.Stopped != ends[0].stats.Stopped {
			t.Errorf("%s: rank %d of %d: %+v, rank 0: %+v", name, rank, len(ends), end.stats, ends[0].stats)
		}
	}
	return slab
}

// atSave makes rank 0 save after every step, and calls on with the number of the save, from
// 1, in place of writing a file.
func atSave(rank int, tr *trainer, on func(save int, path string, write func(io.Writer) error) error) {
	tr.options.Every = 0
	saves := 0
	tr.writeFile = func(path string, write func(io.Writer) error) error {
		saves++
		return on(saves, path, write)
	}
}

// TestRanksHaveTheSameBits compares the models and a checkpoint of 1 to 8 ranks.
func TestRanksHaveTheSameBits(t *testing.T) {
	for name, s := range shardedTexts(t) {
		var slab []float32
		var checkpoint []byte
		for _, n := range []int{1, 2, 4, 8} {
			s.options.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
			var written bytes.Buffer
			ends := trainRanks(t, s.corpus, s.options, n, func(rank int, tr *trainer) context.Context {
				atSave(rank, tr, func(save int, _ string, write func(io.Writer) error) error {
					if save == 37 {
						return write(&written)
					}
					return nil
				})
				return nil
			})
			got := sameEnds(t, name, ends)
			if n == 1 {
				slab, checkpoint = got, written.Bytes()
			}
			if i := firstDifference(slab, got); i >= 0 {
				t.Errorf("%s: parameter %d of %d ranks is %v, of one %v", name, i, n, got[i], slab[i])
			}
			if written.Len() == 0 || !bytes.Equal(written.Bytes(), checkpoint) {
				t.Errorf("%s: the checkpoint of %d ranks, of %d bytes, differs from that of one, of %d", name, n, written.Len(), len(checkpoint))
			}
			if stats := ends[0].stats; !(stats.Valid > 0) || stats.Unsaved != nil {
				t.Errorf("%s: %d ranks: %+v", name, n, stats)
			}
		}
	}
}

// TestOneShardHasTheBitsOfBefore: a batch in one shard is trained as a batch without.
func TestOneShardHasTheBitsOfBefore(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	o := byTokens()["adaptive"]
	slab, _ := train(t, e, c, o)
	o.Shards = 1
	got, _ := train(t, e, c, o)
	if i := firstDifference(slab, got); i >= 0 {
		t.Errorf("parameter %d is %v, was %v", i, got[i], slab[i])
	}
	o.Shards = 2
	if cut, _ := train(t, e, c, o); firstDifference(slab, cut) < 0 {
		t.Error("two shards have the bits of one: nothing was cut")
	}
}

// TestRanksResume breaks trainings off, each time on another number of ranks and by
// another of them.
func TestRanksResume(t *testing.T) {
	for name, s := range shardedTexts(t) {
		o := s.options
		o.Tokens = 4000
		slab := sameEnds(t, name, trainRanks(t, s.corpus, o, 1, nil))
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		for _, broken := range []struct{ ranks, by, step int }{{4, 3, 9}, {2, 0, 11}, {8, 5, 2}, {1, 0, 7}} {
			ends := trainRanks(t, s.corpus, o, broken.ranks, func(rank int, tr *trainer) context.Context {
				if rank != broken.by {
					return nil
				}
				ctx, cancel := context.WithCancel(t.Context())
				t.Cleanup(cancel)
				began, calls := tr.clock(), 0
				tr.clock = func() time.Time {
					if calls++; calls == 5*broken.step {
						cancel()
					}
					return began
				}
				return ctx
			})
			sameEnds(t, name, ends)
			if !ends[0].stats.Interrupted {
				t.Fatalf("%s: %d ranks were not interrupted by rank %d: %+v", name, broken.ranks, broken.by, ends[0].stats)
			}
		}
		ends := trainRanks(t, s.corpus, o, 8, nil)
		got := sameEnds(t, name, ends)
		if i := firstDifference(slab, got); i >= 0 {
			t.Errorf("%s: parameter %d is %v, without breaks %v", name, i, got[i], slab[i])
		}
		if ends[0].stats.Resumed == 0 {
			t.Errorf("%s: the training began anew", name)
		}
	}
}

// leaving is a rank that is lost after some steps.
type leaving struct {
	parallel.Reducer
	left int
}

var errLeft = errors.New("this rank leaves")

func (l *leaving) Wait() error {
	if l.left--; l.left < 0 {
		l.Close()
		return errLeft
	}
	return l.Reducer.Wait()
}

// TestLostRank: the others end with an error, and the checkpoint is as good as before.
func TestLostRank(t *testing.T) {
	s := shardedTexts(t)["gru"]
	o := s.options
	o.Tokens = 4000
	slab := sameEnds(t, "without loss", trainRanks(t, s.corpus, o, 1, nil))
	for lost := range 4 {
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		ends := trainRanks(t, s.corpus, o, 4, func(rank int, tr *trainer) context.Context {
			tr.options.Every = 0
			if rank == lost {
				tr.ranks.Reducer = &leaving{tr.ranks.Reducer, 20}
				tr.ws.OnGrads(tr.ranks.sumParts)
			}
			return nil
		})
		for rank, end := range ends {
			if end.err == nil || rank != lost && !strings.Contains(end.err.Error(), fmt.Sprintf("rank %d", lost)) {
				t.Errorf("rank %d is lost: rank %d ends with %v", lost, rank, end.err)
			}
		}
		ends = trainRanks(t, s.corpus, o, 2, nil)
		got := sameEnds(t, "after a loss", ends)
		if i := firstDifference(slab, got); i >= 0 || ends[0].stats.Resumed == 0 {
			t.Errorf("rank %d was lost: resumed after %d tokens, parameter %d differs", lost, ends[0].stats.Resumed, i)
		}
	}
}

// TestRanksDiverge alike: before a validation all have the error, after one the best
// parameters.
func TestRanksDiverge(t *testing.T) {
	s := shardedTexts(t)["vanilla words"]
	o := s.options
	o.Rate, o.Clip = 1e30, NoClip
	for rank, end := range trainRanks(t, s.corpus, o, 4, nil) {
		if !errors.Is(end.err, ErrDiverged) || errors.Is(end.err, ErrLost) {
			t.Errorf("rank %d: error %v", rank, end.err)
		}
	}
	o.Rate = 0.5
	want := sameEnds(t, "one rank", trainRanks(t, s.corpus, o, 1, diverge))
	ends := trainRanks(t, s.corpus, o, 4, diverge)
	if got := sameEnds(t, "divergence", ends); !ends[0].stats.Diverged || firstDifference(got, want) >= 0 {
		t.Errorf("%+v; parameter %d differs from that of one rank", ends[0].stats, firstDifference(got, want))
	}
}

// diverge makes steps too large after a validation.
func diverge(_ int, tr *trainer) context.Context {
	began := tr.clock()
	tr.clock = func() time.Time {
		if tr.progress.Valid > 0 && tr.progress.Tokens > 2000 {
			tr.options.Rate = 1e30
		}
		return began
	}
	return nil
}

// TestRanksOfDifferentTrainings get an error before the first step.
func TestRanksOfDifferentTrainings(t *testing.T) {
	s := shardedTexts(t)["vanilla"]
	other := linesCorpus(t, text.Char)
	for name, test := range map[string]struct {
		change func(o *Options)
		corpus *text.Corpus
		want   string
	}{
		"seed":       {func(o *Options) { o.Seed++ }, s.corpus, "seed 6, rank 0 has 5"},
		"shards":     {func(o *Options) { o.Shards = 4 }, s.corpus, "shards 4, rank 0 has 8"},
		"rate":       {func(o *Options) { o.Rate = 0.25 }, s.corpus, "rate 0.25"},
		"text":       {func(o *Options) {}, other, "SHA-256 of the text"},
		"checkpoint": {func(o *Options) { o.Checkpoint = filepath.Join(t.TempDir(), "c") }, s.corpus, "checkpoint: every 30s, rank 0 has none"},
	} {
		var wg sync.WaitGroup
		for rank, r := range parallel.Local(2) {
			wg.Go(func() {
				defer r.Close()
				o, c := s.options, s.corpus
				o.Reducer = r
				if rank == 1 {
					test.change(&o)
					c = test.corpus
				}
				_, _, err := Train(t.Context(), oneThread(t), c, o, func(Progress) { t.Errorf("%s: a step was made", name) })
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "rank 1 ") {
					t.Errorf("%s: rank %d: error %v, want one with %q", name, rank, err, test.want)
				}
			})
		}
		wg.Wait()
	}
}

// TestFacts that the options don't tell: how the kernels round, and the vocabulary.
func TestFacts(t *testing.T) {
	s := shardedTexts(t)["words"]
	e := oneThread(t)
	generic, err := kernels.New("generic", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer generic.Close()
	own := Facts(e, s.corpus, s.options)
	if err := Differ([][]Fact{own, Facts(generic, s.corpus, s.options)}); (err == nil) != (e.ISA() == "generic") || err != nil && !strings.Contains(err.Error(), "rounding") {
		t.Errorf("other kernels: error %v", err)
	}
	other := *s.corpus
	other.Vocab, err = text.ParseVocab(bytes.Replace(s.corpus.Vocab.Append(nil), []byte("w1"), []byte("v1"), 1), s.corpus.Vocab.Len())
	if err != nil {
		t.Fatal(err)
	}
	if err := Differ([][]Fact{own, Facts(e, &other, s.options)}); err == nil || !strings.Contains(err.Error(), "rank 1 has SHA-256 of the vocabulary") {
		t.Errorf("another vocabulary: error %v", err)
	}
}

// TestInterruptedRanksChooseTheBest, without the time that a choice takes.
func TestInterruptedRanksChooseTheBest(t *testing.T) {
	s := shardedTexts(t)["gru"]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	trainers := make([]*trainer, 2)
	sameEnds(t, "interrupted", trainRanks(t, s.corpus, s.options, 2, func(rank int, tr *trainer) context.Context {
		trainers[rank] = tr
		began := tr.clock()
		tr.clock = func() time.Time {
			if rank == 1 && tr.progress.Valid > 0 && tr.progress.Tokens > 3000 {
				cancel()
			}
			return began
		}
		return ctx
	}))
	for rank, tr := range trainers {
		if !tr.stats(ctx).Interrupted || firstDifference(tr.model.Slab, tr.best) >= 0 {
			t.Errorf("rank %d: %+v; parameter %d is not that of the best validation", rank, tr.stats(ctx), firstDifference(tr.model.Slab, tr.best))
		}
	}
}

// TestCheckpointsWithoutShards are of a batch in one shard: programs before wrote them.
func TestCheckpointsWithoutShards(t *testing.T) {
	s := shardedTexts(t)["vanilla"]
	for _, shards := range []int{1, 8} {
		o := s.options
		o.Shards = shards
		tr, err := newTrainer(oneThread(t), s.corpus, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(tr.identity)
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.Replace(raw, fmt.Appendf(nil, `,"shards":%d`, shards), nil, 1)
		if err := tr.recognise(raw); (err == nil) != (shards == 1) || err != nil && !strings.Contains(err.Error(), "shards 1, where this one has 8") {
			t.Errorf("%d shards: error %v", shards, err)
		}
	}
}

// TestTooManyRanks for the batch or its shards.
func TestTooManyRanks(t *testing.T) {
	s := shardedTexts(t)["vanilla"]
	for _, test := range []struct {
		ranks, shards, streams int
		want                   string
	}{
		{4, 2, 13, "4 ranks can't share a batch of 13 rows in 2 shards"},
		{3, 8, 13, "3 ranks can't share"},
		{4, 8, 3, "at most 3"},
		{1, 6, 13, "power of two"},
	} {
		o := s.options
		o.Shards, o.Streams = test.shards, test.streams
		for rank, end := range trainRanks(t, s.corpus, o, test.ranks, nil) {
			if end.err == nil || !strings.Contains(end.err.Error(), test.want) {
				t.Errorf("%+v: rank %d: error %v", test, rank, end.err)
			}
		}
	}
}

// TestRanksOfATimeBudget: rank 0's clock decides for all, however far the others are off.
func TestRanksOfATimeBudget(t *testing.T) {
	s := shardedTexts(t)["words"]
	o := s.options
	o.Tokens, o.Budget = 0, 30*time.Millisecond // rank 1 would find no time for a validation
	o.Checkpoint, o.Every = filepath.Join(t.TempDir(), "checkpoint"), 5*time.Millisecond
	ends := trainRanks(t, s.corpus, o, 4, func(rank int, tr *trainer) context.Context {
		now := time.Unix(0, 0).Add(time.Duration(rank) * time.Hour)
		tr.clock = func() time.Time { // the larger the rank, the faster
			now = now.Add(time.Duration(1+rank) * time.Millisecond / 4)
			return now
		}
		return nil
	})
	sameEnds(t, "a budget of time", ends)
	if stats := ends[0].stats; stats.Tokens == 0 || !(stats.Valid > 0) || stats.Elapsed < o.Budget*9/10 || stats.Elapsed > o.Budget*11/10 {
		t.Errorf("%+v", stats)
	}
}

// TestLossOfShards: the mean over the batch is that of a batch in one shard.
func TestLossOfShards(t *testing.T) {
	for name, s := range shardedTexts(t) {
		var losses []float64
		for _, shards := range []int{1, 8} {
			o := s.options
			o.Shards, o.Tokens, o.Dropout = shards, 1, 0 // rows stand in other places, and masks with them
			end := trainRanks(t, s.corpus, o, 1, nil)[0]
			if end.err != nil {
				t.Fatal(end.err)
			}
			losses = append(losses, end.stats.Loss)
		}
		if !within(losses[0], losses[1], 1e-6*losses[0]) {
			t.Errorf("%s: a loss of %v in one shard, %v in 8", name, losses[0], losses[1])
		}
	}
}

// TestPartsOfAText: the pieces of all parts are the same, to the last bit, however many
// parts there are. Their sum is that of a Scorer.
func TestPartsOfAText(t *testing.T) {
	const vocab = 9
	m := newModel(t, vocab, 8)
	history := randomSentences(1, 30, 9, vocab)
	for _, size := range []int{1, 2, 199, 777, 3001} {
		tokens := randomSentences(2, size, 9, vocab)[:size]
		for name, of := range map[string]struct {
			part  func(i, n int) (*partScorer, error)
			whole func() (*Scorer, error)
		}{
			"after a long history": {
				func(i, n int) (*partScorer, error) { return newPartScorer(m, history, tokens, i, n) },
				func() (*Scorer, error) { return NewScorer(m, history, tokens) },
			},
			"after one token": {
				func(i, n int) (*partScorer, error) { return newPartScorer(m, history[:1], tokens, i, n) },
				func() (*Scorer, error) { return NewScorer(m, history[:1], tokens) },
			},
			"sentences": {
				func(i, n int) (*partScorer, error) { return newSentencePartScorer(m, marks, tokens, i, n) },
				func() (*Scorer, error) { return NewSentenceScorer(m, marks, tokens) },
			},
		} {
			var want []float64
			for _, n := range []int{1, 2, 3, 4, 8, 40} {
				var got []float64
				for i := range n {
					p, err := of.part(i, n)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, p.score(t.Context())...)
				}
				if n == 1 {
					want = got
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d tokens, %s: %d parts have pieces of %v, one has %v", size, name, n, got, want)
				}
			}
			s, err := of.whole()
			if err != nil {
				t.Fatal(err)
			}
			nats, err := s.Score(t.Context())
			sum := 0.0
			for _, piece := range want {
				sum += piece
			}
			if err != nil || !within(sum, nats, 1e-6*nats) {
				t.Errorf("%d tokens, %s: pieces of %v nats, the text has %v (error %v)", size, name, sum, nats, err)
			}
		}
	}
	for _, by := range [][2]float32{{float32(math.NaN()), 0}, {3e38, -3e38}} { // losses that are infinite
		for i := range m.By {
			m.By[i] = by[min(i, 1)]
		}
		m.Update()
		for i := range 2 {
			p, err := newPartScorer(m, history, randomSentences(2, 100, 9, vocab), i, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, piece := range p.score(t.Context()) {
				if !math.IsNaN(piece) {
					t.Errorf("a network that has diverged scores %v", piece)
				}
			}
		}
	}
}

// TestHandedErrors: all ranks get the error of reading a checkpoint, after what precedes it.
func TestHandedErrors(t *testing.T) {
	var wg sync.WaitGroup
	for rank, r := range parallel.Local(3) {
		wg.Go(func() {
			defer r.Close()
			h := handedReader{ranks: &ranks{Reducer: r}}
			if rank == 0 {
				h.r = io.MultiReader(bytes.NewReader(make([]byte, handedBytes)), iotest.ErrReader(errors.New("the disk is gone")))
			}
			got, err := io.ReadAll(&h)
			if len(got) != handedBytes || err == nil || err.Error() != "the disk is gone" {
				t.Errorf("rank %d: %d bytes, error %v", rank, len(got), err)
			}
		})
	}
	wg.Wait()
}

// TestBadCheckpointOfRanks: all ranks say what is wrong with it.
func TestBadCheckpointOfRanks(t *testing.T) {
	s := shardedTexts(t)["lstm"]
	o := s.options
	o.Tokens = 600
	dir := t.TempDir()
	o.Checkpoint = filepath.Join(dir, "checkpoint")
	sameEnds(t, "to break", trainRanks(t, s.corpus, o, 2, func(rank int, tr *trainer) context.Context {
		tr.options.Every = 0
		return nil
	}))
	good, err := os.ReadFile(o.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": {}, "cut off": good[:len(good)/2], "too long": append(bytes.Clone(good), 0), "a bit turned": bytes.Replace(good, good[len(good)-40:], append([]byte{good[len(good)-40] ^ 1}, good[len(good)-39:]...), 1),
	} {
		if err := os.WriteFile(o.Checkpoint, content, 0o666); err != nil {
			t.Fatal(err)
		}
		for rank, end := range trainRanks(t, s.corpus, o, 2, nil) {
			if end.err == nil || !strings.Contains(end.err.Error(), "checkpoint") {
				t.Errorf("%s: rank %d: error %v", name, rank, end.err)
			}
		}
	}
	o.Checkpoint = dir
	for rank, end := range trainRanks(t, s.corpus, o, 2, nil) {
		if end.err == nil || !strings.Contains(end.err.Error(), "not a regular file") {
			t.Errorf("a folder: rank %d: error %v", rank, end.err)
		}
	}
}
