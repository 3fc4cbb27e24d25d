package lm

import (
	"io"
	"math"
	"slices"

	"batchrnn/bench/lm/text"
	"batchrnn/internal/option"
)

// checkParts returns an [option.Error] if two texts are standard input.
func (o TrainOptions) checkParts() error {
	reader := ""
	for _, of := range []struct {
		name  string
		input text.Input
	}{{"Corpus", o.Corpus}, {"Valid", o.part(o.Valid)}, {"Test", o.part(o.Test)}} {
		if !slices.Contains(of.input.Paths, text.Stdin) {
			continue
		}
		if reader != "" {
			return option.Misuse(of.name, "standard input is read already, for %v: name a file", option.Field(reader))
		}
		reader = of.name
	}
	return nil
}

// part returns where the text at path is, that of an option which may be nil.
func (o TrainOptions) part(path *string) text.Input {
	if path == nil {
		return text.Input{}
	}
	return text.Input{Paths: []string{*path}, Force: o.Corpus.Force}
}

// readParts reads the texts of validation and test.
func (o TrainOptions) readParts(stdin io.Reader) (parts Parts, err error) {
	if parts.Valid, err = o.readPart("Valid", o.Valid, stdin); err != nil {
		return parts, err
	}
	if parts.Test, err = o.readPart("Test", o.Test, stdin); err != nil {
		return parts, err
	}
	parts.Uncut = o.uncut()
	return parts, nil
}

// uncut says which parts are not cut off the training text.
func (o TrainOptions) uncut() text.Uncut {
	all := o.All || o.Valid != nil || o.Test != nil
	return text.Uncut{Valid: all && (o.Kind == Ngram || o.Valid != nil), Test: all}
}

// readPart reads the text of an option, if it is given.
func (o TrainOptions) readPart(name string, path *string, stdin io.Reader) (*text.Text, error) {
	if path == nil {
		return nil, nil
	}
	if err := checkPart(name, path); err != nil {
		return nil, err
	}
	return readText(name, o.part(path), 0, stdin)
}

// checkPart returns an error for the name of a text that is given and empty, which would
// be the default text.
func checkPart(name string, path *string) error {
	if path != nil && *path == "" {
		return option.Misuse(name, "the name is empty: give one, or leave it out")
	}
	return nil
}

// textOptions returns those of the training text. An n-gram model of sentences has all
// words unless something else is asked for, as those of lmplz have. It gives <unk> a
// share without having met it. An RNN has to meet it.
func (o TrainOptions) textOptions() TextOptions {
	t := o.TextOptions
	if o.Kind == Ngram && o.Level == text.Sentence {
		all, once := math.MaxInt, 1
		if t.Vocab == nil {
			t.Vocab = &all
		}
		if t.MinCount == nil {
			t.MinCount = &once
		}
	}
	return t
}
