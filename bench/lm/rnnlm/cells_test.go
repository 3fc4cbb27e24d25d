package rnnlm

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"batchrnn/rnn"
)

// TestCheckpointWithoutACell wants one that names no cell to be of vanilla cells.
func TestCheckpointWithoutACell(t *testing.T) {
	e, c := oneThread(t), tinyCorpus(t)
	for _, cell := range []rnn.CellKind{rnn.Vanilla, rnn.LSTM} {
		o := byTokens()["adaptive"]
		o.Cell = cell
		tr, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		vanilla := tr.identity
		vanilla.Cell = rnn.Vanilla
		raw, err := json.Marshal(vanilla)
		if err != nil {
			t.Fatal(err)
		}
		old := bytes.Replace(raw, []byte(`"cell":"rnn",`), nil, 1)
		if len(old) == len(raw) {
			t.Fatalf("no cell in %s", raw)
		}
		err = tr.recognise(old)
		if cell == rnn.Vanilla && err != nil || cell != rnn.Vanilla && (!errors.Is(err, errOther) || !strings.Contains(err.Error(), "cell rnn, where this one has lstm")) {
			t.Errorf("%v: error %v", cell, err)
		}
	}
}

// TestCheckpointWithoutAnEmbedding wants one that names no embedding to be of none.
func TestCheckpointWithoutAnEmbedding(t *testing.T) {
	e, c := oneThread(t), tinyCorpus(t)
	for _, width := range []int{0, 5} {
		o := byTokens()["plain"]
		o.Embedding = width
		tr, err := newTrainer(e, c, o.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		without := tr.identity
		without.Embedding = 0
		raw, err := json.Marshal(without)
		if err != nil {
			t.Fatal(err)
		}
		old := bytes.Replace(raw, []byte(`"embedding":0,`), nil, 1)
		if len(old) == len(raw) {
			t.Fatalf("no embedding in %s", raw)
		}
		err = tr.recognise(old)
		if width == 0 && err != nil || width > 0 && (!errors.Is(err, errOther) || !strings.Contains(err.Error(), "embedding 0, where this one has 5")) {
			t.Errorf("width %d: error %v", width, err)
		}
	}
}
