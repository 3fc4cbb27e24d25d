package main

import (
	"errors"
	"time"
)

// An Impl is one implementation: this project with one instruction set, or a
// library.
type Impl struct {
	Name    string
	Version string
	Ours    bool
	Bound   bool // not a library but a rate of ours: see Bounds
	// New prepares a workload for the given number of threads. It returns
	// errUnsupported where the library can't do it, and errSlow where it would take
	// minutes.
	New   func(w Workload, d *Data, threads int) (Instance, error)
	Close func()
}

// A Missing is a library that could not be opened.
type Missing struct {
	Name, Why, Install string
}

var (
	errUnsupported = errors.New("has no such operation")
	errSlow        = errors.New("would take too long")
)

// An Instance is a workload prepared on one implementation.
type Instance interface {
	// Results computes the workload once and returns its arrays by name. It is
	// called once, before Run.
	Results() (Results, error)
	// Run does the work n times and returns the total time.
	Run(n int) (time.Duration, error)
	Close()
}

// Results are copies of the output arrays of a workload: c; the upper factor or the
// singular values; y; h; dx, dwx, dwh, dbh, of a GRU dbr. For training they are those of the first step with dwy, dby, and the losses of the
// first trainedSteps.
type Results map[string][]float64

// widen returns a copy of x.
func widen[T float](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// trainedSteps is the number of steps whose losses are compared. The later ones show
// that clipping and the optimiser agree too.
const trainedSteps = 3

const (
	learningRate = 1e-3
	clipNorm     = 5
)

// timed is an Instance made of two functions.
type timed struct {
	results func() Results
	run     func(n int) time.Duration
	close   func()
}

func (t *timed) Results() (Results, error)        { return t.results(), nil }
func (t *timed) Run(n int) (time.Duration, error) { return t.run(n), nil }
func (t *timed) Close() {
	if t.close != nil {
		t.close()
	}
}

// loop times n calls of f.
func loop(f func()) func(n int) time.Duration {
	return func(n int) time.Duration {
		start := time.Now()
		for range n {
			f()
		}
		return time.Since(start)
	}
}
