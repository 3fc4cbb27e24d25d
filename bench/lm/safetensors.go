package lm

import (
	"errors"
	"io"
)

var errNoWeights = errors.New("an n-gram model has no weights: give an RNN")

// WriteSafetensors writes the parameters of a network, without its vocabulary, as
// [rnn.Model.WriteSafetensors] does.
func (m *Model) WriteSafetensors(w io.Writer) (int64, error) {
	if m.rnn == nil {
		return 0, errNoWeights
	}
	return m.rnn.WriteSafetensors(w)
}

// ReadSafetensors sets the parameters of a network from a file, as
// [rnn.Model.ReadSafetensors] does. Nothing else may use the model meanwhile. It clears
// what the configuration says of the training, but keeps the text, which the vocabulary
// comes from.
func (m *Model) ReadSafetensors(r io.ReaderAt, size int64) error {
	if m.rnn == nil {
		return errNoWeights
	}
	if err := m.rnn.ReadSafetensors(r, size); err != nil {
		return err
	}
	c := &m.Config
	c.TrainSeconds, c.TrainTokens, c.ValidBits, c.BudgetSeconds, c.BudgetTokens, c.Interrupted = 0, 0, 0, 0, 0, false
	c.Optimizer, c.Rate, c.Batch, c.Steps, c.Clip, c.TokensBefore = "", 0, 0, 0, 0, 0
	return nil
}
