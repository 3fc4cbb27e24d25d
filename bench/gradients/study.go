package gradients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"batchrnn/bench"
	"batchrnn/bench/measure"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/kernels"
)

// Options say what a [Study] trains. Errors speak of them by the names of
// rnnbench's flags.
type Options struct {
	Lengths  []int // of the sequences, T
	Updates  int   // of each model, at most
	Remember int   // symbols of the copy task
	Threads  int   // each trains a model of its own
	Seed     uint64
}

// Limits of what options may ask for: more is a slip of the finger.
const (
	maxLength   = 10_000
	maxUpdates  = 1_000_000
	maxRemember = 10
	maxThreads  = 1024
)

func misuse(name, format string, args ...any) error {
	return &bench.OptionError{Name: name, Err: fmt.Errorf(format, args...)}
}

// Validate returns a [bench.OptionError] for the first option that can't be used.
func (o Options) Validate() error {
	if len(o.Lengths) == 0 {
		return misuse("--lengths", "no length is given: give one or more, such as 50,150,500")
	}
	for i, n := range o.Lengths {
		if n < 2 || n > maxLength {
			return misuse("--lengths", "sequences of %d steps can't be trained on: give 2 to %d", n, maxLength)
		}
		if slices.Contains(o.Lengths[:i], n) {
			return misuse("--lengths", "%d is given twice: give each length once", n)
		}
	}
	switch {
	case o.Updates < 1 || o.Updates > maxUpdates:
		return misuse("--updates", "%d is no number of updates: give 1 to %d", o.Updates, maxUpdates)
	case o.Remember < 1 || o.Remember > maxRemember:
		return misuse("--remember", "%d symbols can't be remembered: give 1 to %d", o.Remember, maxRemember)
	case o.Threads < 1 || o.Threads > maxThreads:
		return misuse("--threads", "%d threads can't work: give 1 to %d, best the number of cores", o.Threads, maxThreads)
	}
	// States, their gradients, and where they are kept, in each of two workspaces.
	models := min(o.Threads, 2*len(variants)*len(o.Lengths))
	need := int64(models) * 2 * 4 * 4 * int64(slices.Max(o.Lengths)+2*o.Remember) * batch * hidden
	if free, known := memory.Available(); known && need > free {
		return misuse("--lengths and --threads", "this takes %s, and %s are free: give smaller numbers", figures.Bytes(need), figures.Bytes(free))
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
		e, err := kernels.New("", 1)
		if err != nil {
			s.Close()
			return nil, misuse(kernels.EnvISA, "%w: set one of these, or nothing for the fastest",
				errors.New(strings.TrimPrefix(err.Error(), kernels.EnvISA+": ")))
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

// Heading returns the result before anything is trained.
func (s *Study) Heading() Result {
	m := measure.ThisMachine()
	lengths := strings.ReplaceAll(strings.Trim(fmt.Sprint(s.Lengths), "[]"), " ", ",")
	command := fmt.Sprintf("rnnbench gradients --lengths %s --updates %d --remember %d --threads %d --seed %d", lengths, s.Updates, s.Remember, s.Threads, s.Seed)
	if isa := os.Getenv(kernels.EnvISA); isa != "" {
		command = kernels.EnvISA + "=" + isa + " " + command
	}
	return Result{
		Machine: bench.Machine{CPU: m.CPU, ISA: s.engines[0].ISA(), Threads: s.Threads, Go: m.Go, OS: m.OS, Arch: m.Arch},
		Command: command, Seed: s.Seed, Lengths: s.Lengths, Updates: s.Updates, Remember: s.Remember,
		Hidden: hidden, Batch: batch, Models: []Model{}, Summary: []string{},
	}
}

// jobs lists the models in the order of the result.
func (s *Study) jobs() []job {
	var jobs []job
	for _, task := range []string{Adding, Copy} {
		for _, length := range s.Lengths {
			for _, v := range variants {
				jobs = append(jobs, job{task, length, s.Remember, v})
			}
		}
	}
	return jobs
}

// Run trains all models and tells on, in one goroutine at a time, before each how
// far it is. When ctx ends, Run returns soon with the models that are done,
// Interrupted set.
func (s *Study) Run(ctx context.Context, on func(nth, of int, name string)) (Result, error) {
	jobs := s.jobs()
	order := make([]int, len(jobs)) // the longest first, so that threads end together
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
