package main

import (
	"runtime"
	"runtime/debug"
	"time"

	"gonum.org/v1/gonum/blas"
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
	if w.Kind != "gemm" {
		return nil, errUnsupported
	}
	c := make([]float32, w.M*w.N)
	ops := map[bool]blas.Transpose{false: blas.NoTrans, true: blas.Trans}
	run := func() {
		gonum.Implementation{}.Sgemm(ops[w.TransA], ops[w.TransB], w.M, w.N, w.K, 1, d.A, w.LDA(), d.B, w.LDB(), 0, c, w.N)
	}
	timedRun := loop(run)
	return &timed{
		results: func() Results { run(); return Results{"c": c} },
		run: func(n int) time.Duration {
			// gonum runs on GOMAXPROCS threads.
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
			return timedRun(n)
		},
	}, nil
}
