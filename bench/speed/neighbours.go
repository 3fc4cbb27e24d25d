package speed

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"batchrnn/bench/measure"
	"batchrnn/internal/engine"
	"batchrnn/internal/neighbour"
	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// Marks that the rows of [Neighbours] should meet, relative to one worker in the same
// condition.
const (
	LeastThroughput = 0.9 // of one worker's
	MostP99         = 2   // times one worker's
	// JudgedRuns is the least number of one worker's passes for a comparison of 99th
	// percentiles. With fewer, the percentile is the slowest pass.
	JudgedRuns = 100
)

// NeighbourOptions say what [Neighbours] measures.
type NeighbourOptions struct {
	// Threads lists numbers of workers. The largest is compared with one worker. Nil
	// means the engine's default.
	Threads       []int
	Hidden, Batch []int
	Time          time.Duration // of each engine in each condition
	// Command repeats the run. It is printed in the result.
	Command string
}

// Validate returns an [option.Error] for the first invalid option.
func (o NeighbourOptions) Validate() error {
	var threads error
	if o.Threads != nil {
		threads = checkSizes("Threads", o.Threads, kernels.MaxThreads, "1,2")
	}
	if err := cmp.Or(
		threads,
		checkSizes("Hidden", o.Hidden, maxSize, "128,512"),
		checkSizes("Batch", o.Batch, maxSize, "1,8"),
		checkTime(o.Time),
	); err != nil {
		return err
	}
	engines, callers := 0, 0
	for _, c := range neighbour.Conditions() {
		engines, callers = max(engines, c.Engines), max(callers, c.Engines*c.Callers)
	}
	h, b := float64(slices.Max(o.Hidden)), float64(slices.Max(o.Batch))
	// For both sides: weights and their packed form, states.
	need := 4 * 2 * (2.5*float64(engines)*h*h + float64(callers)*(deepSteps+1)*b*h)
	return checkMemory("Hidden and Batch", int64(min(need, 1<<62)))
}

// Neighbours measures an engine of all workers beside other work. In each
// [neighbour.Condition], passes of one worker and of all take turns.
type Neighbours struct {
	NeighbourOptions
	one, all []*kernels.Engine // the most that a condition takes
}

// NewNeighbours checks o and makes the engines. The caller closes the
// Neighbours.
func NewNeighbours(o NeighbourOptions) (*Neighbours, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	most := 0 // the engine's default
	if o.Threads != nil {
		most = slices.Max(o.Threads)
	}
	n := &Neighbours{NeighbourOptions: o}
	for _, c := range neighbour.Conditions() {
		for len(n.all) < c.Engines {
			one, err := engine.New("", 1)
			if err != nil {
				n.Close()
				return nil, err
			}
			n.one = append(n.one, one)
			all, err := engine.New("", most)
			if err != nil {
				n.Close()
				return nil, err
			}
			n.all = append(n.all, all)
		}
	}
	if n.workers() == 1 {
		n.Close()
		return nil, option.Misuse("Threads", "one worker has nothing to be compared with: give a number above 1")
	}
	return n, nil
}

// Close stops the engines.
func (n *Neighbours) Close() {
	for _, e := range slices.Concat(n.one, n.all) {
		e.Close()
	}
}

func (n *Neighbours) workers() int { return n.all[0].Threads() }

// Heading returns the result before any measurement.
func (n *Neighbours) Heading() Result {
	return Result{
		Format:  Format,
		Machine: measure.ThisMachine(n.all[0].ISA(), n.workers()),
		Command: n.Command,
		Rows:    []Row{},
	}
}

// Run measures every size in every condition and calls on before each with the
// progress. If ctx ends, Run returns soon with the measurements so far and Interrupted
// set. A condition that this system lacks is left out.
func (n *Neighbours) Run(ctx context.Context, on func(nth, of int, name string)) Result {
	r := n.Heading()
	var tasks []task
	for _, h := range n.Hidden {
		for _, b := range n.Batch {
			for _, c := range neighbour.Conditions() {
				tasks = append(tasks, task{fmt.Sprintf("H %d, B %d, %s", h, b, c.Name), func(ctx context.Context) ([]Row, error) {
					return n.measure(ctx, c, h, b, &r)
				}})
			}
		}
	}
	r.run(ctx, tasks, on)
	return r
}

// measure measures both sides in one condition. If the system lacks it, measure adds a
// note to r.
func (n *Neighbours) measure(ctx context.Context, c neighbour.Condition, h, b int, r *Result) ([]Row, error) {
	one := newSide(n.one[:c.Engines], c.Callers, h, b)
	all := newSide(n.all[:c.Engines], c.Callers, h, b)
	leave, err := c.Enter(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.leaveOut(c.Name, err)
		return nil, nil
	}
	defer leave()
	if err := neighbour.Interleave(ctx, n.Time, one, all); err != nil {
		return nil, err
	}
	base, took := one.Took(), all.Took()
	row := Row{
		Kind: KindNeighbour, ISA: n.all[0].ISA(), H: h, B: b, T: deepSteps, Pass: PassForward,
		Beside: c.Name, Engines: c.Engines, Callers: c.Engines * c.Callers,
	}
	first, second := row.took(base), row.took(took)
	first.Threads, second.Threads = 1, n.workers()
	second.ThroughputRatio, second.P99Ratio = took.Ratio(base)
	second.OneRuns = base.Runs
	return []Row{first, second}, nil
}

// newSide returns callers of passes through a model on each engine. Each caller has its
// own workspace.
func newSide(engines []*kernels.Engine, callers, h, b int) *neighbour.Side {
	ids := randomIDs(deepSteps*b, vocabulary)
	var passes []func()
	for _, e := range engines {
		m := newModel(e, rnn.Config{Input: vocabulary, Layers: 1, Hidden: h})
		for range callers {
			ws := m.NewWorkspace(deepSteps, b)
			passes = append(passes, func() { ws.Forward(ids) })
		}
	}
	return neighbour.NewSide(passes...)
}

// took sets a row's times, and the rates that follow from the mean pass.
func (r Row) took(t neighbour.Took) Row {
	r.Runs, r.Seconds, r.MedianSeconds = t.Runs, t.Best, t.Median
	r.MeanSeconds, r.P99Seconds = t.Mean, t.P99
	tokens := float64(r.B * r.T)
	r.TokensPerSecond = tokens / t.Mean
	r.MeanGFLOPS = tokens * 2 * float64(r.H) * float64(r.H) / t.Mean / 1e9
	return r
}

// Compared reports whether the row is compared with a row of one worker.
func (r Row) Compared() bool { return r.Kind == KindNeighbour && r.Threads > 1 }

// Slow reports whether a compared row misses the mark of throughput.
func (r Row) Slow() bool { return !(r.ThroughputRatio >= LeastThroughput) }

// Judged reports whether a compared row can be compared by 99th percentile. The one
// worker must have had enough passes. If the row itself had fewer, its passes are slow.
func (r Row) Judged() bool { return r.OneRuns >= JudgedRuns }

// Stalling reports whether a judged row misses the mark of the 99th percentile.
func (r Row) Stalling() bool { return !(r.P99Ratio <= MostP99) }
