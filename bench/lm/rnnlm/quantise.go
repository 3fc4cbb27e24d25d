package rnnlm

import (
	"errors"

	"batchrnn/rnn"
)

// A network draws texts for the means of its states: meanTexts at once, of meanTokens
// tokens each.
const (
	meanTexts  = 32
	meanTokens = 640
)

// Quantise returns the network with weights of int8. Biases take back what rounding shifts
// in the mean over texts that the network draws: see [rnn.Model.Quantise]. The same network
// gives the same bits. A text begins after start. After end, if it is a token, another one
// begins.
func Quantise(m *rnn.Model, start, end int32) (*rnn.Model, error) {
	means, err := drawnMeans(m, start, end)
	if errors.Is(err, rnn.ErrNotFinite) { // of weights that are not finite, Quantise tells which
		means, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.Quantise(means)
}

// drawnMeans returns the means over texts that the network draws.
func drawnMeans(m *rnn.Model, start, end int32) (*rnn.Means, error) {
	sampler, err := rnn.NewSampler(m.Engine(), rnn.Sampling{Temperature: 1, Seed: 1})
	if err != nil {
		return nil, err
	}
	means, ws, zero := m.NewMeans(), m.NewWorkspace(1, meanTexts), m.NewState(1)
	ids, logits := make([]int32, meanTexts), make([]float32, meanTexts*m.Output)
	for i := range ids {
		ids[i] = start
	}
	for range meanTokens {
		ws.Forward(ids)
		means.Add(ws)
		ws.Logits(logits, 0)
		ws.Carry()
		for i := range ids {
			if ids[i], err = sampler.Draw(logits[i*m.Output:][:m.Output]); err != nil {
				return nil, err
			}
			if ids[i] == end {
				ids[i] = start
				ws.SetRow(i, zero)
			}
		}
	}
	return means, nil
}
