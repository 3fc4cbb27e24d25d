package speed

import (
	"slices"
	"time"

	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/internal/option"
)

// Limits of options, to catch typing errors.
const (
	maxSize = 1 << 20
	maxTime = time.Hour
)

func checkTime(d time.Duration) error {
	if d <= 0 || d > maxTime {
		return option.Misuse("Time", "%v is no time to measure for: give a duration above 0 and up to %v, such as 20ms or 1s", d, maxTime)
	}
	return nil
}

// checkSizes requires at least one number, all from 1 to limit and none repeated.
func checkSizes(name string, sizes []int, limit int, example string) error {
	if len(sizes) == 0 {
		return option.Misuse(name, "no number is given: give one or more, such as %s", example)
	}
	for i, n := range sizes {
		if n < 1 || n > limit {
			return option.Misuse(name, "%d can't be measured: give 1 to %d", n, limit)
		}
		if slices.Contains(sizes[:i], n) {
			return option.Misuse(name, "%d is given twice: give each number once", n)
		}
	}
	return nil
}

// checkMemory returns an error if fewer than need bytes are free, as far as that is
// known.
func checkMemory(name string, need int64) error {
	free, known := memory.Available()
	if known && need > free {
		return option.Misuse(name, "this takes %s, and %s are free: give smaller numbers", figures.Bytes(need), figures.Bytes(free))
	}
	return nil
}
