package rnnlm

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

var marks = text.Marks{Start: text.Start, End: text.End}

// randomSentences returns sentences of up to longest words, empty ones among them.
func randomSentences(seed uint64, n, longest, vocab int) (tokens []int32) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for range n {
		for range rng.IntN(longest + 1) {
			tokens = append(tokens, 3+int32(rng.IntN(vocab-3)))
		}
		tokens = append(tokens, text.End)
	}
	return tokens
}

// alone returns the loss of each token, each sentence read by itself in one pass.
func alone(m *rnn.Model, tokens []int32) (losses []float32) {
	for len(tokens) > 0 {
		n := slices.Index(tokens, text.End) + 1
		if n == 0 {
			n = len(tokens)
		}
		ws := m.NewWorkspace(n, 1)
		ws.Forward(append([]int32{text.Start}, tokens[:n-1]...))
		ws.Loss(tokens[:n])
		losses = append(losses, ws.Losses...)
		tokens = tokens[n:]
	}
	return losses
}

// TestSentenceScorer: a sentence costs what it costs alone, to the last bit, whatever
// stands around it and however it is cut.
func TestSentenceScorer(t *testing.T) {
	const vocab = 12
	e := newEngine(t)
	for _, config := range []rnn.Config{
		{Input: vocab, Layers: 2, Hidden: 8, Output: vocab, Residual: true},
		{Input: vocab, Cell: rnn.LSTM, Layers: 2, Hidden: 8, Output: vocab, Residual: true},
		{Input: vocab, Cell: rnn.GRU, Embedding: 5, Layers: 1, Hidden: 8, Output: vocab, Cutoffs: []int{4, 8}},
	} {
		m, err := rnn.New(e, config, 3)
		if err != nil {
			t.Fatal(err)
		}
		for name, tokens := range map[string][]int32{
			"many":         randomSentences(1, 300, 2*scoreSteps+20, vocab),
			"few":          randomSentences(2, 5, 300, vocab),
			"empty ones":   {text.End, text.End, text.End},
			"without end":  append(randomSentences(3, 40, 20, vocab), 4, 5, 6),
			"one word":     {5},
			"a single one": randomSentences(4, 1, 400, vocab),
		} {
			s, err := NewSentenceScorer(m, marks, tokens)
			if err != nil {
				t.Fatal(err)
			}
			want, got := alone(m, tokens), make([]float32, len(tokens))
			for range 2 { // it can be used again
				if err := s.Losses(t.Context(), got); err != nil || firstDifference(got, want) >= 0 {
					t.Errorf("%v, %s: token %d costs %v, alone %v, error %v", config.Cell, name, firstDifference(got, want), got, want, err)
				}
				var sum float64
				for _, l := range want {
					sum += float64(l)
				}
				if nats, err := s.Score(t.Context()); err != nil || nats != sum {
					t.Errorf("%v, %s: %v nats, want %v, error %v", config.Cell, name, nats, sum, err)
				}
			}
			if n := testing.AllocsPerRun(3, func() { s.Score(t.Context()) }); n != 0 {
				t.Errorf("%v, %s: %v allocations", config.Cell, name, n)
			}
			if err := s.Losses(t.Context(), got[1:]); err == nil {
				t.Errorf("%s: room for too few", name)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Score(ended); err == nil {
				t.Errorf("%s: scored after the end", name)
			}
		}
	}
	if _, err := NewSentenceScorer(nil, marks, nil); err == nil {
		t.Error("a Scorer of nothing")
	}
}

// sentenceCorpus is a corpus of sentences in which a word says much of the next.
func sentenceCorpus(t testing.TB) *text.Corpus {
	t.Helper()
	var b strings.Builder
	rng := rand.New(rand.NewPCG(5, 6))
	for range 400 {
		for word := rng.IntN(20); word < 40; word += 1 + rng.IntN(4) {
			b.WriteString(string(rune('a'+word%26)) + " ")
		}
		b.WriteString("\n")
	}
	c, err := text.Build(text.New("sentences", []byte(b.String())), text.Options{Level: text.Sentence})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSentencesAreDealtOut: in each round of a training each sentence begins once, and in
// another order, and each piece goes on where the one before ended.
func TestSentencesAreDealtOut(t *testing.T) {
	const vocab, n, count, steps = 12, 50, 7, 10
	tokens := randomSentences(7, n, 35, vocab)
	m, err := rnn.New(newEngine(t), rnn.Config{Input: vocab, Layers: 1, Hidden: 4, Output: vocab}, 3)
	if err != nil {
		t.Fatal(err)
	}
	s := newSentences(m, marks, tokens, count, steps)
	ws := m.NewWorkspace(s.steps, len(s.rows))
	var begun []int32
	seen, orders := make([]int, len(tokens)), map[int][]int32{}
	for len(begun) < 3*n {
		if dealt := s.deal(ws, true); dealt < 1 || dealt > count*steps {
			t.Fatalf("%d tokens in a pass", dealt)
		}
		orders[s.round] = slices.Clone(s.order)
		if !slices.IsSortedFunc(s.lengths, func(a, b int32) int { return int(b - a) }) {
			t.Fatalf("lengths %v", s.lengths)
		}
		var places []place
		for b, p := range s.rows {
			want := text.Start
			if p.At == s.first[p.Sentence] {
				places = append(places, p)
			} else {
				want = tokens[p.At-1]
			}
			for i := range s.lengths[b] {
				if got := s.ids[int(i)*count+b]; got != want {
					t.Fatalf("row %d reads %d, want %d", b, got, want)
				}
				want = tokens[p.At+i]
				if got := s.targets[int(i)*count+b]; got != want {
					t.Fatalf("row %d is to predict %d, want %d", b, got, want)
				}
				seen[p.At+i]++
			}
		}
		for _, p := range places {
			begun = append(begun, p.Sentence)
		}
		ws.Forward(s.ids)
		s.keep(ws)
	}
	for i := range int32(n) {
		if times := len(slices.DeleteFunc(slices.Clone(begun), func(b int32) bool { return b != i })); times < 2 || times > 4 {
			t.Errorf("sentence %d began %d times in 3 rounds", i, times)
		}
		if a, b := seen[s.first[i]], seen[s.first[i+1]-1]; b > a || b < a-1 {
			t.Errorf("sentence %d was begun %d times, ended %d times", i, a, b)
		}
	}
	if len(orders) < 3 || slices.Equal(orders[1], orders[2]) {
		t.Errorf("orders %v of %d rounds", orders, len(orders))
	}
}

// TestTrainSentences: a training learns, gives the same bits on any number of threads, and
// the same after a break.
func TestTrainSentences(t *testing.T) {
	one, e, c := oneThread(t), newEngine(t), sentenceCorpus(t)
	for name, o := range map[string]Options{
		"vanilla": {},
		"lstm":    {Cell: rnn.LSTM, Layers: 2, Dropout: 0.2, Halve: true},
		"gru":     {Cell: rnn.GRU, Embedding: 16, Tied: true, Dropout: 0.2, Cutoffs: nil},
	} {
		o.Hidden, o.Tokens, o.Seed, o.Streams, o.Steps = 16, 20_000, 5, 6, 7
		slab, stats := train(t, e, c, o)
		again, _ := train(t, one, c, o)
		if i := firstDifference(slab, again); i >= 0 {
			t.Errorf("%s: two trainings differ in parameter %d", name, i)
		}
		if !(stats.Valid > 0 && stats.Valid < 2.5) || stats.Tokens < o.Tokens || stats.Tokens >= o.Tokens+int64(o.Streams*o.Steps) {
			t.Errorf("%s: %+v", name, stats)
		}
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		for _, steps := range []int{1, 2, 86, 97, 1} {
			broken(t, e, c, o, steps)
		}
		got, gotStats := train(t, e, c, o)
		if i := firstDifference(got, slab); i >= 0 || gotStats.comparable() != stats.comparable() || gotStats.Resumed == 0 {
			t.Errorf("%s: parameter %d differs after a break, %+v instead of %+v", name, i, gotStats, stats)
		}
	}
}

// TestBadPlacesInSentences: a checkpoint that can't be of this text is refused.
func TestBadPlacesInSentences(t *testing.T) {
	e, c := oneThread(t), sentenceCorpus(t)
	o := Options{Hidden: 4, Tokens: 20_000, Streams: 3, Steps: 7, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	tr := broken(t, e, c, o, 30)
	var good progressRecord
	if err := tr.recordPlace(&good); err != nil {
		t.Fatal(err)
	}
	good.Tokens = tr.progress.Tokens
	for name, change := range map[string]func(p *progressRecord){
		"":                   func(p *progressRecord) {},
		"no sentences":       func(p *progressRecord) { p.Sentences = nil },
		"no steps":           func(p *progressRecord) { p.Passes = 0 },
		"too many steps":     func(p *progressRecord) { p.Passes = p.Tokens + 1 },
		"too few steps":      func(p *progressRecord) { p.Passes = 1 },
		"too many tokens":    func(p *progressRecord) { p.Passes, p.Tokens = 1<<52, 1<<52 },
		"no round":           func(p *progressRecord) { p.Sentences.Round = 0 },
		"beyond the last":    func(p *progressRecord) { p.Sentences.Next = 1 << 30 },
		"none dealt out":     func(p *progressRecord) { p.Sentences.Next = 0 },
		"another batch":      func(p *progressRecord) { p.Sentences.Rows = p.Sentences.Rows[1:] },
		"a sentence too far": func(p *progressRecord) { p.Sentences.Rows[0].Sentence = 1 << 30 },
		"sentence -1":        func(p *progressRecord) { p.Sentences.Rows[0].Sentence = -1 },
		"a token too far":    func(p *progressRecord) { p.Sentences.Rows[0].At = 1 << 30 },
		"token -1":           func(p *progressRecord) { p.Sentences.Rows[0].At = -1 },
	} {
		raw, err := json.Marshal(good)
		if err != nil {
			t.Fatal(err)
		}
		var p progressRecord
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		change(&p)
		fresh, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if err := fresh.setPlace(p); (err == nil) != (name == "") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

// TestValidationTextOfItsOwn: it begins with the start of a text, and a checkpoint knows
// it.
func TestValidationTextOfItsOwn(t *testing.T) {
	e := oneThread(t)
	corpus := func(valid string) *text.Corpus {
		c, err := text.Build(text.New("tiny", []byte(strings.Repeat("hello world, ", 300))), text.Options{Valid: text.New("valid", []byte(valid)), Uncut: text.Uncut{Test: true}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := corpus("hello world"), corpus("hello lords")
	o := Options{Hidden: 4, Tokens: 20_000, Streams: 3, Steps: 7, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	tr := broken(t, e, a, o, 30)
	if !slices.Equal(tr.history, []int32{a.Vocab.Start(text.Char)}) {
		t.Errorf("the validation text follows %v", tr.history)
	}
	if _, _, err := Train(t.Context(), e, b, o, func(Progress) {}); err == nil || !strings.Contains(err.Error(), "validation text") {
		t.Errorf("another validation text: error %v", err)
	}
	if _, stats := train(t, e, a, o); !(stats.Valid > 0) || stats.Resumed == 0 {
		t.Errorf("%+v", stats)
	}
}
