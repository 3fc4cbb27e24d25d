package bench

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/ngram"
)

func goodOptions() Options {
	return Options{MaxOrder: 3, Hidden: []int{8}, Budget: 100 * time.Millisecond, Threads: 1, Seed: 1}
}

func TestValidateNamesTheFlag(t *testing.T) {
	if err := goodOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	vocab := func(n int) *int { return &n }
	for name, test := range map[string]struct {
		flag string
		set  func(*Options)
	}{
		"vocab 0":      {"--vocab", func(o *Options) { o.Vocab = vocab(0) }},
		"vocab 1":      {"--vocab", func(o *Options) { o.Vocab = vocab(1) }},
		"vocab -7":     {"--vocab", func(o *Options) { o.Vocab = vocab(-7) }},
		"seen 0 times": {"--min-count", func(o *Options) { o.MinCount = vocab(0) }},
		"order 0":      {"--max-order", func(o *Options) { o.MaxOrder = 0 }},
		"order 99":     {"--max-order", func(o *Options) { o.MaxOrder = 99 }},
		"no width":     {"--hidden", func(o *Options) { o.Hidden = nil }},
		"width 0":      {"--hidden", func(o *Options) { o.Hidden = []int{8, 0} }},
		"width 2^30":   {"--hidden", func(o *Options) { o.Hidden = []int{1 << 30} }},
		"width twice":  {"--hidden", func(o *Options) { o.Hidden = []int{8, 16, 8} }},
		"no budget":    {"--budget", func(o *Options) { o.Budget = 0 }},
		"budget -1s":   {"--budget", func(o *Options) { o.Budget = -time.Second }},
		"budget 10 y":  {"--budget", func(o *Options) { o.Budget = 10 * 365 * 24 * time.Hour }},
		"no thread":    {"--threads", func(o *Options) { o.Threads = 0 }},
		"threads -1":   {"--threads", func(o *Options) { o.Threads = -1 }},
		"threads 2^20": {"--threads", func(o *Options) { o.Threads = 1 << 20 }},
	} {
		o := goodOptions()
		test.set(&o)
		var misuse *OptionError
		if err := o.Validate(); !errors.As(err, &misuse) || misuse.Name != test.flag || !strings.Contains(err.Error(), "give") {
			t.Errorf("%s: error %v, want one about %s with a remedy", name, err, test.flag)
		}
	}
}

func TestParseSmoothing(t *testing.T) {
	for _, want := range []ngram.Smoothing{ngram.KneserNey, ngram.Absolute} {
		if got, err := ParseSmoothing(want.String()); err != nil || got != want {
			t.Errorf("ParseSmoothing(%q) = %v, error %v", want, got, err)
		}
	}
	for _, s := range []string{"", "Kneser-Ney", "good-turing"} {
		var misuse *OptionError
		if _, err := ParseSmoothing(s); !errors.As(err, &misuse) || misuse.Name != "--smoothing" || !strings.Contains(err.Error(), "choose kneser-ney or absolute") {
			t.Errorf("ParseSmoothing(%q): error %v", s, err)
		}
	}
}

func TestParseWidths(t *testing.T) {
	for s, want := range map[string][]int{"128,256": {128, 256}, " 8, 16 ": {8, 16}, "-5": {-5}, "": nil, " ": nil} {
		if got, err := ParseWidths(s); err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseWidths(%q) = %v, error %v", s, got, err)
		}
	}
	for _, s := range []string{"8,,16", "8,", "a", "1.5", "99999999999999999999"} {
		var misuse *OptionError
		if _, err := ParseWidths(s); !errors.As(err, &misuse) || misuse.Name != "--hidden" {
			t.Errorf("ParseWidths(%q): error %v", s, err)
		}
	}
}
