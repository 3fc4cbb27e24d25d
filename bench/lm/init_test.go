package lm

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/lm/rnnlm"
	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
	"batchrnn/rnn"
)

// trained runs a training, and returns the model and its file.
func trained(t *testing.T, o TrainOptions) (*Model, Trained, string) {
	t.Helper()
	o.Kind, o.Threads = RNN, 1
	training, err := NewTraining(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(training.Close)
	m, out, err := training.Run(t.Context(), func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.lm")
	if err := os.WriteFile(path, encode(t, m), 0o600); err != nil {
		t.Fatal(err)
	}
	return m, out, path
}

func ptr[T any](v T) *T { return &v }

// otherText writes a text with characters and words that writeText's lacks.
func otherText(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.txt")
	if err := os.WriteFile(path, []byte(strings.Repeat("The lazy ÜBER dog sleeps on. ", 150)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestInit: a model goes on in its own vocabulary, on its text or another one, and the
// same options give the same file.
func TestInit(t *testing.T) {
	// Sentences stand on lines of their own.
	lines := func(path string) string {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(raw, []byte(". "), []byte(".\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, other := lines(writeText(t)), lines(otherText(t))
	for _, level := range []text.Level{text.Char, text.Word, text.Sentence} {
		base := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(first), Level: level, Seed: 1}, Epochs: ptr(3.0), Hidden: ptr(12), Layers: ptr(2), Embedding: ptr(5), Cell: ptr(rnn.GRU)}
		from, _, file := trained(t, base)
		for _, corpus := range []string{first, other} {
			more := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus), Level: text.Char, Seed: 1}, AnyLevel: true, Epochs: ptr(2.0), Init: &file}
			m, out, path := trained(t, more)
			_, _, again := trained(t, more)
			a, _ := os.ReadFile(path)
			if b, _ := os.ReadFile(again); !bytes.Equal(a, b) {
				t.Errorf("%v, %s: two files", level, corpus)
			}
			c := m.Config
			if c.Level != level.String() || c.Vocab != from.Config.Vocab || c.Hidden != 12 || c.Layers != 2 || c.Embedding != 5 || c.Cell != "gru" || m.Vocab.Token(1) != from.Vocab.Token(1) {
				t.Errorf("%v: went on to %+v from %+v", level, c, from.Config)
			}
			if c.TokensBefore != from.Config.TrainTokens || c.before(from.Config.SHA256) != (corpus != first) || c.before(c.SHA256) {
				t.Errorf("%v: trained before on %d tokens of %q", level, c.TokensBefore, c.Before)
			}
			if !(out.BitsPerToken > 0) || out.ResumedTokens != 0 {
				t.Errorf("%v: %+v", level, out)
			}
			for split, seen := range map[string]bool{SplitAll: true, SplitTrain: true, SplitTest: false, SplitAuto: corpus != first} {
				if e, err := Evaluate(t.Context(), m, fileInput(first), split, nil, func(Progress) {}); err != nil || e.Seen != seen {
					t.Errorf("%v, split %s: seen %t, want %t, error %v", level, split, e.Seen, seen, err)
				}
			}
		}
	}
}

// TestInitSeen: what a model was trained on is no test of one that goes on from it, neither
// in the training nor in an evaluation.
func TestInitSeen(t *testing.T) {
	first, other := writeText(t), otherText(t)
	train := func(corpus string, change func(o *TrainOptions)) (*Model, Trained, string) {
		t.Helper()
		o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus), Seed: 1}, AnyLevel: true, Epochs: ptr(0.5)}
		change(&o)
		return trained(t, o)
	}
	begin := func(o *TrainOptions) { o.Hidden = ptr(8) }
	_, _, cut := train(first, begin)
	_, _, all := train(first, func(o *TrainOptions) { begin(o); o.All = true })
	_, _, own := train(first, func(o *TrainOptions) { begin(o); o.Valid, o.Test = &other, &other })
	_, _, between := train(other, func(o *TrainOptions) { o.Init = &all })
	_, _, twice := train(first, func(o *TrainOptions) { o.Init = &all })
	for name, test := range map[string]struct {
		init, corpus string
		test         *string
		seen         bool
	}{
		"held out before":               {cut, first, nil, false},
		"all of it before":              {all, first, nil, true},
		"with texts of their own":       {own, first, nil, true},
		"all of it, two trainings ago":  {between, first, nil, true},
		"all of it, in the first of 3":  {twice, first, nil, true},
		"another text":                  {all, other, nil, false},
		"a test on the text before":     {cut, other, &first, true},
		"a test on the text itself":     {all, other, &other, true},
		"a test on the one before that": {between, first, &other, true},
		"a test on a new text":          {cut, first, &other, false},
	} {
		m, out, _ := train(test.corpus, func(o *TrainOptions) { o.Init, o.Test = &test.init, test.test })
		if out.Seen != test.seen {
			t.Errorf("%s: trained on some of the test text: %t, want %t", name, out.Seen, test.seen)
		}
		if test.test != nil {
			continue
		}
		split := SplitTest
		if test.seen {
			split = SplitAll
		}
		if e, err := Evaluate(t.Context(), m, fileInput(test.corpus), SplitAuto, nil, func(Progress) {}); err != nil || e.Split != split || e.Seen != test.seen {
			t.Errorf("%s: evaluation of split %s, seen %t, error %v", name, e.Split, e.Seen, err)
		}
	}
}

// TestInitContradicted: an option that the model can't have is refused by its name; one
// that says what the model is anyway is not.
func TestInitContradicted(t *testing.T) {
	corpus := writeText(t)
	m, _, file := trained(t, TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus)}, Epochs: ptr(0.2), Hidden: ptr(8)})
	ngrams := filepath.Join(t.TempDir(), "n.lm")
	if err := os.WriteFile(ngrams, encode(t, testModels(t, text.Char)[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	unknown := filepath.Join(t.TempDir(), "unknown.txt")
	if err := os.WriteFile(unknown, []byte(strings.Repeat("Ω", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	spoiled := filepath.Join(t.TempDir(), "nan.lm")
	m.Network().Slab[5] = float32(math.NaN())
	if err := os.WriteFile(spoiled, encode(t, m), 0o600); err != nil {
		t.Fatal(err)
	}
	if m := testModels(t, text.Sentence)[1]; m.knowsAny([]int32{text.Unk, m.marks.End}) || !m.knowsAny([]int32{text.Unk, m.marks.End + 1}) {
		t.Error("the ends of sentences count as known")
	}
	for name, change := range map[string]func(*TrainOptions){
		"Init: \"":    func(o *TrainOptions) { o.Init = &spoiled },
		"Level":       func(o *TrainOptions) { o.Level, o.AnyLevel = text.Word, false },
		"Vocab":       func(o *TrainOptions) { o.Vocab = ptr(7) },
		"MinCount":    func(o *TrainOptions) { o.MinCount = ptr(2) },
		"Cell":        func(o *TrainOptions) { o.Cell = ptr(rnn.LSTM) },
		"Hidden":      func(o *TrainOptions) { o.Hidden = ptr(9) },
		"Layers":      func(o *TrainOptions) { o.Layers = ptr(2) },
		"Embedding":   func(o *TrainOptions) { o.Embedding = ptr(8) },
		"Tied":        func(o *TrainOptions) { o.Tied = true },
		"Init":        func(o *TrainOptions) { o.Init = &ngrams },
		"Init: model": func(o *TrainOptions) { o.Init = ptr(file + "none") },
		"Corpus":      func(o *TrainOptions) { o.Corpus = fileInput(unknown) },
	} {
		o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus)}, AnyLevel: true, Kind: RNN, Threads: 1, Init: &file}
		change(&o)
		training, err := NewTraining(o, nil)
		if err == nil {
			training.Close()
		}
		if failed := name == "Corpus" || strings.HasPrefix(name, "Init: "); err == nil || option.IsMisuse(err) == failed || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	trained(t, TrainOptions{TextOptions: TextOptions{Corpus: fileInput(corpus), Vocab: ptr(m.Vocab.Len())}, Epochs: ptr(0.2), Init: &file,
		Cell: ptr(rnn.Vanilla), Hidden: ptr(8), Layers: ptr(1), Embedding: ptr(0), FullSoftmax: true})
}

// TestInitSoftmax: a full softmax is refused of a model with an adaptive one. A model of
// int8 is refused.
func TestInitSoftmax(t *testing.T) {
	for _, m := range testModels(t, text.Char)[1:] {
		file := filepath.Join(t.TempDir(), "m.lm")
		if err := os.WriteFile(file, encode(t, m), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := TrainOptions{Init: &file, FullSoftmax: true, AnyLevel: true}.openInit(newEngine(t))
		if refused := err != nil && strings.HasPrefix(err.Error(), "FullSoftmax: "); refused != (m.Config.Softmax == rnnlm.AdaptiveSoftmax) {
			t.Errorf("%s: error %v", m.Config.Description(), err)
		}
		if refused := option.IsMisuse(err) && strings.Contains(err.Error(), file) && strings.Contains(err.Error(), "int8"); refused != m.Config.Int8 {
			t.Errorf("%s: error %v", m.Config.Description(), err)
		}
	}
}

// TestGoneOn: the texts before are listed once each, and not without end.
func TestGoneOn(t *testing.T) {
	c := Config{SHA256: "a", TrainTokens: 1}
	for i, sha := range []string{"a", "b", "a", "c", "c"} {
		next := Config{SHA256: sha, TrainTokens: 10}
		next.goneOn(c)
		if c = next; c.TokensBefore != int64(1+10*i) {
			t.Errorf("%d tokens before", c.TokensBefore)
		}
	}
	if c.Before != "a,b" {
		t.Errorf("texts before: %q, want a,b", c.Before)
	}
	for i := range 2 * mostBefore {
		next := Config{SHA256: strings.Repeat(string(rune('0'+i%10)), 10) + string(rune(0x4e00+i))}
		next.goneOn(c)
		c = next
	}
	if n := strings.Count(c.Before, ",") + 1; n != mostBefore || mostBefore*65 > maxConfig/2 {
		t.Errorf("%d texts are listed", n)
	}
}

// TestStepOptions: what was asked for, or else the default, is what trains, and stands in
// the model's file. Of places and steps that is as many as the text has room for.
func TestStepOptions(t *testing.T) {
	corpus := writeText(t)
	for _, test := range []struct {
		o    TrainOptions
		want Config
	}{
		{TrainOptions{}, Config{Optimizer: rnnlm.Adam, Rate: 0.01, Batch: 32, Steps: 25, Clip: 1}},
		{TrainOptions{Cell: ptr(rnn.GRU)}, Config{Optimizer: rnnlm.Adam, Rate: 0.015, Batch: 30, Steps: 50, Clip: 0.25}},
		{TrainOptions{Batch: ptr(1000)}, Config{Optimizer: rnnlm.Adam, Rate: 0.01, Batch: 61, Steps: 25, Clip: 1}},
		{TrainOptions{Steps: ptr(maxSteps)}, Config{Optimizer: rnnlm.Adam, Rate: 0.01, Batch: 1, Steps: 6119, Clip: 1}},
		{TrainOptions{Rate: ptr(0.5), Batch: ptr(4), Steps: ptr(9), Clip: ptr(3.5), Optimizer: ptr(rnnlm.SGD)}, Config{Optimizer: rnnlm.SGD, Rate: 0.5, Batch: 4, Steps: 9, Clip: 3.5}},
		{TrainOptions{Clip: ptr(0.0), Optimizer: ptr(rnnlm.AdamW)}, Config{Optimizer: rnnlm.AdamW, Rate: 0.01, Batch: 32, Steps: 25}},
	} {
		test.o.TextOptions, test.o.Epochs, test.o.Hidden = TextOptions{Corpus: fileInput(corpus)}, ptr(0.5), ptr(8)
		m, _, file := trained(t, test.o)
		back, err := Open(file, newEngine(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Config{m.Config, back.Config} {
			if got := (Config{Optimizer: c.Optimizer, Rate: c.Rate, Batch: c.Batch, Steps: c.Steps, Clip: c.Clip}); got != test.want {
				t.Errorf("trained with %+v, want %+v", got, test.want)
			}
		}
	}
}

// TestBadStepOptions: each is refused by its name, before anything is read.
func TestBadStepOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*TrainOptions)
	}{
		{"Rate", func(o *TrainOptions) { o.Rate = ptr(0.0) }},
		{"Rate", func(o *TrainOptions) { o.Rate = ptr(math.NaN()) }},
		{"Rate", func(o *TrainOptions) { o.Rate = ptr(1e-60) }},
		{"Clip", func(o *TrainOptions) { o.Clip = ptr(1e-60) }}, // not no clipping
		{"Rate", func(o *TrainOptions) { o.Rate = ptr(math.Inf(1)) }},
		{"Rate", func(o *TrainOptions) { o.Optimizer = ptr(rnnlm.SGD) }},
		{"Rate", func(o *TrainOptions) { o.Optimizer = ptr(rnnlm.Adagrad) }},
		{"Batch", func(o *TrainOptions) { o.Batch = ptr(0) }},
		{"Batch", func(o *TrainOptions) { o.Batch = ptr(maxBatch + 1) }},
		{"Steps", func(o *TrainOptions) { o.Steps = ptr(-1) }},
		{"Steps", func(o *TrainOptions) { o.Steps = ptr(maxSteps + 1) }},
		{"Clip", func(o *TrainOptions) { o.Clip = ptr(-1.0) }},
		{"Clip", func(o *TrainOptions) { o.Clip = ptr(math.NaN()) }},
		{"Clip", func(o *TrainOptions) { o.Clip = ptr(1e39) }},
		{"Optimizer", func(o *TrainOptions) { o.Optimizer = ptr("lion") }},
		{"Optimizer", func(o *TrainOptions) { o.Optimizer = ptr("") }},
		{"Batch and Steps", func(o *TrainOptions) { o.Batch, o.Steps = ptr(maxBatch), ptr(maxSteps) }},
		{"Batch and Steps", func(o *TrainOptions) { o.Batch = ptr(maxBatch); o.Hidden = ptr(30_000) }},
	} {
		o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(writeText(t))}, Kind: RNN, Threads: 1}
		test.change(&o)
		training, err := NewTraining(o, nil)
		if err == nil {
			training.Close()
		}
		if !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), test.name+": ") {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
}

// TestLargeSteps: it is the product of batch and steps that is too large, not one of them.
func TestLargeSteps(t *testing.T) {
	e := newEngine(t)
	source, err := ReadText(fileInput(writeText(t)), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewData(source, TextOptions{}, Parts{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		batch, steps int
		refused      bool
	}{{1, maxSteps, false}, {maxBatch, 1, false}, {maxBatch, maxSteps, true}, {0, maxSteps, true}, {maxBatch, 0, true}} {
		err := d.checkSteps(e, rnnlm.Options{Hidden: 4096, Streams: test.batch, Steps: test.steps})
		if refused := err != nil && strings.Contains(err.Error(), "can't read"); refused != test.refused { // memory may be short, too
			t.Errorf("batch %d, %d steps: error %v", test.batch, test.steps, err)
		}
	}
}

// TestDivergedTraining: the error names the rate, what was tried, and what else helps.
func TestDivergedTraining(t *testing.T) {
	for clip, want := range map[float64]string{0.5: "or a lower Clip", 0: "or a Clip"} {
		training, err := NewTraining(TrainOptions{TextOptions: TextOptions{Corpus: fileInput(writeText(t))}, Kind: RNN, Threads: 1, Hidden: ptr(8),
			Epochs: ptr(50.0), Clip: &clip}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer training.Close()
		training.network.Rate = 1e42 // a thousand, the most, need not be enough
		m, _, err := training.Run(t.Context(), func(Progress) {})
		if m != nil || err == nil || option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Rate: training has diverged after ") || !strings.Contains(err.Error(), "than 1e+42, "+want) {
			t.Errorf("model %v, error %v", m != nil, err)
		}
	}
}
