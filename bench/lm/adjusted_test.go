package lm

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
)

// train trains a model of words with so many entries in the vocabulary.
func train(t *testing.T, kind, path string, vocab, minCount int) (*Model, Trained, Corpus) {
	t.Helper()
	o := TrainOptions{TextOptions: TextOptions{Corpus: fileInput(path), Level: text.Word, Vocab: &vocab, MinCount: &minCount, Seed: 1}, Kind: kind, Threads: 1}
	training, err := NewTraining(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(training.Close)
	m, trained, err := training.Run(t.Context(), func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	return m, trained, training.Corpus()
}

// A vocabulary of one word and <unk> has next to nothing to predict. With every
// <unk> spelled, that helps no longer.
func TestShrinkingTheVocabularyDoesNotHelpAdjustedPerplexity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, text.Synthetic(1, 200_000).Data, 0o600); err != nil {
		t.Fatal(err)
	}
	var raw, adjusted []float64
	for _, vocab := range []int{2, 20, 200, 100_000} {
		m, trained, c := train(t, Ngram, path, vocab, 1)
		if want := trained.BitsPerToken + c.UnkRate*c.UnkBits; !(math.Abs(trained.AdjustedBits-want) <= 1e-9) {
			t.Errorf("vocabulary of %d: %v bits adjusted, want %v", vocab, trained.AdjustedBits, want)
		}
		raw, adjusted = append(raw, float64(trained.Perplexity)), append(adjusted, float64(trained.Adjusted))

		// What a model of the file says is what the training said.
		e, err := Evaluate(t.Context(), m, fileInput(path), SplitTest, nil, func(Progress) {})
		if err != nil || !(math.Abs(e.AdjustedBits-trained.AdjustedBits) <= 1e-6) || e.UnkRate != c.UnkRate || e.AdjustedUnknown {
			t.Errorf("vocabulary of %d: evaluated %+v, error %v", vocab, e, err)
		}
		if tokens := e.TokensPerSecond * e.Seconds; e.Seconds > 0 && !(math.Abs(tokens-float64(e.Tokens)) <= 0.01) {
			t.Errorf("%v tokens a second for %v s, and %d tokens", e.TokensPerSecond, e.Seconds, e.Tokens)
		}
		for _, split := range []string{SplitAll, SplitTrain, SplitValid} {
			if e, err := Evaluate(t.Context(), m, fileInput(path), split, nil, func(Progress) {}); err != nil || !(e.AdjustedBits >= e.BitsPerToken) {
				t.Errorf("vocabulary of %d, split %s: %+v, error %v", vocab, split, e, err)
			}
		}
	}
	t.Logf("perplexities %.4g, adjusted %.4g", raw, adjusted)
	last := len(raw) - 1
	if !(raw[0] <= 3) || !(raw[0] <= raw[last]/10) {
		t.Errorf("the smallest vocabulary has a perplexity of %v, the largest %v: nothing to adjust", raw[0], raw[last])
	}
	for i := range last {
		if !(adjusted[i] >= adjusted[i+1]) {
			t.Errorf("adjusted perplexities %v: a smaller vocabulary is better", adjusted)
		}
	}
	m, _, _ := train(t, Ngram, path, 20, 1)
	m.Speller = nil
	if e, err := Evaluate(t.Context(), m, fileInput(path), SplitTest, nil, func(Progress) {}); err != nil || !e.AdjustedUnknown || e.Adjusted != 0 {
		t.Errorf("without a speller: %+v, error %v", e, err)
	}
}

func TestDrawSpells(t *testing.T) {
	m, _, _ := train(t, Ngram, writeText(t), 100, 110)
	draw := func(spell bool) Sample {
		t.Helper()
		s, err := Draw(m, SampleOptions{Length: 200, Temperature: 1, Seed: 1, Spell: spell}, func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain, spelled := draw(false), draw(true)
	if plain.Spelled != 0 || strings.Contains(plain.Text, "<unk>") || spelled.Spelled == 0 || spelled.Spelled == 200 || spelled.Tokens != 200 {
		t.Errorf("%d spelled without, %d with", plain.Spelled, spelled.Spelled)
	}
	if again := draw(true); again != spelled {
		t.Error("one seed, two texts")
	}
	unknown := 0
	for word := range strings.FieldsSeq(spelled.Text) {
		if !m.Vocab.Has([]byte(word)) {
			unknown++
		}
	}
	if unknown != spelled.Spelled {
		t.Errorf("%d words that the vocabulary doesn't have, %d spelled", unknown, spelled.Spelled)
	}
	m.Speller = nil
	if _, err := Draw(m, SampleOptions{Length: 1, Spell: true}, func([]byte) error { return nil }); err == nil || !strings.Contains(err.Error(), "Spell") {
		t.Errorf("without a speller: error %v", err)
	}
}
