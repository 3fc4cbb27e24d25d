package rnnlm

import (
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/parallel"
)

// TestReads: the streams of a rank stay in the range of Reads, reach both of its ends, and
// those of all ranks cover the text.
func TestReads(t *testing.T) {
	for _, length := range []int{2, 9, 400, 1009, 3000, 3010} {
		tokens := make([]int32, length)
		for i := range tokens {
			tokens[i] = int32(i)
		}
		for _, n := range []int{1, 2, 4, 8} {
			covered := 0
			for i, r := range parallel.Local(n) {
				o := Options{Hidden: 2, Cell: rnn.Vanilla, Streams: 13, Steps: 7, Shards: 8, Seed: 5, Tokens: 1, Reducer: r}
				lo, hi := o.Reads(length)
				count, _ := cutStreams(length, o.Streams, o.Steps)
				ranks, err := newRanks(o, count)
				if err != nil {
					if lo != 0 || hi != length {
						t.Errorf("%d tokens, a rank of %d that can't be: %d to %d", length, n, lo, hi)
					}
					covered = length
					r.Close()
					continue
				}
				s := newStreams(tokens, o.Streams, o.Steps, o.Seed)
				s.hold(ranks.own.Own())
				first, last := length, -1
				for range 6 * length {
					s.next()
					for _, ids := range [][]int32{s.ids, s.targets} {
						for _, id := range ids {
							first, last = min(first, int(id)), max(last, int(id))
						}
					}
				}
				// Streams shorter than two pieces may leave their last tokens out.
				if first != lo || last >= hi || last+1 < hi && s.length >= 2*s.steps {
					t.Errorf("%d tokens, rank %d of %d: reads %d to %d, and Reads says %d to %d", length, i, n, first, last+1, lo, hi)
				}
				if lo > covered {
					t.Errorf("%d tokens, rank %d of %d: nobody reads %d to %d", length, i, n, covered, lo)
				}
				covered = max(covered, hi)
				r.Close()
			}
			if covered != length {
				t.Errorf("%d tokens, %d ranks: %d are read", length, n, covered)
			}
		}
	}
	if lo, hi := (Options{}).Reads(1); lo != 0 || hi != 1 {
		t.Errorf("one token: %d to %d", lo, hi)
	}
}

// TestMostHistory: a Scorer reads nothing before the last MostHistory tokens.
func TestMostHistory(t *testing.T) {
	c := tinyCorpus(t)
	e, err := kernels.New("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := rnn.New(e, Options{Hidden: 8, Streams: 1, Steps: 1}.withDefaults().config(c.Vocab.Len()), 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Slab {
		m.Slab[i] *= 3
	}
	m.Update()
	score := func(history []int32, tokens int) float64 {
		s, err := NewScorer(m, history, c.Valid[:tokens])
		if err != nil {
			t.Fatal(err)
		}
		nats, err := s.Score(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return nats
	}
	for tokens := 1; tokens <= 4*scoreSteps; tokens++ {
		history := c.Train[len(c.Train)-MostHistory:]
		if got, want := score(history, tokens), score(c.Train, tokens); got != want {
			t.Errorf("%d tokens cost %v after %d others, %v after all", tokens, got, MostHistory, want)
		}
	}
}
