//go:build !linux

package kernels

import "runtime"

// processors returns how many processors the process may use: GOMAXPROCS, or as
// many as there were when it began where these are fewer.
func processors() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU()) }
