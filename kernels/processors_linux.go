package kernels

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// processors returns how many processors the process may use: the smaller of GOMAXPROCS
// and the size of its affinity mask.
func processors() int {
	n := runtime.GOMAXPROCS(0)
	var mask unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mask); err == nil {
		n = min(n, max(mask.Count(), 1))
	}
	return n
}
