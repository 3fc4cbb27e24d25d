package speed

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"batchrnn/bench"
	"batchrnn/bench/measure"
	"batchrnn/internal/figures"
	"batchrnn/internal/memory"
	"batchrnn/kernels"
)

// Limits of what options may ask for: more is a slip of the finger.
const (
	maxSize    = 1 << 20
	maxThreads = 1024
	maxTime    = time.Hour
)

// misuse returns an error that rnnbench ends with status 2 for.
func misuse(name, format string, args ...any) error {
	return &bench.OptionError{Name: name, Err: fmt.Errorf(format, args...)}
}

func checkTime(d time.Duration) error {
	if d <= 0 || d > maxTime {
		return misuse("--time", "%v is no time to measure for: give a duration above 0 and up to %v, such as 20ms or 1s", d, maxTime)
	}
	return nil
}

// checkSizes wants one number or more, each from 1 to limit and given once.
func checkSizes(name string, sizes []int, limit int, example string) error {
	if len(sizes) == 0 {
		return misuse(name, "no number is given: give one or more, such as %s", example)
	}
	for i, n := range sizes {
		if n < 1 || n > limit {
			return misuse(name, "%d can't be measured: give 1 to %d", n, limit)
		}
		if slices.Contains(sizes[:i], n) {
			return misuse(name, "%d is given twice: give each number once", n)
		}
	}
	return nil
}

// checkMemory wants need bytes to be free, as far as that is known.
func checkMemory(name string, need int64) error {
	free, known := memory.Available()
	if known && need > free {
		return misuse(name, "this takes %s, and %s are free: give smaller numbers", figures.Bytes(need), figures.Bytes(free))
	}
	return nil
}

// engine returns an engine for isa, or for what the environment or else the
// machine chooses.
func engine(isa string, threads int) (*kernels.Engine, error) {
	e, err := kernels.New(isa, threads)
	switch {
	case err == nil:
		return e, nil
	case isa != "":
		return nil, misuse("--isa", "%w: name one of these, or none for all", err)
	}
	// The option's name is in the error already.
	return nil, misuse(kernels.EnvISA, "%w: set one of these, or nothing for the fastest",
		errors.New(strings.TrimPrefix(err.Error(), kernels.EnvISA+": ")))
}

// thisMachine describes the machine, and the engine that figures are taken
// with.
func thisMachine(isa string, threads int) bench.Machine {
	m := measure.ThisMachine()
	return bench.Machine{CPU: m.CPU, ISA: isa, Threads: threads, Go: m.Go, OS: m.OS, Arch: m.Arch}
}

// commandLine writes a command that repeats a run, with the environment that
// changes it and without paths.
func commandLine(command string, flags ...string) string {
	if isa := os.Getenv(kernels.EnvISA); isa != "" {
		command = kernels.EnvISA + "=" + isa + " " + command
	}
	return strings.Join(append([]string{command}, flags...), " ")
}
