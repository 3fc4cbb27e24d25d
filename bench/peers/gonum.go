package main

import (
	"runtime"
	"runtime/debug"
	"time"

	"gonum.org/v1/gonum/blas/gonum"
)

// Gonum returns gonum's own BLAS, pure Go with some assembly.
func Gonum() *Impl {
	return &Impl{Name: "gonum", Version: moduleVersion("gonum.org/v1/gonum"), New: newGonum}
}

// moduleVersion returns the version of a module in this program.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}

func newGonum(w Workload, d *Data, threads int) (Instance, error) {
	switch {
	case w.Kind == "lapack":
		return newFactorization(gonum.Implementation{}, w, d, threads), nil
	case !w.Algebra():
		return nil, errUnsupported
	case w.Kind == "blas" && w.Flops() > slowFlops:
		return nil, errSlow
	}
	i := newGoBLAS(gonum.Implementation{}, w, d)
	i.run = onProcs(threads, i.run)
	return i, nil
}

// onProcs returns f with GOMAXPROCS at the number of threads. Gonum runs on as many.
func onProcs(threads int, f func(n int) time.Duration) func(n int) time.Duration {
	return func(n int) time.Duration {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		return f(n)
	}
}
