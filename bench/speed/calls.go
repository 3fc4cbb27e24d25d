package speed

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

// CallBound is the longest time in seconds that one call into assembly may take. The
// scheduler can't interrupt such a call.
const CallBound = 50e-6

// leastCalls is the least number of calls for a meaningful median of a kernel. Rarer
// calls are the ends of vectors, shorter than a chunk.
const leastCalls = 5

// A LongCall is the longest call of one kernel. Of the argument sizes that occurred, it
// is the one with the highest median. The maximum of single calls would show the
// machine's interruptions instead.
type LongCall struct {
	ISA           string  `json:"isa"`
	Kernel        string  `json:"kernel"`
	Size          string  `json:"size"` // depth of a tile, otherwise the size of the arguments
	Where         string  `json:"where"`
	Calls         int     `json:"calls"` // of this size in that work
	MedianSeconds float64 `json:"median_seconds"`
}

// Largest are the sizes at which the longest call is searched. T, B and H are steps,
// rows and units of a network. V is the width of an output layer, and the length of
// vectors and rows.
type Largest struct{ T, B, H, V int }

func (l Largest) validate() error {
	for _, n := range []int{l.T, l.B, l.H, l.V} {
		if n < 1 || n > maxSize {
			return option.Misuse("Largest", "%d is no size that can be measured: give T,B,H,V, each 1 to %d", n, maxSize)
		}
	}
	t, b, h, v := float64(l.T), float64(l.B), float64(l.H), float64(l.V)
	network := 4 * (7*h*h + 4*(t+1)*b*h)
	output := 4 * (9*outputHidden*v + 4*b*v)
	return checkMemory("Largest", int64(min(max(network, output), 1<<62)))
}

// outputHidden is the width of the network below the output layer of V.
const outputHidden = 64

// calls runs the largest work on a traced engine and records each kernel's longest
// call.
func (k *Kernels) calls(ctx context.Context, r *KernelResult, e *kernels.Engine) error {
	if e.ISA() == "generic" {
		return nil // the scheduler can interrupt Go
	}
	type key struct {
		kernels.Call // without its time
		where        string
	}
	took := map[key][]float64{}
	var where string
	traced, err := kernels.Trace(e.ISA(), func(c kernels.Call) {
		seconds := c.Took.Seconds()
		c.Took = 0
		took[key{c, where}] = append(took[key{c, where}], seconds)
	})
	if err != nil {
		panic(err) // there is an engine of this name
	}
	defer traced.Close()

	for _, work := range k.Largest.works(traced) {
		if err = ctx.Err(); err != nil {
			break
		}
		where = work.name
		work.run(ctx)
		debug.FreeOSMemory()
	}
	longest := map[string]LongCall{}
	for call, seconds := range took {
		if len(seconds) < leastCalls {
			continue
		}
		slices.Sort(seconds)
		if median := seconds[len(seconds)/2]; median > longest[call.Kernel].MedianSeconds {
			longest[call.Kernel] = LongCall{
				ISA: e.ISA(), Kernel: call.Kernel, Size: call.SizeString(), Where: call.where,
				Calls: len(seconds), MedianSeconds: median,
			}
		}
	}
	for _, c := range longest {
		r.Calls = append(r.Calls, c)
	}
	slices.SortFunc(r.Calls, func(a, b LongCall) int {
		if a.MedianSeconds > b.MedianSeconds {
			return -1
		}
		return 1
	})
	return err
}

// A work is a large piece of work for a traced engine.
type work struct {
	name string
	run  func(context.Context)
}

// repeats is how often a work runs if its calls would be too few for a median.
const repeats = 9

func (l Largest) works(e *kernels.Engine) []work {
	return []work{
		{fmt.Sprintf("passes, T %d, B %d, H %d", l.T, l.B, l.H), func(ctx context.Context) {
			m := newModel(e, rnn.Config{Input: vocabulary, Layers: 1, Hidden: l.H})
			ws := m.NewTraining(l.T, l.B)
			ws.Forward(randomIDs(l.T*l.B, vocabulary))
			if ctx.Err() != nil {
				return
			}
			ws.BackwardStates(randoms(l.T*l.B*l.H, 1e-3), rnn.State{})
			m.Step(rnn.NewAdam(m, 1e-3), ws.Grads.Slab, 5)
		}},
		{fmt.Sprintf("output layer, B %d, V %d", l.B, l.V), func(ctx context.Context) {
			m := newModel(e, rnn.Config{Input: vocabulary, Layers: 1, Hidden: outputHidden, Output: l.V})
			ws := m.NewTraining(1, l.B)
			ids := randomIDs(l.B, min(vocabulary, l.V))
			for range repeats {
				if ctx.Err() != nil {
					return
				}
				ws.Forward(ids)
				ws.Backward(ids)
			}
		}},
		{fmt.Sprintf("rows of %d", l.V), func(ctx context.Context) {
			for _, op := range operations(e, l.V) {
				for range repeats {
					if ctx.Err() != nil {
						return
					}
					op.run()
				}
			}
		}},
	}
}
