package lm

import (
	"bytes"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

// A file may come from before words were spelled.
func TestReadWithoutASpelling(t *testing.T) {
	m := testModels(t, text.Word)[0]
	m.Speller, m.Config.Spelling = nil, false
	file := encode(t, m)
	got, err := Read(bytes.NewReader(file), int64(len(file)), newEngine(t))
	if err != nil || got.Speller != nil {
		t.Errorf("a speller %v, error %v", got, err)
	}
}

// <unk> is drawn only where it can be spelled, and never as a word that the model
// knows; a sampler that doesn't spell draws as if there were no speller.
func TestSamplersSpell(t *testing.T) {
	for _, m := range append(testModels(t, text.Word), testModels(t, text.Sentence)...) {
		write := func(seed uint64) (written string, spelled int) {
			s := newSampler(t, m, rnn.Sampling{Temperature: 1, Seed: seed})
			s.Spell()
			var b []byte
			for range 300 {
				id, err := s.Next()
				if err != nil {
					t.Fatal(err)
				}
				at := len(b)
				b = s.AppendText(b, id)
				word := bytes.TrimPrefix(b[at:], []byte(" "))
				if m.ends(id) {
					word = []byte(text.EndToken)
				}
				if len(word) == 0 || m.Vocab.Has(word) != (id != text.Unk) {
					t.Fatalf("%s: token %d is written %q", m.Config.Name(), id, word)
				}
				if id == text.Unk {
					spelled++
				}
			}
			return string(b), spelled
		}
		one, spelled := write(1)
		if again, _ := write(1); again != one {
			t.Errorf("%s: one seed, two texts", m.Config.Name())
		}
		if m.rnn != nil && spelled == 0 { // which have learned nothing, not even that
			t.Errorf("%s: no word is spelled", m.Config.Name())
		}
	}
}
