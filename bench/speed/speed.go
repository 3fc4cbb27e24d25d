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
	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// Options say what [Speed] measures.
type Options struct {
	Threads []int // of the passes; each is measured
	// Cells are the kinds of cells of the networks. The DeepBench rows, the small forward
	// passes and the single steps are of vanilla cells.
	Cells []rnn.CellKind
	// Hidden and Batch are the widths and batches of the DeepBench rows. GatedHidden and
	// GatedBatch are those of the rows of gated cells.
	Hidden, Batch           []int
	GatedHidden, GatedBatch []int
	Time                    time.Duration // of each row, and again for the peak beside it
	Batches                 bool          // measure every B from 1 to 130 too
	// Command repeats the run. It is printed in the result.
	Command string
}

// Validate returns an [option.Error] for the first invalid option.
func (o Options) Validate() error {
	if err := cmp.Or(
		checkSizes("Threads", o.Threads, kernels.MaxThreads, "1,2"),
		checkSizes("Hidden", o.Hidden, maxSize, "1760,2048"),
		checkSizes("Batch", o.Batch, maxSize, "16,64"),
		checkSizes("Hidden", o.GatedHidden, maxSize, "256,1024"),
		checkSizes("Batch", o.GatedBatch, maxSize, "16,64"),
		checkTime(o.Time),
		checkCells(o.Cells),
	); err != nil {
		return err
	}
	var need float64
	if o.vanilla() {
		h, b := float64(slices.Max(o.Hidden)), float64(slices.Max(o.Batch))
		// Weights, gradients and two packed forms; states, their gradients twice, and one
		// packed copy.
		need = 4 * (4*h*h + 4*(deepSteps+1)*b*h)
	}
	if len(o.gated()) > 0 {
		h, b := float64(slices.Max(o.GatedHidden)), float64(slices.Max(o.GatedBatch))
		// The same for four gates, whose values and gradients are kept too.
		need = max(need, 4*(16*h*h+16*(deepSteps+1)*b*h))
	}
	return checkMemory("Hidden and Batch", int64(min(need, 1<<62)))
}

func checkCells(cells []rnn.CellKind) error {
	if len(cells) == 0 {
		return option.Misuse("Cell", "no cell is given: give one or more, such as %v,%v", rnn.Vanilla, rnn.GRU)
	}
	for i, c := range cells {
		if _, err := c.MarshalText(); err != nil {
			return option.Misuse("Cell", "%w", err)
		}
		if slices.Contains(cells[:i], c) {
			return option.Misuse("Cell", "%v is given twice: give each cell once", c)
		}
	}
	return nil
}

// vanilla says whether vanilla cells are measured.
func (o Options) vanilla() bool { return slices.Contains(o.Cells, rnn.Vanilla) }

// gated returns the gated ones of the cells.
func (o Options) gated() []rnn.CellKind {
	return slices.DeleteFunc(slices.Clone(o.Cells), func(c rnn.CellKind) bool { return c == rnn.Vanilla })
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
		Format:  Format,
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
	sizes := func(cell rnn.CellKind, hidden, batch []int) {
		for _, h := range hidden {
			for _, b := range batch {
				for _, n := range s.Threads {
					add(fmt.Sprintf("%v, H %d, B %d, %s", cell, h, b, figures.Plural(n, "thread")), func(ctx context.Context) ([]Row, error) {
						return s.passes(ctx, s.engines[n], cell, h, b)
					})
				}
			}
		}
	}
	if s.vanilla() {
		sizes(rnn.Vanilla, s.Hidden, s.Batch)
	}
	for _, cell := range s.gated() {
		sizes(cell, s.GatedHidden, s.GatedBatch)
	}
	for _, n := range s.Threads {
		if !s.vanilla() {
			break
		}
		for _, size := range [][2]int{{256, 32}, {128, 8}} {
			add(fmt.Sprintf("forward, H %d, %s", size[0], figures.Plural(n, "thread")), func(ctx context.Context) ([]Row, error) {
				return s.forward(ctx, s.engines[n], size[0], size[1])
			})
		}
	}
	for _, cell := range s.Cells {
		for _, n := range s.Threads {
			add(fmt.Sprintf("training, %v, %s", cell, figures.Plural(n, "thread")), func(ctx context.Context) ([]Row, error) {
				return s.train(ctx, s.engines[n], cell)
			})
		}
	}
	for _, isa := range gemmISAs() {
		add("products, "+isa, func(ctx context.Context) ([]Row, error) { return s.gemms(ctx, isa) })
	}
	if s.vanilla() {
		add("single steps", s.steps)
	}
	add("single rows", s.singles)
	if s.Batches {
		add("every batch", s.batches)
	}
	return tasks
}
