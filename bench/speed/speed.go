package speed

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"batchrnn/bench/measure"
	"batchrnn/internal/engine"
	"batchrnn/internal/figures"
	"batchrnn/kernels"
)

// Options say what [Speed] measures.
type Options struct {
	Threads []int // of the passes; each is measured
	// Hidden and Batch are the widths and batches of the DeepBench rows.
	Hidden, Batch []int
	Time          time.Duration // of each row, and again for the peak beside it
	Batches       bool          // measure every B from 1 to 130 too
	// Command repeats the run. It is printed in the result.
	Command string
}

// Validate returns an [option.Error] for the first invalid option.
func (o Options) Validate() error {
	if err := cmp.Or(
		checkSizes("Threads", o.Threads, kernels.MaxThreads, "1,2"),
		checkSizes("Hidden", o.Hidden, maxSize, "1760,2048"),
		checkSizes("Batch", o.Batch, maxSize, "16,64"),
		checkTime(o.Time),
	); err != nil {
		return err
	}
	h, b := float64(slices.Max(o.Hidden)), float64(slices.Max(o.Batch))
	// Weights, gradients and two packed forms; states, their gradients twice, and one
	// packed copy.
	need := 4 * (4*h*h + 4*(deepSteps+1)*b*h)
	return checkMemory("Hidden and Batch", int64(min(need, 1<<62)))
}

// Speed measures passes through networks.
type Speed struct {
	Options
	isa     string
	engines map[int]*kernels.Engine // by threads, 1 among them
}

// NewSpeed checks o and makes the engines. The caller closes the Speed.
func NewSpeed(o Options) (*Speed, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Speed{Options: o, engines: map[int]*kernels.Engine{}}
	for _, n := range append([]int{1}, o.Threads...) {
		if s.engines[n] != nil {
			continue
		}
		e, err := engine.New("", n)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.engines[n], s.isa = e, e.ISA()
	}
	return s, nil
}

// Close stops the engines.
func (s *Speed) Close() {
	for _, e := range s.engines {
		e.Close()
	}
}

// Heading returns the result before any measurement.
func (s *Speed) Heading() Result {
	return Result{
		Machine: measure.ThisMachine(s.isa, slices.Max(s.Threads)),
		Command: s.Command,
		Rows:    []Row{},
	}
}

// A task measures some rows.
type task struct {
	name string
	run  func(ctx context.Context) ([]Row, error)
}

// Run measures everything and calls on before each task with the progress. If ctx ends,
// Run returns soon with the measurements so far and Interrupted set.
func (s *Speed) Run(ctx context.Context, on func(nth, of int, name string)) Result {
	r := s.Heading()
	r.run(ctx, s.tasks(), on)
	followTrend(r.Rows)
	return r
}

// run does the tasks until ctx ends.
func (r *Result) run(ctx context.Context, tasks []task, on func(nth, of int, name string)) {
	for i, t := range tasks {
		on(i+1, len(tasks), t.name)
		rows, err := t.run(ctx)
		r.Rows = append(r.Rows, rows...)
		// Networks of hundreds of megabytes come and go.
		debug.FreeOSMemory()
		if err != nil { // always that of ctx
			r.Interrupted = true
			break
		}
	}
}

func (s *Speed) tasks() []task {
	var tasks []task
	add := func(name string, run func(ctx context.Context) ([]Row, error)) {
		tasks = append(tasks, task{name, run})
	}
	for _, h := range s.Hidden {
		for _, b := range s.Batch {
			for _, n := range s.Threads {
				add(fmt.Sprintf("H %d, B %d, %s", h, b, figures.Plural(n, "thread")), func(ctx context.Context) ([]Row, error) {
					return s.deepBench(ctx, s.engines[n], h, b)
				})
			}
		}
	}
	for _, n := range s.Threads {
		for _, size := range [][2]int{{256, 32}, {128, 8}} {
			add(fmt.Sprintf("forward, H %d, %s", size[0], figures.Plural(n, "thread")), func(ctx context.Context) ([]Row, error) {
				return s.forward(ctx, s.engines[n], size[0], size[1])
			})
		}
	}
	for _, n := range s.Threads {
		add("training, "+figures.Plural(n, "thread"), func(ctx context.Context) ([]Row, error) {
			return s.train(ctx, s.engines[n])
		})
	}
	for _, isa := range gemmISAs() {
		add("products, "+isa, func(ctx context.Context) ([]Row, error) { return s.gemms(ctx, isa) })
	}
	add("single steps", s.steps)
	add("single rows", s.singles)
	if s.Batches {
		add("every batch", s.batches)
	}
	return tasks
}
