package study

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/memory"
	"batchrnn/internal/option"
	"batchrnn/kernels"
)

// writeText writes a text of some 7,000 characters and returns its path.
func writeText(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, and the dog sleeps on. ", 100)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newSmall(t *testing.T, change func(*Options)) *Study {
	t.Helper()
	o := goodOptions()
	o.Corpus.Paths = []string{writeText(t)}
	if change != nil {
		change(&o)
	}
	s, err := New(o, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestRunMeasuresEveryModel(t *testing.T) {
	s := newSmall(t, func(o *Options) { o.Hidden = []int{8, 16} })
	var begun, measured []string
	all, err := s.Run(t.Context(), func(e Event) {
		if e.Of != 5 || e.Measured == nil && e.Work == "" || e.Fraction != lm.Unknown && !(e.Fraction >= 0 && e.Fraction <= 1) {
			t.Errorf("event %+v", e)
		}
		if len(begun) < e.Nth {
			begun = append(begun, e.Model)
		}
		if e.Measured != nil {
			measured = append(measured, e.Measured.Name())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	r := all.At("char")
	want := "1-gram 2-gram 3-gram RNN 8 RNN 16"
	if got := strings.Join(begun, " "); got != want {
		t.Errorf("begun: %s", got)
	}
	want = "1-gram 2-gram 3-gram RNN 8 RNN 8 int8 RNN 16 RNN 16 int8"
	if got := strings.Join(measured, " "); got != want {
		t.Errorf("measured: %s", got)
	}
	if len(r.Models) != 3*len(ngram.Stores)+4 || len(r.OneStore()) != 7 || r.Interrupted || r.Summary == "" || len(r.Notes) == 0 {
		t.Fatalf("result %+v", r)
	}
	var before Model // of the n-gram models
	for _, m := range r.Models {
		for what, v := range map[string]float64{
			"entries or parameters": float64(m.Entries + m.Parameters), "bytes": float64(m.BytesPredicted),
			"training time": m.TrainSeconds, "training speed": m.TrainTokensPerSecond,
			"scoring speed": m.ScoreTokensPerSecond, "bits": m.BitsPerToken,
		} {
			if !(v > 0) || math.IsInf(v, 0) {
				t.Errorf("%s: %s is %v", m.Name(), what, v)
			}
		}
		if m.Kind != KindNgram {
			continue
		}
		if m.Smoothing != "kneser-ney" || !m.FixedDiscounts { // repeats leave nothing that was seen once
			t.Errorf("%s: smoothing %q, fixed discounts %v", m.FullName(), m.Smoothing, m.FixedDiscounts)
		}
		switch {
		case m.Store == "map" && m.Order > 1 && !(m.BitsPerToken < before.BitsPerToken):
			t.Errorf("%s does not predict a text of repeats better than the order below", m.Name())
		case m.Store != "map" && m.Store != "quantised trie" && m.BitsPerToken != before.BitsPerToken:
			t.Errorf("%s: %v bits, %v %s", m.FullName(), m.BitsPerToken, before.BitsPerToken, before.FullName())
		}
		before = m
	}
	if c := r.Corpus; c.Tokens != 6800 || c.Train+c.Valid+c.Test != c.Tokens || len(c.SHA256) != 64 {
		t.Errorf("corpus %+v", c)
	}
}

func TestRunReturnsWhatItHasWhenCancelled(t *testing.T) {
	for name, test := range map[string]struct {
		at    string // the model at whose first event the run is cancelled
		after time.Duration
		most  int
		least int
	}{
		"at once":             {"1-gram", 0, 0, 0},
		"before the training": {"RNN 8", 0, 12, 12},
		"in the training":     {"RNN 8", 500 * time.Millisecond, 13, 13},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSmall(t, func(o *Options) { o.Budget = lasting(time.Hour); o.Hidden = []int{8, 16} })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			begun := false
			var cancelled time.Time
			all, err := s.Run(ctx, func(e Event) {
				if e.Model != test.at || begun {
					return
				}
				begun = true
				cancelled = time.Now().Add(test.after)
				if test.after == 0 {
					cancel()
				} else {
					time.AfterFunc(test.after, cancel)
				}
			})
			r := all.At("char")
			if err != nil || !r.Interrupted {
				t.Errorf("interrupted %v, error %v", r.Interrupted, err)
			}
			if len(r.Models) < test.least || len(r.Models) > test.most {
				t.Fatalf("%d models, want %d to %d", len(r.Models), test.least, test.most)
			}
			if n := len(r.Models); n == 13 && !(r.Models[12].Interrupted && r.Models[12].BitsPerToken > 0) {
				t.Errorf("the RNN's row is %+v", r.Models[12])
			}
			if took := time.Since(cancelled); took > 10*time.Second {
				t.Errorf("stopped after %v", took)
			}
		})
	}
}

func TestInterruptedRNNKeepsItsRowUnscored(t *testing.T) {
	defer func(d time.Duration) { lm.GraceTime = d }(lm.GraceTime)
	lm.GraceTime = 0 // as if scoring and measuring took too long
	s := newSmall(t, func(o *Options) { o.Budget = lasting(time.Hour); o.Hidden = []int{8} })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all, err := s.Run(ctx, func(e Event) {
		if e.Model == "RNN 8" && e.Fraction > 0 {
			cancel()
		}
	})
	r := all.At("char")
	if err != nil || !r.Interrupted || len(r.Models) != 13 {
		t.Fatalf("interrupted %v, %d models, error %v", r.Interrupted, len(r.Models), err)
	}
	m := r.Models[12]
	if !m.Interrupted || !m.Unscored || m.BitsPerToken != 0 || !m.ResidentUnknown ||
		m.Parameters == 0 || m.BytesPredicted == 0 || m.TrainSeconds == 0 || m.TrainTokens == 0 {
		t.Errorf("the RNN's row is %+v", m)
	}
	notes := strings.Join(r.Notes, " ")
	if !strings.Contains(notes, "RNN 8: bits are not known") || !strings.Contains(notes, "RNN 8: resident memory is not known") {
		t.Errorf("notes: %s", notes)
	}
	if strings.Contains(r.Summary, "no RNN was measured") || !strings.Contains(r.Summary, "how well it predicts was not measured") {
		t.Errorf("summary: %s", r.Summary)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	path := writeText(t)
	for name, test := range map[string]struct {
		change func(*Options)
		isa    string
		option string
		misuse bool
	}{
		"bad option":     {func(o *Options) { o.MaxOrder = 0 }, "", "MaxOrder", true},
		"no such corpus": {func(o *Options) { o.Corpus.Paths = []string{path + ".missing"} }, "", "Corpus", false},
		"unknown set":    {nil, "mmx", kernels.EnvISA, true},
		"too wide":       {func(o *Options) { o.Hidden = []int{1 << 16}; o.Levels = []text.Level{text.Word} }, "", "Hidden", true},
	} {
		o := goodOptions()
		o.Corpus.Paths = []string{path}
		if test.change != nil {
			test.change(&o)
		}
		t.Setenv(kernels.EnvISA, test.isa)
		if name == "too wide" && memory.Free() > 100<<30 {
			continue // where 2^16 is not too wide
		}
		_, err := New(o, nil, nil, nil)
		if err == nil || !strings.HasPrefix(err.Error(), test.option+": ") || option.IsMisuse(err) != test.misuse || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line about %s", name, err, test.option)
		}
	}
}
