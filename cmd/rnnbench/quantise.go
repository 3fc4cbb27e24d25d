package main

import (
	"fmt"

	"batchrnn/bench/lm"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type quantiseCommand struct {
	Model string `arg:"" help:"A file that rnnbench train or import has written, of an RNN. It stays as it is."`
	Out   string `required:"" type:"output" placeholder:"FILE|-" help:"Where the model goes; - is standard output."`
}

// Help is what kong prints below the summary.
func (*quantiseCommand) Help() string {
	return `The new model takes about a quarter of the memory, and its weights of the file; the vocabulary stays. It predicts nearly as well: "rnnbench eval" tells. Each column of a matrix has a scale, and its values become whole multiples of it, from -127 to 127. Biases stay float32; they take back what rounding shifts in the mean of texts that the model draws.

eval, sample, score, rescore and inspect take the new model. It can't be trained further, exported or quantised again: keep the first one for that.`
}

// Run is called by kong.
func (c *quantiseCommand) Run(env *environment) error {
	model, close, err := openToConvert(env, c.Model, c.Out)
	if err != nil {
		return err
	}
	defer close()
	if err := checkFloats(c.Model, model); err != nil {
		return err
	}
	small, err := model.Quantise()
	if err != nil {
		return option.Failure(modelArgument, "%q: %w", c.Model, err)
	}
	what := fmt.Sprintf("%s: %s in memory, %s before", small.Config.Description(), figures.Bytes(small.Bytes()), figures.Bytes(model.Bytes()))
	return writeConverted(env, c.Out, what, small.WriteTo)
}

// checkFloats returns an error unless the model of that file is an RNN with weights of
// float32.
func checkFloats(path string, m *lm.Model) error {
	switch {
	case m.Config.Kind != lm.RNN:
		return option.Failure(modelArgument, "%q is an n-gram model, which has no weights: give a file that rnnbench train --kind rnn has written", path)
	case m.Config.Int8:
		return option.Failure(modelArgument, "%q has weights of int8, and this takes float32: give the model that it was made of", path)
	}
	return nil
}
