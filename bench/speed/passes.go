package speed

import (
	"context"
	"math/rand/v2"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

const (
	deepSteps  = 50 // T of DeepBench
	vocabulary = 64 // ids of networks without an output layer: gathered, not counted
)

// newModel returns a model of a valid configuration.
func newModel(e *kernels.Engine, c rnn.Config) *rnn.Model {
	m, err := rnn.New(e, c, 1)
	if err != nil {
		panic(err) // the sizes were checked
	}
	return m
}

func randomIDs(n, limit int) []int32 {
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(r.IntN(limit))
	}
	return ids
}

// randoms returns n numbers between -bound and bound. They repeat after a prime number
// of elements, which saves seconds and makes no difference to a kernel.
func randoms(n int, bound float32) []float32 {
	const period = 4099
	r := rand.New(rand.NewPCG(3, 4))
	x := kernels.Floats(n)
	for i := range min(n, period) {
		x[i] = bound * (2*r.Float32() - 1)
	}
	for done := period; done < n; done *= 2 {
		copy(x[done:], x[:done])
	}
	return x
}

// gates returns G of a model's cells.
func gates(m *rnn.Model) int { return len(m.Cells[0].Bh) / m.Hidden }

// passes measures a network of one cell and size: DeepBench's vanilla one with ReLU, or
// a gated one. There is no input product, and packing is included. The backward pass
// computes the gradients of the weights and the chain through time. Operations are
// those of the products by the formulas: 2·G·H² a row and step forward, 4·G·H² backward.
func (s *Speed) passes(ctx context.Context, e *kernels.Engine, cell rnn.CellKind, h, b int) ([]Row, error) {
	row := Row{Kind: KindGated, ISA: e.ISA(), Cell: cell.String(), H: h, B: b, T: deepSteps, Threads: e.Threads()}
	c := rnn.Config{Input: vocabulary, Cell: cell, Layers: 1, Hidden: h}
	if cell == rnn.Vanilla {
		row.Kind, c.Activation = KindDeepBench, rnn.ReLU
	}
	m := newModel(e, c)
	ids := randomIDs(deepSteps*b, vocabulary)
	flops := 2 * float64(gates(m)) * float64(b) * float64(h) * float64(h) * deepSteps

	// Without a workspace for training, Update packs Wh alone.
	ws := m.NewWorkspace(deepSteps, b)
	r, err := timeFlops(ctx, s.Time, e, flops, func() {
		m.Update()
		ws.Forward(ids)
	})
	if err != nil {
		return nil, err
	}
	row.Pass = PassForward
	rows := []Row{row.rated(r)}

	ws = m.NewTraining(deepSteps, b)
	dh := randoms(deepSteps*b*h, 1)
	r, err = timeFlops(ctx, s.Time, e, 3*flops, func() {
		m.Update()
		ws.Forward(ids)
		ws.BackwardStates(dh, rnn.State{})
	})
	if err != nil {
		return rows, err
	}
	row.Pass = PassBoth
	return append(rows, row.rated(r)), nil
}

// forward measures the forward pass of a small network.
func (s *Speed) forward(ctx context.Context, e *kernels.Engine, h, b int) ([]Row, error) {
	const steps = 50
	ws := newModel(e, rnn.Config{Input: vocabulary, Layers: 1, Hidden: h}).NewWorkspace(steps, b)
	ids := randomIDs(steps*b, vocabulary)
	r, err := timeFlops(ctx, s.Time, e, float64(2*b*h*h*steps), func() { ws.Forward(ids) })
	if err != nil {
		return nil, err
	}
	row := Row{Kind: KindForward, ISA: e.ISA(), Cell: rnn.Vanilla.String(), H: h, B: b, T: steps, Pass: PassForward, Threads: e.Threads()}
	return []Row{row.rated(r)}, nil
}

// train measures whole steps of training a model of characters.
func (s *Speed) train(ctx context.Context, e *kernels.Engine, cell rnn.CellKind) ([]Row, error) {
	const v, h, b, steps = 65, 512, 32, 50
	m := newModel(e, rnn.Config{Input: v, Cell: cell, Layers: 1, Hidden: h, Output: v})
	ws, opt := m.NewTraining(steps, b), rnn.NewAdam(m, 1e-3)
	ids := randomIDs(steps*b, v)
	r, err := timeFlops(ctx, s.Time, e, 6*b*steps*float64(gates(m)*h*h+h*v), func() {
		ws.Forward(ids)
		ws.Backward(ids)
		m.Step(opt, ws.Grads.Slab, 5)
		ws.Carry()
	})
	if err != nil {
		return nil, err
	}
	row := Row{Kind: KindTrain, ISA: e.ISA(), Cell: cell.String(), H: h, B: b, T: steps, V: v, Pass: PassTrain, Threads: e.Threads()}.rated(r)
	row.TokensPerSecond = b * steps / r.best
	return []Row{row}, nil
}

// steps measures one row through a small network step by step. It measures 100 steps in
// one call, and each step as a call of its own.
func (s *Speed) steps(ctx context.Context) (rows []Row, err error) {
	const sequence = 100
	e := s.engines[1]
	ids := randomIDs(sequence, vocabulary)
	for _, h := range []int{32, 64} {
		m := newModel(e, rnn.Config{Input: vocabulary, Layers: 1, Hidden: h})
		for _, steps := range []int{sequence, 1} {
			ws := m.NewWorkspace(steps, 1)
			t, err := timeTogether(ctx, s.Time, func() {
				ws.Forward(ids[:steps])
				ws.Carry()
			})
			if err != nil {
				return rows, err
			}
			row := Row{Kind: KindStep, ISA: e.ISA(), Cell: rnn.Vanilla.String(), H: h, B: 1, T: steps, Pass: PassForward, Threads: 1}.timed(t[0])
			row.SecondsPerStep = t[0].best / float64(steps)
			rows = append(rows, row)
		}
	}
	return rows, nil
}
