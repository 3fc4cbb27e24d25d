//go:build !linux

package kernels

import (
	"math"
	"runtime"
)

// processors returns how many processors the process may use: the lesser of GOMAXPROCS
// and the number of processors when it began.
func processors() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU()) }

// quota returns how many seconds of processor time the process may use in a second;
// [math.MaxInt] where that is not known.
func quota(string) int { return math.MaxInt }
