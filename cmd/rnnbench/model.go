package main

import (
	"errors"
	"fmt"

	"batchrnn/bench/lm"
	"batchrnn/internal/durable"
	"batchrnn/internal/engine"
	"batchrnn/internal/option"
)

// modelArgument is the name of a model's file in the help.
const modelArgument = "MODEL"

// What progress says of the work that most commands begin and end with.
const (
	readingText  = "reading the text"
	loadingModel = "loading the model"
	writingModel = "writing the model"
)

// openModel reads the model in a file, to run on the given number of threads. close
// stops its engine.
func openModel(env *environment, path string, threads int) (m *lm.Model, close func(), err error) {
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
	told := env.progress().part(loadingModel)
	told(0)
	m, err = lm.OpenTold(path, e, told)
	env.progress().done()
	if err != nil {
		e.Close()
		return nil, nil, openError(err)
	}
	return m, e.Close, nil
}

// openError adds the remedy to an error of opening a model.
func openError(err error) error {
	if _, other := errors.AsType[*durable.VersionError](err); other {
		return fmt.Errorf("%w: train it again, or use the program that wrote it", err)
	}
	if _, full := errors.AsType[*lm.NoMemory](err); full {
		return fmt.Errorf("%w: give a smaller model, or allow this process more", err)
	}
	return fmt.Errorf("%w: give a file that rnnbench train has written", err)
}
