package rnn

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"batchrnn/kernels"
)

// TestSameBitsConcurrent: callers that share an engine get the bits of a quiet
// one, whether they have the pool or work alone because another has it.
func TestSameBitsConcurrent(t *testing.T) {
	eachEngine(t, []int{2}, func(t *testing.T, e *kernels.Engine) {
		want := map[string]trace{}
		jobs := append([]job{rowsJob, columnsJob, rowsJob}, gatedJobs()...)
		for _, j := range jobs {
			want[j.String()] = j.run(j.workspace(t, e, nil), 2)
		}
		var group sync.WaitGroup
		for i, j := range jobs {
			ws := j.workspace(t, e, nil)
			group.Go(func() { j.run(ws, 2).same(t, fmt.Sprintf("caller %d, %v", i, j), want[j.String()]) })
		}
		group.Wait()
	})
}

// TestStress runs several callers of one engine and of one model beside a
// garbage collector that never rests: goroutines are stopped at every point
// where the runtime may stop them. The bits are those of a quiet run on one
// thread.
func TestStress(t *testing.T) {
	const callers = 4
	deadline := 4 * time.Second / time.Duration(len(kernels.FloatISAs()))
	if testing.Short() {
		deadline /= 4
	}
	cells := []CellKind{Vanilla, LSTM, GRU}
	deadline /= time.Duration(len(cells))
	eachEngine(t, []int{2}, func(t *testing.T, e *kernels.Engine) {
		for _, cell := range cells {
			stress(t, e, job{Config{Input: 7, Cell: cell, Layers: 1, Hidden: 65, Output: 7}, 10, 33}, callers, deadline)
		}
	})
}

func stress(t *testing.T, e *kernels.Engine, j job, callers int, deadline time.Duration) {
	t.Helper()
	quiet := newEngine(t, e.ISA(), 1)
	want := j.run(j.workspace(t, quiet, nil), 1)
	b := newBatch(j.Config, j.steps, j.rows, 1)
	scored := b.score(newModel(t, quiet, j.Config, 1).NewWorkspace(j.steps, j.rows))
	shared := newModel(t, e, j.Config, 1)

	var stop atomic.Bool
	time.AfterFunc(deadline, func() { stop.Store(true) })
	var group sync.WaitGroup
	for range callers {
		trained := newModel(t, e, j.Config, 1)
		first := append([]float32(nil), trained.Slab...)
		ws := trained.NewTraining(j.steps, j.rows)
		ws.KeepInputGradients()
		group.Go(func() { // trains a model of its own
			for !stop.Load() && !t.Failed() {
				copy(trained.Slab, first)
				trained.Update()
				j.run(ws, 1).same(t, "training", want)
			}
		})
		scoring := shared.NewWorkspace(j.steps, j.rows)
		group.Go(func() { // scores with the shared model
			for !stop.Load() && !t.Failed() {
				b.score(scoring).same(t, "scoring", scored)
			}
		})
	}
	group.Go(func() {
		for !stop.Load() {
			runtime.GC()
		}
	})
	group.Wait()
}
