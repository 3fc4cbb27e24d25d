package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"time"

	"batchrnn/bench/measure"
	"batchrnn/kernels"
)

// A Runner times workloads and reports each when it is done.
type Runner struct {
	Impls  []*Impl
	Rounds int
	Time   time.Duration // of one measurement, at least
	Settle time.Duration // wait before one, until threads of the others stop spinning
	Quick  bool
	Match  *regexp.Regexp
	Models map[string][]byte
	Engine *kernels.Engine // measures the peak
	Text   io.Writer       // benchmark format
	Notes  []string        // omissions and failures
	Wrong  int             // mismatches and failures
	Rows   []*Row
	peakOf map[int]float64
	slow   map[*Impl]bool // implementations left out of some workloads
}

// A Row is a workload on a number of threads, and its measurements.
type Row struct {
	Workload Workload
	Threads  int
	Cells    []*Cell
}

// A Cell holds the times of one implementation, in nanoseconds a call, one for each
// round.
type Cell struct {
	Impl *Impl
	NS   []float64
	Diff float64 // of outputs: the greatest difference from ours
}

func (c *Cell) Min() float64 { return slices.Min(c.NS) }

func (c *Cell) Median() float64 {
	s := slices.Sorted(slices.Values(c.NS))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// Peak returns the floating-point operations a second of n threads. It is the best seen
// so far: other work on the machine can only lower it.
func (r *Runner) Peak(n int) float64 { return r.peakOf[n] }

func (r *Runner) measurePeak(n int) {
	r.peakOf[n] = max(r.Peak(n), measure.Peak(r.Engine, n))
}

func (r *Runner) note(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	r.Notes = append(r.Notes, s)
	fmt.Fprintln(os.Stderr, "peers:", s)
}

// leftOut notes, once, that an implementation is too slow for some workloads.
func (r *Runner) leftOut(impl *Impl) {
	if !r.slow[impl] {
		r.slow[impl] = true
		r.note("%s is left out where a call is more than %.0f GFLOP", impl.Name, slowFlops/1e9)
	}
}

// wrong adds a note and makes the run fail at its end.
func (r *Runner) wrong(format string, args ...any) {
	r.Wrong++
	r.note(format, args...)
}

// Run measures all workloads that match, on each number of threads.
func (r *Runner) Run(threads []int) {
	seen := map[string]bool{} // small workloads can be equal
	for _, w := range Workloads() {
		if !r.Match.MatchString(w.Bench()+"/"+w.Name()) || w.Model != "" && r.Models[w.Model] == nil {
			continue
		}
		if r.Quick {
			w = w.Shrink()
		}
		name := w.Bench() + "/" + w.Name()
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, n := range threads {
			if w.OneThread && n > 1 {
				continue
			}
			if row := r.row(w, n); row != nil {
				r.Rows = append(r.Rows, row)
			}
			runtime.GC() // the data of a workload can be hundreds of megabytes
		}
	}
}

// A runner is an implementation within a row.
type runner struct {
	cell     *Cell
	instance Instance
	times    int // calls in one measurement
}

func (r *Runner) row(w Workload, threads int) *Row {
	row := &Row{Workload: w, Threads: threads}
	var all []*runner
	defer func() {
		for _, x := range all {
			x.instance.Close()
		}
	}()
	d := NewData(w)
	d.Model = r.Models[w.Model]
	var want Results
	name := fmt.Sprintf("%s/%s/threads=%d", w.Bench(), w.Name(), threads)
	for _, impl := range r.Impls {
		instance, err := impl.New(w, d, threads)
		if errors.Is(err, errUnsupported) {
			continue
		}
		if err != nil {
			if errors.Is(err, errSlow) {
				r.leftOut(impl)
			} else {
				r.wrong("%s on %s FAILED: %v", name, impl.Name, err)
			}
			continue
		}
		x := &runner{cell: &Cell{Impl: impl}, instance: instance}
		results, err := instance.Results()
		if err == nil && want == nil {
			want = results
		}
		if err == nil && results == nil { // a Bound without any
			results = want
		}
		problem := ""
		if err != nil {
			problem = "FAILED: " + err.Error()
		} else if differs := compare(w, results, want); differs != "" {
			problem = "DOES NOT DO THE SAME WORK as " + r.Impls[0].Name + ": " + differs
		} else if x.times, err = r.calibrate(instance); err != nil {
			problem = "FAILED: " + err.Error()
		}
		if w.Apart() && problem == "" {
			x.cell.Diff = apart(results, want)
		}
		if problem != "" {
			r.wrong("%s on %s %s", name, impl.Name, problem)
			instance.Close()
			continue
		}
		all = append(all, x)
	}
	r.measurePeak(threads)
	for range r.Rounds {
		for _, x := range all {
			time.Sleep(r.Settle)
			if x.times > 1 {
				// One call refills the caches that the others have emptied. It is not
				// timed. Where a measurement is a single call, that is a small part of
				// it.
				if _, err := x.instance.Run(1); err != nil {
					r.wrong("%s on %s FAILED: %v", name, x.cell.Impl.Name, err)
					continue
				}
			}
			took, err := x.instance.Run(x.times)
			if err != nil {
				r.wrong("%s on %s FAILED: %v", name, x.cell.Impl.Name, err)
				continue
			}
			ns := float64(took.Nanoseconds()) / float64(x.times)
			x.cell.NS = append(x.cell.NS, ns)
			writeBenchLine(r.Text, w, x.cell.Impl.Name, threads, x.times, ns, r.Peak(threads))
		}
	}
	for _, x := range all {
		if len(x.cell.NS) > 0 {
			row.Cells = append(row.Cells, x.cell)
		}
	}
	if len(row.Cells) == 0 {
		return nil
	}
	return row
}

// calibrate returns the number of calls in a measurement.
func (r *Runner) calibrate(i Instance) (times int, err error) {
	for times = 1; ; {
		took, err := i.Run(times)
		if err != nil {
			return 0, err
		}
		if took >= r.Time/4 {
			return max(1, int(float64(times)*float64(r.Time)/float64(took)+0.5)), nil
		}
		// The growth is bounded, because the first calls may be slow.
		grow := min(100, 1+float64(r.Time)/2/max(1, float64(took)))
		times = max(times+1, int(float64(times)*grow))
	}
}
