package study

import (
	"strings"
	"testing"

	"batchrnn/bench/lm"
)

func ngramRow(order int, bytes int64, bits float64) Model {
	return Model{Kind: KindNgram, Order: order, Store: "trie", BytesPredicted: bytes, BitsPerToken: bits, ScoreTokensPerSecond: 10e6}
}

func rnnRow(hidden int, bytes int64, bits float64) Model {
	return Model{Kind: KindRNN, Hidden: hidden, BytesPredicted: bytes, BitsPerToken: bits, ScoreTokensPerSecond: 1e6}
}

func gru(hidden int, bytes int64, bits float64) Model {
	m := rnnRow(hidden, bytes, bits)
	m.Cell = "gru"
	return m
}

// int8 returns the row of a network with weights of int8.
func int8(m Model, bytes int64, bits float64) Model {
	m.Store, m.BytesPredicted, m.BitsPerToken = Int8Store, bytes, bits
	return m
}

func TestSummarizeIsTrueForEveryOutcome(t *testing.T) {
	three := []Model{ngramRow(1, 1000, 4.5), ngramRow(2, 30_000, 3.5), ngramRow(3, 200_000, 3.0)}
	with := func(rows ...Model) []Model { return append(three[:3:3], rows...) }
	cut := rnnRow(64, 100_000, 3.2)
	cut.Interrupted = true
	fast := rnnRow(64, 100_000, 3.2)
	fast.ScoreTokensPerSecond = 30e6
	even := rnnRow(64, 100_000, 3.2)
	even.ScoreTokensPerSecond = 10.2e6

	in := func(store string, m Model, tokensPerSecond float64) Model {
		m.Store, m.ScoreTokensPerSecond = store, tokensPerSecond
		return m
	}

	for name, test := range map[string]struct {
		models    []Model
		want, not []string
	}{
		"four stores": {[]Model{
			in("map", ngramRow(1, 5000, 4), 1e6), in("hash", ngramRow(1, 2000, 4), 40e6), ngramRow(1, 1000, 4), in("quantised trie", ngramRow(1, 500, 4.1), 50e6),
			in("map", ngramRow(2, 50_000, 3), 1e6), in("hash", ngramRow(2, 20_000, 3), 30e6), ngramRow(2, 10_000, 3), in("quantised trie", ngramRow(2, 5000, 2.9), 50e6),
			rnnRow(64, 5000, 2.95)},
			[]string{"from 1000 B to 9.8 KiB (10 times)", "better than every order measured; the best of them, order 2 at 3.000, takes 9.8 KiB, 2.0 times",
				"that n-gram model in a hash table scores text 30 times as fast as the RNN"}, nil},
		"a store alone": {[]Model{in("hash", ngramRow(1, 1000, 4), 1), in("hash", ngramRow(2, 2000, 3), 1)},
			[]string{"the n-gram model in a hash table goes from"}, nil},
		"nothing": {nil, []string{"No model was measured."}, nil},
		"one n-gram": {three[:1],
			[]string{"The n-gram model of order 1 takes 1000 B in a trie", "order 1 predicts best of them, at 4.500 bits per character", "no RNN was measured"},
			[]string{"from order"}},
		"n-grams only": {three,
			[]string{"From order 1 to 3 the n-gram model in a trie goes from 1000 B to 195.3 KiB (200 times)", "order 3 predicts best"}, nil},
		"no growth": {[]Model{ngramRow(1, 500, 4), ngramRow(2, 500, 3)}, []string{"from 500 B to 500 B"}, []string{"times"}},
		"an RNN only": {[]Model{rnnRow(8, 500, 3)},
			[]string{"The RNN of width 8 takes 500 B", "no n-gram model was measured"}, []string{"order"}},
		"RNN beats all": {with(rnnRow(64, 100_000, 2.9)),
			[]string{"at 2.900 bits per character it predicts better than every order measured", "order 3 at 3.000, takes 195.3 KiB, 2.0 times the RNN's size",
				"that n-gram model scores text 10 times as fast as the RNN"}, []string{"matches", "worse"}},
		"RNN equals the best as printed": {with(rnnRow(64, 100_000, 3.0004)),
			[]string{"it predicts as well as the best order, order 3, which takes"}, []string{"better", "worse"}},
		"RNN in between": {with(rnnRow(64, 100_000, 3.2)),
			[]string{"it matches or beats orders 1 and 2 but not the best, order 3, which predicts at 3.000"}, []string{"every order"}},
		"RNN beats one": {with(rnnRow(64, 100_000, 3.6)), []string{"it matches or beats order 1 but not"}, nil},
		"RNN beats none": {with(rnnRow(64, 400_000, 4.6)),
			[]string{"it predicts worse than every order measured", "takes 195.3 KiB, 50 % of the RNN's size"}, []string{"matches", "better"}},
		"a tiny n-gram": {[]Model{ngramRow(1, 380, 2), rnnRow(64, 380_000, 3.2)}, []string{"takes 380 B, 1/1,000 of the RNN's size"}, []string{"0.1 %"}},
		"an unscored RNN": {with(Model{Kind: KindRNN, Hidden: 64, BytesPredicted: 1000, Unscored: true}),
			[]string{"order 3 predicts best", "the RNN of width 64 takes 1000 B, and how well it predicts was not measured"}, []string{"no RNN was measured"}},
		"the best RNN counts": {with(rnnRow(32, 50_000, 4.6), rnnRow(64, 100_000, 3.2), rnnRow(128, 300_000, 3.3)),
			[]string{"the RNN of width 64 takes 97.7 KiB"}, []string{"width 32", "width 128"}},
		"the best cell counts": {with(rnnRow(64, 100_000, 3.2), gru(40, 99_000, 3.1), gru(30, 50_000, 3.15)),
			[]string{"the GRU of width 40 takes 96.7 KiB", "times the GRU's size", "as fast as the GRU", "; the best RNN, of width 64, takes 97.7 KiB and needs 3.200 bits per character"},
			[]string{"width 30"}},
		"int8 predicts better": {append(with(rnnRow(64, 100_000, 3.2), int8(rnnRow(64, 0, 0), 27_000, 2.9), gru(40, 99_000, 3.3), int8(gru(40, 0, 0), 26_000, 2.8)), in("quantised trie", ngramRow(3, 90_000, 3.001), 1)),
			[]string{"the RNN of width 64 takes 97.7 KiB", "matches or beats orders 1 and 2", "; the best GRU, of width 40, takes 96.7 KiB and needs 3.300 bits",
				"; with weights of int8 the RNN of width 64 takes 26.4 KiB and needs 2.900 bits per character, the n-gram model of order 3 in a quantised trie 87.9 KiB and 3.001."}, []string{"2.800"}},
		"int8 without n-grams": {[]Model{rnnRow(8, 500, 3), int8(rnnRow(8, 0, 0), 200, 3.001)}, []string{"; with weights of int8 the RNN of width 8 takes 200 B and needs 3.001 bits per character."}, nil},
		"cut short":            {with(cut), []string{"its training cut short, it matches"}, nil},
		"RNN faster":           {with(fast), []string{"the RNN scores text 3.0 times as fast as that n-gram model"}, nil},
		"about the same":       {with(even), []string{"the RNN and that n-gram model score at about the same speed"}, nil},
		"overfit n-grams": {[]Model{ngramRow(1, 10, 4.5), ngramRow(2, 100, 2), ngramRow(3, 1000, 2.5), ngramRow(4, 10_000, 2.7), rnnRow(8, 50, 2.4)},
			[]string{"matches or beats orders 1, 3 and 4 but not the best, order 2"}, nil},
	} {
		got := Summarize(LevelResult{Models: test.models, Corpus: lm.Corpus{Level: "char"}})
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in: %s", name, want, got)
			}
		}
		for _, not := range test.not {
			if strings.Contains(got, not) {
				t.Errorf("%s: %q in: %s", name, not, got)
			}
		}
		if !strings.HasSuffix(got, ".") || strings.Count(got, ". ") != 0 {
			t.Errorf("%s: not one sentence: %s", name, got)
		}
	}
}

func TestOrders(t *testing.T) {
	for want, list := range map[string][]int{
		"order 3":                  {3},
		"orders 1 and 2":           {1, 2},
		"orders 1 to 3":            {1, 2, 3},
		"orders 1 to 4, 6 and 8":   {1, 2, 3, 4, 6, 8},
		"orders 1, 2 and 5 to 9":   {1, 2, 5, 6, 7, 8, 9},
		"orders 2 to 4 and 7 to 9": {2, 3, 4, 7, 8, 9},
	} {
		if got := orders(list); got != want {
			t.Errorf("orders(%v) = %q, want %q", list, got, want)
		}
	}
}
