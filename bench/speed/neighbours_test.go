package speed

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"batchrnn/internal/neighbour"
	"batchrnn/internal/option"
	"batchrnn/kernels"
)

var tiny = NeighbourOptions{Threads: []int{1, 2}, Hidden: []int{8}, Batch: []int{2}, Time: time.Microsecond}

func TestNeighbours(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	n, err := NewNeighbours(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	told := 0
	r := n.Run(t.Context(), func(nth, of int, name string) { told++ })
	conditions := neighbour.Conditions()
	if r.Interrupted || told != len(conditions) || len(r.Rows) != 2*(len(conditions)-len(r.LeftOut)) {
		t.Fatalf("%d of %d conditions, %+v", told, len(conditions), r)
	}
	seen := map[string]int{}
	for i, row := range r.Rows {
		seen[row.Beside]++
		if row.Kind != KindNeighbour || row.H != 8 || row.B != 2 || row.T != 50 || row.Threads != 1+i%2 || row.Runs < 3*row.Callers {
			t.Errorf("row %+v", row)
		}
		if !(row.Seconds > 0) || !(row.Seconds <= row.MedianSeconds) || !(row.MedianSeconds <= row.P99Seconds) || !(row.Seconds <= row.MeanSeconds) {
			t.Errorf("times out of order: %+v", row)
		}
		flops, tokens := row.MeanGFLOPS*1e9*row.MeanSeconds, row.TokensPerSecond*row.MeanSeconds
		if !(math.Abs(flops-2*2*8*8*50) <= 1e-6*flops) || !(math.Abs(tokens-2*50) <= 1e-6*tokens) {
			t.Errorf("%g operations and %g tokens a pass: %+v", flops, tokens, row)
		}
		if row.Compared() != (row.Threads == 2) {
			t.Errorf("compared: %+v", row)
		}
		if row.Compared() {
			one := r.Rows[i-1]
			throughput, p99 := row.MeanGFLOPS/one.MeanGFLOPS, row.P99Seconds/one.P99Seconds
			if one.Beside != row.Beside || !(math.Abs(row.ThroughputRatio-throughput) <= 1e-9*throughput) ||
				!(math.Abs(row.P99Ratio-p99) <= 1e-9*p99) || row.OneRuns != one.Runs {
				t.Errorf("row %+v beside %+v", row, one)
			}
		}
	}
	for _, name := range []string{"quiet", "process", "goroutine", "gomaxprocs-1", "2-engines", "8-callers"} {
		if seen[name] != 2 {
			t.Errorf("%d rows of %s", seen[name], name)
		}
	}
	if now := runtime.GOMAXPROCS(0); now != procs {
		t.Errorf("GOMAXPROCS is %d, was %d", now, procs)
	}
	wantNoChild(t)
}

// TestNeighboursStop stops in each condition.
func TestNeighboursStop(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	o := tiny
	for nth := range neighbour.Conditions() {
		o.Time = time.Microsecond
		n, err := NewNeighbours(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r := n.Run(ctx, func(at, of int, name string) {
			if at == nth+1 {
				n.Time = time.Hour
				time.AfterFunc(20*time.Millisecond, cancel)
			}
		})
		n.Close()
		if !r.Interrupted || len(r.Rows) != 2*(nth-len(r.LeftOut)) {
			t.Errorf("stopped in condition %d: %+v", nth, r)
		}
		if now := runtime.GOMAXPROCS(0); now != procs {
			t.Errorf("stopped in condition %d: GOMAXPROCS is %d, was %d", nth, now, procs)
		}
		wantNoChild(t)
	}
}

func TestBadNeighbourOptions(t *testing.T) {
	for name, change := range map[string]func(o *NeighbourOptions){
		"Threads":          func(o *NeighbourOptions) { o.Threads = []int{1} },
		"Hidden":           func(o *NeighbourOptions) { o.Hidden = nil },
		"Batch":            func(o *NeighbourOptions) { o.Batch = []int{0} },
		"Time":             func(o *NeighbourOptions) { o.Time = 0 },
		"Hidden and Batch": func(o *NeighbourOptions) { o.Hidden, o.Batch = []int{maxSize}, []int{maxSize} },
	} {
		o := tiny
		change(&o)
		if _, err := NewNeighbours(o); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("bad %s: error %v", name, err)
		}
	}
	o := tiny
	for _, threads := range [][]int{{}, {0}, {2, 2}, {kernels.MaxThreads + 1}} {
		o.Threads = threads
		if _, err := NewNeighbours(o); !option.IsMisuse(err) || !strings.HasPrefix(err.Error(), "Threads"+": ") {
			t.Errorf("threads %v: error %v", threads, err)
		}
	}
}

// TestMarks wants a row to miss a mark by NaN too.
func TestMarks(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		throughput, p99 float64
		slow, stalling  bool
	}{
		{0.9, 2, false, false}, {1.7, 0.5, false, false}, {0.89, 2.1, true, true}, {nan, nan, true, true}, {0, math.Inf(1), true, true},
	} {
		r := Row{Kind: KindNeighbour, Threads: 2, ThroughputRatio: test.throughput, P99Ratio: test.p99}
		if r.Slow() != test.slow || r.Stalling() != test.stalling {
			t.Errorf("%+v: slow %t, stalling %t", test, r.Slow(), r.Stalling())
		}
	}
	for _, test := range []struct {
		runs, one int
		judged    bool
	}{{100, 100, true}, {3, 100, true}, {5000, 99, false}} {
		if got := (Row{Runs: test.runs, OneRuns: test.one}).Judged(); got != test.judged {
			t.Errorf("%d and %d runs: judged %t", test.runs, test.one, got)
		}
	}
}

func TestLeftOutIsToldOnce(t *testing.T) {
	var r Result
	for range 3 {
		r.leaveOut("nice-process", errors.ErrUnsupported)
	}
	r.leaveOut("process", errors.ErrUnsupported)
	if len(r.LeftOut) != 2 || r.LeftOut[0].Beside != "nice-process" || r.LeftOut[0].Reason == "" {
		t.Errorf("%+v", r.LeftOut)
	}
}
