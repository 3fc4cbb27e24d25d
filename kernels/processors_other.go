//go:build !linux

package kernels

import (
	"math"
	"runtime"
)

// processors returns how many processors the process may use: GOMAXPROCS, or as
// many as there were when it began where these are fewer.
func processors() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU()) }

// quota returns how many processors' worth of time the process may use in a second;
// [math.MaxInt] where that is not known.
func quota(string) int { return math.MaxInt }
