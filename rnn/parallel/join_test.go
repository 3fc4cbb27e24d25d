package parallel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"batchrnn/kernels"
	"batchrnn/rnn"
)

// train trains for a few batches and returns the parameters and the losses. With join it
// leaves the sums to Join, else a single rank does without.
func train(r Reducer, c rnn.Config, squared, join bool) (params []float32, losses []float64, err error) {
	const T, B, shards = 5, 24, 8
	e, err := kernels.New("", 1)
	if err != nil {
		return nil, nil, err
	}
	defer e.Close()
	m, err := rnn.New(e, c, 1)
	if err != nil {
		return nil, nil, err
	}
	part, err := rnn.Shard{Shards: shards, Rows: B}.Of(r.Rank(), r.Ranks())
	if err != nil {
		return nil, nil, err
	}
	own := part.Own()
	ws := m.NewTraining(T, own.Len())
	ws.Shard(part)
	var joined *Joined
	if join {
		joined = Join(r, ws)
	}
	opt := rnn.NewAdam(m, 0.01)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		var ids, targets []int32
		var vectors []float32
		for range T {
			for row := range B {
				id, target := int32(rng.IntN(c.Input)), int32(rng.IntN(c.Output))
				if own.Lo <= row && row < own.Hi {
					ids, targets = append(ids, id), append(targets, target)
					for i := range c.Output {
						vectors = append(vectors, float32((int(target)+i)%7)/7)
					}
				}
			}
		}
		ws.Forward(ids)
		var loss float64
		if squared {
			loss = ws.BackwardSquared(vectors)
		} else {
			loss = ws.Backward(targets)
		}
		if join {
			if loss, err = joined.Wait(); err != nil {
				return nil, nil, err
			}
		}
		m.Step(opt, ws.Grads.Slab, 1)
		if !c.Bidirectional {
			ws.Carry()
		}
		losses = append(losses, loss)
	}
	return m.Params.Slab, losses, nil
}

var nets = map[string]rnn.Config{
	"vanilla":   {Input: 30, Layers: 1, Hidden: 20, Output: 30},
	"GRU":       {Cell: rnn.GRU, Input: 30, Layers: 2, Hidden: 20, Output: 30},
	"embedding": {Cell: rnn.LSTM, Input: 2000, Embedding: 9, Layers: 1, Hidden: 20, Output: 30},
	"tied":      {Cell: rnn.LSTM, Input: 300, Embedding: 20, Layers: 1, Hidden: 20, Output: 300, Tied: true},
	"tables":    {Cell: rnn.GRU, Input: 1000, Layers: 1, Hidden: 8, Output: 10, Bidirectional: true},
}

// Any number of ranks trains the same model.
func TestJoin(t *testing.T) {
	for name, c := range nets {
		for _, squared := range []bool{false, true} {
			params, losses, err := train(Local(1)[0], c, squared, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1, 2, 4, 8} {
				ranks := Local(n)
				for rank, err := range together(ranks, func(r Reducer) error {
					p, l, err := train(r, c, squared, true)
					if err != nil {
						return err
					}
					if !slices.Equal(l, losses) {
						return fmt.Errorf("losses %v, want %v", l, losses)
					}
					return sameBits("parameters", p, params)
				}) {
					if err != nil {
						t.Errorf("%s, squared %v: rank %d of %d: %v", name, squared, rank, n, err)
					}
				}
			}
		}
	}
}
