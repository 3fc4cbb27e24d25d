package parallel_test

import (
	"fmt"
	"sync"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/parallel"
)

// A program calls train once, with the reducer of [parallel.Start]. Here two goroutines
// stand for two processes.
func Example() {
	losses := make([]float64, 2)
	var wg sync.WaitGroup
	for i, r := range parallel.Local(2) {
		wg.Go(func() {
			var err error
			if losses[i], err = train(r); err != nil {
				fmt.Println(err)
			}
		})
	}
	wg.Wait()
	fmt.Println("learnt:", losses[0] < 0.01)
	fmt.Println("the same in both:", losses[0] == losses[1])
	// Output:
	// learnt: true
	// the same in both: true
}

// train learns to count: after id i comes i+1.
func train(r parallel.Reducer) (loss float64, err error) {
	const T, B, V = 6, 16, 10
	defer r.Close()
	engine, err := kernels.New("", 1)
	if err != nil {
		return 0, err
	}
	m, err := rnn.New(engine, rnn.Config{Input: V, Layers: 1, Hidden: 16, Output: V}, 1)
	if err != nil {
		return 0, err
	}

	part, err := rnn.Shard{Shards: 8, Rows: B}.Of(r.Rank(), r.Ranks())
	if err != nil {
		return 0, err
	}
	own := part.Own()
	ws := m.NewTraining(T, own.Len())
	ws.Shard(part)
	joined := parallel.Join(r, ws)

	opt := rnn.NewAdam(m, 0.02)
	ids, targets := make([]int32, T*own.Len()), make([]int32, T*own.Len())
	for i := range ids {
		t, row := i/own.Len(), own.Lo+i%own.Len()
		ids[i], targets[i] = int32((row+t)%V), int32((row+t+1)%V)
	}
	for range 100 {
		ws.Forward(ids)
		ws.Backward(targets)
		if loss, err = joined.Wait(); err != nil {
			return 0, err
		}
		m.Step(opt, ws.Grads.Slab, 5)
	}
	return loss, nil
}
