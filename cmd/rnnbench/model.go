package main

import (
	"fmt"

	"batchrnn/bench/lm"
	"batchrnn/internal/engine"
	"batchrnn/internal/option"
)

// modelArgument is the name of a model's file in the help.
const modelArgument = "MODEL"

// openModel reads the model in a file, to run on the given number of threads. close
// stops its engine.
func openModel(path string, threads int) (m *lm.Model, close func(), err error) {
	if path == "" {
		return nil, nil, option.Misuse(modelArgument, "the name is empty: give a file that rnnbench train has written")
	}
	if err := engine.CheckThreads(threads); err != nil {
		return nil, nil, err
	}
	e, err := engine.New("", threads)
	if err != nil {
		return nil, nil, err
	}
	if m, err = lm.Open(path, e); err != nil {
		e.Close()
		return nil, nil, fmt.Errorf("%w: give a file that rnnbench train has written", err)
	}
	return m, e.Close, nil
}
