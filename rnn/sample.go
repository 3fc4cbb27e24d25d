package rnn

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"batchrnn/kernels"
)

// Sampling says how ids are drawn from logits. The zero value takes the likeliest id.
type Sampling struct {
	// Temperature divides the logits. 1 draws from the model's own distribution. Less
	// favours likely ids, and 0 takes the likeliest.
	Temperature float64
	// TopK and TopP restrict what is drawn to the likeliest ids, after the temperature:
	// top-k (Fan, Lewis & Dauphin 2018) and top-p, nucleus sampling (Holtzman et al.
	// 2020). The ids are sorted by probability, equal ones by their number. The first
	// TopK stay; 0 means all. Of these the first stay whose sum reaches a share TopP of
	// the sum of all TopK, at least one; 0 and 1 mean all. What stays is drawn in
	// proportion to its probability.
	TopK int
	TopP float64
	Seed uint64 // the same seed draws the same ids
}

// Validate returns an error that says which option is out of range, or nil.
func (o Sampling) Validate() error {
	switch {
	case !(o.Temperature >= 0 && o.Temperature <= math.MaxFloat32):
		return fmt.Errorf("rnn: a temperature of %v, must be 0 for the likeliest id, or more, such as 1", o.Temperature)
	case o.TopK < 0:
		return fmt.Errorf("rnn: TopK is %d, must be 1 or more, or 0 for all ids", o.TopK)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return fmt.Errorf("rnn: TopP is %v, must be above 0 and at most 1, or 0 for all ids", o.TopP)
	}
	return nil
}

// A Sampler draws ids from logits. It holds a position in a random sequence and no state
// of a network. So a thousand streams with a Sampler each draw what each would draw alone.
// Steady-state draws allocate nothing. Only one goroutine at a time may use a Sampler.
type Sampler struct {
	engine *kernels.Engine
	o      Sampling
	pcg    *rand.PCG
	rng    *rand.Rand // on pcg
	probs  []float32  // [V]
	heap   []int32    // [V], with TopK or TopP
}

// NewSampler returns a sampler. It returns an error if an option is out of range.
func NewSampler(e *kernels.Engine, o Sampling) (*Sampler, error) {
	if e == nil {
		return nil, errors.New("rnn: NewSampler: the engine is nil: make one with kernels.New")
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	pcg := rand.NewPCG(o.Seed, 1)
	return &Sampler{engine: e, o: o, pcg: pcg, rng: rand.New(pcg)}, nil
}

// coldest is a temperature at which logits divided by it are still far from overflow. Any
// lower temperature also draws only the likeliest id.
const coldest = 1e-20

// ErrNotFinite is the error of a draw from logits that are NaN, or whose largest is
// infinite. The parameters of the model are not finite then, or its state or input.
var ErrNotFinite = errors.New("rnn: a logit is not finite: look for NaN or infinity in the model's parameters, its state and its input")

// Draw draws an index of logits, [V], which may be log-probabilities too. It leaves them
// as they are. An index with -Inf is never drawn. It returns ErrNotFinite if a logit is
// NaN or the largest is infinite, and also if there is none.
func (s *Sampler) Draw(logits []float32) (int32, error) {
	best, ok := likeliest(logits)
	switch {
	case !ok:
		return 0, ErrNotFinite
	case s.o.Temperature < coldest:
		return best, nil
	}
	p := append(s.probs[:0], logits...)
	s.probs = p
	s.engine.Scale(1/float32(s.o.Temperature), p)
	s.engine.Softmax(1, len(p), p, len(p))
	u := s.rng.Float64()
	if s.o.TopK > 0 && s.o.TopK < len(p) || s.o.TopP > 0 && s.o.TopP < 1 {
		u *= s.restrict(p)
	}
	for i, x := range p {
		if u -= float64(x); u < 0 {
			return int32(i), nil
		}
	}
	return best, nil // rounding leaves the sum of the probabilities below 1
}

// likeliest returns the index of the largest logit, the first one of equals. ok is false
// if a logit is NaN, or the largest is infinite.
func likeliest(logits []float32) (best int32, ok bool) {
	top := float32(math.Inf(-1))
	for i, x := range logits {
		if x != x {
			return 0, false
		}
		if x > top {
			best, top = int32(i), x
		}
	}
	return best, !math.IsInf(float64(top), 0)
}

// restrict sets the probabilities that are not kept to 0. It returns the sum of the others.
func (s *Sampler) restrict(p []float32) float64 {
	// A heap gives the largest first. It is built in linear time, and a few of many ids
	// are then cheap.
	if cap(s.heap) < len(p) {
		s.heap = make([]int32, len(p))
	}
	h := s.heap[:len(p)]
	for i := range h {
		h[i] = int32(i)
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		sink(h, i, p)
	}
	// The ids taken from the heap follow it, the last one first.
	left := len(h)
	nth := func(i int) int32 {
		for len(h)-left <= i {
			left--
			h[0], h[left] = h[left], h[0]
			sink(h[:left], 0, p)
		}
		return h[len(h)-1-i]
	}
	kept, total := len(h), 0.0
	if s.o.TopK > 0 && s.o.TopK < kept {
		kept = s.o.TopK
		for i := range kept {
			total += float64(p[nth(i)])
		}
	} else {
		for _, x := range p {
			total += float64(x)
		}
	}
	if s.o.TopP > 0 && s.o.TopP < 1 {
		most, sum := kept, 0.0
		for kept = 0; kept < most && sum < s.o.TopP*total; kept++ {
			sum += float64(p[nth(kept)])
		}
		total = sum
	}
	for _, i := range h[:len(h)-kept] {
		p[i] = 0
	}
	return total
}

// sink moves h[i] down to its place in a heap of ids. The id of the largest probability is
// on top, of equal ones the smallest id.
func sink(h []int32, i int, p []float32) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && before(h[child+1], h[child], p) {
			child++
		}
		if !before(h[child], h[i], p) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// before reports whether id a stands before b.
func before(a, b int32, p []float32) bool {
	return p[a] > p[b] || p[a] == p[b] && a < b
}

// MarshalBinary returns the position in the random sequence. A sampler in another process
// can go on from it. It implements [encoding.BinaryMarshaler].
func (s *Sampler) MarshalBinary() ([]byte, error) { return s.pcg.MarshalBinary() }

// UnmarshalBinary sets the position. The options stay. It implements
// [encoding.BinaryUnmarshaler].
func (s *Sampler) UnmarshalBinary(position []byte) error { return s.pcg.UnmarshalBinary(position) }

// A Generator draws a sequence of ids, one at a time, from a model whose outputs are its
// next inputs. For many sequences at once see package rnn/streams. Drawing allocates
// nothing.
type Generator struct {
	ws      *Workspace
	state   State
	sampler *Sampler
	logits  []float32 // [V]
	id      [1]int32
}

// NewGenerator returns a generator that starts from the zero state. It returns an error if
// an option is out of range, or if the outputs of m are not its next inputs.
func (m *Model) NewGenerator(o Sampling) (*Generator, error) {
	if m.Dense || m.Output == 0 || m.Output > m.Input {
		return nil, errors.New("rnn: NewGenerator needs a model of ids whose outputs are its next inputs")
	}
	if m.Bidirectional || m.LastStep {
		return nil, errors.New("rnn: NewGenerator needs a model of one direction with an output at every step")
	}
	s, err := NewSampler(m.engine, o)
	if err != nil {
		return nil, err
	}
	return &Generator{ws: m.NewWorkspace(1, 1), state: m.NewState(1), sampler: s, logits: make([]float32, m.Output)}, nil
}

// Next feeds id and draws the next id. It panics if id is out of range. It returns
// ErrNotFinite as [Sampler.Draw] does.
func (g *Generator) Next(id int32) (int32, error) {
	g.id[0] = id
	g.ws.SetState(g.state)
	g.ws.Forward(g.id[:])
	g.ws.State(g.state)
	g.ws.Logits(g.logits, 0)
	return g.sampler.Draw(g.logits)
}

// SetState makes the generator go on from s, a state of one row.
func (g *Generator) SetState(s State) {
	g.ws.m.checkState("Generator.SetState", "s", s, 1)
	copy(g.state.H, s.H)
	copy(g.state.C, s.C)
}

// State sets dst, a state of one row, to the state after the last id that was fed.
func (g *Generator) State(dst State) {
	g.ws.m.checkState("Generator.State", "dst", dst, 1)
	copy(dst.H, g.state.H)
	copy(dst.C, g.state.C)
}
