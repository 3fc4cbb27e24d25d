package rnnlm

import (
	"bytes"
	"flag"
	"math"
	"testing"
	"time"

	"batchrnn/bench/lm/text"
)

// The flags of TestQuality.
var (
	qualityCorpus    = flag.String("quality", "", "a text to train on at length; without one the test is skipped")
	qualityWords     = flag.Int("words", 0, "train on so many words instead of on characters")
	qualityHidden    = flag.Int("hidden", 400, "")
	qualityLayers    = flag.Int("layers", 1, "")
	qualityBudget    = flag.Duration("budget", time.Minute, "")
	qualitySeed      = flag.Uint64("seed", 1, "")
	qualityStreams   = flag.Int("streams", 0, "")
	qualitySteps     = flag.Int("steps", 0, "")
	qualityRate      = flag.Float64("rate", 0, "")
	qualityClip      = flag.Float64("clip", 0, "")
	qualityDropout   = flag.Float64("dropout", 0, "")
	qualityEmbedding = flag.Int("embedding", 0, "")
	qualityCell      = flag.String("cell", "rnn", "")
	qualityTied      = flag.Bool("tied", false, "")
	qualityAdaptive  = flag.Bool("adaptive", false, "")
	qualityHalve     = flag.Bool("halve", false, "")
	qualityPatience  = flag.Int("patience", 0, "")
)

// TestQuality trains one model as the flags have it, and reports what it scores
// and weighs. It fails only where the training does. FILE is an absolute path, for
// a test runs in the folder of its package:
//
//	go test ./bench/lm/rnnlm -run Quality -v -timeout 1h -quality FILE -hidden 416 -budget 5m
//	go test ./bench/lm/rnnlm -run Quality -v -timeout 1h -quality FILE -words 10000 -adaptive -dropout 0.3 -hidden 256 -budget 15m
func TestQuality(t *testing.T) {
	if *qualityCorpus == "" {
		t.Skip("-quality FILE names a text to train on")
	}
	source, err := text.Input{Paths: []string{*qualityCorpus}}.Read(bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	build := text.Options{}
	if *qualityWords > 0 {
		build = text.Options{Level: text.Word, MaxVocab: *qualityWords}
	}
	c, err := text.Build(source, build)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Hidden: *qualityHidden, Layers: *qualityLayers, Budget: *qualityBudget, Seed: *qualitySeed,
		Streams: *qualityStreams, Steps: *qualitySteps, Rate: *qualityRate, Clip: *qualityClip,
		Dropout: *qualityDropout, Embedding: *qualityEmbedding, Tied: *qualityTied, Halve: *qualityHalve, Patience: *qualityPatience,
	}
	if err := o.Cell.UnmarshalText([]byte(*qualityCell)); err != nil {
		t.Fatal(err)
	}
	if *qualityAdaptive {
		o.Cutoffs = AdaptiveCutoffs(c, *qualityHidden)
	}
	e := newEngine(t)
	said := time.Now()
	m, stats, err := Train(t.Context(), e, c, o, func(p Progress) {
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			t.Logf("%4.0f s, epoch %.2f, %.0f tokens/s, validation %.4f nats", p.Elapsed.Seconds(),
				float64(p.Tokens)/float64(len(c.Train)), p.TokensPerSecond(), p.Valid)
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
	if err != nil {
		t.Fatal(err)
	}
	perToken := nats / float64(len(c.Test))
	t.Logf("%+v", o.withDefaults())
	t.Logf("%d tokens in vocabulary, %d parameters, %d bytes to score with", c.Vocab.Len(), len(m.Slab), m.Bytes(e))
	t.Logf("%.1f epochs at %.0f tokens/s; validation %.4f, test %.4f nats per token, %.4f bits, perplexity %.2f",
		float64(stats.Tokens)/float64(len(c.Train)), stats.TokensPerSecond(), stats.Valid, perToken, perToken/math.Ln2, math.Exp(perToken))
}
