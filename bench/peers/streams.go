package main

import (
	"context"

	"batchrnn/kernels"
	"batchrnn/rnn"
	"batchrnn/rnn/streams"
)

func newStreamsModel(e *kernels.Engine, w Workload, d *Data) (*rnn.Model, error) {
	return newModel(e, rnn.Config{Input: w.V, Embedding: w.E, Layers: 1, Hidden: w.H, Output: w.V, Cell: cellKinds[w.Cell]}, d)
}

// oursStreams steps B streams of a Batcher together, each with a token and a state of its
// own. One goroutine calls for all.
func oursStreams(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
	m, err := newStreamsModel(e, w, d)
	if err != nil {
		return nil, err
	}
	b, err := streams.New(m, streams.Options{})
	if err != nil {
		return nil, err
	}
	jobs, logits := make([]streams.Job, w.B), make([]float32, w.B*w.V)
	state := m.NewState(1)
	for i := range jobs {
		s, err := b.Open()
		if err != nil {
			return nil, err
		}
		copy(state.H, d.H0[i*w.H:])
		if d.C0 != nil {
			copy(state.C, d.C0[i*w.H:])
		}
		if err := s.SetState(state); err != nil {
			return nil, err
		}
		jobs[i] = streams.Job{Stream: s, Call: streams.Call{Logits: logits[i*w.V:][:w.V]}}
	}
	return &calls{
		Call: d.Call,
		call: func(frame int) error {
			ids := d.IDs[frame*w.B:][:w.B]
			for i := range jobs {
				jobs[i].IDs = ids[i : i+1]
			}
			return b.Step(context.Background(), jobs)
		},
		get: func(name string) []float32 {
			if name == "logits" {
				return logits
			}
			var all []float32
			for i := range jobs {
				if err := jobs[i].Stream.State(state); err != nil {
					panic(err)
				}
				all = append(all, stateNamed(name, state)...)
			}
			return all
		},
		close: b.Close,
	}, nil
}

// stateNamed returns the state that streamsCall gives this name.
func stateNamed(name string, s rnn.State) []float32 {
	if name == "C1" {
		return s.C
	}
	return s.H
}

// Workspace runs the same streams as rows of one Workspace, in the place of a Batcher: all
// of them in each pass, in the same order.
func Workspace() *Impl {
	return ourImpl("workspace", held, func(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
		if w.Kind != "streams" {
			return nil, errUnsupported
		}
		return oursPass(e, w, d)
	})
}

func oursPass(e *kernels.Engine, w Workload, d *Data) (Instance, error) {
	m, err := newStreamsModel(e, w, d)
	if err != nil {
		return nil, err
	}
	ws, logits := m.NewWorkspace(1, w.B), make([]float32, w.B*w.V)
	ws.SetState(rnn.State{H: d.H0, C: d.C0})
	state := m.NewState(w.B)
	return &calls{
		Call: d.Call,
		call: func(frame int) error {
			ws.Forward(d.IDs[frame*w.B:][:w.B])
			ws.Logits(logits, 0)
			ws.Carry()
			return nil
		},
		get: func(name string) []float32 {
			if name == "logits" {
				return logits
			}
			ws.State(state)
			return stateNamed(name, state)
		},
	}, nil
}
