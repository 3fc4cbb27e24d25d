package lm

import "batchrnn/rnn"

// streamSteps is the most tokens that a network reads in one pass.
const streamSteps = 64

// rnnStream reads one text at a time, in passes of at most streamSteps tokens.
type rnnStream struct {
	ws           *rnn.Workspace // [streamSteps,1]
	ids, targets []int32        // [streamSteps]
	length       [1]int32       // of a pass
}

func newRNNStream(m *rnn.Model) *rnnStream {
	return &rnnStream{
		ws:      m.NewWorkspace(streamSteps, 1),
		ids:     make([]int32, streamSteps),
		targets: make([]int32, streamSteps),
	}
}

// losses appends the nats of each of tokens after start, from the zero state, to dst.
func (s *rnnStream) losses(dst []float64, start int32, tokens []int32) []float64 {
	s.ws.Reset()
	for len(tokens) > 0 {
		n := copy(s.targets, tokens)
		s.ids[0] = start
		copy(s.ids[1:], tokens[:n])
		s.length[0] = int32(n)
		s.ws.SetLengths(s.length[:])
		s.ws.Forward(s.ids)
		s.ws.Loss(s.targets)
		for _, l := range s.ws.Losses[:n] {
			dst = append(dst, float64(l))
		}
		s.ws.Carry()
		start, tokens = tokens[n-1], tokens[n:]
	}
	return dst
}
