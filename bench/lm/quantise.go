package lm

import "batchrnn/bench/lm/rnnlm"

// Quantise returns the model with weights of int8, as [rnnlm.Quantise] does. m stays as it
// is. What the configuration says of the training is that of m.
func (m *Model) Quantise() (*Model, error) {
	if err := m.checkFloats(); err != nil {
		return nil, err
	}
	network, err := rnnlm.Quantise(m.rnn, m.start(), m.end())
	if err != nil {
		return nil, err
	}
	q := *m
	q.rnn, q.sections = network, nil
	q.Config.setNetwork(network.Config)
	return &q, nil
}
