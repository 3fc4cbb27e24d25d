package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"batchrnn/bench/lm"
	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/lm/text"
	"batchrnn/bench/report"
	"batchrnn/internal/durable"
	"batchrnn/internal/figures"
	"batchrnn/internal/option"
)

type exportCommand struct {
	Model string `arg:"" help:"A file that rnnbench train or import has written."`
	Out   string `required:"" type:"output" placeholder:"FILE|-" help:"Where the model goes: an RNN's weights as safetensors, or if FILE ends in .onnx the RNN as an ONNX model; n-grams as an ARPA file; - is standard output."`
}

// Help is what kong prints below the summary.
func (*exportCommand) Help() string {
	return `An RNN becomes safetensors. The names and layouts are those of a PyTorch module with an nn.RNN, nn.LSTM or nn.GRU as rnn and an nn.Linear as out. It reads one-hot vectors, or with an embedding the vectors of an nn.Embedding, embedding.weight. The tensors are rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0 (zeros, except of a GRU), out.weight, out.bias; of an adaptive softmax out.head and out.tail. The cell stands in the file too.

In a FILE that ends in .onnx an RNN becomes an ONNX model, which ONNX Runtime and others run. Its inputs are ids, numbers of the vocabulary for each step and text, and the states h0 and, of an LSTM, c0. Its outputs are output, the logits of the next token (log-probabilities of an adaptive softmax), and the states hn and cn, from which the next call goes on. In both cases the vocabulary stays in the model's file.

An n-gram model becomes an ARPA file, which KenLM, SRILM, IRSTLM and Sphinx read. A model of characters writes white space and control characters by their code points, such as <U+0020> for a space. Those programs ask for <s> and </s>, which a model of sentences has, see "rnnbench train --sentences". Any other model lists both with a log10 probability of -99, so leave the end of a sentence out of their figures (query -n). The values of a quantised model are its rounded ones.`
}

// Run is called by kong.
func (c *exportCommand) Run(env *environment) error {
	model, close, err := openToConvert(env, c.Model, c.Out)
	if err != nil {
		return err
	}
	defer close()
	if model.Config.Int8 {
		return checkFloats(c.Model, model)
	}
	write := model.WriteSafetensors
	switch onnx := strings.EqualFold(filepath.Ext(c.Out), ".onnx"); {
	case onnx && model.Config.Kind == lm.Ngram:
		return option.Failure(modelArgument, "%q is an n-gram model, which ONNX can't hold: give a file that rnnbench train --kind rnn has written, or an --out that does not end in .onnx", c.Model)
	case onnx:
		write = model.WriteONNX
	case model.Config.Kind == lm.Ngram:
		write = model.WriteARPA
	}
	return writeConverted(env, c.Out, model.Config.Description(), write)
}

type importCommand struct {
	Model   string  `arg:"" help:"An ARPA file; with --weights a file that rnnbench train has written, of an RNN, which the vocabulary and the sizes come from. It stays as it is."`
	Weights *string `placeholder:"FILE" help:"Weights as rnnbench export or PyTorch writes them, as safetensors."`
	Prefix  string  `placeholder:"NAME" help:"What precedes the names of the weights, such as module. of a wrapped module. Other tensors of the file are left out."`
	Out     string  `required:"" type:"output" placeholder:"FILE|-" help:"Where the model goes; - is standard output."`
	Store   *string `placeholder:"NAME" help:"How the n-grams of an ARPA file lie in memory: map, hash, the fastest, trie, or quantised, the smallest (default trie)."`
	Level   *string `placeholder:"char|word" help:"What a word of an ARPA file is: char or word (default: char if all are characters and white space among them is written as export writes it, else word)."`
}

// Help is what kong prints below the summary.
func (*importCommand) Help() string {
	return `Makes a model of an ARPA file, which KenLM, SRILM, IRSTLM, Sphinx or rnnbench export may have written. It may be compressed by gzip or zstd. With <s> and </s> among its words it is a model of sentences, as after "rnnbench train --sentences". Unknown words have the probability of <unk>, also spelled <UNK>. If the file lists neither, it is 10^-100, as in KenLM.

With --weights it puts weights that were exported, and perhaps trained on elsewhere, into a model's file again. Names, shapes, the cell and the nonlinearity must be the model's; "rnnbench export --help" has them.`
}

// Run is called by kong.
func (c *importCommand) Run(env *environment) error {
	weights, err := given("--weights", c.Weights)
	switch {
	case err != nil:
		return err
	case weights == "":
		return c.arpa(env)
	case c.Store != nil:
		return option.Misuse("--store", "--weights are those of an RNN, which has no store: leave it out")
	case c.Level != nil:
		return option.Misuse("--level", "with --weights the level is that of the model: leave it out")
	case c.Out != report.Stdout && report.SameFile(weights, c.Out):
		return option.Misuse("--out", "%q is the file of --weights too: name another", c.Out)
	}
	model, close, err := openToConvert(env, c.Model, c.Out)
	if err != nil {
		return err
	}
	defer close()
	if err := checkFloats(c.Model, model); err != nil {
		return err
	}
	err = readFile(weights, func(f *os.File, size int64) error { return model.ReadSafetensors(f, size, c.Prefix) })
	if err != nil {
		return fmt.Errorf("--weights: %q: %w", weights, err)
	}
	return writeConverted(env, c.Out, model.Config.Description(), model.WriteTo)
}

// arpa makes a model of an ARPA file.
func (c *importCommand) arpa(env *environment) error {
	if c.Prefix != "" {
		return option.Misuse("--prefix", "an ARPA file has no names of weights: leave it out, or give --weights")
	}
	store, err := parseStore(c.Store)
	if err != nil {
		return err
	}
	var level *text.Level
	if c.Level != nil {
		l, err := parseLevel(*c.Level)
		if err != nil {
			return err
		}
		level = &l
	}
	if err := checkConverted(c.Model, c.Out); err != nil {
		return err
	}
	var model *lm.Model
	var noUnk bool
	env.progress().work("reading the ARPA file")
	err = readFile(c.Model, func(f *os.File, size int64) (err error) {
		model, noUnk, err = lm.ReadARPA(f, size, level, store)
		return err
	})
	env.progress().done()
	if err != nil {
		return fmt.Errorf("%s: %q: %w: give an ARPA file, or --weights", modelArgument, c.Model, err)
	}
	if err := writeConverted(env, c.Out, model.Config.Description(), model.WriteTo); err != nil || !noUnk {
		return err
	}
	text, name := env.text(c.Out)
	out := &firstError{w: text}
	figures.Paragraph(out, 9, "note", fmt.Sprintf("the file lists no <unk>: unknown words have a log10 probability of %d, as in KenLM", ngram.MissingUnk))
	if out.err != nil {
		return fmt.Errorf("%s: %w", name, out.err)
	}
	return nil
}

// readFile calls read with a regular file and its size.
func readFile(path string, read func(f *os.File, size int64) error) error {
	// Before it is opened: opening a pipe waits for somebody who writes to it.
	info, err := os.Stat(path)
	if err != nil {
		return durable.WithoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file: name one")
	}
	f, err := os.Open(path)
	if err != nil {
		return durable.WithoutPath(err)
	}
	defer f.Close()
	return durable.WithoutPath(read(f, info.Size()))
}

// checkConverted returns an error unless out can be made of the file in.
func checkConverted(in, out string) error {
	switch {
	case out == "":
		return option.Misuse("--out", "the name is empty: give one")
	case out != report.Stdout && report.SameFile(in, out):
		return option.Misuse("--out", "%q is the model's own file: name another", out)
	}
	return checkOut(out, text.Input{})
}

// openToConvert opens a model that out is made of, which is another file.
func openToConvert(env *environment, model, out string) (m *lm.Model, close func(), err error) {
	if err := checkConverted(model, out); err != nil {
		return nil, nil, err
	}
	return openModel(env, model, 1)
}

// writeConverted writes the file at path, and prints what the model is and where it went.
func writeConverted(env *environment, path, model string, write func(io.Writer) (int64, error)) error {
	var size int64
	progress := env.progress()
	progress.work("writing " + path)
	err := writeOut(path, env.stdout, func(w io.Writer) (err error) {
		size, err = write(w)
		return err
	})
	progress.close()
	if err != nil {
		return err
	}
	text, name := env.text(path)
	out := &firstError{w: text}
	figures.Paragraph(out, 9, "model", model)
	fmt.Fprintf(out, "saved    %s\n", written(path, size))
	if out.err != nil {
		return fmt.Errorf("%s: %w", name, out.err)
	}
	return nil
}
