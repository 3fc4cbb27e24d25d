package lm

import (
	"io"

	"batchrnn/rnn/onnx"
)

// WriteONNX writes a network, without its vocabulary, as [onnx.Write] does. The ids that
// it reads, and those of its outputs, are numbers of the vocabulary. It takes no quantised
// model.
func (m *Model) WriteONNX(w io.Writer) (int64, error) {
	if err := m.checkFloats(); err != nil {
		return 0, err
	}
	return onnx.Write(w, m.rnn)
}
