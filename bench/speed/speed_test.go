package speed

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"batchrnn/internal/option"
	"batchrnn/kernels"
	"batchrnn/rnn"
)

var small = Options{Cells: []rnn.CellKind{rnn.Vanilla, rnn.LSTM, rnn.GRU}, Threads: []int{1}, Hidden: []int{8}, Batch: []int{2},
	GatedHidden: []int{9}, GatedBatch: []int{3}, Time: time.Microsecond}

// TestStopped stops a run before its second task.
func TestStopped(t *testing.T) {
	s, err := NewSpeed(small)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r := s.Run(ctx, func(nth, of int, name string) {
		if nth < 1 || nth > 2 || of < 2 || name == "" {
			t.Errorf("task %d of %d, %q", nth, of, name)
		}
		if nth == 2 {
			cancel()
		}
	})
	if !r.Interrupted || len(r.Rows) != 2 {
		t.Fatalf("a stopped run: %+v", r)
	}
	for i, pass := range []string{PassForward, PassBoth} {
		row := r.Rows[i]
		share := row.GFLOPS / row.PeakGFLOPS * 100
		if row.Kind != KindDeepBench || row.Pass != pass || row.Runs < leastRuns || row.H != 8 || row.B != 2 || row.T != 50 ||
			!(row.Seconds <= row.MedianSeconds) || !(math.Abs(share-row.PercentPeak) <= 1e-6*share) || !(share > 0) {
			t.Errorf("row %d: %+v", i, row)
		}
		flops := []float64{2, 6}[i] * 2 * 8 * 8 * 50
		if got := row.GFLOPS * 1e9 * row.Seconds; !(math.Abs(got-flops) <= 1e-6*flops) {
			t.Errorf("%s counts %g operations, want %g", pass, got, flops)
		}
	}

	k, err := NewKernels(KernelOptions{Time: time.Microsecond, Largest: Largest{2, 3, 4, 5}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if r := k.Run(ctx, func(int, int, string) {}); !r.Interrupted || len(r.Rows) > 0 {
		t.Errorf("kernels, stopped before the start: %+v", r)
	}
}

func TestBadOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"Threads": func(o *Options) { o.Threads = []int{0} },
		"Hidden":  func(o *Options) { o.Hidden = []int{8, 8} },
		"Batch":   func(o *Options) { o.Batch = nil },
		"Time":    func(o *Options) { o.Time = 0 },
		"Cell":    func(o *Options) { o.Cells = []rnn.CellKind{rnn.GRU, rnn.GRU} },
	} {
		o := small
		change(&o)
		if _, err := NewSpeed(o); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("bad %s: error %v", name, err)
		}
	}
}

// TestGatedCells wants rows of each cell, with the operations of all its gates counted.
func TestGatedCells(t *testing.T) {
	s, err := NewSpeed(small)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e := s.engines[1]
	for cell, products := range map[rnn.CellKind]float64{rnn.LSTM: 4, rnn.GRU: 3, rnn.GRUResetBefore: 3, rnn.Vanilla: 1} {
		rows, err := s.passes(t.Context(), e, cell, 9, 3)
		if err != nil {
			t.Fatal(err)
		}
		train, err := s.train(t.Context(), e, cell)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range append(rows, train...) {
			flops := []float64{2 * products * 3 * 9 * 9 * 50, 6 * products * 3 * 9 * 9 * 50, 6 * 32 * 50 * (products*512*512 + 512*65)}[i]
			if got := row.GFLOPS * 1e9 * row.Seconds; !(math.Abs(got-flops) <= 1e-6*flops) || row.Cell != cell.String() || !(row.PercentPeak > 0) {
				t.Errorf("%v, %s counts %g operations, want %g: %+v", cell, row.Pass, got, flops, row)
			}
		}
	}
	s.Cells = []rnn.CellKind{rnn.LSTM}
	for _, task := range s.tasks() {
		if strings.Contains(task.name, "forward") || strings.Contains(task.name, "rnn") || strings.Contains(task.name, "steps") {
			t.Errorf("task %q of vanilla cells", task.name)
		}
	}
}

// TestPicks wants tiles for every batch, and those of one row for one row.
func TestPicks(t *testing.T) {
	for _, isa := range kernels.ISAs() {
		e, err := kernels.New(isa, 1)
		if err != nil {
			t.Fatal(err)
		}
		served := map[int]bool{}
		picked := picks(isa)
		for _, p := range kernels.Probes(e, 8) {
			for _, b := range picked[p.Name] {
				served[b] = true
				if p.Rows > b || p.Rows == 0 {
					t.Errorf("%s: %s is picked for a batch of %d", isa, p.Name, b)
				}
			}
		}
		if len(served) != len(pickedBatches) {
			t.Errorf("%s: tiles are picked for %v, want %v", isa, served, pickedBatches)
		}
		e.Close()
	}
}

// TestTrend hides one hole in a curve that bends.
func TestTrend(t *testing.T) {
	curve := func(b int) float64 { return 120 * float64(b) / (float64(b) + 1) }
	for _, hole := range []int{1, 2, 3, 40, 129, 130} {
		rows := []Row{{Kind: KindGemm, B: 64, GFLOPS: 1}}
		for b := 1; b <= maxBatch; b++ {
			g := curve(b)
			if b == hole {
				g *= 0.5
			}
			rows = append(rows, Row{Kind: KindBatch, B: b, GFLOPS: g})
		}
		followTrend(rows)
		for _, r := range rows {
			near := r.B != hole && r.B >= hole-2 && r.B <= hole+2 // may be taken for one too, at an end
			if r.Kind == KindBatch && !near && r.Hole() != (r.B == hole) {
				t.Errorf("hole at %d: B = %d has %.1f, trend %.1f", hole, r.B, r.GFLOPS, r.TrendGFLOPS)
			}
		}
	}
}

func TestTimingCountsCalls(t *testing.T) {
	var calls [2]int
	timings, err := timeTogether(t.Context(), time.Millisecond, func() { calls[0]++ }, func() { calls[1]++; time.Sleep(2 * time.Millisecond) })
	if err != nil {
		t.Fatal(err)
	}
	for i, timing := range timings {
		if timing.runs < leastRuns || !(timing.best <= timing.median) || !(timing.best > 0) || calls[i] < timing.runs {
			t.Errorf("work %d: %+v after %d calls", i, timing, calls[i])
		}
	}
	if !(timings[0].best <= 1e-4) || !(timings[1].best >= 2e-3) {
		t.Errorf("an empty call takes %g s, one that sleeps for 2 ms %g s", timings[0].best, timings[1].best)
	}
}
