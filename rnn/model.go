package rnn

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"

	"batchrnn/kernels"
)

// A Model is a network's parameters and their packed form. Any number of
// workspaces may run on it at once, as long as nothing changes the parameters.
//
// The sizes in Config and the lengths of the Params are for reading; the values
// of the parameters may be changed, with Update after it.
type Model struct {
	Config
	Params
	engine *kernels.Engine

	table    []weight // all weights
	packed   [roles][]packedWeight
	clusters []cluster
	training sync.Once // makes the transposes

	packing func(*kernels.Worker)
	step    stepState
}

// New returns a model whose weights are drawn as [Model.InitUniform] does. The same
// seed gives the same weights on every machine.
func New(e *kernels.Engine, c Config, seed uint64) (*Model, error) {
	if e == nil {
		return nil, errors.New("rnn: New: the engine is nil: make one with kernels.New")
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Cutoffs = slices.Clone(c.Cutoffs)
	m := &Model{Config: c, Params: newParams(c), engine: e}
	for i := range c.Cutoffs {
		m.clusters = append(m.clusters, c.cluster(i))
	}
	m.newPacked()
	m.packing, m.step.task = m.pack, m.stepShare
	m.step.sums = make([]float64, (len(m.Slab)+normChunk-1)/normChunk)
	m.draw(rand.New(rand.NewPCG(seed, 0)))
	m.Update()
	return m, nil
}

// Engine returns the engine that the model computes with.
func (m *Model) Engine() *kernels.Engine { return m.engine }
