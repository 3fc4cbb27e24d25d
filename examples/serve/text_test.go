package main

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

var configs = map[string]struct {
	level  text.Level
	config rnn.Config
}{
	"characters": {text.Char, rnn.Config{Cell: rnn.GRU}},
	"words":      {text.Word, rnn.Config{Cell: rnn.LSTM, Layers: 2}},
	"sentences":  {text.Sentence, rnn.Config{Cell: rnn.Vanilla, Embedding: 8}},
	"adaptive":   {text.Char, rnn.Config{Cell: rnn.LSTM, Hidden: 32, Cutoffs: []int{8, 16}}},
}

// The text of a session is that of rnnbench sample, in one request or in several.
func TestTexts(t *testing.T) {
	e := newEngine(t)
	for name, of := range configs {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, e, of.level, of.config, 1)
			c, _ := start(t, e, m, nil)
			for _, prompt := range []string{"", "The quick", "dög, 5 €\nnever seen ∞", "fox\n", "a\nb\n\nlazy"} {
				for i, o := range []string{`{"temperature": 1}`, `{"temperature": 0, "seed": 3}`, `{"temperature": 0.5, "top_k": 4, "seed": 5}`, `{"top_p": 0.7, "seed": 18446744073709551615}`} {
					want := lm.SampleOptions{Length: 40, Prompt: prompt}
					k, p := 4, 0.7
					switch i {
					case 0:
						o = `{"temperature": 1, "seed": 7}`
						want.Temperature, want.Seed = 1, 7
					case 1:
						want.Seed = 3
					case 2:
						want.Temperature, want.TopK, want.Seed = 0.5, &k, 5
					case 3:
						want.Temperature, want.TopP, want.Seed = 0.8, &p, math.MaxUint64
					}
					sample, err := lm.Draw(m, want, func([]byte) error { return nil })
					if err != nil {
						t.Fatal(err)
					}
					id := c.open(o)
					got, sum := c.generate(id, request{Prompt: prompt, MaxTokens: 1})
					if sum.PromptUnk != sample.UnknownTo || sum.Reason != "length" {
						t.Errorf("%+v, want %d unknown tokens", sum, sample.UnknownTo)
					}
					for _, n := range []int{2, 37} {
						more, _ := c.generate(id, request{MaxTokens: n})
						got += more
					}
					if got != sample.Text {
						t.Errorf("%q, %s: %q, alone %q", prompt, o, got, sample.Text)
					}
				}
			}
		})
	}
}

func TestStop(t *testing.T) {
	e, m := gru(t)
	c, _ := start(t, e, m, nil)
	want := alone(t, m, 1, "", 60)
	runes := []rune(want)
	stop := string(runes[20:23])
	end := strings.Index(want, stop) + len(stop)
	id := c.open(`{"seed": 1}`)
	got, sum := c.generate(id, request{MaxTokens: 60, Stop: stop})
	if got != want[:end] || sum.Reason != "stop" {
		t.Errorf("%q, %+v, want %q", got, sum, want[:end])
	}
	got, sum = c.generate(id, request{MaxTokens: 60 - sum.Tokens})
	if got != want[end:] || sum.Reason != "length" {
		t.Errorf("then %q, %+v, want %q", got, sum, want[end:])
	}
}

// Without a seed each session has another, and tells it.
func TestSeeds(t *testing.T) {
	e, m := gru(t)
	c, _ := start(t, e, m, nil)
	var a, b struct {
		ID string
		sampling
	}
	c.want(http.StatusCreated, "POST", "/sessions", nil, &a)
	c.want(http.StatusCreated, "POST", "/sessions", "{}", &b)
	if a.Seed == b.Seed || a.ID == b.ID || a.Temperature != 0.8 || a.TopP != 1 {
		t.Errorf("%+v and %+v", a, b)
	}
	if got, _ := c.generate(a.ID, request{MaxTokens: 30}); got != alone(t, m, a.Seed, "", 30) {
		t.Errorf("%q is not the text of seed %d", got, a.Seed)
	}
}

type scores struct {
	Scores []struct {
		Tokens, Unk  int
		LogProb      float64 `json:"log_prob"`
		BitsPerToken float64 `json:"bits_per_token"`
		PerToken     []struct {
			Token   string
			LogProb float64 `json:"log_prob"`
		} `json:"per_token"`
	}
}

// Scores are those of rnnbench score.
func TestScores(t *testing.T) {
	e := newEngine(t)
	for name, of := range configs {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, e, of.level, of.config, 1)
			c, s := start(t, e, m, nil)
			texts := []string{"The quick brown fox", "", "dög, never seen ∞", strings.Repeat("lazy ", 30), "x"}
			for _, each := range []bool{false, true} {
				var got scores
				c.want(http.StatusOK, "POST", "/score", map[string]any{"texts": texts, "per_token": each}, &got)
				if len(got.Scores) != len(texts) {
					t.Fatalf("%d scores, want %d", len(got.Scores), len(texts))
				}
				for i, line := range texts {
					if of.level == text.Sentence {
						line += "\n"
					}
					ids := m.Vocab.Encode(nil, of.level, []byte(line))
					losses, err := m.NewStream().Losses(ids)
					if err != nil {
						t.Fatal(err)
					}
					sum := 0.0
					for _, l := range losses {
						sum -= l
					}
					g := got.Scores[i]
					if g.Tokens != len(ids) || g.Unk != unknown(ids) || g.LogProb != sum {
						t.Errorf("%q: %d tokens, %d unknown, %v nats, want %d, %d, %v", line, g.Tokens, g.Unk, g.LogProb, len(ids), unknown(ids), sum)
					}
					if bits := -sum / float64(max(1, len(ids))) / math.Ln2; !(math.Abs(g.BitsPerToken-bits) <= 1e-12*bits) {
						t.Errorf("%q: %v bits, want %v", line, g.BitsPerToken, bits)
					}
					if want := len(ids); each && len(g.PerToken) != want || !each && g.PerToken != nil {
						t.Fatalf("%q: %d tokens, want %d", line, len(g.PerToken), want)
					}
					for j, p := range g.PerToken {
						if p.Token != m.Vocab.Token(ids[j]) || float32(p.LogProb) != float32(-losses[j]) {
							t.Errorf("%q: token %d is %+v, want %q %v", line, j, p, m.Vocab.Token(ids[j]), -losses[j])
						}
					}
				}
			}
			if n := s.batcher.Stats().Streams; n != 0 {
				t.Errorf("%d streams stay open", n)
			}
		})
	}
}

// Texts of one request run together.
func TestScoresShareTheirPasses(t *testing.T) {
	e, m := gru(t)
	c, s := start(t, e, m, nil)
	var texts []string
	for range 50 {
		texts = append(texts, "quick")
	}
	c.want(http.StatusOK, "POST", "/score", map[string]any{"texts": texts}, nil)
	if st := s.batcher.Stats(); st.Passes != 1 || st.Steps != 250 {
		t.Errorf("%d steps in %d passes, want 250 in 1", st.Steps, st.Passes)
	}
}

// A model that trains at the start draws words of its text.
func TestTrain(t *testing.T) {
	e := newEngine(t)
	m, err := train(t.Context(), e, text.New("two words", []byte(strings.Repeat("to be or not ", 400))), 16, 200_000)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := start(t, e, m, nil)
	got, _ := c.generate(c.open(`{"temperature": 0}`), request{Prompt: "to be", MaxTokens: 13})
	if got != " or not to be" {
		t.Errorf("%q", got)
	}
	if _, err := train(t.Context(), e, text.New("nothing", []byte("a")), 16, 1000); err == nil {
		t.Error("a text of one character is no error")
	}
	if want := fmt.Sprintf("GRU 16 of %d char tokens, vocabulary ", m.Vocab.Len()); !strings.HasPrefix(shape(m), want) {
		t.Errorf("%q, want %q", shape(m), want)
	}
}
