//go:build !linux

package kernels

import (
	"math"
	"runtime"
)

// processors returns how many processors the process may use. That is the smaller of
// GOMAXPROCS and the number of processors at the start of the process.
func processors() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU()) }

// quota returns how many seconds of processor time the process may use in a second, or
// [math.MaxInt] if unknown.
func quota(string) int { return math.MaxInt }
