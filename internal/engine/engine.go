// Package engine makes the engine that a program runs on, by its options and the
// environment.
package engine

import (
	"errors"
	"strings"

	"batchrnn/internal/option"
	"batchrnn/kernels"
)

// New returns an engine of the instruction set isa, or, where that is "", of the one
// that the environment or else the machine chooses. threads are as in [kernels.New].
// Its error is an [option.Error].
func New(isa string, threads int) (*kernels.Engine, error) {
	if threads > kernels.MaxThreads {
		return nil, CheckThreads(threads)
	}
	// An error is now about the instruction set.
	e, err := kernels.New(isa, threads)
	switch {
	case err == nil:
		return e, nil
	case isa != "":
		return nil, option.Misuse("ISA", "%w: name one of these, or none for all", err)
	}
	// The variable's name is in the error already.
	return nil, option.Misuse(kernels.EnvISA, "%w: set one of these, or nothing for the fastest",
		errors.New(strings.TrimPrefix(err.Error(), kernels.EnvISA+": ")))
}

// CheckThreads returns an [option.Error] for a number that no engine should have.
func CheckThreads(n int) error {
	if n < 1 || n > kernels.MaxThreads {
		return option.Misuse("Threads", "%d threads can't work: give 1 to %d, best the number of cores", n, kernels.MaxThreads)
	}
	return nil
}
