package kernels

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// within fails the test where f does not return: a region that hangs says so.
func within(t *testing.T, d time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{}, 1)
	go func() {
		defer func() { done <- struct{}{} }()
		f()
	}()
	select {
	case <-done:
	case <-time.After(d):
		stacks := make([]byte, 1<<16)
		t.Logf("%s", stacks[:runtime.Stack(stacks, true)])
		t.Fatalf("%s: still at it after %v", what, d)
	}
}

// works fails where a region of e does not do its work.
func works(t *testing.T, e *Engine, name string) {
	t.Helper()
	within(t, 20*time.Second, name, func() {
		var sum atomic.Int64
		e.Run(e.Threads(), func(w *Worker) {
			for range 10 {
				sum.Add(int64(w.Share(100).Len()))
				w.Barrier()
			}
		})
		if sum.Load() != 1000 {
			t.Errorf("%s: a later region does %d of 1000", name, sum.Load())
		}
	})
}

var errUnwell = errors.New("unwell")

// TestPanicInRegion: a panic on any worker reaches the caller of Run as one that
// carries the worker's stack, alone or with others, and the engine works on.
func TestPanicInRegion(t *testing.T) {
	for threads := 1; threads <= 4; threads++ {
		for _, teams := range []string{"whole", "random", "free"} {
			e := open(t, "", threads)
			switch teams {
			case "random":
				r := rand.New(rand.NewPCG(1, 2))
				ForceTeams(e, func(most int) int { return 1 + r.IntN(most) })
			case "free":
				ForceTeams(e, nil)
			}
			for phase := range 4 {
				for id := -1; id < threads; id++ { // -1: all of them
					var who atomic.Int32
					var value any
					within(t, 20*time.Second, teams, func() {
						value = panicOf(func() {
							e.Run(threads, func(w *Worker) {
								for range phase {
									w.Barrier()
								}
								if w.ID() == id || id < 0 {
									who.Add(1)
									panic(errUnwell)
								}
								for range 5 {
									w.Barrier()
								}
							})
						})
					})
					failed, ok := value.(*PanicError)
					if !ok && who.Load() == 0 && teams != "whole" {
						continue // that worker was never in the team
					}
					if !ok || failed.Value != errUnwell || !errors.Is(failed, errUnwell) || id >= 0 && failed.Worker != id {
						t.Fatalf("%s, %d threads, worker %d: %v", teams, threads, id, value)
					}
					for _, part := range []string{"TestPanicInRegion", "unwell"} {
						if !strings.Contains(failed.Error(), part) {
							t.Errorf("%q is not in %q", part, failed.Error())
						}
					}
					works(t, e, teams)
				}
			}
		}
	}
}

// TestGoexitInRegion: t.FailNow in a region ends the goroutine that called it, where
// that is the caller's; else it is a panic of the region.
func TestGoexitInRegion(t *testing.T) {
	for threads := 1; threads <= 3; threads++ {
		e := open(t, "", threads)
		for id := range threads {
			returned, value := false, any(nil)
			within(t, 20*time.Second, "Goexit", func() {
				defer func() { value = recover() }()
				e.Run(threads, func(w *Worker) {
					if w.ID() == id {
						runtime.Goexit()
					}
					w.Barrier()
				})
				returned = true
			})
			if returned || (value == nil) != (id == 0) {
				t.Errorf("worker %d of %d: returned %v, recovered %v", id, threads, returned, value)
			}
			works(t, e, "after Goexit")
		}
	}
}

// TestNestedPanic: a region within a region fails as itself.
func TestNestedPanic(t *testing.T) {
	e := open(t, "", 2)
	value := panicOf(func() {
		e.Run(2, func(*Worker) { e.Run(2, func(*Worker) { panic(errUnwell) }) })
	})
	if failed, ok := value.(*PanicError); !ok || failed.Value != errUnwell {
		t.Errorf("recovered %v", value)
	}
	works(t, e, "after a nested panic")
}

// TestClosedEngine: a closed engine says so, with one worker as with many, in a
// region and in a product; closing is possible at any moment.
func TestClosedEngine(t *testing.T) {
	for threads := 1; threads <= 3; threads++ {
		e, err := New("", threads)
		if err != nil {
			t.Fatal(err)
		}
		p := (&problem{m: 1, n: 3, k: 2}).fill(rand.New(rand.NewPCG(3, 4)))
		product := p.product(p.pack(e))
		within(t, 20*time.Second, "Close in a region", func() {
			var sum atomic.Int64
			e.Run(threads, func(w *Worker) {
				for phase := range 100 {
					if phase == 50 && w.ID() == 0 {
						e.Close()
					}
					sum.Add(int64(w.Share(10).Len()))
					w.Barrier()
				}
			})
			if sum.Load() != 1000 {
				t.Errorf("%d of 1000 done in a region whose engine was closed", sum.Load())
			}
		})
		e.Close()
		for name, call := range map[string]func(){
			"Run of one":  func() { e.Run(1, func(*Worker) {}) },
			"Run of many": func() { e.Run(3, func(*Worker) {}) },
			"Gemm":        func() { e.Gemm(product) },
		} {
			if value := panicOf(call); value != closedEngine {
				t.Errorf("%s of a closed engine of %d threads: %v", name, threads, value)
			}
		}
	}
}

// TestCloseBesideRegions closes engines while another goroutine runs regions.
func TestCloseBesideRegions(t *testing.T) {
	for range 50 {
		e, err := New("", 3)
		if err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "Close beside Run", func() {
			var wg sync.WaitGroup
			wg.Go(func() {
				for panicOf(func() { e.Run(3, func(w *Worker) { w.Barrier(); w.Barrier() }) }) == nil {
				}
			})
			e.Close()
			wg.Wait()
		})
	}
}

// TestDroppedEngines: engines that nobody closes leave no goroutines, used or not.
func TestDroppedEngines(t *testing.T) {
	engines := 10000
	if testing.Short() || raceDetector {
		engines = 500
	}
	before := runtime.NumGoroutine()
	for i := range engines {
		e, err := New("", 2)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			e.Run(2, func(w *Worker) { w.Barrier() })
		}
	}
	eventually(t, "goroutines outlive engines that nobody knows any longer", func() bool {
		runtime.GC()
		return runtime.NumGoroutine() <= before
	})
}

// TestThreadCounts: absurd numbers of threads have stated results.
func TestThreadCounts(t *testing.T) {
	if _, err := New("", MaxThreads+1); err == nil || !strings.Contains(err.Error(), "1025") {
		t.Errorf("%d threads: error %v", MaxThreads+1, err)
	}
	for _, n := range []int{-1 << 62, -1, 0} {
		e := open(t, "", n)
		if want := min(processors(), quota("")); e.Threads() != want {
			t.Errorf("New with %d threads has %d, want %d", n, e.Threads(), want)
		}
	}
	old := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(old)
	one, many := open(t, "", 0), open(t, "", 3)
	if one.Threads() != 1 {
		t.Errorf("%d threads where GOMAXPROCS is 1", one.Threads())
	}
	works(t, many, "3 workers on one processor")
	ForceTeams(many, nil)
	many.Run(3, func(w *Worker) {
		if w.Workers() > 1 {
			t.Errorf("a team of %d where GOMAXPROCS is 1", w.Workers())
		}
	})
}

// TestTeamsChange drives teams of every size through a long region, while workers
// pause where they will, and sees every item of every phase done once, in its phase.
func TestTeamsChange(t *testing.T) {
	const items, phases = 60, 200
	for _, threads := range []int{2, 3, 5} {
		e := open(t, "", threads)
		r := rand.New(rand.NewPCG(5, uint64(threads)))
		sizes := map[int]bool{}
		ForceTeams(e, func(most int) int {
			n := 1 + r.IntN(most)
			sizes[n] = true
			return n
		})
		rounds := make([]int, items) // plain memory: the race detector looks on
		e.Run(threads, func(w *Worker) {
			pause := rand.New(rand.NewPCG(7, uint64(w.ID())))
			for phase := range phases {
				own := w.Share(items)
				for i := own.Lo; i < own.Hi; i++ {
					if rounds[i] != phase {
						t.Errorf("item %d is at phase %d, want %d", i, rounds[i], phase)
					}
					rounds[i]++
				}
				switch pause.IntN(20) {
				case 0:
					runtime.Gosched()
				case 1:
					time.Sleep(time.Duration(pause.IntN(200)) * time.Microsecond)
				}
				w.Barrier()
			}
		})
		if len(sizes) != threads || slices.ContainsFunc(rounds, func(n int) bool { return n != phases }) {
			t.Errorf("%d threads: teams of %v, items at %v", threads, sizes, rounds)
		}
	}
}

// TestStalledWorkerIsLeftOut: a worker that is waited for twice leaves the team, the
// policy remembers it, and the region goes on without. On a busy machine the caller may
// come as late as the worker, so it tries again.
func TestStalledWorkerIsLeftOut(t *testing.T) {
	var sizes [4]int
	var p policy
	for range 20 {
		e := open(t, "", 2)
		ForceTeams(e, func(most int) int { // the first team is whole, the policy has the rest
			e.pool.policy.procs, e.pool.policy.recount, e.pool.force = 2, 1<<62, nil
			e.pool.policy.worked = int64(time.Second)
			return most
		})
		e.Run(2, func(w *Worker) {
			for phase := range sizes {
				if w.ID() == 0 {
					sizes[phase] = w.Workers()
				} else if phase < 2 {
					time.Sleep(50 * time.Millisecond) // as one without a processor
				}
				w.Barrier()
			}
		})
		p = e.pool.policy
		if sizes == [4]int{2, 2, 1, 1} && p.limit == 1 && p.backoff >= int64(20*time.Millisecond) {
			return
		}
	}
	t.Errorf("teams of %v, policy %+v", sizes, p)
}

// TestLateHelperJoins: a helper that comes during a phase longer than its patience is in
// the team of the next.
func TestLateHelperJoins(t *testing.T) {
	if processors() < 2 {
		t.Skip("needs two processors: a helper that looks for work, and the caller that takes it")
	}
	e := open(t, "", 2)
	ForceTeams(e, nil)
	for range 50 {
		team := 0
		e.Run(2, func(w *Worker) {
			if w.Workers() == 1 {
				time.Sleep(30 * time.Millisecond) // the helper parks
				w.Barrier()
				team = w.Workers()
				return
			}
			w.Barrier()
		})
		if team == 2 {
			return
		}
		time.Sleep(10 * time.Millisecond) // so that the next region begins without it
	}
	t.Error("the helper never joined")
}

// TestStalledCallerWorksAlone: helpers that left long before the caller have waited for
// it, though nobody saw them wait. A try counts for nothing where the helper came late:
// then the caller's stall is short beside the whole region.
func TestStalledCallerWorksAlone(t *testing.T) {
	const stall = 50 * time.Millisecond
	var p policy
	for range 20 {
		e := open(t, "", 2)
		ForceTeams(e, func(most int) int {
			e.pool.policy.procs, e.pool.policy.recount, e.pool.force = 2, 1<<62, nil
			return most
		})
		var left atomic.Bool
		e.Run(2, func(w *Worker) {
			if w.ID() == 1 {
				left.Store(true)
				return
			}
			for !left.Load() {
				runtime.Gosched()
			}
			time.Sleep(stall) // as one without a processor
		})
		if p = e.pool.policy; p.limit == 1 && p.backoff >= int64(stall/2) {
			return
		}
	}
	t.Errorf("the caller comes %v after its helper: policy %+v", stall, p)
}

// TestLateNoteLeavesNobodyOut: a wait that a worker notes when it is no longer in the
// team, as one does that loses its processor while it waits, changes no team.
func TestLateNoteLeavesNobodyOut(t *testing.T) {
	e := open(t, "", 2)
	ForceTeams(e, nil)
	e.pool.policy.procs, e.pool.policy.recount = 1, 1<<62
	done := 0
	e.Run(2, func(w *Worker) {
		for range 100 {
			e.pool.barrier.slow.Store(1)
			done += w.Share(10).Len()
			w.Barrier()
		}
	})
	if done != 1000 {
		t.Errorf("%d of 1000 done", done)
	}
}
