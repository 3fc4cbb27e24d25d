package neighbour

import (
	"context"
	"runtime"
	"sync/atomic"
)

// A Condition says what else is busy while an engine works, and how many call it.
type Condition struct {
	Name    string // stable: results and benchmarks carry it
	Engines int    // that work at the same time
	Callers int    // of each engine

	enter func(context.Context) (leave func(), err error) // nil: nothing to do
}

// lowest is the niceness of a process that takes only idle processor time.
const lowest = 19

// Conditions lists all conditions, the quiet one first.
func Conditions() []Condition {
	return []Condition{
		{"quiet", 1, 1, nil},
		{"process", 1, 1, func(ctx context.Context) (func(), error) { return startProcess(ctx, 0) }},
		{"nice-process", 1, 1, func(ctx context.Context) (func(), error) { return startProcess(ctx, lowest) }},
		{"goroutine", 1, 1, func(context.Context) (func(), error) { return startGoroutine(), nil }},
		{"gomaxprocs-1", 1, 1, func(context.Context) (func(), error) { return lowerProcs(), nil }},
		{"2-engines", 2, 1, nil},
		{"8-callers", 1, 8, nil},
	}
}

// Enter starts the condition and returns the function that ends it. The engines must
// exist before. The error says why this system lacks the condition, or is that of ctx.
// A busy process also ends with ctx.
func (c Condition) Enter(ctx context.Context) (leave func(), err error) {
	if c.enter == nil {
		return func() {}, nil
	}
	return c.enter(ctx)
}

// startGoroutine starts a busy goroutine. It has ended when stop returns.
func startGoroutine() (stop func()) {
	var stopped atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !stopped.Load() {
		}
	}()
	return func() {
		stopped.Store(true)
		<-ended
	}
}

// lowerProcs sets GOMAXPROCS to 1 until restore is called.
func lowerProcs() (restore func()) {
	before := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(before) }
}
