package gradients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"batchrnn/bench/measure"
	"batchrnn/internal/engine"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// Options say what a [Study] trains.
type Options struct {
	Cells    []rnn.CellKind // of the networks: rnn.Vanilla, rnn.LSTM or rnn.GRU
	Lengths  []int          // of the sequences, T
	Updates  int            // of each model, at most
	Remember int            // symbols of the copy task
	Threads  int            // each trains a model of its own
	Seed     uint64
	// Command repeats the run. It is printed in the result.
	Command string
}

// Limits of options, to catch typing errors.
const (
	maxLength   = 10_000
	maxUpdates  = 1_000_000
	maxRemember = 10
)

// Validate returns an [option.Error] for the first invalid option.
func (o Options) Validate() error {
	if len(o.Cells) == 0 {
		return option.Misuse("Cell", "no cell is given: give one or more, such as %v,%v", rnn.Vanilla, rnn.GRU)
	}
	for i, c := range o.Cells {
		switch {
		case len(variantsOf([]rnn.CellKind{c})) == 0:
			return option.Misuse("Cell", "no network of %v cells is trained here: give %v, %v or %v", c, rnn.Vanilla, rnn.LSTM, rnn.GRU)
		case slices.Contains(o.Cells[:i], c):
			return option.Misuse("Cell", "%v is given twice: give each cell once", c)
		}
	}
	if len(o.Lengths) == 0 {
		return option.Misuse("Lengths", "no length is given: give one or more, such as 50,150,500")
	}
	for i, n := range o.Lengths {
		if n < 2 || n > maxLength {
			return option.Misuse("Lengths", "sequences of %d steps can't be trained on: give 2 to %d", n, maxLength)
		}
		if slices.Contains(o.Lengths[:i], n) {
			return option.Misuse("Lengths", "%d is given twice: give each length once", n)
		}
	}
	switch {
	case o.Updates < 1 || o.Updates > maxUpdates:
		return option.Misuse("Updates", "%d is no number of updates: give 1 to %d", o.Updates, maxUpdates)
	case o.Remember < 1 || o.Remember > maxRemember:
		return option.Misuse("Remember", "%d symbols can't be remembered: give 1 to %d", o.Remember, maxRemember)
	}
	if err := engine.CheckThreads(o.Threads); err != nil {
		return err
	}
	var pass int64
	for _, c := range o.Cells {
		pass = max(pass, rnn.Config{Cell: c, Layers: 1, Hidden: hidden}.PassBytes(slices.Max(o.Lengths)+2*o.Remember, batch))
	}
	models := min(o.Threads, 2*len(variantsOf(o.Cells))*len(o.Lengths))
	need := int64(models) * 2 * 2 * pass // two workspaces, each with packed copies
	if free, known := memory.Available(); known && need > free {
		return option.Misuse("Lengths and Threads", "this takes %s, and %s are free: give smaller numbers", figures.Bytes(need), figures.Bytes(free))
	}
	return nil
}

// A Study trains every network on every task and length.
type Study struct {
	Options
	engines []*kernels.Engine // one for each thread
}

// New checks o and makes the engines. The caller closes the Study.
func New(o Options) (*Study, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Study{Options: o}
	for range o.Threads {
		e, err := engine.New("", 1)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.engines = append(s.engines, e)
	}
	return s, nil
}

// Close stops the engines.
func (s *Study) Close() {
	for _, e := range s.engines {
		e.Close()
	}
}

// Heading returns the result before any training.
func (s *Study) Heading() Result {
	return Result{
		Format: Format, Machine: measure.ThisMachine(s.engines[0].ISA(), s.Threads),
		Command: s.Command, Seed: s.Seed, Lengths: s.Lengths, Updates: s.Updates, Remember: s.Remember,
		Hidden: hidden, Batch: batch, Models: []Model{}, Summary: []string{},
	}
}

// jobs lists the models in the order of the result.
func (s *Study) jobs() []job {
	var jobs []job
	for _, task := range []string{Adding, Copy} {
		for _, length := range s.Lengths {
			for _, v := range variantsOf(s.Cells) {
				jobs = append(jobs, job{task, length, s.Remember, v})
			}
		}
	}
	return jobs
}

// Run trains all models. Before each it calls on with the progress, from one goroutine
// at a time. If ctx ends, Run returns soon with the finished models and Interrupted
// set.
func (s *Study) Run(ctx context.Context, on func(nth, of int, name string)) (Result, error) {
	jobs := s.jobs()
	order := make([]int, len(jobs)) // the longest first, so that threads end at about the same time
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return jobs[b].length - jobs[a].length })

	models, errs := make([]*Model, len(jobs)), make([]error, len(s.engines))
	var mu sync.Mutex
	next := 0
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(order) || ctx.Err() != nil {
			return 0, false
		}
		i = order[next]
		next++
		on(next, len(order), fmt.Sprintf("%s, T %d: %s", jobs[i].task, jobs[i].length, jobs[i].name))
		return i, true
	}
	var all sync.WaitGroup
	for w, e := range s.engines {
		all.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				m, err := jobs[i].run(ctx, e, s.Seed, s.Updates)
				if err != nil {
					if ctx.Err() == nil {
						errs[w] = err
					}
					return
				}
				models[i] = &m
			}
		})
	}
	all.Wait()

	r := s.Heading()
	for _, m := range models {
		if m != nil {
			r.Models = append(r.Models, *m)
		}
	}
	r.Interrupted = ctx.Err() != nil && len(r.Models) < len(jobs)
	r.Summary = summary(r)
	return r, errors.Join(errs...)
}
