package lm

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"batchrnn/bench/lm/text"
	"batchrnn/rnn"
	"batchrnn/rnn/onnx"
	"batchrnn/rnn/safetensors"
)

// TestSafetensors: weights come back bit for bit, and what the configuration said of
// their training goes. Weights of another shape change neither.
func TestSafetensors(t *testing.T) {
	for _, m := range testNetworks(t, text.Char) {
		var weights bytes.Buffer
		if _, err := m.WriteSafetensors(&weights); err != nil {
			t.Fatal(err)
		}
		want := encode(t, m)
		other, err := rnn.New(newEngine(t), m.rnn.Config, 2)
		if err != nil {
			t.Fatal(err)
		}
		read := NewRNN(other, testCorpus(t, text.Char), Config{ValidBits: 1.5, TrainTokens: 3, Dropout: 0.5, Halve: true})
		read.WithSpeller(m.Speller)
		if err := read.ReadSafetensors(bytes.NewReader(weights.Bytes()), int64(weights.Len()), ""); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(read.Config.Description(), "trained") || read.Config.ValidBits != 0 || read.Config.TrainTokens != 0 {
			t.Errorf("%s: trained as %+v", m.Config.Name(), read.Config)
		}
		read.Config = m.Config
		if !bytes.Equal(encode(t, read), want) {
			t.Errorf("%s: other weights came back", m.Config.Name())
		}
		half := weights.Bytes()[:weights.Len()/2]
		if err := read.ReadSafetensors(bytes.NewReader(half), int64(len(half)), ""); err == nil || read.Config != m.Config {
			t.Errorf("%s: half a file: error %v, trained as %+v", m.Config.Name(), err, read.Config)
		}
	}
}

// TestWeightsOfFloat32: a model without weights of float32 says what it lacks.
func TestWeightsOfFloat32(t *testing.T) {
	models := testModels(t, text.Char)
	for want, m := range map[string]*Model{"n-gram model": models[0], "int8": models[len(models)-1]} {
		_, weights := m.WriteSafetensors(io.Discard)
		_, graph := m.WriteONNX(io.Discard)
		_, quantised := m.Quantise()
		for what, err := range map[string]error{"safetensors": weights, "ONNX": graph, "int8": quantised, "weights": m.ReadSafetensors(bytes.NewReader(nil), 0, "")} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: error %v, want one with %q", m.Config.Name(), what, err, want)
			}
		}
	}
}

// TestWriteONNX: a network gives a file.
func TestWriteONNX(t *testing.T) {
	for _, m := range testNetworks(t, text.Char) {
		var have, want bytes.Buffer
		if n, err := m.WriteONNX(&have); err != nil || n != int64(have.Len()) {
			t.Fatalf("%s: %d of %d bytes, error %v", m.Config.Name(), n, have.Len(), err)
		}
		if _, err := onnx.Write(&want, m.rnn); err != nil || !bytes.Equal(have.Bytes(), want.Bytes()) {
			t.Errorf("%s: not what onnx.Write writes, error %v", m.Config.Name(), err)
		}
	}
}

// weightsOf returns the tensors that a network writes.
func weightsOf(t *testing.T, m *Model) []safetensors.Floats {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.WriteSafetensors(&b); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var tensors []safetensors.Floats
	for _, tensor := range f.Tensors {
		values := make([]float32, tensor.Len())
		if err := f.Floats(values, tensor); err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, safetensors.Floats{Name: tensor.Name, Shape: tensor.Shape, Values: values})
	}
	return tensors
}

func readWeights(t *testing.T, m *Model, tensors []safetensors.Floats, prefix string) error {
	t.Helper()
	var b bytes.Buffer
	if _, err := safetensors.Write(&b, nil, tensors); err != nil {
		t.Fatal(err)
	}
	return m.ReadSafetensors(bytes.NewReader(b.Bytes()), int64(b.Len()), prefix)
}

// TestSafetensorsRefusesNaN: one value that is not finite, in any tensor, is named and
// changes nothing.
func TestSafetensorsRefusesNaN(t *testing.T) {
	for _, m := range testNetworks(t, text.Char) {
		before := encode(t, m)
		tensors := weightsOf(t, m)
		for i, tensor := range tensors {
			for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
				last := len(tensor.Values) - 1
				was := tensor.Values[last]
				tensor.Values[last] = bad
				err := readWeights(t, m, tensors, "")
				if want := fmt.Sprintf("tensor %q: NaN or infinite weights: 1 of %d: ", tensor.Name, len(tensor.Values)); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %v: error %v, want one with %q", m.Config.Name(), bad, err, want)
				}
				tensor.Values[last] = was
			}
			if i == 1 {
				tensors[0].Values[0], tensor.Values[0] = float32(math.NaN()), float32(math.NaN())
				if err := readWeights(t, m, tensors, ""); err == nil || !strings.Contains(err.Error(), "tensors with such weights: 2:") {
					t.Errorf("two tensors: error %v", err)
				}
				tensors[0].Values[0], tensor.Values[0] = 0, 0
			}
		}
		if !bytes.Equal(encode(t, m), before) {
			t.Errorf("%s: the model has changed", m.Config.Name())
		}
	}
}

// TestSafetensorsPrefix: weights behind a prefix are read by it, and other tensors don't
// matter.
func TestSafetensorsPrefix(t *testing.T) {
	for _, m := range testNetworks(t, text.Char) {
		want := encode(t, m)
		tensors := weightsOf(t, m)
		for i := range tensors {
			tensors[i].Name = "model.module." + tensors[i].Name
		}
		if err := readWeights(t, m, tensors, ""); err == nil || !strings.Contains(err.Error(), `prefix "model.module." in the file`) {
			t.Errorf("%s: no prefix: error %v", m.Config.Name(), err)
		}
		tensors = append(tensors, safetensors.Floats{Name: "step", Values: []float32{float32(math.NaN())}})
		if err := readWeights(t, m, tensors, "module."); err == nil || !strings.Contains(err.Error(), `no tensor has a name that begins with "module.": the first is "model.module.`) {
			t.Errorf("%s: another prefix: error %v", m.Config.Name(), err)
		}
		clear(m.rnn.Slab)
		was := m.Config
		if err := readWeights(t, m, tensors, "model.module."); err != nil {
			t.Fatal(err)
		}
		if m.Config = was; !bytes.Equal(encode(t, m), want) {
			t.Errorf("%s: other weights came back", m.Config.Name())
		}
	}
}
