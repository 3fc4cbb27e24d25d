package rnnlm

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/rnn"
)

// withOptimizers returns options of trainings by each optimizer, with a rate that suits
// it.
func withOptimizers() map[string]Options {
	all := map[string]Options{}
	for name, rate := range map[string]float64{Adam: 0.01, AdamW: 0.01, Adagrad: 0.1, SGD: 1} {
		all[name] = Options{Hidden: 16, Tokens: 12_000, Seed: 5, Streams: 4, Steps: 15, Rate: rate, Optimizer: name}
	}
	if len(all) != len(Optimizers) {
		panic("an optimizer has no test")
	}
	return all
}

// TestOptimizersLearn: each learns the text and gives the same bits every time, also when
// it is resumed; no two give the same.
func TestOptimizersLearn(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	var all [][]float32
	for name, o := range withOptimizers() {
		slab, stats := train(t, e, c, o)
		if !(stats.Valid < 1) {
			t.Errorf("%s: %.3f nats a token, want less than 1", name, stats.Valid)
		}
		if stats.Options.Optimizer != name || stats.Options.Clip != vanillaRecipe.clip {
			t.Errorf("%s: trained with %+v", name, stats.Options)
		}
		for _, other := range all {
			if slices.Equal(slab, other) {
				t.Errorf("%s: the parameters are those of another optimizer", name)
			}
		}
		all = append(all, slab)
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		for _, steps := range []int{3, 40} {
			broken(t, e, c, o, steps)
		}
		if got, _ := train(t, e, c, o); firstDifference(got, slab) >= 0 {
			t.Errorf("%s: resumed, it has other bits", name)
		}
	}
}

// TestRecipeOfAdam: the optimizer of a training without options is the recipe's.
func TestRecipeOfAdam(t *testing.T) {
	for _, test := range []struct {
		Options
		beta2, decay float32
	}{
		{Options{Hidden: 8}, vanillaRecipe.beta2, 0},
		{Options{Hidden: 8, Cell: rnn.GRU}, gatedRecipe.beta2, 0},
		{Options{Hidden: 8, Cell: rnn.GRU, Optimizer: AdamW}, gatedRecipe.beta2, weightDecay},
	} {
		test.Budget = time.Hour
		tr, err := newTrainer(newEngine(t), tinyCorpus(t), test.Options.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		switch opt := tr.optimizer.Optimizer.(type) {
		case *rnn.Adam:
			if opt.Beta2 != test.beta2 || test.decay != 0 {
				t.Errorf("%+v: %+v", test.Options, opt)
			}
		case *rnn.AdamW:
			if opt.Beta2 != test.beta2 || opt.Decay != test.decay {
				t.Errorf("%+v: %+v", test.Options, opt)
			}
		default:
			t.Errorf("%+v: optimizer %T", test.Options, opt)
		}
	}
}

// TestStepOptionsCount: each option of a step changes the bits of a training, and is part
// of the identity of its checkpoint.
func TestStepOptionsCount(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	o := Options{Hidden: 8, Tokens: 5_000, Seed: 5, Streams: 4, Steps: 15, Rate: 0.01, Clip: 0.5}
	plain, _ := train(t, e, c, o)
	o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
	broken(t, e, c, o, 5)
	for want, change := range map[string]func(*Options){
		"rate 0.01, where this one has 0.02":           func(o *Options) { o.Rate = 0.02 },
		"streams 4, where this one has 3":              func(o *Options) { o.Streams = 3 },
		"steps 15, where this one has 14":              func(o *Options) { o.Steps = 14 },
		"clip 0.5, where this one has 0.1":             func(o *Options) { o.Clip = 0.1 },
		"clip 0.5, where this one has -1":              func(o *Options) { o.Clip = NoClip },
		"optimizer adam, where this one has adamw":     func(o *Options) { o.Optimizer = AdamW },
		"SHA-256 of the network to go on from , where": func(o *Options) { *o = o.Of(newModel(t, c.Vocab.Len(), 8)) },
	} {
		changed := o
		change(&changed)
		if _, _, err := Train(t.Context(), e, c, changed, func(Progress) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		changed.Checkpoint = ""
		if slab, _ := train(t, e, c, changed); slices.Equal(slab, plain) {
			t.Errorf("%s: the same bits", want)
		}
	}
}

// TestTooLargeGradientEndsTheTraining: before a validation it is an error that says what
// happened; after one the best parameters come back.
func TestTooLargeGradientEndsTheTraining(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for _, validated := range []bool{false, true} {
		o := Options{Hidden: 8, Budget: time.Hour, Clip: NoClip}.withDefaults()
		tr, err := newTrainer(e, c, o)
		if err != nil {
			t.Fatal(err)
		}
		tr.started = time.Now()
		if err := tr.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if validated {
			tr.validate(t.Context())
		}
		best := slices.Clone(tr.model.Slab)
		// A saturated output with a wrong answer has a gradient of about 1. Huge weights
		// before it make that of the states huge, and finite.
		for i := range tr.model.Wy {
			tr.model.Wy[i] *= 1e22
		}
		tr.model.Update()
		err = tr.run(t.Context(), func(Progress) {})
		stats := tr.stats(t.Context())
		switch {
		case !validated && (err == nil || !strings.Contains(err.Error(), "diverged after") || !strings.Contains(err.Error(), "gradient is too large")):
			t.Errorf("error %v", err)
		case validated && (err != nil || !stats.Diverged || stats.Interrupted || !slices.Equal(tr.model.Slab, best)):
			t.Errorf("after a validation: error %v, stats %+v", err, stats)
		}
		for i, v := range tr.model.Slab {
			if !(math.Abs(float64(v)) < math.MaxFloat32) {
				t.Fatalf("parameter %d is %v", i, v)
			}
		}
	}
}

// TestLargerBudget: a checkpoint is resumed with a larger budget, of time or of tokens,
// and says so; the schedule goes on over the new one.
func TestLargerBudget(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	o := Options{Hidden: 16, Tokens: 6_000, Seed: 5, Streams: 4, Steps: 15, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	first := broken(t, e, c, o, 60)
	at := first.progress.Tokens
	o.Tokens = 12_000
	tr, err := newTrainer(e, c, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.resume(); err != nil {
		t.Fatal(err)
	}
	tr.started = time.Now()
	want := o.withDefaults().Rate * rnn.CosineDecay(float64(at)/12_000, 0.01)
	if got := float64(tr.rate()); !within(got, want, 1e-6*want) {
		t.Errorf("after %d of 12,000 tokens the rate is %v, want %v", at, got, want)
	}
	_, stats := train(t, e, c, o)
	if !stats.Extended || stats.Resumed != at || stats.Tokens < 12_000 || stats.Tokens >= 12_060 {
		t.Errorf("stats %+v", stats)
	}
	// A checkpoint of the larger budget tells that there was a smaller one.
	broken(t, e, c, o, 1)
	if _, stats := train(t, e, c, o); !stats.Extended {
		t.Error("after another break the larger budget is forgotten")
	}
	o.Tokens = 11_999
	if _, _, err := Train(t.Context(), e, c, o, func(Progress) {}); err == nil || !strings.Contains(err.Error(), "a budget of tokens 12000, where this one has 11999") {
		t.Errorf("a smaller budget: error %v", err)
	}
	o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
	broken(t, e, c, o, 60)
	if _, stats := train(t, e, c, o); stats.Extended {
		t.Error("the same budget again counts as a larger one")
	}

	o = Options{Hidden: 8, Budget: time.Hour, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	broken(t, e, c, o, 30)
	o.Budget = 2 * time.Hour
	if tr, err = newTrainer(e, c, o.withDefaults()); err != nil {
		t.Fatal(err)
	}
	if err := tr.resume(); err != nil || !tr.extended {
		t.Errorf("a larger time: extended %t, error %v", tr.extended, err)
	}
	o.Budget = time.Minute
	if _, _, err := Train(t.Context(), e, c, o, func(Progress) {}); err == nil || !strings.Contains(err.Error(), "a budget of time 1h0m0s, where this one has 1m0s") {
		t.Errorf("a smaller time: error %v", err)
	}
}

// TestLargerBudgetHasRoomForValidations: a budget too short for any drops the validation
// text; a larger one has it again. Where there was a validation, the text stays the same.
func TestLargerBudgetHasRoomForValidations(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	for _, valid := range []float64{0, 1.5} {
		o := Options{Hidden: 8, Tokens: 3_000, Streams: 2, Steps: 5, Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
		tr, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		tr.started = time.Now()
		if err := tr.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := len(tr.valid)
		tr.cut, tr.valid, tr.progress.Valid = true, tr.valid[:3], valid
		if tr.save(); tr.progress.Unsaved != nil {
			t.Fatal(tr.progress.Unsaved)
		}
		o.Tokens *= 10
		again, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if err := again.resume(); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 3, false: all}[valid > 0]; len(again.valid) != want || again.cut != (valid > 0) {
			t.Errorf("lowest loss %v: %d tokens to validate on, cut %t, want %d", valid, len(again.valid), again.cut, want)
		}
	}
}

// TestGoingOn: a training goes on from a network of any form, by the same bits every time,
// and is better for it.
func TestGoingOn(t *testing.T) {
	e, c, dir := newEngine(t), tinyCorpus(t), t.TempDir()
	for name, o := range byTokens() {
		first, stats, err := Train(t.Context(), e, c, o, func(Progress) {})
		if err != nil {
			t.Fatal(err)
		}
		var slabs [][]float32
		for range 2 {
			m, err := rnn.New(e, first.Config, 99)
			if err != nil {
				t.Fatal(err)
			}
			copy(m.Slab, first.Slab)
			m.Update()
			more := Options{Tokens: 10_000, Seed: 5, Streams: 4, Steps: 15, Dropout: o.Dropout}.Of(m)
			slab, again := train(t, e, c, more)
			if again.Tokens < more.Tokens || again.Resumed != 0 || !(again.Valid < 1.05*stats.Valid) {
				t.Errorf("%s: %+v after %+v", name, again, stats)
			}
			slabs = append(slabs, slab)
		}
		if firstDifference(slabs[0], slabs[1]) >= 0 {
			t.Errorf("%s: two trainings go on to other bits", name)
		}
		if firstDifference(slabs[0], first.Slab) < 0 {
			t.Errorf("%s: nothing was learned", name)
		}
	}
	// The checkpoint of one network is not that of another.
	init := func(seed uint64) Options {
		m, err := rnn.New(e, Options{Hidden: 8}.config(c.Vocab.Len()), seed)
		if err != nil {
			t.Fatal(err)
		}
		return Options{Tokens: 3_000, Streams: 4, Steps: 15, Checkpoint: filepath.Join(dir, "checkpoint")}.Of(m)
	}
	broken(t, e, c, init(1), 5)
	if _, _, err := Train(t.Context(), e, c, init(2), func(Progress) {}); err == nil || !strings.Contains(err.Error(), "network to go on from") {
		t.Errorf("resumed from another network: error %v", err)
	}
	if _, stats := train(t, e, c, init(1)); stats.Resumed == 0 {
		t.Error("not resumed from the same network")
	}
	// What the options can't say is kept: here the activation.
	odd, err := rnn.New(e, rnn.Config{Input: c.Vocab.Len(), Layers: 2, Hidden: 8, Output: c.Vocab.Len(), Activation: rnn.ReLU}, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := Train(t.Context(), e, c, Options{Tokens: 500}.Of(odd), func(Progress) {})
	if err != nil || m.Activation != rnn.ReLU || m.Residual {
		t.Errorf("network %+v, error %v", m.Config, err)
	}
	for want, m := range map[string]*rnn.Model{"can't go on": newModel(t, c.Vocab.Len()+1, 8), "compact": odd} {
		if want == "compact" {
			m.Compact()
		}
		if _, _, err := Train(t.Context(), e, c, Options{Tokens: 500}.Of(m), func(Progress) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestCheckpointWithoutOptimizer: earlier versions knew Adam alone and don't name it.
func TestCheckpointWithoutOptimizer(t *testing.T) {
	e, c := newEngine(t), tinyCorpus(t)
	identityWith := func(optimizer string) (*trainer, string) {
		tr, err := newTrainer(e, c, Options{Hidden: 8, Budget: time.Hour, Rate: 0.1, Optimizer: optimizer}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(tr.identity)
		if err != nil {
			t.Fatal(err)
		}
		old := strings.NewReplacer(`"optimizer":"`+optimizer+`",`, "", `,"SHA-256 of the network to go on from":""`, "").Replace(string(raw))
		if strings.Contains(old, "optimizer") || strings.Contains(old, "network") {
			t.Fatalf("identity %s", old)
		}
		return tr, old
	}
	tr, old := identityWith(Adam)
	if err := tr.recognise([]byte(old)); err != nil {
		t.Error(err)
	}
	tr, old = identityWith(SGD)
	if err := tr.recognise([]byte(old)); err == nil || !strings.Contains(err.Error(), "optimizer adam, where this one has sgd") {
		t.Errorf("error %v", err)
	}
}
