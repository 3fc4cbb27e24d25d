package lm

import (
	"errors"
	"fmt"
	"io"
	"math"

	"batchrnn/rnn/safetensors"
)

var (
	errNoWeights = errors.New("an n-gram model has no weights: give an RNN")
	errInt8      = errors.New("its weights are int8, and this takes float32: give the model that it was made of")
)

// checkFloats returns an error unless the model is a network with weights of float32.
func (m *Model) checkFloats() error {
	switch {
	case m.rnn == nil:
		return errNoWeights
	case m.rnn.Int8:
		return errInt8
	}
	return nil
}

// WriteSafetensors writes the parameters of a network, without its vocabulary, as
// [rnn.Model.WriteSafetensors] does. It takes no quantised model.
func (m *Model) WriteSafetensors(w io.Writer) (int64, error) {
	if err := m.checkFloats(); err != nil {
		return 0, err
	}
	return m.rnn.WriteSafetensors(w)
}

// ReadSafetensors sets the parameters of a network from a file, as [rnn.Model.SetTensors]
// does from its tensors behind prefix, see [safetensors.File.Behind]. NaN and infinite
// weights are an error: no text has a cost under them. A quantised model takes none.
// Nothing else may use the model meanwhile. It clears what the configuration says of the
// training, but keeps the text, which the vocabulary comes from.
func (m *Model) ReadSafetensors(r io.ReaderAt, size int64, prefix string) error {
	if err := m.checkFloats(); err != nil {
		return err
	}
	f, err := safetensors.Open(r, size)
	if err != nil {
		return err
	}
	if f, err = f.Behind(prefix); err != nil {
		return err
	}
	if err := checkFinite(f, prefix); err != nil {
		return err
	}
	if err := m.rnn.SetTensors(f); err != nil {
		return err
	}
	c := &m.Config
	c.TrainSeconds, c.TrainTokens, c.ValidBits, c.BudgetSeconds, c.BudgetTokens, c.Interrupted = 0, 0, 0, 0, 0, false
	c.Dropout, c.Halve, c.Optimizer, c.Rate, c.Batch, c.Shards, c.Steps, c.Clip, c.TokensBefore = 0, false, "", 0, 0, 0, 0, 0, 0
	return nil
}

// checkFinite returns an error for the first tensor with NaN or infinite values, as
// float32. Tensors without floats are no weights: it leaves them to others.
func checkFinite(f *safetensors.File, prefix string) error {
	var bad []string
	for _, t := range f.Tensors {
		values := make([]float32, t.Len())
		if err := f.Floats(values, t); err != nil {
			continue
		}
		n := 0
		for _, v := range values {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				n++
			}
		}
		if n > 0 {
			bad = append(bad, fmt.Sprintf("tensor %.100q: NaN or infinite weights: %d of %d", prefix+t.Name, n, len(values)))
		}
	}
	switch len(bad) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: the training that wrote them has diverged", bad[0])
	}
	return fmt.Errorf("%s; tensors with such weights: %d: the training that wrote them has diverged", bad[0], len(bad))
}
