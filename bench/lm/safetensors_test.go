package lm

import (
	"bytes"
	"io"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
)

// TestSafetensors: weights come back bit for bit, and what the configuration said of
// their training goes. Weights of another shape change neither.
func TestSafetensors(t *testing.T) {
	models := testModels(t, text.Char)
	for _, m := range models[1:] {
		var weights bytes.Buffer
		if _, err := m.WriteSafetensors(&weights); err != nil {
			t.Fatal(err)
		}
		want := encode(t, m)
		other, err := rnn.New(newEngine(t), m.rnn.Config, 2)
		if err != nil {
			t.Fatal(err)
		}
		read := NewRNN(other, testCorpus(t, text.Char), Config{ValidBits: 1.5, TrainTokens: 3})
		read.WithSpeller(m.Speller)
		if err := read.ReadSafetensors(bytes.NewReader(weights.Bytes()), int64(weights.Len())); err != nil {
			t.Fatal(err)
		}
		if read.Config.ValidBits != 0 || read.Config.TrainTokens != 0 {
			t.Errorf("%s: trained as %+v", m.Config.Name(), read.Config)
		}
		read.Config = m.Config
		if !bytes.Equal(encode(t, read), want) {
			t.Errorf("%s: other weights came back", m.Config.Name())
		}
		half := weights.Bytes()[:weights.Len()/2]
		if err := read.ReadSafetensors(bytes.NewReader(half), int64(len(half))); err == nil || read.Config != m.Config {
			t.Errorf("%s: half a file: error %v, trained as %+v", m.Config.Name(), err, read.Config)
		}
	}
	if _, err := models[0].WriteSafetensors(io.Discard); err == nil {
		t.Error("an n-gram model wrote weights")
	}
	if err := models[0].ReadSafetensors(bytes.NewReader(nil), 0); err == nil {
		t.Error("an n-gram model read weights")
	}
}
