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

// ReadSafetensors sets the parameters of a network to those of a file, as
// [rnn.Model.ReadSafetensors] does, while nothing else uses the model. What its
// configuration said of its training goes, but for the text, which its vocabulary
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
	return nil
}
