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
	// New readies a workload for so many threads. It returns errUnsupported
	// where the library has nothing for it, and errSlow where it would take
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

// An Instance is a workload made ready on one implementation.
type Instance interface {
	// Results computes the workload once and returns its arrays by name. It is
	// called once, before Run.
	Results() (Results, error)
	// Run does the work n times and returns how long that took.
	Run(n int) (time.Duration, error)
	Close()
}

// Results are a workload's outputs: c; y; h; dx, dwx, dwh, dbh; and of
// training those of the first step with dwy, dby and the losses of the first
// trainedSteps.
type Results map[string][]float32

// trainedSteps is how many steps' losses are compared: after the first, they
// show that clipping and the optimiser agree too.
const trainedSteps = 3

const (
	learningRate = 1e-3
	clipNorm     = 5
)

// timed is an Instance from two functions.
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
