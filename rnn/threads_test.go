package rnn

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"batchrnn/kernels"
)

// TestLimitThreads: a workspace that is held to some workers never has more, in any
// stage of any pass, and gives the same bits; another one of the same model has all.
func TestLimitThreads(t *testing.T) {
	for _, j := range append([]job{rowsJob, columnsJob, adaptiveJob, deepJob}, gatedJobs()...) {
		want := j.run(j.workspace(t, newEngine(t, "", 1), nil), 2)
		for limit := 1; limit <= 3; limit++ {
			e, most, limited := newEngine(t, "", 4), 0, true
			kernels.ForceTeams(e, func(n int) int {
				if limited {
					most = max(most, n)
				}
				return n
			})
			ws := j.workspace(t, e, nil)
			ws.LimitThreads(limit)
			b := j.batch(0)
			most = 0
			b.forward(ws)
			if j.Output > 0 {
				ws.Loss(b.targets)
				ws.Logits(make([]float32, j.rows*j.Output), j.steps-1)
			}
			b.backward(ws)
			limited = false
			if most > limit {
				t.Errorf("%v: %d workers, held to %d", j, most, limit)
			}
			ws = j.workspace(t, e, nil)
			ws.LimitThreads(limit)
			j.run(ws, 2).same(t, fmt.Sprintf("%v held to %d", j, limit), want)
			ws.LimitThreads(1 << 40)
			if ws.threads != 4 {
				t.Errorf("%d threads after a limit above the engine's 4", ws.threads)
			}
		}
	}
	ws := rowsJob.workspace(t, newEngine(t, "", 1), nil)
	for _, n := range []int{0, -1, -1 << 62} {
		mustPanic(t, func() { ws.LimitThreads(n) }, "rnn: LimitThreads", fmt.Sprint(n), "at least 1")
	}
}

// TestGradedWorkers: stages get several workers where there is work for some and not
// for all, and none that would have no share.
func TestGradedWorkers(t *testing.T) {
	for _, isa := range kernels.FloatISAs() {
		for _, threads := range []int{2, 16, 64} {
			e := newEngine(t, isa, threads)
			for _, s := range []struct {
				cell          CellKind
				hidden, batch int
			}{{Vanilla, 256, 4}, {Vanilla, 256, 32}, {Vanilla, 32, 1}, {Vanilla, 1760, 64}, {LSTM, 256, 4}, {LSTM, 256, 32}, {LSTM, 24, 1}, {GRU, 256, 32}} {
				m := newModel(t, e, Config{Input: 64, Cell: s.cell, Layers: 1, Hidden: s.hidden}, 1)
				var p plan
				p.set(m, 50, s.batch, threads)
				panels := m.packed[cellWh][0].plain[0].Panels()
				shares := panels
				if p.byRows {
					shares = s.batch
				}
				name := fmt.Sprintf("%s, %d threads, %v, H %d, B %d: %+v", isa, threads, s.cell, s.hidden, s.batch, p)
				if p.steps > shares || p.grads[0] > panels || p.steps < 1 || p.grads[0] < 1 {
					t.Errorf("%s: workers without work", name)
				}
				if several := s.hidden > 32; several != (p.steps > 1) || several != (p.grads[0] > 1) {
					t.Errorf("%s: several workers %v, want %v", name, p.steps > 1, several)
				}
			}
		}
	}
}

// TestNoEngine: a missing engine is named.
func TestNoEngine(t *testing.T) {
	if _, err := New(nil, Config{Input: 1, Layers: 1, Hidden: 1}, 1); err == nil || !strings.Contains(err.Error(), "kernels.New") {
		t.Errorf("error %v", err)
	}
}

// TestSameBitsBesideOthers: the engine's own policy, beside goroutines that come and go
// and while GOMAXPROCS changes, gives the bits of one worker.
func TestSameBitsBesideOthers(t *testing.T) {
	jobs := append([]job{rowsJob, columnsJob, adaptiveJob, deepJob}, gatedJobs()...)
	one := newEngine(t, "", 1)
	var want []trace
	for _, j := range jobs {
		want = append(want, j.run(j.workspace(t, one, nil), 2))
	}
	e := newEngine(t, "", 3)
	kernels.ForceTeams(e, nil)
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	for range 2 {
		wg.Go(func() { // busy for a while, then away for one
			for !stop.Load() {
				for end := time.Now().Add(3 * time.Millisecond); time.Now().Before(end); {
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	rounds := 6
	if raceDetector {
		rounds = 2
	}
	for round := range rounds {
		runtime.GOMAXPROCS([]int{2, 1, 4}[round%3])
		for i, j := range jobs {
			ws := j.workspace(t, e, func(p *plan) {
				p.all(3)
				p.byRows, p.phase = round%2 == 0, 1
			})
			j.run(ws, 2).same(t, fmt.Sprintf("round %d, %v", round, j), want[i])
		}
	}
}
