package streams_test

import (
	"context"
	"fmt"
	"log"
	"sync"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/streams"
)

// A service has a stream for each client. Whoever calls at the same time is computed
// together, and each client draws what it would draw alone.
func Example() {
	engine, err := kernels.New("", 0)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	m, err := rnn.New(engine, rnn.Config{Input: 30, Cell: rnn.GRU, Layers: 1, Hidden: 64, Output: 30}, 1)
	if err != nil {
		log.Fatal(err)
	}
	b, err := streams.New(m, streams.Options{MaxStreams: 1000})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	const clients, length = 100, 20
	var drawn [clients][]int32
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			s, err := b.Open()
			if err != nil {
				log.Print(err) // streams.ErrFull: come again later
				return
			}
			defer s.Close()
			sampler, err := rnn.NewSampler(engine, rnn.Sampling{Temperature: 0.8, TopK: 10, Seed: uint64(client)})
			if err != nil {
				log.Print(err)
				return
			}
			ids := []int32{3, 1, 4} // a prompt
			for range length {
				id, err := s.Sample(context.Background(), sampler, ids)
				if err != nil {
					log.Print(err)
					return
				}
				drawn[client] = append(drawn[client], id)
				ids = append(ids[:0], id)
			}
		})
	}
	group.Wait()

	same := true
	sampler, err := rnn.NewSampler(engine, rnn.Sampling{Temperature: 0.8, TopK: 10, Seed: 42})
	if err != nil {
		log.Fatal(err)
	}
	ws, logits := m.NewWorkspace(1, 1), make([]float32, m.Output)
	ids := []int32{3, 1, 4}
	for _, want := range drawn[42] {
		for _, id := range ids {
			ws.Forward([]int32{id})
			ws.Logits(logits, 0)
			ws.Carry()
		}
		id, err := sampler.Draw(logits)
		if err != nil {
			log.Fatal(err)
		}
		same = same && id == want
		ids = []int32{id}
	}
	fmt.Println("as alone:", same)
	// Output: as alone: true
}

// One goroutine drives many sensors: each has its own history, and those with new values
// go through the network together.
func ExampleBatcher_Step() {
	engine, err := kernels.New("", 1)
	if err != nil {
		log.Fatal(err)
	}
	m, err := rnn.New(engine, rnn.Config{Input: 2, Dense: true, Cell: rnn.LSTM, Layers: 1, Hidden: 16, Output: 1}, 1)
	if err != nil {
		log.Fatal(err)
	}
	b, err := streams.New(m, streams.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	jobs := make([]streams.Job, 50)
	for i := range jobs {
		s, err := b.Open()
		if err != nil {
			log.Fatal(err)
		}
		jobs[i] = streams.Job{Stream: s, Call: streams.Call{X: make([]float32, 2), Logits: make([]float32, 1)}}
	}
	for tick := range 10 {
		for i := range jobs {
			jobs[i].X[0], jobs[i].X[1] = float32(i)/50, float32(tick)/10
		}
		if err := b.Step(context.Background(), jobs); err != nil {
			log.Fatal(err) // each job has its own error too
		}
	}
	stats := b.Stats()
	fmt.Println(stats.Steps, "steps in", stats.Passes, "passes")
	// Output: 500 steps in 10 passes
}
