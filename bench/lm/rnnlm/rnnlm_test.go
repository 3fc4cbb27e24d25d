package rnnlm

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// within says whether got is at most tol from want, which a NaN never is.
func within(got, want, tol float64) bool { return math.Abs(got-want) <= tol }

func newEngine(t testing.TB) *kernels.Engine {
	t.Helper()
	e, err := kernels.New("", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func newModel(t testing.TB, vocab, hidden int) *rnn.Model {
	t.Helper()
	m, err := rnn.New(newEngine(t), Options{Hidden: hidden}.config(vocab), 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ramp returns n tokens of a vocabulary that tell their neighbours apart.
func ramp(n, vocab int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(i % vocab)
	}
	return tokens
}

func TestScorerCountsEveryTokenOnce(t *testing.T) {
	// Without weights a token costs what the output bias says, whatever came
	// before it.
	const vocab = 7
	m := newModel(t, vocab, 3)
	clear(m.Slab)
	var sum float64
	for v := range m.By {
		m.By[v] = float32(v) / 2
		sum += math.Exp(float64(m.By[v]))
	}
	m.Update()
	history := ramp(400, vocab)
	for _, n := range []int{1, 2, 49, 50, 51, 199, 200, 201, 400, 777, 1999, 5000, 6401, 12_345} {
		tokens := ramp(n, vocab)
		var want float64
		for _, id := range tokens {
			want += math.Log(sum) - float64(m.By[id])
		}
		for _, before := range []int{1, 2, 50, 51, 400} {
			s, err := NewScorer(m, history[:before], tokens)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Score(t.Context())
			if err != nil || !within(got, want, 1e-4*want) {
				t.Errorf("%d tokens after %d: %.4f nats (error %v), want %.4f", n, before, got, err, want)
			}
		}
	}
	if _, err := NewScorer(m, nil, history); err == nil {
		t.Error("no error without a history")
	}
	if _, err := NewScorer(m, history, nil); err == nil {
		t.Error("no error without tokens")
	}
}

func TestScorerReadsOnFromTheHistory(t *testing.T) {
	const vocab, n = 11, 40
	m := newModel(t, vocab, 16)
	text := ramp(3*n+1, vocab)
	text[n+3], text[2*n+5] = 1, 4
	history, tokens := text[:2*n+1], text[2*n+1:]

	// The same by hand: the piece before is read, then the tokens are scored.
	ws := m.NewWorkspace(n, 1)
	ws.Forward(text[n : 2*n])
	ws.Carry()
	ws.Forward(text[2*n : 3*n])
	want := ws.Loss(tokens) * n

	s, err := NewScorer(m, history, tokens)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time, nothing is left of the first
		if got, err := s.Score(t.Context()); err != nil || !within(got, want, 1e-9*want) {
			t.Errorf("%.9f nats (error %v), want %.9f", got, err, want)
		}
	}
}

func TestScorerRefusesNaN(t *testing.T) {
	m := newModel(t, 5, 4)
	m.By[0] = float32(math.NaN())
	m.Update()
	s, err := NewScorer(m, ramp(9, 5), ramp(300, 5))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Score(t.Context()); err == nil {
		t.Error("no error from a model whose scores are no numbers")
	}
}

func TestStreamsDealOutTheText(t *testing.T) {
	for _, n := range []int{2, 3, 17, 50, 51, 52, 1000, 4321} {
		text := make([]int32, n)
		for i := range text {
			text[i] = int32(i)
		}
		s := newStreams(text, 8, 10, 1)
		seen := make([]bool, n)
		last := make([]int32, s.count)
		epochs := 0
		for range 60 {
			first := s.next()
			if first {
				epochs++
			}
			for i, id := range s.ids {
				if s.targets[i] != id+1 {
					t.Fatalf("%d tokens: input %d has target %d", n, id, s.targets[i])
				}
				seen[id] = true
			}
			for b := range s.count {
				if !first && s.ids[b] != last[b]+1 {
					t.Fatalf("%d tokens: stream %d goes on at %d after %d", n, b, s.ids[b], last[b])
				}
				last[b] = s.ids[(s.steps-1)*s.count+b]
			}
		}
		unseen := 0
		for _, ok := range seen[:n-1] {
			if !ok {
				unseen++
			}
		}
		if n <= 1000 && (epochs < 2 || unseen > s.steps) {
			t.Errorf("%d tokens: %d never seen in %d epochs", n, unseen, epochs)
		}
	}
}

// tinyCorpus is a text that an RNN learns in no time.
func tinyCorpus(t testing.TB) *text.Corpus {
	t.Helper()
	c, err := text.Build(text.New("tiny", []byte(strings.Repeat("hello world, ", 800))), text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTrainLearns(t *testing.T) {
	c := tinyCorpus(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m, stats, err := Train(ctx, newEngine(t), c, Options{Hidden: 16, Budget: time.Minute, Seed: 1}, func(p Progress) {
		if p.Valid > 0 && p.Valid < 0.3 {
			cancel() // learned, however slow the machine
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewScorer(m, c.Valid, c.Test)
	if err != nil {
		t.Fatal(err)
	}
	nats, err := s.Score(t.Context())
	if perToken := nats / float64(len(c.Test)); err != nil || perToken > 0.5 {
		t.Errorf("after %d tokens of training %.3f nats per token (error %v), want less than 0.5", stats.Tokens, perToken, err)
	}
}

func TestTrainSpendsItsBudget(t *testing.T) {
	const budget = 300 * time.Millisecond
	tr, err := newTrainer(newEngine(t), tinyCorpus(t), Options{Hidden: 8, Budget: budget}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tr.clock = ticking(time.Millisecond)
	told := 0
	err = tr.run(t.Context(), func(Progress) { told++ })
	stats := tr.stats(t.Context())
	if err != nil || stats.Interrupted || stats.Tokens == 0 || !(stats.Valid > 0) || told == 0 || stats.Elapsed < budget*8/10 || stats.Elapsed > budget*11/10 {
		t.Errorf("stats %+v, told %d times, error %v", stats, told, err)
	}
}

// ticking returns a clock that each look moves on.
func ticking(tick time.Duration) func() time.Time {
	now := time.Now()
	return func() time.Time {
		now = now.Add(tick)
		return now
	}
}

func TestTrainKeepsItsBudgetWhereValidationIsCostly(t *testing.T) {
	// Scoring all of this validation split takes many times the budget.
	c, e := tinyCorpus(t), newEngine(t)
	c.Valid = ramp(maxValid, c.Vocab.Len())
	for _, budget := range []time.Duration{time.Millisecond, 500 * time.Millisecond} {
		start := time.Now()
		_, stats, err := Train(t.Context(), e, c, Options{Hidden: 256, Budget: budget}, func(Progress) {})
		// Making the model and the last step come on top, on a slow machine too.
		if took := time.Since(start); err != nil || took > 2*budget+3*time.Second {
			t.Errorf("a budget of %v: error %v after %v", budget, err, took)
		}
		if stats.Steps <= 0 || stats.Steps > stats.Elapsed || stats.Tokens == 0 {
			t.Errorf("a budget of %v: stats %+v", budget, stats)
		}
	}
}

func TestValidationIsCutToTheBudget(t *testing.T) {
	for _, test := range []struct {
		tokensPerSecond float64 // of training; of scoring, twice that is counted on
		budget          time.Duration
		size, want      int
	}{
		{1e6, time.Hour, 5000, 5000},
		{1e4, time.Second, 5000, 1000},
		{1e4, 100 * time.Millisecond, 5000, 0}, // 100 tokens are worth nothing
		{1e4, 100 * time.Millisecond, 80, 80},  // unless there are no more
	} {
		tr := &trainer{options: Options{Budget: test.budget}, valid: make([]int32, test.size)}
		tr.progress.Tokens, tr.progress.Steps = int64(test.tokensPerSecond), time.Second
		tr.cutValidation()
		if got := len(tr.valid); got < test.want*99/100 || got > test.want {
			t.Errorf("%.0f tokens/s, budget %v: %d tokens of %d, want %d", test.tokensPerSecond, test.budget, got, test.size, test.want)
		}
		if time.Duration(tr.validCost) > test.budget/validateShare {
			t.Errorf("%.0f tokens/s, budget %v: a validation would take %v", test.tokensPerSecond, test.budget, tr.validCost)
		}
	}
}

// TestEpochsReadAll: streams that are cut into whole steps lose none.
func TestEpochsReadAll(t *testing.T) {
	const count, steps, pieces = 3, 4, 5
	s := newStreams(ramp(count*steps*pieces+1, 7), count, steps, 1)
	for i := range 3 * pieces {
		if first := s.next(); first != (i%pieces == 0) {
			t.Fatalf("piece %d: first of an epoch: %t, and an epoch has %d", i, first, pieces)
		}
	}
}

// TestLastValidationFits: no validation begins that leaves no room for one at the end.
func TestLastValidationFits(t *testing.T) {
	const budget = 1000
	for _, test := range []struct {
		spent, validated, cost int64
		valid                  float64 // of the last validation
		due                    bool
	}{
		{40, 0, 10, 0, false}, // a validations-th of the budget is not over
		{41, 0, 10, 0, true},
		{980, 0, 10, 0, true},
		{981, 0, 10, 0, false},
		{800, 0, 100, 0, true},
		{801, 0, 100, 0, false},
		{601, 400, 10, 1, true},
		{600, 400, 10, 1, false}, // validations would take more than their share
		{980, 400, 10, 1, true},
		{981, 400, 10, 1, false},
	} {
		tr := &trainer{options: Options{Tokens: budget}, valid: make([]int32, 5), cut: true, validated: test.validated, validCost: test.cost}
		tr.progress.Tokens, tr.progress.Valid = test.spent, test.valid
		if got := tr.dueToValidate(); got != test.due {
			t.Errorf("%+v: due %t", test, got)
		}
	}
}

func TestInterruptedTrainingKeepsTheBetterParameters(t *testing.T) {
	c := tinyCorpus(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, lastIsBetter := range []bool{true, false} {
		tr, err := newTrainer(newEngine(t), c, Options{Hidden: 8, Budget: time.Hour}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		good := make([]float32, len(tr.model.Slab)) // no weights: every token as likely
		bad := append([]float32(nil), good...)
		bad[len(bad)-1] = 100 // one token all but certain
		last, best := bad, good
		if lastIsBetter {
			last, best = good, bad
		}
		copy(tr.model.Slab, last)
		tr.model.Update()
		copy(tr.best, best)
		tr.progress.Valid, tr.validTook = 1, 2*soon // too long for all of the text
		tr.valid = ramp(4*minValid, c.Vocab.Len())
		tr.chooseSoon(ended)
		if got := tr.model.Slab[len(bad)-1]; got != 0 {
			t.Errorf("last is better: %v; the worse parameters were kept", lastIsBetter)
		}
	}
}

func TestTrainStopsWhenAsked(t *testing.T) {
	c, e := tinyCorpus(t), newEngine(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m, stats, err := Train(ctx, e, c, Options{Hidden: 16, Budget: time.Hour, Seed: 1}, func(Progress) { cancel() })
	if err != nil || m == nil || !stats.Interrupted || stats.Tokens == 0 {
		t.Errorf("model %v, stats %+v, error %v", m != nil, stats, err)
	}
	if _, _, err := Train(ctx, e, c, Options{Hidden: 16, Budget: time.Hour}, func(Progress) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped before the first step: error %v", err)
	}
}

func TestTrainSaysThatItDiverged(t *testing.T) {
	_, _, err := Train(t.Context(), newEngine(t), tinyCorpus(t),
		Options{Hidden: 16, Budget: 2 * time.Second, Rate: 1e42}, func(Progress) {})
	if err == nil || !strings.Contains(err.Error(), "diverged") {
		t.Errorf("error %v", err)
	}
}

func TestTrainOnShortTexts(t *testing.T) {
	e := newEngine(t)
	for _, n := range []int{20, 21, 40, 100, 450} {
		c, err := text.Build(text.New("short", []byte(strings.Repeat("ab c", 200)[:n])), text.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := Train(t.Context(), e, c, Options{Hidden: 4, Budget: 20 * time.Millisecond}, func(Progress) {})
		if err != nil {
			t.Fatalf("%d characters: %v", n, err)
		}
		s, err := NewScorer(m, c.Valid, c.Test)
		if err != nil {
			t.Fatalf("%d characters: %v", n, err)
		}
		if _, err := s.Score(t.Context()); err != nil {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

func TestTrainBytesCoversTheModel(t *testing.T) {
	e := newEngine(t)
	c := Options{Hidden: 200}.config(100)
	if got, least := TrainBytes(e, 100, Options{Hidden: 200}), c.TrainingBytes(e)+16*int64(c.Params()); got < least {
		t.Errorf("TrainBytes = %d, less than %d", got, least)
	}
	if got := TrainBytes(e, 1<<20, Options{Hidden: 1 << 16}); got < 1<<40 {
		t.Errorf("TrainBytes of an absurd model = %d", got)
	}
}
