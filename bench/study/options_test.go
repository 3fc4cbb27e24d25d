package study

import (
	"strings"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
	"batchrnn/rnn"
)

func goodOptions() Options {
	return Options{Levels: []text.Level{text.Char}, MaxOrder: 3, Cells: []rnn.CellKind{rnn.Vanilla}, Hidden: []int{8}, Budget: lasting(100 * time.Millisecond), Threads: 1, Seed: 1}
}

func lasting(d time.Duration) *time.Duration { return &d }

func TestValidateNamesTheOption(t *testing.T) {
	if err := goodOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	vocab := func(n int) *int { return &n }
	for name, test := range map[string]struct {
		option string
		set    func(*Options)
	}{
		"vocab 0":      {"Vocab", func(o *Options) { o.Vocab = vocab(0) }},
		"vocab 1":      {"Vocab", func(o *Options) { o.Vocab = vocab(1) }},
		"vocab -7":     {"Vocab", func(o *Options) { o.Vocab = vocab(-7) }},
		"seen 0 times": {"MinCount", func(o *Options) { o.MinCount = vocab(0) }},
		"order 0":      {"MaxOrder", func(o *Options) { o.MaxOrder = 0 }},
		"order 99":     {"MaxOrder", func(o *Options) { o.MaxOrder = 99 }},
		"no width":     {"Hidden", func(o *Options) { o.Hidden = nil }},
		"no cell":      {"Cell", func(o *Options) { o.Cells = nil }},
		"cell twice":   {"Cell", func(o *Options) { o.Cells = []rnn.CellKind{rnn.GRU, rnn.GRU} }},
		"width 0":      {"Hidden", func(o *Options) { o.Hidden = []int{8, 0} }},
		"width 2^30":   {"Hidden", func(o *Options) { o.Hidden = []int{1 << 30} }},
		"width twice":  {"Hidden", func(o *Options) { o.Hidden = []int{8, 16, 8} }},
		"no budget":    {"Budget", func(o *Options) { o.Budget = lasting(0) }},
		"budget -1s":   {"Budget", func(o *Options) { o.Budget = lasting(-time.Second) }},
		"budget 10 y":  {"Budget", func(o *Options) { o.Budget = lasting(10 * 365 * 24 * time.Hour) }},
		"no thread":    {"Threads", func(o *Options) { o.Threads = 0 }},
		"threads -1":   {"Threads", func(o *Options) { o.Threads = -1 }},
		"threads 2^20": {"Threads", func(o *Options) { o.Threads = 1 << 20 }},
	} {
		o := goodOptions()
		test.set(&o)
		if err := o.Validate(); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), test.option+": ") || !strings.Contains(err.Error(), "give") {
			t.Errorf("%s: error %v, want one about %s with a remedy", name, err, test.option)
		}
	}
}
