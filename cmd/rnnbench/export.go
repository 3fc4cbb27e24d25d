package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"batchrnn/bench/lm"
	"batchrnn/bench/report"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type exportCommand struct {
	Model string `arg:"" help:"A file that rnnbench train has written, of an RNN."`
	Out   string `required:"" placeholder:"FILE" help:"Where the weights go, as safetensors."`
}

// Help is what kong prints below the summary.
func (*exportCommand) Help() string {
	return `The names and layouts are those of a PyTorch module with an nn.RNN, nn.LSTM or nn.GRU as rnn and an nn.Linear as out. It reads one-hot vectors, or with an embedding the vectors of an nn.Embedding, embedding.weight. The tensors are rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0 (zeros, except of a GRU), out.weight, out.bias; of an adaptive softmax out.head and out.tail. The cell stands in the file too. The vocabulary stays in the model's file.`
}

// Run is called by kong.
func (c *exportCommand) Run(env *environment) error {
	model, close, err := openToConvert(c.Model, c.Out)
	if err != nil {
		return err
	}
	defer close()
	return writeConverted(env.stdout, c.Out, model, model.WriteSafetensors)
}

type importCommand struct {
	Model   string `arg:"" help:"A file that rnnbench train has written, of an RNN, which the vocabulary and the sizes come from. It stays as it is."`
	Weights string `required:"" placeholder:"FILE" help:"Weights as rnnbench export or PyTorch writes them, as safetensors."`
	Out     string `required:"" placeholder:"FILE" help:"Where the model with these weights goes."`
}

// Help is what kong prints below the summary.
func (*importCommand) Help() string {
	return `Puts weights that were exported, and perhaps trained on elsewhere, into a model's file again. Names, shapes, the cell and the nonlinearity must be the model's; "rnnbench export --help" has them.`
}

// Run is called by kong.
func (c *importCommand) Run(env *environment) error {
	model, close, err := openToConvert(c.Model, c.Out)
	if err != nil {
		return err
	}
	defer close()
	if report.SameFile(c.Weights, c.Out) {
		return option.Misuse("--out", "%q is the file of --weights too: name another", c.Out)
	}
	if err := readWeights(model, c.Weights); err != nil {
		return fmt.Errorf("--weights: %q: %w", c.Weights, durable.WithoutPath(err))
	}
	return writeConverted(env.stdout, c.Out, model, model.WriteTo)
}

func readWeights(model *lm.Model, path string) error {
	// Before it is opened: opening a pipe waits for somebody who writes to it.
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file: name one")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return model.ReadSafetensors(f, info.Size())
}

// openToConvert opens a model of an RNN that out is made of, which is another file.
func openToConvert(model, out string) (m *lm.Model, close func(), err error) {
	switch {
	case out == "":
		return nil, nil, option.Misuse("--out", "the name is empty: give one")
	case report.SameFile(model, out):
		return nil, nil, option.Misuse("--out", "%q is the model's own file: name another", out)
	}
	if err := report.CheckFile("--out", out, ""); err != nil {
		return nil, nil, err
	}
	if m, close, err = openModel(model, 1); err != nil {
		return nil, nil, err
	}
	if m.Config.Kind != lm.RNN {
		close()
		return nil, nil, option.Failure(modelArgument, "%q is an n-gram model, which has no weights: give a file that rnnbench train --kind rnn has written", model)
	}
	return m, close, nil
}

// writeConverted writes the file at path, and prints what m is and where it went.
func writeConverted(stdout io.Writer, path string, m *lm.Model, write func(io.Writer) (int64, error)) error {
	var size int64
	err := durable.WriteFile(path, func(w io.Writer) (err error) {
		size, err = write(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("--out: %q was not written: %w", path, err)
	}
	if _, err := fmt.Fprintf(stdout, "model    %s\nsaved    %s, %s\n", m.Config.Description(), path, figures.Bytes(size)); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}
