package rnn

import (
	"fmt"
	"math/rand/v2"
)

// A Sampler draws a sequence of ids, one at a time, from a model whose outputs are its
// next inputs. Drawing allocates nothing.
type Sampler struct {
	ws    *Workspace
	probs []float32 // [V]
	rng   *rand.Rand
	id    [1]int32
}

// NewSampler returns a sampler that starts from the zero state. The same seed draws the
// same sequence.
func (m *Model) NewSampler(seed uint64) *Sampler {
	if m.Dense || m.Output == 0 || m.Output > m.Input {
		panic("rnn: NewSampler needs a model of ids whose outputs are its next inputs")
	}
	if m.Bidirectional || m.LastStep {
		panic("rnn: NewSampler needs a model of one direction with an output at every step")
	}
	return &Sampler{ws: m.NewWorkspace(1, 1), probs: make([]float32, m.Output), rng: rand.New(rand.NewPCG(seed, 1))}
}

// coldest is a temperature at which logits/temperature is still far from overflow. Any
// lower temperature also draws only the likeliest id.
const coldest = 1e-20

// Next feeds id and draws the next id from softmax(logits/temperature). Temperature 1
// draws from the model's own distribution. A temperature below 1 favours likely ids,
// and 0 takes the likeliest. It panics if temperature is below 0 or NaN, or if a logit
// is NaN.
func (s *Sampler) Next(id int32, temperature float32) int32 {
	if !(temperature >= 0) {
		panic(fmt.Sprintf("rnn: Sampler.Next: temperature is %v, want 0 or more", temperature))
	}
	ws := s.ws
	s.id[0] = id
	ws.Forward(s.id[:])
	ws.Logits(s.probs, 0)
	ws.Carry()
	for _, x := range s.probs {
		if x != x {
			panic("rnn: Sampler.Next: a logit is NaN: the model's parameters are, or its state")
		}
	}
	if temperature < coldest {
		return argmax(s.probs)
	}
	e := ws.m.engine
	e.Scale(1/temperature, s.probs)
	e.Softmax(1, len(s.probs), s.probs, len(s.probs))
	u := s.rng.Float64()
	for i, p := range s.probs {
		if u -= float64(p); u < 0 {
			return int32(i)
		}
	}
	return argmax(s.probs) // rounding leaves the sum of the probabilities below 1
}

func argmax(x []float32) int32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return int32(best)
}
