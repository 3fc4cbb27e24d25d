package kernels

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The pool is the same for every instruction set; these tests take the default.

// TestRun counts the workers of regions of every size and sees that their
// shares are in order, even, and cover everything once.
func TestRun(t *testing.T) {
	for threads := 1; threads <= 4; threads++ {
		e := open(t, "", threads)
		if e.Threads() != threads {
			t.Errorf("%d threads, want %d", e.Threads(), threads)
		}
		for _, n := range []int{-1, 0, 1, 2, 3, 4, 5, 100} {
			want := max(1, min(n, threads))
			for _, items := range []int{0, 1, 2, 3, 4, 5, 17} {
				shares := make([]*Span, threads)
				e.Run(n, func(w *Worker) {
					s := w.Share(items)
					if w.Workers() != want || shares[w.ID()] != nil {
						t.Errorf("worker %d of %d, want %d", w.ID(), w.Workers(), want)
					}
					shares[w.ID()] = &s
				})
				// Any workers of the engine may be the team, in any order.
				var team []*Span
				for _, s := range shares {
					if s != nil {
						team = append(team, s)
					}
				}
				slices.SortFunc(team, func(a, b *Span) int { return cmp.Or(a.Lo-b.Lo, a.Hi-b.Hi) })
				if len(team) != want {
					t.Fatalf("Run(%d) on %d threads: %d workers ran, want %d", n, threads, len(team), want)
				}
				next := 0
				for id, s := range team {
					if s.Lo != next || s.Len() < items/want || s.Len() > (items+want-1)/want {
						t.Errorf("worker %d of %d takes %v of %d items", id, want, *s, items)
					}
					next = s.Hi
				}
				if next != items {
					t.Errorf("%d workers take %d of %d items", want, next, items)
				}
			}
		}
	}
}

// TestBarrier sums prefixes by doubling, in plain memory: each round reads what
// other workers wrote in the one before. With -race it also shows that a
// barrier orders memory.
func TestBarrier(t *testing.T) {
	rounds := 300
	if raceDetector {
		rounds = 50
	}
	for _, threads := range []int{2, 3, 4, 8} {
		e := open(t, "", threads)
		sums, next := make([]int, threads), make([]int, threads)
		e.Run(threads, func(w *Worker) {
			id, src, dst := w.ID(), sums, next
			for round := range rounds {
				src[id] = id + round
				w.Barrier()
				for step := 1; step < threads; step *= 2 {
					dst[id] = src[id]
					if id >= step {
						dst[id] += src[id-step]
					}
					w.Barrier()
					src, dst = dst, src
				}
				if want := id*(id+1)/2 + (id+1)*round; src[id] != want {
					t.Errorf("round %d of %d workers: the sum up to %d is %d, want %d", round, threads, id, src[id], want)
				}
				w.Barrier() // before src is written again
			}
		})
	}
}

// TestRegionsFollow sees that a region sees what the one before it wrote, for
// regions of changing size.
func TestRegionsFollow(t *testing.T) {
	e := open(t, "", 4)
	counts := make([]int, 4)
	for round := range 400 {
		e.Run(1+round%4, func(w *Worker) { counts[w.ID()]++ })
	}
	if want := []int{400, 300, 200, 100}; !slices.Equal(counts, want) {
		t.Errorf("the workers ran %v times, want %v", counts, want)
	}
}

// TestConcurrentRegions starts regions from several goroutines at once, and
// regions and products within regions. Who finds the pool taken works alone.
func TestConcurrentRegions(t *testing.T) {
	e := open(t, "", 3)
	const items, rounds = 100, 200
	p := &problem{m: 3, n: 50, k: 7}
	p.a, p.b = filled(3*7, 1), filled(7*50, 1)
	packed := p.pack(e)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range rounds {
				var done atomic.Int64
				e.Run(3, func(w *Worker) {
					s := w.Share(items)
					w.Barrier()
					e.Run(2, func(inner *Worker) {
						inner.Barrier()
						done.Add(int64(s.Len()) / int64(inner.Workers()))
					})
					q := p.product(packed)
					e.Gemm(q)
					if q.C[149] != 7 {
						t.Errorf("a product within a region is %g, want 7", q.C[149])
					}
				})
				if done.Load() != items {
					t.Errorf("%d of %d items done", done.Load(), items)
				}
			}
		})
	}
	wg.Wait()
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for limit := time.Now().Add(5 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal(what)
		}
	}
}

func TestCloseEndsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	var engines []*Engine
	for threads := 1; threads <= 5; threads++ {
		e, err := New("", threads)
		if err != nil {
			t.Fatal(err)
		}
		engines = append(engines, e)
		if threads%2 == 0 { // the others are closed without having run
			e.Run(threads, func(w *Worker) { w.Barrier() })
		}
	}
	for _, e := range engines {
		e.Close()
		e.Close() // twice is fine
	}
	eventually(t, "goroutines outlive their engines", func() bool { return runtime.NumGoroutine() <= before })
}

// TestIdleWorkersPark sees helpers give up their processor after a region and,
// within one, workers that wait for a slow one.
func TestIdleWorkersPark(t *testing.T) {
	const threads = 3
	e := open(t, "", threads)
	parkedHelpers := func() (n int) {
		for _, w := range e.pool.workers[1:] {
			if w.state.Load() == parked {
				n++
			}
		}
		return n
	}
	for range 3 {
		e.Run(threads, func(w *Worker) {
			if w.ID() == 0 {
				eventually(t, "workers don't park at a barrier", func() bool { return e.pool.barrier.parked.Load() == threads-1 })
			}
			w.Barrier()
		})
		eventually(t, "helpers don't park between regions", func() bool { return parkedHelpers() == threads-1 })
	}
}

// TestOversubscription runs more workers than processors: they must not spin, for
// who spins keeps from running whom it waits for.
func TestOversubscription(t *testing.T) {
	threads := 4 * runtime.GOMAXPROCS(0)
	e := open(t, "", threads)
	for range 5 {
		e.Run(threads, func(w *Worker) {
			for range 40 {
				w.Barrier()
			}
		})
	}
	if e.pool.barrier.spin != 0 || e.pool.left.spin != 0 {
		t.Errorf("%d workers spin on %d processors", threads, runtime.GOMAXPROCS(0))
	}
}

// TestFMA sees the loop do what it says it did.
func TestFMA(t *testing.T) {
	eachEngine(t, 1, func(t *testing.T, e *Engine) {
		if got := e.FMA(0); got != 0 {
			t.Errorf("no rounds: %g operations", got)
		}
		if one, many := e.FMA(1), e.FMA(10000); one <= 0 || many != 10000*one {
			t.Errorf("%g operations in a round, %g in 10,000", one, many)
		}
	})
}

// TestProcessors counts no more than GOMAXPROCS allows, nor than there are threads.
func TestProcessors(t *testing.T) {
	e, err := New("", 3)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if n := e.Processors(); n != 1 {
		t.Errorf("%d processors of GOMAXPROCS 1", n)
	}
	runtime.GOMAXPROCS(100)
	if n := e.Processors(); n != min(3, processors()) {
		t.Errorf("%d processors for 3 threads, where the process may use %d", n, processors())
	}
	ForceTeams(e, func(most int) int { return most })
	if n := e.Processors(); n != 3 {
		t.Errorf("%d processors for 3 threads that a test asks for", n)
	}
}
